#include "lib/xds/wire_parts.h"

#include "lib/base/check.h"

#include <string.h>

/* An expression longer than this is refused: it would only serve to make matching slow. */
enum { REGEX_BYTES = 4096 };

static Mt__RegexMatcher *regex_write(struct arena *scratch, struct span regex)
{
    Mt__RegexMatcher *matcher = wire_new(scratch, &mt__regex_matcher__descriptor);
    matcher->regex = wire_string(scratch, regex);
    return matcher;
}

static Mt__StringMatcher *string_write(struct arena *scratch, const struct xds_field_match *match)
{
    Mt__StringMatcher *matcher = wire_new(scratch, &mt__string_matcher__descriptor);
    char *value = wire_string(scratch, match->value);
    switch ((enum xds_match_kind)match->kind) {
    case XDS_MATCH_EXACT:
        matcher->match_pattern_case = MT__STRING_MATCHER__MATCH_PATTERN_EXACT;
        matcher->exact = value;
        break;
    case XDS_MATCH_PREFIX:
        matcher->match_pattern_case = MT__STRING_MATCHER__MATCH_PATTERN_PREFIX;
        matcher->prefix = value;
        break;
    case XDS_MATCH_SUFFIX:
        matcher->match_pattern_case = MT__STRING_MATCHER__MATCH_PATTERN_SUFFIX;
        matcher->suffix = value;
        break;
    case XDS_MATCH_CONTAINS:
        matcher->match_pattern_case = MT__STRING_MATCHER__MATCH_PATTERN_CONTAINS;
        matcher->contains = value;
        break;
    case XDS_MATCH_REGEX:
        matcher->match_pattern_case = MT__STRING_MATCHER__MATCH_PATTERN_SAFE_REGEX;
        matcher->safe_regex = regex_write(scratch, match->value);
        break;
    case XDS_MATCH_PRESENT:
        UNREACHABLE("present is no string matcher");
    }
    return matcher;
}

/* gRPC clients of some years refuse string_match and take the older fields. */
static void old_header_write(struct arena *scratch, Rt__HeaderMatcher *matcher,
                             const struct xds_field_match *match)
{
    char *value = wire_string(scratch, match->value);
    switch ((enum xds_match_kind)match->kind) {
    case XDS_MATCH_EXACT:
        matcher->header_match_specifier_case =
            RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_EXACT_MATCH;
        matcher->exact_match = value;
        break;
    case XDS_MATCH_PREFIX:
        matcher->header_match_specifier_case =
            RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_PREFIX_MATCH;
        matcher->prefix_match = value;
        break;
    case XDS_MATCH_SUFFIX:
        matcher->header_match_specifier_case =
            RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_SUFFIX_MATCH;
        matcher->suffix_match = value;
        break;
    case XDS_MATCH_CONTAINS:
        matcher->header_match_specifier_case =
            RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_CONTAINS_MATCH;
        matcher->contains_match = value;
        break;
    case XDS_MATCH_REGEX:
        matcher->header_match_specifier_case =
            RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_SAFE_REGEX_MATCH;
        matcher->safe_regex_match = regex_write(scratch, match->value);
        break;
    case XDS_MATCH_PRESENT:
        UNREACHABLE("present is written by header_write");
    }
}

static Rt__HeaderMatcher *header_write(struct arena *scratch, const struct xds_field_match *match,
                                       bool for_grpc)
{
    Rt__HeaderMatcher *matcher = wire_new(scratch, &rt__header_matcher__descriptor);
    matcher->name = wire_string(scratch, match->name);
    matcher->invert_match = match->invert;
    if (match->kind == XDS_MATCH_PRESENT) {
        matcher->header_match_specifier_case =
            RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_PRESENT_MATCH;
        matcher->present_match = true;
    } else if (for_grpc) {
        old_header_write(scratch, matcher, match);
    } else {
        matcher->header_match_specifier_case =
            RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_STRING_MATCH;
        matcher->string_match = string_write(scratch, match);
    }
    return matcher;
}

