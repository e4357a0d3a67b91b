#ifndef REMORA_BASE_FREE_LIST_H
#define REMORA_BASE_FREE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Blocks of one size that a thread keeps for its next use, at most `keep` of them; more are freed.
 * One list belongs to one thread: declare it `static _Thread_local`. What it keeps is freed when
 * the thread ends. A block taken by one thread may be given back by another.
 */
struct free_list {
    size_t item_bytes; /* at least a pointer's */
    uint32_t keep;
    uint32_t count; /* blocks kept now */
    void *first;
    struct free_list *next_of_thread;
    bool armed; /* known to the end of the thread */
};

#define FREE_LIST(bytes, most)                                                                     \
    {                                                                                              \
        .item_bytes = (bytes), .keep = (most)                                                      \
    }

/* A block with undefined content. */
void *free_list_take(struct free_list *list);
void free_list_give(struct free_list *list, void *item);
/* Frees blocks beyond keep. */
void free_list_trim(struct free_list *list, size_t keep);

#endif
