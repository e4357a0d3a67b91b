#include "proxy/config/workload_config.h"

#include "lib/base/memory.h"

#include <stdio.h>

static bool bad(struct xds_error *ret_error, const char *text, unsigned number)
{
    snprintf(ret_error->text, sizeof(ret_error->text), "workload: %s (%u)", text, number);
    return false;
}

static bool check_ports(const struct xds_workload *facts, struct xds_error *ret_error)
{
    uint64_t seen[(UINT16_MAX + 1) / 64] = {0};
    for (uint32_t i = 0; i < facts->port_count; i++) {
        const struct xds_inbound_port *port = &facts->ports[i];
        if (port->mode > XDS_MTLS_PLAINTEXT || port->protocol > XDS_PROTOCOL_OPAQUE) {
            return bad(ret_error, "unknown mode or protocol of port", port->port);
        }
        uint64_t bit = UINT64_C(1) << (port->port % 64);
        if ((seen[port->port / 64] & bit) != 0) {
            return bad(ret_error, "port is listed twice", port->port);
        }
        seen[port->port / 64] |= bit;
    }
    return true;
}

static bool check(const struct xds_workload *facts, struct xds_error *ret_error)
{
    if (facts->default_mode > XDS_MTLS_PLAINTEXT || facts->access_log > XDS_ACCESS_LOG_ALL) {
        return bad(ret_error, "unknown mode", facts->default_mode);
    }
    if (!(facts->renew_from > 0 && facts->renew_from <= facts->renew_to && facts->renew_to < 1)) {
        return bad(ret_error, "renewal is no part of a certificate's life", 0);
    }
    if (facts->tracing_per_million > 1000000) {
        return bad(ret_error, "more than all requests are traced", facts->tracing_per_million);
    }
    return check_ports(facts, ret_error);
}

struct workload_config *workload_config_create(const struct xds_workload *facts,
                                               struct xds_error *ret_error)
{
    if (!check(facts, ret_error)) {
        return NULL;
    }
    struct workload_config *workload = NEW(struct workload_config);
    struct arena *arena = &workload->arena;
    refcount_init(&workload->references);
    arena_init(arena);
    workload->facts = *facts;
    struct xds_workload *own = &workload->facts;
    struct span *const spans[] = {&own->trust_domain,
                                  &own->namespace_name,
                                  &own->service_account,
                                  &own->workload,
                                  &own->version,
                                  &own->region,
                                  &own->zone,
                                  &own->node};
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        *spans[i] = arena_span(arena, *spans[i]);
    }
    struct xds_inbound_port *ports = ARENA_ARRAY(arena, struct xds_inbound_port, own->port_count);
    for (uint32_t i = 0; i < own->port_count; i++) {
        ports[i] = facts->ports[i];
        ports[i].service = arena_span(arena, ports[i].service);
    }
    own->ports = ports;
    return workload;
}

struct workload_config *workload_config_ref(struct workload_config *workload)
{
    refcount_up(&workload->references);
    return workload;
}

void workload_config_unref(struct workload_config *workload)
{
    if (workload != NULL && refcount_down(&workload->references)) {
        arena_done(&workload->arena);
        mem_free(workload);
    }
}

bool workload_config_has_port(const struct workload_config *workload, uint16_t port)
{
    for (uint32_t i = 0; i < workload->facts.port_count; i++) {
        if (port != 0 && workload->facts.ports[i].port == port) {
            return true;
        }
    }
    return false;
}

struct xds_inbound_port workload_config_port(const struct workload_config *workload, uint16_t port)
{
    struct xds_inbound_port found = {.port = port, .mode = workload->facts.default_mode};
    for (uint32_t i = 0; i < workload->facts.port_count; i++) {
        const struct xds_inbound_port *line = &workload->facts.ports[i];
        if (line->port == port) {
            return *line;
        }
        if (line->port == 0) {
            found = *line;
            found.port = port;
        }
    }
    return found;
}
