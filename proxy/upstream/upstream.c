#include "proxy/upstream/upstream.h"

#include "lib/base/memory.h"
#include "lib/net/tcp.h"
#include "proxy/upstream/cluster_run.h"
#include "proxy/upstream/endpoint.h"
#include "proxy/upstream/lease_run.h"
#include "proxy/upstream/pool.h"

enum { SESSIONS = 4096, REQUESTS = 100000 };

static const struct upstream_net real_net = {
    .dial = tcp_connect,
    .ask = resolver_ask,
    .cancel = resolver_cancel,
};

static bool kept_long_enough(const struct upstream *upstream, int64_t since_ns)
{
    return upstream->clusters->closing ||
           loop_now_ns(upstream->loop) - since_ns >= UPSTREAM_KEEP_NS;
}

static void sweep_endpoints(struct upstream *upstream)
{
    LIST_EACH(&upstream->clusters->left_endpoints, link)
    {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);
        if (endpoint->active == 0 && endpoint->connections == 0 &&
            kept_long_enough(upstream, endpoint->used_ns)) {
            endpoint_destroy(endpoint);
        }
    }
}

static void sweep_clusters(struct upstream *upstream)
{
    struct cluster_table *table = upstream->clusters;
    LIST_EACH(&table->left, link)
    {
        struct cluster *cluster = CONTAINER_OF(link, struct cluster, link);
        if (cluster->leases == 0 && cluster->held_endpoints == 0 &&
            kept_long_enough(upstream, cluster->used_ns)) {
            loop_free_later(upstream->loop, &cluster->free_task);
        }
    }
    LIST_EACH(&table->adopted, link)
    {
        struct cluster *cluster = CONTAINER_OF(link, struct cluster, link);
        if (cluster->leases == 0 &&
            loop_now_ns(upstream->loop) - cluster->used_ns >= CLUSTER_IDLE_NS) {
            cluster_leave(cluster);
        }
    }
}

static void upstream_free(struct upstream *upstream)
{
    struct cluster_table *table = upstream->clusters;
    timer_stop(&table->sweep);
    map_done(&table->by_name);
    snapshot_unref(table->snapshot);
    mem_free(table);
    tls_config_unref(upstream->client_tls);
    tls_session_cache_destroy(upstream->sessions);
    mem_free(upstream);
}

struct upstream_run {
    struct upstream upstream;
    struct turn_task sweep_now; /* while closing */
};

static void sweep(struct upstream *upstream)
{
    struct cluster_table *table = upstream->clusters;
    sweep_endpoints(upstream);
    sweep_clusters(upstream);
    if (table->closing) {
        if (table->count == 0) {
            upstream_free(upstream);
        }
    } else if (!list_empty(&table->left) || !list_empty(&table->left_endpoints) ||
               !list_empty(&table->adopted)) {
        timer_start(&table->sweep, UPSTREAM_SWEEP_NS);
    }
}

static void run_sweep_now(struct turn_task *task)
{
    sweep(&CONTAINER_OF(task, struct upstream_run, sweep_now)->upstream);
}

static void on_sweep(struct timer *timer)
{
    struct cluster_table *table = CONTAINER_OF(timer, struct cluster_table, sweep);
    sweep(table->upstream);
}

void upstream_sweep_later(struct upstream *upstream)
{
    struct cluster_table *table = upstream->clusters;
    if (table->closing) {
        struct upstream_run *run = CONTAINER_OF(upstream, struct upstream_run, upstream);
        loop_free_later(upstream->loop, &run->sweep_now);
    } else if (!timer_running(&table->sweep)) {
        timer_start(&table->sweep, UPSTREAM_SWEEP_NS);
    }
}

struct upstream *upstream_create(struct loop *loop, struct resolver *resolver)
{
    struct upstream_run *run = NEW(struct upstream_run);
    struct upstream *upstream = &run->upstream;
    run->sweep_now.run = run_sweep_now;
    upstream->loop = loop;
    upstream->resolver = resolver;
    upstream->net = &real_net;
    upstream->sessions = tls_session_cache_create(SESSIONS);
    upstream->max_requests = REQUESTS;
    struct cluster_table *table = NEW(struct cluster_table);
    table->upstream = upstream;
    map_init_borrowed(&table->by_name);
    list_init(&table->adopted);
    list_init(&table->left);
    list_init(&table->left_endpoints);
    timer_init(&table->sweep, loop, on_sweep);
    upstream->clusters = table;
    return upstream;
}

static void drain_mesh(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
        if (cluster->endpoints[i]->pool != NULL) {
            pool_drain_mesh(cluster->endpoints[i]->pool);
        }
    }
}

void upstream_set_tls(struct upstream *upstream, struct tls_config *client_tls, bool drain_old)
{
    struct tls_config *old = upstream->client_tls;
    upstream->client_tls = client_tls != NULL ? tls_config_ref(client_tls) : NULL;
    tls_config_unref(old);
    struct cluster *cluster;
    size_t at = 0;
    while (drain_old && (cluster = cluster_next(upstream, &at)) != NULL) {
        drain_mesh(cluster);
    }
}

void upstream_apply(struct upstream *upstream, const struct snapshot *snapshot)
{
    struct cluster_table *table = upstream->clusters;
    struct snapshot *old = table->snapshot;
    if (old == snapshot) {
        return;
    }
    table->snapshot = snapshot_ref((struct snapshot *)(uintptr_t)snapshot);
    struct cluster *cluster;
    size_t at = 0;
    while ((cluster = cluster_next(upstream, &at)) != NULL) {
        struct cluster_config *config = map_get(&snapshot->clusters, cluster->name);
        if (cluster->adopted || config == cluster->config) {
            continue;
        }
        if (config != NULL) {
            cluster_update(cluster, cluster_config_ref(config));
        } else {
            cluster_leave(cluster);
        }
    }
    snapshot_unref(old);
}

static void close_endpoint(struct endpoint *endpoint)
{
    if (endpoint->pool != NULL) {
        pool_close_all(endpoint->pool, FAILURE_LOCAL_SHUTDOWN);
    }
}

static void fail_waiting(struct cluster *cluster)
{
    struct link *link;
    while ((link = list_first(&cluster->waiting)) != NULL) {
        lease_decide(CONTAINER_OF(link, struct lease, waiting), FAILURE_LOCAL_SHUTDOWN);
    }
    while ((link = list_first(&cluster->due)) != NULL) {
        struct lease *lease = CONTAINER_OF(link, struct lease, place);
        lease_tell(lease);
    }
}

void upstream_destroy(struct upstream *upstream)
{
    if (upstream == NULL) {
        return;
    }
    struct cluster_table *table = upstream->clusters;
    table->closing = true;
    timer_stop(&table->sweep);
    struct cluster *cluster;
    size_t at = 0;
    while ((cluster = cluster_next(upstream, &at)) != NULL) {
        fail_waiting(cluster);
        for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
            close_endpoint(cluster->endpoints[i]);
        }
        cluster_leave(cluster);
    }
    LIST_EACH(&table->left, link)
    {
        fail_waiting(CONTAINER_OF(link, struct cluster, link));
    }
    LIST_EACH(&table->left_endpoints, link)
    {
        close_endpoint(CONTAINER_OF(link, struct endpoint, link));
    }
    upstream_sweep_later(upstream);
}
