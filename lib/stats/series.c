#include "lib/stats/series.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"

static struct stats_series *series_make(struct stats_registry *registry, unsigned stat,
                                        struct span key)
{
    struct stats_family *family = &registry->families[stat];
    struct stats_series *series =
        mem_zalloc(sizeof(*series) + registry->slots * sizeof(series->cells[0]));
    series->family = family;
    series->registry = registry;
    series->key = span_make(mem_dup(key.at, key.length), key.length);
    series->permanent = family->label_count == 0;
    series->next = atomic_load_explicit(&family->first, memory_order_relaxed);
    map_put(&registry->series, series->key, series);
    return series;
}

static void publish(struct stats_registry *registry, unsigned stat, struct stats_series *series)
{
    if (!series->other) {
        registry->families[stat].series++;
        atomic_fetch_add_explicit(&registry->counted, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&registry->families[stat].first, series, memory_order_release);
}

static struct stats_series *take_other(struct stats_registry *registry, unsigned stat)
{
    struct span others[STATS_MAX_LABELS];
    size_t count = registry->families[stat].label_count;
    for (size_t i = 0; i < count; i++) {
        others[i] = SPAN("other");
    }
    struct label_key key;
    label_key_make(&key, stat, others, count);
    struct stats_series *series = map_get(&registry->series, label_key_span(&key));
    if (series == NULL) {
        series = series_make(registry, stat, label_key_span(&key));
        series->other = true;
        publish(registry, stat, series);
    }
    atomic_fetch_add_explicit(&registry->folded, 1, memory_order_relaxed);
    return series;
}

struct stats_series *stats_series_take(struct stats_registry *registry, unsigned stat,
                                       struct span key)
{
    struct stats_series *series = map_get(&registry->series, key);
    if (series != NULL) {
        return series;
    }
    const struct stats_family *family = &registry->families[stat];
    bool full =
        family->series >= STATS_SERIES_PER_NAME ||
        atomic_load_explicit(&registry->counted, memory_order_relaxed) >= registry->series_limit;
    if (full && family->label_count > 0) {
        return take_other(registry, stat);
    }
    series = series_make(registry, stat, key);
    publish(registry, stat, series);
    return series;
}

struct stats_cell *stats_series_cell(struct stats_series *series, size_t slot)
{
    struct stats_cell *cell = atomic_load_explicit(&series->cells[slot], memory_order_relaxed);
    if (cell != NULL) {
        return cell;
    }
    bool histogram = series->family->declaration->kind == STATS_KIND_HISTOGRAM;
    cell = mem_aligned(STATS_CACHE_LINE_BYTES,
                       sizeof(*cell) + (histogram ? sizeof(cell->histogram[0]) : 0));
    cell->series = series;
    atomic_store_explicit(&series->cells[slot], cell, memory_order_release);
    return cell;
}
