#ifndef REMORA_TESTS_STATS_EXAMPLE_H
#define REMORA_TESTS_STATS_EXAMPLE_H

#include "lib/stats/declaration.h"

enum example {
#define STAT(symbol, name, kind, unit, labels, help) EXAMPLE_##symbol,
#include "tests/unit/lib/stats/example.def"
#undef STAT
    EXAMPLE_COUNT
};

extern const struct stats_declaration example_stats[EXAMPLE_COUNT];

#endif
