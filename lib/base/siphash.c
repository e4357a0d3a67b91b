#include "lib/base/siphash.h"

#include <endian.h>
#include <string.h>

struct state {
    uint64_t v0;
    uint64_t v1;
    uint64_t v2;
    uint64_t v3;
};

static inline uint64_t rotate(uint64_t value, unsigned by)
{
    return (value << by) | (value >> (64 - by));
}

static inline void mix(struct state *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

uint64_t siphash13(struct span bytes, const uint64_t key[2])
{
    struct state s = {
        key[0] ^ 0x736f6d6570736575U,
        key[1] ^ 0x646f72616e646f6dU,
        key[0] ^ 0x6c7967656e657261U,
        key[1] ^ 0x7465646279746573U,
    };
    size_t whole = bytes.length & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word;
        memcpy(&word, bytes.at + i, sizeof(word));
        word = le64toh(word);
        s.v3 ^= word;
        mix(&s);
        s.v0 ^= word;
    }
    uint64_t last = (uint64_t)bytes.length << 56;
    for (size_t i = whole; i < bytes.length; i++) {
        last |= (uint64_t)(unsigned char)bytes.at[i] << (8 * (i - whole));
    }
    s.v3 ^= last;
    mix(&s);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    mix(&s);
    mix(&s);
    mix(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
