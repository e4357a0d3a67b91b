#include "control/object/route_spec.h"

#include <stddef.h>
#include <stdio.h>

static const char *const match_types[] = {"Exact", "RegularExpression", NULL};
static const char *const path_types[] = {"Exact", "PathPrefix", "RegularExpression", NULL};

static const struct field parent_fields[] = {
    FIELD("group", FIELD_TEXT, struct parent_ref, group),
    FIELD("kind", FIELD_TEXT, struct parent_ref, kind),
    FIELD("namespace", FIELD_TEXT, struct parent_ref, namespace_name, .check = check_dns_label),
    FIELD("name", FIELD_TEXT, struct parent_ref, name, .flags = FIELD_REQUIRED,
          .check = check_dns_name),
    FIELD("sectionName", FIELD_TEXT, struct parent_ref, section_name, .check = check_dns_name),
    FIELD("port", FIELD_INT, struct parent_ref, port, .least = 1, .most = 65535),
};
static const struct schema parent_schema = {
    .name = "ParentReference", SCHEMA_FIELDS(parent_fields), .bytes = sizeof(struct parent_ref)};

static const char *check_name_match(const void *decoded, const char **ret_field)
{
    const struct name_match *match = decoded;
    *ret_field = "value";
    return match->type == MATCH_TYPE_REGULAR_EXPRESSION ? check_regex(match->value)
                                                        : check_header_value(match->value);
}

static const struct field name_match_fields[] = {
    FIELD("type", FIELD_WORD, struct name_match, type, .words = match_types, .preset = "Exact"),
    FIELD("name", FIELD_TEXT, struct name_match, name, .flags = FIELD_REQUIRED,
          .check = check_header_name),
    FIELD("value", FIELD_TEXT, struct name_match, value, .flags = FIELD_REQUIRED, .least = 1),
};
static const struct schema name_match_schema = {.name = "HTTPHeaderMatch",
                                                SCHEMA_FIELDS(name_match_fields),
                                                .bytes = sizeof(struct name_match),
                                                .check = check_name_match};

static const char *check_path_match(const void *decoded, const char **ret_field)
{
    const struct path_match *match = decoded;
    *ret_field = "value";
    if (match->value.length == 0) {
        return NULL;
    }
    return match->type == PATH_TYPE_REGULAR_EXPRESSION ? check_regex(match->value)
                                                       : check_path(match->value);
}

static const struct field path_match_fields[] = {
    FIELD("type", FIELD_WORD, struct path_match, type, .words = path_types, .preset = "PathPrefix"),
    FIELD("value", FIELD_TEXT, struct path_match, value, .most = 1024, .preset = "/"),
};
static const struct schema path_match_schema = {.name = "HTTPPathMatch",
                                                SCHEMA_FIELDS(path_match_fields),
                                                .bytes = sizeof(struct path_match),
                                                .check = check_path_match};

static const struct field http_match_fields[] = {
    FIELD("path", FIELD_STRUCT, struct route_match, path, .schema = &path_match_schema),
    FIELD("headers", FIELD_LIST, struct route_match, headers, .most = 16,
          .schema = &name_match_schema),
    FIELD("queryParams", FIELD_LIST, struct route_match, queries, .most = 16,
          .schema = &name_match_schema),
    FIELD("method", FIELD_TEXT, struct route_match, method, .check = check_http_method),
};
static const struct schema http_match_schema = {.name = "HTTPRouteMatch",
                                                SCHEMA_FIELDS(http_match_fields),
                                                .bytes = sizeof(struct route_match)};

static bool word_bytes(struct span text, bool dots)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || (dots && c == '.');
        if (!good) {
            return false;
        }
    }
    return true;
}

/* Both together become one expression on the path, with the same bound as any other. */
static const char *check_grpc_regex(const struct grpc_method_match *match)
{
    char whole[2 * 1024 + 32];
    struct span any = SPAN("[^/]+");
    struct span service = match->service.length > 0 ? match->service : any;
    struct span method = match->method.length > 0 ? match->method : any;
    int length =
        snprintf(whole, sizeof(whole), "/(?:%.*s)/(?:%.*s)", SPAN_ARG(service), SPAN_ARG(method));
    return (size_t)length < sizeof(whole) ? check_regex(span_make(whole, (size_t)length))
                                          : "is too long";
}

static const char *check_grpc_method(const void *decoded, const char **ret_field)
{
    const struct grpc_method_match *match = decoded;
    if (match->service.length == 0 && match->method.length == 0) {
        return "needs a service or a method";
    }
    if (match->type == MATCH_TYPE_REGULAR_EXPRESSION) {
        return check_grpc_regex(match);
    }
    *ret_field = "service";
    if (!word_bytes(match->service, true)) {
        return "must be a gRPC service name";
    }
    *ret_field = "method";
    return word_bytes(match->method, false) ? NULL : "must be a gRPC method name";
}

