#include "lib/xds/wire_parts.h"

enum { ALL_FLAGS = XDS_ENDPOINT_SIDECAR | XDS_ENDPOINT_HBONE | XDS_ENDPOINT_PERMISSIVE };

Remora__EndpointFacts *endpoint_facts_write(struct arena *scratch,
                                            const struct xds_endpoint *endpoint)
{
    if (endpoint->identity.length == 0 && endpoint->workload.length == 0 &&
        endpoint->version.length == 0 && endpoint->flags == 0 && endpoint->tunnel_port == 0 &&
        endpoint->mtls_port == 0 && endpoint->protocol == XDS_PROTOCOL_AUTO) {
        return NULL;
    }
    Remora__EndpointFacts *facts = wire_new(scratch, &remora__endpoint_facts__descriptor);
    facts->identity = wire_string(scratch, endpoint->identity);
    facts->workload = wire_string(scratch, endpoint->workload);
    facts->version = wire_string(scratch, endpoint->version);
    facts->flags = endpoint->flags;
    facts->tunnel_port = endpoint->tunnel_port;
    facts->mtls_port = endpoint->mtls_port;
    facts->protocol = (Remora__Protocol)endpoint->protocol;
    return facts;
}

bool endpoint_facts_read(struct wire_reader *reader, const Remora__EndpointFacts *facts,
                         struct xds_endpoint *ret)
{
    if (facts == NULL) {
        return true;
    }
    /* A flag of a newer control plane may demand something that this proxy cannot do. */
    if (!wire_in_range(reader, "flags", facts->flags, 0, ALL_FLAGS) ||
        !wire_in_range(reader, "tunnel_port", facts->tunnel_port, 0, UINT16_MAX) ||
        !wire_in_range(reader, "mtls_port", facts->mtls_port, 0, UINT16_MAX) ||
        !wire_in_range(reader, "protocol", facts->protocol, 0, XDS_PROTOCOL_OPAQUE)) {
        return false;
    }
    ret->identity = wire_text(reader, facts->identity);
    ret->workload = wire_text(reader, facts->workload);
    ret->version = wire_text(reader, facts->version);
    ret->flags = (uint8_t)facts->flags;
    ret->tunnel_port = (uint16_t)facts->tunnel_port;
    ret->mtls_port = (uint16_t)facts->mtls_port;
    ret->protocol = (uint8_t)facts->protocol;
    if ((ret->flags & XDS_ENDPOINT_SIDECAR) != 0 && ret->identity.length == 0) {
        return wire_fail(reader, "identity: empty, and the endpoint has a sidecar");
    }
    return true;
}
