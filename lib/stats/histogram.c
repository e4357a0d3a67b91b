#include "lib/stats/histogram.h"

#include "lib/base/memory.h"

struct histogram_part {
    _Atomic uint64_t counts[HISTOGRAM_PART_BUCKETS];
};

_Static_assert(HISTOGRAM_PART_BUCKETS *HISTOGRAM_PARTS >= STATS_BUCKETS, "parts hold all buckets");

/* Parts start at a cache line, so that no other thread's writes share theirs. */
enum { PART_ALIGNMENT = 64 };

void histogram_init(struct histogram *histogram)
{
    atomic_init(&histogram->sum_us, 0);
    for (int i = 0; i < HISTOGRAM_PARTS; i++) {
        atomic_init(&histogram->parts[i], NULL);
    }
}

void histogram_done(struct histogram *histogram)
{
    for (int i = 0; i < HISTOGRAM_PARTS; i++) {
        mem_free(atomic_load_explicit(&histogram->parts[i], memory_order_relaxed));
    }
    histogram_init(histogram);
}

static struct histogram_part *make_part(struct histogram *histogram, unsigned at)
{
    struct histogram_part *part = mem_aligned(PART_ALIGNMENT, sizeof(*part));
    /* A reader that sees the part must see its zeros. */
    atomic_store_explicit(&histogram->parts[at], part, memory_order_release);
    return part;
}

static inline void raise(_Atomic uint64_t *number, uint64_t amount)
{
    uint64_t before = atomic_load_explicit(number, memory_order_relaxed);
    atomic_store_explicit(number, before + amount, memory_order_relaxed);
}

void histogram_record(struct histogram *histogram, uint64_t us)
{
    unsigned bucket = stats_bucket_of(us);
    unsigned at = bucket / HISTOGRAM_PART_BUCKETS;
    struct histogram_part *part = atomic_load_explicit(&histogram->parts[at], memory_order_relaxed);
    if (__builtin_expect(part == NULL, 0)) {
        part = make_part(histogram, at);
    }
    raise(&part->counts[bucket % HISTOGRAM_PART_BUCKETS], 1);
    raise(&histogram->sum_us, us);
}

void histogram_read(const struct histogram *histogram, struct distribution *into)
{
    for (unsigned i = 0; i < STATS_BUCKETS; i++) {
        const struct histogram_part *part = atomic_load_explicit(
            &histogram->parts[i / HISTOGRAM_PART_BUCKETS], memory_order_acquire);
        if (part == NULL) {
            continue;
        }
        uint64_t count =
            atomic_load_explicit(&part->counts[i % HISTOGRAM_PART_BUCKETS], memory_order_relaxed);
        into->counts[i] += count;
        into->count += count;
    }
    into->sum_us += atomic_load_explicit(&histogram->sum_us, memory_order_relaxed);
}
