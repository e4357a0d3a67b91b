#include "control/model/compile.h"
#include "control/model/self.h"
#include "control/model/world_parts.h"

/* One compilation of what is marked, and the questions that proxies ask afterwards. */
static void mark_everything(struct world *world)
{
    size_t at = 0;
    struct span key;
    void *value;
    while (map_next(&world->services, &at, &key, &value)) {
        service_mark(world, value);
    }
    for (at = 0; map_next(&world->entries, &at, &key, &value);) {
        struct entry *entry = value;
        if (entry->object->kind == KIND_EXTERNAL_SERVICE && !link_linked(&entry->dirty)) {
            list_push_back(&world->dirty_externals, &entry->dirty);
        }
    }
    world->self_everywhere = true;
}

static void judge_mesh(const struct world *world)
{
    struct entry *entry = world->mesh_config;
    struct span wanted = world_wanted_trust_domain(world);
    if (entry == NULL) {
        return;
    }
    entry_judge_programmed(entry);
    if (wanted.length > 0 && !span_equal_text(wanted, world->trust_domain)) {
        conditions_set(&entry->conditions, CONDITION_OF_OBJECT, CONDITION_PROGRAMMED, false,
                       "TrustDomainFixed", "the authority was made for %s; %.*s is not in force",
                       world->trust_domain, SPAN_ARG(wanted));
    }
}

static size_t compile_services(struct world *world)
{
    struct link *link;
    size_t count = 0;
    while ((link = list_pop(&world->dirty_services)) != NULL) {
        struct service *service = CONTAINER_OF(link, struct service, dirty);
        service_compile(world, service);
        service_release(world, service);
        count++;
    }
    return count;
}

/* Addresses that proxies have asked for are answered anew; what differs is told. */
static void recheck_asked(struct world *world)
{
    size_t at = 0;
    struct span name;
    void *value;
    struct pointers gone = {0};
    while (map_next(&world->asked, &at, &name, &value)) {
        struct resource *before = value;
        struct resource *now = phone_by_address(world, before->name);
        bool differs = now == NULL ? before->bytes.length > 0 : now->version != before->version;
        if (differs) {
            resource_table_note(&world->table, XDS_PHONE, before->name);
            pointers_add(&gone, before);
        }
        resource_unref(now);
    }
    for (uint32_t i = 0; i < gone.count; i++) {
        struct resource *each = gone.at[i];
        map_remove(&world->asked, each->name);
        resource_unref(each);
    }
    pointers_done(&gone);
}

static void tell_self(struct world *world)
{
    struct world_changes *changes = &world->changes;
    size_t at = 0;
    struct span name;
    void *value;
    changes->self_everywhere = world->self_everywhere;
    changes->self_namespace_count = 0;
    while (map_next(&world->realms, &at, &name, &value)) {
        struct realm *realm = value;
        if (realm->self_dirty) {
            realm->self_dirty = false;
            mem_grow(&world->self_spans, &world->self_capacity, changes->self_namespace_count + 1,
                     sizeof(world->self_spans[0]));
            world->self_spans[changes->self_namespace_count++] = name;
        }
    }
    changes->self_namespaces = world->self_spans;
    world->self_everywhere = false;
}

const struct world_changes *world_compile(struct world *world)
{
    struct world_changes *changes = &world->changes;
    if (world->all_dirty) {
        mark_everything(world);
        judge_mesh(world);
        world->all_dirty = false;
    }
    changes->services_compiled = compile_services(world);
    struct link *link;
    while ((link = list_pop(&world->dirty_externals)) != NULL) {
        external_compile(world, CONTAINER_OF(link, struct entry, dirty));
    }
    targets_judge(world);
    tell_self(world);
    if (changes->self_everywhere || changes->self_namespace_count > 0 ||
        changes->services_compiled > 0) {
        recheck_asked(world);
    }
    resource_table_publish(&world->table);
    for (int type = 0; type < XDS_TYPES; type++) {
        changes->types[type].names = world->table.told[type].names;
        changes->types[type].count = world->table.told[type].count;
    }
    return changes;
}

/* ---- questions ---- */

/* More asked addresses than any mesh uses at a time: start over, the answers are made again. */
enum { ASKED_MOST = 20000 };

static void forget_asked(struct world *world)
{
    size_t at = 0;
    struct span name;
    void *value;
    while (map_next(&world->asked, &at, &name, &value)) {
        map_remove(&world->asked, name);
        resource_unref(value);
    }
}

/* That nobody has an address is remembered too: who asked wants to know when somebody does. */
static struct resource *ask_address(struct world *world, struct span name)
{
    struct resource *resource = phone_by_address(world, name);
    if (map_get(&world->asked, name) == NULL) {
        if (world->asked.count >= ASKED_MOST) {
            forget_asked(world);
        }
        struct resource *kept = resource != NULL ? resource_ref(resource)
                                                 : resource_create(XDS_PHONE, name, SPAN_EMPTY);
        map_put(&world->asked, kept->name, kept);
    }
    return resource;
}

struct resource *world_resource(struct world *world, const struct viewer *viewer,
                                enum xds_type type, struct span name)
{
    if (type == XDS_WORKLOAD) {
        return span_equal_text(name, "self") ? self_make(world, viewer) : NULL;
    }
    if (type == XDS_PHONE && span_starts_with(name, SPAN("ip/"))) {
        return ask_address(world, name);
    }
    struct resource *resource =
        resource_table_get(&world->table, type, name, viewer->namespace_name);
    return resource != NULL ? resource_ref(resource) : NULL;
}

struct resource *world_next(struct world *world, const struct viewer *viewer, enum xds_type type,
                            size_t *at)
{
    struct resource *resource =
        resource_table_next(&world->table, type, viewer->namespace_name, at);
    return resource != NULL ? resource_ref(resource) : NULL;
}
