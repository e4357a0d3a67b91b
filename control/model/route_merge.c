#include "control/model/route_parts.h"

#include "lib/xds/xds_listener.h"

#include <stdlib.h>

/* Routes of one kind on one port, merged: one xds_route a match, in the order of precedence. */
struct merged {
    struct xds_route route;
    struct match_weight weight;
    const struct object *object;
    uint32_t place; /* rule and match within the object */
};
struct merge {
    struct compile *compile;
    const struct service_port *port;
    struct merged *items;
    size_t count, capacity;
};

static int compare_sizes(size_t a, size_t b)
{
    return a > b ? -1 : a < b ? 1 : 0;
}

static int compare_weights(const struct match_weight *a, const struct match_weight *b)
{
    int order = b->path_rank - a->path_rank;
    if (order == 0) {
        order = compare_sizes(a->path_length, b->path_length);
    }
    if (order == 0) {
        order = compare_sizes(a->method, b->method);
    }
    if (order == 0) {
        order = compare_sizes(a->headers, b->headers);
    }
    return order != 0 ? order : compare_sizes(a->queries, b->queries);
}

/* Gateway API, HTTPRouteRule.matches: path, method, headers, queries, then age, name, place. */
static int compare(const void *left, const void *right)
{
    const struct merged *a = left;
    const struct merged *b = right;
    int order = compare_weights(&a->weight, &b->weight);
    if (order == 0 && a->object != b->object) {
        order = object_older(a->object, b->object) ? -1 : 1;
    }
    return order != 0 ? order : (a->place > b->place) - (a->place < b->place);
}

static uint32_t clusters_make(struct compile *compile, const struct entry *route,
                              const struct route_rule *rule, struct xds_weighted_cluster *into,
                              bool *ret_usable)
{
    const struct backend_ref *backends = rule->backends.at;
    uint32_t count = 0;
    *ret_usable = false;
    for (uint32_t i = 0; i < rule->backends.count; i++) {
        struct xds_weighted_cluster cluster = {
            .weight = backends[i].weight != FIELD_UNSET ? (uint32_t)backends[i].weight : 1};
        const char *message;
        backend_resolve(compile, route, &backends[i], &cluster.name, &message);
        header_changes_make(&backends[i].filters, FILTER_REQUEST_HEADERS, &compile->arena,
                            &cluster.request);
        header_changes_make(&backends[i].filters, FILTER_RESPONSE_HEADERS, &compile->arena,
                            &cluster.response);
        if (cluster.weight > 0) {
            *ret_usable |= cluster.name.length > 0;
            into[count++] = cluster;
        }
    }
    return count;
}

static void answer_500(struct xds_route *route)
{
    route->action = XDS_ACTION_DIRECT;
    route->status = 500;
    route->clusters = NULL;
    route->cluster_count = 0;
}

/* What all matches of a rule have in common. */
static struct xds_route rule_make(struct merge *merge, const struct entry *entry, uint32_t index)
{
    struct arena *arena = &merge->compile->arena;
    const struct metadata *meta = &entry->object->meta;
    const struct route_rule *rule =
        (const struct route_rule *)route_spec_of(entry)->rules.at + index;
    struct xds_route route = {.retry_limit = -1};
    route.name = span_of(rule->name.length > 0
                             ? arena_printf(arena, "%.*s/%.*s/%.*s", SPAN_ARG(meta->namespace_name),
                                            SPAN_ARG(meta->name), SPAN_ARG(rule->name))
                             : arena_printf(arena, "%.*s/%.*s/%u", SPAN_ARG(meta->namespace_name),
                                            SPAN_ARG(meta->name), index));
    route_knobs(merge->compile, entry, rule, merge->port, arena, &route);
    bool known = route_filters(&rule->filters, arena, &route);
    if (known && route.action == XDS_ACTION_REDIRECT) {
        return route;
    }
    struct xds_weighted_cluster *clusters =
        ARENA_ARRAY(arena, struct xds_weighted_cluster, rule->backends.count);
    bool usable;
    route.cluster_count = clusters_make(merge->compile, entry, rule, clusters, &usable);
    route.clusters = clusters;
    if (!known || !usable) {
        answer_500(&route);
    }
    return route;
}

