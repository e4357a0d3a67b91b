#include "control/model/knobs.h"

#include "control/model/world_parts.h"
#include "lib/xds/xds_cluster.h"

#include <math.h>

static void lay(const struct world *world, struct span key, struct span section,
                struct traffic_policy_spec *knobs)
{
    const struct entry *policy = target_policy(world, KIND_TRAFFIC_POLICY, key, section);
    if (policy != NULL) {
        const struct traffic_policy_body *body = policy->object->body;
        schema_overlay(&traffic_defaults_schema, knobs, &body->spec);
    }
}

void knobs_of_service(const struct world *world, const struct service *service,
                      const struct service_port *port, struct traffic_policy_spec *ret_knobs)
{
    char into[TARGET_KEY_BYTES];
    struct span key = target_key_make(KIND_SERVICE, service->namespace_name, service->name, into);
    schema_clear(&traffic_defaults_schema, ret_knobs);
    if (mesh_spec_of(world) != NULL) {
        schema_overlay(&traffic_defaults_schema, ret_knobs, &mesh_spec_of(world)->defaults);
    }
    lay(world, key, SPAN_EMPTY, ret_knobs);
    if (port->name.length > 0) {
        lay(world, key, port->name, ret_knobs);
    }
}

void knobs_of_rule(const struct world *world, const struct entry *route, struct span rule,
                   struct traffic_policy_spec *knobs)
{
    lay(world, span_of(route->key), SPAN_EMPTY, knobs);
    if (rule.length > 0) {
        lay(world, span_of(route->key), rule, knobs);
    }
}

static int64_t ms_or_unsaid(int64_t ms)
{
    return ms != FIELD_UNSET ? ms : -1;
}

static int32_t count_or_unsaid(int64_t count)
{
    return count != FIELD_UNSET ? (int32_t)count : -1;
}

void knobs_of_cluster(const struct traffic_policy_spec *knobs, struct xds_cluster *cluster)
{
    static const uint8_t algorithms[] = {XDS_LB_PEAK_EWMA, XDS_LB_PEAK_EWMA, XDS_LB_LEAST_REQUEST,
                                         XDS_LB_ROUND_ROBIN};
    int8_t algorithm = knobs->balancer.algorithm;
    cluster->lb = algorithm <= LB_ROUND_ROBIN ? algorithms[algorithm] : XDS_LB_PEAK_EWMA;
    cluster->connect_timeout_ms = ms_or_unsaid(knobs->timeouts.connect_ms);
    cluster->handshake_timeout_ms = ms_or_unsaid(knobs->timeouts.handshake_ms);
    cluster->http1_idle_ms = ms_or_unsaid(knobs->timeouts.http1_upstream_idle_ms);
    cluster->connection_idle_ms = ms_or_unsaid(knobs->timeouts.connection_idle_ms);
    cluster->stream_idle_ms = ms_or_unsaid(knobs->timeouts.stream_idle_ms);
    cluster->ewma_decay_ms = ms_or_unsaid(knobs->balancer.ewma.decay_ms);
    cluster->ewma_initial_ms = ms_or_unsaid(knobs->balancer.ewma.initial_ms);
    cluster->max_age_ms = ms_or_unsaid(knobs->connections.max_age_ms);
    cluster->max_connections = count_or_unsaid(knobs->limits.connections);
    cluster->max_pending = count_or_unsaid(knobs->limits.pending);
    cluster->http2_per_endpoint = count_or_unsaid(knobs->connections.http2_per_endpoint);
    cluster->http2_streams = count_or_unsaid(knobs->connections.streams);
    cluster->retry_budget_percent =
        isnan(knobs->retries.budget.percent) ? -1 : (int32_t)lround(knobs->retries.budget.percent);
    cluster->retry_budget_min_per_s = count_or_unsaid(knobs->retries.budget.min_per_second);
    cluster->retry_budget_window_ms = ms_or_unsaid(knobs->retries.budget.window_ms);
}
