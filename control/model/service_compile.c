#include "control/model/compile.h"
#include "control/model/endpoints.h"
#include "control/model/knobs.h"
#include "control/model/protocol.h"
#include "control/model/world_parts.h"

#include "lib/xds/xds_cluster.h"
#include "lib/xds/xds_listener.h"
#include "lib/xds/xds_phone.h"

#include <math.h>
#include <stdio.h>

/* Everything that proxies may ask for about one service. */
static void put(struct compile *compile, enum xds_type type, struct span name, struct span viewer,
                struct span bytes)
{
    resource_table_put(&compile->world->table, &compile->service->products, type, name, viewer,
                       bytes);
}

static void put_cluster(struct compile *compile, const struct service_port *port,
                        enum xds_protocol protocol, struct span name)
{
    const struct service *service = compile->service;
    struct traffic_policy_spec knobs;
    struct xds_cluster cluster;
    knobs_of_service(compile->world, service, port, &knobs);
    xds_cluster_init(&cluster);
    knobs_of_cluster(&knobs, &cluster);
    cluster.name = name;
    cluster.type = XDS_CLUSTER_EDS;
    cluster.tls = XDS_TLS_MESH;
    cluster.protocol = (uint8_t)protocol;
    cluster.service = service->name;
    cluster.namespace_name = service->namespace_name;
    cluster.host = span_of(service->host);
    cluster.port = (uint16_t)port->port;
    put(compile, XDS_CLUSTER, name, SPAN_EMPTY, xds_cluster_encode(&cluster, &compile->arena));
}

static void put_endpoints(struct compile *compile, const struct service_port *port,
                          struct span name)
{
    struct xds_endpoints endpoints = endpoints_of_port(compile, port, name);
    put(compile, XDS_ENDPOINTS, name, SPAN_EMPTY,
        xds_endpoints_encode(&endpoints, &compile->arena));
}

/* Virtual addresses that nobody older claims. */
static uint32_t virtual_addresses(const struct compile *compile, struct address *into)
{
    const struct service_spec *spec = service_spec_of(compile->service);
    uint32_t count = 0;
    char key[CONTEST_BYTES];
    for (uint32_t i = 0; i < 2; i++) {
        struct span text = i < spec->cluster_ips.count ? spec->cluster_ips.at[i]
                           : i == 0                    ? spec->cluster_ip
                                                       : SPAN_EMPTY;
        if (address_parse_ip(text, &into[count]) &&
            contest_winner(compile->world, contest_address(&into[count], key)) ==
                compile->service->entry) {
            count++;
        }
    }
    return count;
}

static uint16_t local_port_of(const struct compile *compile, int64_t port)
{
    struct entry *entry = compile->service->entry;
    uint16_t local = annotated_port(entry->object, "remora.dev/local-port", port);
    char number[8];
    char key[CONTEST_BYTES];
    snprintf(number, sizeof(number), "%u", local);
    bool ours = local != 0 &&
                contest_winner(compile->world, contest_text("port", span_of(number), key)) == entry;
    return ours ? local : 0;
}

/* One form of the listener and its routes: for everybody, or for one namespace's clients. */
static void put_routes(struct compile *compile, const struct service_port *port,
                       enum xds_protocol protocol, const struct port_routes *group)
{
    struct arena *arena = &compile->arena;
    struct address addresses[2];
    struct span viewer = group != NULL ? group->viewer : SPAN_EMPTY;
    struct span cluster_name = cluster_name_make(arena, compile->service, port->port);
    struct xds_weighted_cluster own = {.name = cluster_name, .weight = 1};
    struct xds_listener listener = {
        .name =
            span_of(arena_printf(arena, "%s:%lld", compile->service->host, (long long)port->port)),
        .route_name = cluster_name,
        .protocol = (uint8_t)protocol,
        .tcp_clusters = &own,
        .tcp_cluster_count = 1,
    };
    if (virtual_addresses(compile, addresses) > 0) {
        listener.address = addresses[0];
        listener.address.port = (uint16_t)port->port;
    }
    struct xds_route_config config;
    if (group != NULL && group->kind == KIND_TCP_ROUTE) {
        listener.protocol = XDS_PROTOCOL_OPAQUE;
        tcp_clusters_make(compile, group, &listener);
        config = route_config_implicit(compile, port, cluster_name);
    } else if (group != NULL) {
        config = route_config_make(compile, port, cluster_name, group);
    } else {
        config = route_config_implicit(compile, port, cluster_name);
    }
    put(compile, XDS_ROUTE, cluster_name, viewer, xds_route_config_encode(&config, false, arena));
    put(compile, XDS_LISTENER, listener.name, viewer, xds_listener_encode(&listener, arena));
}

