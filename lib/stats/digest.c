#include "lib/stats/digest.h"

size_t digest_encode(const struct distribution *distribution, struct digest_entry *entries,
                     size_t room)
{
    size_t filled = 0;
    for (unsigned i = 0; i < STATS_BUCKETS; i++) {
        if (distribution->counts[i] == 0) {
            continue;
        }
        if (filled < room) {
            entries[filled] = (struct digest_entry){i, distribution->counts[i]};
        }
        filled++;
    }
    return filled;
}

/* Whether all entries can be added without any number overflowing. */
static bool entries_fit(const struct digest_entry *entries, size_t count,
                        const struct distribution *into)
{
    uint64_t total = into->count;
    for (size_t i = 0; i < count; i++) {
        const struct digest_entry *entry = &entries[i];
        if (entry->bucket >= STATS_BUCKETS || entry->count == 0 ||
            (i > 0 && entry->bucket <= entries[i - 1].bucket)) {
            return false;
        }
        /* No bucket holds more than the total, so their sums cannot overflow before it does. */
        if (__builtin_add_overflow(total, entry->count, &total)) {
            return false;
        }
    }
    return true;
}

bool digest_decode(const struct digest_entry *entries, size_t count, uint64_t sum_us,
                   struct distribution *into)
{
    uint64_t sum = 0;
    if (!entries_fit(entries, count, into) || __builtin_add_overflow(into->sum_us, sum_us, &sum)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        into->counts[entries[i].bucket] += entries[i].count;
        into->count += entries[i].count;
    }
    into->sum_us = sum;
    return true;
}
