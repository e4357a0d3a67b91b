#ifndef REMORA_HTTP_HTTP1_INPUT_H
#define REMORA_HTTP_HTTP1_INPUT_H

#include "lib/base/chunk.h"
#include "lib/base/span.h"

/*
 * Bytes read and not yet used up, contiguous: in one chunk, or, for a head larger than a chunk, in
 * memory of its own for as long as that head is incomplete. All zero = empty.
 */
struct http1_input {
    struct chunk *chunk;
    uint32_t at; /* of the first byte not used */
    uint32_t large_used;
    char *large;
    size_t large_bytes;
};

void http1_input_done(struct http1_input *input);
struct span http1_input_bytes(const struct http1_input *input);
/* Room to read into, at least 1 byte unless `most` bytes are unused already. most: the bound of a
 * head. */
size_t http1_input_room(struct http1_input *input, size_t most, void **ret_at);
/* Tells that length bytes were read into the room. */
void http1_input_filled(struct http1_input *input, size_t length);
void http1_input_drop(struct http1_input *input, size_t length);
/* A piece of the bytes, which must be of this input; a reference to the chunk, or a copy where they
 * are few. */
struct piece http1_input_piece(struct http1_input *input, struct span bytes);
/* Gives the chunk back when it is empty and nobody else refers to it, or when `always` is set. */
void http1_input_rest(struct http1_input *input, bool always);

#endif
