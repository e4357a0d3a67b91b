#include "lib/xds/wire_parts.h"

#include <string.h>

Core__Metadata *metadata_write(struct arena *scratch, const ProtobufCMessage *message)
{
    if (message == NULL) {
        return NULL;
    }
    Core__Metadata__TypedFilterMetadataEntry *entry =
        wire_new(scratch, &core__metadata__typed_filter_metadata_entry__descriptor);
    entry->key = (char *)REMORA_METADATA;
    entry->value = wire_any(scratch, message);
    Core__Metadata *metadata = wire_new(scratch, &core__metadata__descriptor);
    metadata->n_typed_filter_metadata = 1;
    metadata->typed_filter_metadata =
        ARENA_ARRAY(scratch, Core__Metadata__TypedFilterMetadataEntry *, 1);
    metadata->typed_filter_metadata[0] = entry;
    return metadata;
}

bool metadata_read(struct wire_reader *reader, const Core__Metadata *metadata,
                   const ProtobufCMessageDescriptor *type, void *ret_message)
{
    void *found = NULL;
    for (size_t i = 0; metadata != NULL && i < metadata->n_typed_filter_metadata; i++) {
        const Core__Metadata__TypedFilterMetadataEntry *entry = metadata->typed_filter_metadata[i];
        if (strcmp(entry->key, REMORA_METADATA) != 0) {
            continue;
        }
        size_t path = wire_enter(reader, "metadata." REMORA_METADATA, -1);
        found = wire_unpack_any(reader, type, entry->value);
        if (found == NULL) {
            return false;
        }
        wire_leave(reader, path);
    }
    memcpy(ret_message, &found, sizeof found);
    return true;
}

Core__ConfigSource *config_source_ads(struct arena *scratch)
{
    Core__ConfigSource *source = wire_new(scratch, &core__config_source__descriptor);
    source->config_source_specifier_case = CORE__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER_ADS;
    source->ads = wire_new(scratch, &core__aggregated_config_source__descriptor);
    source->resource_api_version = CORE__API_VERSION__V3;
    return source;
}

Core__Address *address_write(struct arena *scratch, const struct address *address, struct span name)
{
    Core__SocketAddress *socket = wire_new(scratch, &core__socket_address__descriptor);
    if (address->family == 0) {
        socket->address = wire_string(scratch, name);
    } else {
        socket->address = arena_alloc(scratch, ADDRESS_TEXT_BYTES);
        address_format_ip(address, socket->address);
    }
    socket->port_specifier_case = CORE__SOCKET_ADDRESS__PORT_SPECIFIER_PORT_VALUE;
    socket->port_value = address->port;
    Core__Address *message = wire_new(scratch, &core__address__descriptor);
    message->address_case = CORE__ADDRESS__ADDRESS_SOCKET_ADDRESS;
    message->socket_address = socket;
    return message;
}

bool address_read(struct wire_reader *reader, const Core__Address *message, struct address *ret,
                  struct span *ret_name)
{
    if (message == NULL || message->address_case != CORE__ADDRESS__ADDRESS_SOCKET_ADDRESS) {
        return wire_fail(reader, "address: only a socket_address is supported");
    }
    const Core__SocketAddress *socket = message->socket_address;
    if (socket->protocol != CORE__SOCKET_ADDRESS__PROTOCOL__TCP) {
        return wire_fail(reader, "address.protocol: only TCP is supported");
    }
    if (socket->port_specifier_case == CORE__SOCKET_ADDRESS__PORT_SPECIFIER_NAMED_PORT ||
        socket->resolver_name[0] != '\0') {
        return wire_fail(reader, "address: named ports and resolvers are not supported");
    }
    uint32_t port = socket->port_specifier_case == CORE__SOCKET_ADDRESS__PORT_SPECIFIER_PORT_VALUE
                        ? socket->port_value
                        : 0;
    if (!wire_in_range(reader, "address.port_value", port, 0, UINT16_MAX)) {
        return false;
    }
    struct address address = {0};
    struct span text = span_of(socket->address);
    if (!address_parse_ip(text, &address)) {
        if (ret_name == NULL || text.length == 0 || text.length > 253) {
            return wire_fail(reader, "address: \"%s\" is not an IP address", socket->address);
        }
        *ret_name = wire_text(reader, socket->address);
    }
    address.port = (uint16_t)port;
    *ret = address;
    return true;
}

char *backend_name_write(struct arena *scratch, struct span name)
{
    return name.length == 0 ? (char *)XDS_NO_CLUSTER : wire_string(scratch, name);
}

struct span backend_name_read(struct wire_reader *reader, const char *name)
{
    return strcmp(name, XDS_NO_CLUSTER) == 0 ? SPAN_EMPTY : wire_text(reader, name);
}
