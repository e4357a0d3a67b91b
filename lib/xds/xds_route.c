#include "lib/xds/xds_route.h"

#include "lib/base/map.h"
#include "lib/xds/wire_parts.h"

static Rt__Route *route_write(struct arena *scratch, const struct xds_route *route, bool for_grpc)
{
    Rt__Route *message = wire_new(scratch, &rt__route__descriptor);
    message->name = wire_string(scratch, route->name);
    message->match = route_match_write(scratch, route, for_grpc);
    struct header_lists request = header_changes_write(scratch, &route->request);
    message->n_request_headers_to_add = request.n_add;
    message->request_headers_to_add = request.add;
    message->n_request_headers_to_remove = request.n_remove;
    message->request_headers_to_remove = request.remove;
    struct header_lists response = header_changes_write(scratch, &route->response);
    message->n_response_headers_to_add = response.n_add;
    message->response_headers_to_add = response.add;
    message->n_response_headers_to_remove = response.n_remove;
    message->response_headers_to_remove = response.remove;
    route_action_write(scratch, message, route, for_grpc);
    return message;
}

/* gRPC clients have no prefix of whole segments: "/a" becomes path "/a" and prefix "/a/". */
static void segments_write(struct arena *scratch, Rt__VirtualHost *host,
                           const struct xds_route *route)
{
    struct xds_route split = *route;
    split.path_kind = XDS_PATH_EXACT;
    while (split.path.length > 1 && split.path.at[split.path.length - 1] == '/') {
        split.path.length--;
    }
    host->routes[host->n_routes++] = route_write(scratch, &split, true);
    split.path_kind = XDS_PATH_PREFIX;
    split.path = span_of(arena_printf(scratch, "%.*s/", SPAN_ARG(split.path)));
    host->routes[host->n_routes++] = route_write(scratch, &split, true);
}

static Rt__VirtualHost *host_write(struct arena *scratch, const struct xds_virtual_host *from,
                                   bool for_grpc)
{
    Rt__VirtualHost *host = wire_new(scratch, &rt__virtual_host__descriptor);
    host->name = wire_string(scratch, from->name);
    host->n_domains = from->domain_count;
    host->domains = wire_strings(scratch, from->domains, from->domain_count);
    host->routes = ARENA_ARRAY(scratch, Rt__Route *, (size_t)from->route_count * 2);
    for (uint32_t i = 0; i < from->route_count; i++) {
        const struct xds_route *route = &from->routes[i];
        bool root = span_equal(route->path, SPAN("/")) || route->path.length == 0;
        if (for_grpc && route->path_kind == XDS_PATH_SEGMENTS && !root) {
            segments_write(scratch, host, route);
        } else {
            host->routes[host->n_routes++] = route_write(scratch, route, for_grpc);
        }
    }
    return host;
}

struct span xds_route_config_encode(const struct xds_route_config *config, bool for_grpc,
                                    struct arena *arena)
{
    struct arena scratch = {0};
    Rt__RouteConfiguration *message = wire_new(&scratch, &rt__route_configuration__descriptor);
    message->name = wire_string(&scratch, config->name);
    message->n_virtual_hosts = config->host_count;
    message->virtual_hosts = ARENA_ARRAY(&scratch, Rt__VirtualHost *, config->host_count);
    for (uint32_t i = 0; i < config->host_count; i++) {
        message->virtual_hosts[i] = host_write(&scratch, &config->hosts[i], for_grpc);
    }
    struct span bytes = wire_pack(arena, &message->base);
    arena_done(&scratch);
    return bytes;
}

static bool route_read(struct wire_reader *reader, const Rt__Route *message, struct xds_route *ret)
{
    struct header_lists request = {
        message->n_request_headers_to_add, message->request_headers_to_add,
        message->n_request_headers_to_remove, message->request_headers_to_remove};
    struct header_lists response = {
        message->n_response_headers_to_add, message->response_headers_to_add,
        message->n_response_headers_to_remove, message->response_headers_to_remove};
    ret->name = wire_text(reader, message->name);
    return route_match_read(reader, message->match, ret) &&
           header_changes_read(reader, "request_headers", request, &ret->request) &&
           header_changes_read(reader, "response_headers", response, &ret->response) &&
           route_action_read(reader, message, ret);
}

