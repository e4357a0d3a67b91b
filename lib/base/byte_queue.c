#include "lib/base/byte_queue.h"

#include "lib/base/check.h"
#include "lib/base/free_list.h"
#include "lib/base/memory.h"

#include <string.h>

/*
 * Rings beyond the inline one come in three pooled sizes, so that a stream of many small pieces
 * costs no malloc per stream; longer rings are rare and come from the heap.
 */
enum { SMALL_RING = 16, MIDDLE_RING = 128, LARGE_RING = 1024 };

static _Thread_local struct free_list small_rings =
    FREE_LIST(SMALL_RING * sizeof(struct piece), 256);
static _Thread_local struct free_list middle_rings =
    FREE_LIST(MIDDLE_RING * sizeof(struct piece), 64);
static _Thread_local struct free_list large_rings =
    FREE_LIST(LARGE_RING * sizeof(struct piece), 16);

static struct free_list *ring_pool(uint32_t capacity)
{
    switch (capacity) {
    case SMALL_RING:
        return &small_rings;
    case MIDDLE_RING:
        return &middle_rings;
    case LARGE_RING:
        return &large_rings;
    default:
        return NULL;
    }
}

static struct piece *ring_make(uint32_t capacity)
{
    struct free_list *pool = ring_pool(capacity);
    return pool != NULL ? free_list_take(pool) : mem_array(capacity, sizeof(struct piece));
}

static void ring_free(struct piece *ring, uint32_t capacity)
{
    struct free_list *pool = ring_pool(capacity);
    if (pool != NULL) {
        free_list_give(pool, ring);
    } else {
        mem_free(ring);
    }
}

static uint32_t next_capacity(uint32_t capacity)
{
    if (capacity == 0) {
        return SMALL_RING;
    }
    if (capacity == SMALL_RING) {
        return MIDDLE_RING;
    }
    if (capacity == MIDDLE_RING) {
        return LARGE_RING;
    }
    CHECK(capacity <= UINT32_MAX / 2);
    return capacity * 2;
}

static inline struct piece *ring_of(struct byte_queue *queue)
{
    return queue->capacity == 0 ? queue->few : queue->many;
}

static inline uint32_t ring_size(const struct byte_queue *queue)
{
    return queue->capacity == 0 ? (uint32_t)BYTE_QUEUE_INLINE : queue->capacity;
}

/* The i-th piece from the front. */
static inline struct piece *piece_at(struct byte_queue *queue, uint32_t i)
{
    return &ring_of(queue)[(queue->head + i) & (ring_size(queue) - 1)];
}

static inline const struct piece *piece_at_const(const struct byte_queue *queue, uint32_t i)
{
    const struct piece *ring = queue->capacity == 0 ? queue->few : queue->many;
    return &ring[(queue->head + i) & (ring_size(queue) - 1)];
}

static void grow(struct byte_queue *queue)
{
    uint32_t capacity = next_capacity(queue->capacity);
    struct piece *ring = ring_make(capacity);
    for (uint32_t i = 0; i < queue->count; i++) {
        ring[i] = *piece_at(queue, i);
    }
    if (queue->capacity > 0) {
        ring_free(queue->many, queue->capacity);
    }
    queue->many = ring;
    queue->capacity = capacity;
    queue->head = 0;
}

static void became_empty(struct byte_queue *queue)
{
    queue->head = 0;
    if (queue->capacity > 0) {
        ring_free(queue->many, queue->capacity);
        queue->capacity = 0;
    }
}

/* Takes the reference of the first piece over to the caller. */
static void shift(struct byte_queue *queue)
{
    queue->length -= piece_at(queue, 0)->length;
    queue->head = (queue->head + 1) & (ring_size(queue) - 1);
    if (--queue->count == 0) {
        became_empty(queue);
    }
}

void byte_queue_init(struct byte_queue *queue)
{
    *queue = (struct byte_queue){0};
}

void byte_queue_done(struct byte_queue *queue)
{
    byte_queue_drop(queue, queue->length);
}

void byte_queue_push(struct byte_queue *queue, struct piece piece)
{
    if (piece.length == 0) {
        chunk_unref(piece.chunk);
        return;
    }
    if (queue->count > 0) {
        struct piece *last = piece_at(queue, queue->count - 1);
        if (last->chunk == piece.chunk && last->at + last->length == piece.at) {
            last->length += piece.length;
            queue->length += piece.length;
            chunk_unref(piece.chunk);
            return;
        }
    }
    if (queue->count == ring_size(queue)) {
        grow(queue);
    }
    queue->count++;
    *piece_at(queue, queue->count - 1) = piece;
    queue->length += piece.length;
}

