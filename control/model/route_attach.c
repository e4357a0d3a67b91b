#include "control/model/compile.h"
#include "control/model/protocol.h"
#include "control/model/world_parts.h"

#include "lib/base/text.h"

/*
 * Which routes hold at a port, and for whom (GEP-1294). Routes of the service's own namespace are
 * producer routes and hold for all clients; those of another are consumer routes and hold only for
 * clients of the route's namespace, which then use nothing else. Within one group routes of one
 * kind are merged; of several kinds on one port GRPCRoute beats HTTPRoute beats TCPRoute. TLSRoutes
 * take no part while they are not in force.
 */
static const struct parent_ref *parent_of(const struct binding *binding)
{
    return (const struct parent_ref *)route_spec_of(binding->route)->parents.at + binding->part;
}

static bool names_port(const struct binding *binding, const struct service_port *port)
{
    const struct parent_ref *parent = parent_of(binding);
    return (parent->port == FIELD_UNSET || parent->port == port->port) &&
           (parent->section_name.length == 0 || span_equal(parent->section_name, port->name));
}

static bool speaks_http(enum xds_protocol protocol)
{
    return protocol == XDS_PROTOCOL_AUTO || protocol == XDS_PROTOCOL_HTTP1 ||
           protocol == XDS_PROTOCOL_HTTP2;
}

static bool fits_protocol(uint8_t kind, enum xds_protocol protocol)
{
    return kind == KIND_TCP_ROUTE || (kind != KIND_TLS_ROUTE && speaks_http(protocol));
}

static struct span viewer_of(const struct service *service, const struct binding *binding)
{
    struct span home = binding->route->object->meta.namespace_name;
    return span_equal(home, service->namespace_name) ? SPAN_EMPTY : home;
}

static int rank(uint8_t kind)
{
    return kind == KIND_GRPC_ROUTE ? 3 : kind == KIND_HTTP_ROUTE ? 2 : 1;
}

static struct port_routes *group_of(struct port_route_groups *groups, struct span viewer,
                                    struct arena *arena, uint32_t most)
{
    if (groups->groups == NULL) {
        groups->groups = ARENA_ARRAY(arena, struct port_routes, most);
    }
    for (uint32_t i = 0; i < groups->count; i++) {
        if (span_equal(groups->groups[i].viewer, viewer)) {
            return &groups->groups[i];
        }
    }
    groups->groups[groups->count].viewer = viewer;
    return &groups->groups[groups->count++];
}

struct port_route_groups routes_of_port(struct compile *compile, const struct service_port *port,
                                        enum xds_protocol protocol)
{
    const struct service *service = compile->service;
    struct port_route_groups groups = {0};
    for (uint32_t i = 0; i < service->bindings.count; i++) {
        struct binding *binding = service->bindings.at[i];
        uint8_t kind = binding->route->object->kind;
        if (!names_port(binding, port) || !fits_protocol(kind, protocol)) {
            continue;
        }
        struct port_routes *group = group_of(&groups, viewer_of(service, binding), &compile->arena,
                                             service->bindings.count);
        if (group->bindings.count > 0 && rank(kind) > rank((uint8_t)group->kind)) {
            group->bindings.count = 0;
        }
        if (group->bindings.count == 0 || group->kind == (enum kind)kind) {
            group->kind = (enum kind)kind;
            pointers_add(&group->bindings, binding);
        }
    }
    return groups;
}

void route_groups_done(struct port_route_groups *groups)
{
    for (uint32_t i = 0; i < groups->count; i++) {
        pointers_done(&groups->groups[i].bindings);
    }
}

/* ---- status ---- */
struct attached {
    uint32_t named;   /* ports that the parentRef names */
    uint32_t fitting; /* of these, ports that such a route can hold for */
    uint32_t winning; /* of these, ports where no other kind beats it */
    const char *beaten_by;
};

