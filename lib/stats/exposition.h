#ifndef REMORA_STATS_EXPOSITION_H
#define REMORA_STATS_EXPOSITION_H

#include "lib/base/text.h"
#include "lib/stats/registry.h"

/* Content type of the first form. */
#define STATS_PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * The Prometheus text format 0.0.4. Histograms with Linkerd's 25 bounds, 1 ms to 50 s, and +Inf. A
 * statistic without any series is left out. Reader thread.
 */
void stats_write_prometheus(const struct stats_registry *registry, struct text *text);

/*
 * For people: one line a series, `name{label="value"} number`; histograms show count, mean, p50,
 * p95, p99 and in their unit. Only names that begin with prefix; empty = all. Reader thread.
 */
void stats_write_listing(const struct stats_registry *registry, struct span prefix,
                         struct text *text);

#endif
