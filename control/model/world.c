#include "control/model/world_parts.h"

#include "lib/base/text.h"
#include "lib/xds/xds_listener.h"

struct world *world_create(const struct world_options *options)
{
    struct world *world = NEW(struct world);
    world->trust_domain = mem_strdup(options->trust_domain);
    world->root_namespace = mem_strdup(options->root_namespace);
    world->cluster_domain = mem_strdup(options->cluster_domain);
    map_init_borrowed(&world->entries);
    map_init_borrowed(&world->realms);
    map_init_borrowed(&world->services);
    map_init_borrowed(&world->targets);
    map_init_borrowed(&world->asked);
    list_init(&world->dirty_services);
    list_init(&world->dirty_externals);
    list_init(&world->unjudged);
    resource_table_init(&world->table);
    return world;
}

const struct mesh_config_spec *mesh_spec_of(const struct world *world)
{
    return world->mesh_config != NULL
               ? &((const struct mesh_config_body *)world->mesh_config->object->body)->spec
               : NULL;
}

struct span world_wanted_trust_domain(const struct world *world)
{
    const struct mesh_config_spec *mesh = mesh_spec_of(world);
    return mesh != NULL ? mesh->trust_domain : SPAN_EMPTY;
}

void world_set_trust_domain(struct world *world, const char *trust_domain)
{
    mem_free(world->trust_domain);
    world->trust_domain = mem_strdup(trust_domain);
    world->all_dirty = true;
}

static void entry_destroy(struct world *world, struct entry *entry)
{
    list_remove(&entry->dirty);
    list_remove(&entry->unjudged);
    resource_producer_done(&world->table, &entry->products);
    conditions_done(&entry->conditions);
    object_unref(entry->object);
    mem_free(entry->key);
    mem_free(entry);
}

/* Whatever a map of this world keeps, freed by the function for it. */
static void map_free(struct map *map, void (*release)(struct world *, void *), struct world *world)
{
    size_t at = 0;
    struct span key;
    void *value;
    while (map_next(map, &at, &key, &value)) {
        release(world, value);
    }
    map_done(map);
}

static void free_entry(struct world *world, void *entry)
{
    entry_destroy(world, entry);
}

static void free_service(struct world *world, void *service)
{
    service_destroy(world, service);
}

static void free_realm(struct world *world, void *realm)
{
    realm_destroy(realm);
}

static void free_target(struct world *world, void *value)
{
    struct target *target = value;
    for (uint32_t i = 0; i < target->attachments.count; i++) {
        mem_free(target->attachments.at[i]);
    }
    pointers_done(&target->attachments);
    mem_free(target->key);
    mem_free(target);
}

static void free_bag(struct world *world, void *bag)
{
    pointers_done(bag);
    mem_free(bag);
}

static void free_resource(struct world *world, void *resource)
{
    resource_unref(resource);
}

void world_destroy(struct world *world)
{
    if (world == NULL) {
        return;
    }
    map_free(&world->services, free_service, world);
    map_free(&world->entries, free_entry, world);
    map_free(&world->realms, free_realm, world);
    map_free(&world->targets, free_target, world);
    map_free(&world->addresses, free_bag, world);
    map_free(&world->contests, free_bag, world);
    map_free(&world->asked, free_resource, world);
    pointers_done(&world->mesh_transport);
    resource_producer_done(&world->table, &world->roots);
    resource_table_done(&world->table);
    mem_free(world->self_spans);
    mem_free(world->trust_domain);
    mem_free(world->root_namespace);
    mem_free(world->cluster_domain);
    mem_free(world);
}

/* Judged, and by none of its parents or targets taken. */
static bool is_refused(const struct conditions *conditions)
{
    bool judged = false;
    for (uint32_t i = 0; i < conditions->count; i++) {
        if (conditions->items[i].type == CONDITION_ACCEPTED) {
            judged = true;
            if (conditions->items[i].holds) {
                return false;
            }
        }
    }
    return judged;
}

void entry_judge_programmed(struct entry *entry)
{
    struct conditions *conditions = &entry->conditions;
    struct text fields = {0};
    if (is_refused(conditions)) {
        conditions_set(conditions, CONDITION_OF_OBJECT, CONDITION_PROGRAMMED, false, "NotAccepted",
                       "nothing that it names takes it");
    } else if (!object_not_in_force(entry->object, &fields)) {
        conditions_set(conditions, CONDITION_OF_OBJECT, CONDITION_PROGRAMMED, true, "Programmed",
                       "in force");
    } else if (kind_facts((enum kind)entry->object->kind)->in_force) {
        conditions_set(conditions, CONDITION_OF_OBJECT, CONDITION_PROGRAMMED, false,
                       "PartiallyProgrammed", "not in force yet: %s", fields.bytes);
    } else {
        conditions_set(conditions, CONDITION_OF_OBJECT, CONDITION_PROGRAMMED, false,
                       "NotInForceYet", "objects of this kind are checked but not in force yet");
    }
    text_done(&fields);
}

