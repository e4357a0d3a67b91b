#include "control/model/world_parts.h"

/*
 * What an object of each kind touches when it comes or goes. A change is a going of the old version
 * and a coming of the new one; marks are idempotent, so that costs nothing twice.
 */
void index_mark_self(struct world *world, const struct entry *entry)
{
    realm_get(world, entry->object->meta.namespace_name)->self_dirty = true;
}

/* ---- ExternalService, MeshConfig ---- */
static void each_host(struct world *world, struct entry *entry,
                      void (*act)(struct world *, struct span, struct entry *))
{
    const struct external_service_body *external = entry->object->body;
    char into[CONTEST_BYTES];
    for (uint32_t i = 0; i < external->spec.hosts.count; i++) {
        act(world, contest_text("host", external->spec.hosts.at[i], into), entry);
    }
}

static void index_external(struct world *world, struct entry *entry)
{
    each_host(world, entry, contest_join);
    if (!link_linked(&entry->dirty)) {
        list_push_back(&world->dirty_externals, &entry->dirty);
    }
}

static void unindex_external(struct world *world, struct entry *entry)
{
    each_host(world, entry, contest_leave);
}

static void index_mesh(struct world *world, struct entry *entry)
{
    if (!span_equal_text(entry->object->meta.name, "mesh")) {
        conditions_set(&entry->conditions, CONDITION_OF_OBJECT, CONDITION_ACCEPTED, false,
                       "Invalid", "the one MeshConfig is named mesh");
        entry_judge_programmed(entry);
        return;
    }
    world->mesh_config = entry;
    world->all_dirty = true;
}

static void unindex_mesh(struct world *world, struct entry *entry)
{
    if (world->mesh_config == entry) {
        world->mesh_config = NULL;
        world->all_dirty = true;
    }
}

static void nothing(struct world *world, struct entry *entry)
{
}

struct indexer {
    void (*come)(struct world *world, struct entry *entry);
    void (*go)(struct world *world, struct entry *entry);
};
static const struct indexer indexers[KINDS] = {
    [KIND_SERVICE] = {index_service, unindex_service},
    [KIND_NAMESPACE] = {nothing, nothing},
    [KIND_ENDPOINT_SLICE] = {index_slice, unindex_slice},
    [KIND_HTTP_ROUTE] = {index_route, unindex_route},
    [KIND_GRPC_ROUTE] = {index_route, unindex_route},
    [KIND_TCP_ROUTE] = {index_route, unindex_route},
    [KIND_TLS_ROUTE] = {index_route, unindex_route},
    [KIND_REFERENCE_GRANT] = {nothing, nothing},
    [KIND_WORKLOAD] = {index_workload, unindex_workload},
    [KIND_TRAFFIC_POLICY] = {index_policy, unindex_policy},
    [KIND_RATE_LIMIT_POLICY] = {index_policy, unindex_policy},
    [KIND_TRANSPORT_POLICY] = {index_policy, unindex_policy},
    [KIND_AUTHORIZATION_POLICY] = {index_policy, unindex_policy},
    [KIND_JWT_POLICY] = {index_policy, unindex_policy},
    [KIND_EXTERNAL_SERVICE] = {index_external, unindex_external},
    [KIND_MESH_CONFIG] = {index_mesh, unindex_mesh},
};

void world_index(struct world *world, struct entry *entry)
{
    indexers[entry->object->kind].come(world, entry);
    target_touch(world, span_of(entry->key));
}

void world_unindex(struct world *world, struct entry *entry)
{
    indexers[entry->object->kind].go(world, entry);
    target_touch(world, span_of(entry->key));
}
