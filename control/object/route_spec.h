#ifndef REMORA_CONTROL_OBJECT_ROUTE_SPEC_H
#define REMORA_CONTROL_OBJECT_ROUTE_SPEC_H

#include "control/object/field.h"

/*
 * HTTPRoute, GRPCRoute, TCPRoute, TLSRoute and ReferenceGrant of the Gateway API. The four routes
 * share these structs; each kind's table fills what it has.
 */
struct parent_ref {
    struct span group, kind; /* group: at NULL = gateway.networking.k8s.io, "" = core */
    struct span namespace_name, name, section_name;
    int64_t port;
};

enum match_type { MATCH_TYPE_EXACT = 1, MATCH_TYPE_REGULAR_EXPRESSION };
struct name_match { /* a header or a query parameter */
    int8_t type;    /* enum match_type; 0 = Exact */
    struct span name, value;
};

enum path_type { PATH_TYPE_EXACT = 1, PATH_TYPE_PREFIX, PATH_TYPE_REGULAR_EXPRESSION };
struct path_match {
    int8_t type; /* enum path_type; 0 = PathPrefix */
    struct span value;
};
struct grpc_method_match {
    int8_t type; /* enum match_type; 0 = Exact */
    struct span service, method;
};
struct route_match {
    struct path_match path;
    struct span method; /* HTTP */
    struct grpc_method_match *grpc_method;
    struct items headers; /* struct name_match */
    struct items queries; /* struct name_match */
};

struct header_value {
    struct span name, value;
};
struct header_filter {
    struct items set, add; /* struct header_value */
    struct texts remove;
};
enum path_modifier_type { PATH_MODIFIER_FULL = 1, PATH_MODIFIER_PREFIX };
struct path_modifier {
    int8_t type; /* enum path_modifier_type */
    struct span full, prefix;
};
struct redirect_filter {
    struct span scheme, hostname;
    struct path_modifier *path;
    int64_t port, status;
};
struct rewrite_filter {
    struct span hostname;
    struct path_modifier *path;
};
enum filter_type {
    FILTER_REQUEST_HEADERS = 1,
    FILTER_RESPONSE_HEADERS,
    FILTER_REDIRECT,
    FILTER_REWRITE,
    FILTER_MIRROR,
    FILTER_CORS,
    FILTER_EXTENSION
};
struct route_filter {
    int8_t type; /* enum filter_type */
    struct header_filter *request_headers, *response_headers;
    struct redirect_filter *redirect;
    struct rewrite_filter *rewrite;
};

struct backend_ref {
    struct span group, kind; /* empty = "", Service */
    struct span namespace_name, name;
    int64_t port, weight; /* weight FIELD_UNSET = 1 */
    struct items filters; /* struct route_filter */
};
struct route_timeouts {
    int64_t request_ms, backend_request_ms;
};
struct route_retry {
    struct ints codes;
    int64_t attempts, backoff_ms;
};
struct route_rule {
    struct span name;
    struct items matches;  /* struct route_match; none = everything */
    struct items filters;  /* struct route_filter */
    struct items backends; /* struct backend_ref */
    struct route_timeouts timeouts;
    struct route_retry *retry;
};
struct route_spec {
    struct items parents; /* struct parent_ref */
    struct texts hostnames;
    struct items rules; /* struct route_rule */
};
struct route_body {
    struct route_spec spec;
};

struct grant_from {
    struct span group, kind, namespace_name;
};
struct grant_to {
    struct span group, kind, name; /* name empty = all */
};
struct reference_grant_spec {
    struct items from; /* struct grant_from */
    struct items to;   /* struct grant_to */
};
struct reference_grant_body {
    struct reference_grant_spec spec;
};

extern const struct schema http_route_schema, grpc_route_schema, tcp_route_schema, tls_route_schema,
    reference_grant_schema;

/* The tables of filters, which rules and backends of two kinds share. */
extern const struct schema http_filter_schema, grpc_filter_schema;

#endif
