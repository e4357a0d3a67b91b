#include "lib/xds/discovery_parts.h"

#include "envoy/service/discovery/v3/discovery.pb-c.h"

/* The value is packed from where it is: the resource is the large part of a response. */
static Pb__Any *any_write(struct arena *scratch, const struct xds_resource *resource)
{
    Pb__Any *any = wire_new(scratch, &pb__any__descriptor);
    any->type_url = wire_string(scratch, resource->type_url);
    any->value.len = resource->value.length;
    any->value.data = (uint8_t *)(uintptr_t)resource->value.at;
    return any;
}

static Core__ControlPlane *control_plane_write(struct arena *scratch, struct span identifier)
{
    if (identifier.length == 0) {
        return NULL;
    }
    Core__ControlPlane *message = wire_new(scratch, &core__control_plane__descriptor);
    message->identifier = wire_string(scratch, identifier);
    return message;
}

static Disc__ResourceError **errors_write(struct arena *scratch,
                                          const struct xds_response *response)
{
    Disc__ResourceError **errors =
        ARENA_ARRAY(scratch, Disc__ResourceError *, response->error_count);
    for (uint32_t i = 0; i < response->error_count; i++) {
        Disc__ResourceError *error = wire_new(scratch, &disc__resource_error__descriptor);
        error->resource_name = wire_new(scratch, &disc__resource_name__descriptor);
        error->resource_name->name = wire_string(scratch, response->errors[i].name);
        error->error_detail = wire_new(scratch, &rpc__status__descriptor);
        error->error_detail->code = response->errors[i].code;
        error->error_detail->message = wire_string(scratch, response->errors[i].message);
        errors[i] = error;
    }
    return errors;
}

static ProtobufCMessage *sotw_write(struct arena *scratch, const struct xds_response *response)
{
    Disc__DiscoveryResponse *message = wire_new(scratch, &disc__discovery_response__descriptor);
    message->version_info = wire_string(scratch, response->version);
    message->type_url = wire_string(scratch, response->type_url);
    message->nonce = wire_string(scratch, response->nonce);
    message->control_plane = control_plane_write(scratch, response->control_plane);
    message->n_resources = response->resource_count;
    message->resources = ARENA_ARRAY(scratch, Pb__Any *, response->resource_count);
    for (uint32_t i = 0; i < response->resource_count; i++) {
        message->resources[i] = any_write(scratch, &response->resources[i]);
    }
    message->n_resource_errors = response->error_count;
    message->resource_errors = errors_write(scratch, response);
    return &message->base;
}

static ProtobufCMessage *delta_write(struct arena *scratch, const struct xds_response *response)
{
    Disc__DeltaDiscoveryResponse *message =
        wire_new(scratch, &disc__delta_discovery_response__descriptor);
    message->system_version_info = wire_string(scratch, response->version);
    message->type_url = wire_string(scratch, response->type_url);
    message->nonce = wire_string(scratch, response->nonce);
    message->control_plane = control_plane_write(scratch, response->control_plane);
    message->n_resources = response->resource_count;
    message->resources = ARENA_ARRAY(scratch, Disc__Resource *, response->resource_count);
    for (uint32_t i = 0; i < response->resource_count; i++) {
        Disc__Resource *resource = wire_new(scratch, &disc__resource__descriptor);
        resource->name = wire_string(scratch, response->resources[i].name);
        resource->version = wire_string(scratch, response->resources[i].version);
        resource->resource = any_write(scratch, &response->resources[i]);
        message->resources[i] = resource;
    }
    message->n_removed_resources = response->removed_count;
    message->removed_resources = wire_strings(scratch, response->removed, response->removed_count);
    message->n_resource_errors = response->error_count;
    message->resource_errors = errors_write(scratch, response);
    return &message->base;
}

struct span xds_response_encode(const struct xds_response *response, bool delta,
                                struct arena *arena)
{
    struct arena scratch = {0};
    const ProtobufCMessage *message =
        delta ? delta_write(&scratch, response) : sotw_write(&scratch, response);
    struct span bytes = wire_pack(arena, message);
    arena_done(&scratch);
    return bytes;
}

static void any_read(struct wire_reader *reader, const Pb__Any *any, struct xds_resource *ret)
{
    if (any != NULL) {
        ret->type_url = wire_text(reader, any->type_url);
        ret->value = wire_bytes(reader, any->value);
    }
}

static void wrapped_read(struct wire_reader *reader, const Disc__Resource *resource,
                         struct xds_resource *ret)
{
    ret->name = wire_text(reader, resource->name);
    ret->version = wire_text(reader, resource->version);
    any_read(reader, resource->resource, ret);
}

