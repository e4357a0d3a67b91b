#include "tests/unit/lib/stats/example.h"

const struct stats_declaration example_stats[EXAMPLE_COUNT] = {
#define STAT(symbol, name, kind, unit, labels, help) STATS_DECLARE(name, kind, unit, labels, help),
#include "tests/unit/lib/stats/example.def"
#undef STAT
};
