#ifndef REMORA_CONTROL_MODEL_COMPILE_H
#define REMORA_CONTROL_MODEL_COMPILE_H

#include "control/model/service.h"
#include "lib/xds/xds_endpoints.h"
#include "lib/xds/xds_route.h"

/* One service being compiled, and the steps of it. */
struct world;
struct xds_listener;

struct compile {
    struct world *world;
    struct service *service;
    struct arena arena;       /* of this service's compilation */
    struct pointers backends; /* services that its routes send to */
};
void service_compile(struct world *world, struct service *service);
void external_compile(struct world *world, struct entry *entry);
struct span cluster_name_make(struct arena *arena, const struct service *service, int64_t port);
/* "" when a backend may be used (then *ret_cluster is set), else the condition's reason. */
const char *backend_resolve(struct compile *compile, const struct entry *route,
                            const struct backend_ref *backend, struct span *ret_cluster,
                            const char **ret_message);

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

#endif
