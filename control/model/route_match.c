#include "control/model/route_parts.h"

#include "lib/base/text.h"

struct span lower_case(struct arena *arena, struct span text)
{
    char *copy = arena_dup(arena, text.at, text.length);
    for (size_t i = 0; i < text.length; i++) {
        copy[i] = (char)(copy[i] >= 'A' && copy[i] <= 'Z' ? copy[i] + ('a' - 'A') : copy[i]);
    }
    return span_make(copy, text.length);
}

/* Of several matches of one name the first counts, and the others are left out (Gateway API,
 * HTTPHeaderMatch and HTTPQueryParamMatch). Header names compare without case. */
static uint32_t matches_make(const struct items *from, bool headers, struct arena *arena,
                             struct xds_field_match *into)
{
    const struct name_match *matches = from->at;
    uint32_t count = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        struct span name = headers ? lower_case(arena, matches[i].name) : matches[i].name;
        bool twice = false;
        for (uint32_t j = 0; j < count; j++) {
            twice |= span_equal(into[j].name, name);
        }
        if (!twice) {
            into[count++] = (struct xds_field_match){
                .name = name,
                .kind = matches[i].type == MATCH_TYPE_REGULAR_EXPRESSION ? XDS_MATCH_REGEX
                                                                         : XDS_MATCH_EXACT,
                .value = matches[i].value};
        }
    }
    return count;
}

/* "/v2/" and "/v2" are the same prefix of whole segments; "/" is every path. */
static void prefix_make(struct span value, struct xds_route *route)
{
    while (value.length > 1 && value.at[value.length - 1] == '/') {
        value.length--;
    }
    route->path = value.length > 1 ? value : SPAN_EMPTY;
    route->path_kind = value.length > 1 ? XDS_PATH_SEGMENTS : XDS_PATH_ANY;
}

static void path_make(const struct path_match *path, struct xds_route *route,
                      struct match_weight *weight)
{
    struct span value = path->value.length > 0 ? path->value : SPAN("/");
    weight->path_length = value.length;
    switch (path->type) {
    case PATH_TYPE_EXACT:
        weight->path_rank = 2;
        route->path_kind = XDS_PATH_EXACT;
        route->path = value;
        break;
    case PATH_TYPE_REGULAR_EXPRESSION:
        route->path_kind = XDS_PATH_REGEX;
        route->path = value;
        break;
    default:
        weight->path_rank = 1;
        prefix_make(value, route);
        break;
    }
}

void route_match_http(const struct route_match *match, struct arena *arena, struct xds_route *route,
                      struct match_weight *ret_weight)
{
    static const struct route_match everything = {0};
    match = match != NULL ? match : &everything;
    *ret_weight = (struct match_weight){0};
    path_make(&match->path, route, ret_weight);
    struct xds_field_match *headers =
        ARENA_ARRAY(arena, struct xds_field_match, match->headers.count + 1);
    struct xds_field_match *queries =
        ARENA_ARRAY(arena, struct xds_field_match, match->queries.count);
    ret_weight->headers = matches_make(&match->headers, true, arena, headers);
    ret_weight->queries = matches_make(&match->queries, false, arena, queries);
    route->headers = headers;
    route->header_count = ret_weight->headers;
    route->queries = queries;
    route->query_count = ret_weight->queries;
    if (match->method.length > 0) {
        ret_weight->method = 1;
        headers[route->header_count++] = (struct xds_field_match){
            .name = SPAN(":method"), .kind = XDS_MATCH_EXACT, .value = match->method};
    }
}

static void grpc_path_make(const struct grpc_method_match *method, struct arena *arena,
                           struct xds_route *route)
{
    bool regex = method->type == MATCH_TYPE_REGULAR_EXPRESSION;
    if (!regex && method->method.length == 0) {
        route->path_kind = XDS_PATH_PREFIX;
        route->path = span_of(arena_printf(arena, "/%.*s/", SPAN_ARG(method->service)));
    } else if (!regex && method->service.length > 0) {
        route->path_kind = XDS_PATH_EXACT;
        route->path = span_of(
            arena_printf(arena, "/%.*s/%.*s", SPAN_ARG(method->service), SPAN_ARG(method->method)));
    } else {
        struct span any = SPAN("[^/]+");
        struct span service = method->service.length > 0 ? method->service : any;
        struct span name = method->method.length > 0 ? method->method : any;
        route->path_kind = XDS_PATH_REGEX;
        route->path =
            span_of(arena_printf(arena, "/(?:%.*s)/(?:%.*s)", SPAN_ARG(service), SPAN_ARG(name)));
    }
}

void route_match_grpc(const struct route_match *match, struct arena *arena, struct xds_route *route,
                      struct match_weight *ret_weight)
{
    *ret_weight = (struct match_weight){0};
    route->path_kind = XDS_PATH_ANY;
    if (match == NULL) {
        return;
    }
    if (match->grpc_method != NULL) {
        grpc_path_make(match->grpc_method, arena, route);
        ret_weight->path_length = match->grpc_method->service.length;
        ret_weight->method = match->grpc_method->method.length;
    }
    struct xds_field_match *headers =
        ARENA_ARRAY(arena, struct xds_field_match, match->headers.count);
    ret_weight->headers = matches_make(&match->headers, true, arena, headers);
    route->headers = headers;
    route->header_count = ret_weight->headers;
}
