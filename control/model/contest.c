#include "control/model/world_parts.h"

#include <stdio.h>
#include <string.h>

static void mark(struct world *world, struct entry *entry)
{
    const struct metadata *meta = &entry->object->meta;
    if (entry->object->kind != KIND_SERVICE) {
        if (!link_linked(&entry->dirty)) {
            list_push_back(&world->dirty_externals, &entry->dirty);
        }
        return;
    }
    struct service *service = service_find(world, meta->namespace_name, meta->name);
    if (service != NULL) {
        service_mark(world, service);
    }
}

static void mark_all(struct world *world, const struct pointers *claimants)
{
    for (uint32_t i = 0; i < claimants->count; i++) {
        mark(world, claimants->at[i]);
    }
}

void contest_join(struct world *world, struct span thing, struct entry *entry)
{
    struct pointers *claimants = map_get(&world->contests, thing);
    if (claimants == NULL) {
        claimants = NEW(struct pointers);
        map_put(&world->contests, thing, claimants);
    }
    if (!pointers_has(claimants, entry)) {
        mark_all(world, claimants);
        pointers_add(claimants, entry);
    }
}

void contest_leave(struct world *world, struct span thing, struct entry *entry)
{
    struct pointers *claimants = map_get(&world->contests, thing);
    if (claimants == NULL || !pointers_remove(claimants, entry)) {
        return;
    }
    mark_all(world, claimants);
    if (claimants->count == 0) {
        map_remove(&world->contests, thing);
        pointers_done(claimants);
        mem_free(claimants);
    }
}

struct entry *contest_winner(const struct world *world, struct span thing)
{
    const struct pointers *claimants = map_get(&world->contests, thing);
    struct entry *oldest = NULL;
    for (uint32_t i = 0; claimants != NULL && i < claimants->count; i++) {
        struct entry *each = claimants->at[i];
        if (oldest == NULL || object_older(each->object, oldest->object)) {
            oldest = each;
        }
    }
    return oldest;
}

struct span contest_address(const struct address *address, char *into)
{
    into[0] = 'a';
    into[1] = (char)address->family;
    memcpy(into + 2, address->bytes, sizeof(address->bytes));
    return span_make(into, 2 + sizeof(address->bytes));
}

struct span contest_text(const char *prefix, struct span rest, char *into)
{
    int length = snprintf(into, CONTEST_BYTES, "%s/%.*s", prefix, SPAN_ARG(rest));
    return span_make(into, (size_t)length < CONTEST_BYTES ? (size_t)length : CONTEST_BYTES - 1);
}