static Rt__QueryParameterMatcher *query_write(struct arena *scratch,
                                              const struct xds_field_match *match)
{
    Rt__QueryParameterMatcher *matcher =
        wire_new(scratch, &rt__query_parameter_matcher__descriptor);
    CHECK(!match->invert); /* there is no field for it */
    matcher->name = wire_string(scratch, match->name);
    if (match->kind == XDS_MATCH_PRESENT) {
        matcher->query_parameter_match_specifier_case =
            RT__QUERY_PARAMETER_MATCHER__QUERY_PARAMETER_MATCH_SPECIFIER_PRESENT_MATCH;
        matcher->present_match = true;
    } else {
        matcher->query_parameter_match_specifier_case =
            RT__QUERY_PARAMETER_MATCHER__QUERY_PARAMETER_MATCH_SPECIFIER_STRING_MATCH;
        matcher->string_match = string_write(scratch, match);
    }
    return matcher;
}

static void path_write(struct arena *scratch, Rt__RouteMatch *message,
                       const struct xds_route *route)
{
    struct span path = route->path;
    enum xds_path_kind kind = (enum xds_path_kind)route->path_kind;
    if (kind == XDS_PATH_SEGMENTS) {
        while (path.length > 0 && path.at[path.length - 1] == '/') {
            path.length--;
        }
        kind = path.length == 0 ? XDS_PATH_ANY : kind; /* "/" */
    }
    switch (kind) {
    case XDS_PATH_EXACT:
        message->path_specifier_case = RT__ROUTE_MATCH__PATH_SPECIFIER_PATH;
        message->path = wire_string(scratch, path);
        return;
    case XDS_PATH_REGEX:
        message->path_specifier_case = RT__ROUTE_MATCH__PATH_SPECIFIER_SAFE_REGEX;
        message->safe_regex = regex_write(scratch, path);
        return;
    case XDS_PATH_SEGMENTS:
        message->path_specifier_case = RT__ROUTE_MATCH__PATH_SPECIFIER_PATH_SEPARATED_PREFIX;
        message->path_separated_prefix = wire_string(scratch, path);
        return;
    case XDS_PATH_PREFIX:
    case XDS_PATH_ANY:
        message->path_specifier_case = RT__ROUTE_MATCH__PATH_SPECIFIER_PREFIX;
        message->prefix = wire_string(scratch, kind == XDS_PATH_ANY ? SPAN("/") : path);
        return;
    }
    UNREACHABLE("path kind");
}

Rt__RouteMatch *route_match_write(struct arena *scratch, const struct xds_route *route,
                                  bool for_grpc)
{
    Rt__RouteMatch *message = wire_new(scratch, &rt__route_match__descriptor);
    path_write(scratch, message, route);
    message->n_headers = route->header_count;
    message->headers = ARENA_ARRAY(scratch, Rt__HeaderMatcher *, route->header_count);
    for (uint32_t i = 0; i < route->header_count; i++) {
        message->headers[i] = header_write(scratch, &route->headers[i], for_grpc);
    }
    message->n_query_parameters = route->query_count;
    message->query_parameters =
        ARENA_ARRAY(scratch, Rt__QueryParameterMatcher *, route->query_count);
    for (uint32_t i = 0; i < route->query_count; i++) {
        message->query_parameters[i] = query_write(scratch, &route->queries[i]);
    }
    return message;
}

static bool regex_read(struct wire_reader *reader, const Mt__RegexMatcher *matcher,
                       struct span *ret)
{
    size_t length = strlen(matcher->regex);
    if (length == 0 || length > REGEX_BYTES) {
        return wire_fail(reader, "regex: %zu bytes, 1 to %d are taken", length, REGEX_BYTES);
    }
    *ret = wire_text(reader, matcher->regex);
    return true;
}

