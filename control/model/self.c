#include "control/model/self.h"
#include "control/model/endpoints.h"
#include "control/model/protocol.h"
#include "control/model/transport.h"
#include "control/model/world_parts.h"

#include "lib/base/text.h"
#include "lib/xds/xds_phone.h"
#include "lib/xds/xds_workload.h"

#include <math.h>
#include <stdlib.h>

/* What one workload is asked at: its ports, as the services that lead to them and policies say. */
struct served {
    struct xds_inbound_port *ports;
    uint32_t count;
    size_t capacity;
};

static uint8_t mtls_mode(enum transport_mode mode)
{
    switch (mode) {
    case TRANSPORT_PERMISSIVE:
        return XDS_MTLS_PERMISSIVE;
    case TRANSPORT_PLAINTEXT:
        return XDS_MTLS_PLAINTEXT;
    default:
        return XDS_MTLS_STRICT;
    }
}

/* Two services may lead to one port: the name that sorts first gives the metrics their label, and
 * a protocol that is known beats one that is not. */
static void add_served(struct served *served, const struct xds_inbound_port *port)
{
    for (uint32_t i = 0; i < served->count; i++) {
        struct xds_inbound_port *each = &served->ports[i];
        if (each->port == port->port) {
            bool first = span_compare(port->service, each->service) < 0;
            each->service = first ? port->service : each->service;
            if (each->protocol == XDS_PROTOCOL_AUTO ||
                (first && port->protocol != XDS_PROTOCOL_AUTO)) {
                each->protocol = port->protocol;
            }
            return;
        }
    }
    mem_grow(&served->ports, &served->capacity, (size_t)served->count + 1,
             sizeof(served->ports[0]));
    served->ports[served->count++] = *port;
}

static void add_service(const struct world *world, const struct service *service,
                        const struct entry *workload, struct served *served)
{
    const struct items *ports = &service_spec_of(service)->ports;
    for (uint32_t i = 0; i < ports->count; i++) {
        const struct service_port *port = (const struct service_port *)ports->at + i;
        int64_t number = target_port_of(port, workload_spec_of(workload));
        if (number == 0 || !port_is_meshed(port)) {
            continue;
        }
        struct xds_inbound_port line = {
            .port = (uint16_t)number,
            .protocol = (uint8_t)protocol_of_port(service->entry->object, port),
            .mode = mtls_mode(transport_mode_of(world, workload, number)),
            .service = service->name};
        add_served(served, &line);
    }
}

static int64_t slice_port(const struct endpoint_slice_body *slice, const struct service_port *port)
{
    const struct slice_port *ports = slice->ports.at;
    for (uint32_t i = 0; i < slice->ports.count; i++) {
        if (span_equal(ports[i].name, port->name)) {
            return ports[i].port != FIELD_UNSET ? ports[i].port : port->port;
        }
    }
    return 0;
}

static void add_slice(const struct world *world, const struct entry *slice,
                      const struct entry *workload, struct served *served)
{
    const struct metadata *meta = &slice->object->meta;
    const struct service *service = service_find(
        world, meta->namespace_name, labels_get(&meta->labels, SPAN("kubernetes.io/service-name")));
    if (service == NULL || service->entry == NULL ||
        !span_equal(meta->namespace_name, workload->object->meta.namespace_name)) {
        return;
    }
    const struct items *ports = &service_spec_of(service)->ports;
    for (uint32_t i = 0; i < ports->count; i++) {
        const struct service_port *port = (const struct service_port *)ports->at + i;
        int64_t number = slice_port(slice->object->body, port);
        if (number != 0 && port_is_meshed(port)) {
            struct xds_inbound_port line = {
                .port = (uint16_t)number,
                .protocol = (uint8_t)protocol_of_port(service->entry->object, port),
                .mode = mtls_mode(transport_mode_of(world, workload, number)),
                .service = service->name};
            add_served(served, &line);
        }
    }
}

