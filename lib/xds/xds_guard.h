#ifndef REMORA_XDS_XDS_GUARD_H
#define REMORA_XDS_XDS_GUARD_H

#include "lib/xds/xds_type.h"

#include <protobuf-c/protobuf-c.h>

/*
 * What must hold of bytes before protobuf-c sees them. protobuf-c recurses without a limit (a
 * policy nested 20,000 deep ends the process), ends strings at an embedded NUL and does not check
 * UTF-8. This walk over the wire format follows the message's descriptor with a stack of its own,
 * allocates nothing, and also bounds the memory that decoding will take.
 */
enum {
    XDS_GUARD_BYTES = 16 * 1024 * 1024,
    XDS_GUARD_DEPTH = 100,
    XDS_GUARD_MEMORY = 256 * 1024 * 1024,
};

/* True when the bytes are well-formed for the type and within the limits. */
bool xds_guard(struct span bytes, const ProtobufCMessageDescriptor *type,
               struct xds_error *ret_error);

#endif
