#ifndef REMORA_STATS_REGISTRY_H
#define REMORA_STATS_REGISTRY_H

#include "lib/base/span.h"
#include "lib/stats/declaration.h"
#include "lib/stats/distribution.h"

/*
 * All series of a process. One thread, the reader (it has the admin port), creates the registry,
 * reads it and expires series; the writers of other threads add series meanwhile. Adding takes a
 * mutex for the time of one table look-up; reading takes none; expiring takes it for one statistic
 * at a time.
 *
 * Bounds (labels come from outside): past STATS_SERIES_PER_NAME label sets of one statistic, or
 * series_limit in all, new label sets share one series whose labels all say "other". Values are cut
 * at STATS_LABEL_BYTES; what is not UTF-8, and control characters, become U+FFFD.
 */
enum {
    STATS_SERIES_PER_NAME = 1000,
    STATS_SERIES_LIMIT = 10000,
    STATS_LABEL_BYTES = 256,
    STATS_IDLE_S = 600
};

struct stats_registry;
struct stats_series;

/*
 * The declarations must outlive the registry; a faulty one stops the program. writers: how many
 * writers there will be at a time. series_limit 0 = STATS_SERIES_LIMIT.
 */
struct stats_registry *stats_registry_create(const struct stats_declaration *declarations,
                                             size_t count, size_t writers, size_t series_limit);
/* After all writers are destroyed. Takes NULL. */
void stats_registry_destroy(struct stats_registry *registry);

size_t stats_series_count(const struct stats_registry *registry);
/* How often a label set went into "other". */
uint64_t stats_folded(const struct stats_registry *registry);

/* Drops series that nobody has held for STATS_IDLE_S. Reader thread, every minute or so. */
void stats_expire(struct stats_registry *registry, int64_t now_ns);

/*
 * Reading: the series of one statistic, newest first. NULL at the end. A series stays valid until
 * the reader's next stats_expire.
 */
struct stats_series *stats_first(const struct stats_registry *registry, unsigned stat);
struct stats_series *stats_next(const struct stats_series *series);
/* The series with exactly these label values; NULL when there is none. Takes the mutex. */
struct stats_series *stats_lookup(struct stats_registry *registry, unsigned stat,
                                  const struct span *labels, size_t count);

size_t stats_declarations(const struct stats_registry *registry);
const struct stats_declaration *stats_declaration(const struct stats_registry *registry,
                                                  unsigned stat);
/* Name and value of a label; at < stats_label_count. */
size_t stats_label_count(const struct stats_registry *registry, unsigned stat);
struct span stats_label_name(const struct stats_registry *registry, unsigned stat, size_t at);
struct span stats_label_value(const struct stats_series *series, size_t at);
/* Bytes that no other series has; the same when it comes again after it has expired. */
struct span stats_series_key(const struct stats_series *series);

/* Sums over the threads. */
uint64_t stats_counter_value(const struct stats_series *series);
int64_t stats_gauge_value(const struct stats_series *series);
/* Adds the histogram's counts. */
void stats_histogram_value(const struct stats_series *series, struct distribution *into);

#endif
