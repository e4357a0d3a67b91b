#ifndef REMORA_PROXY_CONFIG_CLUSTER_CONFIG_H
#define REMORA_PROXY_CONFIG_CLUSTER_CONFIG_H

#include "lib/base/refcount.h"
#include "lib/xds/xds_cluster.h"

/*
 * A cluster with its endpoints and every knob resolved: "not said" has become its default.
 * Immutable and counted. A change of endpoints makes a new one; `same_but_endpoints` tells that the
 * rest stayed.
 */
struct endpoint_config {
    struct xds_endpoint facts;
    struct span region, zone, sub_zone;
    uint32_t priority;
    uint64_t key; /* hash of address, port, identity, mtls_port: the same endpoint across updates */
};

struct cluster_config {
    struct refcount references;
    struct arena arena;
    struct xds_cluster facts; /* all numbers said */
    struct endpoint_config *endpoints;
    uint32_t endpoint_count;
    bool endpoints_known; /* false: EDS has not answered yet */
};

/* endpoints may be NULL (not known yet; or inline ones in facts). */
struct cluster_config *cluster_config_create(const struct xds_cluster *facts,
                                             const struct xds_endpoints *endpoints,
                                             struct xds_error *ret_error);
struct cluster_config *cluster_config_ref(struct cluster_config *cluster);
void cluster_config_unref(struct cluster_config *cluster);

/*
 * Clusters that no control plane names: pass-through to one address outside the mesh, one workload
 * by its address, and the local application. Made by workers when first needed; never NULL. name is
 * copied.
 */
struct cluster_config *cluster_config_passthrough(struct span name, const struct address *to);
struct cluster_config *
cluster_config_workload(struct span name, const struct xds_endpoint *endpoint, struct span host);
/* No TLS, no breaker waits; connect timeout 300 ms. protocol: enum xds_protocol of the application.
 */
struct cluster_config *cluster_config_local(struct span name, const struct address *application,
                                            uint8_t protocol);

#endif