static bool string_read(struct wire_reader *reader, const Mt__StringMatcher *matcher,
                        struct xds_field_match *ret)
{
    const char *value = "";
    if (!wire_all_known(reader, &matcher->base)) {
        return false;
    }
    if (matcher->ignore_case) {
        return wire_fail(reader, "ignore_case: not supported");
    }
    switch (matcher->match_pattern_case) {
    case MT__STRING_MATCHER__MATCH_PATTERN_EXACT:
        ret->kind = XDS_MATCH_EXACT;
        value = matcher->exact;
        break;
    case MT__STRING_MATCHER__MATCH_PATTERN_PREFIX:
        ret->kind = XDS_MATCH_PREFIX;
        value = matcher->prefix;
        break;
    case MT__STRING_MATCHER__MATCH_PATTERN_SUFFIX:
        ret->kind = XDS_MATCH_SUFFIX;
        value = matcher->suffix;
        break;
    case MT__STRING_MATCHER__MATCH_PATTERN_CONTAINS:
        ret->kind = XDS_MATCH_CONTAINS;
        value = matcher->contains;
        break;
    case MT__STRING_MATCHER__MATCH_PATTERN_SAFE_REGEX:
        ret->kind = XDS_MATCH_REGEX;
        return regex_read(reader, matcher->safe_regex, &ret->value);
    default:
        return wire_fail(reader, "no match pattern");
    }
    ret->value = wire_text(reader, value);
    /* Every value begins with, ends with and contains the empty text: surely a mistake. */
    return ret->kind == XDS_MATCH_EXACT || ret->value.length > 0 ||
           wire_fail(reader, "empty pattern");
}

static bool old_header_read(struct wire_reader *reader, const Rt__HeaderMatcher *matcher,
                            struct xds_field_match *ret)
{
    const char *value = "";
    switch (matcher->header_match_specifier_case) {
    case RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_EXACT_MATCH:
        ret->kind = XDS_MATCH_EXACT;
        value = matcher->exact_match;
        break;
    case RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_PREFIX_MATCH:
        ret->kind = XDS_MATCH_PREFIX;
        value = matcher->prefix_match;
        break;
    case RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_SUFFIX_MATCH:
        ret->kind = XDS_MATCH_SUFFIX;
        value = matcher->suffix_match;
        break;
    case RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_CONTAINS_MATCH:
        ret->kind = XDS_MATCH_CONTAINS;
        value = matcher->contains_match;
        break;
    case RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_SAFE_REGEX_MATCH:
        ret->kind = XDS_MATCH_REGEX;
        return regex_read(reader, matcher->safe_regex_match, &ret->value);
    case RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER__NOT_SET:
        ret->kind = XDS_MATCH_PRESENT; /* Envoy: with no specifier the header must be there */
        return true;
    default:
        return wire_fail(reader, "no match pattern");
    }
    ret->value = wire_text(reader, value);
    return ret->kind == XDS_MATCH_EXACT || ret->value.length > 0 ||
           wire_fail(reader, "empty pattern");
}

static struct span lower_name(struct wire_reader *reader, const char *name)
{
    char *lower = arena_text(reader->arena, span_of(name));
    for (char *at = lower; *at != '\0'; at++) {
        if (*at >= 'A' && *at <= 'Z') {
            *at = (char)(*at - 'A' + 'a');
        }
    }
    return span_of(lower);
}

static bool header_read(struct wire_reader *reader, const Rt__HeaderMatcher *matcher,
                        struct xds_field_match *ret)
{
    if (!wire_all_known(reader, &matcher->base)) {
        return false;
    }
    if (matcher->name[0] == '\0') {
        return wire_fail(reader, "name: empty");
    }
    ret->name = lower_name(reader, matcher->name);
    ret->invert = matcher->invert_match;
    if (matcher->header_match_specifier_case ==
        RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_PRESENT_MATCH) {
        ret->kind = XDS_MATCH_PRESENT;
        ret->invert = matcher->invert_match == matcher->present_match;
        return true;
    }
    if (matcher->header_match_specifier_case ==
        RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_STRING_MATCH) {
        return string_read(reader, matcher->string_match, ret);
    }
    return old_header_read(reader, matcher, ret);
}

