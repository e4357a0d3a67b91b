#include "control/model/endpoints.h"
#include "control/model/protocol.h"
#include "control/model/transport.h"
#include "control/model/world_parts.h"

#include "certs/spiffe_id.h"

#include <stdlib.h>

struct collected {
    struct xds_endpoint endpoint;
    struct span region, zone;
    bool usable;      /* ready */
    bool second_best; /* serving, though on its way out */
};
struct collection {
    struct arena *arena;
    struct collected *items;
    size_t count, capacity;
};

static void collect(struct collection *collection, const struct collected *item)
{
    mem_grow(&collection->items, &collection->capacity, collection->count + 1,
             sizeof(collection->items[0]));
    collection->items[collection->count++] = *item;
}

int64_t target_port_of(const struct service_port *port, const struct workload_spec *workload)
{
    if (port->target_port.number != FIELD_UNSET) {
        return port->target_port.number;
    }
    if (port->target_port.name.length == 0) {
        return port->port;
    }
    for (uint32_t i = 0; i < workload->ports.count; i++) {
        if (span_equal(workload->ports.at[i].name, port->target_port.name)) {
            return workload->ports.at[i].port;
        }
    }
    return 0;
}

static struct span identity_of(const struct world *world, const struct entry *workload,
                               struct arena *arena)
{
    char into[SPIFFE_ID_BYTES + 1];
    struct spiffe_id id;
    struct span account = workload_spec_of(workload)->service_account;
    bool good = spiffe_id_make(span_of(world->trust_domain), workload->object->meta.namespace_name,
                               account.length > 0 ? account : SPAN("default"), into, &id);
    return good ? arena_span(arena, id.text) : SPAN_EMPTY;
}

static uint8_t flags_of(const struct world *world, const struct entry *workload, int64_t port)
{
    switch (transport_mode_of(world, workload, port)) {
    case TRANSPORT_PERMISSIVE:
        return XDS_ENDPOINT_SIDECAR | XDS_ENDPOINT_HBONE | XDS_ENDPOINT_PERMISSIVE;
    case TRANSPORT_PLAINTEXT:
        return 0;
    default:
        return XDS_ENDPOINT_SIDECAR | XDS_ENDPOINT_HBONE;
    }
}

struct xds_endpoint endpoint_of_workload(const struct world *world, const struct entry *workload,
                                         const struct address *address, int64_t port,
                                         uint8_t protocol, struct arena *arena)
{
    const struct workload_spec *spec = workload_spec_of(workload);
    const struct metadata *meta = &workload->object->meta;
    bool draining = spec->weight == 0 || meta->deletion_time.length > 0;
    struct xds_endpoint endpoint = {
        .address = *address,
        .workload = meta->name,
        .version = labels_get(&meta->labels, SPAN("version")),
        .weight = spec->weight > 0 ? (uint32_t)spec->weight : 1,
        .health = draining ? XDS_HEALTH_DRAINING : XDS_HEALTH_HEALTHY,
        .protocol = protocol,
    };
    endpoint.address.port = (uint16_t)port;
    if (endpoint.version.length == 0) {
        endpoint.version = labels_get(&meta->labels, SPAN("app.kubernetes.io/version"));
    }
    if (spec->sidecar != CHOICE_NO) {
        endpoint.flags = flags_of(world, workload, port);
    }
    if ((endpoint.flags & XDS_ENDPOINT_SIDECAR) != 0) {
        endpoint.identity = identity_of(world, workload, arena);
        endpoint.mtls_port = annotated_port(workload->object, "remora.dev/inbound-port", port);
        endpoint.tunnel_port = annotated_port(workload->object, "remora.dev/tunnel-port", port);
    }
    return endpoint;
}

/* The family of the first virtual address; 0 without one. */
static uint8_t family_of(const struct service_spec *spec)
{
    struct address address;
    struct span first = spec->cluster_ips.count > 0 ? spec->cluster_ips.at[0] : spec->cluster_ip;
    return address_parse_ip(first, &address) ? address.family : 0;
}

static const struct address *address_of(const struct workload_spec *workload, uint8_t family)
{
    for (uint32_t i = 0; i < workload->addresses.count; i++) {
        if (workload->addresses.at[i].family == family) {
            return &workload->addresses.at[i];
        }
    }
    return &workload->addresses.at[0];
}

