#ifndef REMORA_CONTROL_MODEL_WORLD_PARTS_H
#define REMORA_CONTROL_MODEL_WORLD_PARTS_H

/* The objects of world.h, for the sources of this folder only. */

#include "control/model/pointers.h"
#include "control/model/resource_table.h"
#include "control/model/world.h"
#include "control/object/mesh_spec.h"
#include "control/object/policy_spec.h"
#include "control/object/route_spec.h"
#include "control/object/service_spec.h"
#include "lib/base/list.h"
#include "lib/base/map.h"
#include "lib/xds/xds_endpoints.h"
#include "lib/xds/xds_route.h"

struct entry {
    char *key;
    struct object *object;
    struct conditions conditions;
    struct link dirty;                 /* ExternalService: to be compiled */
    struct link unjudged;              /* policy: its conditions are to be found anew */
    struct resource_producer products; /* of an ExternalService */
};

struct realm {
    char *name;
    struct pointers workloads;  /* entry */
    struct pointers services;   /* service, with an object or without */
    struct map workload_labels; /* "key=value" -> struct pointers of entry */
    struct map selectors;       /* "key=value" -> struct pointers of service */
    uint32_t service_transport; /* TransportPolicies here that target Services */
    bool self_dirty;
};

/* A route that names a service as its parent. */
struct binding {
    struct entry *route;
    int part; /* index of the parentRef */
};

struct service {
    char *key;                        /* "shop/api" */
    struct span namespace_name, name; /* in the key */
    char *host;                       /* "api.shop.svc.cluster.local" */
    struct realm *realm;
    struct entry *entry;      /* NULL: only spoken of */
    struct pointers slices;   /* entry */
    struct pointers bindings; /* struct binding */
    struct pointers users;    /* service: its routes send to this one */
    struct pointers backends; /* service: this one's routes send to it */
    char *selector;           /* "key=value" it is indexed by in its realm, or NULL */
    struct link dirty;
    struct resource_producer products;
};

/* What policies may point at: "Kind/ns/name". */
struct target {
    char *key;
    struct pointers attachments; /* struct attachment */
};
struct attachment {
    struct entry *policy;
    int part; /* index of the targetRef */
};

struct world {
    char *trust_domain, *root_namespace, *cluster_domain;
    struct map entries;             /* key -> entry */
    struct map realms;              /* name -> realm */
    struct map services;            /* "ns/name" -> service */
    struct map targets;             /* key -> target */
    struct map addresses;           /* address -> pointers of entry: Workload, EndpointSlice */
    struct map contests;            /* claimed thing -> pointers of entry */
    struct pointers mesh_transport; /* entry: TransportPolicy for the whole mesh */
    struct entry *mesh_config;
    struct list dirty_services, dirty_externals, unjudged;
    bool all_dirty;
    bool self_everywhere;
    struct resource_table table;
    struct resource_producer roots;
    struct map asked; /* "ip/ADDRESS" -> struct resource, what was last told */
    struct world_changes changes;
    struct span *self_spans; /* of the changes: names of realms */
    size_t self_capacity;
};

/* ---- entries ---- */
static inline const struct service_spec *service_spec_of(const struct service *service)
{
    return &((const struct service_body *)service->entry->object->body)->spec;
}
static inline const struct workload_spec *workload_spec_of(const struct entry *entry)
{
    return &((const struct workload_body *)entry->object->body)->spec;
}
static inline const struct route_spec *route_spec_of(const struct entry *entry)
{
    return &((const struct route_body *)entry->object->body)->spec;
}
/* NULL without a MeshConfig. */
const struct mesh_config_spec *mesh_spec_of(const struct world *world);
/* "Programmed" from what the object itself says is not in force. */
void entry_judge_programmed(struct entry *entry);

/* ---- realm.c ---- */
struct realm *realm_get(struct world *world, struct span name);
struct realm *realm_find(const struct world *world, struct span name);
void realm_destroy(struct realm *realm);
void realm_add_workload(struct realm *realm, struct entry *entry);
void realm_remove_workload(struct realm *realm, struct entry *entry);
void realm_select(struct realm *realm, struct service *service);
void realm_unselect(struct realm *realm, struct service *service);
bool selector_matches(const struct labels *selector, const struct labels *labels);
/* Workloads that the selector picks, appended to *into (not cleared). */
void realm_selected(const struct realm *realm, const struct labels *selector,
                    struct pointers *into);
/* Services whose selector picks the workload, appended to *into. */
void realm_selecting(const struct realm *realm, const struct entry *workload,
                     struct pointers *into);

/* ---- service.c ---- */
struct service *service_get(struct world *world, struct span namespace_name, struct span name);
struct service *service_find(const struct world *world, struct span namespace_name,
                             struct span name);
void service_mark(struct world *world, struct service *service);
/* The service and all whose routes send to it. */
void service_mark_users(struct world *world, struct service *service);
void services_mark_realm(struct world *world, struct realm *realm);
void service_set_backends(struct world *world, struct service *service, struct pointers *backends);
/* Frees it when nothing speaks of it any more. */
void service_release(struct world *world, struct service *service);
void service_destroy(struct world *world, struct service *service);
bool service_is_headless(const struct service *service);

