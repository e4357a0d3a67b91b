#include "control/serve/control_stats.h"

#include "lib/base/clock.h"

static const struct stats_declaration declarations[] = {
#define STAT(symbol, name, kind, unit, labels, help) STATS_DECLARE(name, kind, unit, labels, help),
#include "control/serve/stats.def"
#undef STAT
};

void control_stats_init(struct control_stats *stats)
{
    stats->registry = stats_registry_create(declarations, CONTROL_STAT_COUNT, 1, 0);
    stats->writer = stats_writer_create(stats->registry);
}

void control_stats_done(struct control_stats *stats)
{
    stats_writer_destroy(stats->writer);
    stats_registry_destroy(stats->registry);
    *stats = (struct control_stats){0};
}

static struct stats_cell *cell(struct control_stats *stats, enum control_stat stat)
{
    return stats_find(stats->writer, stat, NULL, 0, clock_now_ns());
}

static struct stats_cell *cell_for(struct control_stats *stats, enum control_stat stat,
                                   const char *label)
{
    struct span value = span_of(label);
    return stats_find(stats->writer, stat, &value, 1, clock_now_ns());
}

void control_stats_add(struct control_stats *stats, enum control_stat stat, uint64_t amount)
{
    stats_add(cell(stats, stat), amount);
}

void control_stats_set(struct control_stats *stats, enum control_stat stat, int64_t value)
{
    stats_set(cell(stats, stat), value);
}

void control_stats_time(struct control_stats *stats, enum control_stat stat, int64_t ns)
{
    stats_record(cell(stats, stat), (uint64_t)(ns > 0 ? ns / 1000 : 0));
}

void control_stats_add_for(struct control_stats *stats, enum control_stat stat, const char *label,
                           uint64_t amount)
{
    stats_add(cell_for(stats, stat, label), amount);
}

void control_stats_set_for(struct control_stats *stats, enum control_stat stat, const char *label,
                           int64_t value)
{
    stats_set(cell_for(stats, stat, label), value);
}

void control_stats_change_for(struct control_stats *stats, enum control_stat stat,
                              const char *label, int64_t amount)
{
    stats_change(cell_for(stats, stat, label), amount);
}
