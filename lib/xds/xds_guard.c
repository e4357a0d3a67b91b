#include "lib/xds/xds_guard.h"

#include "lib/base/text.h"

#include <stdio.h>
#include <string.h>

/* Wire types of protobuf; 3 and 4, the groups, are in no schema of ours. */
enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, WIRE_FIXED32 = 5 };

/* What protobuf-c keeps of each field while it decodes, and the pointer in a repeated field. */
enum { FIELD_COST = 64 };
/* protobuf-c takes no field number above this (29 bits). */
enum { FIELD_NUMBER_MAX = (1 << 29) - 1 };

struct frame {
    const ProtobufCMessageDescriptor *type;
    size_t end;
};

struct guard {
    struct span bytes;
    size_t at;
    size_t memory;
    uint32_t depth; /* frames in use, at least 1 */
    struct frame frames[XDS_GUARD_DEPTH];
    struct xds_error *error;
};

static bool guard_fail(struct guard *guard, const ProtobufCFieldDescriptor *field, const char *why)
{
    const ProtobufCMessageDescriptor *type = guard->frames[guard->depth - 1].type;
    snprintf(guard->error->text, sizeof guard->error->text, "%s%s%s: %s (byte %zu)", type->name,
             field != NULL ? "." : "", field != NULL ? field->name : "", why, guard->at);
    return false;
}

static bool guard_varint(struct guard *guard, size_t end, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && guard->at < end; shift += 7) {
        uint8_t byte = (uint8_t)guard->bytes.at[guard->at++];
        if (shift == 63 && byte > 1) {
            return false;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static unsigned scalar_wire(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_LENGTH;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
        break;
    }
    return WIRE_VARINT;
}

static bool guard_spend(struct guard *guard, size_t bytes)
{
    guard->memory += bytes;
    return guard->memory <= XDS_GUARD_MEMORY;
}

/* A packed repeated field: whole elements only. */
static bool guard_packed(struct guard *guard, const ProtobufCFieldDescriptor *field, size_t length)
{
    unsigned wire = scalar_wire(field->type);
    size_t end = guard->at + length;
    size_t elements = 0;
    if (wire == WIRE_VARINT) {
        while (guard->at < end) {
            uint64_t ignored;
            if (!guard_varint(guard, end, &ignored)) {
                return guard_fail(guard, field, "broken packed number");
            }
            elements++;
        }
    } else {
        size_t width = wire == WIRE_FIXED32 ? 4 : 8;
        if (length % width != 0) {
            return guard_fail(guard, field, "broken packed number");
        }
        elements = length / width;
        guard->at = end;
    }
    return guard_spend(guard, elements * sizeof(uint64_t)) ||
           guard_fail(guard, field, "takes too much memory");
}

static bool guard_push(struct guard *guard, const ProtobufCFieldDescriptor *field, size_t length)
{
    if (guard->depth == XDS_GUARD_DEPTH) {
        return guard_fail(guard, field, "nested too deep");
    }
    const ProtobufCMessageDescriptor *type = field->descriptor;
    if (!guard_spend(guard, type->sizeof_message)) {
        return guard_fail(guard, field, "takes too much memory");
    }
    guard->frames[guard->depth].type = type;
    guard->frames[guard->depth].end = guard->at + length;
    guard->depth++;
    return true;
}

static bool guard_lengthy(struct guard *guard, const ProtobufCFieldDescriptor *field)
{
    size_t end = guard->frames[guard->depth - 1].end;
    uint64_t length;
    if (!guard_varint(guard, end, &length) || length > end - guard->at) {
        return guard_fail(guard, field, "length beyond the end");
    }
    if (field != NULL && field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return guard_push(guard, field, (size_t)length);
    }
    if (field != NULL && scalar_wire(field->type) != WIRE_LENGTH) {
        return guard_packed(guard, field, (size_t)length);
    }
    if (!guard_spend(guard, (size_t)length + 1)) {
        return guard_fail(guard, field, "takes too much memory");
    }
    struct span value = {guard->bytes.at + guard->at, (size_t)length};
    if (field != NULL && field->type == PROTOBUF_C_TYPE_STRING && !utf8_valid(value)) {
        return guard_fail(guard, field, "not valid UTF-8, or a NUL in it");
    }
    guard->at += (size_t)length;
    return true;
}

static bool guard_value(struct guard *guard, const ProtobufCFieldDescriptor *field, unsigned wire)
{
    size_t left = guard->frames[guard->depth - 1].end - guard->at;
    size_t width = wire == WIRE_FIXED32 ? 4 : 8;
    uint64_t ignored;
    if (wire == WIRE_LENGTH) {
        return guard_lengthy(guard, field);
    }
    if (wire == WIRE_VARINT) {
        return guard_varint(guard, guard->at + left, &ignored) ||
               guard_fail(guard, field, "broken number");
    }
    if (left < width) {
        return guard_fail(guard, field, "cut off");
    }
    guard->at += width;
    return true;
}

static bool guard_field(struct guard *guard)
{
    uint64_t tag;
    if (!guard_varint(guard, guard->frames[guard->depth - 1].end, &tag)) {
        return guard_fail(guard, NULL, "broken tag");
    }
    uint64_t number = tag >> 3;
    unsigned wire = tag & 7;
    if (number == 0 || number > FIELD_NUMBER_MAX || wire == 3 || wire == 4 || wire > WIRE_FIXED32) {
        return guard_fail(guard, NULL, "broken tag");
    }
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
        guard->frames[guard->depth - 1].type, (unsigned)number);
    if (field != NULL && wire != scalar_wire(field->type) &&
        !(wire == WIRE_LENGTH && field->label == PROTOBUF_C_LABEL_REPEATED)) {
        return guard_fail(guard, field, "wrong wire type");
    }
    if (!guard_spend(guard, FIELD_COST)) {
        return guard_fail(guard, field, "takes too much memory");
    }
    return guard_value(guard, field, wire);
}

bool xds_guard(struct span bytes, const ProtobufCMessageDescriptor *type,
               struct xds_error *ret_error)
{
    struct guard guard;
    guard.bytes = bytes;
    guard.at = 0;
    guard.memory = type->sizeof_message;
    guard.depth = 1;
    guard.error = ret_error;
    guard.frames[0] = (struct frame){type, bytes.length};
    if (bytes.length > XDS_GUARD_BYTES) {
        return guard_fail(&guard, NULL, "message too large");
    }
    while (true) {
        while (guard.at == guard.frames[guard.depth - 1].end) {
            if (--guard.depth == 0) {
                return true;
            }
        }
        if (!guard_field(&guard)) {
            return false;
        }
    }
}
