#include "lib/xds/wire.h"

#include "lib/base/check.h"
#include "lib/base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TYPE_PREFIX "type.googleapis.com/"

/* google.protobuf.Duration's own bound. */
static const int64_t SECONDS_MAX = 315576000000;

void *wire_new(struct arena *arena, const ProtobufCMessageDescriptor *type)
{
    void *message = arena_alloc(arena, type->sizeof_message);
    protobuf_c_message_init(type, message);
    return message;
}

/* Not protobuf-c's own empty string: that one, in a oneof, would not be sent. */
char *wire_string(struct arena *arena, struct span text)
{
    static char empty[1];
    return text.length == 0 ? empty : arena_text(arena, text);
}

char **wire_strings(struct arena *arena, const struct span *texts, size_t count)
{
    char **strings = ARENA_ARRAY(arena, char *, count);
    for (size_t i = 0; i < count; i++) {
        strings[i] = wire_string(arena, texts[i]);
    }
    return strings;
}

ProtobufCBinaryData wire_binary(struct arena *arena, struct span bytes)
{
    ProtobufCBinaryData binary = {bytes.length, NULL};
    if (bytes.length > 0) {
        binary.data = arena_dup(arena, bytes.at, bytes.length);
    }
    return binary;
}

Pb__Duration *wire_duration(struct arena *arena, int64_t ms)
{
    Pb__Duration *duration = wire_new(arena, &pb__duration__descriptor);
    duration->seconds = ms / 1000;
    duration->nanos = (int32_t)(ms % 1000) * 1000000;
    return duration;
}

Pb__UInt32Value *wire_u32(struct arena *arena, uint32_t value)
{
    Pb__UInt32Value *wrapped = wire_new(arena, &pb__uint32_value__descriptor);
    wrapped->value = value;
    return wrapped;
}

struct span wire_pack(struct arena *arena, const ProtobufCMessage *message)
{
    size_t length = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = arena_alloc(arena, length);
    CHECK(protobuf_c_message_pack(message, bytes) == length);
    return span_make(bytes, length);
}

Pb__Any *wire_any(struct arena *arena, const ProtobufCMessage *message)
{
    Pb__Any *any = wire_new(arena, &pb__any__descriptor);
    any->type_url = arena_printf(arena, TYPE_PREFIX "%s", message->descriptor->name);
    struct span packed = wire_pack(arena, message);
    any->value = (ProtobufCBinaryData){packed.length, (uint8_t *)packed.at};
    return any;
}

void wire_reader_init(struct wire_reader *reader, struct arena *arena, struct xds_error *error)
{
    arena_init(&reader->scratch);
    reader->arena = arena;
    reader->error = error;
    reader->path_length = 0;
    reader->path[0] = '\0';
}

void wire_reader_done(struct wire_reader *reader)
{
    arena_done(&reader->scratch);
}

static void *scratch_alloc(void *owner, size_t bytes)
{
    return arena_alloc(owner, bytes);
}

static void scratch_free(void *owner, void *memory)
{
    (void)owner;
    (void)memory;
}

void *wire_unpack(struct wire_reader *reader, const ProtobufCMessageDescriptor *type,
                  struct span bytes)
{
    struct xds_error error;
    if (!xds_guard(bytes, type, &error)) {
        wire_fail(reader, "%s", error.text);
        return NULL;
    }
    ProtobufCAllocator allocator = {scratch_alloc, scratch_free, &reader->scratch};
    void *message =
        protobuf_c_message_unpack(type, &allocator, bytes.length, (const uint8_t *)bytes.at);
    if (message == NULL) {
        wire_fail(reader, "not a %s", type->name);
    }
    return message;
}

bool wire_any_is(const Pb__Any *any, const ProtobufCMessageDescriptor *type)
{
    struct span url = span_of(any->type_url);
    return span_starts_with(url, SPAN(TYPE_PREFIX)) &&
           span_equal_text(span_cut(url, sizeof(TYPE_PREFIX) - 1, url.length), type->name);
}