static const struct field grpc_method_fields[] = {
    FIELD("type", FIELD_WORD, struct grpc_method_match, type, .words = match_types,
          .preset = "Exact"),
    FIELD("service", FIELD_TEXT, struct grpc_method_match, service, .most = 1024),
    FIELD("method", FIELD_TEXT, struct grpc_method_match, method, .most = 1024),
};
static const struct schema grpc_method_schema = {.name = "GRPCMethodMatch",
                                                 SCHEMA_FIELDS(grpc_method_fields),
                                                 .bytes = sizeof(struct grpc_method_match),
                                                 .check = check_grpc_method};

static const struct field grpc_match_fields[] = {
    FIELD("method", FIELD_STRUCT_AT, struct route_match, grpc_method,
          .schema = &grpc_method_schema),
    FIELD("headers", FIELD_LIST, struct route_match, headers, .most = 16,
          .schema = &name_match_schema),
};
static const struct schema grpc_match_schema = {.name = "GRPCRouteMatch",
                                                SCHEMA_FIELDS(grpc_match_fields),
                                                .bytes = sizeof(struct route_match)};

#define BACKEND_FIELDS                                                                             \
    FIELD("group", FIELD_TEXT, struct backend_ref, group),                                         \
        FIELD("kind", FIELD_TEXT, struct backend_ref, kind, .preset = "Service"),                  \
        FIELD("namespace", FIELD_TEXT, struct backend_ref, namespace_name,                         \
              .check = check_dns_label),                                                           \
        FIELD("name", FIELD_TEXT, struct backend_ref, name, .flags = FIELD_REQUIRED,               \
              .check = check_dns_name),                                                            \
        FIELD("port", FIELD_INT, struct backend_ref, port, .least = 1, .most = 65535),             \
        FIELD("weight", FIELD_INT, struct backend_ref, weight, .most = 1000000, .preset = "1")

static const struct field http_backend_fields[] = {
    BACKEND_FIELDS,
    FIELD("filters", FIELD_LIST, struct backend_ref, filters, .most = 16,
          .schema = &http_filter_schema),
};
static const struct schema http_backend_schema = {.name = "HTTPBackendRef",
                                                  SCHEMA_FIELDS(http_backend_fields),
                                                  .bytes = sizeof(struct backend_ref)};
static const struct field grpc_backend_fields[] = {
    BACKEND_FIELDS,
    FIELD("filters", FIELD_LIST, struct backend_ref, filters, .most = 16,
          .schema = &grpc_filter_schema),
};
static const struct schema grpc_backend_schema = {.name = "GRPCBackendRef",
                                                  SCHEMA_FIELDS(grpc_backend_fields),
                                                  .bytes = sizeof(struct backend_ref)};
static const struct field plain_backend_fields[] = {BACKEND_FIELDS};
static const struct schema plain_backend_schema = {
    .name = "BackendRef", SCHEMA_FIELDS(plain_backend_fields), .bytes = sizeof(struct backend_ref)};

static const struct field timeout_fields[] = {
    FIELD("request", FIELD_DURATION, struct route_timeouts, request_ms, .most = 86400000),
    FIELD("backendRequest", FIELD_DURATION, struct route_timeouts, backend_request_ms,
          .most = 86400000),
};

static const char *check_timeouts(const void *decoded, const char **ret_field)
{
    const struct route_timeouts *timeouts = decoded;
    *ret_field = "backendRequest";
    return timeouts->request_ms > 0 && timeouts->backend_request_ms > timeouts->request_ms
               ? "must not be longer than request"
               : NULL;
}
static const struct schema timeout_schema = {.name = "HTTPRouteTimeouts",
                                             SCHEMA_FIELDS(timeout_fields),
                                             .bytes = sizeof(struct route_timeouts),
                                             .check = check_timeouts};

static const struct field retry_fields[] = {
    FIELD("codes", FIELD_INTS, struct route_retry, codes, .least = 400, .most = 599),
    FIELD("attempts", FIELD_INT, struct route_retry, attempts, .least = 0, .most = 4,
          .flags = FIELD_ZERO),
    FIELD("backoff", FIELD_DURATION, struct route_retry, backoff_ms, .least = 1, .most = 60000,
          .flags = FIELD_NOT_IN_FORCE),
};
static const struct schema retry_schema = {
    .name = "HTTPRouteRetry", SCHEMA_FIELDS(retry_fields), .bytes = sizeof(struct route_retry)};