static void collect_workloads(struct compile *compile, const struct service_port *port,
                              uint8_t protocol, struct collection *collection)
{
    const struct service_spec *spec = service_spec_of(compile->service);
    struct pointers workloads = {0};
    realm_selected(compile->service->realm, &spec->selector, &workloads);
    for (uint32_t i = 0; i < workloads.count; i++) {
        const struct entry *workload = workloads.at[i];
        const struct workload_spec *each = workload_spec_of(workload);
        int64_t number = target_port_of(port, each);
        if (number != 0) {
            struct collected item = {
                .region = each->locality.region, .zone = each->locality.zone, .usable = true};
            item.endpoint =
                endpoint_of_workload(compile->world, workload, address_of(each, family_of(spec)),
                                     number, protocol, collection->arena);
            collect(collection, &item);
        }
    }
    pointers_done(&workloads);
}

/* The workload behind a slice's address: the one it names, else one of its namespace that has the
 * address. An address outside (a database on a machine of its own) has none. */
static const struct entry *workload_behind(const struct compile *compile,
                                           const struct slice_endpoint *endpoint,
                                           const struct address *address)
{
    char into[TARGET_KEY_BYTES];
    struct span namespace_name = compile->service->namespace_name;
    if (endpoint->target.name.length > 0) {
        const struct entry *named =
            map_get(&compile->world->entries,
                    target_key_make(KIND_WORKLOAD, namespace_name, endpoint->target.name, into));
        if (named != NULL) {
            return named;
        }
    }
    const struct pointers *bag =
        map_get(&compile->world->addresses, contest_address(address, into));
    const struct entry *oldest = NULL;
    for (uint32_t i = 0; bag != NULL && i < bag->count; i++) {
        const struct entry *entry = bag->at[i];
        if (entry->object->kind == KIND_WORKLOAD &&
            span_equal(entry->object->meta.namespace_name, namespace_name) &&
            (oldest == NULL || object_older(entry->object, oldest->object))) {
            oldest = entry;
        }
    }
    return oldest;
}

static void collect_slice_endpoint(struct compile *compile, const struct slice_endpoint *from,
                                   int64_t number, uint8_t protocol, struct collection *collection)
{
    const struct slice_conditions *conditions = &from->conditions;
    struct collected item = {.zone = from->zone};
    bool terminating = conditions->terminating == CHOICE_YES;
    item.usable = conditions->ready != CHOICE_NO;
    item.second_best = conditions->serving != CHOICE_NO && terminating;
    for (uint32_t i = 0; i < from->addresses.count; i++) {
        const struct address *address = &from->addresses.at[i];
        const struct entry *workload = workload_behind(compile, from, address);
        if (workload != NULL) {
            const struct workload_locality *locality = &workload_spec_of(workload)->locality;
            item.region = locality->region;
            item.zone = from->zone.length > 0 ? from->zone : locality->zone;
            item.endpoint = endpoint_of_workload(compile->world, workload, address, number,
                                                 protocol, collection->arena);
        } else {
            item.endpoint = (struct xds_endpoint){.address = *address,
                                                  .weight = 1,
                                                  .workload = from->target.name,
                                                  .health = XDS_HEALTH_HEALTHY,
                                                  .protocol = protocol};
            item.endpoint.address.port = (uint16_t)number;
        }
        collect(collection, &item);
    }
}

/* A slice's port is matched by name; without a number it stands for all ports. */
static int64_t slice_port_number(const struct endpoint_slice_body *slice,
                                 const struct service_port *port)
{
    const struct slice_port *ports = slice->ports.at;
    for (uint32_t i = 0; i < slice->ports.count; i++) {
        if (span_equal(ports[i].name, port->name) &&
            (ports[i].protocol == 0 || ports[i].protocol == IP_PROTOCOL_TCP)) {
            return ports[i].port != FIELD_UNSET ? ports[i].port : port->port;
        }
    }
    return 0;
}

static bool any_slice_of(const struct service *service, uint8_t family)
{
    for (uint32_t i = 0; i < service->slices.count; i++) {
        const struct entry *entry = service->slices.at[i];
        const struct endpoint_slice_body *slice = entry->object->body;
        if (slice->address_type == (family == 6 ? 2 : 1)) {
            return true;
        }
    }
    return false;
}

