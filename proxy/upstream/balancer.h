#ifndef REMORA_PROXY_UPSTREAM_BALANCER_H
#define REMORA_PROXY_UPSTREAM_BALANCER_H

#include "proxy/upstream/cluster.h"
#include "proxy/upstream/lease.h"

/*
 * Which endpoint of the rotation a lease goes to. An algorithm draws; what the draw must satisfy
 * (room for a connection or stream, not tried before by this request) is common. One a cluster.
 */
struct balancer;

struct balancer_ops {
    const char *name;
    /* A usable endpoint of a rotation of at least two; NULL: a few draws found none. */
    struct endpoint *(*pick)(struct balancer *balancer, const struct lease_wish *wish);
};

struct balancer {
    const struct balancer_ops *ops;
    struct cluster *cluster;
    uint8_t lb;           /* enum xds_lb it was made for */
    uint64_t *cumulative; /* weights summed up along the rotation; NULL = all are equal */
    uint64_t total;       /* with equal weights: how many */
    uint64_t turn;        /* round robin */
};

struct balancer *balancer_create(struct cluster *cluster, uint8_t lb);
void balancer_destroy(struct balancer *balancer);
/* The rotation or its weights changed. */
void balancer_changed(struct balancer *balancer);
/* NULL: the rotation is empty, or no endpoint of it has room. */
struct endpoint *balancer_pick(struct balancer *balancer, const struct lease_wish *wish);
/* What the algorithm compares, for explain; lower is better. */
double balancer_cost(const struct balancer *balancer, const struct endpoint *endpoint,
                     int64_t now_ns);

/* For algorithms. Which index of the rotation the point [0, 1) falls on, by weight. */
uint32_t balancer_at(const struct balancer *balancer, double point);
bool balancer_usable(const struct endpoint *endpoint, const struct lease_wish *wish);

extern const struct balancer_ops balancer_p2c;
extern const struct balancer_ops balancer_round_robin;
extern const struct balancer_ops balancer_random;

#endif
