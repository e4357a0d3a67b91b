#include "lib/base/random.h"

#include "tests/unit/test_main.h"

static void secrets_differ(void **state)
{
    unsigned char a[64], b[64];
    random_secret(a, sizeof(a));
    random_secret(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    random_secret(a, 0);
}

static void large_secrets_are_filled_to_the_end(void **state)
{
    static unsigned char bytes[100000];
    random_secret(bytes, sizeof(bytes));
    static const unsigned char zero[32];
    assert_memory_not_equal(bytes + sizeof(bytes) - 32, zero, 32);
}

static void a_seed_fixes_the_sequence(void **state)
{
    uint64_t first[10];
    random_seed(42);
    for (int i = 0; i < 10; i++) {
        first[i] = random_u64();
    }
    random_seed(42);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(random_u64(), first[i]);
    }
    random_seed(43);
    assert_int_not_equal(random_u64(), first[0]);
}

/* Values of the authors' xoshiro256starstar.c with the state that splitmix64.c gives for seed 0. */
static void the_generator_is_xoshiro256_starstar(void **state)
{
    random_seed(0);
    assert_int_equal(random_u64(), 0x99ec5f36cb75f2b4U);
    assert_int_equal(random_u64(), 0xbf6e1f784956452aU);
}

static void numbers_below_a_limit_are_even(void **state)
{
    random_seed(1);
    int counts[6] = {0};
    for (int i = 0; i < 60000; i++) {
        uint64_t number = random_below(6);
        assert_true(number < 6);
        counts[number]++;
    }
    for (int i = 0; i < 6; i++) {
        assert_in_range(counts[i], 9500, 10500);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(random_below(1), 0);
        assert_true(random_below(UINT64_MAX) < UINT64_MAX);
    }
}

/* A limit of 3/4 of the range is where taking the remainder would favour small numbers the most. */
static void a_huge_limit_has_no_bias(void **state)
{
    random_seed(2);
    uint64_t limit = 3ULL << 62;
    int low = 0;
    for (int i = 0; i < 30000; i++) {
        low += random_below(limit) < limit / 3;
    }
    assert_in_range(low, 9600, 10400);
}

static void the_unit_interval_leaves_out_one(void **state)
{
    random_seed(3);
    double sum = 0;
    for (int i = 0; i < 100000; i++) {
        double unit = random_unit();
        assert_true(unit >= 0 && unit < 1);
        sum += unit;
    }
    assert_true(sum > 49000 && sum < 51000);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(secrets_differ),
        cmocka_unit_test(large_secrets_are_filled_to_the_end),
        cmocka_unit_test(a_seed_fixes_the_sequence),
        cmocka_unit_test(the_generator_is_xoshiro256_starstar),
        cmocka_unit_test(numbers_below_a_limit_are_even),
        cmocka_unit_test(a_huge_limit_has_no_bias),
        cmocka_unit_test(the_unit_interval_leaves_out_one),
    };
    return TEST_MAIN(cases, argc, argv);
}