/* Ports that only a Workload's TransportPolicy speaks of. */
static void add_policy_ports(const struct world *world, const struct entry *workload,
                             struct served *served)
{
    const struct entry *policy =
        target_policy(world, KIND_TRANSPORT_POLICY, span_of(workload->key), SPAN_EMPTY);
    if (policy == NULL) {
        return;
    }
    const struct transport_policy_body *body = policy->object->body;
    for (uint32_t i = 0; i < body->spec.ports.count; i++) {
        uint64_t number = 0;
        span_to_u64(((const struct transport_port *)body->spec.ports.at)[i].port, 65535, &number);
        bool known = false;
        for (uint32_t j = 0; j < served->count; j++) {
            known |= served->ports[j].port == number;
        }
        if (!known) {
            struct xds_inbound_port line = {
                .port = (uint16_t)number,
                .protocol = XDS_PROTOCOL_AUTO,
                .mode = mtls_mode(transport_mode_of(world, workload, (int64_t)number))};
            add_served(served, &line);
        }
    }
}

static int compare_ports(const void *a, const void *b)
{
    return (int)((const struct xds_inbound_port *)a)->port -
           (int)((const struct xds_inbound_port *)b)->port;
}

static struct served served_by(const struct world *world, const struct entry *workload)
{
    struct served served = {0};
    struct pointers services = {0};
    const struct realm *realm = realm_find(world, workload->object->meta.namespace_name);
    const struct workload_spec *spec = workload_spec_of(workload);
    realm_selecting(realm, workload, &services);
    for (uint32_t i = 0; i < services.count; i++) {
        add_service(world, services.at[i], workload, &served);
    }
    pointers_done(&services);
    for (uint32_t i = 0; i < spec->addresses.count; i++) {
        char into[CONTEST_BYTES];
        const struct pointers *bag =
            map_get(&world->addresses, contest_address(&spec->addresses.at[i], into));
        for (uint32_t j = 0; bag != NULL && j < bag->count; j++) {
            const struct entry *each = bag->at[j];
            if (each->object->kind == KIND_ENDPOINT_SLICE) {
                add_slice(world, each, workload, &served);
            }
        }
    }
    add_policy_ports(world, workload, &served);
    if (served.count > 1) {
        qsort(served.ports, served.count, sizeof(served.ports[0]), compare_ports);
    }
    return served;
}

static bool is_account(const struct entry *workload, const struct viewer *viewer)
{
    struct span account = workload_spec_of(workload)->service_account;
    return span_equal(account.length > 0 ? account : SPAN("default"), viewer->service_account) &&
           span_equal(workload->object->meta.namespace_name, viewer->namespace_name);
}

static bool has_address(const struct entry *workload, const struct viewer *viewer)
{
    const struct workload_spec *spec = workload_spec_of(workload);
    for (size_t i = 0; i < viewer->address_count; i++) {
        for (uint32_t j = 0; j < spec->addresses.count; j++) {
            if (address_equal_ip(&viewer->addresses[i], &spec->addresses.at[j])) {
                return true;
            }
        }
    }
    return false;
}

/* By name, else by address; only among those of the identity that was proved. */
static const struct entry *workload_of(const struct world *world, const struct viewer *viewer)
{
    char into[TARGET_KEY_BYTES];
    const struct entry *named =
        map_get(&world->entries,
                target_key_make(KIND_WORKLOAD, viewer->namespace_name, viewer->workload, into));
    if (named != NULL && is_account(named, viewer)) {
        return named;
    }
    const struct entry *oldest = NULL;
    const struct realm *realm = realm_find(world, viewer->namespace_name);
    for (uint32_t i = 0; realm != NULL && i < realm->workloads.count; i++) {
        const struct entry *each = realm->workloads.at[i];
        if (is_account(each, viewer) && has_address(each, viewer) &&
            (oldest == NULL || object_older(each->object, oldest->object))) {
            oldest = each;
        }
    }
    return oldest;
}

static void put_mesh(const struct world *world, struct xds_workload *self)
{
    const struct mesh_config_spec *mesh = mesh_spec_of(world);
    self->access_log = XDS_ACCESS_LOG_FAILURES;
    self->renew_from = 0.5;
    self->renew_to = 0.7;
    self->certificate_lifetime_s = 24 * 3600;
    if (mesh == NULL) {
        return;
    }
    self->egress_denied = mesh->egress == EGRESS_DENY;
    self->access_log_text = mesh->access_log.format == LOG_STYLE_TEXT;
    if (mesh->access_log.only == LOG_ONLY_ALL) {
        self->access_log = XDS_ACCESS_LOG_ALL;
    }
    if (mesh->access_log.format == LOG_STYLE_OFF) {
        self->access_log = XDS_ACCESS_LOG_OFF;
    }
    if (!isnan(mesh->tracing.sampling)) {
        self->tracing_per_million = (uint32_t)lround(mesh->tracing.sampling * 1e6);
    }
    if (mesh->certificates.renew_at.length > 0) {
        fraction_range_parse(mesh->certificates.renew_at, &self->renew_from, &self->renew_to);
    }
    if (mesh->certificates.lifetime_ms != FIELD_UNSET) {
        self->certificate_lifetime_s = mesh->certificates.lifetime_ms / 1000;
    }
}

