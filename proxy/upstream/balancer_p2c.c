#include "lib/base/random.h"
#include "proxy/upstream/balancer.h"
#include "proxy/upstream/cluster_run.h"
#include "proxy/upstream/endpoint.h"

/*
 * The better of two draws (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing",
 * 2001), by Peak EWMA or by requests in flight.
 *
 * Weights act on the draw and on the load: cost = rtt * (active * mean / weight + 1). With equal
 * weights this is rtt * (active + 1). Dividing the whole cost by the weight would let an
 * idle endpoint of weight 2 win every comparison with one of weight 1.
 */
enum { REPICKS = 5 };

static uint32_t draw(const struct balancer *balancer)
{
    return balancer->cumulative == NULL ? (uint32_t)random_below(balancer->total)
                                        : balancer_at(balancer, random_unit());
}

/* Another one than i; where weights make that improbable, a neighbour. */
static uint32_t draw_other(const struct balancer *balancer, uint32_t i)
{
    uint32_t count = balancer->cluster->rotation_count;
    if (balancer->cumulative == NULL) {
        uint32_t j = (uint32_t)random_below(count - 1);
        return j >= i ? j + 1 : j;
    }
    uint32_t j = draw(balancer);
    for (int k = 0; k < REPICKS && j == i; k++) {
        j = draw(balancer);
    }
    return j != i ? j : (i + 1) % count;
}

/*
 * An endpoint without a sample is taken to be as fast as the one it is compared with, at most as
 * slow as ewma.initial. With the initial value alone (30 ms) a new endpoint beside ones that answer
 * in 1 ms would get nothing until 30 requests were in flight.
 */
static double cost_beside(const struct balancer *balancer, const struct endpoint *endpoint,
                          const struct endpoint *other, int64_t now_ns)
{
    double cost = balancer_cost(balancer, endpoint, now_ns);
    if (balancer->lb != XDS_LB_PEAK_EWMA || endpoint->rtt_ns > 0 || other->rtt_ns == 0) {
        return cost;
    }
    double own = endpoint_rtt_ns(endpoint, now_ns);
    double known = endpoint_rtt_ns(other, now_ns);
    return known < own ? cost * (known / own) : cost;
}

static struct endpoint *pick(struct balancer *balancer, const struct lease_wish *wish)
{
    struct endpoint *const *rotation = balancer->cluster->rotation;
    int64_t now_ns = cluster_now_ns(balancer->cluster);
    for (int k = 0; k < REPICKS; k++) {
        uint32_t i = draw(balancer);
        struct endpoint *a = rotation[i];
        struct endpoint *b = rotation[draw_other(balancer, i)];
        bool a_usable = balancer_usable(a, wish);
        bool b_usable = balancer_usable(b, wish);
        if (a_usable && b_usable) {
            return cost_beside(balancer, a, b, now_ns) <= cost_beside(balancer, b, a, now_ns) ? a
                                                                                              : b;
        }
        if (a_usable || b_usable) {
            return a_usable ? a : b;
        }
    }
    return NULL;
}

const struct balancer_ops balancer_p2c = {.name = "p2c", .pick = pick};
