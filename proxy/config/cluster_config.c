#include "proxy/config/cluster_config.h"

#include "lib/base/memory.h"
#include "proxy/config/config_limits.h"

#include <stdio.h>
#include <string.h>

/* Where a knob was not said: traffic policy's safe defaults. */
enum {
    DEFAULT_CONNECT_MS = 1000,
    DEFAULT_LOCAL_CONNECT_MS = 300,
    DEFAULT_HANDSHAKE_MS = 5000,
    DEFAULT_HTTP1_IDLE_MS = 3000,
    DEFAULT_IDLE_MS = 3600000,
    DEFAULT_EWMA_DECAY_MS = 10000,
    DEFAULT_EWMA_INITIAL_MS = 30,
    DEFAULT_QUEUE_MS = 3000,
    DEFAULT_MAX_AGE_MS = 1800000,
    DEFAULT_CONNECTIONS = 1024,
    DEFAULT_PENDING = 1024,
    DEFAULT_REQUESTS = 100000,
    DEFAULT_HTTP2_PER_ENDPOINT = 4,
    DEFAULT_HTTP2_STREAMS = 100,
    DEFAULT_BUDGET_PERCENT = 20,
    DEFAULT_BUDGET_MIN = 10,
    DEFAULT_BUDGET_WINDOW_MS = 10000,
};

static void say64(int64_t *value, int64_t otherwise)
{
    if (*value < 0) {
        *value = otherwise;
    } else if (*value > CONFIG_MS_MOST) {
        *value = CONFIG_MS_MOST;
    }
}

static void say32(int32_t *value, int32_t otherwise)
{
    if (*value < 0) {
        *value = otherwise;
    }
}

static void fill_defaults(struct xds_cluster *facts)
{
    say64(&facts->connect_timeout_ms, DEFAULT_CONNECT_MS);
    say64(&facts->handshake_timeout_ms, DEFAULT_HANDSHAKE_MS);
    say64(&facts->http1_idle_ms, DEFAULT_HTTP1_IDLE_MS);
    say64(&facts->connection_idle_ms, DEFAULT_IDLE_MS);
    say64(&facts->stream_idle_ms, DEFAULT_IDLE_MS);
    say64(&facts->ewma_decay_ms, DEFAULT_EWMA_DECAY_MS);
    say64(&facts->ewma_initial_ms, DEFAULT_EWMA_INITIAL_MS);
    say64(&facts->queue_timeout_ms, DEFAULT_QUEUE_MS);
    say64(&facts->max_age_ms, DEFAULT_MAX_AGE_MS);
    say32(&facts->max_connections, DEFAULT_CONNECTIONS);
    say32(&facts->max_pending, DEFAULT_PENDING);
    say32(&facts->max_requests, DEFAULT_REQUESTS);
    say32(&facts->http2_per_endpoint, DEFAULT_HTTP2_PER_ENDPOINT);
    say32(&facts->http2_streams, DEFAULT_HTTP2_STREAMS);
    say32(&facts->retry_budget_percent, DEFAULT_BUDGET_PERCENT);
    say32(&facts->retry_budget_min_per_s, DEFAULT_BUDGET_MIN);
    say64(&facts->retry_budget_window_ms, DEFAULT_BUDGET_WINDOW_MS);
}

static bool check(const struct xds_cluster *facts, struct xds_error *ret_error)
{
    const char *what = NULL;
    if (facts->name.length == 0) {
        what = "has no name";
    } else if (facts->type > XDS_CLUSTER_ORIGINAL_DST || facts->lb > XDS_LB_MAGLEV ||
               facts->tls > XDS_TLS_ORIGINATE || facts->protocol > XDS_PROTOCOL_OPAQUE) {
        what = "has an unknown type, balancer, TLS mode or protocol";
    } else if (facts->http2_per_endpoint == 0 || facts->http2_streams == 0) {
        what = "allows no connection or no stream";
    } else if (facts->retry_budget_window_ms == 0 || facts->ewma_decay_ms == 0) {
        what = "has a window of no length";
    }
    if (what != NULL) {
        snprintf(ret_error->text, sizeof(ret_error->text), "cluster %.*s %s", SPAN_ARG(facts->name),
                 what);
    }
    return what == NULL;
}

/* Only a name that is to be resolved may stand for an address. */
static bool check_endpoints(const struct xds_cluster *facts, const struct xds_endpoints *endpoints,
                            struct xds_error *ret_error)
{
    bool names = facts->type == XDS_CLUSTER_STRICT_DNS || facts->type == XDS_CLUSTER_LOGICAL_DNS;
    for (uint32_t i = 0; i < endpoints->locality_count; i++) {
        const struct xds_locality *locality = &endpoints->localities[i];
        for (uint32_t e = 0; e < locality->endpoint_count; e++) {
            const struct xds_endpoint *endpoint = &locality->endpoints[e];
            if (endpoint->address.family == 0 && !(names && endpoint->hostname.length > 0)) {
                snprintf(ret_error->text, sizeof(ret_error->text),
                         "cluster %.*s has an endpoint without an address", SPAN_ARG(facts->name));
                return false;
            }
        }
    }
    return true;
}

static void copy_spans(struct xds_cluster *facts, struct arena *arena)
{
    struct span *const spans[] = {&facts->name,           &facts->endpoints_name, &facts->service,
                                  &facts->namespace_name, &facts->host,           &facts->sni,
                                  &facts->ca_pem};
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        *spans[i] = arena_span(arena, *spans[i]);
    }
    struct span *identities = ARENA_ARRAY(arena, struct span, facts->identity_count);
    for (uint32_t i = 0; i < facts->identity_count; i++) {
        identities[i] = arena_span(arena, facts->identities[i]);
    }
    facts->identities = identities;
    facts->inline_endpoints = NULL;
}

