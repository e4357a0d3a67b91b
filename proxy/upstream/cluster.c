#include "proxy/upstream/cluster.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"
#include "proxy/policy/retry_budget.h"
#include "proxy/upstream/balancer.h"
#include "proxy/upstream/cluster_dns.h"
#include "proxy/upstream/cluster_run.h"
#include "proxy/upstream/connector.h"
#include "proxy/upstream/endpoint.h"
#include "proxy/upstream/lease_run.h"
#include "proxy/upstream/texts.h"

static void set_limits(struct cluster *cluster)
{
    const struct xds_cluster *facts = &cluster->config->facts;
    struct http_limits limits;
    if (cluster->upstream->limits != NULL) {
        limits = *cluster->upstream->limits;
    } else {
        http_limits_default(&limits);
    }
    cluster->limits2 = limits;
    if (facts->http2_streams > 0) {
        cluster->limits2.streams = (uint32_t)facts->http2_streams;
    }
    if (facts->connection_idle_ms > 0) {
        cluster->limits2.idle_timeout_ms = facts->connection_idle_ms;
    }
    cluster->limits1 = limits;
    /* 0 = no reuse; what was dialled in vain still goes. */
    cluster->limits1.idle_timeout_ms = facts->http1_idle_ms > 0 ? facts->http1_idle_ms : 1000;
}

static void start_endpoints(struct cluster *cluster, bool all_new)
{
    const struct cluster_config *config = cluster->config;
    bool by_name = config->facts.type == XDS_CLUSTER_STRICT_DNS ||
                   config->facts.type == XDS_CLUSTER_LOGICAL_DNS;
    if (by_name) {
        cluster->dns = cluster_dns_update(cluster->dns, cluster, all_new);
        return;
    }
    cluster_dns_destroy(cluster->dns);
    cluster->dns = NULL;
    const struct endpoint_config **configs =
        mem_array(config->endpoint_count + 1, sizeof(struct endpoint_config *));
    for (uint32_t i = 0; i < config->endpoint_count; i++) {
        configs[i] = &config->endpoints[i];
    }
    cluster_set_endpoints(cluster, configs, config->endpoint_count, all_new);
    mem_free(configs);
}

static void cluster_free(struct turn_task *task)
{
    struct cluster *cluster = CONTAINER_OF(task, struct cluster, free_task);
    struct upstream *upstream = cluster->upstream;
    CHECK(cluster->leases == 0 && cluster->connections == 0);
    list_remove(&cluster->link);
    turn_task_cancel(&cluster->settle);
    timer_stop(&cluster->deadline);
    balancer_destroy(cluster->balancer);
    connector_tls_destroy(cluster->originate);
    cluster_config_unref(cluster->config);
    mem_free(cluster->endpoints);
    mem_free(cluster->rotation);
    mem_free(cluster->budget);
    mem_free(cluster->texts);
    mem_free(cluster);
    upstream->clusters->count--;
    upstream_sweep_later(upstream);
}

struct cluster *cluster_create(struct upstream *upstream, struct cluster_config *config)
{
    struct cluster *cluster = NEW(struct cluster);
    cluster->upstream = upstream;
    cluster->config = config;
    cluster->name = config->facts.name;
    cluster->service = config->facts.service;
    cluster->namespace_name = config->facts.namespace_name;
    struct span *const spans[] = {&cluster->name, &cluster->service, &cluster->namespace_name};
    cluster->texts = texts_copy(spans, sizeof(spans) / sizeof(spans[0]));
    cluster->is_local = span_starts_with(cluster->name, SPAN("inbound|"));
    cluster->budget = NEW(struct retry_budget);
    cluster->used_ns = loop_now_ns(upstream->loop);
    cluster->free_task.run = cluster_free;
    cluster_settle_init(cluster);
    set_limits(cluster);
    cluster->balancer = balancer_create(cluster, config->facts.lb);
    start_endpoints(cluster, false);
    if (!upstream->clusters->closing) {
        map_put(&upstream->clusters->by_name, cluster->name, cluster);
    }
    upstream->clusters->count++;
    return cluster;
}

