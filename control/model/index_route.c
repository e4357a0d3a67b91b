#include "control/model/world_parts.h"
#include "control/object/policy_spec.h"

/* What routes and policies touch: the services that they speak of. */
/* ---- routes ---- */
static bool is_service_parent(const struct parent_ref *parent)
{
    return parent->group.at != NULL && parent->group.length == 0 &&
           span_equal_text(parent->kind, "Service");
}

static struct service *parent_service(struct world *world, const struct entry *route,
                                      const struct parent_ref *parent)
{
    struct span namespace_name = parent->namespace_name.length > 0
                                     ? parent->namespace_name
                                     : route->object->meta.namespace_name;
    return service_get(world, namespace_name, parent->name);
}

static void refuse_parent(struct entry *route, const struct parent_ref *parent, int part)
{
    if (span_equal_text(parent->kind, "Service")) {
        conditions_set(&route->conditions, part, CONDITION_ACCEPTED, false, "InvalidKind",
                       "a Service as parent needs group: \"\"");
    } else {
        conditions_set(&route->conditions, part, CONDITION_ACCEPTED, false, "InvalidKind",
                       "only Services are parents in the mesh; %.*s is left to others",
                       SPAN_ARG(parent->kind.length > 0 ? parent->kind : SPAN("Gateway")));
    }
}

void index_route(struct world *world, struct entry *entry)
{
    const struct items *parents = &route_spec_of(entry)->parents;
    for (uint32_t i = 0; i < parents->count; i++) {
        const struct parent_ref *parent = (const struct parent_ref *)parents->at + i;
        if (!is_service_parent(parent)) {
            refuse_parent(entry, parent, (int)i);
            entry_judge_programmed(entry);
            continue;
        }
        struct service *service = parent_service(world, entry, parent);
        struct binding *binding = NEW(struct binding);
        *binding = (struct binding){entry, (int)i};
        pointers_add(&service->bindings, binding);
        service_mark(world, service);
    }
}

static void drop_bindings(struct service *service, const struct entry *route)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < service->bindings.count; i++) {
        struct binding *each = service->bindings.at[i];
        if (each->route == route) {
            mem_free(each);
        } else {
            service->bindings.at[kept++] = each;
        }
    }
    service->bindings.count = kept;
}

void unindex_route(struct world *world, struct entry *entry)
{
    const struct items *parents = &route_spec_of(entry)->parents;
    for (uint32_t i = 0; i < parents->count; i++) {
        const struct parent_ref *parent = (const struct parent_ref *)parents->at + i;
        if (is_service_parent(parent)) {
            struct service *service = parent_service(world, entry, parent);
            drop_bindings(service, entry);
            service_mark(world, service);
        }
    }
}

/* ---- policies ---- */
static void mark_route_parents(struct world *world, enum kind kind, struct span namespace_name,
                               struct span name)
{
    char into[TARGET_KEY_BYTES];
    const struct entry *route =
        map_get(&world->entries, target_key_make(kind, namespace_name, name, into));
    if (route == NULL) {
        return;
    }
    const struct items *parents = &route_spec_of(route)->parents;
    for (uint32_t i = 0; i < parents->count; i++) {
        const struct parent_ref *parent = (const struct parent_ref *)parents->at + i;
        if (is_service_parent(parent)) {
            service_mark(world, parent_service(world, route, parent));
        }
    }
}

static void mark_target(struct world *world, struct span namespace_name,
                        const struct target_ref *ref)
{
    if (span_equal_text(ref->kind, "Service")) {
        struct service *service = service_find(world, namespace_name, ref->name);
        if (service != NULL) {
            service_mark(world, service);
        }
    } else if (span_equal_text(ref->kind, "HTTPRoute")) {
        mark_route_parents(world, KIND_HTTP_ROUTE, namespace_name, ref->name);
    } else if (span_equal_text(ref->kind, "GRPCRoute")) {
        mark_route_parents(world, KIND_GRPC_ROUTE, namespace_name, ref->name);
    } else {
        services_mark_realm(world, realm_get(world, namespace_name));
    }
}

static void mark_targets(struct world *world, const struct entry *policy)
{
    const struct items *targets = policy_targets(policy->object);
    for (uint32_t i = 0; i < targets->count; i++) {
        mark_target(world, policy->object->meta.namespace_name,
                    (const struct target_ref *)targets->at + i);
    }
}

/* A Service's TransportPolicy shows in the endpoints of every service of its workloads. */
static void count_transport(struct world *world, const struct entry *policy, bool come)
{
    const struct items *targets = policy_targets(policy->object);
    struct realm *realm = realm_get(world, policy->object->meta.namespace_name);
    for (uint32_t i = 0; i < targets->count; i++) {
        if (span_equal_text(((const struct target_ref *)targets->at)[i].kind, "Service")) {
            realm->service_transport += come ? 1 : UINT32_MAX;
        }
    }
    services_mark_realm(world, realm);
    index_mark_self(world, policy);
}

static void mesh_transport(struct world *world, struct entry *policy, bool come)
{
    bool home = span_equal_text(policy->object->meta.namespace_name, world->root_namespace);
    if (policy_targets(policy->object)->count > 0 || !home) {
        return;
    }
    for (uint32_t i = 0; i < world->mesh_transport.count; i++) {
        struct entry *other = world->mesh_transport.at[i];
        if (!link_linked(&other->unjudged)) {
            list_push_back(&world->unjudged, &other->unjudged);
        }
    }
    if (come) {
        pointers_add(&world->mesh_transport, policy);
    } else {
        pointers_remove(&world->mesh_transport, policy);
        list_remove(&policy->unjudged);
    }
    world->all_dirty = true;
}

void index_policy(struct world *world, struct entry *entry)
{
    target_attach(world, entry);
    mark_targets(world, entry);
    if (entry->object->kind == KIND_TRANSPORT_POLICY) {
        count_transport(world, entry, true);
        mesh_transport(world, entry, true);
    }
}

void unindex_policy(struct world *world, struct entry *entry)
{
    if (entry->object->kind == KIND_TRANSPORT_POLICY) {
        count_transport(world, entry, false);
        mesh_transport(world, entry, false);
    }
    target_detach(world, entry);
    mark_targets(world, entry);
}
