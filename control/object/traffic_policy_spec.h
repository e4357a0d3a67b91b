#ifndef REMORA_CONTROL_OBJECT_TRAFFIC_POLICY_SPEC_H
#define REMORA_CONTROL_OBJECT_TRAFFIC_POLICY_SPEC_H

#include "control/object/field.h"

/*
 * TrafficPolicy: how callers treat a service. What is not given stays "not given" here: the next
 * wider policy, MeshConfig's defaults and at last the proxy's own defaults fill it.
 * Times in milliseconds.
 */
struct ping_knobs {
    int64_t interval_ms, answer_ms;
};
struct timeout_knobs {
    int64_t connect_ms, handshake_ms, request_ms, per_try_ms;
    int64_t stream_idle_ms, connection_idle_ms, http1_upstream_idle_ms;
    struct ping_knobs ping;
};
struct backoff_knobs {
    int64_t base_ms, max_ms;
};
struct budget_knobs {
    double percent;
    int64_t min_per_second, window_ms;
};
struct retry_knobs {
    int64_t limit;
    struct texts on;
    int8_t methods;
    struct backoff_knobs backoff;
    int64_t max_body_bytes;
    struct budget_knobs budget;
};
struct rescue_knobs {
    int8_t enabled;
    double factor;
    int64_t min_delay_ms, max_delay_ms;
};
struct hedge_knobs {
    int8_t enabled;
    double quantile, percent;
    int64_t min_delay_ms, max_delay_ms;
};
struct breaker_wait_knobs {
    int64_t min_ms, max_ms;
    double jitter;
};
struct breaker_knobs {
    int8_t enabled;
    int64_t consecutive, ratio_min, probes, min_keep;
    double ratio, max_open_percent;
    int64_t window_ms, probe_timeout_ms, ramp_ms;
    struct breaker_wait_knobs wait;
};
struct limit_knobs {
    int64_t connections, pending;
    int8_t adaptive, throttle;
};
enum lb_algorithm {
    LB_PEAK_EWMA = 1,
    LB_LEAST_REQUEST,
    LB_ROUND_ROBIN,
    LB_RANDOM,
    LB_RING_HASH,
    LB_MAGLEV
};
struct ewma_knobs {
    int64_t decay_ms, initial_ms;
};
struct hash_knobs {
    struct span header, cookie, query;
    int8_t source_address;
};
struct balancer_knobs {
    int8_t algorithm; /* enum lb_algorithm */
    int8_t locality;
    struct ewma_knobs ewma;
    struct hash_knobs *hash;
    int64_t failure_penalty_ms, balance, slow_start_ms, queue_timeout_ms;
};
struct connection_knobs {
    int64_t http2_per_endpoint, streams, max_age_ms, rebalance_spread_ms;
};
struct health_http {
    struct span path, port;
};
struct health_knobs {
    struct health_http http;
    int64_t interval_ms, timeout_ms, healthy_after, unhealthy_after;
};
struct fault_delay {
    double percent;
    int64_t by_ms;
};
struct fault_abort {
    double percent;
    int64_t status;
};
struct fault_knobs {
    struct fault_delay delay;
    struct fault_abort abort;
    struct span header;
};
struct mirror_to {
    struct span name;
    int64_t port;
};
struct mirror_knobs {
    struct mirror_to to;
    double percent;
};
struct traffic_policy_spec {
    struct items targets; /* struct target_ref; none in MeshConfig's defaults */
    struct timeout_knobs timeouts;
    struct retry_knobs retries;
    struct rescue_knobs rescue;
    struct hedge_knobs hedging;
    struct breaker_knobs breaker;
    struct limit_knobs limits;
    struct balancer_knobs balancer;
    struct connection_knobs connections;
    struct health_knobs health;
    struct fault_knobs faults;
    struct mirror_knobs mirror;
};
struct traffic_policy_body {
    struct traffic_policy_spec spec;
};

extern const struct schema traffic_policy_schema;
/* The spec without targetRefs, as MeshConfig's defaults. */
extern const struct schema traffic_defaults_schema;

#endif
