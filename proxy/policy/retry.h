#ifndef REMORA_PROXY_POLICY_RETRY_H
#define REMORA_PROXY_POLICY_RETRY_H

#include "lib/base/failure.h"
#include "lib/http/http_head.h"
#include "proxy/policy/retry_budget.h"

/*
 * Whether a failed attempt is followed by another, and when. Pure: facts in, decision out. The
 * conditions are asked in a fixed order, the budget last, so that a denial for another reason costs
 * nothing.
 */
enum retry_condition {
    RETRY_ON_NEVER_PROCESSED = 1, /* always on */
    RETRY_ON_RESET_BEFORE_RESPONSE = 2,
    RETRY_ON_5XX = 4,
    RETRY_ON_GATEWAY_ERROR = 8,
    RETRY_ON_PER_TRY_TIMEOUT = 16,
};

struct retry_policy {
    uint32_t limit; /* extra attempts a request; 2 */
    uint32_t on;    /* enum retry_condition bits */
    bool all_methods;
    int64_t backoff_base_ms, backoff_max_ms; /* 25, 250 */
};

enum retry_denial {
    RETRY_GRANTED,
    RETRY_DENIED_LIMIT,
    RETRY_DENIED_NOT_RETRIABLE,
    RETRY_DENIED_RESPONSE_STARTED,
    RETRY_DENIED_BODY_LOST,
    RETRY_DENIED_RETRY_AFTER,
    RETRY_DENIED_UPSTREAM_ATTEMPT,
    RETRY_DENIED_DEADLINE,
    RETRY_DENIED_BUDGET,
};

struct retry_facts {
    enum failure failure; /* of the attempt, or what a sidecar's answer tells; NONE = none */
    uint16_t status;      /* of the answer; 0 = there was none */
    uint32_t extra_so_far;
    enum http_method method;
    bool replayable;             /* every request byte sent is still held */
    bool response_started;       /* something went downstream */
    uint32_t attempt_in;         /* attempt count that the request came with, 1 = first */
    int64_t retry_after_ms;      /* -1 = none */
    int64_t deadline_ns, now_ns; /* deadline 0 = none */
    double draw;                 /* [0, 1), for the jitter */
};

struct retry_decision {
    enum retry_denial denial;
    int64_t delay_ms;
};

struct retry_decision retry_decide(const struct retry_policy *policy,
                                   const struct retry_facts *facts, struct retry_budget *budget,
                                   const struct retry_budget_policy *budget_policy);
/* Envoy's words with commas between (and ours: "never-processed"); words it does not know are 0. */
uint32_t retry_conditions_parse(struct span words);
const char *retry_denial_word(enum retry_denial denial);
/* Full jitter: draw * min(max, base * 2^(n-1)), n = 1 for the first retry. */
int64_t retry_backoff_ms(const struct retry_policy *policy, uint32_t n, double draw);

#endif