/* The same endpoint across updates, whatever its weight and health. */
static uint64_t endpoint_key(const struct xds_endpoint *endpoint)
{
    uint64_t key = address_hash(&endpoint->address);
    key = span_hash(endpoint->identity, key);
    key = span_hash(endpoint->hostname, key);
    uint32_t ports = ((uint32_t)endpoint->mtls_port << 16) | endpoint->tunnel_port;
    uint8_t mesh = endpoint->flags & (XDS_ENDPOINT_SIDECAR | XDS_ENDPOINT_HBONE);
    key = span_hash(span_make(&ports, sizeof(ports)), key);
    return span_hash(span_make(&mesh, sizeof(mesh)), key);
}

static void fill_endpoint(struct endpoint_config *into, const struct xds_endpoint *from,
                          const struct xds_locality *locality, struct arena *arena)
{
    into->facts = *from;
    into->facts.hostname = arena_span(arena, from->hostname);
    into->facts.identity = arena_span(arena, from->identity);
    into->facts.workload = arena_span(arena, from->workload);
    into->facts.version = arena_span(arena, from->version);
    if (into->facts.weight == 0) {
        into->facts.weight = 1;
    }
    into->region = arena_span(arena, locality->region);
    into->zone = arena_span(arena, locality->zone);
    into->sub_zone = arena_span(arena, locality->sub_zone);
    into->priority = locality->priority;
    into->key = endpoint_key(&into->facts);
}

static void copy_endpoints(struct cluster_config *cluster, const struct xds_endpoints *endpoints)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < endpoints->locality_count; i++) {
        count += endpoints->localities[i].endpoint_count;
    }
    cluster->endpoints = ARENA_ARRAY(&cluster->arena, struct endpoint_config, count);
    for (uint32_t i = 0; i < endpoints->locality_count; i++) {
        const struct xds_locality *locality = &endpoints->localities[i];
        for (uint32_t e = 0; e < locality->endpoint_count; e++) {
            fill_endpoint(&cluster->endpoints[cluster->endpoint_count++], &locality->endpoints[e],
                          locality, &cluster->arena);
        }
    }
    cluster->endpoints_known = true;
}

struct cluster_config *cluster_config_create(const struct xds_cluster *facts,
                                             const struct xds_endpoints *endpoints,
                                             struct xds_error *ret_error)
{
    const struct xds_endpoints *own = facts->inline_endpoints;
    endpoints = own != NULL ? own : endpoints;
    if (!check(facts, ret_error) ||
        (endpoints != NULL && !check_endpoints(facts, endpoints, ret_error))) {
        return NULL;
    }
    struct cluster_config *cluster = NEW(struct cluster_config);
    refcount_init(&cluster->references);
    arena_init(&cluster->arena);
    cluster->facts = *facts;
    fill_defaults(&cluster->facts);
    copy_spans(&cluster->facts, &cluster->arena);
    if (endpoints != NULL) {
        copy_endpoints(cluster, endpoints);
    }
    return cluster;
}

struct cluster_config *cluster_config_ref(struct cluster_config *cluster)
{
    refcount_up(&cluster->references);
    return cluster;
}

void cluster_config_unref(struct cluster_config *cluster)
{
    if (cluster != NULL && refcount_down(&cluster->references)) {
        arena_done(&cluster->arena);
        mem_free(cluster);
    }
}

static struct cluster_config *single(const struct xds_cluster *facts,
                                     const struct xds_endpoint *endpoint)
{
    const struct xds_locality locality = {.weight = 1, .endpoints = endpoint, .endpoint_count = 1};
    const struct xds_endpoints endpoints = {
        .cluster = facts->name, .localities = &locality, .locality_count = 1};
    struct xds_error error = {{0}};
    struct cluster_config *cluster = cluster_config_create(facts, &endpoints, &error);
    CHECK(cluster != NULL);
    return cluster;
}

struct cluster_config *cluster_config_passthrough(struct span name, const struct address *to)
{
    struct xds_cluster facts;
    xds_cluster_init(&facts);
    facts.name = name;
    facts.type = XDS_CLUSTER_ORIGINAL_DST;
    facts.tls = XDS_TLS_NONE;
    facts.service = SPAN("passthrough");
    facts.port = to->port;
    struct xds_endpoint endpoint = {.address = *to, .weight = 1};
    return single(&facts, &endpoint);
}

struct cluster_config *
cluster_config_workload(struct span name, const struct xds_endpoint *endpoint, struct span host)
{
    struct xds_cluster facts;
    xds_cluster_init(&facts);
    facts.name = name;
    facts.type = XDS_CLUSTER_ORIGINAL_DST;
    facts.tls = XDS_TLS_MESH;
    facts.protocol = endpoint->protocol;
    facts.service = endpoint->workload;
    facts.host = host;
    facts.port = endpoint->address.port;
    return single(&facts, endpoint);
}

struct cluster_config *cluster_config_local(struct span name, const struct address *application,
                                            uint8_t protocol)
{
    struct xds_cluster facts;
    xds_cluster_init(&facts);
    facts.name = name;
    facts.type = XDS_CLUSTER_ORIGINAL_DST;
    facts.tls = XDS_TLS_NONE;
    facts.protocol = protocol;
    facts.port = application->port;
    facts.connect_timeout_ms = DEFAULT_LOCAL_CONNECT_MS;
    facts.queue_timeout_ms = 1000;
    /* The application's own limits hold, not ours: the caller's side has its breaker limits. */
    facts.max_connections = 65535;
    struct xds_endpoint endpoint = {.address = *application, .weight = 1};
    return single(&facts, &endpoint);
}
