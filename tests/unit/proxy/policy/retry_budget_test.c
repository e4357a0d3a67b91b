#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "proxy/policy/retry_budget.h"

static const struct retry_budget_policy defaults = {
    .percent = 20, .min_per_s = 10, .window_ms = 10000};

static void fill(struct retry_budget *budget, uint32_t originals, uint32_t extras, int64_t now_ns)
{
    static const struct retry_budget_policy boundless = {
        .percent = 100, .min_per_s = 1000000, .window_ms = 10000};
    for (uint32_t i = 0; i < originals; i++) {
        retry_budget_original(budget, &boundless, now_ns);
    }
    for (uint32_t i = 0; i < extras; i++) {
        assert_true(retry_budget_take(budget, &boundless, now_ns));
    }
}

static void the_table_of_rt4_holds(void **state)
{
    static const struct {
        uint32_t originals, extras;
        bool allowed;
    } rows[] = {
        {0, 99, true},     {0, 100, false},   {100, 119, true},
        {100, 120, false}, {1000, 299, true}, {1000, 300, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct retry_budget budget = {.stamps = {0}};
        fill(&budget, rows[i].originals, rows[i].extras, 5 * NS_PER_S);
        assert_int_equal(retry_budget_take(&budget, &defaults, 5 * NS_PER_S), rows[i].allowed);
    }
}

static void zeroed_memory_is_a_budget_without_a_past_even_at_time_zero(void **state)
{
    struct retry_budget budget = {.stamps = {0}};
    assert_int_equal(retry_budget_left(&budget, &defaults, 0), 100);
    assert_true(retry_budget_take(&budget, &defaults, 0));
    assert_int_equal(retry_budget_left(&budget, &defaults, 0), 99);
}

static void what_is_older_than_the_window_no_longer_counts(void **state)
{
    struct retry_budget budget = {.stamps = {0}};
    fill(&budget, 0, 100, 0);
    assert_false(retry_budget_take(&budget, &defaults, 9999 * NS_PER_MS));
    assert_true(retry_budget_take(&budget, &defaults, 10000 * NS_PER_MS));
}

static void an_original_counts_for_ten_slots(void **state)
{
    struct retry_budget budget = {.stamps = {0}};
    fill(&budget, 1000, 0, 0);
    assert_int_equal(retry_budget_left(&budget, &defaults, 9999 * NS_PER_MS), 300);
    assert_int_equal(retry_budget_left(&budget, &defaults, 10000 * NS_PER_MS), 100);
}

static void without_percent_and_minimum_nothing_is_allowed(void **state)
{
    struct retry_budget_policy none = {.percent = 0, .min_per_s = 0, .window_ms = 10000};
    struct retry_budget budget = {.stamps = {0}};
    fill(&budget, 1000, 0, 0);
    assert_false(retry_budget_take(&budget, &none, 0));
    assert_int_equal(retry_budget_left(&budget, &none, 0), 0);
}

static void a_refusal_costs_nothing(void **state)
{
    struct retry_budget budget = {.stamps = {0}};
    fill(&budget, 0, 100, 0);
    for (int i = 0; i < 1000; i++) {
        assert_false(retry_budget_take(&budget, &defaults, 0));
    }
    fill(&budget, 5, 0, 0);
    assert_true(retry_budget_take(&budget, &defaults, 0));
    assert_false(retry_budget_take(&budget, &defaults, 0));
}

static void a_steady_stream_of_failures_is_amplified_by_a_fifth(void **state)
{
    struct retry_budget budget = {.stamps = {0}};
    struct retry_budget_policy policy = {.percent = 20, .min_per_s = 0, .window_ms = 10000};
    uint32_t extras = 0;
    /* 1000 a second for a minute, each failing twice. */
    for (int64_t i = 0; i < 60000; i++) {
        int64_t now = i * NS_PER_MS;
        retry_budget_original(&budget, &policy, now);
        extras += retry_budget_take(&budget, &policy, now);
        extras += retry_budget_take(&budget, &policy, now);
    }
    assert_in_range(extras, 60000 / 5 - 60, 60000 / 5 + 300);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_table_of_rt4_holds),
        cmocka_unit_test(zeroed_memory_is_a_budget_without_a_past_even_at_time_zero),
        cmocka_unit_test(what_is_older_than_the_window_no_longer_counts),
        cmocka_unit_test(an_original_counts_for_ten_slots),
        cmocka_unit_test(without_percent_and_minimum_nothing_is_allowed),
        cmocka_unit_test(a_refusal_costs_nothing),
        cmocka_unit_test(a_steady_stream_of_failures_is_amplified_by_a_fifth),
    };
    return TEST_MAIN(cases, argc, argv);
}
