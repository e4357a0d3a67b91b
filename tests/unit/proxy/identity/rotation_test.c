#include "tests/unit/test_main.h"

#include "proxy/identity/rotation.h"

#include <math.h>

static void renewal_falls_into_its_part_of_the_life(void **state)
{
    (void)state;
    const int64_t now = 1780000000000;
    static const struct {
        double from, to, draw;
        int64_t life_ms, after_ms;
    } cases[] = {
        {0.5, 0.7, 0, 86400000, 43200000},
        {0.5, 0.7, 0.5, 86400000, 51840000},
        {0.5, 0.7, 1, 86400000, 60480000},
        {0.6, 0.6, 0.9, 10000, 6000},
        {0.5, 0.7, 0, 10000, 5000},
        {0.5, 0.7, 0.999, 100, ROTATION_LEAST_MS},
        {0.5, 0.7, 0, -5000, ROTATION_LEAST_MS},
        {0.7, 0.5, 0, 10000, 5000},
        {0, 0.7, 0, 10000, 5000},
        {0.5, 1.5, 0, 10000, 5000},
        {NAN, 0.7, 0, 10000, 5000},
        {0.5, NAN, 0, 10000, 5000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rotation_window window = {cases[i].from, cases[i].to};
        int64_t at = rotation_renew_at_ms(window, now, now + cases[i].life_ms, cases[i].draw);
        assert_in_range(at - now, cases[i].after_ms - 1, cases[i].after_ms + 1);
    }
}

static void retries_spread_from_one_second_to_a_doubling_bound(void **state)
{
    (void)state;
    static const struct {
        unsigned failures;
        int64_t most_ms;
    } cases[] = {{1, 2000},  {2, 4000},  {3, 8000},          {5, 32000},
                 {6, 60000}, {7, 60000}, {UINT32_MAX, 60000}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(rotation_retry_ms(cases[i].failures, 0), 1000);
        assert_in_range(rotation_retry_ms(cases[i].failures, 0.999999), cases[i].most_ms - 2,
                        cases[i].most_ms);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(renewal_falls_into_its_part_of_the_life),
        cmocka_unit_test(retries_spread_from_one_second_to_a_doubling_bound),
    };
    return TEST_MAIN(cases, argc, argv);
}
