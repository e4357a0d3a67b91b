#ifndef REMORA_PROXY_UPSTREAM_TEXTS_H
#define REMORA_PROXY_UPSTREAM_TEXTS_H

#include "lib/base/memory.h"
#include "lib/base/span.h"

#include <string.h>

/* Copies all spans into one block and points them at it. Free the block with mem_free. */
static inline char *texts_copy(struct span *const *spans, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += spans[i]->length;
    }
    char *block = mem_alloc(bytes + 1);
    char *at = block;
    for (size_t i = 0; i < count; i++) {
        if (spans[i]->length > 0) {
            memcpy(at, spans[i]->at, spans[i]->length);
        }
        spans[i]->at = at;
        at += spans[i]->length;
    }
    return block;
}

#endif
