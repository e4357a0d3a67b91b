#ifndef REMORA_PROXY_DISCOVERY_LOAD_SOURCE_H
#define REMORA_PROXY_DISCOVERY_LOAD_SOURCE_H

#include "proxy/config/snapshot.h"
#include "proxy/observe/load_report.h"

/*
 * What load reports must know besides statistics, out of the snapshot in force: which service a
 * cluster is of, and which version a workload. A workload whose endpoints are of several versions
 * (one is being rolled out) has none. Main thread.
 */
struct load_alias { /* explicit mode: the application has another port than its proxy */
    struct address application;
    uint16_t called;
};

struct load_source {
    const struct load_alias *aliases; /* the owner's */
    size_t alias_count;
    struct snapshot *snapshot; /* NULL before the first */
    struct map versions;       /* "namespace/service/workload" -> NUL-terminated text */
    struct arena arena;        /* of these texts */
    bool stale;                /* versions are those of an earlier snapshot */
};

/* The owner is a struct load_source. */
extern const struct load_names load_source_names;

void load_source_done(struct load_source *source);
/* Takes a reference. */
void load_source_snapshot(struct load_source *source, struct snapshot *snapshot);

#endif