void byte_queue_push_ref(struct byte_queue *queue, const struct piece *piece)
{
    struct piece copy = *piece;
    chunk_ref(copy.chunk);
    byte_queue_push(queue, copy);
}

void byte_queue_push_all(struct byte_queue *queue, const struct byte_queue *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        byte_queue_push_ref(queue, piece_at_const(from, i));
    }
}

/* Extends the last piece in place. Returns how many bytes that took. */
static size_t append(struct byte_queue *queue, const unsigned char *bytes, size_t length)
{
    if (queue->count == 0) {
        return 0;
    }
    struct piece *last = piece_at(queue, queue->count - 1);
    struct chunk *chunk = last->chunk;
    /* With one reference there is no reader left that fills it behind our piece. */
    if (chunk->references != 1 || last->at + last->length != chunk->used) {
        return 0;
    }
    size_t taken = chunk_room(chunk) < length ? chunk_room(chunk) : length;
    memcpy(chunk->bytes + chunk->used, bytes, taken);
    chunk->used += (uint32_t)taken;
    last->length += (uint32_t)taken;
    queue->length += taken;
    return taken;
}

void byte_queue_copy(struct byte_queue *queue, const void *bytes, size_t length)
{
    const unsigned char *from = bytes;
    if (length == 0) {
        return;
    }
    size_t taken = append(queue, from, length);
    while (taken < length) {
        size_t rest = length - taken;
        if (rest <= CHUNK_SMALL_BYTES) {
            byte_queue_push(queue, chunk_copy(from + taken, rest));
            return;
        }
        struct chunk *chunk = chunk_take();
        uint32_t part = (uint32_t)(rest < CHUNK_BYTES ? rest : CHUNK_BYTES);
        memcpy(chunk->bytes, from + taken, part);
        chunk->used = part;
        byte_queue_push(queue, (struct piece){chunk, 0, part});
        taken += part;
    }
}

size_t byte_queue_move(struct byte_queue *to, struct byte_queue *from, size_t limit)
{
    size_t moved = 0;
    struct piece piece;
    while (moved < limit && byte_queue_pop(from, limit - moved, &piece)) {
        moved += piece.length;
        byte_queue_push(to, piece);
    }
    return moved;
}

bool byte_queue_pop(struct byte_queue *queue, size_t limit, struct piece *ret_piece)
{
    if (queue->count == 0 || limit == 0) {
        return false;
    }
    struct piece *first = piece_at(queue, 0);
    *ret_piece = *first;
    if (first->length <= limit) {
        shift(queue);
        return true;
    }
    ret_piece->length = (uint32_t)limit;
    chunk_ref(first->chunk);
    first->at += (uint32_t)limit;
    first->length -= (uint32_t)limit;
    queue->length -= limit;
    return true;
}

void byte_queue_drop(struct byte_queue *queue, size_t length)
{
    CHECK(length <= queue->length);
    while (length > 0) {
        struct piece *first = piece_at(queue, 0);
        if (first->length > length) {
            first->at += (uint32_t)length;
            first->length -= (uint32_t)length;
            queue->length -= length;
            return;
        }
        length -= first->length;
        struct chunk *chunk = first->chunk;
        shift(queue);
        chunk_unref(chunk);
    }
}

int byte_queue_vectors(const struct byte_queue *queue, struct iovec *vectors, int count)
{
    int filled = 0;
    for (uint32_t i = 0; i < queue->count && filled < count; i++) {
        const struct piece *piece = piece_at_const(queue, i);
        vectors[filled].iov_base = piece->chunk->bytes + piece->at;
        vectors[filled].iov_len = piece->length;
        filled++;
    }
    return filled;
}

struct span byte_queue_front(const struct byte_queue *queue)
{
    if (queue->count == 0) {
        return SPAN_EMPTY;
    }
    const struct piece *piece = piece_at_const(queue, 0);
    return span_make(piece_bytes(piece), piece->length);
}

size_t byte_queue_peek(const struct byte_queue *queue, size_t at, void *into, size_t length)
{
    unsigned char *to = into;
    size_t copied = 0;
    for (uint32_t i = 0; i < queue->count && copied < length; i++) {
        const struct piece *piece = piece_at_const(queue, i);
        if (at >= piece->length) {
            at -= piece->length;
            continue;
        }
        size_t part = piece->length - at;
        if (part > length - copied) {
            part = length - copied;
        }
        memcpy(to + copied, piece_bytes(piece) + at, part);
        copied += part;
        at = 0;
    }
    return copied;
}
