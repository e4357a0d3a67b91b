#ifndef REMORA_PROXY_OBSERVE_SERIES_CACHE_H
#define REMORA_PROXY_OBSERVE_SERIES_CACHE_H

#include "lib/stats/writer.h"
#include "proxy/observe/request_record.h"

/*
 * From what a request's labels are made of straight to its cells: a worker meets few different sets
 * of labels again and again, and checking, joining and hashing three sets for each request costs
 * ten times as much as this. Direct-mapped; what does not fit into a slot's key is not kept.
 */
enum { SERIES_CACHE_SLOTS = 64, SERIES_CACHE_KEY_BYTES = 224 };

struct request_cells {
    struct stats_cell *requests;
    struct stats_cell *duration;
    struct stats_cell *latency; /* NULL until a request had an answer */
};

struct series_slot {
    uint32_t length; /* 0 = empty */
    char key[SERIES_CACHE_KEY_BYTES];
    struct request_cells cells;
};

struct series_cache {
    struct series_slot slots[SERIES_CACHE_SLOTS];
};

/*
 * The slot of this record: its cells are those of the record when *ret_hit, and to be filled in
 * (all of them NULL now) when not. NULL: the names are too long to be kept.
 */
struct request_cells *series_cache_slot(struct series_cache *cache,
                                        const struct request_record *record, bool *ret_hit);
/* Before cells go away: with stats_writer_expire. */
void series_cache_clear(struct series_cache *cache);

#endif
