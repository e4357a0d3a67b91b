#include "lib/xds/xds_phone.h"

#include "lib/base/check.h"
#include "lib/xds/wire_parts.h"

static ProtobufCBinaryData ip_write(struct arena *scratch, const struct address *address)
{
    CHECK(address->family == 4 || address->family == 6);
    return wire_binary(scratch, span_make(address->bytes, address->family == 4 ? 4 : 16));
}

static bool ip_read(struct wire_reader *reader, const char *field, ProtobufCBinaryData bytes,
                    struct address *ret)
{
    struct sockaddr_storage storage;
    struct address address = {0};
    if (bytes.len != 4 && bytes.len != 16) {
        return wire_fail(reader, "%s: %zu bytes, an IP address has 4 or 16", field, bytes.len);
    }
    address.family = bytes.len == 4 ? 4 : 6;
    for (size_t i = 0; i < bytes.len; i++) {
        address.bytes[i] = bytes.data[i];
    }
    /* Over the socket form, so that an IPv4 address in IPv6 clothes gets its one spelling. */
    address_to_sockaddr(&address, false, &storage);
    return address_from_sockaddr((struct sockaddr *)&storage, ret) ||
           wire_fail(reader, "%s: not an IP address", field);
}

static void ports_write(struct arena *scratch, Remora__PhoneEntry *message,
                        const struct xds_phone_entry *entry)
{
    message->n_ports = entry->port_count;
    message->ports = ARENA_ARRAY(scratch, Remora__PhonePort *, entry->port_count);
    for (uint32_t i = 0; i < entry->port_count; i++) {
        Remora__PhonePort *port = wire_new(scratch, &remora__phone_port__descriptor);
        port->port = entry->ports[i].port;
        port->protocol = (Remora__Protocol)entry->ports[i].protocol;
        port->local_port = entry->ports[i].local_port;
        message->ports[i] = port;
    }
}

static Remora__WorkloadEndpoint *workload_write(struct arena *scratch,
                                                const struct xds_endpoint *endpoint)
{
    Remora__WorkloadEndpoint *message = wire_new(scratch, &remora__workload_endpoint__descriptor);
    message->address = ip_write(scratch, &endpoint->address);
    message->port = endpoint->address.port;
    message->facts = endpoint_facts_write(scratch, endpoint);
    return message;
}

struct span xds_phone_encode(const struct xds_phone_entry *entry, struct arena *arena)
{
    struct arena scratch = {0};
    Remora__PhoneEntry *message = wire_new(&scratch, &remora__phone_entry__descriptor);
    message->name = wire_string(&scratch, entry->name);
    message->host = wire_string(&scratch, entry->host);
    message->namespace_name = wire_string(&scratch, entry->namespace_name);
    message->kind = (Remora__PhoneEntry__Kind)entry->kind;
    message->n_addresses = entry->address_count;
    message->addresses = ARENA_ARRAY(&scratch, ProtobufCBinaryData, entry->address_count);
    for (uint32_t i = 0; i < entry->address_count; i++) {
        message->addresses[i] = ip_write(&scratch, &entry->addresses[i]);
    }
    message->n_hosts = entry->host_count;
    message->hosts = wire_strings(&scratch, entry->hosts, entry->host_count);
    ports_write(&scratch, message, entry);
    if (entry->kind == XDS_PHONE_WORKLOAD) {
        message->workload = workload_write(&scratch, &entry->workload);
    }
    struct span bytes = wire_pack(arena, &message->base);
    arena_done(&scratch);
    return bytes;
}

static bool ports_read(struct wire_reader *reader, const Remora__PhoneEntry *message,
                       struct xds_phone_entry *ret)
{
    struct xds_phone_port *ports =
        ARENA_ARRAY(reader->arena, struct xds_phone_port, message->n_ports);
    for (size_t i = 0; i < message->n_ports; i++) {
        const Remora__PhonePort *port = message->ports[i];
        size_t path = wire_enter(reader, "ports", (long)i);
        if (!wire_in_range(reader, "port", port->port, 1, UINT16_MAX) ||
            !wire_in_range(reader, "protocol", port->protocol, 0, XDS_PROTOCOL_OPAQUE) ||
            !wire_in_range(reader, "local_port", port->local_port, 0, UINT16_MAX)) {
            return false;
        }
        wire_leave(reader, path);
        ports[i] = (struct xds_phone_port){(uint16_t)port->port, (uint8_t)port->protocol,
                                           (uint16_t)port->local_port};
    }
    ret->ports = ports;
    ret->port_count = wire_count(message->n_ports);
    return true;
}

static bool addresses_read(struct wire_reader *reader, const Remora__PhoneEntry *message,
                           struct xds_phone_entry *ret)
{
    struct address *addresses = ARENA_ARRAY(reader->arena, struct address, message->n_addresses);
    for (size_t i = 0; i < message->n_addresses; i++) {
        size_t path = wire_enter(reader, "addresses", (long)i);
        if (!ip_read(reader, "address", message->addresses[i], &addresses[i])) {
            return false;
        }
        wire_leave(reader, path);
    }
    ret->addresses = addresses;
    ret->address_count = wire_count(message->n_addresses);
    return true;
}

static bool workload_read(struct wire_reader *reader, const Remora__WorkloadEndpoint *message,
                          struct xds_endpoint *ret)
{
    size_t path = wire_enter(reader, "workload", -1);
    if (message == NULL) {
        return wire_fail(reader, "missing");
    }
    if (!ip_read(reader, "address", message->address, &ret->address) ||
        !wire_in_range(reader, "port", message->port, 0, UINT16_MAX) ||
        !endpoint_facts_read(reader, message->facts, ret)) {
        return false;
    }
    ret->address.port = (uint16_t)message->port;
    ret->weight = 1;
    wire_leave(reader, path);
    return true;
}

static bool entry_read(struct wire_reader *reader, const Remora__PhoneEntry *message,
                       struct xds_phone_entry *ret)
{
    if (message->name[0] == '\0') {
        return wire_fail(reader, "name: empty");
    }
    ret->name = wire_text(reader, message->name);
    ret->host = wire_text(reader, message->host);
    ret->namespace_name = wire_text(reader, message->namespace_name);
    ret->hosts = wire_texts(reader, message->hosts, message->n_hosts);
    ret->host_count = wire_count(message->n_hosts);
    if (!wire_in_range(reader, "kind", message->kind, 0, XDS_PHONE_WORKLOAD) ||
        !addresses_read(reader, message, ret) || !ports_read(reader, message, ret)) {
        return false;
    }
    ret->kind = (uint8_t)message->kind;
    if (ret->kind == XDS_PHONE_WORKLOAD) {
        return workload_read(reader, message->workload, &ret->workload);
    }
    return ret->host.length > 0 || wire_fail(reader, "host: empty");
}

bool xds_phone_decode(struct span bytes, struct arena *arena, struct xds_phone_entry *ret,
                      struct xds_error *ret_error)
{
    struct wire_reader reader;
    wire_reader_init(&reader, arena, ret_error);
    const Remora__PhoneEntry *message =
        wire_unpack(&reader, &remora__phone_entry__descriptor, bytes);
    struct xds_phone_entry entry = {0};
    bool good = message != NULL && entry_read(&reader, message, &entry);
    wire_reader_done(&reader);
    if (good) {
        *ret = entry;
    }
    return good;
}