/* A port that no service leads to: the policies that are not about single ports. */
static uint8_t default_mode(const struct world *world, const struct entry *workload)
{
    return workload != NULL ? mtls_mode(transport_mode_of(world, workload, 0)) : XDS_MTLS_STRICT;
}

struct resource *self_make(struct world *world, const struct viewer *viewer)
{
    const struct entry *workload = workload_of(world, viewer);
    struct served served = {0};
    struct xds_workload self = {.trust_domain = span_of(world->trust_domain),
                                .namespace_name = viewer->namespace_name,
                                .service_account = viewer->service_account,
                                .workload = viewer->workload,
                                .default_mode = default_mode(world, workload)};
    put_mesh(world, &self);
    if (workload != NULL) {
        const struct metadata *meta = &workload->object->meta;
        const struct workload_locality *locality = &workload_spec_of(workload)->locality;
        served = served_by(world, workload);
        self.workload = meta->name;
        self.version = labels_get(&meta->labels, SPAN("version"));
        if (self.version.length == 0) {
            self.version = labels_get(&meta->labels, SPAN("app.kubernetes.io/version"));
        }
        self.region = locality->region;
        self.zone = locality->zone;
        self.node = locality->node;
        self.ports = served.ports;
        self.port_count = served.count;
    }
    struct arena arena = {0};
    struct resource *resource =
        resource_create(XDS_WORKLOAD, SPAN("self"), xds_workload_encode(&self, &arena));
    arena_done(&arena);
    mem_free(served.ports);
    return resource;
}

struct resource *phone_by_address(struct world *world, struct span name)
{
    struct address address;
    char into[CONTEST_BYTES];
    if (!address_parse_ip(span_cut(name, 3, name.length), &address)) {
        return NULL;
    }
    const struct pointers *bag = map_get(&world->addresses, contest_address(&address, into));
    const struct entry *workload = NULL;
    for (uint32_t i = 0; bag != NULL && i < bag->count; i++) {
        const struct entry *each = bag->at[i];
        if (each->object->kind == KIND_WORKLOAD &&
            (workload == NULL || object_older(each->object, workload->object))) {
            workload = each;
        }
    }
    if (workload == NULL) {
        return NULL;
    }
    struct arena arena = {0};
    struct served served = served_by(world, workload);
    struct xds_phone_port *ports = ARENA_ARRAY(&arena, struct xds_phone_port, served.count);
    for (uint32_t i = 0; i < served.count; i++) {
        ports[i] = (struct xds_phone_port){.port = served.ports[i].port,
                                           .protocol = served.ports[i].protocol};
    }
    struct xds_phone_entry entry = {
        .name = name,
        .namespace_name = workload->object->meta.namespace_name,
        .kind = XDS_PHONE_WORKLOAD,
        .addresses = &address,
        .address_count = 1,
        .ports = ports,
        .port_count = served.count,
        .workload = endpoint_of_workload(world, workload, &address, 0, XDS_PROTOCOL_AUTO, &arena)};
    struct resource *resource = resource_create(XDS_PHONE, name, xds_phone_encode(&entry, &arena));
    arena_done(&arena);
    mem_free(served.ports);
    return resource;
}

struct span world_listener_name(const struct world *world, const struct viewer *viewer,
                                struct span name, struct arena *arena)
{
    size_t colon = span_find_byte(name, ':');
    struct span host = span_cut(name, 0, colon);
    struct span port = span_cut(name, colon, name.length);
    struct span rest = host;
    struct span service = SPAN_EMPTY;
    struct span namespace_name = viewer->namespace_name;
    bool named = span_next(&rest, '.', &service);
    if (named && rest.length > 0 && !span_next(&rest, '.', &namespace_name)) {
        return name;
    }
    bool whole = rest.length == 0 || span_equal_text(rest, "svc");
    const struct service *found =
        whole && port.length > 1 ? service_find(world, namespace_name, service) : NULL;
    return found != NULL && found->entry != NULL
               ? span_of(arena_printf(arena, "%s%.*s", found->host, SPAN_ARG(port)))
               : name;
}
