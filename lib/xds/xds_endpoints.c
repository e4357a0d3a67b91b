#include "lib/xds/xds_endpoints.h"

#include "lib/base/map.h"
#include "lib/xds/wire_parts.h"

static Ep__LbEndpoint *endpoint_write(struct arena *scratch, const struct xds_endpoint *endpoint)
{
    Ep__Endpoint *inner = wire_new(scratch, &ep__endpoint__descriptor);
    inner->address = address_write(scratch, &endpoint->address, endpoint->hostname);
    if (endpoint->address.family != 0) {
        inner->hostname = wire_string(scratch, endpoint->hostname);
    }
    Ep__LbEndpoint *message = wire_new(scratch, &ep__lb_endpoint__descriptor);
    message->host_identifier_case = EP__LB_ENDPOINT__HOST_IDENTIFIER_ENDPOINT;
    message->endpoint = inner;
    message->health_status = endpoint->weight == 0 ? CORE__HEALTH_STATUS__DRAINING
                                                   : (Core__HealthStatus)endpoint->health;
    message->load_balancing_weight =
        wire_u32(scratch, endpoint->weight == 0 ? 1 : endpoint->weight);
    Remora__EndpointFacts *facts = endpoint_facts_write(scratch, endpoint);
    message->metadata = metadata_write(scratch, facts == NULL ? NULL : &facts->base);
    return message;
}

static Ep__LocalityLbEndpoints *locality_write(struct arena *scratch,
                                               const struct xds_locality *locality)
{
    Ep__LocalityLbEndpoints *message = wire_new(scratch, &ep__locality_lb_endpoints__descriptor);
    message->locality = wire_new(scratch, &core__locality__descriptor);
    message->locality->region = wire_string(scratch, locality->region);
    message->locality->zone = wire_string(scratch, locality->zone);
    message->locality->sub_zone = wire_string(scratch, locality->sub_zone);
    /* gRPC clients leave a locality without weight out. */
    message->load_balancing_weight =
        wire_u32(scratch, locality->weight == 0 ? 1 : locality->weight);
    message->priority = locality->priority;
    message->n_lb_endpoints = locality->endpoint_count;
    message->lb_endpoints = ARENA_ARRAY(scratch, Ep__LbEndpoint *, locality->endpoint_count);
    for (uint32_t i = 0; i < locality->endpoint_count; i++) {
        message->lb_endpoints[i] = endpoint_write(scratch, &locality->endpoints[i]);
    }
    return message;
}

Ep__ClusterLoadAssignment *endpoints_write(struct arena *scratch,
                                           const struct xds_endpoints *endpoints)
{
    Ep__ClusterLoadAssignment *message =
        wire_new(scratch, &ep__cluster_load_assignment__descriptor);
    message->cluster_name = wire_string(scratch, endpoints->cluster);
    message->n_endpoints = endpoints->locality_count;
    message->endpoints = ARENA_ARRAY(scratch, Ep__LocalityLbEndpoints *, endpoints->locality_count);
    for (uint32_t i = 0; i < endpoints->locality_count; i++) {
        message->endpoints[i] = locality_write(scratch, &endpoints->localities[i]);
    }
    return message;
}

struct span xds_endpoints_encode(const struct xds_endpoints *endpoints, struct arena *arena)
{
    struct arena scratch = {0};
    struct span bytes = wire_pack(arena, &endpoints_write(&scratch, endpoints)->base);
    arena_done(&scratch);
    return bytes;
}

static bool health_read(struct wire_reader *reader, Core__HealthStatus status, uint8_t *ret)
{
    switch (status) {
    case CORE__HEALTH_STATUS__UNKNOWN:
        *ret = XDS_HEALTH_UNKNOWN;
        return true;
    case CORE__HEALTH_STATUS__HEALTHY:
        *ret = XDS_HEALTH_HEALTHY;
        return true;
    case CORE__HEALTH_STATUS__DRAINING:
        *ret = XDS_HEALTH_DRAINING;
        return true;
    case CORE__HEALTH_STATUS__UNHEALTHY:
    case CORE__HEALTH_STATUS__TIMEOUT:
    case CORE__HEALTH_STATUS__DEGRADED: /* gRPC clients do not use these three either */
        *ret = XDS_HEALTH_UNHEALTHY;
        return true;
    default:
        return wire_fail(reader, "health_status: unknown value %d", (int)status);
    }
}

static bool endpoint_read(struct wire_reader *reader, const Ep__LbEndpoint *message,
                          bool names_allowed, struct xds_endpoint *ret)
{
    if (message->host_identifier_case != EP__LB_ENDPOINT__HOST_IDENTIFIER_ENDPOINT) {
        return wire_fail(reader, "endpoint: missing, or of a kind that is not supported");
    }
    Remora__EndpointFacts *facts;
    if (!address_read(reader, message->endpoint->address, &ret->address,
                      names_allowed ? &ret->hostname : NULL) ||
        !health_read(reader, message->health_status, &ret->health) ||
        !metadata_read(reader, message->metadata, &remora__endpoint_facts__descriptor, &facts) ||
        !endpoint_facts_read(reader, facts, ret)) {
        return false;
    }
    if (ret->address.port == 0) {
        return wire_fail(reader, "address.port_value: 0");
    }
    if (ret->address.family != 0) {
        ret->hostname = wire_text(reader, message->endpoint->hostname);
    }
    ret->weight =
        message->load_balancing_weight == NULL ? 1 : message->load_balancing_weight->value;
    return wire_in_range(reader, "load_balancing_weight", ret->weight, 1, UINT32_MAX);
}

