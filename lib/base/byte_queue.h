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
 * Pieces that follow each other in one chunk become one piece, and a queue that has run empty has
 * given everything back. It lives on the thread that fills it and must not be copied as a struct.
 *
 * The queue does not enforce a limit: credit does (see http_stream.h). It knows its length, so that
 * the one who grants credit can compute it.
 */
enum { BYTE_QUEUE_INLINE = 4 };

struct byte_queue {
    size_t length;     /* bytes in all */
    uint32_t head;     /* index of the oldest piece */
    uint32_t count;    /* pieces */
    uint32_t capacity; /* of the ring, a power of two; 0 = the ring is `few` */
    union {
        struct piece few[BYTE_QUEUE_INLINE];
        struct piece *many; /* from a pool of the thread */
    };
};

void byte_queue_init(struct byte_queue *queue);
/* Drops all bytes and references. Takes a queue that is all zero. */
void byte_queue_done(struct byte_queue *queue);

/* Takes over the caller's reference on piece.chunk. An empty piece is dropped. */
void byte_queue_push(struct byte_queue *queue, struct piece piece);
/* Adds a reference to the chunk of the piece, and queues the piece. */
void byte_queue_push_ref(struct byte_queue *queue, const struct piece *piece);
/* References to all bytes of another queue at the end of this one. */
void byte_queue_push_all(struct byte_queue *queue, const struct byte_queue *from);
/*
 * Copies bytes to the end: into the chunk of the last piece where nobody else can be filling it,
 * else a few bytes into a chunk that the thread shares (chunk_copy), else into new chunks.
 */
void byte_queue_copy(struct byte_queue *queue, const void *bytes, size_t length);

/* Moves at most limit bytes from the front of one queue to the end of another. Returns how many. */
size_t byte_queue_move(struct byte_queue *to, struct byte_queue *from, size_t limit);
/* Takes the first piece off, cut to at most limit bytes. False when empty. Reference to the caller.
 */
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
