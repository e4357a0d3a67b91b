#include "control/object/traffic_policy_spec.h"

#include "control/object/policy_spec.h"

#include <stddef.h>

/* Ranges and defaults: the knobs of Remora's traffic semantics, one field each. */
#define S 1000LL
#define MIN (60 * S)
#define HOUR (60 * MIN)
#define DAY (24 * HOUR)

static const char *const retry_methods[] = {"Idempotent", "All", NULL};
static const char *const algorithms[] = {"PeakEWMA", "LeastRequest", "RoundRobin", "Random",
                                         "RingHash", "Maglev",       NULL};
static const char *const localities[] = {"Off", "Prefer", "Strict", NULL};

#define TABLE(title, structure, fields)                                                            \
    {                                                                                              \
        .name = (title), SCHEMA_FIELDS(fields), .bytes = sizeof(structure)                         \
    }
#define TIME(name_, structure, member, least_, most_, preset_, ...)                                \
    FIELD(name_, FIELD_DURATION, structure, member, .least = (least_), .most = (most_),            \
          .preset = (preset_), ##__VA_ARGS__)
#define COUNT(name_, structure, member, least_, most_, preset_, ...)                               \
    FIELD(name_, FIELD_INT, structure, member, .least = (least_), .most = (most_),                 \
          .preset = (preset_), ##__VA_ARGS__)
/* Bounds in whole units; the table keeps thousandths. */
#define NUMBER(name_, structure, member, least_, most_, preset_, ...)                              \
    FIELD(name_, FIELD_NUMBER, structure, member, .least = (least_)*1000LL,                        \
          .most = (most_)*1000LL, .preset = (preset_), ##__VA_ARGS__)
#define LATER .flags = FIELD_NOT_IN_FORCE

static const struct field ping_fields[] = {
    TIME("interval", struct ping_knobs, interval_ms, 1 * S, HOUR, "10s", .flags = FIELD_ZERO),
    TIME("answer", struct ping_knobs, answer_ms, 100, MIN, "3s"),
};
static const struct schema ping_schema = TABLE("Ping", struct ping_knobs, ping_fields);

static const struct field timeout_fields[] = {
    TIME("connect", struct timeout_knobs, connect_ms, 10, MIN, "1s", .help = "TCP connect only"),
    TIME("handshake", struct timeout_knobs, handshake_ms, 100, MIN, "5s", .help = "TLS handshake"),
    TIME("request", struct timeout_knobs, request_ms, 1, DAY, "0s", .flags = FIELD_ZERO,
         .help = "request headers complete to response complete, all attempts"),
    TIME("perTry", struct timeout_knobs, per_try_ms, 1, DAY, "0s", .flags = FIELD_ZERO,
         .help = "attempt start to response headers"),
    TIME("streamIdle", struct timeout_knobs, stream_idle_ms, 1 * S, DAY, "1h", .flags = FIELD_ZERO),
    TIME("connectionIdle", struct timeout_knobs, connection_idle_ms, 1 * S, 7 * DAY, "1h"),
    TIME("http1UpstreamIdle", struct timeout_knobs, http1_upstream_idle_ms, 100, HOUR, "3s",
         .flags = FIELD_ZERO, .help = "an idle HTTP/1 connection leaves the pool"),
    FIELD("ping", FIELD_STRUCT, struct timeout_knobs, ping, LATER, .schema = &ping_schema),
};
static const struct schema timeout_schema = TABLE("Timeouts", struct timeout_knobs, timeout_fields);

static const struct field backoff_fields[] = {
    TIME("base", struct backoff_knobs, base_ms, 1, MIN, "25ms"),
    TIME("max", struct backoff_knobs, max_ms, 1, MIN, "250ms"),
};
static const struct schema backoff_schema = TABLE("Backoff", struct backoff_knobs, backoff_fields);

static const struct field budget_fields[] = {
    NUMBER("percent", struct budget_knobs, percent, 0, 100, "20"),
    COUNT("minPerSecond", struct budget_knobs, min_per_second, 0, 1000, "10"),
    TIME("window", struct budget_knobs, window_ms, 1 * S, 60 * S, "10s"),
};
static const struct schema budget_schema = TABLE("RetryBudget", struct budget_knobs, budget_fields);

static const struct field retry_fields[] = {
    COUNT("limit", struct retry_knobs, limit, 0, 4, "2", .help = "extra attempts of a request"),
    FIELD("on", FIELD_TEXTS, struct retry_knobs, on, .most = 32, .check = check_retry_on,
          .preset = "[never-processed]"),
    FIELD("methods", FIELD_WORD, struct retry_knobs, methods, LATER, .words = retry_methods,
          .preset = "Idempotent"),
    FIELD("backoff", FIELD_STRUCT, struct retry_knobs, backoff, LATER, .schema = &backoff_schema),
    FIELD("maxBody", FIELD_BYTES, struct retry_knobs, max_body_bytes, LATER, .least = 0,
          .most = 1 << 20, .preset = "64Ki"),
    FIELD("budget", FIELD_STRUCT, struct retry_knobs, budget, .schema = &budget_schema),
};
static const struct schema retry_schema = TABLE("Retries", struct retry_knobs, retry_fields);

static const struct field rescue_fields[] = {
    FIELD("enabled", FIELD_BOOL, struct rescue_knobs, enabled, .preset = "true"),
    NUMBER("factor", struct rescue_knobs, factor, 2, 20, "4"),
    TIME("minDelay", struct rescue_knobs, min_delay_ms, 10, 10 * MIN, "1s"),
    TIME("maxDelay", struct rescue_knobs, max_delay_ms, 10, 10 * MIN, "10s"),
};
static const struct schema rescue_schema = TABLE("Rescue", struct rescue_knobs, rescue_fields);

static const struct field hedge_fields[] = {
    FIELD("enabled", FIELD_BOOL, struct hedge_knobs, enabled, .preset = "false"),
    NUMBER("quantile", struct hedge_knobs, quantile, 50, 99, "95"),
    NUMBER("percent", struct hedge_knobs, percent, 1, 50, "10"),
    TIME("minDelay", struct hedge_knobs, min_delay_ms, 1, MIN, "1ms"),
    TIME("maxDelay", struct hedge_knobs, max_delay_ms, 1, MIN, "10s"),
};
static const struct schema hedge_schema = TABLE("Hedging", struct hedge_knobs, hedge_fields);

static const struct field wait_fields[] = {
    TIME("min", struct breaker_wait_knobs, min_ms, 100, HOUR, "1s"),
    TIME("max", struct breaker_wait_knobs, max_ms, 100, HOUR, "60s"),
    NUMBER("jitter", struct breaker_wait_knobs, jitter, 0, 1, "0.5"),
};
static const struct schema wait_schema = TABLE("Wait", struct breaker_wait_knobs, wait_fields);

static const struct field breaker_fields[] = {
    FIELD("enabled", FIELD_BOOL, struct breaker_knobs, enabled, .preset = "true"),
    COUNT("consecutive", struct breaker_knobs, consecutive, 0, 1000, "5"),
    NUMBER("ratio", struct breaker_knobs, ratio, 0, 1, "0.8"),
    COUNT("ratioMin", struct breaker_knobs, ratio_min, 1, 10000, "5"),
    TIME("window", struct breaker_knobs, window_ms, 1 * S, 60 * S, "10s"),
    FIELD("wait", FIELD_STRUCT, struct breaker_knobs, wait, .schema = &wait_schema),
    COUNT("probes", struct breaker_knobs, probes, 1, 16, "1"),
    TIME("probeTimeout", struct breaker_knobs, probe_timeout_ms, 100, 5 * MIN, "10s"),
    TIME("ramp", struct breaker_knobs, ramp_ms, 0, 10 * MIN, "10s"),
    NUMBER("maxOpenPercent", struct breaker_knobs, max_open_percent, 0, 100, "50"),
    COUNT("minKeep", struct breaker_knobs, min_keep, 1, 1000, "1"),
};
static const struct schema breaker_schema = TABLE("Breaker", struct breaker_knobs, breaker_fields);

static const struct field limit_fields[] = {
    COUNT("connections", struct limit_knobs, connections, 1, 65535, "1024"),
    COUNT("pending", struct limit_knobs, pending, 0, 100000, "1024"),
    FIELD("adaptive", FIELD_BOOL, struct limit_knobs, adaptive, LATER, .preset = "false"),
    FIELD("throttle", FIELD_BOOL, struct limit_knobs, throttle, LATER, .preset = "false"),
};
static const struct schema limit_schema = TABLE("Limits", struct limit_knobs, limit_fields);

static const struct field ewma_fields[] = {
    TIME("decay", struct ewma_knobs, decay_ms, 1 * S, 60 * S, "10s"),
    TIME("initial", struct ewma_knobs, initial_ms, 1, 10 * S, "30ms"),
};
static const struct schema ewma_schema = TABLE("Ewma", struct ewma_knobs, ewma_fields);

static const char *check_hash(const void *decoded, const char **ret_field)
{
    const struct hash_knobs *hash = decoded;
    int given = (hash->header.length > 0) + (hash->cookie.length > 0) + (hash->query.length > 0) +
                (hash->source_address == CHOICE_YES);
    return given == 1 ? NULL : "needs one of header, cookie, query and sourceAddress";
}
static const struct field hash_fields[] = {
    FIELD("header", FIELD_TEXT, struct hash_knobs, header, .check = check_header_name),
    FIELD("cookie", FIELD_TEXT, struct hash_knobs, cookie, .check = check_header_name),
    FIELD("query", FIELD_TEXT, struct hash_knobs, query, .least = 1, .most = 256),
    FIELD("sourceAddress", FIELD_BOOL, struct hash_knobs, source_address),
};
static const struct schema hash_schema = {.name = "Hash",
                                          SCHEMA_FIELDS(hash_fields),
                                          .bytes = sizeof(struct hash_knobs),
                                          .check = check_hash};

static const struct field balancer_fields[] = {
    FIELD("algorithm", FIELD_WORD, struct balancer_knobs, algorithm, .words = algorithms,
          .words_in_force = LB_ROUND_ROBIN, .preset = "PeakEWMA"),
    FIELD("ewma", FIELD_STRUCT, struct balancer_knobs, ewma, .schema = &ewma_schema),
    TIME("failurePenalty", struct balancer_knobs, failure_penalty_ms, 0, MIN, "5s", LATER),
    FIELD("hash", FIELD_STRUCT_AT, struct balancer_knobs, hash, LATER, .schema = &hash_schema),
    COUNT("balance", struct balancer_knobs, balance, 110, 400, "0",
          .flags = FIELD_NOT_IN_FORCE | FIELD_ZERO, .help = "bounded load, percent"),
    TIME("slowStart", struct balancer_knobs, slow_start_ms, 0, 15 * MIN, "0s", LATER),
    FIELD("locality", FIELD_WORD, struct balancer_knobs, locality, LATER, .words = localities,
          .preset = "Off"),
    TIME("queueTimeout", struct balancer_knobs, queue_timeout_ms, 0, MIN, "3s", LATER),
};
static const struct schema balancer_schema =
    TABLE("LoadBalancer", struct balancer_knobs, balancer_fields);

static const struct field connection_fields[] = {
    COUNT("http2PerEndpoint", struct connection_knobs, http2_per_endpoint, 1, 64, "4"),
    COUNT("streams", struct connection_knobs, streams, 1, 10000, "100"),
    TIME("maxAge", struct connection_knobs, max_age_ms, 10 * S, 7 * DAY, "30m",
         .flags = FIELD_ZERO),
    TIME("rebalanceSpread", struct connection_knobs, rebalance_spread_ms, 0, 5 * MIN, "10s", LATER),
};
static const struct schema connection_schema =
    TABLE("Connections", struct connection_knobs, connection_fields);

static const struct field health_http_fields[] = {
    FIELD("path", FIELD_TEXT, struct health_http, path, .flags = FIELD_REQUIRED,
          .check = check_path),
    FIELD("port", FIELD_TEXT, struct health_http, port, .check = check_port_name),
};
static const struct schema health_http_schema =
    TABLE("HealthHttp", struct health_http, health_http_fields);
static const struct field health_fields[] = {
    FIELD("http", FIELD_STRUCT, struct health_knobs, http, .schema = &health_http_schema),
    TIME("interval", struct health_knobs, interval_ms, 100, HOUR, "5s"),
    TIME("timeout", struct health_knobs, timeout_ms, 10, MIN, "1s"),
    COUNT("healthyAfter", struct health_knobs, healthy_after, 1, 100, "2"),
    COUNT("unhealthyAfter", struct health_knobs, unhealthy_after, 1, 100, "3"),
};
static const struct schema health_schema = TABLE("HealthCheck", struct health_knobs, health_fields);

static const struct field delay_fields[] = {
    NUMBER("percent", struct fault_delay, percent, 0, 100, NULL),
    TIME("by", struct fault_delay, by_ms, 1, HOUR, NULL),
};
static const struct schema delay_schema = TABLE("FaultDelay", struct fault_delay, delay_fields);
static const struct field abort_fields[] = {
    NUMBER("percent", struct fault_abort, percent, 0, 100, NULL),
    COUNT("status", struct fault_abort, status, 400, 599, NULL),
};
static const struct schema abort_schema = TABLE("FaultAbort", struct fault_abort, abort_fields);
static const struct field fault_fields[] = {
    FIELD("delay", FIELD_STRUCT, struct fault_knobs, delay, .schema = &delay_schema),
    FIELD("abort", FIELD_STRUCT, struct fault_knobs, abort, .schema = &abort_schema),
    FIELD("header", FIELD_TEXT, struct fault_knobs, header, .check = check_header_name),
};
static const struct schema fault_schema = TABLE("Faults", struct fault_knobs, fault_fields);

static const struct field mirror_to_fields[] = {
    FIELD("name", FIELD_TEXT, struct mirror_to, name, .flags = FIELD_REQUIRED,
          .check = check_dns_label),
    COUNT("port", struct mirror_to, port, 1, 65535, NULL, .flags = FIELD_REQUIRED),
};
static const struct schema mirror_to_schema = TABLE("MirrorTo", struct mirror_to, mirror_to_fields);
static const struct field mirror_fields[] = {
    FIELD("to", FIELD_STRUCT, struct mirror_knobs, to, .flags = FIELD_REQUIRED,
          .schema = &mirror_to_schema),
    NUMBER("percent", struct mirror_knobs, percent, 0, 100, "100"),
};
static const struct schema mirror_schema = TABLE("Mirror", struct mirror_knobs, mirror_fields);

static bool above(int64_t least, int64_t most)
{
    return least != FIELD_UNSET && most != FIELD_UNSET && least > most;
}

static const char *check_knobs(const void *decoded, const char **ret_field)
{
    const struct traffic_policy_spec *spec = decoded;
    *ret_field = "targetRefs";
    const char *wrong = check_targets(&spec->targets);
    if (wrong != NULL) {
        return wrong;
    }
    *ret_field = "retries";
    if (above(spec->retries.backoff.base_ms, spec->retries.backoff.max_ms)) {
        return "backoff.base is longer than backoff.max";
    }
    *ret_field = "breaker";
    if (above(spec->breaker.wait.min_ms, spec->breaker.wait.max_ms)) {
        return "wait.min is longer than wait.max";
    }
    *ret_field = "timeouts";
    return spec->timeouts.request_ms > 0 &&
                   above(spec->timeouts.per_try_ms, spec->timeouts.request_ms)
               ? "perTry is longer than request"
               : NULL;
}

#define KNOB_FIELDS                                                                                \
    FIELD("timeouts", FIELD_STRUCT, struct traffic_policy_spec, timeouts,                          \
          .schema = &timeout_schema),                                                              \
        FIELD("retries", FIELD_STRUCT, struct traffic_policy_spec, retries,                        \
              .schema = &retry_schema),                                                            \
        FIELD("rescue", FIELD_STRUCT, struct traffic_policy_spec, rescue, LATER,                   \
              .schema = &rescue_schema),                                                           \
        FIELD("hedging", FIELD_STRUCT, struct traffic_policy_spec, hedging, LATER,                 \
              .schema = &hedge_schema),                                                            \
        FIELD("breaker", FIELD_STRUCT, struct traffic_policy_spec, breaker, LATER,                 \
              .schema = &breaker_schema),                                                          \
        FIELD("limits", FIELD_STRUCT, struct traffic_policy_spec, limits,                          \
              .schema = &limit_schema),                                                            \
        FIELD("loadBalancer", FIELD_STRUCT, struct traffic_policy_spec, balancer,                  \
              .schema = &balancer_schema),                                                         \
        FIELD("connections", FIELD_STRUCT, struct traffic_policy_spec, connections,                \
              .schema = &connection_schema),                                                       \
        FIELD("healthCheck", FIELD_STRUCT, struct traffic_policy_spec, health, LATER,              \
              .schema = &health_schema),                                                           \
        FIELD("faults", FIELD_STRUCT, struct traffic_policy_spec, faults, LATER,                   \
              .schema = &fault_schema),                                                            \
        FIELD("mirror", FIELD_STRUCT, struct traffic_policy_spec, mirror, LATER,                   \
              .schema = &mirror_schema)

static const struct field defaults_fields[] = {KNOB_FIELDS};
const struct schema traffic_defaults_schema = {.name = "TrafficDefaults",
                                               SCHEMA_FIELDS(defaults_fields),
                                               .bytes = sizeof(struct traffic_policy_spec),
                                               .check = check_knobs};

static const struct field spec_fields[] = {
    FIELD("targetRefs", FIELD_LIST, struct traffic_policy_spec, targets, .flags = FIELD_REQUIRED,
          .least = 1, .most = 16, .schema = &target_ref_schema),
    KNOB_FIELDS,
};
static const struct schema spec_schema = {.name = "TrafficPolicySpec",
                                          SCHEMA_FIELDS(spec_fields),
                                          .bytes = sizeof(struct traffic_policy_spec),
                                          .check = check_knobs};
static const struct field policy_fields[] = {
    FIELD("spec", FIELD_STRUCT, struct traffic_policy_body, spec, .flags = FIELD_REQUIRED,
          .schema = &spec_schema),
};
const struct schema traffic_policy_schema = {.name = "TrafficPolicy",
                                             SCHEMA_FIELDS(policy_fields),
                                             .bytes = sizeof(struct traffic_policy_body)};
