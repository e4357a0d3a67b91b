#include "lib/stats/distribution.h"

#include "lib/base/random.h"
#include "tests/unit/test_main.h"

#include <stdlib.h>

static void an_empty_distribution_has_no_quantile(void **state)
{
    struct distribution distribution = {0};
    uint64_t us = 77;
    assert_false(distribution_quantile(&distribution, 500, &us));
    assert_int_equal(us, 77);
}

/* The worked example of the hedging delay: 180 at or below 5 ms, 20 in (5, 10]: rank 190 is 7.5 ms.
 */
static void the_rank_is_found_between_the_bounds(void **state)
{
    struct distribution distribution = {0};
    for (int i = 0; i < 180; i++) {
        distribution_add(&distribution, 5000);
    }
    for (uint64_t i = 1; i <= 20; i++) {
        distribution_add(&distribution, 5000 + i * 250);
    }
    uint64_t us = 0;
    assert_true(distribution_quantile(&distribution, 950, &us));
    assert_int_equal(us, 7500);
}

static void quantiles_are_interpolated_within_a_bucket(void **state)
{
    static const unsigned quantiles[] = {1, 10, 500, 501, 990, 1000};
    /* 40 in (4500, 5000], two buckets of 250 us. */
    struct distribution distribution = {0};
    for (int i = 0; i < 20; i++) {
        distribution_add(&distribution, 4600);
        distribution_add(&distribution, 4900);
    }
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        uint64_t us = 0;
        /* rank = ceil(permille * 40 / 1000) */
        uint64_t rank = (quantiles[i] * 40 + 999) / 1000;
        assert_true(distribution_quantile(&distribution, quantiles[i], &us));
        assert_int_equal(us, 4500 + rank * 500 / 40);
    }
}

static void a_quantile_beyond_the_last_bound_is_unknown(void **state)
{
    struct distribution distribution = {0};
    for (int i = 0; i < 99; i++) {
        distribution_add(&distribution, 1000);
    }
    distribution_add(&distribution, UINT64_MAX / 2);
    uint64_t us = 0;
    assert_true(distribution_quantile(&distribution, 990, &us));
    assert_int_equal(us, 1000);
    us = 77;
    assert_false(distribution_quantile(&distribution, 991, &us));
    assert_int_equal(us, 77);
}

static void huge_counts_do_not_overflow_a_rank(void **state)
{
    struct distribution distribution = {0};
    unsigned bucket = stats_bucket_of(3000000000U);
    distribution.counts[bucket] = distribution.count = UINT64_MAX;
    uint64_t us = 0;
    assert_true(distribution_quantile(&distribution, 1000, &us));
    assert_int_equal(us, 3600000000U);
    assert_true(distribution_quantile(&distribution, 500, &us));
    assert_in_range(us, 2799999999U, 2800000001U);
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void quantiles_are_within_an_eighth_of_the_truth(void **state)
{
    enum { COUNT = 20000 };
    static uint64_t values[COUNT];
    static const unsigned quantiles[] = {10, 250, 500, 900, 950, 990, 999};
    random_seed(5);
    struct distribution distribution = {0};
    for (int i = 0; i < COUNT; i++) {
        /* Over five decades. */
        uint64_t scale = 100;
        for (uint64_t power = random_below(5); power > 0; power--) {
            scale *= 10;
        }
        values[i] = scale + random_below(scale * 9);
        distribution_add(&distribution, values[i]);
    }
    qsort(values, COUNT, sizeof(values[0]), compare);
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        uint64_t truth = values[(quantiles[i] * COUNT + 999) / 1000 - 1];
        uint64_t us = 0;
        assert_true(distribution_quantile(&distribution, quantiles[i], &us));
        assert_true(us <= truth + truth / 8 + 1 && us + us / 8 + 1 >= truth);
    }
}

static void merging_adds_and_subtracting_takes_away(void **state)
{
    struct distribution early = {0};
    struct distribution late = {0};
    distribution_add(&early, 100);
    distribution_add(&early, 5000);
    distribution_merge(&late, &early);
    distribution_add(&late, 5000);
    distribution_add(&late, 70000);
    assert_int_equal(late.count, 4);
    assert_int_equal(late.sum_us, 80100);
    distribution_subtract(&late, &early);
    assert_int_equal(late.count, 2);
    assert_int_equal(late.sum_us, 75000);
    assert_int_equal(late.counts[stats_bucket_of(100)], 0);
    assert_int_equal(late.counts[stats_bucket_of(5000)], 1);
    distribution_clear(&late);
    assert_int_equal(late.count, 0);
}

static void subtracting_more_than_there_is_stops_at_zero(void **state)
{
    struct distribution small = {0};
    struct distribution large = {0};
    distribution_add(&small, 100);
    distribution_add(&small, 200);
    distribution_add(&large, 200);
    distribution_add(&large, 200);
    distribution_subtract(&small, &large);
    assert_int_equal(small.count, 1);
    assert_int_equal(small.counts[stats_bucket_of(200)], 0);
    assert_int_equal(small.sum_us, 0);
}

static void counts_up_to_a_bound_are_exact(void **state)
{
    struct distribution distribution = {0};
    distribution_add(&distribution, 0);
    distribution_add(&distribution, 1000);
    distribution_add(&distribution, 1001);
    distribution_add(&distribution, 50000000);
    distribution_add(&distribution, UINT64_MAX);
    assert_int_equal(distribution_count_up_to(&distribution, 1000), 2);
    assert_int_equal(distribution_count_up_to(&distribution, 2000), 3);
    assert_int_equal(distribution_count_up_to(&distribution, 50000000), 4);
    assert_int_equal(distribution_count_up_to(&distribution, UINT64_MAX), 5);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(an_empty_distribution_has_no_quantile),
        cmocka_unit_test(the_rank_is_found_between_the_bounds),
        cmocka_unit_test(quantiles_are_interpolated_within_a_bucket),
        cmocka_unit_test(a_quantile_beyond_the_last_bound_is_unknown),
        cmocka_unit_test(huge_counts_do_not_overflow_a_rank),
        cmocka_unit_test(quantiles_are_within_an_eighth_of_the_truth),
        cmocka_unit_test(merging_adds_and_subtracting_takes_away),
        cmocka_unit_test(subtracting_more_than_there_is_stops_at_zero),
        cmocka_unit_test(counts_up_to_a_bound_are_exact),
    };
    return TEST_MAIN(cases, argc, argv);
}
