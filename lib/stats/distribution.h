#ifndef REMORA_STATS_DISTRIBUTION_H
#define REMORA_STATS_DISTRIBUTION_H

#include "lib/stats/bucket.h"

#include <stdbool.h>

/* Counts by bucket at rest: what a histogram had at one moment, or between two. About 2 KiB. */
struct distribution {
    uint64_t count;
    uint64_t sum_us;
    uint64_t counts[STATS_BUCKETS];
};

void distribution_clear(struct distribution *distribution);
void distribution_add(struct distribution *distribution, uint64_t us);
void distribution_merge(struct distribution *into, const struct distribution *from);
/* What came after `earlier`, a former state of the same histogram. Never below zero. */
void distribution_subtract(struct distribution *from, const struct distribution *earlier);

/*
 * The quantile in microseconds, 500 = median, 999 = p99.9 (1 to 1000 per mille):
 * rank = ceil(permille * count / 1000), in the first bucket (lo, hi] whose cumulative count reaches
 * it, linear between the bounds. False, and nothing written, when empty or beyond the last bound.
 */
bool distribution_quantile(const struct distribution *distribution, unsigned permille,
                           uint64_t *ret_us);
/* How many were at or below us; exact where us is a bound of the layout. */
uint64_t distribution_count_up_to(const struct distribution *distribution, uint64_t us);

#endif
