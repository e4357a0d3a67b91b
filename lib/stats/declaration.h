#ifndef REMORA_STATS_DECLARATION_H
#define REMORA_STATS_DECLARATION_H

#include "lib/base/text.h"

#include <stddef.h>

/*
 * One statistic, as a line of a stats.def says it (README.md shows the three lines of
 * preprocessor):
 *
 *     STAT(symbol, name, kind, unit, labels, help)
 *
 * name    Prometheus name with its unit at the end; a counter's ends in _total.
 * kind    COUNTER (only rises), GAUGE (signed; the threads' values are summed), HISTOGRAM (of
 * times). unit    NONE, or what a histogram's bounds and sum are shown in: MS or SECONDS (kept in
 * us). BYTES and RATIO_PERMILLE are for gauges and counters; the latter is shown divided by 1000.
 * labels  names with commas between, "" for none; at most STATS_MAX_LABELS.
 */
enum stats_kind { STATS_KIND_COUNTER, STATS_KIND_GAUGE, STATS_KIND_HISTOGRAM };
enum stats_unit {
    STATS_UNIT_NONE,
    STATS_UNIT_BYTES,
    STATS_UNIT_MS,
    STATS_UNIT_SECONDS,
    STATS_UNIT_RATIO_PERMILLE
};
enum { STATS_MAX_LABELS = 10 };

struct stats_declaration {
    const char *name;
    const char *labels;
    const char *help;
    enum stats_kind kind;
    enum stats_unit unit;
};

#define STATS_DECLARE(name, kind, unit, labels, help)                                              \
    {                                                                                              \
        (name), (labels), (help), STATS_KIND_##kind, STATS_UNIT_##unit                             \
    }

/* "counter", "gauge", "histogram". */
const char *stats_kind_name(enum stats_kind kind);
/* The statistics as a Markdown table, for the documentation. */
void stats_declaration_table(const struct stats_declaration *declarations, size_t count,
                             struct text *text);

#endif
