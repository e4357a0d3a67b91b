#ifndef REMORA_STATS_WRITER_H
#define REMORA_STATS_WRITER_H

#include "lib/stats/cell.h"
#include "lib/stats/registry.h"

/*
 * One thread's access to a registry. Created, used and destroyed on its thread (the main thread may
 * create those of workers before they start). Two ways to a cell:
 *
 * stats_hold    for a cell that is kept in an object: valid until stats_release. The series cannot
 *               expire meanwhile.
 * stats_find    for use at once: valid until the next stats_writer_expire (stats_used when it is
 * kept so long). No lock when this thread had it before; the first time, and for label sets that
 * went into "other", the mutex of the registry for one look-up.
 */
struct stats_writer;

struct stats_writer *stats_writer_create(struct stats_registry *registry);
/* Its counts stay in the sums. What it still holds is released. Takes NULL. */
void stats_writer_destroy(struct stats_writer *writer);

/* count must be the number of labels that the statistic declares. Never NULL. */
struct stats_cell *stats_hold(struct stats_writer *writer, unsigned stat, const struct span *labels,
                              size_t count);
/* Takes NULL. */
void stats_release(struct stats_writer *writer, struct stats_cell *cell, int64_t now_ns);
struct stats_cell *stats_find(struct stats_writer *writer, unsigned stat, const struct span *labels,
                              size_t count, int64_t now_ns);
/* Lets go of what stats_find has not been asked for in STATS_IDLE_S. Every minute or so. */
void stats_writer_expire(struct stats_writer *writer, int64_t now_ns);

#define STATS_LABELS_(...) ((const struct span[]){__VA_ARGS__})
#define STATS_LABEL_COUNT_(...) (sizeof(STATS_LABELS_(__VA_ARGS__)) / sizeof(struct span))
/* STATS_HOLD(writer, PROXY_STAT_REQUESTS, destination, route), with at least one label. */
#define STATS_HOLD(writer, stat, ...)                                                              \
    stats_hold((writer), (stat), STATS_LABELS_(__VA_ARGS__), STATS_LABEL_COUNT_(__VA_ARGS__))
#define STATS_FIND(writer, now_ns, stat, ...)                                                      \
    stats_find((writer), (stat), STATS_LABELS_(__VA_ARGS__), STATS_LABEL_COUNT_(__VA_ARGS__),      \
               (now_ns))

#endif
