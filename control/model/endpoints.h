#ifndef REMORA_CONTROL_MODEL_ENDPOINTS_H
#define REMORA_CONTROL_MODEL_ENDPOINTS_H

#include "control/model/compile.h"

/*
 * Who answers at a service port. EndpointSlices, where the service has any, else the workloads that
 * its selector picks. An endpoint is one workload once, at the address of the family that the
 * service's first virtual address has, where it has one.
 * Grouped by locality.
 */
struct xds_endpoints endpoints_of_port(struct compile *compile, const struct service_port *port,
                                       struct span cluster);
/* The number on one workload that a service port leads to; 0 when it has no such name. */
int64_t target_port_of(const struct service_port *port, const struct workload_spec *workload);
/* One workload as an endpoint at one of its ports. */
struct xds_endpoint endpoint_of_workload(const struct world *world, const struct entry *workload,
                                         const struct address *address, int64_t port,
                                         uint8_t protocol, struct arena *arena);

#endif
