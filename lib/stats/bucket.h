#ifndef REMORA_STATS_BUCKET_H
#define REMORA_STATS_BUCKET_H

#include <stdint.h>

/*
 * How latencies are sorted into buckets: log-linear in decimal steps, 30 to a decade (8 in (1, 2],
 * 12 in (2, 5], 10 in (5, 10]), so that no bucket is wider than an eighth of its lower bound and
 * all of Linkerd's bounds are bounds here too. Microseconds, whole: bucket b holds (bound(b - 1),
 * bound(b)]; the first holds 0 and 1, the last all beyond one hour.
 *
 * The layout is a wire format (digest.h): a change needs another STATS_BUCKET_LAYOUT.
 */
enum { STATS_BUCKET_LAYOUT = 1, STATS_BUCKETS = 253, STATS_BUCKET_OVERFLOW = STATS_BUCKETS - 1 };

unsigned stats_bucket_of(uint64_t us);
/* The largest value in the bucket; UINT64_MAX for the overflow. */
uint64_t stats_bucket_bound_us(unsigned bucket);

#endif
