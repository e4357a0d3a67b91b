#include "proxy/policy/retry.h"

#include "lib/base/clock.h"

/* Beyond this the doubled base is over every allowed maximum (60 s). */
enum { DOUBLINGS = 16 };

static const struct {
    struct span word;
    uint32_t condition;
} words[] = {
    /* What each covers is never_processed alone, which is always on. */
    {{"never-processed", 15}, RETRY_ON_NEVER_PROCESSED},
    {{"connect-failure", 15}, RETRY_ON_NEVER_PROCESSED},
    {{"refused-stream", 14}, RETRY_ON_NEVER_PROCESSED},
    {{"reset-before-request", 20}, RETRY_ON_NEVER_PROCESSED},
    {{"reset", 5}, RETRY_ON_RESET_BEFORE_RESPONSE},
    {{"reset-before-response", 21}, RETRY_ON_RESET_BEFORE_RESPONSE},
    {{"5xx", 3}, RETRY_ON_5XX | RETRY_ON_RESET_BEFORE_RESPONSE},
    {{"gateway-error", 13}, RETRY_ON_GATEWAY_ERROR},
    {{"per-try-timeout", 15}, RETRY_ON_PER_TRY_TIMEOUT},
};

uint32_t retry_conditions_parse(struct span list)
{
    uint32_t conditions = 0;
    struct span word;
    while (span_next(&list, ',', &word)) {
        word = span_trim(word);
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            if (span_equal(word, words[i].word)) {
                conditions |= words[i].condition;
            }
        }
    }
    return conditions;
}

const char *retry_denial_word(enum retry_denial denial)
{
    static const char *const denials[] = {
        [RETRY_GRANTED] = "",
        [RETRY_DENIED_LIMIT] = "limit",
        [RETRY_DENIED_NOT_RETRIABLE] = "not_retriable",
        [RETRY_DENIED_RESPONSE_STARTED] = "response_started",
        [RETRY_DENIED_BODY_LOST] = "body_lost",
        [RETRY_DENIED_RETRY_AFTER] = "retry_after",
        [RETRY_DENIED_UPSTREAM_ATTEMPT] = "upstream_attempt",
        [RETRY_DENIED_DEADLINE] = "deadline",
        [RETRY_DENIED_BUDGET] = "budget",
    };
    return denials[denial];
}

int64_t retry_backoff_ms(const struct retry_policy *policy, uint32_t n, double draw)
{
    int64_t bound = policy->backoff_base_ms;
    uint32_t doublings = n > 1 ? n - 1 : 0;
    for (uint32_t i = 0; i < doublings && i < DOUBLINGS && bound < policy->backoff_max_ms; i++) {
        bound *= 2;
    }
    bound = bound < policy->backoff_max_ms ? bound : policy->backoff_max_ms;
    return bound > 0 ? (int64_t)(draw * (double)bound) : 0;
}

static bool never_processed(const struct retry_facts *facts)
{
    return facts->failure != FAILURE_NONE &&
           failure_facts(facts->failure)->retry_class == RETRY_CLASS_NEVER_PROCESSED;
}

/* The conditions that this outcome would satisfy. */
static uint32_t conditions_of(const struct retry_facts *facts)
{
    if (never_processed(facts)) {
        return RETRY_ON_NEVER_PROCESSED;
    }
    if (facts->failure == FAILURE_PER_TRY_TIMEOUT) {
        return RETRY_ON_PER_TRY_TIMEOUT;
    }
    uint32_t conditions = 0;
    if (failure_facts(facts->failure)->retry_class == RETRY_CLASS_MAYBE) {
        conditions |= RETRY_ON_RESET_BEFORE_RESPONSE;
    }
    if (facts->status >= 500 && facts->status <= 599) {
        conditions |= RETRY_ON_5XX;
    }
    if (facts->status >= 502 && facts->status <= 504) {
        conditions |= RETRY_ON_GATEWAY_ERROR;
    }
    return conditions;
}

static bool retriable(const struct retry_policy *policy, const struct retry_facts *facts)
{
    uint32_t conditions = conditions_of(facts);
    if (conditions == RETRY_ON_NEVER_PROCESSED) {
        return true;
    }
    return (conditions & policy->on) != 0 &&
           (policy->all_methods || http_method_idempotent(facts->method));
}

static enum retry_denial ask(const struct retry_policy *policy, const struct retry_facts *facts,
                             int64_t delay_ms)
{
    if (facts->extra_so_far >= policy->limit) {
        return RETRY_DENIED_LIMIT;
    }
    if (!retriable(policy, facts)) {
        return RETRY_DENIED_NOT_RETRIABLE;
    }
    if (facts->response_started) {
        return RETRY_DENIED_RESPONSE_STARTED;
    }
    if (!facts->replayable) {
        return RETRY_DENIED_BODY_LOST;
    }
    if (facts->retry_after_ms > policy->backoff_max_ms) {
        return RETRY_DENIED_RETRY_AFTER;
    }
    if (facts->attempt_in >= 2 && !never_processed(facts)) {
        return RETRY_DENIED_UPSTREAM_ATTEMPT;
    }
    if (facts->deadline_ns != 0 && facts->now_ns + delay_ms * NS_PER_MS >= facts->deadline_ns) {
        return RETRY_DENIED_DEADLINE;
    }
    return RETRY_GRANTED;
}

struct retry_decision retry_decide(const struct retry_policy *policy,
                                   const struct retry_facts *facts, struct retry_budget *budget,
                                   const struct retry_budget_policy *budget_policy)
{
    struct retry_decision decision = {
        .delay_ms = retry_backoff_ms(policy, facts->extra_so_far + 1, facts->draw),
    };
    /* What the endpoint asked for is the least; longer than backoff_max is denied above. */
    if (facts->retry_after_ms > decision.delay_ms) {
        decision.delay_ms = facts->retry_after_ms;
    }
    decision.denial = ask(policy, facts, decision.delay_ms);
    if (decision.denial == RETRY_GRANTED &&
        !retry_budget_take(budget, budget_policy, facts->now_ns)) {
        decision.denial = RETRY_DENIED_BUDGET;
    }
    return decision;
}