static bool locality_read(struct wire_reader *reader, const Ep__LocalityLbEndpoints *message,
                          bool names_allowed, struct xds_locality *ret)
{
    if (message->locality != NULL) {
        ret->region = wire_text(reader, message->locality->region);
        ret->zone = wire_text(reader, message->locality->zone);
        ret->sub_zone = wire_text(reader, message->locality->sub_zone);
    }
    ret->priority = message->priority;
    ret->weight =
        message->load_balancing_weight == NULL ? 1 : message->load_balancing_weight->value;
    if (!wire_in_range(reader, "load_balancing_weight", ret->weight, 1, UINT32_MAX)) {
        return false;
    }
    struct xds_endpoint *endpoints =
        ARENA_ARRAY(reader->arena, struct xds_endpoint, message->n_lb_endpoints);
    uint64_t weights = 0;
    for (size_t i = 0; i < message->n_lb_endpoints; i++) {
        size_t path = wire_enter(reader, "lb_endpoints", (long)i);
        if (!endpoint_read(reader, message->lb_endpoints[i], names_allowed, &endpoints[i])) {
            return false;
        }
        wire_leave(reader, path);
        weights += endpoints[i].weight;
    }
    ret->endpoints = endpoints;
    ret->endpoint_count = wire_count(message->n_lb_endpoints);
    return weights <= UINT32_MAX || wire_fail(reader, "weights of the endpoints: sum above 2^32-1");
}

/* Same priority and place twice, or a priority left out (xDS: both refused by gRPC clients). */
static bool localities_check(struct wire_reader *reader, const struct xds_endpoints *endpoints)
{
    struct map places;
    map_init(&places);
    bool good = true;
    uint32_t highest = 0;
    for (uint32_t i = 0; good && i < endpoints->locality_count; i++) {
        const struct xds_locality *locality = &endpoints->localities[i];
        highest = locality->priority > highest ? locality->priority : highest;
        const char *key =
            arena_printf(&reader->scratch, "%u%c%.*s%c%.*s%c%.*s", locality->priority, '\n',
                         SPAN_ARG(locality->region), '\n', SPAN_ARG(locality->zone), '\n',
                         SPAN_ARG(locality->sub_zone));
        good = map_put(&places, span_of(key), (void *)locality) == NULL ||
               wire_fail(reader, "endpoints[%u]: the same locality and priority twice", i);
    }
    map_done(&places);
    if (good && endpoints->locality_count > 0 && highest >= endpoints->locality_count) {
        good = wire_fail(reader, "endpoints: priority %u, and some below it is left out", highest);
    }
    if (!good || endpoints->locality_count == 0) {
        return good;
    }
    bool *seen = ARENA_ARRAY(&reader->scratch, bool, highest + 1);
    for (uint32_t i = 0; i < endpoints->locality_count; i++) {
        seen[endpoints->localities[i].priority] = true;
    }
    for (uint32_t i = 0; i <= highest; i++) {
        if (!seen[i]) {
            return wire_fail(reader, "endpoints: priority %u is left out", i);
        }
    }
    return true;
}

static bool addresses_check(struct wire_reader *reader, const struct xds_endpoints *endpoints)
{
    struct map addresses;
    map_init(&addresses);
    bool good = true;
    for (uint32_t i = 0; good && i < endpoints->locality_count; i++) {
        const struct xds_locality *locality = &endpoints->localities[i];
        for (uint32_t j = 0; good && j < locality->endpoint_count; j++) {
            const struct xds_endpoint *endpoint = &locality->endpoints[j];
            char text[ADDRESS_TEXT_BYTES];
            if (endpoint->address.family == 0) {
                continue;
            }
            address_format(&endpoint->address, text);
            good = map_put(&addresses, span_make(&endpoint->address, sizeof endpoint->address),
                           (void *)endpoint) == NULL ||
                   wire_fail(reader, "endpoints[%u]: address %s twice", i, text);
        }
    }
    map_done(&addresses);
    return good;
}

bool endpoints_read(struct wire_reader *reader, const Ep__ClusterLoadAssignment *message,
                    bool names_allowed, struct xds_endpoints *ret)
{
    struct xds_endpoints endpoints = {0};
    if (message->cluster_name[0] == '\0') {
        return wire_fail(reader, "cluster_name: empty");
    }
    if (message->policy != NULL && message->policy->n_drop_overloads > 0) {
        return wire_fail(reader, "policy.drop_overloads: not supported");
    }
    endpoints.cluster = wire_text(reader, message->cluster_name);
    struct xds_locality *localities =
        ARENA_ARRAY(reader->arena, struct xds_locality, message->n_endpoints);
    for (size_t i = 0; i < message->n_endpoints; i++) {
        size_t path = wire_enter(reader, "endpoints", (long)i);
        if (!locality_read(reader, message->endpoints[i], names_allowed, &localities[i])) {
            return false;
        }
        wire_leave(reader, path);
    }
    endpoints.localities = localities;
    endpoints.locality_count = wire_count(message->n_endpoints);
    if (!localities_check(reader, &endpoints) || !addresses_check(reader, &endpoints)) {
        return false;
    }
    *ret = endpoints;
    return true;
}

bool xds_endpoints_decode(struct span bytes, struct arena *arena, struct xds_endpoints *ret,
                          struct xds_error *ret_error)
{
    struct wire_reader reader;
    wire_reader_init(&reader, arena, ret_error);
    const Ep__ClusterLoadAssignment *message =
        wire_unpack(&reader, &ep__cluster_load_assignment__descriptor, bytes);
    bool good = message != NULL && endpoints_read(&reader, message, false, ret);
    wire_reader_done(&reader);
    return good;
}
