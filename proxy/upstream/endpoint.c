#include "proxy/upstream/endpoint.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "proxy/upstream/cluster_run.h"
#include "proxy/upstream/lease.h"
#include "proxy/upstream/pool.h"
#include "proxy/upstream/texts.h"

#include <math.h>

/* A fast failure must not attract traffic. */
#define FAILURE_PENALTY_NS (5 * NS_PER_S)
#define RTT_FLOOR_NS 1e6

struct endpoint *endpoint_create(struct cluster *cluster, const struct endpoint_config *config)
{
    struct endpoint *endpoint = NEW(struct endpoint);
    endpoint->cluster = cluster;
    endpoint->config = *config;
    struct endpoint_config *own = &endpoint->config;
    struct span *const spans[] = {
        &own->facts.hostname, &own->facts.identity, &own->facts.workload, &own->facts.version,
        &own->region,         &own->zone,           &own->sub_zone,
    };
    endpoint->texts = texts_copy(spans, sizeof(spans) / sizeof(spans[0]));
    address_format(&own->facts.address, endpoint->text);
    cluster->held_endpoints++;
    return endpoint;
}

void endpoint_destroy(struct endpoint *endpoint)
{
    CHECK(endpoint->active == 0 && endpoint->connections == 0);
    list_remove(&endpoint->link);
    pool_destroy(endpoint->pool);
    endpoint->cluster->held_endpoints--;
    mem_free(endpoint->texts);
    mem_free(endpoint);
}

bool endpoint_is(const struct endpoint *endpoint, const struct endpoint_config *config)
{
    const struct endpoint_config *own = &endpoint->config;
    const struct xds_endpoint *a = &own->facts;
    const struct xds_endpoint *b = &config->facts;
    return own->key == config->key && address_equal(&a->address, &b->address) &&
           a->flags == b->flags && a->mtls_port == b->mtls_port &&
           a->tunnel_port == b->tunnel_port && a->protocol == b->protocol &&
           span_equal(a->identity, b->identity) && span_equal(a->hostname, b->hostname) &&
           span_equal(a->workload, b->workload) && span_equal(a->version, b->version) &&
           span_equal(own->region, config->region) && span_equal(own->zone, config->zone) &&
           span_equal(own->sub_zone, config->sub_zone);
}

void endpoint_refresh(struct endpoint *endpoint, const struct endpoint_config *config)
{
    endpoint->config.facts.weight = config->facts.weight;
    endpoint->config.facts.health = config->facts.health;
    endpoint->config.priority = config->priority;
}

void endpoint_leave(struct endpoint *endpoint)
{
    endpoint->leaving = true;
    endpoint->used_ns = loop_now_ns(endpoint->cluster->upstream->loop);
    list_push_back(&endpoint->cluster->upstream->clusters->left_endpoints, &endpoint->link);
    if (endpoint->pool != NULL) {
        pool_leave(endpoint->pool);
    }
}

bool endpoint_in_rotation(const struct endpoint *endpoint)
{
    uint8_t health = endpoint->config.facts.health;
    return !endpoint->leaving && health != XDS_HEALTH_DRAINING && health != XDS_HEALTH_UNHEALTHY;
}

bool endpoint_is_mesh(const struct endpoint *endpoint)
{
    return endpoint->cluster->config->facts.tls == XDS_TLS_MESH &&
           (endpoint->config.facts.flags & XDS_ENDPOINT_SIDECAR) != 0;
}

static double decayed(const struct endpoint *endpoint, int64_t now_ns)
{
    int64_t decay_ms = endpoint->cluster->config->facts.ewma_decay_ms;
    double decay_ns = (double)(decay_ms > 0 ? decay_ms : 1) * (double)NS_PER_MS;
    int64_t elapsed_ns = now_ns - endpoint->rtt_stamp_ns;
    return elapsed_ns > 0 ? endpoint->rtt_ns * exp(-(double)elapsed_ns / decay_ns)
                          : endpoint->rtt_ns;
}