static void errors_read(struct wire_reader *reader, Disc__ResourceError **errors, size_t count,
                        struct xds_response *ret)
{
    struct xds_resource_error *out = ARENA_ARRAY(reader->arena, struct xds_resource_error, count);
    for (size_t i = 0; i < count; i++) {
        if (errors[i]->resource_name != NULL) {
            out[i].name = wire_text(reader, errors[i]->resource_name->name);
        }
        if (errors[i]->error_detail != NULL) {
            out[i].code = errors[i]->error_detail->code;
            out[i].message = wire_text(reader, errors[i]->error_detail->message);
        }
    }
    ret->errors = out;
    ret->error_count = wire_count(count);
}

static bool sotw_read(struct wire_reader *reader, const Disc__DiscoveryResponse *message,
                      struct xds_response *ret)
{
    ret->version = wire_text(reader, message->version_info);
    ret->type_url = wire_text(reader, message->type_url);
    ret->nonce = wire_text(reader, message->nonce);
    if (message->control_plane != NULL) {
        ret->control_plane = wire_text(reader, message->control_plane->identifier);
    }
    struct xds_resource *resources =
        ARENA_ARRAY(reader->arena, struct xds_resource, message->n_resources);
    for (size_t i = 0; i < message->n_resources; i++) {
        const Pb__Any *any = message->resources[i];
        if (!wire_any_is(any, &disc__resource__descriptor)) {
            any_read(reader, any, &resources[i]);
            continue;
        }
        size_t path = wire_enter(reader, "resources", (long)i);
        const Disc__Resource *wrapped = wire_unpack_any(reader, &disc__resource__descriptor, any);
        if (wrapped == NULL) {
            return false;
        }
        wrapped_read(reader, wrapped, &resources[i]);
        wire_leave(reader, path);
    }
    ret->resources = resources;
    ret->resource_count = wire_count(message->n_resources);
    errors_read(reader, message->resource_errors, message->n_resource_errors, ret);
    return true;
}

static bool delta_read(struct wire_reader *reader, const Disc__DeltaDiscoveryResponse *message,
                       struct xds_response *ret)
{
    ret->version = wire_text(reader, message->system_version_info);
    ret->type_url = wire_text(reader, message->type_url);
    ret->nonce = wire_text(reader, message->nonce);
    if (message->control_plane != NULL) {
        ret->control_plane = wire_text(reader, message->control_plane->identifier);
    }
    struct xds_resource *resources =
        ARENA_ARRAY(reader->arena, struct xds_resource, message->n_resources);
    for (size_t i = 0; i < message->n_resources; i++) {
        wrapped_read(reader, message->resources[i], &resources[i]);
    }
    ret->resources = resources;
    ret->resource_count = wire_count(message->n_resources);
    ret->removed = wire_texts(reader, message->removed_resources, message->n_removed_resources);
    ret->removed_count = wire_count(message->n_removed_resources);
    errors_read(reader, message->resource_errors, message->n_resource_errors, ret);
    return true;
}

bool xds_response_decode(struct span bytes, bool delta, struct arena *arena,
                         struct xds_response *ret, struct xds_error *ret_error)
{
    struct wire_reader reader;
    wire_reader_init(&reader, arena, ret_error);
    const void *message = wire_unpack(&reader,
                                      delta ? &disc__delta_discovery_response__descriptor
                                            : &disc__discovery_response__descriptor,
                                      bytes);
    struct xds_response response = {0};
    bool good = message != NULL && (delta ? delta_read(&reader, message, &response)
                                          : sotw_read(&reader, message, &response));
    wire_reader_done(&reader);
    if (good) {
        *ret = response;
    }
    return good;
}

/* One varint off the front. */
static bool varint_next(struct span *rest, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 63 && rest->length > 0; shift += 7) {
        uint8_t byte = (uint8_t)*rest->at;
        *rest = span_cut(*rest, 1, rest->length);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = value;
            return true;
        }
    }
    return false;
}

bool xds_resource_name(enum xds_type type, struct span bytes, struct span *ret)
{
    enum { NAME_TAG = 1 << 3 | 2 }; /* every kind has its name in field 1 */
    uint64_t tag;
    uint64_t length;
    if (type == XDS_WORKLOAD) {
        *ret = SPAN("self");
        return true;
    }
    /* Encoders write fields in order, so the name is in front; Envoy's own do so too. */
    if (!varint_next(&bytes, &tag) || tag != NAME_TAG || !varint_next(&bytes, &length) ||
        length == 0 || length > bytes.length) {
        return false;
    }
    *ret = span_cut(bytes, 0, (size_t)length);
    return true;
}
