#include "proxy/admin/explain_route.h"

#include "proxy/upstream/cluster.h"
#include "proxy/upstream/endpoint.h"

const char *explain_protocol(uint8_t protocol)
{
    static const char *const names[] = {"auto", "http1", "http2", "tls", "opaque"};
    return protocol < sizeof(names) / sizeof(names[0]) ? names[protocol] : "unknown";
}

void explain_outcome(struct explanation *to, enum failure failure, const char *text)
{
    text_add_text(to->json, ",\"outcome\":");
    text_add_json(to->json, failure == FAILURE_NONE ? SPAN("forward") : failure_word(failure));
    if (failure != FAILURE_NONE) {
        text_printf(to->json, ",\"status\":%u", failure_facts(failure)->http_status);
    }
    text_add_text(to->json, ",\"explanation\":");
    text_add_json(to->json, span_of(text));
}

static bool is_mesh(const struct xds_endpoint *endpoint)
{
    return (endpoint->flags & XDS_ENDPOINT_SIDECAR) != 0 && endpoint->identity.length > 0;
}

void explain_endpoint(struct explanation *to, const struct xds_endpoint *endpoint)
{
    static const char *const health[] = {"unknown", "healthy", "unhealthy", "draining"};
    char address[ADDRESS_TEXT_BYTES];
    address_format(&endpoint->address, address);
    text_printf(to->json, "{\"address\":\"%s\",\"workload\":", address);
    text_add_json(to->json, endpoint->workload);
    text_add_text(to->json, ",\"identity\":");
    text_add_json(to->json, endpoint->identity);
    text_printf(to->json, ",\"mtls\":\"%s\",\"hbone\":%s,\"weight\":%u,\"health\":\"%s\"}",
                is_mesh(endpoint) ? "mutual" : "none",
                (endpoint->flags & XDS_ENDPOINT_HBONE) != 0 ? "true" : "false", endpoint->weight,
                endpoint->health < 4 ? health[endpoint->health] : "unknown");
}

static const char *tls_mode(const struct cluster_config *config)
{
    if (config->facts.tls == XDS_TLS_ORIGINATE) {
        return "originate";
    }
    if (config->facts.tls == XDS_TLS_NONE) {
        return "none";
    }
    uint32_t mesh = 0;
    for (uint32_t i = 0; i < config->endpoint_count; i++) {
        mesh += is_mesh(&config->endpoints[i].facts);
    }
    return mesh == 0 ? "none" : mesh == config->endpoint_count ? "mutual" : "per_endpoint";
}

static void write_times(struct explanation *to, const struct xds_cluster *facts)
{
    text_printf(to->json,
                ",\"connect_timeout_ms\":%lld,\"handshake_timeout_ms\":%lld"
                ",\"stream_idle_ms\":%lld,\"queue_timeout_ms\":%lld",
                (long long)facts->connect_timeout_ms, (long long)facts->handshake_timeout_ms,
                (long long)facts->stream_idle_ms, (long long)facts->queue_timeout_ms);
    text_printf(to->json, ",\"retry_budget\":{\"percent\":%d,\"min_per_s\":%d,\"window_ms\":%lld}",
                facts->retry_budget_percent, facts->retry_budget_min_per_s,
                (long long)facts->retry_budget_window_ms);
}

static void write_config(struct explanation *to, const struct cluster_config *config)
{
    text_printf(to->json, ",\"protocol\":\"%s\",\"mtls\":\"%s\"",
                explain_protocol(config->facts.protocol), tls_mode(config));
    write_times(to, &config->facts);
    text_add_text(to->json, ",\"configured\":[");
    for (uint32_t i = 0; i < config->endpoint_count; i++) {
        text_add_text(to->json, i > 0 ? "," : "");
        explain_endpoint(to, &config->endpoints[i].facts);
    }
    text_add_byte(to->json, ']');
}

/* What a request that this cluster was chosen for would meet. */
static enum failure judge(const struct explanation *to, uint32_t candidates, uint32_t plain)
{
    if (candidates == 0) {
        return FAILURE_NO_ENDPOINT;
    }
    bool closed = plain == 0 && to->scope->upstream->client_tls == NULL;
    return closed ? FAILURE_TLS_NO_CERTIFICATE : FAILURE_NONE;
}

