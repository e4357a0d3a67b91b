#ifndef REMORA_CONTROL_MODEL_POINTERS_H
#define REMORA_CONTROL_MODEL_POINTERS_H

#include "lib/base/memory.h"

#include <stdbool.h>

/* A bag of pointers; order is not kept. All zero = empty. Searching is linear: bags are small. */
struct pointers {
    void **at;
    uint32_t count, capacity;
};

static inline void pointers_done(struct pointers *pointers)
{
    mem_free(pointers->at);
    *pointers = (struct pointers){0};
}

static inline void pointers_add(struct pointers *pointers, void *pointer)
{
    size_t capacity = pointers->capacity;
    mem_grow(&pointers->at, &capacity, (size_t)pointers->count + 1, sizeof(void *));
    pointers->capacity = (uint32_t)capacity;
    pointers->at[pointers->count++] = pointer;
}

static inline bool pointers_has(const struct pointers *pointers, const void *pointer)
{
    for (uint32_t i = 0; i < pointers->count; i++) {
        if (pointers->at[i] == pointer) {
            return true;
        }
    }
    return false;
}

/* False when it was not there. */
static inline bool pointers_remove(struct pointers *pointers, const void *pointer)
{
    for (uint32_t i = 0; i < pointers->count; i++) {
        if (pointers->at[i] == pointer) {
            pointers->at[i] = pointers->at[--pointers->count];
            return true;
        }
    }
    return false;
}

#endif
