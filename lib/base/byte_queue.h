#ifndef REMORA_BASE_BYTE_QUEUE_H
#define REMORA_BASE_BYTE_QUEUE_H

#include "lib/base/chunk.h"
#include "lib/base/span.h"

#include <stdbool.h>
#include <sys/uio.h>

/*
 * A first-in-first-out queue of bytes held as pieces of chunks. Passing a piece on moves its
 * reference; nothing is copied unless a function says so. One thread. All zero bytes = empty.
 *
 * The queue does not enforce a limit: credit does (see http_stream.h). It knows its length, so that
 * the one who grants credit can compute it.
 */
struct byte_queue {
    struct piece *pieces; /* ring buffer, power of two; NULL while empty and never used */
    uint32_t capacity;
    uint32_t head; /* index of the oldest */
    uint32_t count;
    size_t length; /* bytes in all */
    struct piece inline_pieces[4];
};

void byte_queue_init(struct byte_queue *queue);
/* Drops all bytes and references. Takes a queue that is all zero. */
void byte_queue_done(struct byte_queue *queue);

/* Takes over the caller's reference on piece.chunk. An empty piece is dropped. */
void byte_queue_push(struct byte_queue *queue, struct piece piece);
/* Adds a reference to the chunk of the piece, and queues the piece. */
void byte_queue_push_ref(struct byte_queue *queue, const struct piece *piece);
/* Copies bytes into the last chunk where this queue is its only owner, else into new chunks. */
void byte_queue_copy(struct byte_queue *queue, const void *bytes, size_t length);

/* Moves at most limit bytes from the front of one queue to the end of another. Returns how many. */
size_t byte_queue_move(struct byte_queue *to, struct byte_queue *from, size_t limit);
/* Takes the first piece off, cut to at most limit bytes. False when empty. Reference to the caller. */
bool byte_queue_pop(struct byte_queue *queue, size_t limit, struct piece *ret_piece);
/* Drops length bytes (<= queue->length) from the front. */
void byte_queue_drop(struct byte_queue *queue, size_t length);
/* Fills up to count vectors with the bytes at the front, without taking them. Returns how many. */
int byte_queue_vectors(const struct byte_queue *queue, struct iovec *vectors, int count);
/* The contiguous bytes at the very front; empty when the queue is. */
struct span byte_queue_front(const struct byte_queue *queue);
/* Copies up to length bytes from offset at on, without taking them. Returns how many. */
size_t byte_queue_peek(const struct byte_queue *queue, size_t at, void *into, size_t length);

#endif