static void compile_port(struct compile *compile, const struct service_port *port)
{
    enum xds_protocol protocol = protocol_of_port(compile->service->entry->object, port);
    struct span name = cluster_name_make(&compile->arena, compile->service, port->port);
    put_cluster(compile, port, protocol, name);
    put_endpoints(compile, port, name);
    struct port_route_groups groups = {0};
    const struct service_spec *spec = service_spec_of(compile->service);
    if (!service_is_headless(compile->service) && spec->type != SERVICE_EXTERNAL_NAME) {
        groups = routes_of_port(compile, port, protocol);
    }
    bool producer = false;
    for (uint32_t i = 0; i < groups.count; i++) {
        producer |= groups.groups[i].viewer.length == 0;
        put_routes(compile, port, protocol, &groups.groups[i]);
    }
    if (!producer) {
        put_routes(compile, port, protocol, NULL);
    }
    route_groups_done(&groups);
}

static void put_phone_entry(struct compile *compile)
{
    const struct service *service = compile->service;
    const struct items *ports = &service_spec_of(service)->ports;
    struct address addresses[2];
    struct xds_phone_port *lines =
        ARENA_ARRAY(&compile->arena, struct xds_phone_port, ports->count);
    struct xds_phone_entry entry = {
        .name = span_of(service->key),
        .host = span_of(service->host),
        .namespace_name = service->namespace_name,
        .kind = XDS_PHONE_SERVICE,
        .addresses = addresses,
        .address_count = virtual_addresses(compile, addresses),
        .ports = lines,
    };
    for (uint32_t i = 0; i < ports->count; i++) {
        const struct service_port *port = (const struct service_port *)ports->at + i;
        if (port_is_meshed(port)) {
            lines[entry.port_count++] = (struct xds_phone_port){
                .port = (uint16_t)port->port,
                .protocol = (uint8_t)protocol_of_port(service->entry->object, port),
                .local_port = local_port_of(compile, port->port)};
        }
    }
    put(compile, XDS_PHONE, entry.name, SPAN_EMPTY, xds_phone_encode(&entry, &compile->arena));
}

/* What older objects have already. */
static void judge_claims(struct compile *compile)
{
    struct entry *entry = compile->service->entry;
    const struct service_spec *spec = service_spec_of(compile->service);
    char key[CONTEST_BYTES];
    entry_judge_programmed(entry);
    for (uint32_t i = 0; i < 2; i++) {
        struct address address;
        struct span text = i < spec->cluster_ips.count ? spec->cluster_ips.at[i]
                           : i == 0                    ? spec->cluster_ip
                                                       : SPAN_EMPTY;
        const struct entry *winner =
            address_parse_ip(text, &address)
                ? contest_winner(compile->world, contest_address(&address, key))
                : entry;
        if (winner != entry) {
            conditions_set(&entry->conditions, CONDITION_OF_OBJECT, CONDITION_PROGRAMMED, false,
                           "Conflicted", "address %.*s is that of %s", SPAN_ARG(text),
                           winner != NULL ? winner->key : "nobody");
        }
    }
    for (uint32_t i = 0; i < spec->ports.count; i++) {
        int64_t port = ((const struct service_port *)spec->ports.at)[i].port;
        uint16_t local = annotated_port(entry->object, "remora.dev/local-port", port);
        if (local != 0 && local_port_of(compile, port) == 0) {
            conditions_set(&entry->conditions, CONDITION_OF_OBJECT, CONDITION_PROGRAMMED, false,
                           "Conflicted", "local port %u is another service's", local);
        }
    }
}

void service_compile(struct world *world, struct service *service)
{
    struct compile compile = {.world = world, .service = service};
    resource_table_begin(&service->products);
    routes_judge(&compile);
    if (service->entry != NULL) {
        const struct items *ports = &service_spec_of(service)->ports;
        for (uint32_t i = 0; i < ports->count; i++) {
            const struct service_port *port = (const struct service_port *)ports->at + i;
            if (port_is_meshed(port)) {
                compile_port(&compile, port);
            }
        }
        put_phone_entry(&compile);
        judge_claims(&compile);
    }
    resource_table_end(&world->table, &service->products);
    service_set_backends(world, service, &compile.backends);
    arena_done(&compile.arena);
}
