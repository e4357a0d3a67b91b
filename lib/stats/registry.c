#include "lib/stats/registry.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/stats/series.h"

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

static void check_name(struct span name)
{
    CHECK(name.length > 0 && is_letter(name.at[0]));
    for (size_t i = 1; i < name.length; i++) {
        CHECK(is_letter(name.at[i]) || (name.at[i] >= '0' && name.at[i] <= '9'));
    }
}

static void check_unit(const struct stats_declaration *declaration)
{
    bool times = declaration->unit == STATS_UNIT_MS || declaration->unit == STATS_UNIT_SECONDS;
    if (declaration->kind == STATS_KIND_HISTOGRAM) {
        CHECK(times);
    }
    if (declaration->kind == STATS_KIND_COUNTER) {
        CHECK(span_ends_with(span_of(declaration->name), SPAN("_total")));
    }
}

static void family_init(struct stats_family *family, const struct stats_declaration *declaration)
{
    check_name(span_of(declaration->name));
    check_unit(declaration);
    family->declaration = declaration;
    struct span rest = declaration->labels[0] != '\0' ? span_of(declaration->labels) : SPAN_EMPTY;
    struct span name;
    while (span_next(&rest, ',', &name)) {
        CHECK(family->label_count < STATS_MAX_LABELS);
        /* Prometheus keeps these for itself. */
        CHECK(!span_equal(name, SPAN("le")) && !span_starts_with(name, SPAN("__")));
        check_name(name);
        for (size_t i = 0; i < family->label_count; i++) {
            CHECK(!span_equal(name, family->label_names[i]));
        }
        family->label_names[family->label_count++] = name;
    }
}

struct stats_registry *stats_registry_create(const struct stats_declaration *declarations,
                                             size_t count, size_t writers, size_t series_limit)
{
    CHECK(writers > 0);
    struct stats_registry *registry =
        mem_zalloc(sizeof(*registry) + count * sizeof(registry->families[0]));
    CHECK(pthread_mutex_init(&registry->mutex, NULL) == 0);
    registry->family_count = count;
    registry->slots = writers;
    registry->slot_taken = mem_array(writers, sizeof(bool));
    registry->series_limit = series_limit > 0 ? series_limit : STATS_SERIES_LIMIT;
    map_init_borrowed(&registry->series);
    for (size_t i = 0; i < count; i++) {
        family_init(&registry->families[i], &declarations[i]);
        for (size_t other = 0; other < i; other++) {
            CHECK(!span_equal_text(span_of(declarations[i].name), declarations[other].name));
        }
        /* A statistic without labels is there from the start: a zero is something to see too. */
        if (registry->families[i].label_count == 0) {
            label_key_make(&registry->reader_key, (unsigned)i, NULL, 0);
            stats_series_take(registry, (unsigned)i, label_key_span(&registry->reader_key));
        }
    }
    return registry;
}

static void series_free(struct stats_series *series)
{
    for (size_t i = 0; i < series->registry->slots; i++) {
        struct stats_cell *cell = atomic_load_explicit(&series->cells[i], memory_order_acquire);
        if (cell != NULL && series->family->declaration->kind == STATS_KIND_HISTOGRAM) {
            histogram_done(cell->histogram);
        }
        mem_free(cell);
    }
    mem_free((void *)(uintptr_t)series->key.at);
    mem_free(series);
}

static void free_all(struct stats_series *first)
{
    while (first != NULL) {
        struct stats_series *next = first->next;
        series_free(first);
        first = next;
    }
}

void stats_registry_destroy(struct stats_registry *registry)
{
    if (registry == NULL) {
        return;
    }
    for (size_t i = 0; i < registry->slots; i++) {
        CHECK(!registry->slot_taken[i]);
    }
    map_done(&registry->series);
    for (size_t i = 0; i < registry->family_count; i++) {
        free_all(atomic_load(&registry->families[i].first));
    }
    mem_free(registry->slot_taken);
    pthread_mutex_destroy(&registry->mutex);
    mem_free(registry);
}

size_t stats_series_count(const struct stats_registry *registry)
{
    return atomic_load_explicit(&registry->counted, memory_order_relaxed);
}