static bool same_identities(const struct xds_cluster *a, const struct xds_cluster *b)
{
    if (a->identity_count != b->identity_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->identity_count; i++) {
        if (!span_equal(a->identities[i], b->identities[i])) {
            return false;
        }
    }
    return true;
}

/* A connection made under one of these rules must not serve under the other. */
static bool same_rules(const struct xds_cluster *a, const struct xds_cluster *b)
{
    return a->tls == b->tls && a->protocol == b->protocol && span_equal(a->sni, b->sni) &&
           span_equal(a->host, b->host) && span_equal(a->ca_pem, b->ca_pem) &&
           same_identities(a, b);
}

void cluster_update(struct cluster *cluster, struct cluster_config *config)
{
    struct cluster_config *old = cluster->config;
    bool same = same_rules(&old->facts, &config->facts);
    cluster->config = config;
    set_limits(cluster);
    if (cluster->balancer->lb != config->facts.lb) {
        balancer_destroy(cluster->balancer);
        cluster->balancer = balancer_create(cluster, config->facts.lb);
    }
    if (!same) {
        connector_tls_destroy(cluster->originate);
        cluster->originate = NULL;
    }
    start_endpoints(cluster, !same);
    cluster_config_unref(old);
    cluster_settle_later(cluster);
}

void cluster_leave(struct cluster *cluster)
{
    struct cluster_table *table = cluster->upstream->clusters;
    cluster->leaving = true;
    cluster->used_ns = cluster_now_ns(cluster);
    if (map_get(&table->by_name, cluster->name) == cluster) {
        map_remove(&table->by_name, cluster->name);
    }
    if (cluster->adopted) {
        list_remove(&cluster->link);
        table->adopted_count--;
    }
    list_push_back(&table->left, &cluster->link);
    cluster_dns_destroy(cluster->dns);
    cluster->dns = NULL;
    cluster_set_endpoints(cluster, NULL, 0, false);
    cluster_settle_later(cluster);
    upstream_sweep_later(cluster->upstream);
}

void cluster_let_go(struct cluster *cluster)
{
    if (cluster->leaving && cluster->upstream->clusters->closing) {
        upstream_sweep_later(cluster->upstream);
    }
}

struct cluster *cluster_find(struct upstream *upstream, struct span name)
{
    struct cluster_table *table = upstream->clusters;
    struct cluster *cluster = map_get(&table->by_name, name);
    if (cluster != NULL || table->snapshot == NULL || table->closing) {
        return cluster;
    }
    struct cluster_config *config = map_get(&table->snapshot->clusters, name);
    return config != NULL ? cluster_create(upstream, cluster_config_ref(config)) : NULL;
}

/* The oldest that nobody uses gives way, so that an application that scans costs no memory. */
static void make_way(struct cluster_table *table)
{
    LIST_EACH(&table->adopted, link)
    {
        struct cluster *cluster = CONTAINER_OF(link, struct cluster, link);
        if (cluster->leases == 0) {
            cluster_leave(cluster);
            return;
        }
    }
}

struct cluster *cluster_adopt(struct upstream *upstream, struct cluster_config *config)
{
    struct cluster_table *table = upstream->clusters;
    struct cluster *cluster = map_get(&table->by_name, config->facts.name);
    if (cluster != NULL) {
        cluster_config_unref(config);
        return cluster;
    }
    if (table->adopted_count >= CLUSTERS_ADOPTED) {
        make_way(table);
    }
    cluster = cluster_create(upstream, config);
    cluster->adopted = true;
    list_push_back(&table->adopted, &cluster->link);
    table->adopted_count++;
    upstream_sweep_later(upstream);
    if (table->closing) {
        cluster_leave(cluster);
    }
    return cluster;
}

struct cluster *cluster_next(struct upstream *upstream, size_t *at)
{
    struct span name;
    void *cluster;
    return map_next(&upstream->clusters->by_name, at, &name, &cluster) ? cluster : NULL;
}
