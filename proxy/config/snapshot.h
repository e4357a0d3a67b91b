#ifndef REMORA_PROXY_CONFIG_SNAPSHOT_H
#define REMORA_PROXY_CONFIG_SNAPSHOT_H

/*
 * What a worker knows: one whole, immutable configuration.
 *
 *   snapshot ── phone_book      which service owns an address (whole mesh, small)
 *            ├─ workload        this proxy itself: inbound ports, modes, egress
 *            ├─ listener*       service ports in use: how they are spoken, routes or TCP clusters
 *            │     └─ routes
 *            └─ cluster*        clusters in use, each with its endpoints
 *
 * Each part is made once from a decoded resource, checked, counted (atomic) and shared by all
 * snapshots that hold it, so that a new snapshot costs in proportion to what is in use, not to the
 * mesh. The main thread builds; workers only read. Everything mutable (pools, load, breakers) is
 * elsewhere.
 */

#include "lib/base/map.h"
#include "lib/base/refcount.h"
#include "proxy/config/cluster_config.h"
#include "proxy/config/listener_config.h"
#include "proxy/config/phone_book.h"
#include "proxy/config/workload_config.h"

struct snapshot {
    struct refcount references;
    uint64_t version;                 /* counts up, 1 = first */
    struct phone_book *phone_book;    /* never NULL; empty at first */
    struct workload_config *workload; /* never NULL; safe defaults at first */
    struct map listeners;             /* name -> listener_config */
    struct map clusters;              /* name -> cluster_config */
    struct map absent;                /* names the control plane said do not exist -> any pointer */
};

/* Counts the references on the parts up. Lists may be NULL where their count is 0. */
struct snapshot_parts {
    struct phone_book *phone_book;
    struct workload_config *workload;
    struct listener_config *const *listeners;
    size_t listener_count;
    struct cluster_config *const *clusters;
    size_t cluster_count;
    const struct span *absent;
    size_t absent_count;
};
struct snapshot *snapshot_create(uint64_t version, const struct snapshot_parts *parts);
/* Version 0: nothing known, Strict, egress denied. What a proxy has before anything came. */
struct snapshot *snapshot_empty(void);
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot);

const struct listener_config *snapshot_listener(const struct snapshot *snapshot, struct span name);
const struct cluster_config *snapshot_cluster(const struct snapshot *snapshot, struct span name);
bool snapshot_is_absent(const struct snapshot *snapshot, struct span name);

#endif