uint64_t stats_folded(const struct stats_registry *registry)
{
    return atomic_load_explicit(&registry->folded, memory_order_relaxed);
}

/* Takes the expired series of a family out of its list and of the table, and returns them. */
static struct stats_series *take_expired(struct stats_registry *registry,
                                         struct stats_family *family, int64_t now_ns)
{
    struct stats_series *expired = NULL;
    struct stats_series *previous = NULL;
    struct stats_series *next;
    for (struct stats_series *series = atomic_load(&family->first); series != NULL; series = next) {
        next = series->next;
        if (series->permanent || series->held > 0 ||
            now_ns - series->idle_since_ns < STATS_IDLE_S * NS_PER_S) {
            previous = series;
            continue;
        }
        if (previous == NULL) {
            atomic_store(&family->first, next);
        } else {
            previous->next = next;
        }
        CHECK(map_remove(&registry->series, series->key) == series);
        if (!series->other) {
            family->series--;
            atomic_fetch_sub_explicit(&registry->counted, 1, memory_order_relaxed);
        }
        series->next = expired;
        expired = series;
    }
    return expired;
}

void stats_expire(struct stats_registry *registry, int64_t now_ns)
{
    for (size_t i = 0; i < registry->family_count; i++) {
        pthread_mutex_lock(&registry->mutex);
        struct stats_series *expired = take_expired(registry, &registry->families[i], now_ns);
        pthread_mutex_unlock(&registry->mutex);
        /* Nobody holds a cell of theirs, and the only reader is this thread. */
        free_all(expired);
    }
}

static const struct stats_family *family_of(const struct stats_registry *registry, unsigned stat)
{
    CHECK(stat < registry->family_count);
    return &registry->families[stat];
}

struct stats_series *stats_first(const struct stats_registry *registry, unsigned stat)
{
    return atomic_load_explicit(&family_of(registry, stat)->first, memory_order_acquire);
}

struct stats_series *stats_next(const struct stats_series *series)
{
    return series->next;
}

struct stats_series *stats_lookup(struct stats_registry *registry, unsigned stat,
                                  const struct span *labels, size_t count)
{
    CHECK(count == family_of(registry, stat)->label_count);
    label_key_make(&registry->reader_key, stat, labels, count);
    pthread_mutex_lock(&registry->mutex);
    struct stats_series *series = map_get(&registry->series, label_key_span(&registry->reader_key));
    pthread_mutex_unlock(&registry->mutex);
    return series;
}

size_t stats_declarations(const struct stats_registry *registry)
{
    return registry->family_count;
}

const struct stats_declaration *stats_declaration(const struct stats_registry *registry,
                                                  unsigned stat)
{
    return family_of(registry, stat)->declaration;
}

size_t stats_label_count(const struct stats_registry *registry, unsigned stat)
{
    return family_of(registry, stat)->label_count;
}

struct span stats_label_name(const struct stats_registry *registry, unsigned stat, size_t at)
{
    CHECK(at < family_of(registry, stat)->label_count);
    return registry->families[stat].label_names[at];
}

struct span stats_label_value(const struct stats_series *series, size_t at)
{
    return label_key_value(series->key, at);
}

struct span stats_series_key(const struct stats_series *series)
{
    return series->key;
}

static uint64_t sum_numbers(const struct stats_series *series)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < series->registry->slots; i++) {
        const struct stats_cell *cell =
            atomic_load_explicit(&series->cells[i], memory_order_acquire);
        if (cell != NULL) {
            sum += atomic_load_explicit(&cell->number, memory_order_relaxed);
        }
    }
    return sum;
}

uint64_t stats_counter_value(const struct stats_series *series)
{
    return sum_numbers(series);
}

int64_t stats_gauge_value(const struct stats_series *series)
{
    return (int64_t)sum_numbers(series);
}

void stats_histogram_value(const struct stats_series *series, struct distribution *into)
{
    CHECK(series->family->declaration->kind == STATS_KIND_HISTOGRAM);
    for (size_t i = 0; i < series->registry->slots; i++) {
        const struct stats_cell *cell =
            atomic_load_explicit(&series->cells[i], memory_order_acquire);
        if (cell != NULL) {
            histogram_read(cell->histogram, into);
        }
    }
}
