#ifndef REMORA_STATS_DIGEST_H
#define REMORA_STATS_DIGEST_H

#include "lib/stats/distribution.h"

#include <stddef.h>

/* A distribution's filled buckets in rising order, for the wire. */
struct digest_entry {
    uint32_t bucket;
    uint64_t count;
};

/* Writes at most room entries (STATS_BUCKETS always suffice) and returns how many there are. */
size_t digest_encode(const struct distribution *distribution, struct digest_entry *entries,
                     size_t room);
/*
 * Adds entries from outside to a distribution. False, and nothing added, when a bucket is unknown,
 * out of order, empty, or a count overflows.
 */
bool digest_decode(const struct digest_entry *entries, size_t count, uint64_t sum_us,
                   struct distribution *into);

#endif
