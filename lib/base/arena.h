#ifndef REMORA_BASE_ARENA_H
#define REMORA_BASE_ARENA_H

#include "lib/base/span.h"

#include <stdarg.h>

/*
 * An arena hands out memory that is given back all at once. It grows in blocks (4 KiB first, larger
 * requests in blocks of their own); blocks come from a per-thread free list, so that an arena whose
 * whole content fits a block costs no malloc. Memory is 16-byte aligned and NOT zeroed unless said.
 *
 * One thread at a time. An arena that is all zero bytes is valid and empty.
 */
struct arena_block;
struct arena {
    struct arena_block *blocks; /* newest first */
    char *next;                 /* free bytes of the newest block */
    char *end;
    size_t bytes; /* handed out so far, for limits and reports */
};

void arena_init(struct arena *arena);
/* Gives everything back and leaves the arena empty and usable. */
void arena_done(struct arena *arena);
void *arena_alloc(struct arena *arena, size_t bytes);
void *arena_zalloc(struct arena *arena, size_t bytes);
/* count * bytes, zeroed; aborts on overflow of the product. */
void *arena_array(struct arena *arena, size_t count, size_t bytes);
void *arena_dup(struct arena *arena, const void *from, size_t bytes);
struct span arena_span(struct arena *arena, struct span from);
/* One after the other: on the request path instead of arena_printf, which reads a format twice. */
struct span arena_join(struct arena *arena, const struct span *parts, size_t count);
#define ARENA_JOIN(arena, ...)                                                                     \
    arena_join((arena), (const struct span[]){__VA_ARGS__},                                        \
               sizeof((const struct span[]){__VA_ARGS__}) / sizeof(struct span))
/* NUL-terminated copies. */
char *arena_text(struct arena *arena, struct span from);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Gives the blocks that this thread keeps for its next arenas back to malloc. */
void arena_release_spare(void);

#define ARENA_NEW(arena, type) ((type *)arena_zalloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_array((arena), (count), sizeof(type)))

#endif
