#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "proxy/policy/retry.h"

static const struct retry_budget_policy budget_policy = {
    .percent = 20, .min_per_s = 10, .window_ms = 10000};

static struct retry_policy policy_of(uint32_t on)
{
    return (struct retry_policy){
        .limit = 2, .on = on, .backoff_base_ms = 25, .backoff_max_ms = 250};
}

static struct retry_facts facts_of(enum failure failure, uint16_t status)
{
    return (struct retry_facts){
        .failure = failure,
        .status = status,
        .method = HTTP_METHOD_GET,
        .replayable = true,
        .attempt_in = 1,
        .retry_after_ms = -1,
        .now_ns = NS_PER_S,
        .draw = 0.5,
    };
}

static struct retry_decision decide(uint32_t on, const struct retry_facts *facts)
{
    struct retry_policy policy = policy_of(on);
    struct retry_budget budget = {.stamps = {0}};
    return retry_decide(&policy, facts, &budget, &budget_policy);
}

static void the_back_off_bounds_are_25_50_100_200_ms_and_then_the_maximum(void **state)
{
    static const int64_t bounds[] = {25, 50, 100, 200, 250, 250};
    struct retry_policy policy = policy_of(0);
    for (uint32_t n = 1; n <= 6; n++) {
        assert_int_equal(retry_backoff_ms(&policy, n, 0.0), 0);
        assert_int_equal(retry_backoff_ms(&policy, n, 0.999999999), bounds[n - 1] - 1);
        assert_int_equal(retry_backoff_ms(&policy, n, 0.5), bounds[n - 1] / 2);
    }
    assert_int_equal(retry_backoff_ms(&policy, UINT32_MAX, 0.5), 125);
}

static void a_policy_without_back_off_waits_not_at_all(void **state)
{
    struct retry_policy policy = {.limit = 2};
    assert_int_equal(retry_backoff_ms(&policy, 1, 0.9), 0);
    assert_int_equal(retry_backoff_ms(&policy, 3, 0.9), 0);
}

static void never_processed_is_retried_for_every_method_without_being_asked_for(void **state)
{
    static const enum failure failures[] = {
        FAILURE_CONNECT_REFUSED,         FAILURE_CONNECT_TIMEOUT, FAILURE_TLS_HANDSHAKE,
        FAILURE_UPSTREAM_UNSENT,         FAILURE_UPSTREAM_GOAWAY, FAILURE_TLS_NO_CERTIFICATE,
        FAILURE_UPSTREAM_REFUSED_STREAM,
    };
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        struct retry_facts facts = facts_of(failures[i], 0);
        facts.method = HTTP_METHOD_POST;
        assert_int_equal(decide(RETRY_ON_NEVER_PROCESSED, &facts).denial, RETRY_GRANTED);
    }
}

static void what_may_have_been_processed_is_retried_only_where_asked_for(void **state)
{
    static const struct {
        enum failure failure;
        uint16_t status;
        uint32_t on;
    } rows[] = {
        {FAILURE_UPSTREAM_RESET, 0, RETRY_ON_RESET_BEFORE_RESPONSE},
        {FAILURE_UPSTREAM_CLOSED, 0, RETRY_ON_RESET_BEFORE_RESPONSE},
        {FAILURE_PER_TRY_TIMEOUT, 0, RETRY_ON_PER_TRY_TIMEOUT},
        {FAILURE_NONE, 500, RETRY_ON_5XX},
        {FAILURE_NONE, 503, RETRY_ON_GATEWAY_ERROR},
        {FAILURE_NONE, 502, RETRY_ON_GATEWAY_ERROR},
        {FAILURE_NONE, 504, RETRY_ON_GATEWAY_ERROR},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct retry_facts facts = facts_of(rows[i].failure, rows[i].status);
        assert_int_equal(decide(RETRY_ON_NEVER_PROCESSED, &facts).denial,
                         RETRY_DENIED_NOT_RETRIABLE);
        assert_int_equal(decide(rows[i].on, &facts).denial, RETRY_GRANTED);
        facts.method = HTTP_METHOD_POST;
        assert_int_equal(decide(rows[i].on, &facts).denial, RETRY_DENIED_NOT_RETRIABLE);
        struct retry_policy all = policy_of(rows[i].on);
        all.all_methods = true;
        struct retry_budget budget = {.stamps = {0}};
        assert_int_equal(retry_decide(&all, &facts, &budget, &budget_policy).denial, RETRY_GRANTED);
    }
}

static void a_gateway_error_is_neither_500_nor_501_nor_505(void **state)
{
    static const uint16_t statuses[] = {500, 501, 505, 429, 404};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct retry_facts facts = facts_of(FAILURE_NONE, statuses[i]);
        assert_int_equal(decide(RETRY_ON_GATEWAY_ERROR, &facts).denial, RETRY_DENIED_NOT_RETRIABLE);
    }
}

static void failures_that_another_attempt_does_not_help_are_never_retried(void **state)
{
    static const enum failure failures[] = {FAILURE_REQUEST_TIMEOUT, FAILURE_DENIED,
                                            FAILURE_NO_ROUTE, FAILURE_DOWNSTREAM_RESET,
                                            FAILURE_STREAM_IDLE};
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        struct retry_facts facts = facts_of(failures[i], 0);
        assert_int_equal(decide(~0U, &facts).denial, RETRY_DENIED_NOT_RETRIABLE);
    }
}

