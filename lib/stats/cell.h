#ifndef REMORA_STATS_CELL_H
#define REMORA_STATS_CELL_H

#include "lib/stats/histogram.h"

/*
 * One thread's part of one series. Only the thread whose writer gave it out may write; the reader
 * of the registry sums over the threads. A cache line of its own, written by a relaxed load and
 * store: no locked instruction, and no line that two workers write.
 */
enum { STATS_CACHE_LINE_BYTES = 64 };

struct stats_series;
struct stats_cell {
    /* The counter, or the gauge in two's complement. */
    _Alignas(STATS_CACHE_LINE_BYTES) _Atomic uint64_t number;
    struct stats_series *series;
    uint32_t holders;             /* of this thread; the writer's own */
    bool found;                   /* the writer keeps it for stats_find */
    int64_t used_ns;              /* last stats_find */
    struct histogram histogram[]; /* one, in cells of a histogram */
};

/* For a cell of stats_find that is used again before the next stats_writer_expire. */
static inline void stats_used(struct stats_cell *cell, int64_t now_ns)
{
    cell->used_ns = now_ns;
}

/* For a counter. */
static inline void stats_add(struct stats_cell *cell, uint64_t amount)
{
    uint64_t before = atomic_load_explicit(&cell->number, memory_order_relaxed);
    atomic_store_explicit(&cell->number, before + amount, memory_order_relaxed);
}

/* For a gauge. */
static inline void stats_change(struct stats_cell *cell, int64_t amount)
{
    stats_add(cell, (uint64_t)amount);
}

static inline void stats_set(struct stats_cell *cell, int64_t value)
{
    atomic_store_explicit(&cell->number, (uint64_t)value, memory_order_relaxed);
}

/* For a histogram. */
static inline void stats_record(struct stats_cell *cell, uint64_t us)
{
    histogram_record(cell->histogram, us);
}

#endif
