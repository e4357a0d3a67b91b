#ifndef REMORA_BASE_PATTERN_H
#define REMORA_BASE_PATTERN_H

#include "lib/base/span.h"

/*
 * Regular expressions that must match a whole text, in time proportional to its length: an
 * automaton of positions (V. M. Glushkov, "The abstract theory of automata", 1961) whose set of
 * states is a bit set, so that no text makes it backtrack. Bounded all the same: an expression of
 * at most PATTERN_BYTES that needs at most PATTERN_POSITIONS, a text of at most PATTERN_TEXT_BYTES,
 * and at most PATTERN_STEPS. Beyond them the answer is PATTERN_UNKNOWN, and who asks must not let
 * that widen access (ISTIO-SECURITY-2026-006).
 *
 * The syntax is RE2's where it says something about a whole text of bytes: literals, . (any byte
 * but a newline), [classes] with ranges, negation and [:names:], \d \w \s and their opposites,
 * escaped punctuation, \n \r \t \f \v \a \xHH, groups (named, or not captured: nothing is), |, and
 * * + ? {n} {n,} {n,m} with n and m up to 1000, lazy or not; ^ $ \A \z; the flag (?i) in front or
 * for a group. Bytes above 0x7f stand for themselves outside of classes.
 *
 * Immutable; any thread may match, and matching allocates nothing. That is why this is not RE2,
 * which is linear too: its automaton is built while it matches, on the heap and under a lock that
 * all threads share, and a route is matched on the way of every request.
 */
enum {
    PATTERN_BYTES = 1024,
    PATTERN_TEXT_BYTES = 10240,
    PATTERN_POSITIONS = 1024,
    PATTERN_STEPS = 1500000, /* words of a bit set that are touched: well below a millisecond */
};

enum pattern_result { PATTERN_NO, PATTERN_YES, PATTERN_UNKNOWN };

struct pattern;

/* NULL, and a static text, when it is no expression of that syntax or beyond the bounds. */
struct pattern *pattern_create(struct span expression, const char **ret_reason);
/* Takes NULL. */
void pattern_destroy(struct pattern *pattern);
enum pattern_result pattern_match(const struct pattern *pattern, struct span text);

#endif
