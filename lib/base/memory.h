#ifndef REMORA_BASE_MEMORY_H
#define REMORA_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/*
 * Heap memory that cannot be missing: when the system has none left, a message is printed and the
 * process aborts, so no caller checks for NULL. Sizes that come from outside must be bounded before
 * they reach this file. All functions may be called from any thread. mem_free takes NULL.
 */

void *mem_alloc(size_t bytes) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *mem_zalloc(size_t bytes) __attribute__((malloc, returns_nonnull, alloc_size(1)));
/* count * bytes, zeroed; aborts on overflow of the product. */
void *mem_array(size_t count, size_t bytes)
    __attribute__((malloc, returns_nonnull, alloc_size(1, 2)));
void *mem_realloc(void *old, size_t bytes) __attribute__((returns_nonnull, alloc_size(2)));
/* Zeroed, at a multiple of alignment (a power of two, at least a pointer's size). */
void *mem_aligned(size_t alignment, size_t bytes) __attribute__((malloc, returns_nonnull));
void mem_free(void *memory);
void *mem_dup(const void *from, size_t bytes);
char *mem_strdup(const char *text);
/* A copy of length bytes with a NUL added. */
char *mem_text(const char *from, size_t length);

/* Grows *array (of items of item_bytes) so that it holds at least wanted items; doubles. */
void mem_grow(void *array_pointer, size_t *capacity, size_t wanted, size_t item_bytes);

/*
 * Gives free pages back to the system: for after work that took much more memory than it left in
 * use, because malloc alone keeps them. It takes the locks of all threads' heaps, one after the
 * other, and a thread that allocates meanwhile waits (ms): off the path of requests, and rarely.
 */
void mem_trim(void);

/* How often this thread has called malloc through these functions. */
uint64_t mem_allocations(void);

#define NEW(type) ((type *)mem_zalloc(sizeof(type)))

#endif