void *wire_unpack_any(struct wire_reader *reader, const ProtobufCMessageDescriptor *type,
                      const Pb__Any *any)
{
    if (any == NULL) {
        wire_fail(reader, "missing, a %s is wanted", type->name);
        return NULL;
    }
    if (!wire_any_is(any, type)) {
        wire_fail(reader, "is a \"%s\", a %s is wanted", any->type_url, type->name);
        return NULL;
    }
    return wire_unpack(reader, type, span_make(any->value.data, any->value.len));
}

/* Takes a sequence that was cut in the middle off the end. */
static void error_trim(struct xds_error *error)
{
    size_t length = strlen(error->text);
    size_t good = 0;
    while (good < length) {
        size_t step = utf8_sequence(span_make(error->text + good, length - good));
        if (step == 0) {
            break;
        }
        good += step;
    }
    error->text[good] = '\0';
}

bool wire_fail(struct wire_reader *reader, const char *format, ...)
{
    char *text = reader->error->text;
    size_t room = sizeof reader->error->text;
    size_t at = 0;
    if (reader->path_length > 0) {
        at = (size_t)snprintf(text, room, "%s: ", reader->path);
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + at, room - at, format, arguments);
    va_end(arguments);
    error_trim(reader->error);
    return false;
}

size_t wire_enter(struct wire_reader *reader, const char *field, long index)
{
    size_t before = reader->path_length;
    size_t room = sizeof reader->path - before;
    const char *dot = before > 0 ? "." : "";
    int length = index < 0 ? snprintf(reader->path + before, room, "%s%s", dot, field)
                           : snprintf(reader->path + before, room, "%s%s[%ld]", dot, field, index);
    CHECK(length >= 0);
    reader->path_length = before + ((size_t)length < room ? (size_t)length : room - 1);
    return before;
}

void wire_leave(struct wire_reader *reader, size_t path_length)
{
    reader->path_length = path_length;
    reader->path[path_length] = '\0';
}

bool wire_all_known(struct wire_reader *reader, const ProtobufCMessage *message)
{
    if (message->n_unknown_fields == 0) {
        return true;
    }
    return wire_fail(reader, "field %u of %s is not supported", message->unknown_fields[0].tag,
                     message->descriptor->name);
}

struct span wire_text(struct wire_reader *reader, const char *text)
{
    struct span span = span_of(text);
    return span.length == 0 ? SPAN_EMPTY : arena_span(reader->arena, span);
}

struct span wire_bytes(struct wire_reader *reader, ProtobufCBinaryData bytes)
{
    return bytes.len == 0 ? SPAN_EMPTY
                          : arena_span(reader->arena, span_make(bytes.data, bytes.len));
}

const struct span *wire_texts(struct wire_reader *reader, char **texts, size_t count)
{
    struct span *spans = ARENA_ARRAY(reader->arena, struct span, count);
    for (size_t i = 0; i < count; i++) {
        spans[i] = wire_text(reader, texts[i]);
    }
    return spans;
}

bool wire_ms(struct wire_reader *reader, const char *field, const Pb__Duration *duration,
             int64_t *ret)
{
    if (duration == NULL) {
        return true;
    }
    if (duration->seconds < 0 || duration->seconds > SECONDS_MAX || duration->nanos < 0 ||
        duration->nanos > 999999999) {
        return wire_fail(reader, "%s: duration out of range (%" PRId64 " s, %" PRId32 " ns)", field,
                         duration->seconds, duration->nanos);
    }
    *ret = duration->seconds * 1000 + (duration->nanos + 999999) / 1000000;
    return true;
}

void wire_limit(const Pb__UInt32Value *value, int32_t *ret)
{
    if (value != NULL) {
        *ret = value->value > INT32_MAX ? INT32_MAX : (int32_t)value->value;
    }
}

bool wire_in_range(struct wire_reader *reader, const char *field, int64_t value, int64_t least,
                   int64_t most)
{
    if (value >= least && value <= most) {
        return true;
    }
    return wire_fail(reader, "%s: %" PRId64 " is not in %" PRId64 " to %" PRId64, field, value,
                     least, most);
}

bool wire_clean(struct wire_reader *reader, const char *field, struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (byte <= ' ' || byte == 0x7f) {
            return wire_fail(reader, "%s: a blank or control byte in it", field);
        }
    }
    return true;
}
