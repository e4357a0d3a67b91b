#ifndef REMORA_TESTS_UNIT_LIB_HTTP_FRAMES_H
#define REMORA_TESTS_UNIT_LIB_HTTP_FRAMES_H

#include "lib/base/text.h"
#include "lib/http/headers.h"
#include "tests/unit/lib/http/wire.h"

#include <nghttp2/nghttp2.h>

/*
 * HTTP/2 frames by hand, for a peer that keeps no rule. Field blocks are written as plain literals,
 * "name: value" lines in a text ("\n" between them; a name may begin with ':').
 */
void frames_add(struct text *to, uint8_t type, uint8_t flags, int32_t stream, const void *payload,
                size_t length);
void frames_add_u32(struct text *to, uint8_t type, uint8_t flags, int32_t stream, uint32_t value);
/* HEADERS with END_HEADERS and these flags. */
void frames_add_head(struct text *to, int32_t stream, uint8_t flags, const char *fields);
void frames_add_goaway(struct text *to, int32_t last, uint32_t code);
void frames_add_preface(struct text *to);
void frames_add_settings(struct text *to, uint16_t id, uint32_t value);
void frames_add_get(struct text *to, int32_t stream);
/* One field as a literal without indexing. */
void frames_field(struct text *block, struct span name, struct span value);
/* Sends and forgets. */
void frames_send(struct text *from, struct wire *wire);

/* What the other side sent, one frame at a time. */
struct frame {
    uint8_t type;
    uint8_t flags;
    int32_t stream;
    uint32_t length;
    uint8_t payload[16384];
    uint32_t number; /* the first four bytes of the payload */
};
struct reader {
    struct wire *wire;
    nghttp2_hd_inflater *inflater;
    char fields[8192]; /* of the last HEADERS: "name: value\n" each */
    bool preface;      /* one is due */
};
void reader_init(struct reader *reader, struct wire *wire, bool preface);
void reader_done(struct reader *reader);
/* False when no whole frame is there. */
bool reader_next(struct reader *reader, struct frame *ret);
/* Drops what comes before; false when none of that type came. */
bool reader_until(struct reader *reader, uint8_t type, struct frame *ret);
/* Reads all; how many of that type. */
size_t reader_count(struct reader *reader, uint8_t type);

#endif
