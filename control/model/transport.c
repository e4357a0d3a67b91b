#include "control/model/transport.h"
#include "control/model/endpoints.h"
#include "control/model/world_parts.h"

static enum transport_mode mode_in(const struct entry *policy, int64_t port)
{
    if (policy == NULL) {
        return 0;
    }
    const struct transport_policy_spec *spec =
        &((const struct transport_policy_body *)policy->object->body)->spec;
    const struct transport_port *ports = spec->ports.at;
    for (uint32_t i = 0; i < spec->ports.count; i++) {
        uint64_t number = 0;
        if (span_to_u64(ports[i].port, 65535, &number) && (int64_t)number == port) {
            return (enum transport_mode)ports[i].mode;
        }
    }
    return (enum transport_mode)spec->mode;
}

static struct entry *policy_on(const struct world *world, enum kind kind,
                               struct span namespace_name, struct span name)
{
    char into[TARGET_KEY_BYTES];
    return target_policy(world, KIND_TRANSPORT_POLICY,
                         target_key_make(kind, namespace_name, name, into), SPAN_EMPTY);
}

static bool leads_to(const struct service *service, const struct workload_spec *workload,
                     int64_t port)
{
    const struct items *ports = &service_spec_of(service)->ports;
    for (uint32_t i = 0; i < ports->count; i++) {
        if (target_port_of((const struct service_port *)ports->at + i, workload) == port) {
            return true;
        }
    }
    return false;
}

/* Of the services that lead to this port, the one with the oldest policy decides. */
static enum transport_mode mode_by_services(const struct world *world, const struct realm *realm,
                                            const struct entry *workload, int64_t port)
{
    struct pointers services = {0};
    struct entry *oldest = NULL;
    realm_selecting(realm, workload, &services);
    for (uint32_t i = 0; i < services.count; i++) {
        const struct service *service = services.at[i];
        struct entry *policy =
            policy_on(world, KIND_SERVICE, service->namespace_name, service->name);
        if (policy != NULL && leads_to(service, workload_spec_of(workload), port) &&
            mode_in(policy, port) != 0 &&
            (oldest == NULL || object_older(policy->object, oldest->object))) {
            oldest = policy;
        }
    }
    pointers_done(&services);
    return mode_in(oldest, port);
}

struct entry *transport_policy_of_mesh(const struct world *world)
{
    struct entry *oldest = NULL;
    for (uint32_t i = 0; i < world->mesh_transport.count; i++) {
        struct entry *each = world->mesh_transport.at[i];
        if (oldest == NULL || object_older(each->object, oldest->object)) {
            oldest = each;
        }
    }
    return oldest;
}

enum transport_mode transport_mode_of(const struct world *world, const struct entry *workload,
                                      int64_t port)
{
    const struct metadata *meta = &workload->object->meta;
    const struct realm *realm = realm_find(world, meta->namespace_name);
    enum transport_mode mode =
        mode_in(policy_on(world, KIND_WORKLOAD, meta->namespace_name, meta->name), port);
    if (mode == 0 && realm != NULL && realm->service_transport > 0) {
        mode = mode_by_services(world, realm, workload, port);
    }
    if (mode == 0) {
        mode = mode_in(policy_on(world, KIND_NAMESPACE, SPAN_EMPTY, meta->namespace_name), port);
    }
    if (mode == 0) {
        mode = mode_in(transport_policy_of_mesh(world), port);
    }
    return mode != 0 ? mode : TRANSPORT_STRICT;
}
