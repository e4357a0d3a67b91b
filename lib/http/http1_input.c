#include "lib/http/http1_input.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"

#include <string.h>

enum {
    ROOM_BYTES = 2048,       /* less at the end of a chunk is not worth a system call */
    LARGE_READ_BYTES = 8192, /* what can follow a large head must fit a chunk */
    FEW_BYTES = 1024,        /* fewer are copied: a piece holds its whole chunk */
};

void http1_input_done(struct http1_input *input)
{
    chunk_unref(input->chunk);
    mem_free(input->large);
    *input = (struct http1_input){.chunk = NULL};
}

struct span http1_input_bytes(const struct http1_input *input)
{
    if (input->large != NULL) {
        return span_make(input->large, input->large_used);
    }
    if (input->chunk == NULL) {
        return SPAN_EMPTY;
    }
    return span_make(input->chunk->bytes + input->at, input->chunk->used - input->at);
}

static void move_to_new_chunk(struct http1_input *input, struct span bytes)
{
    CHECK(bytes.length <= CHUNK_BYTES);
    struct chunk *chunk = chunk_take();
    if (bytes.length > 0) {
        memcpy(chunk->bytes, bytes.at, bytes.length);
    }
    chunk->used = (uint32_t)bytes.length;
    http1_input_done(input);
    input->chunk = chunk;
}

static void move_to_large(struct http1_input *input, size_t most)
{
    struct span bytes = http1_input_bytes(input);
    size_t large_bytes = most + LARGE_READ_BYTES;
    char *large = mem_alloc(large_bytes);
    memcpy(large, bytes.at, bytes.length);
    uint32_t used = (uint32_t)bytes.length;
    http1_input_done(input);
    input->large = large;
    input->large_bytes = large_bytes;
    input->large_used = used;
}

size_t http1_input_room(struct http1_input *input, size_t most, void **ret_at)
{
    if (input->chunk == NULL && input->large == NULL) {
        input->chunk = chunk_take();
    }
    if (input->chunk != NULL && chunk_room(input->chunk) < ROOM_BYTES) {
        struct span bytes = http1_input_bytes(input);
        if (bytes.length <= CHUNK_BYTES - ROOM_BYTES) {
            move_to_new_chunk(input, bytes);
        } else if (chunk_room(input->chunk) == 0) {
            move_to_large(input, most > CHUNK_BYTES ? most : CHUNK_BYTES);
        }
    }
    if (input->large != NULL) {
        size_t room = input->large_bytes - input->large_used;
        *ret_at = input->large + input->large_used;
        return room < LARGE_READ_BYTES ? room : LARGE_READ_BYTES;
    }
    *ret_at = input->chunk->bytes + input->chunk->used;
    return chunk_room(input->chunk);
}

void http1_input_filled(struct http1_input *input, size_t length)
{
    if (input->large != NULL) {
        CHECK(length <= input->large_bytes - input->large_used);
        input->large_used += (uint32_t)length;
    } else {
        CHECK(length <= chunk_room(input->chunk));
        input->chunk->used += (uint32_t)length;
    }
}

void http1_input_drop(struct http1_input *input, size_t length)
{
    struct span bytes = http1_input_bytes(input);
    CHECK(length <= bytes.length);
    if (input->large != NULL) {
        move_to_new_chunk(input, span_make(bytes.at + length, bytes.length - length));
    } else if (input->chunk != NULL) {
        input->at += (uint32_t)length;
    }
}

struct piece http1_input_piece(struct http1_input *input, struct span bytes)
{
    if (bytes.length <= FEW_BYTES) {
        return chunk_copy(bytes.at, bytes.length);
    }
    size_t at = (size_t)((const unsigned char *)bytes.at - input->chunk->bytes);
    return (struct piece){chunk_ref(input->chunk), (uint32_t)at, (uint32_t)bytes.length};
}

void http1_input_rest(struct http1_input *input, bool always)
{
    if (input->chunk != NULL && input->at == input->chunk->used &&
        (always || input->chunk->references == 1)) {
        http1_input_done(input);
    }
}