static bool has_filter(const struct route_rule *rule, int8_t type)
{
    const struct route_filter *filters = rule->filters.at;
    for (uint32_t i = 0; i < rule->filters.count; i++) {
        if (filters[i].type == type) {
            return true;
        }
    }
    return false;
}

static bool replaces_prefix(const struct route_rule *rule)
{
    const struct route_filter *filters = rule->filters.at;
    for (uint32_t i = 0; i < rule->filters.count; i++) {
        const struct path_modifier *path = filters[i].redirect != NULL  ? filters[i].redirect->path
                                           : filters[i].rewrite != NULL ? filters[i].rewrite->path
                                                                        : NULL;
        if (path != NULL && path->type == PATH_MODIFIER_PREFIX) {
            return true;
        }
    }
    return false;
}

static bool matches_are_prefixes(const struct route_rule *rule)
{
    const struct route_match *matches = rule->matches.at;
    for (uint32_t i = 0; i < rule->matches.count; i++) {
        if (matches[i].path.type != 0 && matches[i].path.type != PATH_TYPE_PREFIX) {
            return false;
        }
    }
    return true;
}

/* The rules that the Gateway API's own definitions enforce. */
static const char *check_http_rule(const void *decoded, const char **ret_field)
{
    const struct route_rule *rule = decoded;
    const struct route_filter *filters = rule->filters.at;
    *ret_field = "filters";
    for (uint32_t i = 0; i < rule->filters.count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            bool repeatable =
                filters[i].type == FILTER_MIRROR || filters[i].type == FILTER_EXTENSION;
            if (filters[i].type == filters[j].type && !repeatable) {
                return "has one type of filter twice";
            }
        }
    }
    if (has_filter(rule, FILTER_REDIRECT) && has_filter(rule, FILTER_REWRITE)) {
        return "has both RequestRedirect and URLRewrite";
    }
    if (replaces_prefix(rule) && !matches_are_prefixes(rule)) {
        return "ReplacePrefixMatch needs matches of type PathPrefix";
    }
    *ret_field = "backendRefs";
    return has_filter(rule, FILTER_REDIRECT) && rule->backends.count > 0
               ? "must be empty beside RequestRedirect"
               : NULL;
}

static const struct field http_rule_fields[] = {
    FIELD("name", FIELD_TEXT, struct route_rule, name, .check = check_dns_name),
    FIELD("matches", FIELD_LIST, struct route_rule, matches, .most = 64,
          .schema = &http_match_schema),
    FIELD("filters", FIELD_LIST, struct route_rule, filters, .most = 16,
          .schema = &http_filter_schema),
    FIELD("backendRefs", FIELD_LIST, struct route_rule, backends, .most = 16,
          .schema = &http_backend_schema),
    FIELD("timeouts", FIELD_STRUCT, struct route_rule, timeouts, .schema = &timeout_schema),
    FIELD("retry", FIELD_STRUCT_AT, struct route_rule, retry, .schema = &retry_schema),
    FIELD_IGNORED("sessionPersistence", .flags = FIELD_NOT_IN_FORCE),
};
static const struct schema http_rule_schema = {.name = "HTTPRouteRule",
                                               SCHEMA_FIELDS(http_rule_fields),
                                               .bytes = sizeof(struct route_rule),
                                               .check = check_http_rule};

static const struct field grpc_rule_fields[] = {
    FIELD("name", FIELD_TEXT, struct route_rule, name, .check = check_dns_name),
    FIELD("matches", FIELD_LIST, struct route_rule, matches, .most = 64,
          .schema = &grpc_match_schema),
    FIELD("filters", FIELD_LIST, struct route_rule, filters, .most = 16,
          .schema = &grpc_filter_schema),
    FIELD("backendRefs", FIELD_LIST, struct route_rule, backends, .most = 16,
          .schema = &grpc_backend_schema),
    FIELD_IGNORED("sessionPersistence", .flags = FIELD_NOT_IN_FORCE),
};
static const struct schema grpc_rule_schema = {.name = "GRPCRouteRule",
                                               SCHEMA_FIELDS(grpc_rule_fields),
                                               .bytes = sizeof(struct route_rule),
                                               .check = check_http_rule};

static const struct field plain_rule_fields[] = {
    FIELD("name", FIELD_TEXT, struct route_rule, name, .check = check_dns_name),
    FIELD("backendRefs", FIELD_LIST, struct route_rule, backends, .flags = FIELD_REQUIRED,
          .least = 1, .most = 16, .schema = &plain_backend_schema),
};
static const struct schema plain_rule_schema = {
    .name = "RouteRule", SCHEMA_FIELDS(plain_rule_fields), .bytes = sizeof(struct route_rule)};

