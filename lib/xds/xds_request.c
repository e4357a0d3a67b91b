#include "lib/xds/discovery_parts.h"

#include "envoy/service/discovery/v3/discovery.pb-c.h"

static Rpc__Status *error_write(struct arena *scratch, const struct xds_request *request)
{
    if (!request->refused) {
        return NULL;
    }
    Rpc__Status *status = wire_new(scratch, &rpc__status__descriptor);
    status->code = request->error_code;
    status->message = wire_string(scratch, request->error_message);
    return status;
}

static void error_read(struct wire_reader *reader, const Rpc__Status *status,
                       struct xds_request *ret)
{
    if (status != NULL) {
        ret->refused = true;
        ret->error_code = status->code;
        ret->error_message = wire_text(reader, status->message);
    }
}

static ProtobufCMessage *sotw_write(struct arena *scratch, const struct xds_request *request)
{
    Disc__DiscoveryRequest *message = wire_new(scratch, &disc__discovery_request__descriptor);
    message->version_info = wire_string(scratch, request->version);
    message->node = caller_write(scratch, request->caller);
    message->n_resource_names = request->name_count;
    message->resource_names = wire_strings(scratch, request->names, request->name_count);
    message->type_url = wire_string(scratch, request->type_url);
    message->response_nonce = wire_string(scratch, request->nonce);
    message->error_detail = error_write(scratch, request);
    return &message->base;
}

static ProtobufCMessage *delta_write(struct arena *scratch, const struct xds_request *request)
{
    Disc__DeltaDiscoveryRequest *message =
        wire_new(scratch, &disc__delta_discovery_request__descriptor);
    message->node = caller_write(scratch, request->caller);
    message->type_url = wire_string(scratch, request->type_url);
    message->n_resource_names_subscribe = request->name_count;
    message->resource_names_subscribe = wire_strings(scratch, request->names, request->name_count);
    message->n_resource_names_unsubscribe = request->unsubscribed_count;
    message->resource_names_unsubscribe =
        wire_strings(scratch, request->unsubscribed, request->unsubscribed_count);
    message->n_initial_resource_versions = request->version_count;
    message->initial_resource_versions =
        ARENA_ARRAY(scratch, Disc__DeltaDiscoveryRequest__InitialResourceVersionsEntry *,
                    request->version_count);
    for (uint32_t i = 0; i < request->version_count; i++) {
        Disc__DeltaDiscoveryRequest__InitialResourceVersionsEntry *entry = wire_new(
            scratch, &disc__delta_discovery_request__initial_resource_versions_entry__descriptor);
        entry->key = wire_string(scratch, request->versions[i].name);
        entry->value = wire_string(scratch, request->versions[i].value);
        message->initial_resource_versions[i] = entry;
    }
    message->response_nonce = wire_string(scratch, request->nonce);
    message->error_detail = error_write(scratch, request);
    return &message->base;
}

struct span xds_request_encode(const struct xds_request *request, bool delta, struct arena *arena)
{
    struct arena scratch = {0};
    const ProtobufCMessage *message =
        delta ? delta_write(&scratch, request) : sotw_write(&scratch, request);
    struct span bytes = wire_pack(arena, message);
    arena_done(&scratch);
    return bytes;
}

static void sotw_read(struct wire_reader *reader, const Disc__DiscoveryRequest *message,
                      struct xds_request *ret)
{
    ret->version = wire_text(reader, message->version_info);
    ret->caller = caller_read(reader, message->node);
    ret->names = wire_texts(reader, message->resource_names, message->n_resource_names);
    ret->name_count = wire_count(message->n_resource_names);
    ret->type_url = wire_text(reader, message->type_url);
    ret->nonce = wire_text(reader, message->response_nonce);
    error_read(reader, message->error_detail, ret);
}

static void delta_read(struct wire_reader *reader, const Disc__DeltaDiscoveryRequest *message,
                       struct xds_request *ret)
{
    ret->caller = caller_read(reader, message->node);
    ret->type_url = wire_text(reader, message->type_url);
    ret->names =
        wire_texts(reader, message->resource_names_subscribe, message->n_resource_names_subscribe);
    ret->name_count = wire_count(message->n_resource_names_subscribe);
    ret->unsubscribed = wire_texts(reader, message->resource_names_unsubscribe,
                                   message->n_resource_names_unsubscribe);
    ret->unsubscribed_count = wire_count(message->n_resource_names_unsubscribe);
    size_t count = message->n_initial_resource_versions;
    struct xds_pair *versions = ARENA_ARRAY(reader->arena, struct xds_pair, count);
    for (size_t i = 0; i < count; i++) {
        versions[i].name = wire_text(reader, message->initial_resource_versions[i]->key);
        versions[i].value = wire_text(reader, message->initial_resource_versions[i]->value);
    }
    ret->versions = versions;
    ret->version_count = wire_count(count);
    ret->nonce = wire_text(reader, message->response_nonce);
    error_read(reader, message->error_detail, ret);
}

bool xds_request_decode(struct span bytes, bool delta, struct arena *arena, struct xds_request *ret,
                        struct xds_error *ret_error)
{
    struct wire_reader reader;
    wire_reader_init(&reader, arena, ret_error);
    const void *message = wire_unpack(&reader,
                                      delta ? &disc__delta_discovery_request__descriptor
                                            : &disc__discovery_request__descriptor,
                                      bytes);
    if (message != NULL) {
        *ret = (struct xds_request){0};
        if (delta) {
            delta_read(&reader, message, ret);
        } else {
            sotw_read(&reader, message, ret);
        }
    }
    wire_reader_done(&reader);
    return message != NULL;
}
