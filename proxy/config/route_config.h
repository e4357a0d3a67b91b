#ifndef REMORA_PROXY_CONFIG_ROUTE_CONFIG_H
#define REMORA_PROXY_CONFIG_ROUTE_CONFIG_H

#include "lib/base/refcount.h"
#include "lib/http/http_head.h"
#include "lib/xds/xds_route.h"

/*
 * Routes with everything that can be prepared prepared: regular expressions compiled, header names
 * as tokens, weights summed. Immutable and counted; matching allocates nothing and any thread may
 * match.
 */
struct route_config;

/* One route as the request sees it. */
struct route {
    const struct xds_route *facts;
    uint32_t index;  /* in its route_config, for statistics */
    uint64_t weight; /* sum over clusters */
};

struct route_config *route_config_create(const struct xds_route_config *facts,
                                         struct xds_error *ret_error);
struct route_config *route_config_ref(struct route_config *config);
void route_config_unref(struct route_config *config);
struct span route_config_name(const struct route_config *config);
const struct xds_route_config *route_config_facts(const struct route_config *config);

/* The first route that matches; NULL = none. A regular expression that fails matches nothing. */
const struct route *route_match(const struct route_config *config, const struct http_head *head);

/* Which of the route's clusters, by weight; draw in [0, 1). NULL: no backend at all. */
const struct xds_weighted_cluster *route_pick_cluster(const struct route *route, double draw);

/* The request's path after rewriting; allocated in the arena only when it changes. */
struct span route_rewrite_path(const struct route *route, struct span path, struct arena *arena);
/* Location of a redirect (Gateway API HTTPRequestRedirectFilter). */
struct span route_redirect_location(const struct route *route, const struct http_head *head,
                                    uint16_t listener_port, struct arena *arena);
void route_change_headers(const struct xds_header_changes *changes, struct headers *headers);

#endif
