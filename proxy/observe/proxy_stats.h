#ifndef REMORA_PROXY_OBSERVE_PROXY_STATS_H
#define REMORA_PROXY_OBSERVE_PROXY_STATS_H

#include "lib/stats/declaration.h"

/* The statistics of this program by symbol, as stats.def declares them. */
enum proxy_stat {
#define STAT(symbol, name, kind, unit, labels, help) PROXY_STAT_##symbol,
#include "proxy/observe/stats.def"
#undef STAT
    PROXY_STAT_COUNT
};

extern const struct stats_declaration proxy_stats[PROXY_STAT_COUNT];

#endif
