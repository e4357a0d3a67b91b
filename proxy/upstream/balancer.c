#include "proxy/upstream/balancer.h"

#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "proxy/upstream/cluster_run.h"
#include "proxy/upstream/endpoint.h"
#include "proxy/upstream/pool.h"

static const struct balancer_ops *ops_of(const struct cluster *cluster, uint8_t lb)
{
    switch ((enum xds_lb)lb) {
    case XDS_LB_PEAK_EWMA:
    case XDS_LB_LEAST_REQUEST:
        return &balancer_p2c;
    case XDS_LB_ROUND_ROBIN:
        return &balancer_round_robin;
    case XDS_LB_RANDOM:
        return &balancer_random;
    case XDS_LB_RING_HASH:
    case XDS_LB_MAGLEV:
        break;
    }
    LOG_WARN("upstream", "hashing is not available, least request is used",
             LOG_SPAN("cluster", cluster->name));
    return &balancer_p2c;
}

struct balancer *balancer_create(struct cluster *cluster, uint8_t lb)
{
    struct balancer *balancer = NEW(struct balancer);
    balancer->ops = ops_of(cluster, lb);
    balancer->cluster = cluster;
    balancer->lb = lb;
    balancer_changed(balancer);
    return balancer;
}

void balancer_destroy(struct balancer *balancer)
{
    if (balancer != NULL) {
        mem_free(balancer->cumulative);
        mem_free(balancer);
    }
}

void balancer_changed(struct balancer *balancer)
{
    const struct cluster *cluster = balancer->cluster;
    uint32_t count = cluster->rotation_count;
    mem_free(balancer->cumulative);
    balancer->cumulative = NULL;
    balancer->total = count;
    bool equal = true;
    for (uint32_t i = 1; i < count && equal; i++) {
        equal =
            cluster->rotation[i]->config.facts.weight == cluster->rotation[0]->config.facts.weight;
    }
    if (equal) {
        return;
    }
    balancer->cumulative = mem_array(count, sizeof(uint64_t));
    balancer->total = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t weight = cluster->rotation[i]->config.facts.weight;
        balancer->total += weight > 0 ? weight : 1;
        balancer->cumulative[i] = balancer->total;
    }
}

uint32_t balancer_at(const struct balancer *balancer, double point)
{
    uint32_t count = balancer->cluster->rotation_count;
    uint64_t at = (uint64_t)(point * (double)balancer->total);
    if (at >= balancer->total) {
        at = balancer->total - 1;
    }
    if (balancer->cumulative == NULL) {
        return (uint32_t)at;
    }
    uint32_t low = 0;
    uint32_t high = count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (balancer->cumulative[middle] > at) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static bool was_tried(const struct endpoint *endpoint, const struct lease_wish *wish)
{
    for (uint32_t i = 0; i < wish->tried_count; i++) {
        if (wish->tried[i] == endpoint) {
            return true;
        }
    }
    return false;
}

bool balancer_usable(const struct endpoint *endpoint, const struct lease_wish *wish)
{
    return !was_tried(endpoint, wish) && pool_has_room(endpoint, wish);
}

double balancer_cost(const struct balancer *balancer, const struct endpoint *endpoint,
                     int64_t now_ns)
{
    double load = endpoint->active;
    if (balancer->cumulative != NULL) {
        uint32_t weight = endpoint->config.facts.weight;
        double mean = (double)balancer->total / balancer->cluster->rotation_count;
        load = load * mean / (weight > 0 ? weight : 1);
    }
    return balancer->lb == XDS_LB_PEAK_EWMA ? endpoint_rtt_ns(endpoint, now_ns) * (load + 1)
                                            : load + 1;
}

/* The draws found none: the cheapest of all with room, untried ones first. */
static struct endpoint *cheapest(const struct balancer *balancer, const struct lease_wish *wish)
{
    const struct cluster *cluster = balancer->cluster;
    int64_t now_ns = cluster_now_ns(cluster);
    struct endpoint *best = NULL;
    struct endpoint *best_tried = NULL;
    double cost = 0;
    double cost_tried = 0;
    for (uint32_t i = 0; i < cluster->rotation_count; i++) {
        struct endpoint *endpoint = cluster->rotation[i];
        if (!pool_has_room(endpoint, wish)) {
            continue;
        }
        double its = balancer_cost(balancer, endpoint, now_ns);
        if (was_tried(endpoint, wish)) {
            if (best_tried == NULL || its < cost_tried) {
                best_tried = endpoint;
                cost_tried = its;
            }
        } else if (best == NULL || its < cost) {
            best = endpoint;
            cost = its;
        }
    }
    return best != NULL ? best : best_tried;
}

struct endpoint *balancer_pick(struct balancer *balancer, const struct lease_wish *wish)
{
    const struct cluster *cluster = balancer->cluster;
    if (cluster->rotation_count == 0) {
        return NULL;
    }
    if (cluster->rotation_count == 1) {
        struct endpoint *only = cluster->rotation[0];
        return pool_has_room(only, wish) ? only : NULL;
    }
    struct endpoint *endpoint = balancer->ops->pick(balancer, wish);
    return endpoint != NULL ? endpoint : cheapest(balancer, wish);
}
