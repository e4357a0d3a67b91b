#ifndef REMORA_BENCH_SAMPLES_H
#define REMORA_BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

/* Every measured value, exact: no buckets. All zero bytes = empty. */
struct samples {
    int64_t *values;
    size_t count;
    size_t capacity;
};

void samples_done(struct samples *samples);
void samples_add(struct samples *samples, int64_t value);
/* Before samples_quantile. */
void samples_sort(struct samples *samples);
/*
 * The smallest value that at least a part q (0 to 1) of the values do not exceed (nearest rank);
 * 0 when there are none.
 */
int64_t samples_quantile(const struct samples *samples, double q);
double samples_mean(const struct samples *samples);

#endif
