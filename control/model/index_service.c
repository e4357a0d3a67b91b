#include "control/model/protocol.h"
#include "control/model/world_parts.h"

#include <stdio.h>

/* What Services, EndpointSlices and Workloads touch. */
/* ---- by address ---- */
static void address_join(struct world *world, const struct address *address, struct entry *entry)
{
    char into[CONTEST_BYTES];
    struct span key = contest_address(address, into);
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
    char into[CONTEST_BYTES];
    struct span key = contest_address(address, into);
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

/* A TransportPolicy on a service shows at every service that shares a workload's port with it. */
static void mark_around(struct world *world, struct service *service)
{
    service_mark_users(world, service);
    if (service->realm->service_transport > 0) {
        services_mark_realm(world, service->realm);
    }
}

void index_service(struct world *world, struct entry *entry)
{
    struct service *service = service_of(world, entry);
    service->entry = entry;
    realm_select(service->realm, service);
    each_virtual_address(service_spec_of(service), world, entry, contest_join);
    each_local_port(service_spec_of(service), world, entry, contest_join);
    mark_around(world, service);
    index_mark_self(world, entry);
}

void unindex_service(struct world *world, struct entry *entry)
{
    struct service *service = service_of(world, entry);
    each_virtual_address(service_spec_of(service), world, entry, contest_leave);
    each_local_port(service_spec_of(service), world, entry, contest_leave);
    realm_unselect(service->realm, service);
    service->entry = NULL;
    mark_around(world, service);
    index_mark_self(world, entry);
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

void index_slice(struct world *world, struct entry *entry)
{
    struct span name = slice_service(entry);
    if (name.length == 0) {
        conditions_set(&entry->conditions, CONDITION_OF_OBJECT, CONDITION_ACCEPTED, false,
                       "TargetNotFound", "has no label kubernetes.io/service-name");
        entry_judge_programmed(entry);
        return;
    }
    struct service *service = service_get(world, entry->object->meta.namespace_name, name);
    pointers_add(&service->slices, entry);
    each_slice_address(world, entry, address_join);
    service_mark(world, service);
    index_mark_self(world, entry);
}

void unindex_slice(struct world *world, struct entry *entry)
{
    struct span name = slice_service(entry);
    if (name.length == 0) {
        return;
    }
    struct service *service = service_get(world, entry->object->meta.namespace_name, name);
    pointers_remove(&service->slices, entry);
    each_slice_address(world, entry, address_leave);
    service_mark(world, service);
    index_mark_self(world, entry);
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
        char into[CONTEST_BYTES];
        const struct pointers *bag =
            map_get(&world->addresses, contest_address(&spec->addresses.at[i], into));
        for (uint32_t j = 0; bag != NULL && j < bag->count; j++) {
            const struct entry *other = bag->at[j];
            if (other->object->kind == KIND_ENDPOINT_SLICE) {
                service_mark(world, service_get(world, other->object->meta.namespace_name,
                                                slice_service(other)));
            }
        }
    }
}

void index_workload(struct world *world, struct entry *entry)
{
    struct realm *realm = realm_get(world, entry->object->meta.namespace_name);
    const struct workload_spec *spec = workload_spec_of(entry);
    realm_add_workload(realm, entry);
    for (uint32_t i = 0; i < spec->addresses.count; i++) {
        address_join(world, &spec->addresses.at[i], entry);
    }
    mark_services_of(world, realm, entry);
    index_mark_self(world, entry);
}

void unindex_workload(struct world *world, struct entry *entry)
{
    struct realm *realm = realm_get(world, entry->object->meta.namespace_name);
    const struct workload_spec *spec = workload_spec_of(entry);
    mark_services_of(world, realm, entry);
    realm_remove_workload(realm, entry);
    for (uint32_t i = 0; i < spec->addresses.count; i++) {
        address_leave(world, &spec->addresses.at[i], entry);
    }
    index_mark_self(world, entry);
}