static void collect_slices(struct compile *compile, const struct service_port *port,
                           uint8_t protocol, struct collection *collection)
{
    const struct service *service = compile->service;
    uint8_t family = family_of(service_spec_of(service));
    bool of_family = family != 0 && any_slice_of(service, family);
    for (uint32_t i = 0; i < service->slices.count; i++) {
        const struct entry *entry = service->slices.at[i];
        const struct endpoint_slice_body *slice = entry->object->body;
        int64_t number = slice_port_number(slice, port);
        bool wanted = !of_family || slice->address_type == (family == 6 ? 2 : 1);
        const struct slice_endpoint *endpoints = slice->endpoints.at;
        for (uint32_t j = 0; number != 0 && wanted && j < slice->endpoints.count; j++) {
            collect_slice_endpoint(compile, &endpoints[j], number, protocol, collection);
        }
    }
}

static int compare_address(const struct address *a, const struct address *b)
{
    struct span bytes_a = span_make(a->bytes, sizeof(a->bytes));
    struct span bytes_b = span_make(b->bytes, sizeof(b->bytes));
    if (a->family != b->family) {
        return a->family < b->family ? -1 : 1;
    }
    int order = span_compare(bytes_a, bytes_b);
    return order != 0 ? order : (int)a->port - (int)b->port;
}

/* By place, then address; of one address the ready copy first, then the name that sorts first. */
static int compare(const void *left, const void *right)
{
    const struct collected *a = left;
    const struct collected *b = right;
    int order = span_compare(a->region, b->region);
    if (order == 0) {
        order = span_compare(a->zone, b->zone);
    }
    if (order == 0) {
        order = compare_address(&a->endpoint.address, &b->endpoint.address);
    }
    if (order == 0) {
        order = (int)b->usable - (int)a->usable;
    }
    return order != 0 ? order : span_compare(a->endpoint.workload, b->endpoint.workload);
}

/* kube-proxy's rule: the ready ones; with none at all, those that still serve while they go. */
static size_t keep_usable(struct collection *collection)
{
    size_t kept = 0;
    bool any = false;
    for (size_t i = 0; i < collection->count; i++) {
        any |= collection->items[i].usable;
    }
    for (size_t i = 0; i < collection->count; i++) {
        struct collected *item = &collection->items[i];
        bool wanted = any ? item->usable : item->second_best;
        bool twice = kept > 0 && address_equal(&collection->items[kept - 1].endpoint.address,
                                               &item->endpoint.address);
        if (wanted && !twice) {
            collection->items[kept++] = *item;
        }
    }
    return kept;
}

static struct xds_endpoints group(struct collection *collection, struct span cluster)
{
    struct arena *arena = collection->arena;
    size_t count = collection->count;
    struct xds_endpoint *endpoints = ARENA_ARRAY(arena, struct xds_endpoint, count);
    struct xds_locality *localities = ARENA_ARRAY(arena, struct xds_locality, count);
    uint32_t groups = 0;
    for (size_t i = 0; i < count; i++) {
        const struct collected *item = &collection->items[i];
        struct xds_locality *last = groups > 0 ? &localities[groups - 1] : NULL;
        endpoints[i] = item->endpoint;
        if (last == NULL || !span_equal(last->region, item->region) ||
            !span_equal(last->zone, item->zone)) {
            last = &localities[groups++];
            last->region = item->region;
            last->zone = item->zone;
            last->endpoints = &endpoints[i];
        }
        last->endpoint_count++;
        last->weight += item->endpoint.weight;
    }
    return (struct xds_endpoints){
        .cluster = cluster, .localities = localities, .locality_count = groups};
}

struct xds_endpoints endpoints_of_port(struct compile *compile, const struct service_port *port,
                                       struct span cluster)
{
    struct collection collection = {.arena = &compile->arena};
    uint8_t protocol = (uint8_t)protocol_of_port(compile->service->entry->object, port);
    if (compile->service->slices.count > 0) {
        collect_slices(compile, port, protocol, &collection);
    } else {
        collect_workloads(compile, port, protocol, &collection);
    }
    if (collection.count > 1) {
        qsort(collection.items, collection.count, sizeof(collection.items[0]), compare);
    }
    collection.count = keep_usable(&collection);
    struct xds_endpoints endpoints = group(&collection, cluster);
    mem_free(collection.items);
    return endpoints;
}
