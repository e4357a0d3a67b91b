#ifndef REMORA_CONTROL_SERVE_MESSAGE_H
#define REMORA_CONTROL_SERVE_MESSAGE_H

#include "lib/xds/xds_guard.h"

/*
 * protobuf-c messages in arenas, for the services' own requests and answers. Resources are encoded
 * by lib/xds; here are the envelopes.
 */

/* Guards, then unpacks. NULL and the error when the bytes are refused. Lives in the arena. */
void *message_unpack(struct arena *arena, const ProtobufCMessageDescriptor *type, struct span bytes,
                     struct xds_error *ret_error);
/* With its defaults set. */
void *message_new(struct arena *arena, const ProtobufCMessageDescriptor *type);
struct span message_pack(struct arena *arena, const ProtobufCMessage *message);

static inline ProtobufCBinaryData message_binary(struct span bytes)
{
    return (ProtobufCBinaryData){bytes.length, (uint8_t *)(uintptr_t)bytes.at};
}

#endif