static enum failure judge_running(const struct explanation *to, const struct cluster *cluster)
{
    uint32_t plain = 0;
    for (uint32_t i = 0; i < cluster->rotation_count; i++) {
        plain += !endpoint_is_mesh(cluster->rotation[i]);
    }
    return judge(to, cluster->rotation_count, plain);
}

/* Nobody has used it yet in this worker. */
static enum failure judge_config(const struct explanation *to, const struct cluster_config *config)
{
    uint32_t candidates = 0;
    uint32_t plain = 0;
    bool by_name = config->facts.type == XDS_CLUSTER_STRICT_DNS ||
                   config->facts.type == XDS_CLUSTER_LOGICAL_DNS;
    if (by_name) {
        return FAILURE_NONE; /* the first use resolves it */
    }
    if (!config->endpoints_known) {
        return FAILURE_CONFIG_TIMEOUT;
    }
    for (uint32_t i = 0; i < config->endpoint_count; i++) {
        const struct xds_endpoint *facts = &config->endpoints[i].facts;
        bool takes = facts->health == XDS_HEALTH_UNKNOWN || facts->health == XDS_HEALTH_HEALTHY;
        candidates += takes;
        plain += takes && !is_mesh(facts);
    }
    return judge(to, candidates, plain);
}

/* By walking: cluster_find would make it, and begin to resolve its names. */
static const struct cluster *find_running(struct upstream *upstream, struct span name)
{
    size_t at = 0;
    const struct cluster *cluster;
    while ((cluster = cluster_next(upstream, &at)) != NULL && !span_equal(cluster->name, name)) {
    }
    return cluster;
}

static enum failure explain_cluster(struct explanation *to, struct span name)
{
    if (name.length == 0) {
        return FAILURE_INVALID_BACKEND;
    }
    const struct cluster_config *config = snapshot_cluster(to->snapshot, name);
    const struct cluster *cluster = find_running(to->scope->upstream, name);
    if (config != NULL) {
        write_config(to, config);
    }
    if (cluster != NULL) {
        text_add_text(to->json, ",\"now\":");
        cluster_describe(cluster, to->json);
        return judge_running(to, cluster);
    }
    if (config != NULL) {
        return judge_config(to, config);
    }
    return snapshot_is_absent(to->snapshot, name) ? FAILURE_NO_CLUSTER : FAILURE_CONFIG_TIMEOUT;
}

void explain_clusters(struct explanation *to, const struct xds_weighted_cluster *clusters,
                      uint32_t count)
{
    enum failure worst = count == 0 ? FAILURE_INVALID_BACKEND : FAILURE_NONE;
    uint32_t good = 0;
    text_add_text(to->json, ",\"clusters\":[");
    for (uint32_t i = 0; i < count; i++) {
        text_add_text(to->json, i > 0 ? ",{\"name\":" : "{\"name\":");
        text_add_json(to->json, clusters[i].name);
        text_printf(to->json, ",\"weight\":%u", clusters[i].weight);
        enum failure failure = explain_cluster(to, clusters[i].name);
        text_add_text(to->json, ",\"failure\":");
        text_add_json(to->json, failure_word(failure));
        text_add_byte(to->json, '}');
        if (clusters[i].weight > 0 && failure != FAILURE_NONE) {
            worst = failure;
        } else if (clusters[i].weight > 0) {
            good++;
        }
    }
    text_add_byte(to->json, ']');
    if (worst == FAILURE_NONE && good == 0) {
        worst = FAILURE_INVALID_BACKEND;
    }
    if (worst != FAILURE_NONE && good > 0) {
        explain_outcome(to, FAILURE_NONE,
                        "a part of the requests, by weight, would fail: see clusters");
    } else if (worst == FAILURE_CONFIG_TIMEOUT) {
        text_add_text(to->json, ",\"outcome\":\"not_loaded\",\"explanation\":\"not loaded: first "
                                "use fetches it\"");
    } else {
        explain_outcome(to, worst, failure_facts(worst)->explanation);
    }
}
