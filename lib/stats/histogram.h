#ifndef REMORA_STATS_HISTOGRAM_H
#define REMORA_STATS_HISTOGRAM_H

#include "lib/stats/distribution.h"

#include <stdatomic.h>

/*
 * Live counts by bucket. One thread records; any thread may read meanwhile. Memory comes in parts
 * of 32 buckets at the first value that falls into them, so that an unused histogram costs 72
 * bytes. All zero bytes = empty.
 */
enum { HISTOGRAM_PART_BUCKETS = 32, HISTOGRAM_PARTS = 8 };

struct histogram_part;
struct histogram {
    _Atomic uint64_t sum_us;
    _Atomic(struct histogram_part *) parts[HISTOGRAM_PARTS];
};

void histogram_init(struct histogram *histogram);
/* No reader may be left. */
void histogram_done(struct histogram *histogram);
void histogram_record(struct histogram *histogram, uint64_t us);
/* Adds what is there now. Any thread. */
void histogram_read(const struct histogram *histogram, struct distribution *into);

#endif
