#ifndef REMORA_STATS_SERIES_H
#define REMORA_STATS_SERIES_H

#include "lib/base/map.h"
#include "lib/stats/cell.h"
#include "lib/stats/label.h"
#include "lib/stats/registry.h"

#include <pthread.h>

/*
 * How registry and writers share their memory; nobody else includes this.
 *
 * The mutex guards the table of series, the counts of holders and the list of slots. Lists of
 * series and the cells in them only grow while a reader may walk them without the mutex: a new one
 * is complete before its release store; only the reader itself takes series out.
 */
struct stats_family {
    const struct stats_declaration *declaration;
    struct span label_names[STATS_MAX_LABELS];
    size_t label_count;
    size_t series; /* that count towards the limit; under the mutex */
    _Atomic(struct stats_series *) first;
};

struct stats_series {
    struct stats_series *next; /* the reader's, once published */
    const struct stats_family *family;
    struct stats_registry *registry;
    struct span key; /* its own bytes */
    size_t held;     /* cells that are in use; under the mutex */
    int64_t idle_since_ns;
    bool permanent; /* a statistic without labels */
    bool other;     /* takes in what goes beyond the limits, and does not count towards them */
    _Atomic(struct stats_cell *) cells[]; /* one for each slot */
};

struct stats_registry {
    pthread_mutex_t mutex;
    size_t family_count;
    size_t slots;
    size_t series_limit;
    struct map series; /* key -> struct stats_series */
    _Atomic size_t counted;
    _Atomic uint64_t folded;
    bool *slot_taken;
    struct label_key reader_key;
    struct stats_family families[];
};

/* With the mutex held: the series of this key, made when there is none, or the one for others. */
struct stats_series *stats_series_take(struct stats_registry *registry, unsigned stat,
                                       struct span key);
/* With the mutex held: the cell of a slot, made when there is none. */
struct stats_cell *stats_series_cell(struct stats_series *series, size_t slot);

#endif
