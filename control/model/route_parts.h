#ifndef REMORA_CONTROL_MODEL_ROUTE_PARTS_H
#define REMORA_CONTROL_MODEL_ROUTE_PARTS_H

#include "control/model/compile.h"
#include "control/model/world_parts.h"
#include "lib/xds/xds_route.h"

/* The parts of an xds_route that one match, filter or backend becomes. All from the arena. */

/* Precedence of the Gateway API between merged routes: larger wins, compared in this order. */
struct match_weight {
    int path_rank; /* exact 2, prefix 1, regular expression 0 */
    size_t path_length;
    size_t method; /* HTTP: 1 when matched; gRPC: characters of the method */
    uint32_t headers, queries;
};

/* match NULL: everything. */
void route_match_http(const struct route_match *match, struct arena *arena, struct xds_route *route,
                      struct match_weight *ret_weight);
void route_match_grpc(const struct route_match *match, struct arena *arena, struct xds_route *route,
                      struct match_weight *ret_weight);

/* Header changes of the first filters of these types; added after what is there. */
void header_changes_make(const struct items *filters, enum filter_type type, struct arena *arena,
                         struct xds_header_changes *ret_changes);
/* Redirect, rewrite, header changes. False: a filter that nobody here knows, answered 500. */
bool route_filters(const struct items *filters, struct arena *arena, struct xds_route *route);
/* Timeouts and retries: the rule's own words over those of policies. */
void route_knobs(const struct compile *compile, const struct entry *route,
                 const struct route_rule *rule, const struct service_port *port,
                 struct arena *arena, struct xds_route *into);
void route_knobs_implicit(const struct compile *compile, const struct service_port *port,
                          struct arena *arena, struct xds_route *into);
struct span lower_case(struct arena *arena, struct span text);

#endif
