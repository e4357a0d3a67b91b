#include "lib/base/free_list.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"
#include "lib/base/poison.h"

#include <pthread.h>
#include <string.h>

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static _Thread_local struct free_list *lists_of_thread;

static void thread_ends(void *first)
{
    for (struct free_list *list = first; list != NULL; list = list->next_of_thread) {
        /* Later destructors of the thread may still give blocks back. */
        list->keep = 0;
        free_list_trim(list, 0);
    }
}

static void make_key(void)
{
    CHECK(pthread_key_create(&key, thread_ends) == 0);
}

static void arm(struct free_list *list)
{
    CHECK(pthread_once(&key_once, make_key) == 0);
    list->next_of_thread = lists_of_thread;
    lists_of_thread = list;
    list->armed = true;
    CHECK(pthread_setspecific(key, lists_of_thread) == 0);
}

/* The link to the next kept block is in the first bytes of a block. */
static void *pop(struct free_list *list)
{
    void *item = list->first;
    memcpy(&list->first, item, sizeof(list->first));
    list->count--;
    unpoison(item, list->item_bytes);
    return item;
}

void *free_list_take(struct free_list *list)
{
    if (list->first != NULL) {
        return pop(list);
    }
    return mem_alloc(list->item_bytes);
}

void free_list_give(struct free_list *list, void *item)
{
    if (list->count >= list->keep) {
        mem_free(item);
        return;
    }
    if (!list->armed) {
        arm(list);
    }
    memcpy(item, &list->first, sizeof(list->first));
    poison((char *)item + sizeof(list->first), list->item_bytes - sizeof(list->first));
    list->first = item;
    list->count++;
}

void free_list_trim(struct free_list *list, size_t keep)
{
    while (list->count > keep) {
        mem_free(pop(list));
    }
}