double endpoint_rtt_ns(const struct endpoint *endpoint, int64_t now_ns)
{
    if (endpoint->rtt_ns == 0) {
        return (double)endpoint->cluster->config->facts.ewma_initial_ms * (double)NS_PER_MS;
    }
    double rtt_ns = decayed(endpoint, now_ns);
    return rtt_ns > RTT_FLOOR_NS ? rtt_ns : RTT_FLOOR_NS;
}

void endpoint_sample(struct endpoint *endpoint, int64_t sample_ns, int64_t now_ns)
{
    double sample = sample_ns > 0 ? (double)sample_ns : 1;
    if (endpoint->rtt_ns == 0) {
        endpoint->rtt_ns = sample;
    } else {
        double old = decayed(endpoint, now_ns);
        /* old / rtt_ns is the decay itself: no second exp. */
        endpoint->rtt_ns = sample > old ? sample : old + sample * (1 - old / endpoint->rtt_ns);
    }
    endpoint->rtt_stamp_ns = now_ns;
}

enum verdict { VERDICT_NONE, VERDICT_GOOD, VERDICT_BAD };

static enum verdict judge_grpc(int16_t status)
{
    switch (status) {
    case 2:
    case 4:
    case 8:
    case 13:
    case 14:
    case 15:
        return VERDICT_BAD;
    default:
        return VERDICT_GOOD;
    }
}

static enum verdict judge(const struct lease_outcome *outcome)
{
    if (outcome->cancelled) {
        return VERDICT_NONE;
    }
    switch (outcome->failure) {
    case FAILURE_NONE:
        break;
    case FAILURE_CONNECT_REFUSED:
    case FAILURE_CONNECT_TIMEOUT:
    case FAILURE_CONNECT_UNREACHABLE:
    case FAILURE_CONNECT_FAILED:
    case FAILURE_TLS_HANDSHAKE:
    case FAILURE_TLS_IDENTITY:
    case FAILURE_UPSTREAM_RESET:
    case FAILURE_UPSTREAM_CLOSED:
    case FAILURE_UPSTREAM_REFUSED_STREAM:
    case FAILURE_UPSTREAM_PROTOCOL:
    case FAILURE_UPSTREAM_HEADERS_TOO_LARGE:
    case FAILURE_PING_TIMEOUT:
    case FAILURE_PER_TRY_TIMEOUT:
        return VERDICT_BAD;
    default:
        /* Made here, or an endpoint that left in good order (GOAWAY, closed while idle). */
        return VERDICT_NONE;
    }
    if (outcome->status >= 500 || outcome->status == 429) {
        return VERDICT_BAD;
    }
    return outcome->grpc_status > 0 ? judge_grpc(outcome->grpc_status) : VERDICT_GOOD;
}

static void record_failure(struct endpoint *endpoint, int64_t latency_ns, int64_t now_ns)
{
    endpoint->failures++;
    endpoint->consecutive_failures++;
    endpoint_sample(endpoint, latency_ns > FAILURE_PENALTY_NS ? latency_ns : FAILURE_PENALTY_NS,
                    now_ns);
}

void endpoint_record(struct endpoint *endpoint, const struct lease_outcome *outcome, int64_t now_ns)
{
    switch (judge(outcome)) {
    case VERDICT_BAD:
        record_failure(endpoint, outcome->latency_ns, now_ns);
        return;
    case VERDICT_GOOD:
        endpoint->successes++;
        endpoint->consecutive_failures = 0;
        break;
    case VERDICT_NONE:
        break;
    }
    if (outcome->latency_ns >= 0) {
        endpoint_sample(endpoint, outcome->latency_ns, now_ns);
    }
}

void endpoint_unreachable(struct endpoint *endpoint, int64_t now_ns)
{
    record_failure(endpoint, -1, now_ns);
}
