#include "control/model/world_parts.h"

#include <stdio.h>

struct realm *realm_find(const struct world *world, struct span name)
{
    return map_get(&world->realms, name);
}

struct realm *realm_get(struct world *world, struct span name)
{
    struct realm *realm = realm_find(world, name);
    if (realm == NULL) {
        realm = NEW(struct realm);
        realm->name = mem_text(name.at, name.length);
        map_put(&world->realms, span_of(realm->name), realm);
    }
    return realm;
}

static void bags_done(struct map *map)
{
    size_t at = 0;
    struct span key;
    void *bag;
    while (map_next(map, &at, &key, &bag)) {
        pointers_done(bag);
        mem_free(bag);
    }
    map_done(map);
}

void realm_destroy(struct realm *realm)
{
    pointers_done(&realm->workloads);
    pointers_done(&realm->services);
    bags_done(&realm->workload_labels);
    bags_done(&realm->selectors);
    mem_free(realm->name);
    mem_free(realm);
}

static void bag_add(struct map *map, struct span key, void *pointer)
{
    struct pointers *bag = map_get(map, key);
    if (bag == NULL) {
        bag = NEW(struct pointers);
        map_put(map, key, bag);
    }
    pointers_add(bag, pointer);
}

static void bag_remove(struct map *map, struct span key, void *pointer)
{
    struct pointers *bag = map_get(map, key);
    if (bag != NULL && pointers_remove(bag, pointer) && bag->count == 0) {
        map_remove(map, key);
        pointers_done(bag);
        mem_free(bag);
    }
}

/* Label keys are at most 253 + 1 + 63 bytes, values 63, and a key holds no "=". */
enum { PAIR_BYTES = 512 };

static struct span pair_of(const struct label *label, char *into)
{
    int length =
        snprintf(into, PAIR_BYTES, "%.*s=%.*s", SPAN_ARG(label->key), SPAN_ARG(label->value));
    return span_make(into, (size_t)length < PAIR_BYTES ? (size_t)length : PAIR_BYTES - 1);
}

void realm_add_workload(struct realm *realm, struct entry *entry)
{
    const struct labels *labels = &entry->object->meta.labels;
    char pair[PAIR_BYTES];
    pointers_add(&realm->workloads, entry);
    for (uint32_t i = 0; i < labels->count; i++) {
        bag_add(&realm->workload_labels, pair_of(&labels->at[i], pair), entry);
    }
}

void realm_remove_workload(struct realm *realm, struct entry *entry)
{
    const struct labels *labels = &entry->object->meta.labels;
    char pair[PAIR_BYTES];
    pointers_remove(&realm->workloads, entry);
    for (uint32_t i = 0; i < labels->count; i++) {
        bag_remove(&realm->workload_labels, pair_of(&labels->at[i], pair), entry);
    }
}

bool selector_matches(const struct labels *selector, const struct labels *labels)
{
    for (uint32_t i = 0; i < selector->count; i++) {
        bool found = false;
        for (uint32_t j = 0; j < labels->count && !found; j++) {
            found = span_equal(selector->at[i].key, labels->at[j].key) &&
                    span_equal(selector->at[i].value, labels->at[j].value);
        }
        if (!found) {
            return false;
        }
    }
    return selector->count > 0;
}

void realm_select(struct realm *realm, struct service *service)
{
    const struct labels *selector = &service_spec_of(service)->selector;
    char pair[PAIR_BYTES];
    if (selector->count > 0) {
        struct span key = pair_of(&selector->at[0], pair);
        service->selector = mem_text(key.at, key.length);
        bag_add(&realm->selectors, key, service);
    }
}

void realm_unselect(struct realm *realm, struct service *service)
{
    if (service->selector != NULL) {
        bag_remove(&realm->selectors, span_of(service->selector), service);
        mem_free(service->selector);
        service->selector = NULL;
    }
}

/* The rarest of the selector's labels leads: what it names is then compared with all of them. */
void realm_selected(const struct realm *realm, const struct labels *selector, struct pointers *into)
{
    const struct pointers *shortest = NULL;
    char pair[PAIR_BYTES];
    for (uint32_t i = 0; i < selector->count; i++) {
        const struct pointers *bag =
            map_get(&realm->workload_labels, pair_of(&selector->at[i], pair));
        if (bag == NULL) {
            return;
        }
        if (shortest == NULL || bag->count < shortest->count) {
            shortest = bag;
        }
    }
    for (uint32_t i = 0; shortest != NULL && i < shortest->count; i++) {
        const struct entry *workload = shortest->at[i];
        if (selector_matches(selector, &workload->object->meta.labels)) {
            pointers_add(into, shortest->at[i]);
        }
    }
}

void realm_selecting(const struct realm *realm, const struct entry *workload, struct pointers *into)
{
    const struct labels *labels = &workload->object->meta.labels;
    char pair[PAIR_BYTES];
    for (uint32_t i = 0; i < labels->count; i++) {
        const struct pointers *bag = map_get(&realm->selectors, pair_of(&labels->at[i], pair));
        for (uint32_t j = 0; bag != NULL && j < bag->count; j++) {
            struct service *service = bag->at[j];
            if (selector_matches(&service_spec_of(service)->selector, labels)) {
                pointers_add(into, service);
            }
        }
    }
}
