#ifndef REMORA_BASE_CHUNK_H
#define REMORA_BASE_CHUNK_H

#include <stddef.h>
#include <stdint.h>

/*
 * Chunks are where bytes of a connection live: 16 KiB each, counted references, from a pool of the
 * thread. The reader that took a chunk fills it; from the moment a piece of it is handed up, those
 * bytes are read-only (the owner may go on filling behind them). Not atomic: a chunk never leaves
 * its thread. Idle connections hold none.
 */
enum { CHUNK_BYTES = 16384 };

struct chunk {
    uint32_t references;
    uint32_t used; /* bytes written so far, by the filler */
    unsigned char bytes[CHUNK_BYTES];
};

/* One reference, used = 0. */
struct chunk *chunk_take(void);
struct chunk *chunk_ref(struct chunk *chunk);
/* Takes NULL. The last reference puts the chunk back into the pool of this thread. */
void chunk_unref(struct chunk *chunk);

static inline size_t chunk_room(const struct chunk *chunk)
{
    return CHUNK_BYTES - chunk->used;
}

/* Chunks of this thread that are in use, and bytes that the pool keeps free. */
size_t chunk_in_use(void);
size_t chunk_pool_bytes(void);
/* Frees pooled chunks beyond keep. Called from a timer, not from the request path. */
void chunk_pool_trim(size_t keep);

/* Some bytes of a chunk. Holds one reference wherever it is stored. */
struct piece {
    struct chunk *chunk;
    uint32_t at;
    uint32_t length;
};

/*
 * A copy of a few bytes (1 to CHUNK_SMALL_BYTES), in a chunk that such copies of this thread share:
 * a chunk of its own for each would make nine bytes cost 16 KiB. The reference is the caller's.
 * Only for bytes that are complete: nothing can be added behind them.
 */
enum { CHUNK_SMALL_BYTES = 2048 };
struct piece chunk_copy(const void *bytes, size_t length);

static inline const unsigned char *piece_bytes(const struct piece *piece)
{
    return piece->chunk->bytes + piece->at;
}

#endif
