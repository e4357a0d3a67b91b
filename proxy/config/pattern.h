#ifndef REMORA_PROXY_CONFIG_PATTERN_H
#define REMORA_PROXY_CONFIG_PATTERN_H

#include "lib/xds/xds_route.h"

/*
 * A regular expression that must match the whole text. Bounded: a pattern of at most 1 KiB, a text
 * of at most 10 KiB, and a fixed number of steps; beyond them it does not match (a rule that cannot
 * be evaluated never widens access). Immutable; any thread may match.
 */
enum { PATTERN_BYTES = 1024, PATTERN_TEXT_BYTES = 10240 };

struct pattern;

/* NULL, and a text, when it is no valid expression. */
struct pattern *pattern_create(struct span expression, struct xds_error *ret_error);
void pattern_destroy(struct pattern *pattern);
bool pattern_matches(const struct pattern *pattern, struct span text);

#endif
