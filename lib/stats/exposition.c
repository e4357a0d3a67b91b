#include "lib/stats/exposition.h"

enum { US_PER_MS = 1000, US_PER_S = 1000000 };

/* Linkerd's, in milliseconds. */
static const uint32_t bounds_ms[] = {1,    2,    3,     4,     5,     10,    20,   30,   40,
                                     50,   100,  200,   300,   400,   500,   1000, 2000, 3000,
                                     4000, 5000, 10000, 20000, 30000, 40000, 50000};
enum { BOUND_COUNT = sizeof(bounds_ms) / sizeof(bounds_ms[0]) };

/* number / scale with as many decimals as are not zero; scale is a power of ten. */
static void add_scaled(struct text *text, uint64_t number, uint64_t scale)
{
    text_add_u64(text, number / scale);
    uint64_t rest = number % scale;
    if (rest > 0) {
        text_add_byte(text, '.');
    }
    while (rest > 0) {
        rest *= 10;
        text_add_byte(text, (char)('0' + rest / scale));
        rest %= scale;
    }
}

static void add_time(struct text *text, uint64_t us, enum stats_unit unit)
{
    add_scaled(text, us, unit == STATS_UNIT_SECONDS ? US_PER_S : US_PER_MS);
}

static void add_number(struct text *text, const struct stats_series *series,
                       const struct stats_declaration *declaration)
{
    uint64_t number;
    if (declaration->kind == STATS_KIND_COUNTER) {
        number = stats_counter_value(series);
    } else {
        int64_t value = stats_gauge_value(series);
        if (value < 0) {
            text_add_byte(text, '-');
        }
        number = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    }
    add_scaled(text, number, declaration->unit == STATS_UNIT_RATIO_PERMILLE ? 1000 : 1);
}

/* a="b",c="d" */
static void add_pairs(struct text *text, const struct stats_registry *registry, unsigned stat,
                      const struct stats_series *series)
{
    size_t count = stats_label_count(registry, stat);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            text_add_byte(text, ',');
        }
        text_add(text, stats_label_name(registry, stat, i));
        text_add_byte(text, '=');
        text_add_label(text, stats_label_value(series, i));
    }
}

static void add_labels(struct text *text, const struct stats_registry *registry, unsigned stat,
                       const struct stats_series *series)
{
    if (stats_label_count(registry, stat) > 0) {
        text_add_byte(text, '{');
        add_pairs(text, registry, stat, series);
        text_add_byte(text, '}');
    }
}

/* name_bucket{a="b",le=" : the front of each line of a series' buckets. */
static void make_bucket_front(struct text *front, const struct stats_registry *registry,
                              unsigned stat, const struct stats_series *series)
{
    text_add_text(front, stats_declaration(registry, stat)->name);
    text_add(front, SPAN("_bucket{"));
    if (stats_label_count(registry, stat) > 0) {
        add_pairs(front, registry, stat, series);
        text_add_byte(front, ',');
    }
    text_add(front, SPAN("le=\""));
}

static void add_buckets(struct text *text, const struct distribution *distribution,
                        enum stats_unit unit, struct span front)
{
    for (int i = 0; i < BOUND_COUNT; i++) {
        uint64_t bound_us = (uint64_t)bounds_ms[i] * US_PER_MS;
        text_add(text, front);
        add_time(text, bound_us, unit);
        text_add(text, SPAN("\"} "));
        text_add_u64(text, distribution_count_up_to(distribution, bound_us));
        text_add_byte(text, '\n');
    }
    text_add(text, front);
    text_add(text, SPAN("+Inf\"} "));
    text_add_u64(text, distribution->count);
    text_add_byte(text, '\n');
}

