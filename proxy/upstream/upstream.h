#ifndef REMORA_PROXY_UPSTREAM_UPSTREAM_H
#define REMORA_PROXY_UPSTREAM_UPSTREAM_H

/*
 * Whom we call, of one worker. Nothing here is shared between threads.
 *
 *   upstream ── cluster_table ── cluster (runtime of a cluster_config: budget, limits, queue)
 *                                  ├─ endpoint* (load, latency; outlives updates by its key)
 *                                  │     └─ pool: HTTP/2 sessions and idle HTTP/1 connections
 *                                  └─ balancer (picks an endpoint)
 *   lease: what one attempt holds of it, and the only way to get a stream or a connection
 *   connector: endpoint -> connected (and, in the mesh, mutually verified) transport
 *
 * A cluster or endpoint that left the configuration lives on until its last lease ends, takes no
 * new ones, and closes its idle connections at once. Its memory stays for two minutes more
 * (UPSTREAM_KEEP_NS), because a request that waits between two attempts (at most 60 s) holds no
 * lease and still names both.
 *
 * What a lease waits for is told in the loop's flush phase by the cluster's settle task, and
 * nowhere else: dials, freed streams, answers of DNS and deadlines only mark and queue it.
 */

#include "lib/net/resolver.h"
#include "lib/tls/tls_transport.h"
#include "proxy/config/snapshot.h"

struct cluster_table;
struct retry_budget;
struct tcp_connect;

/* How the network is reached; tests put their own here. */
struct upstream_net {
    struct transport *(*dial)(struct loop *loop, const struct tcp_connect *how);
    struct resolver_query *(*ask)(struct resolver *resolver, struct span name,
                                  void (*on_answer)(void *owner,
                                                    const struct resolver_answer *answer),
                                  void *owner);
    void (*cancel)(struct resolver_query *query);
};

/* What all of a worker's upstream side works with. Owned by the worker, outlives every cluster. */
struct upstream {
    struct loop *loop;
    struct tls_config *client_tls; /* own identity, mesh verifier; NULL until a certificate came */
    struct tls_session_cache *sessions;
    struct resolver *resolver;
    const struct upstream_net *net;
    struct cluster_table *clusters;
    /* Source of the leg to the local application (127.0.0.6, ::6); family 0 = any. */
    struct address local_source4, local_source6;
    const struct http_limits *limits; /* read when a cluster is made; NULL = the defaults */
    int descriptors;       /* connections get none from this number on (lib/net/tcp.h); 0 = any */
    uint32_t requests;     /* in flight in this worker */
    uint32_t max_requests; /* 100,000 */
};

struct upstream *upstream_create(struct loop *loop, struct resolver *resolver);
/* A new certificate or trust bundle (a reference is taken; NULL = none): new connections use it,
 * live ones go on, and are drained when told. */
void upstream_set_tls(struct upstream *upstream, struct tls_config *client_tls, bool drain_old);
/* Keeps clusters and endpoints that stayed, adds, drains what left. */
void upstream_apply(struct upstream *upstream, const struct snapshot *snapshot);
/*
 * Ends everything; waiting leases fail with LOCAL_SHUTDOWN from inside, live streams are reset with
 * it in the loop's next free phase. The memory goes with the last lease.
 */
void upstream_destroy(struct upstream *upstream);

#endif
