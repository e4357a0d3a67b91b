#include "lib/base/chunk.h"

#include "lib/base/check.h"
#include "lib/base/free_list.h"

#include <string.h>

/* 4 MiB of free chunks per thread at most: the bytes of 64 streams at their full credit. */
enum { KEEP_CHUNKS = 256 };

static _Thread_local struct free_list pool = FREE_LIST(sizeof(struct chunk), KEEP_CHUNKS);
static _Thread_local size_t in_use;
/* The chunk that small copies share. Not a reference: it is forgotten when its last user lets go.
 */
static _Thread_local struct chunk *shared;

struct chunk *chunk_take(void)
{
    struct chunk *chunk = free_list_take(&pool);
    chunk->references = 1;
    chunk->used = 0;
    in_use++;
    return chunk;
}

struct chunk *chunk_ref(struct chunk *chunk)
{
    CHECK(chunk->references > 0 && chunk->references < UINT32_MAX);
    chunk->references++;
    return chunk;
}

void chunk_unref(struct chunk *chunk)
{
    if (chunk == NULL) {
        return;
    }
    CHECK(chunk->references > 0);
    if (--chunk->references > 0) {
        return;
    }
    if (chunk == shared) {
        shared = NULL;
    }
    in_use--;
    free_list_give(&pool, chunk);
}

struct piece chunk_copy(const void *bytes, size_t length)
{
    CHECK(length > 0 && length <= CHUNK_SMALL_BYTES);
    struct chunk *chunk = shared;
    if (chunk != NULL && chunk_room(chunk) >= length) {
        chunk_ref(chunk);
    } else {
        chunk = shared = chunk_take();
    }
    struct piece piece = {chunk, chunk->used, (uint32_t)length};
    memcpy(chunk->bytes + chunk->used, bytes, length);
    chunk->used += (uint32_t)length;
    return piece;
}

size_t chunk_in_use(void)
{
    return in_use;
}

size_t chunk_pool_bytes(void)
{
    return pool.count * sizeof(struct chunk);
}

void chunk_pool_trim(size_t keep)
{
    free_list_trim(&pool, keep);
}
