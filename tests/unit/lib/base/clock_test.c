#include "lib/base/clock.h"

#include "tests/unit/test_main.h"

static void the_real_clocks_move_and_do_not_go_back(void **state)
{
    int64_t before = clock_now_ns();
    int64_t later = before;
    while (later == before) {
        later = clock_now_ns();
    }
    assert_true(later > before);
    /* After 2025, before 2200. */
    assert_true(clock_wall_ns() > 1735689600 * NS_PER_S);
    assert_true(clock_wall_ns() < 7258118400 * NS_PER_S);
}

static void a_fake_clock_stands_still_until_moved(void **state)
{
    clock_fake(5, 1000);
    assert_int_equal(clock_now_ns(), 5);
    assert_int_equal(clock_now_ns(), 5);
    assert_int_equal(clock_wall_ns(), 1000);
    clock_fake_advance(10);
    assert_int_equal(clock_now_ns(), 15);
    assert_int_equal(clock_wall_ns(), 1010);
    clock_real();
    assert_true(clock_wall_ns() > 1735689600 * NS_PER_S);
}

static void wall_time_is_written_as_rfc_3339(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1767323045678000000, "2026-01-02T03:04:05.678Z"},
        {1767323045678999999, "2026-01-02T03:04:05.678Z"},
        {951782400000000000, "2000-02-29T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {INT64_MAX, "2262-04-11T23:47:16.854Z"},
        {INT64_MIN, "1677-09-21T00:12:43.145Z"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[CLOCK_TEXT_BYTES];
        clock_format_wall(cases[i].ns, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_real_clocks_move_and_do_not_go_back),
        cmocka_unit_test(a_fake_clock_stands_still_until_moved),
        cmocka_unit_test(wall_time_is_written_as_rfc_3339),
    };
    return TEST_MAIN(cases, argc, argv);
}
