#include "lib/base/memory.h"
#include "proxy/upstream/balancer.h"
#include "proxy/upstream/cluster_run.h"
#include "proxy/upstream/endpoint.h"

/* Up to here a walk finds an endpoint faster than a map is built. */
enum { WALK = 8 };

static struct endpoint *walk(const struct cluster *cluster, const struct endpoint_config *config)
{
    for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
        struct endpoint *endpoint = cluster->endpoints[i];
        if (!endpoint->seen && endpoint_is(endpoint, config)) {
            return endpoint;
        }
    }
    return NULL;
}

static struct span key_of(const struct endpoint_config *config)
{
    return span_make(&config->key, sizeof(config->key));
}

static struct endpoint *find(const struct cluster *cluster, const struct map *map,
                             const struct endpoint_config *config)
{
    if (cluster->endpoint_count <= WALK) {
        return walk(cluster, config);
    }
    struct endpoint *endpoint = map_get(map, key_of(config));
    return endpoint != NULL && !endpoint->seen && endpoint_is(endpoint, config) ? endpoint : NULL;
}

void cluster_rotate(struct cluster *cluster)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
        const struct endpoint *endpoint = cluster->endpoints[i];
        if (endpoint_in_rotation(endpoint) && endpoint->config.priority < best) {
            best = endpoint->config.priority;
        }
    }
    mem_free(cluster->rotation);
    cluster->rotation = mem_array(cluster->endpoint_count + 1, sizeof(struct endpoint *));
    cluster->rotation_count = 0;
    for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
        struct endpoint *endpoint = cluster->endpoints[i];
        if (endpoint_in_rotation(endpoint) && endpoint->config.priority == best) {
            cluster->rotation[cluster->rotation_count++] = endpoint;
        }
    }
    if (cluster->rotation_count > 0) {
        cluster->expired_empty = false;
    }
    balancer_changed(cluster->balancer);
    if (cluster->queued > 0) {
        cluster_settle_later(cluster);
    }
}

void cluster_set_endpoints(struct cluster *cluster, const struct endpoint_config *const *configs,
                           size_t count, bool all_new)
{
    struct map map;
    map_init_borrowed(&map);
    if (cluster->endpoint_count > WALK) {
        for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
            map_put(&map, key_of(&cluster->endpoints[i]->config), cluster->endpoints[i]);
        }
    }
    struct endpoint **now = mem_array(count + 1, sizeof(struct endpoint *));
    for (size_t i = 0; i < count; i++) {
        struct endpoint *endpoint = all_new ? NULL : find(cluster, &map, configs[i]);
        if (endpoint == NULL) {
            endpoint = endpoint_create(cluster, configs[i]);
        } else {
            endpoint->seen = true;
            endpoint_refresh(endpoint, configs[i]);
        }
        now[i] = endpoint;
    }
    map_done(&map);
    struct endpoint **old = cluster->endpoints;
    uint32_t old_count = cluster->endpoint_count;
    cluster->endpoints = now;
    cluster->endpoint_count = (uint32_t)count;
    for (uint32_t i = 0; i < old_count; i++) {
        if (!old[i]->seen) {
            endpoint_leave(old[i]);
        }
        old[i]->seen = false;
    }
    mem_free(old);
    cluster_rotate(cluster);
    upstream_sweep_later(cluster->upstream);
}
