#ifndef REMORA_PROXY_CONFIG_LISTENER_CONFIG_H
#define REMORA_PROXY_CONFIG_LISTENER_CONFIG_H

#include "lib/base/refcount.h"
#include "lib/xds/xds_listener.h"
#include "proxy/config/route_config.h"

/* One service port as its callers see it. Immutable and counted. */
struct listener_config {
    struct refcount references;
    struct arena arena;
    struct xds_listener facts;
    struct route_config *routes; /* NULL: none came yet, or the port is opaque */
    uint64_t tcp_weight;         /* sum over tcp_clusters */
    atomic_bool used; /* set by workers, cleared by the main thread: is it still needed? */
};

/* routes: a reference is taken; may be NULL. */
struct listener_config *listener_config_create(const struct xds_listener *facts,
                                               struct route_config *routes,
                                               struct xds_error *ret_error);
struct listener_config *listener_config_ref(struct listener_config *listener);
void listener_config_unref(struct listener_config *listener);

/* Says that somebody uses it. A store only where it was not said yet, so that the line stays
 * shared. */
static inline void listener_config_use(const struct listener_config *listener)
{
    atomic_bool *used = &((struct listener_config *)listener)->used;
    if (!atomic_load_explicit(used, memory_order_relaxed)) {
        atomic_store_explicit(used, true, memory_order_relaxed);
    }
}

/* The cluster of one opaque connection by weight; empty span = an invalid backend. draw in [0, 1).
 */
struct span listener_config_tcp_cluster(const struct listener_config *listener, double draw);

#endif
