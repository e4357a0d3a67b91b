#include "lib/base/check.h"
#include "proxy/upstream/balancer.h"
#include "proxy/upstream/cluster_dns.h"
#include "proxy/upstream/cluster_run.h"
#include "proxy/upstream/lease_run.h"
#include "proxy/upstream/pool.h"

/* Those who wait for a cluster: who is next, whose time is over, and the one place that tells. */

static int64_t deadline_of(const struct lease *lease)
{
    int64_t queue_ms = lease->cluster->config->facts.queue_timeout_ms;
    int64_t at_ns = INT64_MAX;
    if (queue_ms > 0) {
        at_ns = lease->started_ns + queue_ms * NS_PER_MS;
    }
    if (lease->wish.deadline_ns > 0 && lease->wish.deadline_ns < at_ns) {
        at_ns = lease->wish.deadline_ns;
    }
    return at_ns;
}

void cluster_wait(struct cluster *cluster, struct lease *lease)
{
    lease->deadline_ns = deadline_of(lease);
    list_push_back(&cluster->waiting, &lease->waiting);
    cluster->pending++;
    if (lease->deadline_ns != INT64_MAX &&
        (!timer_running(&cluster->deadline) || lease->deadline_ns < cluster->deadline.at_ns)) {
        timer_start_at(&cluster->deadline, lease->deadline_ns);
    }
}

void cluster_wait_over(struct cluster *cluster, struct lease *lease)
{
    CHECK(link_linked(&lease->waiting));
    list_remove(&lease->waiting);
    cluster->pending--;
}

/* Why there is nobody to send to. */
static enum failure nobody(const struct cluster *cluster)
{
    if (!cluster->config->endpoints_known) {
        return FAILURE_CONFIG_TIMEOUT;
    }
    return cluster->dns != NULL && cluster->endpoint_count == 0 ? FAILURE_DNS_FAILED
                                                                : FAILURE_NO_ENDPOINT;
}

enum failure cluster_hopeless(const struct cluster *cluster)
{
    if (cluster->rotation_count > 0) {
        return FAILURE_NONE;
    }
    bool in_vain = cluster->expired_empty || cluster->config->facts.queue_timeout_ms <= 0 ||
                   (cluster->dns != NULL && cluster_dns_failed(cluster->dns));
    return in_vain ? nobody(cluster) : FAILURE_NONE;
}

enum lease_place cluster_place(struct cluster *cluster, struct lease *lease)
{
    if (cluster->dns != NULL) {
        cluster_dns_used(cluster->dns);
    }
    struct endpoint *endpoint = balancer_pick(cluster->balancer, &lease->wish);
    if (endpoint == NULL) {
        return LEASE_NOWHERE;
    }
    switch (pool_take(endpoint, lease)) {
    case POOL_TAKEN:
        return LEASE_PLACED;
    case POOL_BOUND:
        return LEASE_BOUND;
    case POOL_FAILED:
        return LEASE_REFUSED;
    case POOL_FULL:
        break;
    }
    return LEASE_NOWHERE;
}

/* ---- time ---- */

static enum failure expired(struct lease *lease, int64_t now_ns)
{
    struct cluster *cluster = lease->cluster;
    if (lease->wish.deadline_ns > 0 && lease->wish.deadline_ns <= now_ns) {
        return FAILURE_REQUEST_TIMEOUT;
    }
    if (lease->state != LEASE_QUEUED) {
        return FAILURE_CONNECT_TIMEOUT;
    }
    if (cluster->rotation_count > 0) {
        cluster->counters.connection_overflow++;
        return FAILURE_OVERFLOW_CONNECTIONS;
    }
    cluster->expired_empty = true;
    cluster->counters.no_endpoint++;
    return nobody(cluster);
}

static void on_deadline(struct timer *timer)
{
    struct cluster *cluster = CONTAINER_OF(timer, struct cluster, deadline);
    int64_t now_ns = cluster_now_ns(cluster);
    int64_t next_ns = INT64_MAX;
    LIST_EACH(&cluster->waiting, link)
    {
        struct lease *lease = CONTAINER_OF(link, struct lease, waiting);
        if (lease->deadline_ns <= now_ns) {
            lease_decide(lease, expired(lease, now_ns));
        } else if (lease->deadline_ns < next_ns) {
            next_ns = lease->deadline_ns;
        }
    }
    if (next_ns != INT64_MAX) {
        timer_start_at(&cluster->deadline, next_ns);
    }
}

/* ---- settling ---- */

/* True when the first in the queue has left it. */
static bool place_first(struct cluster *cluster, struct list *queue)
{
    struct link *link = list_first(queue);
    if (link == NULL) {
        return false;
    }
    struct lease *lease = CONTAINER_OF(link, struct lease, place);
    CHECK(lease->state == LEASE_QUEUED);
    if (cluster->leaving) {
        lease_decide(lease, FAILURE_NO_ENDPOINT);
        return true;
    }
    /* It must be in no list while it is placed. */
    list_remove(link);
    cluster->queued--;
    lease->state = LEASE_NEW;
    enum lease_place place = cluster_place(cluster, lease);
    if (place == LEASE_NOWHERE) {
        lease->state = LEASE_QUEUED;
        list_push_front(queue, &lease->place);
        cluster->queued++;
        enum failure hopeless = cluster_hopeless(cluster);
        if (hopeless == FAILURE_NONE) {
            return false;
        }
        cluster->counters.no_endpoint++;
        lease_decide(lease, hopeless);
    } else if (place == LEASE_PLACED) {
        lease_decide(lease, FAILURE_NONE);
    } else if (place == LEASE_REFUSED) {
        lease_decide(lease, lease->failure);
    }
    return true;
}

static void settle(struct turn_task *task)
{
    struct cluster *cluster = CONTAINER_OF(task, struct cluster, settle);
    struct link *link;
    /* A callback may start and end leases, here too; this task is then queued again. */
    while ((link = list_pop(&cluster->stirred)) != NULL) {
        lane_serve(CONTAINER_OF(link, struct lane, stirred));
    }
    for (int kind = LEASE_HTTP; kind <= LEASE_TCP; kind++) {
        while (place_first(cluster, &cluster->queues[kind])) {
        }
    }
    while ((link = list_first(&cluster->due)) != NULL) {
        lease_tell(CONTAINER_OF(link, struct lease, place));
    }
}

void cluster_settle_init(struct cluster *cluster)
{
    list_init(&cluster->waiting);
    list_init(&cluster->queues[LEASE_HTTP]);
    list_init(&cluster->queues[LEASE_TCP]);
    list_init(&cluster->due);
    list_init(&cluster->stirred);
    cluster->settle.run = settle;
    timer_init(&cluster->deadline, cluster->upstream->loop, on_deadline);
}
