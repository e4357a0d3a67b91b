#include "control/model/compile.h"
#include "control/model/knobs.h"
#include "control/model/protocol.h"
#include "control/model/world_parts.h"

#include "lib/base/text.h"
#include "lib/xds/xds_cluster.h"
#include "lib/xds/xds_listener.h"
#include "lib/xds/xds_phone.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/*
 * An ExternalService: for each host one phone entry "external/NAMESPACE/NAME/HOST", and for each of
 * its ports a listener HOST:PORT, its route and its cluster.
 */
struct outside {
    struct world *world;
    struct entry *entry;
    const struct external_service_spec *spec;
    struct arena arena;
    struct span ca_pem;
};

enum { CA_FILE_BYTES = 1 << 20 };

static void put(struct outside *outside, enum xds_type type, struct span name, struct span bytes)
{
    resource_table_put(&outside->world->table, &outside->entry->products, type, name, SPAN_EMPTY,
                       bytes);
}

static uint8_t cluster_type(const struct external_service_spec *spec)
{
    switch (spec->resolution) {
    case RESOLUTION_STATIC:
        return XDS_CLUSTER_STATIC;
    case RESOLUTION_NONE:
        return XDS_CLUSTER_ORIGINAL_DST;
    default:
        return XDS_CLUSTER_STRICT_DNS;
    }
}

/* DNS: the host itself; Static: the addresses given; None: whatever the client dialled. */
static const struct xds_endpoints *inline_endpoints(struct outside *outside, struct span name,
                                                    struct span host, uint16_t port,
                                                    uint8_t protocol)
{
    const struct external_service_spec *spec = outside->spec;
    if (spec->resolution == RESOLUTION_NONE) {
        return NULL;
    }
    bool by_name = spec->resolution != RESOLUTION_STATIC;
    uint32_t count = by_name ? 1 : spec->addresses.count;
    struct xds_endpoint *endpoints = ARENA_ARRAY(&outside->arena, struct xds_endpoint, count);
    for (uint32_t i = 0; i < count; i++) {
        endpoints[i] = (struct xds_endpoint){
            .hostname = host, .weight = 1, .health = XDS_HEALTH_HEALTHY, .protocol = protocol};
        if (!by_name) {
            endpoints[i].address = spec->addresses.at[i];
        }
        endpoints[i].address.port = port;
    }
    struct xds_locality *locality = ARENA_NEW(&outside->arena, struct xds_locality);
    *locality = (struct xds_locality){.weight = 1, .endpoints = endpoints, .endpoint_count = count};
    struct xds_endpoints *all = ARENA_NEW(&outside->arena, struct xds_endpoints);
    *all = (struct xds_endpoints){.cluster = name, .localities = locality, .locality_count = 1};
    return all;
}

static void put_cluster(struct outside *outside, struct span name, struct span host,
                        const struct external_port *port)
{
    const struct external_service_spec *spec = outside->spec;
    struct xds_cluster cluster;
    struct traffic_policy_spec knobs;
    schema_clear(&traffic_defaults_schema, &knobs);
    if (mesh_spec_of(outside->world) != NULL) {
        schema_overlay(&traffic_defaults_schema, &knobs, &mesh_spec_of(outside->world)->defaults);
    }
    xds_cluster_init(&cluster);
    knobs_of_cluster(&knobs, &cluster);
    cluster.name = name;
    cluster.type = cluster_type(spec);
    cluster.protocol = (uint8_t)protocol_of_external(port->protocol);
    cluster.tls = XDS_TLS_NONE;
    cluster.service = outside->entry->object->meta.name;
    cluster.namespace_name = outside->entry->object->meta.namespace_name;
    cluster.host = host;
    cluster.port = (uint16_t)port->port;
    if (spec->tls.mode == EXTERNAL_TLS_ORIGINATE) {
        cluster.tls = XDS_TLS_ORIGINATE;
        cluster.sni = spec->tls.sni.length > 0 ? spec->tls.sni : host;
        cluster.ca_pem = outside->ca_pem;
    }
    cluster.inline_endpoints =
        inline_endpoints(outside, name, host, (uint16_t)port->port, cluster.protocol);
    put(outside, XDS_CLUSTER, name, xds_cluster_encode(&cluster, &outside->arena));
}

static void put_route(struct outside *outside, struct span name, struct span host)
{
    static const struct span any = {"*", 1};
    struct xds_weighted_cluster cluster = {.name = name, .weight = 1};
    struct xds_route route = {.name = SPAN("default"),
                              .path_kind = XDS_PATH_ANY,
                              .clusters = &cluster,
                              .cluster_count = 1,
                              .retry_limit = -1};
    struct xds_virtual_host virtual_host = {
        .name = host, .domains = &any, .domain_count = 1, .routes = &route, .route_count = 1};
    struct xds_route_config config = {.name = name, .hosts = &virtual_host, .host_count = 1};
    put(outside, XDS_ROUTE, name, xds_route_config_encode(&config, false, &outside->arena));
}

