#ifndef REMORA_BENCH_SCHEDULE_H
#define REMORA_BENCH_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

/*
 * When requests are due: Poisson arrivals, the gaps -ln(1 - u) / rate drawn from a fixed seed, so
 * that every peer of a comparison gets the same arrivals.
 */
struct schedule {
    int64_t *due_ns; /* from the start of the run, rising */
    size_t count;
};

/* Of all arrivals before duration_ns, but no more than limit. */
void schedule_init(struct schedule *schedule, double rate, int64_t duration_ns, uint64_t seed,
                   size_t limit);
void schedule_done(struct schedule *schedule);

#endif