static void add(struct merge *merge, const struct entry *entry, const struct xds_route *rule,
                const struct route_match *match, uint32_t place)
{
    struct merged item = {.route = *rule, .object = entry->object, .place = place};
    if (entry->object->kind == KIND_GRPC_ROUTE) {
        route_match_grpc(match, &merge->compile->arena, &item.route, &item.weight);
    } else {
        route_match_http(match, &merge->compile->arena, &item.route, &item.weight);
    }
    mem_grow(&merge->items, &merge->capacity, merge->count + 1, sizeof(merge->items[0]));
    merge->items[merge->count++] = item;
}

static void add_route(struct merge *merge, const struct entry *entry)
{
    const struct items *rules = &route_spec_of(entry)->rules;
    for (uint32_t i = 0; i < rules->count; i++) {
        const struct route_rule *rule = (const struct route_rule *)rules->at + i;
        struct xds_route made = rule_make(merge, entry, i);
        const struct route_match *matches = rule->matches.at;
        if (rule->matches.count == 0) {
            add(merge, entry, &made, NULL, i << 8);
        }
        for (uint32_t j = 0; j < rule->matches.count; j++) {
            add(merge, entry, &made, &matches[j], (i << 8) + j);
        }
    }
}

static struct xds_route_config config_make(struct compile *compile, struct span name,
                                           const struct xds_route *routes, uint32_t count)
{
    /* Routes are chosen by the original destination, never by the Host header (GEP-1294). */
    static const struct span any = {"*", 1};
    struct xds_virtual_host *host = ARENA_NEW(&compile->arena, struct xds_virtual_host);
    *host = (struct xds_virtual_host){.name = span_of(compile->service->host),
                                      .domains = &any,
                                      .domain_count = 1,
                                      .routes = routes,
                                      .route_count = count};
    return (struct xds_route_config){.name = name, .hosts = host, .host_count = 1};
}

struct xds_route_config route_config_make(struct compile *compile, const struct service_port *port,
                                          struct span name, const struct port_routes *group)
{
    struct merge merge = {.compile = compile, .port = port};
    for (uint32_t i = 0; i < group->bindings.count; i++) {
        const struct binding *binding = group->bindings.at[i];
        bool again = false; /* one route may name the service and the port twice */
        for (uint32_t j = 0; j < i; j++) {
            again |= ((const struct binding *)group->bindings.at[j])->route == binding->route;
        }
        if (!again) {
            add_route(&merge, binding->route);
        }
    }
    if (merge.count > 1) {
        qsort(merge.items, merge.count, sizeof(merge.items[0]), compare);
    }
    struct xds_route *routes = ARENA_ARRAY(&compile->arena, struct xds_route, merge.count);
    for (size_t i = 0; i < merge.count; i++) {
        routes[i] = merge.items[i].route;
    }
    mem_free(merge.items);
    return config_make(compile, name, routes, (uint32_t)merge.count);
}

struct xds_route_config route_config_implicit(struct compile *compile,
                                              const struct service_port *port, struct span name)
{
    struct arena *arena = &compile->arena;
    struct xds_weighted_cluster *cluster = ARENA_NEW(arena, struct xds_weighted_cluster);
    struct xds_route *route = ARENA_NEW(arena, struct xds_route);
    cluster->name = cluster_name_make(arena, compile->service, port->port);
    cluster->weight = 1;
    *route = (struct xds_route){.name = SPAN("default"),
                                .path_kind = XDS_PATH_ANY,
                                .clusters = cluster,
                                .cluster_count = 1};
    route_knobs_implicit(compile, port, arena, route);
    return config_make(compile, name, route, 1);
}

void tcp_clusters_make(struct compile *compile, const struct port_routes *group,
                       struct xds_listener *listener)
{
    const struct entry *oldest = NULL;
    for (uint32_t i = 0; i < group->bindings.count; i++) {
        const struct entry *each = ((const struct binding *)group->bindings.at[i])->route;
        if (oldest == NULL || object_older(each->object, oldest->object)) {
            oldest = each;
        }
    }
    const struct items *rules = &route_spec_of(oldest)->rules;
    if (rules->count == 0) {
        return;
    }
    const struct route_rule *rule = rules->at;
    struct xds_weighted_cluster *clusters =
        ARENA_ARRAY(&compile->arena, struct xds_weighted_cluster, rule->backends.count);
    bool usable;
    listener->tcp_cluster_count = clusters_make(compile, oldest, rule, clusters, &usable);
    listener->tcp_clusters = clusters;
}
