#include "lib/stats/bucket.h"

#include "lib/base/check.h"

/* (9 to 16) / 8, then by 2 to 40 / 8, then by 4 to 80 / 8 of the power of ten below; whole numbers.
 */
#define DECADE(d)                                                                                  \
    (d) * 9 / 8, (d)*10 / 8, (d)*11 / 8, (d)*12 / 8, (d)*13 / 8, (d)*14 / 8, (d)*15 / 8,           \
        (d)*16 / 8, (d)*18 / 8, (d)*20 / 8, (d)*22 / 8, (d)*24 / 8, (d)*26 / 8, (d)*28 / 8,        \
        (d)*30 / 8, (d)*32 / 8, (d)*34 / 8, (d)*36 / 8, (d)*38 / 8, (d)*40 / 8, (d)*44 / 8,        \
        (d)*48 / 8, (d)*52 / 8, (d)*56 / 8, (d)*60 / 8, (d)*64 / 8, (d)*68 / 8, (d)*72 / 8,        \
        (d)*76 / 8, (d)*80 / 8

static const uint32_t bounds_us[STATS_BUCKETS - 1] = {
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10, /* */
    DECADE(10ULL),
    DECADE(100ULL),
    DECADE(1000ULL),
    DECADE(10000ULL),
    DECADE(100000ULL),
    DECADE(1000000ULL),
    DECADE(10000000ULL),
    DECADE(100000000ULL), /* */
    2000000000U,
    3600000000U,
};

/*
 * The bucket of the smallest number with the same position and three bits behind its first one bit
 * (the numbers below 8 stand for themselves). The right bucket is at most 2 further.
 */
static const uint8_t first_bucket[] = {
    0,   0,   1,   2,   3,   4,   5,   6,   7,   8,   9,   10,  11,  12,  13,  13,  14,  16,  17,
    18,  19,  20,  21,  21,  22,  24,  25,  27,  29,  30,  31,  31,  32,  34,  35,  37,  39,  40,
    40,  41,  42,  43,  44,  46,  47,  48,  48,  49,  50,  51,  52,  54,  55,  56,  57,  59,  60,
    61,  62,  64,  65,  66,  67,  69,  70,  71,  72,  73,  74,  75,  76,  77,  78,  79,  80,  81,
    82,  83,  84,  85,  86,  88,  90,  91,  92,  93,  94,  95,  96,  98,  100, 101, 101, 102, 103,
    104, 105, 106, 108, 109, 109, 110, 111, 112, 113, 114, 116, 118, 119, 120, 121, 122, 123, 124,
    126, 128, 129, 130, 131, 131, 132, 133, 135, 136, 137, 138, 139, 139, 140, 141, 143, 144, 145,
    147, 148, 149, 150, 151, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 164, 165, 166, 167,
    168, 169, 170, 171, 172, 173, 174, 175, 176, 178, 180, 181, 182, 183, 184, 185, 186, 188, 190,
    191, 192, 192, 193, 194, 195, 197, 198, 199, 200, 200, 201, 202, 203, 205, 206, 208, 210, 210,
    211, 212, 213, 215, 216, 218, 220, 220, 221, 222, 222, 224, 225, 226, 228, 228, 229, 230, 230,
    232, 233, 234, 236, 237, 238, 240, 240, 242, 243, 244, 246, 247, 248, 250, 250, 250, 250, 250,
    250, 250, 250, 251, 251, 251, 251, 251, 251, 251, 252, 252,
};

unsigned stats_bucket_of(uint64_t us)
{
    if (us > bounds_us[STATS_BUCKET_OVERFLOW - 1]) {
        return STATS_BUCKET_OVERFLOW;
    }
    unsigned place = (unsigned)us;
    if (us >= 8) {
        unsigned first_bit = 63 - (unsigned)__builtin_clzll(us);
        place = (first_bit - 2) * 8 + (unsigned)((us >> (first_bit - 3)) & 7);
    }
    unsigned bucket = first_bucket[place];
    while (us > bounds_us[bucket]) {
        bucket++;
    }
    return bucket;
}

uint64_t stats_bucket_bound_us(unsigned bucket)
{
    CHECK(bucket < STATS_BUCKETS);
    return bucket == STATS_BUCKET_OVERFLOW ? UINT64_MAX : bounds_us[bucket];
}
