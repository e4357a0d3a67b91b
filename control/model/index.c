#include "control/model/world_parts.h"

#include <stdio.h>
#include <string.h>

/*
 * What an object of each kind touches when it comes or goes. A change is a going of the old version
 * and a coming of the new one; marks are idempotent, so that costs nothing twice.
 */
static void mark_self(struct world *world, const struct entry *entry)
{
    realm_get(world, entry->object->meta.namespace_name)->self_dirty = true;
}

/* ---- by address ---- */
static struct span address_key(const struct address *address, char *into)
{
    return contest_address(address, into);
}

static void address_join(struct world *world, const struct address *address, struct entry *entry)
{
    char into[32];
    struct span key = address_key(address, into);
    struct pointers *bag = map_get(&world->addresses, key);
    if (bag == NULL) {
        bag = NEW(struct pointers);
        map_put(&world->addresses, key, bag);
    }
    if (!pointers_has(bag, entry)) {
        pointers_add(bag, entry);
    }
}

static void address_leave(struct world *world, const struct address *address, struct entry *entry)
{
    char into[32];
    struct span key = address_key(address, into);
    struct pointers *bag = map_get(&world->addresses, key);
    if (bag != NULL && pointers_remove(bag, entry) && bag->count == 0) {
        map_remove(&world->addresses, key);
        pointers_done(bag);
        mem_free(bag);
    }
}

/* ---- Service ---- */
static void each_virtual_address(const struct service_spec *spec, struct world *world,
                                 struct entry *entry,
                                 void (*act)(struct world *, struct span, struct entry *))
{
    struct address address;
    char into[CONTEST_BYTES];
    if (spec->cluster_ips.count == 0 && address_parse_ip(spec->cluster_ip, &address)) {
        act(world, contest_address(&address, into), entry);
    }
    for (uint32_t i = 0; i < spec->cluster_ips.count; i++) {
        if (address_parse_ip(spec->cluster_ips.at[i], &address)) {
            act(world, contest_address(&address, into), entry);
        }
    }
}

static void each_local_port(const struct service_spec *spec, struct world *world,
                            struct entry *entry,
                            void (*act)(struct world *, struct span, struct entry *))
{
    const struct service_port *ports = spec->ports.at;
    char into[CONTEST_BYTES];
    for (uint32_t i = 0; i < spec->ports.count; i++) {
        uint16_t local = annotated_port(entry->object, "remora.dev/local-port", ports[i].port);
        if (local != 0) {
            char number[8];
            snprintf(number, sizeof(number), "%u", local);
            act(world, contest_text("port", span_of(number), into), entry);
        }
    }
}

static struct service *service_of(struct world *world, const struct entry *entry)
{
    return service_get(world, entry->object->meta.namespace_name, entry->object->meta.name);
}

static void index_service(struct world *world, struct entry *entry)
{
    struct service *service = service_of(world, entry);
    service->entry = entry;
    realm_select(service->realm, service);
    each_virtual_address(service_spec_of(service), world, entry, contest_join);
    each_local_port(service_spec_of(service), world, entry, contest_join);
    service_mark_users(world, service);
    mark_self(world, entry);
}

static void unindex_service(struct world *world, struct entry *entry)
{
    struct service *service = service_of(world, entry);
    each_virtual_address(service_spec_of(service), world, entry, contest_leave);
    each_local_port(service_spec_of(service), world, entry, contest_leave);
    realm_unselect(service->realm, service);
    service->entry = NULL;
    service_mark_users(world, service);
    mark_self(world, entry);
}

/* ---- EndpointSlice ---- */
static struct span slice_service(const struct entry *entry)
{
    return labels_get(&entry->object->meta.labels, SPAN("kubernetes.io/service-name"));
}

static void each_slice_address(struct world *world, struct entry *entry,
                               void (*act)(struct world *, const struct address *, struct entry *))
{
    const struct endpoint_slice_body *slice = entry->object->body;
    const struct slice_endpoint *endpoints = slice->endpoints.at;
    for (uint32_t i = 0; i < slice->endpoints.count; i++) {
        for (uint32_t j = 0; j < endpoints[i].addresses.count; j++) {
            act(world, &endpoints[i].addresses.at[j], entry);
        }
    }
}

