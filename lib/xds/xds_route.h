#ifndef REMORA_XDS_XDS_ROUTE_H
#define REMORA_XDS_XDS_ROUTE_H

#include "lib/xds/xds_type.h"

/*
 * envoy.config.route.v3.RouteConfiguration, in the subset of the Gateway API. Routes are tried in
 * order; the first that matches is taken. PathPrefix is path_separated_prefix here; encode writes
 * it as the two routes that gRPC clients also take only when asked for a gRPC client (for_grpc).
 */
enum xds_match_kind {
    XDS_MATCH_EXACT,
    XDS_MATCH_PREFIX,
    XDS_MATCH_SUFFIX,
    XDS_MATCH_CONTAINS,
    XDS_MATCH_REGEX,
    XDS_MATCH_PRESENT
};
enum xds_path_kind {
    XDS_PATH_ANY,
    XDS_PATH_EXACT,
    XDS_PATH_PREFIX,
    XDS_PATH_SEGMENTS,
    XDS_PATH_REGEX
};

struct xds_field_match {
    struct span name; /* header name in lower case, ":method", or query parameter */
    uint8_t kind;     /* enum xds_match_kind */
    bool invert;
    struct span value;
};

enum xds_header_action { XDS_HEADER_SET, XDS_HEADER_ADD, XDS_HEADER_REMOVE };
struct xds_header_change {
    uint8_t action; /* enum xds_header_action */
    struct span name;
    struct span value;
};
struct xds_header_changes {
    const struct xds_header_change *items;
    uint32_t count;
};

/*
 * What an empty cluster name is on the wire. Envoy answers 503 for a cluster that it does not know; a
 * gRPC client asks for it, so a control plane should have an empty STATIC cluster of this name: else
 * calls hang until the client's does-not-exist timer.
 */
#define XDS_NO_CLUSTER "remora.dev/no-backend"

struct xds_weighted_cluster {
    struct span name; /* empty: an invalid backend, its share is answered 500 */
    uint32_t weight;
    struct xds_header_changes request, response;
};

enum xds_route_action { XDS_ACTION_FORWARD, XDS_ACTION_REDIRECT, XDS_ACTION_DIRECT };
enum xds_rewrite { XDS_REWRITE_NONE, XDS_REWRITE_FULL, XDS_REWRITE_PREFIX };

struct xds_route {
    struct span name;  /* "namespace/route/rule" for metrics and explain */
    uint8_t path_kind; /* enum xds_path_kind */
    struct span path;
    const struct xds_field_match *headers;
    uint32_t header_count;
    const struct xds_field_match *queries;
    uint32_t query_count;
    uint8_t action; /* enum xds_route_action */
    struct xds_header_changes request, response;

    const struct xds_weighted_cluster *clusters; /* FORWARD */
    uint32_t cluster_count;
    uint8_t rewrite; /* enum xds_rewrite; also the path of a redirect */
    struct span rewrite_path;
    struct span rewrite_host;
    int64_t timeout_ms, per_try_timeout_ms; /* 0 = none */
    int32_t retry_limit;                    /* -1 = the default */
    struct span retry_on; /* Envoy's words, comma separated; empty = the default */

    struct span redirect_scheme, redirect_host; /* REDIRECT; empty = unchanged */
    uint16_t redirect_port;                     /* 0 = unchanged */
    uint16_t status;                            /* REDIRECT, DIRECT */
    struct span body;                           /* DIRECT */
};

struct xds_virtual_host {
    struct span name;
    const struct span *domains; /* "*" in our own control plane: routes are chosen by address */
    uint32_t domain_count;
    const struct xds_route *routes;
    uint32_t route_count;
};

struct xds_route_config {
    struct span name;
    const struct xds_virtual_host *hosts;
    uint32_t host_count;
};

struct span xds_route_config_encode(const struct xds_route_config *config, bool for_grpc,
                                    struct arena *arena);
bool xds_route_config_decode(struct span bytes, struct arena *arena, struct xds_route_config *ret,
                             struct xds_error *ret_error);

#endif