static bool query_read(struct wire_reader *reader, const Rt__QueryParameterMatcher *matcher,
                       struct xds_field_match *ret)
{
    if (!wire_all_known(reader, &matcher->base)) {
        return false;
    }
    if (matcher->name[0] == '\0') {
        return wire_fail(reader, "name: empty");
    }
    ret->name = wire_text(reader, matcher->name);
    switch (matcher->query_parameter_match_specifier_case) {
    case RT__QUERY_PARAMETER_MATCHER__QUERY_PARAMETER_MATCH_SPECIFIER_STRING_MATCH:
        return string_read(reader, matcher->string_match, ret);
    case RT__QUERY_PARAMETER_MATCHER__QUERY_PARAMETER_MATCH_SPECIFIER_PRESENT_MATCH:
        ret->invert = !matcher->present_match;
        break;
    default:
        break; /* Envoy: the parameter must be there */
    }
    ret->kind = XDS_MATCH_PRESENT;
    return !ret->invert || wire_fail(reader, "present_match: false is not supported");
}

static bool path_read(struct wire_reader *reader, const Rt__RouteMatch *message,
                      struct xds_route *ret)
{
    switch (message->path_specifier_case) {
    case RT__ROUTE_MATCH__PATH_SPECIFIER_PREFIX:
        ret->path_kind = XDS_PATH_PREFIX;
        if (message->prefix[0] == '\0' || strcmp(message->prefix, "/") == 0) {
            ret->path_kind = XDS_PATH_ANY;
            return true;
        }
        ret->path = wire_text(reader, message->prefix);
        return true;
    case RT__ROUTE_MATCH__PATH_SPECIFIER_PATH:
        ret->path_kind = XDS_PATH_EXACT;
        ret->path = wire_text(reader, message->path);
        return ret->path.length > 0 || wire_fail(reader, "path: empty");
    case RT__ROUTE_MATCH__PATH_SPECIFIER_SAFE_REGEX:
        ret->path_kind = XDS_PATH_REGEX;
        return regex_read(reader, message->safe_regex, &ret->path);
    case RT__ROUTE_MATCH__PATH_SPECIFIER_PATH_SEPARATED_PREFIX:
        ret->path_kind = XDS_PATH_SEGMENTS;
        ret->path = wire_text(reader, message->path_separated_prefix);
        return (ret->path.length > 1 && ret->path.at[0] == '/' &&
                ret->path.at[ret->path.length - 1] != '/') ||
               wire_fail(reader, "path_separated_prefix: \"%s\"", message->path_separated_prefix);
    default:
        return wire_fail(reader, "path: missing, or of a kind that is not supported");
    }
}

bool route_match_read(struct wire_reader *reader, const Rt__RouteMatch *message,
                      struct xds_route *ret)
{
    size_t path = wire_enter(reader, "match", -1);
    if (message == NULL) {
        return wire_fail(reader, "missing");
    }
    if (!wire_all_known(reader, &message->base)) {
        return false;
    }
    if (message->case_sensitive != NULL && !message->case_sensitive->value) {
        return wire_fail(reader, "case_sensitive: false is not supported");
    }
    if (!path_read(reader, message, ret)) {
        return false;
    }
    struct xds_field_match *headers =
        ARENA_ARRAY(reader->arena, struct xds_field_match, message->n_headers);
    for (size_t i = 0; i < message->n_headers; i++) {
        size_t at = wire_enter(reader, "headers", (long)i);
        if (!header_read(reader, message->headers[i], &headers[i])) {
            return false;
        }
        wire_leave(reader, at);
    }
    struct xds_field_match *queries =
        ARENA_ARRAY(reader->arena, struct xds_field_match, message->n_query_parameters);
    for (size_t i = 0; i < message->n_query_parameters; i++) {
        size_t at = wire_enter(reader, "query_parameters", (long)i);
        if (!query_read(reader, message->query_parameters[i], &queries[i])) {
            return false;
        }
        wire_leave(reader, at);
    }
    ret->headers = headers;
    ret->header_count = wire_count(message->n_headers);
    ret->queries = queries;
    ret->query_count = wire_count(message->n_query_parameters);
    wire_leave(reader, path);
    return true;
}
