#include "lib/xds/xds_workload.h"

#include "lib/xds/wire_parts.h"

static void ports_write(struct arena *scratch, Remora__WorkloadConfig *message,
                        const struct xds_workload *workload)
{
    message->n_ports = workload->port_count;
    message->ports = ARENA_ARRAY(scratch, Remora__InboundPort *, workload->port_count);
    for (uint32_t i = 0; i < workload->port_count; i++) {
        const struct xds_inbound_port *from = &workload->ports[i];
        Remora__InboundPort *port = wire_new(scratch, &remora__inbound_port__descriptor);
        port->port = from->port;
        port->protocol = (Remora__Protocol)from->protocol;
        port->mode = (Remora__MtlsMode)from->mode;
        port->service = wire_string(scratch, from->service);
        message->ports[i] = port;
    }
}

struct span xds_workload_encode(const struct xds_workload *workload, struct arena *arena)
{
    struct arena scratch = {0};
    Remora__WorkloadConfig *message = wire_new(&scratch, &remora__workload_config__descriptor);
    message->trust_domain = wire_string(&scratch, workload->trust_domain);
    message->namespace_name = wire_string(&scratch, workload->namespace_name);
    message->service_account = wire_string(&scratch, workload->service_account);
    message->workload = wire_string(&scratch, workload->workload);
    message->version = wire_string(&scratch, workload->version);
    message->region = wire_string(&scratch, workload->region);
    message->zone = wire_string(&scratch, workload->zone);
    message->node = wire_string(&scratch, workload->node);
    ports_write(&scratch, message, workload);
    message->default_mode = (Remora__MtlsMode)workload->default_mode;
    message->egress_denied = workload->egress_denied;
    message->access_log = (Remora__WorkloadConfig__AccessLog)workload->access_log;
    message->access_log_text = workload->access_log_text;
    message->tracing_per_million = workload->tracing_per_million;
    message->renew_from = workload->renew_from;
    message->renew_to = workload->renew_to;
    message->certificate_lifetime_s = workload->certificate_lifetime_s;
    struct span bytes = wire_pack(arena, &message->base);
    arena_done(&scratch);
    return bytes;
}

static bool ports_read(struct wire_reader *reader, const Remora__WorkloadConfig *message,
                       struct xds_workload *ret)
{
    struct xds_inbound_port *ports =
        ARENA_ARRAY(reader->arena, struct xds_inbound_port, message->n_ports);
    for (size_t i = 0; i < message->n_ports; i++) {
        const Remora__InboundPort *from = message->ports[i];
        size_t path = wire_enter(reader, "ports", (long)i);
        if (!wire_in_range(reader, "port", from->port, 0, UINT16_MAX) ||
            !wire_in_range(reader, "protocol", from->protocol, 0, XDS_PROTOCOL_OPAQUE) ||
            !wire_in_range(reader, "mode", from->mode, 0, XDS_MTLS_PLAINTEXT)) {
            return false;
        }
        ports[i].port = (uint16_t)from->port;
        ports[i].protocol = (uint8_t)from->protocol;
        ports[i].mode = (uint8_t)from->mode;
        ports[i].service = wire_text(reader, from->service);
        wire_leave(reader, path);
    }
    ret->ports = ports;
    ret->port_count = wire_count(message->n_ports);
    return true;
}

static bool ports_differ(struct wire_reader *reader, const struct xds_workload *workload)
{
    bool *seen = ARENA_ARRAY(&reader->scratch, bool, UINT16_MAX + 1);
    for (uint32_t i = 0; i < workload->port_count; i++) {
        uint16_t port = workload->ports[i].port;
        if (seen[port]) {
            return wire_fail(reader, "ports[%u]: port %u twice", i, port);
        }
        seen[port] = true;
    }
    return true;
}

static bool renewal_read(struct wire_reader *reader, const Remora__WorkloadConfig *message,
                         struct xds_workload *ret)
{
    ret->renew_from = message->renew_from;
    ret->renew_to = message->renew_to;
    ret->certificate_lifetime_s = message->certificate_lifetime_s;
    /* Written so that a NaN fails too. */
    if (!(ret->renew_from > 0 && ret->renew_to >= ret->renew_from && ret->renew_to < 1)) {
        return wire_fail(reader, "renew_from, renew_to: not 0 < from <= to < 1");
    }
    return wire_in_range(reader, "certificate_lifetime_s", ret->certificate_lifetime_s, 1,
                         INT64_C(90) * 24 * 3600);
}

static bool workload_read(struct wire_reader *reader, const Remora__WorkloadConfig *message,
                          struct xds_workload *ret)
{
    if (message->trust_domain[0] == '\0' || message->namespace_name[0] == '\0' ||
        message->service_account[0] == '\0') {
        return wire_fail(reader, "trust_domain, namespace_name or service_account: empty");
    }
    if (!wire_in_range(reader, "default_mode", message->default_mode, 0, XDS_MTLS_PLAINTEXT) ||
        !wire_in_range(reader, "access_log", message->access_log, 0, XDS_ACCESS_LOG_ALL) ||
        !wire_in_range(reader, "tracing_per_million", message->tracing_per_million, 0, 1000000) ||
        !ports_read(reader, message, ret) || !ports_differ(reader, ret) ||
        !renewal_read(reader, message, ret)) {
        return false;
    }
    ret->trust_domain = wire_text(reader, message->trust_domain);
    ret->namespace_name = wire_text(reader, message->namespace_name);
    ret->service_account = wire_text(reader, message->service_account);
    ret->workload = wire_text(reader, message->workload);
    ret->version = wire_text(reader, message->version);
    ret->region = wire_text(reader, message->region);
    ret->zone = wire_text(reader, message->zone);
    ret->node = wire_text(reader, message->node);
    ret->default_mode = (uint8_t)message->default_mode;
    ret->egress_denied = message->egress_denied;
    ret->access_log = (uint8_t)message->access_log;
    ret->access_log_text = message->access_log_text;
    ret->tracing_per_million = message->tracing_per_million;
    return true;
}

bool xds_workload_decode(struct span bytes, struct arena *arena, struct xds_workload *ret,
                         struct xds_error *ret_error)
{
    struct wire_reader reader;
    wire_reader_init(&reader, arena, ret_error);
    const Remora__WorkloadConfig *message =
        wire_unpack(&reader, &remora__workload_config__descriptor, bytes);
    struct xds_workload workload = {0};
    bool good = message != NULL && workload_read(&reader, message, &workload);
    wire_reader_done(&reader);
    if (good) {
        *ret = workload;
    }
    return good;
}
