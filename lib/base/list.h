#ifndef REMORA_BASE_LIST_H
#define REMORA_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Intrusive doubly linked lists with a sentinel. A link that is all zero or was removed is in no
 * list.
 */
struct link {
    struct link *next;
    struct link *previous;
};

struct list {
    struct link head;
};

#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct list *list)
{
    list->head.next = list->head.previous = &list->head;
}

static inline bool list_empty(const struct list *list)
{
    return list->head.next == &list->head;
}

static inline bool link_linked(const struct link *link)
{
    return link->next != NULL;
}

static inline void list_insert_before(struct link *place, struct link *link)
{
    link->next = place;
    link->previous = place->previous;
    place->previous->next = link;
    place->previous = link;
}

static inline void list_push_back(struct list *list, struct link *link)
{
    list_insert_before(&list->head, link);
}

static inline void list_push_front(struct list *list, struct link *link)
{
    list_insert_before(list->head.next, link);
}

/* Does nothing when the link is in no list. */
static inline void list_remove(struct link *link)
{
    if (link->next != NULL) {
        link->next->previous = link->previous;
        link->previous->next = link->next;
        link->next = link->previous = NULL;
    }
}

static inline struct link *list_first(struct list *list)
{
    return list_empty(list) ? NULL : list->head.next;
}

static inline struct link *list_pop(struct list *list)
{
    struct link *link = list_first(list);
    if (link != NULL) {
        list_remove(link);
    }
    return link;
}

/* The body may remove the current link, and no other. */
#define LIST_EACH(list, entry)                                                                     \
    for (struct link *entry = (list)->head.next, *entry##_next = entry->next;                      \
         entry != &(list)->head; entry = entry##_next, entry##_next = entry->next)

#endif
