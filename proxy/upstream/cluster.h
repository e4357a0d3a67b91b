#ifndef REMORA_PROXY_UPSTREAM_CLUSTER_H
#define REMORA_PROXY_UPSTREAM_CLUSTER_H

#include "lib/base/list.h"
#include "proxy/upstream/upstream.h"

struct endpoint;
struct balancer;

/* Counters that metrics read; this worker's own. */
struct cluster_counters {
    uint64_t connects, connect_failures, connections_reused, connections_closed;
    uint64_t leases, pending_overflow, connection_overflow, no_endpoint;
    uint64_t tls_full, tls_resumed;
};

struct cluster {
    struct upstream *upstream;
    struct cluster_config *config;
    struct balancer *balancer;
    struct endpoint **endpoints;
    uint32_t endpoint_count;
    uint32_t leases;      /* held or waited for */
    uint32_t connections; /* open or opening, all endpoints */
    uint32_t requests;    /* leased streams */
    uint32_t pending;     /* waiting leases */
    struct list waiting;  /* of lease.waiting, oldest first */
    struct retry_budget *budget;
    bool leaving; /* no longer in the configuration */
    struct cluster_counters counters;
};

/* NULL when neither the snapshot nor this worker has one of that name. */
struct cluster *cluster_find(struct upstream *upstream, struct span name);
/* The runtime of a cluster that no control plane names (cluster_config_passthrough and its kin);
 * made on first use under the config's name, dropped when idle for a minute. Takes over the
 * reference. */
struct cluster *cluster_adopt(struct upstream *upstream, struct cluster_config *config);
/* Walks all for metrics and /clusters. Start with *at = 0. */
struct cluster *cluster_next(struct upstream *upstream, size_t *at);

#endif
