#include "proxy/main/worker_gauges.h"

#include "lib/base/memory.h"
#include "lib/tls/tls_transport.h"
#include "proxy/observe/proxy_stats.h"
#include "proxy/policy/retry_budget.h"
#include "proxy/upstream/cluster.h"

#include <stdio.h>

void worker_gauges_init(struct worker_gauges *gauges, struct stats_writer *writer, uint32_t worker)
{
    static const char *const names[FRONT_SIDES] = {"outbound", "inbound", "hbone"};
    char text[12];
    snprintf(text, sizeof(text), "%u", worker);
    gauges->writer = writer;
    for (unsigned side = 0; side < FRONT_SIDES; side++) {
        gauges->sides[side] = STATS_HOLD(writer, PROXY_STAT_CONNECTIONS, span_of(names[side]));
    }
    gauges->requests = STATS_HOLD(writer, PROXY_STAT_LIVE_REQUESTS, span_of(text));
    gauges->allocations = STATS_HOLD(writer, PROXY_STAT_ALLOCATIONS, span_of(text));
}

static void set_found(struct worker_gauges *gauges, int64_t now, enum proxy_stat stat,
                      struct span label, int64_t value)
{
    stats_set(STATS_FIND(gauges->writer, now, stat, label), value);
}

static void sample_cluster(struct worker_gauges *gauges, const struct cluster *cluster, int64_t now)
{
    const struct xds_cluster *facts = &cluster->config->facts;
    const struct cluster_counters *counters = &cluster->counters;
    const struct retry_budget_policy budget = {
        .percent = (uint32_t)facts->retry_budget_percent,
        .min_per_s = (uint32_t)facts->retry_budget_min_per_s,
        .window_ms = facts->retry_budget_window_ms,
    };
    struct span name = facts->name;
    set_found(gauges, now, PROXY_STAT_UPSTREAM_CONNECTS, name, (int64_t)counters->connects);
    set_found(gauges, now, PROXY_STAT_UPSTREAM_CONNECT_FAILURES, name,
              (int64_t)counters->connect_failures);
    set_found(gauges, now, PROXY_STAT_UPSTREAM_REUSED, name, (int64_t)counters->connections_reused);
    set_found(gauges, now, PROXY_STAT_UPSTREAM_CONNECTIONS, name, cluster->connections);
    set_found(gauges, now, PROXY_STAT_UPSTREAM_PENDING, name, cluster->pending);
    set_found(gauges, now, PROXY_STAT_BUDGET_LEFT, name,
              retry_budget_left(cluster->budget, &budget, now));
    stats_set(STATS_FIND(gauges->writer, now, PROXY_STAT_UPSTREAM_OVERFLOW, name, SPAN("pending")),
              (int64_t)counters->pending_overflow);
    stats_set(
        STATS_FIND(gauges->writer, now, PROXY_STAT_UPSTREAM_OVERFLOW, name, SPAN("connections")),
        (int64_t)counters->connection_overflow);
}

static void sample_tls(struct worker_gauges *gauges, int64_t now)
{
    const struct tls_counters *counters = tls_counters();
    set_found(gauges, now, PROXY_STAT_TLS_HANDSHAKES, SPAN("full"),
              (int64_t)counters->handshakes_full);
    set_found(gauges, now, PROXY_STAT_TLS_HANDSHAKES, SPAN("resumed"),
              (int64_t)counters->handshakes_resumed);
    set_found(gauges, now, PROXY_STAT_TLS_HANDSHAKES, SPAN("failed"),
              (int64_t)counters->handshakes_failed);
    set_found(gauges, now, PROXY_STAT_TLS_HANDSHAKES, SPAN("refused"),
              (int64_t)counters->peers_refused);
}

void worker_gauges_sample(struct worker_gauges *gauges, struct front *front)
{
    struct worker_scope *scope = front->scope;
    int64_t now = loop_now_ns(scope->loop);
    for (unsigned side = 0; side < FRONT_SIDES; side++) {
        stats_set(gauges->sides[side], front_live(front, (enum front_side)side));
    }
    stats_set(gauges->requests, scope->live_requests);
    stats_set(gauges->allocations, (int64_t)mem_allocations());
    size_t at = 0;
    for (struct cluster *cluster = cluster_next(scope->upstream, &at); cluster != NULL;
         cluster = cluster_next(scope->upstream, &at)) {
        sample_cluster(gauges, cluster, now);
    }
    sample_tls(gauges, now);
}

void worker_gauges_done(struct worker_gauges *gauges, int64_t now_ns)
{
    for (unsigned side = 0; side < FRONT_SIDES; side++) {
        stats_release(gauges->writer, gauges->sides[side], now_ns);
    }
    stats_release(gauges->writer, gauges->requests, now_ns);
    stats_release(gauges->writer, gauges->allocations, now_ns);
}
