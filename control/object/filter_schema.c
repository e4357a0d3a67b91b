#include "control/object/route_spec.h"

#include <stddef.h>

static const char *const modifier_types[] = {"ReplaceFullPath", "ReplacePrefixMatch", NULL};
static const char *const schemes[] = {"http", "https", NULL};
static const char *const http_filters[] = {"RequestHeaderModifier", "ResponseHeaderModifier",
                                           "RequestRedirect",       "URLRewrite",
                                           "RequestMirror",         "CORS",
                                           "ExtensionRef",          NULL};

static const struct field header_value_fields[] = {
    FIELD("name", FIELD_TEXT, struct header_value, name, .flags = FIELD_REQUIRED,
          .check = check_header_name),
    FIELD("value", FIELD_TEXT, struct header_value, value, .flags = FIELD_REQUIRED, .least = 1,
          .check = check_header_value),
};
static const struct schema header_value_schema = {
    .name = "HTTPHeader", SCHEMA_FIELDS(header_value_fields), .bytes = sizeof(struct header_value)};

static bool name_twice(const struct items *items)
{
    const struct header_value *headers = items->at;
    for (uint32_t i = 0; i < items->count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (span_equal_nocase(headers[i].name, headers[j].name)) {
                return true;
            }
        }
    }
    return false;
}

static const char *check_header_filter(const void *decoded, const char **ret_field)
{
    const struct header_filter *filter = decoded;
    *ret_field = "set";
    if (name_twice(&filter->set)) {
        return "names one header twice";
    }
    *ret_field = "add";
    return name_twice(&filter->add) ? "names one header twice" : NULL;
}

static const struct field header_filter_fields[] = {
    FIELD("set", FIELD_LIST, struct header_filter, set, .most = 16, .schema = &header_value_schema),
    FIELD("add", FIELD_LIST, struct header_filter, add, .most = 16, .schema = &header_value_schema),
    FIELD("remove", FIELD_TEXTS, struct header_filter, remove, .most = 16,
          .check = check_header_name),
};
static const struct schema header_filter_schema = {.name = "HTTPHeaderFilter",
                                                   SCHEMA_FIELDS(header_filter_fields),
                                                   .bytes = sizeof(struct header_filter),
                                                   .check = check_header_filter};

static const char *check_replacement(struct span text)
{
    return text.length == 0 ? NULL : check_path(text);
}

static const char *check_path_modifier(const void *decoded, const char **ret_field)
{
    const struct path_modifier *path = decoded;
    bool full = path->type == PATH_MODIFIER_FULL;
    *ret_field = full ? "replacePrefixMatch" : "replaceFullPath";
    return (full ? path->prefix : path->full).length > 0 ? "does not go with this type" : NULL;
}

static const struct field path_modifier_fields[] = {
    FIELD("type", FIELD_WORD, struct path_modifier, type, .flags = FIELD_REQUIRED,
          .words = modifier_types),
    FIELD("replaceFullPath", FIELD_TEXT, struct path_modifier, full, .check = check_replacement),
    FIELD("replacePrefixMatch", FIELD_TEXT, struct path_modifier, prefix,
          .check = check_replacement),
};
static const struct schema path_modifier_schema = {.name = "HTTPPathModifier",
                                                   SCHEMA_FIELDS(path_modifier_fields),
                                                   .bytes = sizeof(struct path_modifier),
                                                   .check = check_path_modifier};

static const char *check_scheme(struct span text)
{
    return span_equal_text(text, schemes[0]) || span_equal_text(text, schemes[1])
               ? NULL
               : "must be http or https";
}

static const char *check_redirect(const void *decoded, const char **ret_field)
{
    const struct redirect_filter *redirect = decoded;
    static const int64_t statuses[] = {301, 302, 303, 307, 308, FIELD_UNSET};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (redirect->status == statuses[i]) {
            return NULL;
        }
    }
    *ret_field = "statusCode";
    return "must be 301, 302, 303, 307 or 308";
}

