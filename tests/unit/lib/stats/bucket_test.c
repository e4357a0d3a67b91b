#include "lib/stats/bucket.h"

#include "tests/unit/test_main.h"

/* By definition: the first bucket whose bound is not below the value. */
static unsigned slow_bucket_of(uint64_t us)
{
    unsigned bucket = 0;
    while (us > stats_bucket_bound_us(bucket)) {
        bucket++;
    }
    return bucket;
}

static void bounds_rise_by_at_most_an_eighth(void **state)
{
    for (unsigned i = 1; i < STATS_BUCKET_OVERFLOW; i++) {
        uint64_t low = stats_bucket_bound_us(i - 1);
        uint64_t high = stats_bucket_bound_us(i);
        assert_true(high > low);
        /* Below 10 us whole numbers, from 20 to 100 us rounding to them, beyond 1000 s coarse. */
        if (low >= 100 && high <= 1000000000) {
            assert_true((high - low - 1) * 8 <= low);
        }
    }
    assert_int_equal(stats_bucket_bound_us(STATS_BUCKET_OVERFLOW), UINT64_MAX);
    assert_int_equal(stats_bucket_bound_us(STATS_BUCKET_OVERFLOW - 1), 3600000000U);
}

static void linkerds_bounds_are_bounds(void **state)
{
    static const uint64_t steps[] = {1, 2, 3, 4, 5};
    for (uint64_t decade_us = 1000; decade_us <= 10000000; decade_us *= 10) {
        for (int i = 0; i < 5; i++) {
            uint64_t us = steps[i] * decade_us;
            assert_int_equal(stats_bucket_bound_us(stats_bucket_of(us)), us);
            assert_int_equal(stats_bucket_of(us + 1), stats_bucket_of(us) + 1);
        }
    }
}

static void every_value_near_a_bound_finds_its_bucket(void **state)
{
    for (unsigned i = 0; i < STATS_BUCKET_OVERFLOW; i++) {
        uint64_t bound = stats_bucket_bound_us(i);
        for (uint64_t us = bound - 1; us <= bound + 2; us++) {
            assert_int_equal(stats_bucket_of(us), slow_bucket_of(us));
        }
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        for (uint64_t us = (1ULL << bit) - 1; us <= (1ULL << bit) + 1; us++) {
            assert_int_equal(stats_bucket_of(us), slow_bucket_of(us));
        }
    }
}

static void every_small_value_finds_its_bucket(void **state)
{
    for (uint64_t us = 0; us < 200000; us++) {
        assert_int_equal(stats_bucket_of(us), slow_bucket_of(us));
    }
}

static void the_ends_are_taken(void **state)
{
    assert_int_equal(stats_bucket_of(0), 0);
    assert_int_equal(stats_bucket_of(1), 0);
    assert_int_equal(stats_bucket_of(2), 1);
    assert_int_equal(stats_bucket_of(3600000000U), STATS_BUCKET_OVERFLOW - 1);
    assert_int_equal(stats_bucket_of(3600000001U), STATS_BUCKET_OVERFLOW);
    assert_int_equal(stats_bucket_of(UINT64_MAX), STATS_BUCKET_OVERFLOW);
}

/* The wire format of digests: these may not move while STATS_BUCKET_LAYOUT is 1. */
static void the_layout_is_number_one(void **state)
{
    assert_int_equal(STATS_BUCKET_LAYOUT, 1);
    assert_int_equal(STATS_BUCKETS, 253);
    assert_int_equal(stats_bucket_of(10), 9);
    assert_int_equal(stats_bucket_of(100), 39);
    assert_int_equal(stats_bucket_of(1000), 69);
    assert_int_equal(stats_bucket_of(5000), 89);
    assert_int_equal(stats_bucket_of(1000000), 159);
    assert_int_equal(stats_bucket_of(1000000000), 249);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(bounds_rise_by_at_most_an_eighth),
        cmocka_unit_test(linkerds_bounds_are_bounds),
        cmocka_unit_test(every_value_near_a_bound_finds_its_bucket),
        cmocka_unit_test(every_small_value_finds_its_bucket),
        cmocka_unit_test(the_ends_are_taken),
        cmocka_unit_test(the_layout_is_number_one),
    };
    return TEST_MAIN(cases, argc, argv);
}
