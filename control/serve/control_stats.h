#ifndef REMORA_CONTROL_SERVE_CONTROL_STATS_H
#define REMORA_CONTROL_SERVE_CONTROL_STATS_H

#include "lib/stats/writer.h"

/* What the control plane counts. Each statistic once in stats.def. Main thread. */
enum control_stat {
#define STAT(symbol, name, kind, unit, labels, help) CONTROL_STAT_##symbol,
#include "control/serve/stats.def"
#undef STAT
    CONTROL_STAT_COUNT
};

struct control_stats {
    struct stats_registry *registry;
    struct stats_writer *writer;
};

void control_stats_init(struct control_stats *stats);
void control_stats_done(struct control_stats *stats);
/* Without labels. */
void control_stats_add(struct control_stats *stats, enum control_stat stat, uint64_t amount);
void control_stats_set(struct control_stats *stats, enum control_stat stat, int64_t value);
void control_stats_time(struct control_stats *stats, enum control_stat stat, int64_t ns);
/* With one label. */
void control_stats_add_for(struct control_stats *stats, enum control_stat stat, const char *label,
                           uint64_t amount);
void control_stats_set_for(struct control_stats *stats, enum control_stat stat, const char *label,
                           int64_t value);
void control_stats_change_for(struct control_stats *stats, enum control_stat stat,
                              const char *label, int64_t amount);

#endif
