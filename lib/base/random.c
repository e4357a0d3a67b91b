#include "lib/base/random.h"

#include "lib/base/check.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/random.h>

static _Thread_local uint64_t state[4];
static _Thread_local bool seeded;

void random_secret(void *into, size_t bytes)
{
    unsigned char *to = into;
    size_t filled = 0;
    while (filled < bytes) {
        ssize_t got = getrandom(to + filled, bytes - filled, 0);
        if (got < 0) {
            CHECK(errno == EINTR);
            continue;
        }
        filled += (size_t)got;
    }
}

/* splitmix64 (Steele, Lea, Flood 2014): spreads a seed over the state, which must not be all zero.
 */
void random_seed(uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15U;
        uint64_t word = seed;
        word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9U;
        word = (word ^ (word >> 27)) * 0x94d049bb133111ebU;
        state[i] = word ^ (word >> 31);
    }
    seeded = true;
}

static inline uint64_t rotate(uint64_t value, unsigned by)
{
    return (value << by) | (value >> (64 - by));
}

/* xoshiro256** 1.0 (Blackman and Vigna 2018). */
uint64_t random_u64(void)
{
    if (__builtin_expect(!seeded, 0)) {
        uint64_t seed;
        random_secret(&seed, sizeof(seed));
        random_seed(seed);
    }
    uint64_t result = rotate(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate(state[3], 45);
    return result;
}

/* Lemire 2019, "Fast random integer generation in an interval": no bias, and almost never a
 * division. */
uint64_t random_below(uint64_t limit)
{
    CHECK(limit > 0);
    unsigned __int128 product = (unsigned __int128)random_u64() * limit;
    if ((uint64_t)product < limit) {
        uint64_t threshold = -limit % limit;
        while ((uint64_t)product < threshold) {
            product = (unsigned __int128)random_u64() * limit;
        }
    }
    return (uint64_t)(product >> 64);
}

double random_unit(void)
{
    return (double)(random_u64() >> 11) * 0x1.0p-53;
}
