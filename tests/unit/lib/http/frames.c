#include "tests/unit/lib/http/frames.h"

#include "lib/base/check.h"

#include <stdio.h>
#include <string.h>

void frames_add(struct text *to, uint8_t type, uint8_t flags, int32_t stream, const void *payload,
                size_t length)
{
    uint32_t id = (uint32_t)stream;
    const char head[9] = {
        (char)(length >> 16), (char)(length >> 8), (char)length,    (char)type, (char)flags,
        (char)(id >> 24),     (char)(id >> 16),    (char)(id >> 8), (char)id,
    };
    text_add(to, span_make(head, sizeof(head)));
    text_add(to, span_make(payload, length));
}

static void put_u32(char *into, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        into[i] = (char)(value >> (24 - 8 * i));
    }
}

void frames_add_u32(struct text *to, uint8_t type, uint8_t flags, int32_t stream, uint32_t value)
{
    char payload[4];
    put_u32(payload, value);
    frames_add(to, type, flags, stream, payload, sizeof(payload));
}

/* RFC 7541 5.1 with a prefix of seven bits. */
static void add_length(struct text *block, size_t length)
{
    if (length < 127) {
        text_add_byte(block, (char)length);
        return;
    }
    text_add_byte(block, 127);
    length -= 127;
    while (length >= 128) {
        text_add_byte(block, (char)(length % 128 + 128));
        length /= 128;
    }
    text_add_byte(block, (char)length);
}

void frames_field(struct text *block, struct span name, struct span value)
{
    text_add_byte(block, 0);
    add_length(block, name.length);
    text_add(block, name);
    add_length(block, value.length);
    text_add(block, value);
}

static void add_fields(struct text *block, const char *fields)
{
    struct span rest = span_of(fields);
    struct span line;
    while (span_next(&rest, '\n', &line)) {
        size_t colon = 1;
        while (colon + 1 < line.length && !(line.at[colon] == ':' && line.at[colon + 1] == ' ')) {
            colon++;
        }
        frames_field(block, span_cut(line, 0, colon), span_cut(line, colon + 2, line.length));
    }
}

void frames_add_head(struct text *to, int32_t stream, uint8_t flags, const char *fields)
{
    struct text block = {0};
    add_fields(&block, fields);
    frames_add(to, NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, stream, block.bytes,
               block.length);
    text_done(&block);
}

void frames_add_get(struct text *to, int32_t stream)
{
    frames_add_head(to, stream, NGHTTP2_FLAG_END_STREAM,
                    ":method: GET\n:scheme: http\n:path: /\n:authority: a.test");
}

void frames_add_goaway(struct text *to, int32_t last, uint32_t code)
{
    char payload[8];
    put_u32(payload, (uint32_t)last);
    put_u32(payload + 4, code);
    frames_add(to, NGHTTP2_GOAWAY, 0, 0, payload, sizeof(payload));
}

void frames_add_preface(struct text *to)
{
    text_add_text(to, NGHTTP2_CLIENT_MAGIC);
    frames_add(to, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

void frames_add_settings(struct text *to, uint16_t id, uint32_t value)
{
    char payload[6] = {(char)(id >> 8), (char)id};
    put_u32(payload + 2, value);
    frames_add(to, NGHTTP2_SETTINGS, 0, 0, payload, sizeof(payload));
}

void frames_send(struct text *from, struct wire *wire)
{
    wire_push(wire, from->bytes, from->length);
    text_clear(from);
}

void reader_init(struct reader *reader, struct wire *wire, bool preface)
{
    *reader = (struct reader){.wire = wire, .preface = preface};
    CHECK(nghttp2_hd_inflate_new(&reader->inflater) == 0);
}

void reader_done(struct reader *reader)
{
    nghttp2_hd_inflate_del(reader->inflater);
}

static void inflate(struct reader *reader, const uint8_t *bytes, size_t length)
{
    size_t at = 0;
    int flags;
    nghttp2_nv nv;
    do {
        flags = 0;
        nghttp2_ssize used =
            nghttp2_hd_inflate_hd3(reader->inflater, &nv, &flags, bytes, length, 1);
        CHECK(used >= 0);
        bytes += used;
        length -= (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            int printed = snprintf(reader->fields + at, sizeof(reader->fields) - at, "%.*s: %.*s\n",
                                   (int)nv.namelen, nv.name, (int)nv.valuelen, nv.value);
            at += (size_t)printed;
            CHECK(at < sizeof(reader->fields));
        }
    } while (!(flags & NGHTTP2_HD_INFLATE_FINAL) &&
             (length > 0 || (flags & NGHTTP2_HD_INFLATE_EMIT)));
    nghttp2_hd_inflate_end_headers(reader->inflater);
    reader->fields[at] = '\0';
}

bool reader_next(struct reader *reader, struct frame *ret)
{
    struct byte_queue *out = &reader->wire->out;
    uint8_t head[9];
    if (reader->preface) {
        if (out->length < NGHTTP2_CLIENT_MAGIC_LEN) {
            return false;
        }
        char magic[NGHTTP2_CLIENT_MAGIC_LEN];
        byte_queue_peek(out, 0, magic, sizeof(magic));
        CHECK(memcmp(magic, NGHTTP2_CLIENT_MAGIC, sizeof(magic)) == 0);
        byte_queue_drop(out, sizeof(magic));
        reader->preface = false;
    }
    if (byte_queue_peek(out, 0, head, sizeof(head)) < sizeof(head)) {
        return false;
    }
    ret->length = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
    CHECK(ret->length <= sizeof(ret->payload));
    if (out->length < sizeof(head) + ret->length) {
        return false;
    }
    ret->type = head[3];
    ret->flags = head[4];
    ret->stream = (int32_t)((uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 |
                            (uint32_t)head[7] << 8 | head[8]);
    byte_queue_peek(out, sizeof(head), ret->payload, ret->length);
    byte_queue_drop(out, sizeof(head) + ret->length);
    ret->number = (uint32_t)ret->payload[0] << 24 | (uint32_t)ret->payload[1] << 16 |
                  (uint32_t)ret->payload[2] << 8 | ret->payload[3];
    if (ret->type == NGHTTP2_HEADERS) {
        inflate(reader, ret->payload, ret->length);
    }
    return true;
}

bool reader_until(struct reader *reader, uint8_t type, struct frame *ret)
{
    while (reader_next(reader, ret)) {
        if (ret->type == type) {
            return true;
        }
    }
    return false;
}

size_t reader_count(struct reader *reader, uint8_t type)
{
    struct frame frame;
    size_t count = 0;
    while (reader_next(reader, &frame)) {
        count += frame.type == type;
    }
    return count;
}