static void add_histogram(struct text *text, const struct stats_registry *registry, unsigned stat,
                          const struct stats_series *series)
{
    const struct stats_declaration *declaration = stats_declaration(registry, stat);
    struct distribution distribution = {0};
    stats_histogram_value(series, &distribution);
    struct text front = {0};
    make_bucket_front(&front, registry, stat, series);
    add_buckets(text, &distribution, declaration->unit, text_span(&front));
    text_done(&front);
    text_printf(text, "%s_sum", declaration->name);
    add_labels(text, registry, stat, series);
    text_add_byte(text, ' ');
    add_time(text, distribution.sum_us, declaration->unit);
    text_printf(text, "\n%s_count", declaration->name);
    add_labels(text, registry, stat, series);
    text_add_byte(text, ' ');
    text_add_u64(text, distribution.count);
    text_add_byte(text, '\n');
}

static void add_head(struct text *text, const struct stats_declaration *declaration)
{
    text_printf(text, "# HELP %s ", declaration->name);
    for (const char *at = declaration->help; *at != '\0'; at++) {
        if (*at == '\\') {
            text_add(text, SPAN("\\\\"));
        } else if (*at == '\n') {
            text_add(text, SPAN("\\n"));
        } else {
            text_add_byte(text, *at);
        }
    }
    text_printf(text, "\n# TYPE %s %s\n", declaration->name, stats_kind_name(declaration->kind));
}

static void add_plain(struct text *text, const struct stats_registry *registry, unsigned stat,
                      const struct stats_series *series)
{
    const struct stats_declaration *declaration = stats_declaration(registry, stat);
    text_add_text(text, declaration->name);
    add_labels(text, registry, stat, series);
    text_add_byte(text, ' ');
    add_number(text, series, declaration);
    text_add_byte(text, '\n');
}

void stats_write_prometheus(const struct stats_registry *registry, struct text *text)
{
    for (unsigned stat = 0; stat < stats_declarations(registry); stat++) {
        const struct stats_declaration *declaration = stats_declaration(registry, stat);
        const struct stats_series *series = stats_first(registry, stat);
        if (series != NULL) {
            add_head(text, declaration);
        }
        for (; series != NULL; series = stats_next(series)) {
            if (declaration->kind == STATS_KIND_HISTOGRAM) {
                add_histogram(text, registry, stat, series);
            } else {
                add_plain(text, registry, stat, series);
            }
        }
    }
}

static void add_quantile(struct text *text, const struct distribution *distribution,
                         const char *name, unsigned permille, enum stats_unit unit)
{
    uint64_t us = 0;
    text_printf(text, " %s=", name);
    if (distribution_quantile(distribution, permille, &us)) {
        add_time(text, us, unit);
    } else {
        text_add_text(text, "inf");
    }
}

static void add_summary(struct text *text, const struct stats_registry *registry, unsigned stat,
                        const struct stats_series *series)
{
    const struct stats_declaration *declaration = stats_declaration(registry, stat);
    struct distribution distribution = {0};
    stats_histogram_value(series, &distribution);
    text_add_text(text, declaration->name);
    add_labels(text, registry, stat, series);
    text_add_text(text, " count=");
    text_add_u64(text, distribution.count);
    if (distribution.count > 0) {
        text_add_text(text, " mean=");
        add_time(text, distribution.sum_us / distribution.count, declaration->unit);
        add_quantile(text, &distribution, "p50", 500, declaration->unit);
        add_quantile(text, &distribution, "p95", 950, declaration->unit);
        add_quantile(text, &distribution, "p99", 990, declaration->unit);
    }
    text_add_byte(text, '\n');
}

void stats_write_listing(const struct stats_registry *registry, struct span prefix,
                         struct text *text)
{
    for (unsigned stat = 0; stat < stats_declarations(registry); stat++) {
        const struct stats_declaration *declaration = stats_declaration(registry, stat);
        if (!span_starts_with(span_of(declaration->name), prefix)) {
            continue;
        }
        for (const struct stats_series *series = stats_first(registry, stat); series != NULL;
             series = stats_next(series)) {
            if (declaration->kind == STATS_KIND_HISTOGRAM) {
                add_summary(text, registry, stat, series);
            } else {
                add_plain(text, registry, stat, series);
            }
        }
    }
}
