#include "control/model/resource_table.h"

#include "lib/base/memory.h"

#include <string.h>

void resource_table_init(struct resource_table *table)
{
    *table = (struct resource_table){.round = 1};
    for (int type = 0; type < XDS_TYPES; type++) {
        map_init_borrowed(&table->slots[type]);
    }
}

static void form_done(struct resource_form *form)
{
    resource_unref(form->resource);
    mem_free(form->viewer);
}

static void slot_destroy(struct resource_slot *slot)
{
    for (uint32_t i = 0; i < slot->count; i++) {
        form_done(&slot->forms[i]);
    }
    mem_free(slot->forms);
    mem_free(slot->name);
    mem_free(slot);
}

void resource_table_done(struct resource_table *table)
{
    for (int type = 0; type < XDS_TYPES; type++) {
        size_t at = 0;
        struct span name;
        void *slot;
        while (map_next(&table->slots[type], &at, &name, &slot)) {
            slot_destroy(slot);
        }
        map_done(&table->slots[type]);
        mem_free(table->noted[type].names);
        mem_free(table->told[type].names);
    }
    arena_done(&table->noted_names);
    arena_done(&table->told_names);
}

void resource_table_publish(struct resource_table *table)
{
    table->round++;
    for (int type = 0; type < XDS_TYPES; type++) {
        struct resource_changes swap = table->told[type];
        table->told[type] = table->noted[type];
        table->noted[type] = swap;
        table->noted[type].count = 0;
    }
    arena_done(&table->told_names);
    table->told_names = table->noted_names;
    table->noted_names = (struct arena){0};
}

void resource_table_note(struct resource_table *table, enum xds_type type, struct span name)
{
    struct resource_changes *changes = &table->noted[type];
    mem_grow(&changes->names, &changes->capacity, changes->count + 1, sizeof(changes->names[0]));
    changes->names[changes->count++] = arena_span(&table->noted_names, name);
}

static void note(struct resource_table *table, struct resource_slot *slot)
{
    if (slot->noted != table->round) {
        slot->noted = table->round;
        resource_table_note(table, (enum xds_type)slot->type, span_of(slot->name));
    }
}

void resource_table_begin(struct resource_producer *producer)
{
    for (size_t i = 0; i < producer->count; i++) {
        for (uint32_t j = 0; j < producer->slots[i]->count; j++) {
            producer->slots[i]->forms[j].fresh = false;
        }
    }
}

static void producer_add(struct resource_producer *producer, struct resource_slot *slot)
{
    mem_grow(&producer->slots, &producer->capacity, producer->count + 1,
             sizeof(producer->slots[0]));
    producer->slots[producer->count++] = slot;
    slot->producer = producer;
}

/* The earlier producer must not think the name stale when its turn comes. */
static void producer_take(struct resource_producer *producer, struct resource_slot *slot)
{
    struct resource_producer *before = slot->producer;
    for (size_t i = 0; i < before->count; i++) {
        if (before->slots[i] == slot) {
            before->slots[i] = before->slots[--before->count];
            break;
        }
    }
    producer_add(producer, slot);
    for (uint32_t i = 0; i < slot->count; i++) {
        slot->forms[i].fresh = false;
    }
}

static struct resource_slot *slot_of(struct resource_table *table,
                                     struct resource_producer *producer, enum xds_type type,
                                     struct span name)
{
    struct resource_slot *slot = map_get(&table->slots[type], name);
    if (slot == NULL) {
        slot = NEW(struct resource_slot);
        slot->name = mem_text(name.at, name.length);
        slot->type = (uint8_t)type;
        map_put(&table->slots[type], span_of(slot->name), slot);
        producer_add(producer, slot);
    } else if (slot->producer != producer) {
        producer_take(producer, slot);
    }
    return slot;
}

static bool form_is_for(const struct resource_form *form, struct span viewer)
{
    return form->viewer == NULL ? viewer.length == 0 : span_equal_text(viewer, form->viewer);
}

static struct resource_form *form_of(struct resource_slot *slot, struct span viewer)
{
    for (uint32_t i = 0; i < slot->count; i++) {
        if (form_is_for(&slot->forms[i], viewer)) {
            return &slot->forms[i];
        }
    }
    slot->forms = mem_realloc(slot->forms, (slot->count + 1) * sizeof(slot->forms[0]));
    struct resource_form *form = &slot->forms[slot->count++];
    *form = (struct resource_form){.viewer = viewer.length > 0 ? mem_text(viewer.at, viewer.length)
                                                               : NULL};
    return form;
}

void resource_table_put(struct resource_table *table, struct resource_producer *producer,
                        enum xds_type type, struct span name, struct span viewer, struct span bytes)
{
    struct resource_slot *slot = slot_of(table, producer, type, name);
    struct resource_form *form = form_of(slot, viewer);
    form->fresh = true;
    if (form->resource == NULL || !span_equal(form->resource->bytes, bytes)) {
        resource_unref(form->resource);
        form->resource = resource_create(type, name, bytes);
        note(table, slot);
    }
}

static void drop_stale_forms(struct resource_table *table, struct resource_slot *slot)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < slot->count; i++) {
        if (slot->forms[i].fresh) {
            slot->forms[kept++] = slot->forms[i];
        } else {
            form_done(&slot->forms[i]);
            note(table, slot);
        }
    }
    slot->count = kept;
}

void resource_table_end(struct resource_table *table, struct resource_producer *producer)
{
    size_t kept = 0;
    for (size_t i = 0; i < producer->count; i++) {
        struct resource_slot *slot = producer->slots[i];
        drop_stale_forms(table, slot);
        if (slot->count > 0) {
            producer->slots[kept++] = slot;
        } else {
            map_remove(&table->slots[slot->type], span_of(slot->name));
            slot_destroy(slot);
        }
    }
    producer->count = kept;
}

void resource_producer_done(struct resource_table *table, struct resource_producer *producer)
{
    resource_table_begin(producer);
    resource_table_end(table, producer);
    mem_free(producer->slots);
    *producer = (struct resource_producer){0};
}

static struct resource *form_for(const struct resource_slot *slot, struct span viewer)
{
    struct resource *common = NULL;
    for (uint32_t i = 0; i < slot->count; i++) {
        if (slot->forms[i].viewer == NULL) {
            common = slot->forms[i].resource;
        } else if (span_equal_text(viewer, slot->forms[i].viewer)) {
            return slot->forms[i].resource;
        }
    }
    return common;
}

struct resource *resource_table_get(const struct resource_table *table, enum xds_type type,
                                    struct span name, struct span viewer)
{
    const struct resource_slot *slot = map_get(&table->slots[type], name);
    return slot != NULL ? form_for(slot, viewer) : NULL;
}

struct resource *resource_table_next(const struct resource_table *table, enum xds_type type,
                                     struct span viewer, size_t *at)
{
    struct span name;
    void *slot;
    while (map_next(&table->slots[type], at, &name, &slot)) {
        struct resource *resource = form_for(slot, viewer);
        if (resource != NULL) {
            return resource;
        }
    }
    return NULL;
}