/* Parts are judged by their parents and targets; what has none is accepted by being good. */
static bool is_judged_by_parts(const struct object *object)
{
    return kind_is_route((enum kind)object->kind) || policy_targets(object) != NULL;
}

static struct entry *entry_get(struct world *world, const struct object *object)
{
    struct entry *entry = map_get(&world->entries, object->key);
    if (entry == NULL) {
        entry = NEW(struct entry);
        entry->key = mem_text(object->key.at, object->key.length);
        map_put(&world->entries, span_of(entry->key), entry);
    }
    return entry;
}

void world_put(struct world *world, struct object *object)
{
    struct entry *entry = entry_get(world, object);
    struct object *before = entry->object;
    if (before == object) {
        return;
    }
    object_ref(object);
    if (before != NULL) {
        world_unindex(world, entry);
        /* Conditions of parts that may be no more; those of the rest come again at once. */
        conditions_clear(&entry->conditions);
        object_unref(before);
    }
    entry->object = object;
    if (!is_judged_by_parts(object)) {
        conditions_set(&entry->conditions, CONDITION_OF_OBJECT, CONDITION_ACCEPTED, true,
                       "Accepted", "valid");
    }
    entry_judge_programmed(entry);
    world_index(world, entry);
}

void world_remove(struct world *world, const struct object *object)
{
    struct entry *entry = map_get(&world->entries, object->key);
    if (entry == NULL) {
        return;
    }
    world_unindex(world, entry);
    map_remove(&world->entries, span_of(entry->key));
    entry_destroy(world, entry);
}

void world_set_roots(struct world *world, struct span roots_pem)
{
    struct arena arena = {0};
    struct xds_secret secret = {.name = SPAN("ROOTCA"), .roots_pem = roots_pem};
    resource_table_begin(&world->roots);
    resource_table_put(&world->table, &world->roots, XDS_SECRET, secret.name, SPAN_EMPTY,
                       xds_secret_encode(&secret, &arena));
    resource_table_end(&world->table, &world->roots);
    arena_done(&arena);
}

bool world_next_object(const struct world *world, size_t *at, struct world_object *ret_object)
{
    struct span key;
    void *value;
    if (!map_next(&world->entries, at, &key, &value)) {
        return false;
    }
    const struct entry *entry = value;
    *ret_object = (struct world_object){entry->object, &entry->conditions};
    return true;
}

bool world_object(const struct world *world, struct span key, struct world_object *ret_object)
{
    const struct entry *entry = map_get(&world->entries, key);
    if (entry == NULL) {
        return false;
    }
    *ret_object = (struct world_object){entry->object, &entry->conditions};
    return true;
}

void world_tell_news(struct world *world, world_tell_fn *tell, void *owner)
{
    struct span key;
    void *value;
    size_t at = 0;
    while (map_next(&world->entries, &at, &key, &value)) {
        struct entry *entry = value;
        struct conditions *conditions = &entry->conditions;
        for (uint32_t i = 0; conditions->has_news && i < conditions->count; i++) {
            struct condition *condition = &conditions->items[i];
            if (condition->is_news) {
                condition->is_news = false;
                tell(owner, entry->object, condition);
            }
        }
        conditions->has_news = false;
    }
}

struct world_counts world_count(const struct world *world)
{
    struct world_counts counts = {.objects = world->entries.count};
    size_t at = 0;
    struct span key;
    void *value;
    while (map_next(&world->entries, &at, &key, &value)) {
        const struct entry *entry = value;
        counts.services += entry->object->kind == KIND_SERVICE;
        counts.workloads += entry->object->kind == KIND_WORKLOAD;
    }
    for (int type = 0; type < XDS_TYPES; type++) {
        for (at = 0; map_next(&world->table.slots[type], &at, &key, &value);) {
            const struct resource_slot *slot = value;
            for (uint32_t i = 0; i < slot->count; i++) {
                counts.resources++;
                counts.resource_bytes += slot->forms[i].resource->bytes.length;
            }
        }
    }
    return counts;
}
