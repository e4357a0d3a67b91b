#include "lib/base/text.h"
#include "proxy/policy/retry_budget.h"
#include "proxy/upstream/balancer.h"
#include "proxy/upstream/cluster_run.h"
#include "proxy/upstream/endpoint.h"

static const char *state_of(const struct endpoint *endpoint)
{
    if (endpoint->leaving) {
        return "leaving";
    }
    switch ((enum xds_health)endpoint->config.facts.health) {
    case XDS_HEALTH_DRAINING:
        return "draining";
    case XDS_HEALTH_UNHEALTHY:
        return "unhealthy";
    case XDS_HEALTH_UNKNOWN:
    case XDS_HEALTH_HEALTHY:
        break;
    }
    return "in_rotation";
}

static bool is_candidate(const struct cluster *cluster, const struct endpoint *endpoint)
{
    for (uint32_t i = 0; i < cluster->rotation_count; i++) {
        if (cluster->rotation[i] == endpoint) {
            return true;
        }
    }
    return false;
}

static void add_text(struct text *json, const char *name, struct span value)
{
    text_printf(json, ",\"%s\":", name);
    text_add_json(json, value);
}

static void describe_endpoint(const struct cluster *cluster, const struct endpoint *endpoint,
                              struct text *json)
{
    int64_t now_ns = cluster_now_ns(cluster);
    const struct xds_endpoint *facts = &endpoint->config.facts;
    text_add_text(json, "{\"address\":");
    text_add_json(json, span_of(endpoint->text));
    add_text(json, "workload", facts->workload);
    add_text(json, "identity", facts->identity);
    add_text(json, "state", span_of(state_of(endpoint)));
    text_printf(json, ",\"candidate\":%s,\"mesh\":%s",
                is_candidate(cluster, endpoint) ? "true" : "false",
                endpoint_is_mesh(endpoint) ? "true" : "false");
    text_printf(json, ",\"weight\":%u,\"priority\":%u,\"active\":%u,\"connections\":%u",
                facts->weight, endpoint->config.priority, endpoint->active, endpoint->connections);
    text_printf(json, ",\"rtt_ms\":%.3f,\"cost\":%.3f",
                endpoint_rtt_ns(endpoint, now_ns) / (double)NS_PER_MS,
                balancer_cost(cluster->balancer, endpoint, now_ns) /
                    (cluster->balancer->lb == XDS_LB_PEAK_EWMA ? (double)NS_PER_MS : 1.0));
    text_printf(json, ",\"consecutive_failures\":%u,\"successes\":%llu,\"failures\":%llu}",
                endpoint->consecutive_failures, (unsigned long long)endpoint->successes,
                (unsigned long long)endpoint->failures);
}

static uint32_t budget_left(const struct cluster *cluster)
{
    const struct xds_cluster *facts = &cluster->config->facts;
    struct retry_budget_policy policy = {
        .percent = (uint32_t)facts->retry_budget_percent,
        .min_per_s = (uint32_t)facts->retry_budget_min_per_s,
        .window_ms = facts->retry_budget_window_ms,
    };
    return retry_budget_left(cluster->budget, &policy, cluster_now_ns(cluster));
}

static void describe_counters(const struct cluster *cluster, struct text *json)
{
    const struct cluster_counters *counters = &cluster->counters;
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"connects", counters->connects},
        {"connect_failures", counters->connect_failures},
        {"connections_reused", counters->connections_reused},
        {"connections_closed", counters->connections_closed},
        {"leases", counters->leases},
        {"pending_overflow", counters->pending_overflow},
        {"connection_overflow", counters->connection_overflow},
        {"no_endpoint", counters->no_endpoint},
        {"tls_full", counters->tls_full},
        {"tls_resumed", counters->tls_resumed},
    };
    text_add_text(json, ",\"counters\":{");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        text_printf(json, "%s\"%s\":%llu", i > 0 ? "," : "", rows[i].name,
                    (unsigned long long)rows[i].value);
    }
    text_add_text(json, "}");
}

void cluster_describe(const struct cluster *cluster, struct text *json)
{
    const struct xds_cluster *facts = &cluster->config->facts;
    text_add_text(json, "{\"name\":");
    text_add_json(json, cluster->name);
    add_text(json, "service", cluster->service);
    add_text(json, "namespace", cluster->namespace_name);
    add_text(json, "balancer",
             span_of(cluster->balancer->lb == XDS_LB_PEAK_EWMA ? "peak_ewma"
                                                               : cluster->balancer->ops->name));
    text_printf(json, ",\"endpoints_known\":%s,\"leases\":%u,\"requests\":%u,\"pending\":%u",
                cluster->config->endpoints_known ? "true" : "false", cluster->leases,
                cluster->requests, cluster->pending);
    text_printf(json, ",\"connections\":%u,\"max_connections\":%d,\"max_pending\":%d",
                cluster->connections, facts->max_connections, facts->max_pending);
    text_printf(json, ",\"retry_budget_left\":%u", budget_left(cluster));
    describe_counters(cluster, json);
    text_add_text(json, ",\"endpoints\":[");
    for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
        text_add_text(json, i > 0 ? "," : "");
        describe_endpoint(cluster, cluster->endpoints[i], json);
    }
    text_add_text(json, "]}");
}