/* ---- index.c: what each kind of object touches ---- */
void world_index(struct world *world, struct entry *entry);
void world_unindex(struct world *world, struct entry *entry);

/* ---- contest.c ---- */
void contest_join(struct world *world, struct span thing, struct entry *entry);
void contest_leave(struct world *world, struct span thing, struct entry *entry);
/* The oldest of those who claim it; NULL when nobody does. */
struct entry *contest_winner(const struct world *world, struct span thing);
struct span contest_address(const struct address *address, char *into);     /* 24 bytes */
struct span contest_text(const char *prefix, struct span rest, char *into); /* 300 bytes */
enum { CONTEST_BYTES = 300 };

/* ---- target.c ---- */
void target_attach(struct world *world, struct entry *policy);
void target_detach(struct world *world, struct entry *policy);
/* An object of that key came or went: policies on it are judged anew. */
void target_touch(struct world *world, struct span key);
/* The policy of a kind that holds for a target and section (empty = the whole); NULL when none. */
struct entry *target_policy(const struct world *world, enum kind kind, struct span target_key,
                            struct span section);
void targets_judge(struct world *world);
struct span target_key_make(enum kind kind, struct span namespace_name, struct span name,
                            char *into); /* CONTEST_BYTES + 64 */
enum { TARGET_KEY_BYTES = 420 };
const struct items *policy_targets(const struct object *policy);

/* ---- policy resolution ---- */
/* transport.c; port: the workload's own. */
enum transport_mode transport_mode_of(const struct world *world, const struct entry *workload,
                                      int64_t port);
/* knobs.c: MeshConfig's defaults under the service's policy under that of its port. */
void knobs_of_service(const struct world *world, const struct service *service,
                      const struct service_port *port, struct traffic_policy_spec *ret_knobs);
/* Lays a route's policy, then that of its rule, over the knobs. */
void knobs_of_rule(const struct world *world, const struct entry *route, struct span rule,
                   struct traffic_policy_spec *knobs);

/* ---- protocol.c ---- */
enum xds_protocol protocol_of_port(const struct object *service, const struct service_port *port);
enum xds_protocol protocol_of_external(int8_t external_protocol);
static inline bool port_is_meshed(const struct service_port *port)
{
    return port->protocol == 0 || port->protocol == IP_PROTOCOL_TCP;
}
/* "remora.dev/local-port": "8080:18080,9090:19090"; 0 when the port has none. */
uint16_t annotated_port(const struct object *object, const char *annotation, int64_t port);

/* ---- compilation ---- */
struct compile {
    struct world *world;
    struct service *service;
    struct arena arena;       /* of this service's compilation */
    struct pointers backends; /* services that its routes send to */
};
struct xds_cluster;
struct xds_listener;
void cluster_apply_knobs(const struct traffic_policy_spec *knobs, struct xds_cluster *cluster);
void service_compile(struct world *world, struct service *service);
void external_compile(struct world *world, struct entry *entry);
/* The endpoints of a port, grouped by locality. */
struct xds_endpoints endpoints_of_port(struct compile *compile, const struct service_port *port,
                                       struct span cluster);
/* The number on one workload that a service port leads to; 0 when it has no such name. */
int64_t target_port_of(const struct service_port *port, const struct workload_spec *workload);
/* One workload as an endpoint at one of its ports. */
struct xds_endpoint endpoint_of_workload(const struct world *world, const struct entry *workload,
                                         const struct address *address, int64_t port,
                                         uint8_t protocol, struct arena *arena);
struct span cluster_name_make(struct arena *arena, const struct service *service, int64_t port);
/* Routes that hold for one port, for one group of clients. */
struct port_routes {
    struct span viewer; /* empty: producer routes, for everybody else */
    enum kind kind;     /* of `bindings` */
    struct pointers bindings;
};
struct port_route_groups {
    struct port_routes *groups;
    uint32_t count;
};
struct port_route_groups routes_of_port(struct compile *compile, const struct service_port *port,
                                        enum xds_protocol protocol);
void route_groups_done(struct port_route_groups *groups);
/* Accepted and ResolvedRefs of all routes that name the service. */
void routes_judge(struct compile *compile);
/* HTTPRoutes or GRPCRoutes merged and ordered. */
struct xds_route_config route_config_make(struct compile *compile, const struct service_port *port,
                                          struct span name, const struct port_routes *group);
struct xds_route_config route_config_implicit(struct compile *compile,
                                              const struct service_port *port, struct span name);
/* Weighted clusters of the first rule of the oldest TCPRoute. */
void tcp_clusters_make(struct compile *compile, const struct port_routes *group,
                       struct xds_listener *listener);
/* "" when a backend may be used (then *ret_cluster is set), else the condition's reason. */
const char *backend_resolve(struct compile *compile, const struct entry *route,
                            const struct backend_ref *backend, struct span *ret_cluster,
                            const char **ret_message);

/* ---- self.c ---- */
struct resource *self_make(struct world *world, const struct viewer *viewer);
/* "ip/ADDRESS"; NULL when nobody has it. */
struct resource *phone_by_address(struct world *world, struct span name);

#endif
