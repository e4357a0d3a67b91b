#ifndef REMORA_CONTROL_MODEL_KNOBS_H
#define REMORA_CONTROL_MODEL_KNOBS_H

#include "control/model/service.h"

/* MeshConfig's defaults under the service's policy under that of its port. */
void knobs_of_service(const struct world *world, const struct service *service,
                      const struct service_port *port, struct traffic_policy_spec *ret_knobs);
/* Lays a route's policy, then that of its rule, over the knobs. */
void knobs_of_rule(const struct world *world, const struct entry *route, struct span rule,
                   struct traffic_policy_spec *knobs);

/* What a cluster takes of them; the rest is not said. */
struct xds_cluster;
void knobs_of_cluster(const struct traffic_policy_spec *knobs, struct xds_cluster *cluster);

#endif
