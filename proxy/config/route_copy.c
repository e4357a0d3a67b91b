#include "proxy/config/route_copy.h"

static struct xds_field_match *copy_matches(const struct xds_field_match *from, uint32_t count,
                                            struct arena *arena)
{
    struct xds_field_match *to = ARENA_ARRAY(arena, struct xds_field_match, count);
    for (uint32_t i = 0; i < count; i++) {
        to[i] = from[i];
        to[i].name = arena_span(arena, from[i].name);
        to[i].value = arena_span(arena, from[i].value);
    }
    return to;
}

static struct xds_header_changes copy_changes(struct xds_header_changes from, struct arena *arena)
{
    struct xds_header_change *items = ARENA_ARRAY(arena, struct xds_header_change, from.count);
    for (uint32_t i = 0; i < from.count; i++) {
        items[i] = from.items[i];
        items[i].name = arena_span(arena, from.items[i].name);
        items[i].value = arena_span(arena, from.items[i].value);
    }
    return (struct xds_header_changes){.items = items, .count = from.count};
}

static struct xds_weighted_cluster *copy_clusters(const struct xds_weighted_cluster *from,
                                                  uint32_t count, struct arena *arena)
{
    struct xds_weighted_cluster *to = ARENA_ARRAY(arena, struct xds_weighted_cluster, count);
    for (uint32_t i = 0; i < count; i++) {
        to[i].name = arena_span(arena, from[i].name);
        to[i].weight = from[i].weight;
        to[i].request = copy_changes(from[i].request, arena);
        to[i].response = copy_changes(from[i].response, arena);
    }
    return to;
}

static void copy_route(struct xds_route *to, const struct xds_route *from, struct arena *arena)
{
    *to = *from;
    struct span *const spans[] = {&to->name,          &to->path,     &to->rewrite_path,
                                  &to->rewrite_host,  &to->retry_on, &to->redirect_scheme,
                                  &to->redirect_host, &to->body};
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        *spans[i] = arena_span(arena, *spans[i]);
    }
    to->headers = copy_matches(from->headers, from->header_count, arena);
    to->queries = copy_matches(from->queries, from->query_count, arena);
    to->request = copy_changes(from->request, arena);
    to->response = copy_changes(from->response, arena);
    to->clusters = copy_clusters(from->clusters, from->cluster_count, arena);
}

static void copy_host(struct xds_virtual_host *to, const struct xds_virtual_host *from,
                      struct arena *arena)
{
    struct span *domains = ARENA_ARRAY(arena, struct span, from->domain_count);
    for (uint32_t i = 0; i < from->domain_count; i++) {
        domains[i] = arena_span(arena, from->domains[i]);
    }
    struct xds_route *routes = ARENA_ARRAY(arena, struct xds_route, from->route_count);
    for (uint32_t i = 0; i < from->route_count; i++) {
        copy_route(&routes[i], &from->routes[i], arena);
    }
    *to = *from;
    to->name = arena_span(arena, from->name);
    to->domains = domains;
    to->routes = routes;
}

struct xds_route_config *route_copy(const struct xds_route_config *from, struct arena *arena)
{
    struct xds_route_config *to = ARENA_NEW(arena, struct xds_route_config);
    struct xds_virtual_host *hosts = ARENA_ARRAY(arena, struct xds_virtual_host, from->host_count);
    for (uint32_t i = 0; i < from->host_count; i++) {
        copy_host(&hosts[i], &from->hosts[i], arena);
    }
    to->name = arena_span(arena, from->name);
    to->hosts = hosts;
    to->host_count = from->host_count;
    return to;
}
