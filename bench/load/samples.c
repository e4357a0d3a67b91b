#include "bench/load/samples.h"

#include "lib/base/memory.h"

#include <math.h>
#include <stdlib.h>

void samples_done(struct samples *samples)
{
    mem_free(samples->values);
    *samples = (struct samples){0};
}

void samples_add(struct samples *samples, int64_t value)
{
    mem_grow(&samples->values, &samples->capacity, samples->count + 1, sizeof(int64_t));
    samples->values[samples->count++] = value;
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

void samples_sort(struct samples *samples)
{
    if (samples->count > 1) {
        qsort(samples->values, samples->count, sizeof(int64_t), compare);
    }
}

int64_t samples_quantile(const struct samples *samples, double q)
{
    if (samples->count == 0) {
        return 0;
    }
    size_t rank = (size_t)ceil(q * (double)samples->count);
    if (rank < 1) {
        rank = 1;
    }
    if (rank > samples->count) {
        rank = samples->count;
    }
    return samples->values[rank - 1];
}

double samples_mean(const struct samples *samples)
{
    double sum = 0;
    for (size_t i = 0; i < samples->count; i++) {
        sum += (double)samples->values[i];
    }
    return samples->count > 0 ? sum / (double)samples->count : 0;
}
