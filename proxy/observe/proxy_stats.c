#include "proxy/observe/proxy_stats.h"

const struct stats_declaration proxy_stats[PROXY_STAT_COUNT] = {
#define STAT(symbol, name, kind, unit, labels, help) STATS_DECLARE(name, kind, unit, labels, help),
#include "proxy/observe/stats.def"
#undef STAT
};
