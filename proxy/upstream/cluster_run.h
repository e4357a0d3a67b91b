#ifndef REMORA_PROXY_UPSTREAM_CLUSTER_RUN_H
#define REMORA_PROXY_UPSTREAM_CLUSTER_RUN_H

#include "lib/base/clock.h"
#include "proxy/upstream/cluster.h"

/* What the files of this folder need of clusters beyond cluster.h. */

#define UPSTREAM_KEEP_NS (120 * NS_PER_S)
#define UPSTREAM_SWEEP_NS (30 * NS_PER_S)
#define CLUSTER_IDLE_NS (60 * NS_PER_S)
/* Clusters that no control plane names; beyond this the idle ones go early. */
enum { CLUSTERS_ADOPTED = 1000 };

struct cluster_table {
    struct upstream *upstream;
    struct map by_name;         /* borrows cluster->name */
    struct list adopted;        /* of cluster.link, oldest first */
    struct list left;           /* of cluster.link: no longer found by name */
    struct list left_endpoints; /* of endpoint.link */
    struct snapshot *snapshot;  /* NULL before the first */
    struct timer sweep;         /* gives back what left */
    uint32_t adopted_count;
    uint32_t count; /* with those that left */
    bool closing;
};

/* Takes over the reference on config. */
struct cluster *cluster_create(struct upstream *upstream, struct cluster_config *config);
/* The same name with other facts or endpoints. Takes over the reference. */
void cluster_update(struct cluster *cluster, struct cluster_config *config);
/* No longer found; takes no new leases. */
void cluster_leave(struct cluster *cluster);
/* The settle task runs in this turn's flush phase. */
static inline void cluster_settle_later(struct cluster *cluster)
{
    loop_flush_later(cluster->upstream->loop, &cluster->settle);
}
/* A lease or connection of a cluster that left has ended: with the last of them its memory goes. */
void cluster_let_go(struct cluster *cluster);
static inline int64_t cluster_now_ns(const struct cluster *cluster)
{
    return loop_now_ns(cluster->upstream->loop);
}

/* cluster_endpoints.c: puts the list in place of the current one; endpoints that stay keep all. */
void cluster_set_endpoints(struct cluster *cluster, const struct endpoint_config *const *configs,
                           size_t count, bool all_new);
/* Health, weight or breaker changed: who takes new leases is found anew. */
void cluster_rotate(struct cluster *cluster);

/* Something left: the sweep must run. */
void upstream_sweep_later(struct upstream *upstream);

#endif