static const struct field redirect_fields[] = {
    FIELD("scheme", FIELD_TEXT, struct redirect_filter, scheme, .check = check_scheme),
    FIELD("hostname", FIELD_TEXT, struct redirect_filter, hostname, .check = check_dns_name),
    FIELD("path", FIELD_STRUCT_AT, struct redirect_filter, path, .schema = &path_modifier_schema),
    FIELD("port", FIELD_INT, struct redirect_filter, port, .least = 1, .most = 65535),
    FIELD("statusCode", FIELD_INT, struct redirect_filter, status, .preset = "302"),
};
static const struct schema redirect_schema = {.name = "HTTPRequestRedirectFilter",
                                              SCHEMA_FIELDS(redirect_fields),
                                              .bytes = sizeof(struct redirect_filter),
                                              .check = check_redirect};

static const struct field rewrite_fields[] = {
    FIELD("hostname", FIELD_TEXT, struct rewrite_filter, hostname, .check = check_dns_name),
    FIELD("path", FIELD_STRUCT_AT, struct rewrite_filter, path, .schema = &path_modifier_schema),
};
static const struct schema rewrite_schema = {.name = "HTTPURLRewriteFilter",
                                             SCHEMA_FIELDS(rewrite_fields),
                                             .bytes = sizeof(struct rewrite_filter)};

/* The one of its members that the type names must be there. */
static const char *check_filter(const void *decoded, const char **ret_field)
{
    const struct route_filter *filter = decoded;
    if (filter->type == FILTER_REQUEST_HEADERS && filter->request_headers == NULL) {
        *ret_field = "requestHeaderModifier";
        return "is required for this type";
    }
    if (filter->type == FILTER_RESPONSE_HEADERS && filter->response_headers == NULL) {
        *ret_field = "responseHeaderModifier";
        return "is required for this type";
    }
    if (filter->type == FILTER_REDIRECT && filter->redirect == NULL) {
        *ret_field = "requestRedirect";
        return "is required for this type";
    }
    if (filter->type == FILTER_REWRITE && filter->rewrite == NULL) {
        *ret_field = "urlRewrite";
        return "is required for this type";
    }
    return NULL;
}

static const struct field http_filter_fields[] = {
    FIELD("type", FIELD_WORD, struct route_filter, type, .flags = FIELD_REQUIRED,
          .words = http_filters),
    FIELD("requestHeaderModifier", FIELD_STRUCT_AT, struct route_filter, request_headers,
          .schema = &header_filter_schema),
    FIELD("responseHeaderModifier", FIELD_STRUCT_AT, struct route_filter, response_headers,
          .schema = &header_filter_schema),
    FIELD("requestRedirect", FIELD_STRUCT_AT, struct route_filter, redirect,
          .schema = &redirect_schema),
    FIELD("urlRewrite", FIELD_STRUCT_AT, struct route_filter, rewrite, .schema = &rewrite_schema),
    FIELD_IGNORED("requestMirror", .flags = FIELD_NOT_IN_FORCE),
    FIELD_IGNORED("cors", .flags = FIELD_NOT_IN_FORCE),
    FIELD_IGNORED("extensionRef"),
};
const struct schema http_filter_schema = {.name = "HTTPRouteFilter",
                                          SCHEMA_FIELDS(http_filter_fields),
                                          .bytes = sizeof(struct route_filter),
                                          .check = check_filter};

static const struct field grpc_filter_fields[] = {
    FIELD("type", FIELD_WORD, struct route_filter, type, .flags = FIELD_REQUIRED,
          .words = http_filters),
    FIELD("requestHeaderModifier", FIELD_STRUCT_AT, struct route_filter, request_headers,
          .schema = &header_filter_schema),
    FIELD("responseHeaderModifier", FIELD_STRUCT_AT, struct route_filter, response_headers,
          .schema = &header_filter_schema),
    FIELD_IGNORED("requestMirror", .flags = FIELD_NOT_IN_FORCE),
    FIELD_IGNORED("extensionRef"),
};

static const char *check_grpc_filter(const void *decoded, const char **ret_field)
{
    const struct route_filter *filter = decoded;
    *ret_field = "type";
    if (filter->type == FILTER_REDIRECT || filter->type == FILTER_REWRITE ||
        filter->type == FILTER_CORS) {
        return "is no filter of a GRPCRoute";
    }
    *ret_field = NULL;
    return check_filter(decoded, ret_field);
}
const struct schema grpc_filter_schema = {.name = "GRPCRouteFilter",
                                          SCHEMA_FIELDS(grpc_filter_fields),
                                          .bytes = sizeof(struct route_filter),
                                          .check = check_grpc_filter};
