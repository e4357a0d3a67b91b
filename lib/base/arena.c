#include "lib/base/arena.h"

#include "lib/base/check.h"
#include "lib/base/free_list.h"
#include "lib/base/memory.h"
#include "lib/base/poison.h"

#include <stdio.h>
#include <string.h>

/*
 * Two sizes are kept per thread: small blocks, two of which hold all that a usual request needs,
 * and larger ones for arenas that go on growing (configuration). malloc's own bookkeeping stays
 * inside the page.
 */
enum {
    SMALL_BLOCK_BYTES = 4096 - 16,
    LARGE_BLOCK_BYTES = 16384 - 16,
    KEEP_SMALL_BLOCKS = 512, /* 2 MiB per thread: 128 requests in flight take no memory */
    /* 128 KiB per thread; not more, as a worker may be the last to let go of a configuration. */
    KEEP_LARGE_BLOCKS = 8,
    ALIGNMENT = 16,
/* Bytes nobody owns behind each allocation, so that writing beyond one is found. */
#ifdef REMORA_POISON
    GAP_BYTES = ALIGNMENT,
#else
    GAP_BYTES = 0,
#endif
};

struct arena_block {
    struct arena_block *next;
    size_t bytes; /* with this head */
    _Alignas(ALIGNMENT) char content[];
};

static _Thread_local struct free_list small_blocks =
    FREE_LIST(SMALL_BLOCK_BYTES, KEEP_SMALL_BLOCKS);
static _Thread_local struct free_list large_blocks =
    FREE_LIST(LARGE_BLOCK_BYTES, KEEP_LARGE_BLOCKS);

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

static void block_free(struct arena_block *block)
{
    size_t bytes = block->bytes;
    unpoison(block, bytes);
    if (bytes == SMALL_BLOCK_BYTES) {
        free_list_give(&small_blocks, block);
    } else if (bytes == LARGE_BLOCK_BYTES) {
        free_list_give(&large_blocks, block);
    } else {
        mem_free(block);
    }
}

void arena_done(struct arena *arena)
{
    struct arena_block *next;
    for (struct arena_block *block = arena->blocks; block != NULL; block = next) {
        next = block->next;
        block_free(block);
    }
    *arena = (struct arena){0};
}

static struct arena_block *block_make(size_t bytes)
{
    struct arena_block *block;
    if (bytes == SMALL_BLOCK_BYTES) {
        block = free_list_take(&small_blocks);
    } else if (bytes == LARGE_BLOCK_BYTES) {
        block = free_list_take(&large_blocks);
    } else {
        block = mem_alloc(bytes);
    }
    block->bytes = bytes;
    block->next = NULL;
    poison(block->content, bytes - sizeof(*block));
    return block;
}

/* A block of its own, behind the newest, whose free bytes stay in use. */
static void *alloc_large(struct arena *arena, size_t bytes)
{
    struct arena_block *block = block_make(sizeof(*block) + bytes);
    if (arena->blocks == NULL) {
        arena->blocks = block;
    } else {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    }
    return block->content;
}

static void add_block(struct arena *arena)
{
    bool is_small = arena->blocks == NULL || arena->blocks->next == NULL;
    struct arena_block *block = block_make(is_small ? SMALL_BLOCK_BYTES : LARGE_BLOCK_BYTES);
    block->next = arena->blocks;
    arena->blocks = block;
    arena->next = block->content;
    arena->end = (char *)block + block->bytes;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    CHECK(bytes < SIZE_MAX / 2);
    /* No bytes are still an address of their own. */
    size_t taken = ((bytes > 0 ? bytes : 1) + GAP_BYTES + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    arena->bytes += bytes;
    void *memory;
    if (taken <= (size_t)(arena->end - arena->next)) {
        memory = arena->next;
        arena->next += taken;
    } else if (taken > SMALL_BLOCK_BYTES - sizeof(struct arena_block)) {
        memory = alloc_large(arena, taken);
    } else {
        add_block(arena);
        memory = arena->next;
        arena->next += taken;
    }
    unpoison(memory, bytes);
    return memory;
}

void arena_release_spare(void)
{
    free_list_trim(&small_blocks, 0);
    free_list_trim(&large_blocks, 0);
}

void *arena_zalloc(struct arena *arena, size_t bytes)
{
    return memset(arena_alloc(arena, bytes), 0, bytes);
}

void *arena_array(struct arena *arena, size_t count, size_t bytes)
{
    size_t product = 0;
    CHECK(!__builtin_mul_overflow(count, bytes, &product));
    return arena_zalloc(arena, product);
}

void *arena_dup(struct arena *arena, const void *from, size_t bytes)
{
    void *memory = arena_alloc(arena, bytes);
    if (bytes > 0) {
        memcpy(memory, from, bytes);
    }
    return memory;
}

struct span arena_span(struct arena *arena, struct span from)
{
    if (from.length == 0) {
        return SPAN_EMPTY;
    }
    return span_make(arena_dup(arena, from.at, from.length), from.length);
}

struct span arena_join(struct arena *arena, const struct span *parts, size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        length += parts[i].length;
    }
    char *joined = arena_alloc(arena, length);
    char *at = joined;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].length > 0) {
            memcpy(at, parts[i].at, parts[i].length);
            at += parts[i].length;
        }
    }
    return span_make(joined, length);
}

char *arena_text(struct arena *arena, struct span from)
{
    char *text = arena_alloc(arena, from.length + 1);
    if (from.length > 0) {
        memcpy(text, from.at, from.length);
    }
    text[from.length] = '\0';
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}

char *arena_vprintf(struct arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    CHECK(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
