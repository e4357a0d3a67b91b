#ifndef REMORA_PROXY_UPSTREAM_CLUSTER_H
#define REMORA_PROXY_UPSTREAM_CLUSTER_H

#include "lib/base/list.h"
#include "lib/http/http_limits.h"
#include "proxy/upstream/upstream.h"

struct endpoint;
struct balancer;
struct cluster_dns;
struct connector_tls;
struct text;

/* Counters that metrics read; this worker's own. */
struct cluster_counters {
    uint64_t connects, connect_failures, connections_reused, connections_closed;
    uint64_t leases, pending_overflow, connection_overflow, no_endpoint;
    uint64_t tls_full, tls_resumed;
};

struct cluster {
    struct upstream *upstream;
    struct cluster_config *config;
    struct span name, service, namespace_name; /* as long as the cluster, whatever config says */
    struct balancer *balancer;
    struct endpoint **endpoints;
    uint32_t endpoint_count;
    struct endpoint **rotation; /* those of the best priority that take new leases */
    uint32_t rotation_count;
    uint32_t leases;      /* held or waited for */
    uint32_t connections; /* open or opening, all endpoints */
    uint32_t requests;    /* leased streams */
    uint32_t pending;     /* waiting leases */
    struct list waiting;  /* of lease.waiting, oldest first */
    struct retry_budget *budget;
    bool leaving; /* no longer in the configuration */
    struct cluster_counters counters;

    /* The rest is this folder's own. */
    struct list queues[2]; /* by enum lease_kind, of lease.place: no endpoint had room for them */
    struct list due;       /* of lease.place: decided, the owner is to be told */
    struct list stirred;   /* of lane.stirred: has room or lost a connection */
    uint32_t queued;       /* in both */
    struct timer deadline; /* the earliest of all that wait */
    struct turn_task settle;
    struct turn_task free_task;
    struct http_limits limits1, limits2; /* of its HTTP/1 and HTTP/2 connections */
    struct cluster_dns *dns;             /* NULL: no names to resolve */
    struct connector_tls *originate;     /* made at the first use */
    struct link link;                    /* in the table's `adopted` or `left` */
    char *texts;
    int64_t used_ns;         /* last lease begun or ended */
    uint32_t held_endpoints; /* with those that left */
    bool is_local;           /* the leg to the local application */
    bool adopted;
    bool expired_empty; /* a lease waited in vain for an endpoint; none has come since */
};

/* NULL when neither the snapshot nor this worker has one of that name. */
struct cluster *cluster_find(struct upstream *upstream, struct span name);
/* The runtime of a cluster that no control plane names (cluster_config_passthrough and its kin);
 * made on first use under the config's name, dropped when idle for a minute. Takes over the
 * reference. */
struct cluster *cluster_adopt(struct upstream *upstream, struct cluster_config *config);
/* Walks all for metrics and /clusters. Start with *at = 0. */
struct cluster *cluster_next(struct upstream *upstream, size_t *at);
/* A JSON object: limits, counters, and each endpoint with state, load and cost. */
void cluster_describe(const struct cluster *cluster, struct text *json);

#endif
