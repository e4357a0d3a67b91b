#include "lib/stats/digest.h"

#include "tests/unit/test_main.h"

static void what_is_encoded_is_decoded(void **state)
{
    struct distribution from = {0};
    struct distribution into = {0};
    struct digest_entry entries[STATS_BUCKETS];
    for (uint64_t us = 1; us < 5000000000U; us = us * 3 + 1) {
        distribution_add(&from, us);
        distribution_add(&from, us);
    }
    size_t count = digest_encode(&from, entries, STATS_BUCKETS);
    assert_true(count > 10 && count < 30);
    assert_true(digest_decode(entries, count, from.sum_us, &into));
    assert_memory_equal(&from, &into, sizeof(from));
    /* Decoding adds. */
    assert_true(digest_decode(entries, count, from.sum_us, &into));
    assert_int_equal(into.count, from.count * 2);
    assert_int_equal(into.sum_us, from.sum_us * 2);
}

static void an_empty_distribution_is_no_entry(void **state)
{
    struct distribution distribution = {0};
    assert_int_equal(digest_encode(&distribution, NULL, 0), 0);
    assert_true(digest_decode(NULL, 0, 0, &distribution));
    assert_int_equal(distribution.count, 0);
}

static void a_small_room_is_not_overrun(void **state)
{
    struct distribution distribution = {0};
    struct digest_entry entries[3] = {{0}};
    distribution_add(&distribution, 10);
    distribution_add(&distribution, 1000);
    distribution_add(&distribution, 100000);
    assert_int_equal(digest_encode(&distribution, entries, 2), 3);
    assert_int_equal(entries[1].bucket, stats_bucket_of(1000));
    assert_int_equal(entries[2].count, 0);
}

static void entries_from_outside_are_checked(void **state)
{
    static const struct {
        struct digest_entry entries[2];
        size_t count;
        uint64_t sum_us;
    } cases[] = {
        {{{STATS_BUCKETS, 1}, {0, 0}}, 1, 0},
        {{{UINT32_MAX, 1}, {0, 0}}, 1, 0},
        {{{5, 1}, {5, 1}}, 2, 0},
        {{{5, 1}, {4, 1}}, 2, 0},
        {{{5, 0}, {0, 0}}, 1, 0},
        {{{5, UINT64_MAX}, {0, 0}}, 1, 0},
        {{{5, UINT64_MAX / 2}, {6, UINT64_MAX / 2 + 1}}, 2, 0},
        {{{5, 1}, {0, 0}}, 1, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct distribution distribution = {0};
        distribution_add(&distribution, 7);
        struct distribution before = distribution;
        assert_false(
            digest_decode(cases[i].entries, cases[i].count, cases[i].sum_us, &distribution));
        assert_memory_equal(&distribution, &before, sizeof(before));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(an_empty_distribution_is_no_entry),
        cmocka_unit_test(a_small_room_is_not_overrun),
        cmocka_unit_test(entries_from_outside_are_checked),
    };
    return TEST_MAIN(cases, argc, argv);
}
