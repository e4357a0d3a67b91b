#include "control/serve/message.h"

static void *arena_take(void *arena, size_t bytes)
{
    return arena_alloc(arena, bytes);
}

static void arena_leave(void *arena, void *memory)
{
}

void *message_unpack(struct arena *arena, const ProtobufCMessageDescriptor *type, struct span bytes,
                     struct xds_error *ret_error)
{
    if (!xds_guard(bytes, type, ret_error)) {
        return NULL;
    }
    ProtobufCAllocator allocator = {arena_take, arena_leave, arena};
    void *message = protobuf_c_message_unpack(type, &allocator, bytes.length,
                                              (const uint8_t *)(bytes.at != NULL ? bytes.at : ""));
    if (message == NULL) {
        *ret_error = (struct xds_error){"not a message of its type"};
    }
    return message;
}

void *message_new(struct arena *arena, const ProtobufCMessageDescriptor *type)
{
    void *message = arena_zalloc(arena, type->sizeof_message);
    protobuf_c_message_init(type, message);
    return message;
}

struct span message_pack(struct arena *arena, const ProtobufCMessage *message)
{
    size_t length = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = arena_alloc(arena, length + 1);
    protobuf_c_message_pack(message, bytes);
    return span_make(bytes, length);
}