static bool domains_read(struct wire_reader *reader, const Rt__VirtualHost *message,
                         struct xds_virtual_host *ret)
{
    if (message->n_domains == 0) {
        return wire_fail(reader, "domains: none");
    }
    for (size_t i = 0; i < message->n_domains; i++) {
        if (message->domains[i][0] == '\0') {
            return wire_fail(reader, "domains[%zu]: empty", i);
        }
    }
    ret->domains = wire_texts(reader, message->domains, message->n_domains);
    ret->domain_count = wire_count(message->n_domains);
    return true;
}

static bool host_read(struct wire_reader *reader, const Rt__VirtualHost *message,
                      struct xds_virtual_host *ret)
{
    if (message->n_request_headers_to_add > 0 || message->n_request_headers_to_remove > 0 ||
        message->n_response_headers_to_add > 0 || message->n_response_headers_to_remove > 0) {
        return wire_fail(reader, "header changes: supported on routes and weighted clusters only");
    }
    if (message->require_tls != RT__VIRTUAL_HOST__TLS_REQUIREMENT_TYPE__NONE ||
        message->retry_policy != NULL) {
        return wire_fail(reader, "require_tls, retry_policy: not supported here");
    }
    ret->name = wire_text(reader, message->name);
    if (!domains_read(reader, message, ret)) {
        return false;
    }
    struct xds_route *routes = ARENA_ARRAY(reader->arena, struct xds_route, message->n_routes);
    for (size_t i = 0; i < message->n_routes; i++) {
        size_t path = wire_enter(reader, "routes", (long)i);
        if (!route_read(reader, message->routes[i], &routes[i])) {
            return false;
        }
        wire_leave(reader, path);
    }
    ret->routes = routes;
    ret->route_count = wire_count(message->n_routes);
    return true;
}

/* The same domain in two hosts: which one is meant cannot be known. */
static bool domains_check(struct wire_reader *reader, const struct xds_route_config *config)
{
    struct map domains;
    map_init(&domains);
    bool good = true;
    for (uint32_t i = 0; good && i < config->host_count; i++) {
        for (uint32_t j = 0; good && j < config->hosts[i].domain_count; j++) {
            struct span domain = config->hosts[i].domains[j];
            good =
                map_put(&domains, domain, (void *)config) == NULL ||
                wire_fail(reader, "virtual_hosts[%u].domains: \"%.*s\" twice", i, SPAN_ARG(domain));
        }
    }
    map_done(&domains);
    return good;
}

static bool config_read(struct wire_reader *reader, const Rt__RouteConfiguration *message,
                        struct xds_route_config *ret)
{
    if (message->name[0] == '\0') {
        return wire_fail(reader, "name: empty");
    }
    if (message->n_request_headers_to_add > 0 || message->n_request_headers_to_remove > 0 ||
        message->n_response_headers_to_add > 0 || message->n_response_headers_to_remove > 0) {
        return wire_fail(reader, "header changes: supported on routes and weighted clusters only");
    }
    ret->name = wire_text(reader, message->name);
    struct xds_virtual_host *hosts =
        ARENA_ARRAY(reader->arena, struct xds_virtual_host, message->n_virtual_hosts);
    for (size_t i = 0; i < message->n_virtual_hosts; i++) {
        size_t path = wire_enter(reader, "virtual_hosts", (long)i);
        if (!host_read(reader, message->virtual_hosts[i], &hosts[i])) {
            return false;
        }
        wire_leave(reader, path);
    }
    ret->hosts = hosts;
    ret->host_count = wire_count(message->n_virtual_hosts);
    return domains_check(reader, ret);
}

bool xds_route_config_decode(struct span bytes, struct arena *arena, struct xds_route_config *ret,
                             struct xds_error *ret_error)
{
    struct wire_reader reader;
    wire_reader_init(&reader, arena, ret_error);
    const Rt__RouteConfiguration *message =
        wire_unpack(&reader, &rt__route_configuration__descriptor, bytes);
    struct xds_route_config config = {0};
    bool good = message != NULL && config_read(&reader, message, &config);
    wire_reader_done(&reader);
    if (good) {
        *ret = config;
    }
    return good;
}
