#include "proxy/config/listener_config.h"

#include "lib/base/memory.h"

#include <stdio.h>

static struct span copy(struct listener_config *listener, struct span from)
{
    return arena_span(&listener->arena, from);
}

struct listener_config *listener_config_create(const struct xds_listener *facts,
                                               struct route_config *routes,
                                               struct xds_error *ret_error)
{
    if (facts->name.length == 0 || facts->protocol > XDS_PROTOCOL_OPAQUE) {
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "listener \"%.*s\": no name, or an unknown protocol", SPAN_ARG(facts->name));
        return NULL;
    }
    struct listener_config *listener = NEW(struct listener_config);
    refcount_init(&listener->references);
    arena_init(&listener->arena);
    listener->facts = *facts;
    listener->facts.name = copy(listener, facts->name);
    listener->facts.route_name = copy(listener, facts->route_name);
    struct xds_weighted_cluster *clusters =
        ARENA_ARRAY(&listener->arena, struct xds_weighted_cluster, facts->tcp_cluster_count);
    for (uint32_t i = 0; i < facts->tcp_cluster_count; i++) {
        clusters[i] = (struct xds_weighted_cluster){
            .name = copy(listener, facts->tcp_clusters[i].name),
            .weight = facts->tcp_clusters[i].weight,
        };
        listener->tcp_weight += clusters[i].weight;
    }
    listener->facts.tcp_clusters = clusters;
    listener->routes = routes != NULL ? route_config_ref(routes) : NULL;
    return listener;
}

struct listener_config *listener_config_ref(struct listener_config *listener)
{
    refcount_up(&listener->references);
    return listener;
}

void listener_config_unref(struct listener_config *listener)
{
    if (listener != NULL && refcount_down(&listener->references)) {
        route_config_unref(listener->routes);
        arena_done(&listener->arena);
        mem_free(listener);
    }
}

struct span listener_config_tcp_cluster(const struct listener_config *listener, double draw)
{
    uint64_t at = (uint64_t)(draw * (double)listener->tcp_weight);
    for (uint32_t i = 0; i < listener->facts.tcp_cluster_count; i++) {
        const struct xds_weighted_cluster *cluster = &listener->facts.tcp_clusters[i];
        if (at < cluster->weight) {
            return cluster->name;
        }
        at -= cluster->weight;
    }
    return SPAN_EMPTY;
}
