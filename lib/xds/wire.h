#ifndef REMORA_XDS_WIRE_H
#define REMORA_XDS_WIRE_H

#include "lib/xds/xds_guard.h"

#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/wrappers.pb-c.h"

/*
 * Private to lib/xds: protobuf-c messages in arenas. A message to be sent is built in a scratch
 * arena and packed into the caller's. A message that came is guarded, unpacked into the reader's
 * scratch arena, and what is wanted of it is copied into the caller's arena.
 *
 * Everything here is deterministic: equal structs give equal bytes.
 */

/* A message with its defaults set. */
void *wire_new(struct arena *arena, const ProtobufCMessageDescriptor *type);
/* Strings of protobuf-c end with NUL; empty ones are not sent, but in a oneof they are. */
char *wire_string(struct arena *arena, struct span text);
char **wire_strings(struct arena *arena, const struct span *texts, size_t count);
ProtobufCBinaryData wire_binary(struct arena *arena, struct span bytes);
Pb__Duration *wire_duration(struct arena *arena, int64_t ms);
Pb__UInt32Value *wire_u32(struct arena *arena, uint32_t value);
struct span wire_pack(struct arena *arena, const ProtobufCMessage *message);
Pb__Any *wire_any(struct arena *arena, const ProtobufCMessage *message);

struct wire_reader {
    struct arena scratch; /* protobuf-c's messages */
    struct arena *arena;  /* what outlives the reader */
    struct xds_error *error;
    size_t path_length;
    char path[160]; /* of the field being read, for errors */
};

void wire_reader_init(struct wire_reader *reader, struct arena *arena, struct xds_error *error);
void wire_reader_done(struct wire_reader *reader);

/* NULL when the bytes are refused; the error is set. */
void *wire_unpack(struct wire_reader *reader, const ProtobufCMessageDescriptor *type,
                  struct span bytes);
bool wire_any_is(const Pb__Any *any, const ProtobufCMessageDescriptor *type);
/* The same for an Any; another type is an error. */
void *wire_unpack_any(struct wire_reader *reader, const ProtobufCMessageDescriptor *type,
                      const Pb__Any *any);

/* Sets the error, with the path of the field. Always false. */
bool wire_fail(struct wire_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Goes down into a field, or element of one (index >= 0). What it returns goes to wire_leave. */
size_t wire_enter(struct wire_reader *reader, const char *field, long index);
void wire_leave(struct wire_reader *reader, size_t path_length);
/* For messages that decide who matches what: an unknown condition must not be left out. */
bool wire_all_known(struct wire_reader *reader, const ProtobufCMessage *message);

struct span wire_text(struct wire_reader *reader, const char *text);
struct span wire_bytes(struct wire_reader *reader, ProtobufCBinaryData bytes);
const struct span *wire_texts(struct wire_reader *reader, char **texts, size_t count);
/* [0, 2^32) items fit; more cannot come out of a guarded message. */
static inline uint32_t wire_count(size_t count)
{
    return (uint32_t)count;
}
/* NULL leaves *ret alone. Rounded up to milliseconds; negative and beyond ten thousand years
 * refused. */
bool wire_ms(struct wire_reader *reader, const char *field, const Pb__Duration *duration,
             int64_t *ret);
/* NULL leaves *ret alone; beyond INT32_MAX it is INT32_MAX: no limit in practice. */
void wire_limit(const Pb__UInt32Value *value, int32_t *ret);
/* Nothing that could break a head apart where the text is put into one: no blanks, no control
 * bytes. */
bool wire_clean(struct wire_reader *reader, const char *field, struct span text);
bool wire_in_range(struct wire_reader *reader, const char *field, int64_t value, int64_t least,
                   int64_t most);

#endif