static const char *kind_that_beats(const struct service *service, const struct binding *binding,
                                   const struct service_port *port, enum xds_protocol protocol)
{
    uint8_t best = binding->route->object->kind;
    for (uint32_t i = 0; i < service->bindings.count; i++) {
        const struct binding *other = service->bindings.at[i];
        uint8_t kind = other->route->object->kind;
        if (span_equal(viewer_of(service, other), viewer_of(service, binding)) &&
            names_port(other, port) && fits_protocol(kind, protocol) && rank(kind) > rank(best)) {
            best = kind;
        }
    }
    return best != binding->route->object->kind ? kind_facts((enum kind)best)->name : NULL;
}

static struct attached attach(const struct service *service, const struct binding *binding)
{
    struct attached result = {0};
    const struct items *ports = &service_spec_of(service)->ports;
    uint8_t kind = binding->route->object->kind;
    for (uint32_t i = 0; i < ports->count; i++) {
        const struct service_port *port = (const struct service_port *)ports->at + i;
        if (!names_port(binding, port) || !port_is_meshed(port)) {
            continue;
        }
        enum xds_protocol protocol = protocol_of_port(service->entry->object, port);
        result.named++;
        if (kind == KIND_TLS_ROUTE || fits_protocol(kind, protocol)) {
            result.fitting++;
            const char *winner = kind_that_beats(service, binding, port, protocol);
            result.winning += winner == NULL ? 1 : 0;
            result.beaten_by = winner != NULL ? winner : result.beaten_by;
        }
    }
    return result;
}

static void set_accepted(struct binding *binding, bool holds, const char *reason,
                         const char *message, const char *detail)
{
    conditions_set(&binding->route->conditions, binding->part, CONDITION_ACCEPTED, holds, reason,
                   "%s%s", message, detail);
}

static void judge_accepted(struct compile *compile, struct binding *binding)
{
    const struct service *service = compile->service;
    if (service->entry == NULL) {
        set_accepted(binding, false, "NoMatchingParent", "there is no Service ", service->key);
        return;
    }
    const struct service_spec *spec = service_spec_of(service);
    if (service_is_headless(service) || spec->type == SERVICE_EXTERNAL_NAME) {
        set_accepted(binding, false, "UnsupportedValue",
                     "a headless or ExternalName Service cannot be a parent: ", service->key);
        return;
    }
    struct attached attached = attach(service, binding);
    if (attached.named == 0) {
        set_accepted(binding, false, "NoMatchingParent",
                     "the Service has no such port: ", service->key);
    } else if (attached.fitting == 0) {
        set_accepted(binding, false, "UnsupportedProtocol",
                     "no port of the Service speaks HTTP as far as it says: ", service->key);
    } else if (attached.winning == 0) {
        set_accepted(binding, false, "Conflicted", "beaten on every port by a ",
                     attached.beaten_by);
    } else if (attached.beaten_by != NULL) {
        set_accepted(binding, true, "Accepted", "on some ports beaten by a ", attached.beaten_by);
    } else {
        set_accepted(binding, true, "Accepted", "attached to ", service->key);
    }
}

static void judge_refs(struct compile *compile, struct binding *binding)
{
    const struct items *rules = &route_spec_of(binding->route)->rules;
    struct conditions *conditions = &binding->route->conditions;
    for (uint32_t i = 0; i < rules->count; i++) {
        const struct route_rule *rule = (const struct route_rule *)rules->at + i;
        const struct backend_ref *backends = rule->backends.at;
        for (uint32_t j = 0; j < rule->backends.count; j++) {
            struct span cluster;
            const char *message;
            const char *reason =
                backend_resolve(compile, binding->route, &backends[j], &cluster, &message);
            if (reason[0] != '\0') {
                conditions_set(conditions, binding->part, CONDITION_RESOLVED_REFS, false, reason,
                               "spec.rules[%u].backendRefs[%u]: %s", i, j, message);
                return;
            }
        }
    }
    conditions_set(conditions, binding->part, CONDITION_RESOLVED_REFS, true, "ResolvedRefs",
                   "all backends are there");
}

void routes_judge(struct compile *compile)
{
    const struct service *service = compile->service;
    for (uint32_t i = 0; i < service->bindings.count; i++) {
        judge_accepted(compile, service->bindings.at[i]);
        judge_refs(compile, service->bindings.at[i]);
        entry_judge_programmed(((struct binding *)service->bindings.at[i])->route);
    }
}
