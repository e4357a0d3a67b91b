#ifndef REMORA_PROXY_ADMIN_QUERY_H
#define REMORA_PROXY_ADMIN_QUERY_H

#include "lib/base/arena.h"

/* The query of a request target: "name=value&..." with percent-encoding (application/x-www-form-
 * urlencoded, so that '+' is a blank). */

/* The part before '?'; *ret_query the part behind it. */
struct span query_split(struct span target, struct span *ret_query);
/*
 * The n-th (0 = first) value of that name, decoded into the arena. False when there is none, or it
 * is not well encoded, or holds NUL or a control byte.
 */
bool query_value(struct span query, struct span name, size_t n, struct arena *arena,
                 struct span *ret_value);

#endif