static void put_host(struct outside *outside, struct span host)
{
    struct arena *arena = &outside->arena;
    const struct external_service_spec *spec = outside->spec;
    const struct external_port *ports = spec->ports.at;
    const struct metadata *meta = &outside->entry->object->meta;
    struct xds_phone_port *lines = ARENA_ARRAY(arena, struct xds_phone_port, spec->ports.count);
    for (uint32_t i = 0; i < spec->ports.count; i++) {
        long long number = ports[i].port;
        uint8_t protocol = (uint8_t)protocol_of_external(ports[i].protocol);
        struct span name =
            span_of(arena_printf(arena, "outbound|%lld||%.*s", number, SPAN_ARG(host)));
        struct xds_weighted_cluster own = {.name = name, .weight = 1};
        struct xds_listener listener = {
            .name = span_of(arena_printf(arena, "%.*s:%lld", SPAN_ARG(host), number)),
            .route_name = name,
            .protocol = protocol,
            .tcp_clusters = &own,
            .tcp_cluster_count = 1};
        put_cluster(outside, name, host, &ports[i]);
        put_route(outside, name, host);
        put(outside, XDS_LISTENER, listener.name, xds_listener_encode(&listener, arena));
        lines[i] = (struct xds_phone_port){.port = (uint16_t)number, .protocol = protocol};
    }
    struct xds_phone_entry entry = {
        .name =
            span_of(arena_printf(arena, "external/%.*s/%.*s/%.*s", SPAN_ARG(meta->namespace_name),
                                 SPAN_ARG(meta->name), SPAN_ARG(host))),
        .host = host,
        .namespace_name = meta->namespace_name,
        .kind = XDS_PHONE_EXTERNAL,
        .addresses = spec->addresses.at,
        .address_count = spec->addresses.count,
        .hosts = &host,
        .host_count = 1,
        .ports = lines,
        .port_count = spec->ports.count};
    put(outside, XDS_PHONE, entry.name, xds_phone_encode(&entry, arena));
}

/* Only certificates leave this machine, whatever else the file that a manifest names may hold. */
static struct span certificates_of(struct span text, struct arena *arena)
{
    static const struct span begin = {"-----BEGIN CERTIFICATE-----", 27};
    static const struct span end = {"-----END CERTIFICATE-----", 25};
    struct text pem = {0};
    for (;;) {
        size_t from = span_find(text, begin);
        struct span rest = span_cut(text, from, text.length);
        size_t to = span_find(rest, end);
        if (to >= rest.length) {
            break;
        }
        text_add(&pem, span_cut(rest, 0, to + end.length));
        text_add_byte(&pem, '\n');
        text = span_cut(rest, to + end.length, rest.length);
    }
    struct span result = arena_span(arena, text_span(&pem));
    text_done(&pem);
    return result;
}

static struct span read_ca(const char *path, struct arena *arena)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return SPAN_EMPTY;
    }
    char *bytes = mem_alloc(CA_FILE_BYTES);
    size_t length = 0;
    ssize_t got;
    while (length < CA_FILE_BYTES && (got = read(fd, bytes + length, CA_FILE_BYTES - length)) > 0) {
        length += (size_t)got;
    }
    close(fd);
    struct span pem = certificates_of(span_make(bytes, length), arena);
    mem_free(bytes);
    return pem;
}

/* False: TLS cannot be originated as wanted, and it must not be with other roots instead. */
static bool load_ca(struct outside *outside)
{
    const struct external_tls *tls = &outside->spec->tls;
    if (tls->mode != EXTERNAL_TLS_ORIGINATE || tls->ca_file.length == 0) {
        return true;
    }
    outside->ca_pem = read_ca(arena_text(&outside->arena, tls->ca_file), &outside->arena);
    if (outside->ca_pem.length == 0) {
        conditions_set(&outside->entry->conditions, CONDITION_OF_OBJECT, CONDITION_PROGRAMMED,
                       false, "Invalid", "no certificate can be read from %.*s",
                       SPAN_ARG(tls->ca_file));
    }
    return outside->ca_pem.length > 0;
}

/* Names of services are not to be had: whoever may write an ExternalService would else take over
 * the traffic of any service (as in ISTIO-2026-002). */
static bool is_of_cluster(const struct world *world, struct span host)
{
    char text[CONTEST_BYTES];
    int length = snprintf(text, sizeof(text), ".svc.%s", world->cluster_domain);
    struct span services = span_make(text, (size_t)length);
    bool wildcard = span_starts_with(host, SPAN("*."));
    struct span tail = span_cut(host, wildcard ? 1 : 0, host.length);
    return span_ends_with(host, services) || span_equal_text(host, world->cluster_domain) ||
           span_equal_text(host, text + 1) || (wildcard && span_ends_with(services, tail));
}

static void compile_host(struct outside *outside, struct span host)
{
    char key[CONTEST_BYTES];
    struct entry *entry = outside->entry;
    const struct entry *winner = contest_winner(outside->world, contest_text("host", host, key));
    if (is_of_cluster(outside->world, host)) {
        conditions_set(&entry->conditions, CONDITION_OF_OBJECT, CONDITION_PROGRAMMED, false,
                       "Invalid", "host %.*s is inside the cluster", SPAN_ARG(host));
    } else if (winner != entry) {
        conditions_set(&entry->conditions, CONDITION_OF_OBJECT, CONDITION_PROGRAMMED, false,
                       "Conflicted", "host %.*s is that of %s", SPAN_ARG(host),
                       winner != NULL ? winner->key : "nobody");
    } else {
        put_host(outside, host);
    }
}

void external_compile(struct world *world, struct entry *entry)
{
    const struct external_service_body *body = entry->object->body;
    struct outside outside = {.world = world, .entry = entry, .spec = &body->spec};
    resource_table_begin(&entry->products);
    entry_judge_programmed(entry);
    bool good = load_ca(&outside);
    for (uint32_t i = 0; good && i < body->spec.hosts.count; i++) {
        compile_host(&outside, body->spec.hosts.at[i]);
    }
    resource_table_end(&world->table, &entry->products);
    arena_done(&outside.arena);
}
