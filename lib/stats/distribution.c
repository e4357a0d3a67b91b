#include "lib/stats/distribution.h"

#include "lib/base/check.h"

void distribution_clear(struct distribution *distribution)
{
    *distribution = (struct distribution){0};
}

void distribution_add(struct distribution *distribution, uint64_t us)
{
    distribution->counts[stats_bucket_of(us)]++;
    distribution->count++;
    distribution->sum_us += us;
}

void distribution_merge(struct distribution *into, const struct distribution *from)
{
    for (unsigned i = 0; i < STATS_BUCKETS; i++) {
        into->counts[i] += from->counts[i];
    }
    into->count += from->count;
    into->sum_us += from->sum_us;
}

static uint64_t subtract(uint64_t from, uint64_t amount)
{
    return from > amount ? from - amount : 0;
}

void distribution_subtract(struct distribution *from, const struct distribution *earlier)
{
    /* The count follows from the buckets, so that both agree where one of them was cut at zero. */
    from->count = 0;
    for (unsigned i = 0; i < STATS_BUCKETS; i++) {
        from->counts[i] = subtract(from->counts[i], earlier->counts[i]);
        from->count += from->counts[i];
    }
    from->sum_us = subtract(from->sum_us, earlier->sum_us);
}

static uint64_t interpolate(unsigned bucket, uint64_t rank_in_bucket, uint64_t count)
{
    uint64_t low = bucket == 0 ? 0 : stats_bucket_bound_us(bucket - 1);
    uint64_t width = stats_bucket_bound_us(bucket) - low;
    return low + (uint64_t)((unsigned __int128)width * rank_in_bucket / count);
}

bool distribution_quantile(const struct distribution *distribution, unsigned permille,
                           uint64_t *ret_us)
{
    CHECK(permille > 0 && permille <= 1000);
    if (distribution->count == 0) {
        return false;
    }
    uint64_t rank = (uint64_t)(((unsigned __int128)distribution->count * permille + 999) / 1000);
    uint64_t before = 0;
    for (unsigned i = 0; i < STATS_BUCKET_OVERFLOW; i++) {
        uint64_t count = distribution->counts[i];
        if (before + count >= rank) {
            *ret_us = interpolate(i, rank - before, count);
            return true;
        }
        before += count;
    }
    return false;
}

uint64_t distribution_count_up_to(const struct distribution *distribution, uint64_t us)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < STATS_BUCKETS && stats_bucket_bound_us(i) <= us; i++) {
        count += distribution->counts[i];
    }
    return count;
}