static void index_slice(struct world *world, struct entry *entry)
{
    struct span name = slice_service(entry);
    if (name.length == 0) {
        conditions_set(&entry->conditions, CONDITION_OF_OBJECT, CONDITION_ACCEPTED, false,
                       "TargetNotFound", "has no label kubernetes.io/service-name");
        return;
    }
    struct service *service = service_get(world, entry->object->meta.namespace_name, name);
    pointers_add(&service->slices, entry);
    each_slice_address(world, entry, address_join);
    service_mark(world, service);
    mark_self(world, entry);
}

static void unindex_slice(struct world *world, struct entry *entry)
{
    struct span name = slice_service(entry);
    if (name.length == 0) {
        return;
    }
    struct service *service = service_get(world, entry->object->meta.namespace_name, name);
    pointers_remove(&service->slices, entry);
    each_slice_address(world, entry, address_leave);
    service_mark(world, service);
    mark_self(world, entry);
}

/* ---- Workload ---- */
/* Services that pick it by label, and those whose slices name one of its addresses. */
static void mark_services_of(struct world *world, struct realm *realm, const struct entry *entry)
{
    struct pointers services = {0};
    const struct workload_spec *spec = workload_spec_of(entry);
    realm_selecting(realm, entry, &services);
    for (uint32_t i = 0; i < services.count; i++) {
        service_mark(world, services.at[i]);
    }
    pointers_done(&services);
    for (uint32_t i = 0; i < spec->addresses.count; i++) {
        char into[32];
        const struct pointers *bag =
            map_get(&world->addresses, address_key(&spec->addresses.at[i], into));
        for (uint32_t j = 0; bag != NULL && j < bag->count; j++) {
            const struct entry *other = bag->at[j];
            if (other->object->kind == KIND_ENDPOINT_SLICE) {
                service_mark(world, service_get(world, other->object->meta.namespace_name,
                                                slice_service(other)));
            }
        }
    }
}

static void index_workload(struct world *world, struct entry *entry)
{
    struct realm *realm = realm_get(world, entry->object->meta.namespace_name);
    const struct workload_spec *spec = workload_spec_of(entry);
    realm_add_workload(realm, entry);
    for (uint32_t i = 0; i < spec->addresses.count; i++) {
        address_join(world, &spec->addresses.at[i], entry);
    }
    mark_services_of(world, realm, entry);
    mark_self(world, entry);
}

static void unindex_workload(struct world *world, struct entry *entry)
{
    struct realm *realm = realm_get(world, entry->object->meta.namespace_name);
    const struct workload_spec *spec = workload_spec_of(entry);
    mark_services_of(world, realm, entry);
    realm_remove_workload(realm, entry);
    for (uint32_t i = 0; i < spec->addresses.count; i++) {
        address_leave(world, &spec->addresses.at[i], entry);
    }
    mark_self(world, entry);
}

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

static void index_route(struct world *world, struct entry *entry)
{
    const struct items *parents = &route_spec_of(entry)->parents;
    for (uint32_t i = 0; i < parents->count; i++) {
        const struct parent_ref *parent = (const struct parent_ref *)parents->at + i;
        if (!is_service_parent(parent)) {
            refuse_parent(entry, parent, (int)i);
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

static void unindex_route(struct world *world, struct entry *entry)
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
    mark_self(world, policy);
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

static void index_policy(struct world *world, struct entry *entry)
{
    target_attach(world, entry);
    mark_targets(world, entry);
    if (entry->object->kind == KIND_TRANSPORT_POLICY) {
        count_transport(world, entry, true);
        mesh_transport(world, entry, true);
    }
}

static void unindex_policy(struct world *world, struct entry *entry)
{
    if (entry->object->kind == KIND_TRANSPORT_POLICY) {
        count_transport(world, entry, false);
        mesh_transport(world, entry, false);
    }
    target_detach(world, entry);
    mark_targets(world, entry);
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
    const struct mesh_config_body *mesh = entry->object->body;
    if (!span_equal_text(entry->object->meta.name, "mesh")) {
        conditions_set(&entry->conditions, CONDITION_OF_OBJECT, CONDITION_ACCEPTED, false,
                       "Invalid", "the one MeshConfig is named mesh");
        return;
    }
    world->mesh_config = entry;
    world->all_dirty = true;
    struct span wanted = mesh->spec.trust_domain;
    if (wanted.length > 0 && !span_equal_text(wanted, world->trust_domain)) {
        conditions_set(&entry->conditions, CONDITION_OF_OBJECT, CONDITION_PROGRAMMED, false,
                       "TrustDomainFixed", "the authority was made for %s; %.*s is not in force",
                       world->trust_domain, SPAN_ARG(wanted));
    }
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
