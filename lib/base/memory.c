#include "lib/base/memory.h"

#include "lib/base/check.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In every build: one instruction beside a call of malloc, and the tests hold what ships. */
static _Thread_local uint64_t allocations;

static _Noreturn void out_of_memory(void)
{
    static const char message[] = "out of memory\n";
    if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0) {
        abort();
    }
    abort();
}

void *mem_alloc(size_t bytes)
{
    allocations++;
    /* malloc(0) may give NULL, which would look like failure. */
    void *memory = malloc(bytes > 0 ? bytes : 1);
    if (memory == NULL) {
        out_of_memory();
    }
    return memory;
}

void *mem_zalloc(size_t bytes)
{
    return mem_array(1, bytes);
}

void *mem_array(size_t count, size_t bytes)
{
    allocations++;
    if (count == 0 || bytes == 0) {
        count = bytes = 1;
    }
    /* calloc checks the product. */
    void *memory = calloc(count, bytes);
    if (memory == NULL) {
        out_of_memory();
    }
    return memory;
}

void *mem_realloc(void *old, size_t bytes)
{
    allocations++;
    void *memory = realloc(old, bytes > 0 ? bytes : 1);
    if (memory == NULL) {
        out_of_memory();
    }
    return memory;
}

void *mem_aligned(size_t alignment, size_t bytes)
{
    allocations++;
    void *memory = NULL;
    int error = posix_memalign(&memory, alignment, bytes > 0 ? bytes : 1);
    CHECK(error != EINVAL);
    if (error != 0) {
        out_of_memory();
    }
    return memset(memory, 0, bytes);
}

void mem_free(void *memory)
{
    free(memory);
}

void *mem_dup(const void *from, size_t bytes)
{
    void *memory = mem_alloc(bytes);
    if (bytes > 0) {
        memcpy(memory, from, bytes);
    }
    return memory;
}

char *mem_strdup(const char *text)
{
    return mem_text(text, strlen(text));
}

char *mem_text(const char *from, size_t length)
{
    CHECK(length < SIZE_MAX);
    char *memory = mem_alloc(length + 1);
    if (length > 0) {
        memcpy(memory, from, length);
    }
    memory[length] = '\0';
    return memory;
}

void mem_grow(void *array_pointer, size_t *capacity, size_t wanted, size_t item_bytes)
{
    if (wanted <= *capacity) {
        return;
    }
    size_t grown = *capacity > 0 ? *capacity : 4;
    while (grown < wanted) {
        CHECK(grown <= SIZE_MAX / 2);
        grown *= 2;
    }
    size_t bytes = 0;
    CHECK(!__builtin_mul_overflow(grown, item_bytes, &bytes));
    /* The caller's array is a pointer to some type; its bytes are copied rather than its type
     * guessed. */
    void *array;
    memcpy(&array, array_pointer, sizeof(array));
    array = mem_realloc(array, bytes);
    memcpy(array_pointer, &array, sizeof(array));
    *capacity = grown;
}

void mem_trim(void)
{
    malloc_trim(0);
}

uint64_t mem_allocations(void)
{
    return allocations;
}