static void the_conditions_are_asked_in_order(void **state)
{
    /* Everything speaks against it; one objection after the other is taken away. */
    struct retry_facts facts = {
        .failure = FAILURE_UPSTREAM_RESET,
        .extra_so_far = 2,
        .method = HTTP_METHOD_POST,
        .response_started = true,
        .attempt_in = 2,
        .retry_after_ms = 251,
        .deadline_ns = NS_PER_S,
        .now_ns = NS_PER_S,
        .draw = 0.5,
    };
    uint32_t on = RETRY_ON_RESET_BEFORE_RESPONSE;
    assert_int_equal(decide(on, &facts).denial, RETRY_DENIED_LIMIT);
    facts.extra_so_far = 1;
    assert_int_equal(decide(on, &facts).denial, RETRY_DENIED_NOT_RETRIABLE);
    facts.method = HTTP_METHOD_PUT;
    assert_int_equal(decide(on, &facts).denial, RETRY_DENIED_RESPONSE_STARTED);
    facts.response_started = false;
    assert_int_equal(decide(on, &facts).denial, RETRY_DENIED_BODY_LOST);
    facts.replayable = true;
    assert_int_equal(decide(on, &facts).denial, RETRY_DENIED_RETRY_AFTER);
    facts.retry_after_ms = 250;
    assert_int_equal(decide(on, &facts).denial, RETRY_DENIED_UPSTREAM_ATTEMPT);
    facts.attempt_in = 1;
    assert_int_equal(decide(on, &facts).denial, RETRY_DENIED_DEADLINE);
    facts.deadline_ns = NS_PER_S + 250 * NS_PER_MS;
    assert_int_equal(decide(on, &facts).denial, RETRY_DENIED_DEADLINE);
    facts.deadline_ns += 1;
    struct retry_decision decision = decide(on, &facts);
    assert_int_equal(decision.denial, RETRY_GRANTED);
    assert_int_equal(decision.delay_ms, 250);
}

static void the_budget_is_asked_last_and_pays_only_when_all_else_agrees(void **state)
{
    struct retry_policy policy = policy_of(RETRY_ON_NEVER_PROCESSED);
    struct retry_budget_policy two = {.percent = 0, .min_per_s = 2, .window_ms = 1000};
    struct retry_budget budget = {.stamps = {0}};
    struct retry_facts facts = facts_of(FAILURE_CONNECT_REFUSED, 0);
    facts.replayable = false;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(retry_decide(&policy, &facts, &budget, &two).denial,
                         RETRY_DENIED_BODY_LOST);
    }
    facts.replayable = true;
    assert_int_equal(retry_decide(&policy, &facts, &budget, &two).denial, RETRY_GRANTED);
    assert_int_equal(retry_decide(&policy, &facts, &budget, &two).denial, RETRY_GRANTED);
    assert_int_equal(retry_decide(&policy, &facts, &budget, &two).denial, RETRY_DENIED_BUDGET);
}

static void a_retry_of_a_retry_is_only_for_what_was_never_processed(void **state)
{
    struct retry_facts facts = facts_of(FAILURE_CONNECT_REFUSED, 0);
    facts.attempt_in = 2;
    assert_int_equal(decide(~0U, &facts).denial, RETRY_GRANTED);
    facts = facts_of(FAILURE_NONE, 503);
    facts.attempt_in = 2;
    assert_int_equal(decide(~0U, &facts).denial, RETRY_DENIED_UPSTREAM_ATTEMPT);
}

static void words_become_conditions(void **state)
{
    assert_int_equal(retry_conditions_parse(SPAN("")), 0);
    assert_int_equal(retry_conditions_parse(SPAN("no-such-word,,")), 0);
    assert_int_equal(retry_conditions_parse(SPAN("never-processed")), RETRY_ON_NEVER_PROCESSED);
    assert_int_equal(retry_conditions_parse(SPAN("gateway-error, per-try-timeout")),
                     RETRY_ON_GATEWAY_ERROR | RETRY_ON_PER_TRY_TIMEOUT);
    assert_int_equal(retry_conditions_parse(SPAN("connect-failure,refused-stream")),
                     RETRY_ON_NEVER_PROCESSED);
    assert_int_equal(retry_conditions_parse(SPAN("5xx")),
                     RETRY_ON_5XX | RETRY_ON_RESET_BEFORE_RESPONSE);
}

static void every_denial_has_a_word_of_its_own(void **state)
{
    for (int a = RETRY_GRANTED; a <= RETRY_DENIED_BUDGET; a++) {
        for (int b = a + 1; b <= RETRY_DENIED_BUDGET; b++) {
            assert_string_not_equal(retry_denial_word((enum retry_denial)a),
                                    retry_denial_word((enum retry_denial)b));
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_back_off_bounds_are_25_50_100_200_ms_and_then_the_maximum),
        cmocka_unit_test(a_policy_without_back_off_waits_not_at_all),
        cmocka_unit_test(never_processed_is_retried_for_every_method_without_being_asked_for),
        cmocka_unit_test(what_may_have_been_processed_is_retried_only_where_asked_for),
        cmocka_unit_test(a_gateway_error_is_neither_500_nor_501_nor_505),
        cmocka_unit_test(failures_that_another_attempt_does_not_help_are_never_retried),
        cmocka_unit_test(the_conditions_are_asked_in_order),
        cmocka_unit_test(the_budget_is_asked_last_and_pays_only_when_all_else_agrees),
        cmocka_unit_test(a_retry_of_a_retry_is_only_for_what_was_never_processed),
        cmocka_unit_test(words_become_conditions),
        cmocka_unit_test(every_denial_has_a_word_of_its_own),
    };
    return TEST_MAIN(cases, argc, argv);
}