static const char *check_route(const void *decoded, const char **ret_field)
{
    const struct route_spec *spec = decoded;
    const struct route_rule *rules = spec->rules.at;
    *ret_field = "rules";
    for (uint32_t i = 0; i < spec->rules.count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (rules[i].name.length > 0 && span_equal(rules[i].name, rules[j].name)) {
                return "two rules have one name";
            }
        }
    }
    return NULL;
}

#define ROUTE_SPEC_FIELDS(most_rules, rule_schema_)                                                \
    FIELD("parentRefs", FIELD_LIST, struct route_spec, parents, .most = 32,                        \
          .schema = &parent_schema),                                                               \
        FIELD("hostnames", FIELD_TEXTS, struct route_spec, hostnames, .most = 16,                  \
              .check = check_host),                                                                \
        FIELD("rules", FIELD_LIST, struct route_spec, rules, .most = (most_rules),                 \
              .schema = &(rule_schema_)),                                                          \
        FIELD_IGNORED("useDefaultGateways")

#define ROUTE_SCHEMA(prefix, title, most_rules, rule_schema_)                                      \
    static const struct field prefix##_spec_fields[] = {                                           \
        ROUTE_SPEC_FIELDS(most_rules, rule_schema_)};                                              \
    static const struct schema prefix##_spec_schema = {.name = title "Spec",                       \
                                                       SCHEMA_FIELDS(prefix##_spec_fields),        \
                                                       .bytes = sizeof(struct route_spec),         \
                                                       .check = check_route};                      \
    static const struct field prefix##_fields[] = {FIELD("spec", FIELD_STRUCT, struct route_body,  \
                                                         spec, .flags = FIELD_REQUIRED,            \
                                                         .schema = &prefix##_spec_schema)};        \
    const struct schema prefix##_schema = {                                                        \
        .name = title, SCHEMA_FIELDS(prefix##_fields), .bytes = sizeof(struct route_body)}

ROUTE_SCHEMA(http_route, "HTTPRoute", 16, http_rule_schema);
ROUTE_SCHEMA(grpc_route, "GRPCRoute", 16, grpc_rule_schema);
ROUTE_SCHEMA(tcp_route, "TCPRoute", 16, plain_rule_schema);
ROUTE_SCHEMA(tls_route, "TLSRoute", 16, plain_rule_schema);

static const struct field grant_from_fields[] = {
    FIELD("group", FIELD_TEXT, struct grant_from, group, .flags = FIELD_REQUIRED),
    FIELD("kind", FIELD_TEXT, struct grant_from, kind, .flags = FIELD_REQUIRED, .least = 1),
    FIELD("namespace", FIELD_TEXT, struct grant_from, namespace_name, .flags = FIELD_REQUIRED,
          .check = check_dns_label),
};
static const struct schema grant_from_schema = {.name = "ReferenceGrantFrom",
                                                SCHEMA_FIELDS(grant_from_fields),
                                                .bytes = sizeof(struct grant_from)};

static const struct field grant_to_fields[] = {
    FIELD("group", FIELD_TEXT, struct grant_to, group, .flags = FIELD_REQUIRED),
    FIELD("kind", FIELD_TEXT, struct grant_to, kind, .flags = FIELD_REQUIRED, .least = 1),
    FIELD("name", FIELD_TEXT, struct grant_to, name, .check = check_dns_name),
};
static const struct schema grant_to_schema = {
    .name = "ReferenceGrantTo", SCHEMA_FIELDS(grant_to_fields), .bytes = sizeof(struct grant_to)};

static const struct field grant_spec_fields[] = {
    FIELD("from", FIELD_LIST, struct reference_grant_spec, from, .flags = FIELD_REQUIRED,
          .least = 1, .most = 16, .schema = &grant_from_schema),
    FIELD("to", FIELD_LIST, struct reference_grant_spec, to, .flags = FIELD_REQUIRED, .least = 1,
          .most = 16, .schema = &grant_to_schema),
};
static const struct schema grant_spec_schema = {.name = "ReferenceGrantSpec",
                                                SCHEMA_FIELDS(grant_spec_fields),
                                                .bytes = sizeof(struct reference_grant_spec)};
static const struct field grant_fields[] = {
    FIELD("spec", FIELD_STRUCT, struct reference_grant_body, spec, .flags = FIELD_REQUIRED,
          .schema = &grant_spec_schema),
};
const struct schema reference_grant_schema = {.name = "ReferenceGrant",
                                              SCHEMA_FIELDS(grant_fields),
                                              .bytes = sizeof(struct reference_grant_body)};
