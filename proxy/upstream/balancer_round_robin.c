#include "lib/base/random.h"
#include "proxy/upstream/balancer.h"

#include <math.h>

/*
 * Equal weights: one after the other. Else the n-th pick falls on the fraction of n times the
 * golden ratio (Weyl's sequence): any run of picks is spread by weight to within O(log n / n),
 * nobody's turns clump, and a pick costs a binary search instead of a walk or a heap.
 */
#define GOLDEN 0.6180339887498949

enum { DRAWS = 8 };

static struct endpoint *pick(struct balancer *balancer, const struct lease_wish *wish)
{
    const struct cluster *cluster = balancer->cluster;
    for (int k = 0; k < DRAWS; k++) {
        uint64_t turn = balancer->turn++;
        uint32_t at;
        if (balancer->cumulative == NULL) {
            at = (uint32_t)(turn % cluster->rotation_count);
        } else {
            /* Below 2^32 the product keeps enough of its fraction. */
            double product = (double)(uint32_t)turn * GOLDEN;
            at = balancer_at(balancer, product - floor(product));
        }
        if (balancer_usable(cluster->rotation[at], wish)) {
            return cluster->rotation[at];
        }
    }
    return NULL;
}

const struct balancer_ops balancer_round_robin = {.name = "round_robin", .pick = pick};

static struct endpoint *pick_random(struct balancer *balancer, const struct lease_wish *wish)
{
    for (int k = 0; k < DRAWS; k++) {
        struct endpoint *endpoint =
            balancer->cluster->rotation[balancer_at(balancer, random_unit())];
        if (balancer_usable(endpoint, wish)) {
            return endpoint;
        }
    }
    return NULL;
}

const struct balancer_ops balancer_random = {.name = "random", .pick = pick_random};
