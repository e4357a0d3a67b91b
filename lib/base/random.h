#ifndef REMORA_BASE_RANDOM_H
#define REMORA_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Two kinds. random_secret: from the kernel, for ids, tokens and seeds; aborts when the kernel
 * gives none. random_u64 and its kin: a fast generator of this thread (xoshiro256**), seeded from
 * the kernel, for jitter and picks; predictable, so never for secrets. Tests fix it with
 * random_seed.
 */
void random_secret(void *into, size_t bytes);

void random_seed(uint64_t seed);
uint64_t random_u64(void);
/* Uniform in [0, limit); limit > 0. */
uint64_t random_below(uint64_t limit);
/* Uniform in [0, 1). */
double random_unit(void);

#endif
