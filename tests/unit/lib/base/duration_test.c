#include "lib/base/duration.h"

#include "tests/unit/test_main.h"

static void durations_are_those_of_the_gateway_api(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1 = refused */
    } cases[] = {
        {"0s", 0},
        {"0h0m0s0ms", 0},
        {"1h", 3600000},
        {"30m", 1800000},
        {"10s", 10000},
        {"250ms", 250},
        {"1h30m", 5400000},
        {"30m1h", 5400000},
        {"1h2m3s4ms", 3723004},
        {"00005s", 5000},
        {"99999h", 359996400000},
        {"99999h99999m99999s99999ms", 359996400000 + 5999940000 + 99999000 + 99999},
        {"", -1},
        {"1", -1},
        {"s", -1},
        {"ms", -1},
        {"100000s", -1},
        {"000001s", -1},
        {"1s1s", -1},
        {"1h1m1s1ms1h", -1},
        {"1.5s", -1},
        {"-1s", -1},
        {"+1s", -1},
        {" 1s", -1},
        {"1s ", -1},
        {"1 s", -1},
        {"1us", -1},
        {"1d", -1},
        {"1S", -1},
        {"1h30", -1},
        {"1mm", -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms = -77;
        bool valid = duration_parse(span_of(cases[i].text), &ms);
        assert_int_equal(valid, cases[i].ms >= 0);
        assert_int_equal(ms, valid ? cases[i].ms : -77);
    }
}

static void durations_are_written_short_and_read_back(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {1, "1ms"},
        {1000, "1s"},
        {1500, "1s500ms"},
        {60000, "1m"},
        {5400000, "1h30m"},
        {3723004, "1h2m3s4ms"},
        {86400000, "24h"},
        {359996400000, "99999h"},
    };
    char text[32];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        duration_format(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
        int64_t ms = 0;
        assert_true(duration_parse(span_of(text), &ms));
        assert_int_equal(ms, cases[i].ms);
    }
    duration_format(INT64_MAX, text);
    assert_true(strlen(text) < sizeof(text));
    duration_format(-5, text);
    assert_string_equal(text, "0s");
}

static void quantities_are_whole_bytes(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        uint64_t bytes;
    } cases[] = {
        {"0", true, 0},
        {"1024", true, 1024},
        {"64Ki", true, 65536},
        {"1Mi", true, 1048576},
        {"2Gi", true, 2147483648},
        {"1Ti", true, 1099511627776},
        {"15Ei", true, 17293822569102704640U},
        {"5k", true, 5000},
        {"1M", true, 1000000},
        {"1G", true, 1000000000},
        {"18E", true, 18000000000000000000U},
        {"16Ei", false, 0},
        {"19E", false, 0},
        {"18446744073709551616", false, 0},
        {"", false, 0},
        {"Ki", false, 0},
        {"1K", false, 0},
        {"1ki", false, 0},
        {"1KiB", false, 0},
        {"1B", false, 0},
        {"1m", false, 0},
        {"1i", false, 0},
        {"1.5Gi", false, 0},
        {"-1", false, 0},
        {"1 Ki", false, 0},
        {"1e3", false, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t bytes = 77;
        assert_int_equal(quantity_parse(span_of(cases[i].text), &bytes), cases[i].valid);
        assert_int_equal(bytes, cases[i].valid ? cases[i].bytes : 77);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(durations_are_those_of_the_gateway_api),
        cmocka_unit_test(durations_are_written_short_and_read_back),
        cmocka_unit_test(quantities_are_whole_bytes),
    };
    return TEST_MAIN(cases, argc, argv);
}
