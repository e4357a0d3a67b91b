#include "lib/stats/exposition.h"

#include "lib/stats/writer.h"
#include "tests/unit/lib/stats/example.h"
#include "tests/unit/lib/stats/prometheus_text.h"
#include "tests/unit/test_main.h"

static struct stats_registry *registry;
static struct stats_writer *writer;

static int make(void **state)
{
    registry = stats_registry_create(example_stats, EXAMPLE_COUNT, 1, 0);
    writer = stats_writer_create(registry);
    return 0;
}

static int destroy(void **state)
{
    stats_writer_destroy(writer);
    stats_registry_destroy(registry);
    return 0;
}

static void assert_has(const struct text *text, const char *line)
{
    struct text whole = {0};
    text_printf(&whole, "\n%s\n", line);
    if (strstr(text->bytes, whole.bytes) == NULL) {
        fail_msg("%s is missing in:\n%s", line, text->bytes);
    }
    text_done(&whole);
}

static void counters_and_gauges_are_one_line_each(void **state)
{
    stats_add(STATS_HOLD(writer, EXAMPLE_REQUESTS, SPAN("api"), SPAN("200")), 41);
    stats_add(STATS_HOLD(writer, EXAMPLE_REQUESTS, SPAN("api"), SPAN("503")), UINT64_MAX);
    stats_set(STATS_HOLD(writer, EXAMPLE_OPEN, SPAN("api")), -7);
    stats_set(STATS_HOLD(writer, EXAMPLE_OPEN, SPAN("low")), INT64_MIN);
    stats_set(stats_hold(writer, EXAMPLE_LEFT, NULL, 0), 1250);
    struct text text = {0};
    stats_write_prometheus(registry, &text);
    assert_has(&text, "# TYPE test_requests_total counter");
    assert_has(&text, "test_requests_total{destination=\"api\",code=\"200\"} 41");
    assert_has(&text, "test_requests_total{destination=\"api\",code=\"503\"} 18446744073709551615");
    assert_has(&text, "# HELP test_open open now");
    assert_has(&text, "# TYPE test_open gauge");
    assert_has(&text, "test_open{destination=\"api\"} -7");
    assert_has(&text, "test_open{destination=\"low\"} -9223372036854775808");
    assert_has(&text, "test_starts_total 0");
    assert_has(&text, "test_left_ratio 1.25");
    assert_has(&text, "# HELP test_left_ratio share of the \\\\budget\\nthat is left");
    assert_true(prometheus_text_check(text.bytes) > 0);
    text_done(&text);
}

static void histograms_have_linkerds_bounds(void **state)
{
    struct stats_cell *latency = STATS_HOLD(writer, EXAMPLE_LATENCY, SPAN("api"));
    stats_record(latency, 1000);
    stats_record(latency, 1001);
    stats_record(latency, 49999);
    stats_record(latency, 50000000);
    stats_record(latency, 50000001);
    struct text text = {0};
    stats_write_prometheus(registry, &text);
    assert_has(&text, "# TYPE test_latency_ms histogram");
    assert_has(&text, "test_latency_ms_bucket{destination=\"api\",le=\"1\"} 1");
    assert_has(&text, "test_latency_ms_bucket{destination=\"api\",le=\"2\"} 2");
    assert_has(&text, "test_latency_ms_bucket{destination=\"api\",le=\"40\"} 2");
    assert_has(&text, "test_latency_ms_bucket{destination=\"api\",le=\"50\"} 3");
    assert_has(&text, "test_latency_ms_bucket{destination=\"api\",le=\"40000\"} 3");
    assert_has(&text, "test_latency_ms_bucket{destination=\"api\",le=\"50000\"} 4");
    assert_has(&text, "test_latency_ms_bucket{destination=\"api\",le=\"+Inf\"} 5");
    assert_has(&text, "test_latency_ms_sum{destination=\"api\"} 100052.001");
    assert_has(&text, "test_latency_ms_count{destination=\"api\"} 5");
    assert_true(prometheus_text_check(text.bytes) > 0);
    text_done(&text);
}

static void a_histogram_in_seconds_shows_seconds(void **state)
{
    stats_record(stats_hold(writer, EXAMPLE_DETECT, NULL, 0), 2500);
    struct text text = {0};
    stats_write_prometheus(registry, &text);
    assert_has(&text, "test_detect_seconds_bucket{le=\"0.002\"} 0");
    assert_has(&text, "test_detect_seconds_bucket{le=\"0.003\"} 1");
    assert_has(&text, "test_detect_seconds_bucket{le=\"1\"} 1");
    assert_has(&text, "test_detect_seconds_sum 0.0025");
    assert_has(&text, "test_detect_seconds_count 1");
    assert_int_equal(prometheus_text_check(text.bytes), 2 + 28);
    text_done(&text);
}

static void a_statistic_without_series_is_left_out(void **state)
{
    struct text text = {0};
    stats_write_prometheus(registry, &text);
    assert_null(strstr(text.bytes, "test_requests_total"));
    assert_null(strstr(text.bytes, "test_latency_ms"));
    text_done(&text);
}

/* Every pair of bytes in a label value, with what ends a value, a line or a label set among them.
 */
static void hostile_label_values_cannot_break_out(void **state)
{
    static const struct span hostile[] = {
        {"\"} 1\nforged_total 7\n#", 22},
        {"a\\", 2},
        {"\\\"", 2},
        {"\\n", 2},
        {"", 0},
        {"{}=,\"", 5},
        {"\xc3", 1},
        {"<script>alert(1)</script>", 25},
        {"\x1b]0;title\x07", 10},
    };
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        STATS_HOLD(writer, EXAMPLE_REQUESTS, hostile[i], SPAN("200"));
    }
    for (unsigned pair = 0; pair < 65536; pair += 97) {
        char bytes[2] = {(char)(pair >> 8), (char)(pair & 0xff)};
        STATS_HOLD(writer, EXAMPLE_OPEN, span_make(bytes, 2));
        STATS_HOLD(writer, EXAMPLE_LATENCY, span_make(bytes, 2));
    }
    struct text text = {0};
    stats_write_prometheus(registry, &text);
    assert_true(prometheus_text_check(text.bytes) > 5000);
    assert_null(strstr(text.bytes, "\nforged_total"));
    text_clear(&text);
    stats_write_listing(registry, SPAN_EMPTY, &text);
    for (size_t i = 0; i < text.length; i++) {
        assert_true((unsigned char)text.bytes[i] >= ' ' || text.bytes[i] == '\n');
    }
    text_done(&text);
}

static void the_listing_is_for_people(void **state)
{
    stats_add(STATS_HOLD(writer, EXAMPLE_REQUESTS, SPAN("api"), SPAN("200")), 41);
    struct stats_cell *latency = STATS_HOLD(writer, EXAMPLE_LATENCY, SPAN("api"));
    for (int i = 0; i < 200; i++) {
        stats_record(latency, i < 180 ? 5000 : 5000 + (uint64_t)(i - 179) * 250);
    }
    STATS_HOLD(writer, EXAMPLE_LATENCY, SPAN("idle"));
    stats_record(STATS_HOLD(writer, EXAMPLE_LATENCY, SPAN("stuck")), 4000000000U);
    struct text text = {0};
    stats_write_listing(registry, SPAN_EMPTY, &text);
    assert_string_equal(
        text.bytes,
        "test_requests_total{destination=\"api\",code=\"200\"} 41\n"
        "test_starts_total 0\n"
        "test_left_ratio 0\n"
        "test_latency_ms{destination=\"stuck\"} count=1 mean=4000000 p50=inf p95=inf p99=inf\n"
        "test_latency_ms{destination=\"idle\"} count=0\n"
        "test_latency_ms{destination=\"api\"} count=200 mean=5.262 p50=4.888 p95=7.5 p99=9.5\n"
        "test_detect_seconds count=0\n");
    text_clear(&text);
    stats_write_listing(registry, SPAN("test_req"), &text);
    assert_string_equal(text.bytes, "test_requests_total{destination=\"api\",code=\"200\"} 41\n");
    text_clear(&text);
    stats_write_listing(registry, SPAN("nothing"), &text);
    assert_int_equal(text.length, 0);
    text_done(&text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(counters_and_gauges_are_one_line_each, make, destroy),
        cmocka_unit_test_setup_teardown(histograms_have_linkerds_bounds, make, destroy),
        cmocka_unit_test_setup_teardown(a_histogram_in_seconds_shows_seconds, make, destroy),
        cmocka_unit_test_setup_teardown(a_statistic_without_series_is_left_out, make, destroy),
        cmocka_unit_test_setup_teardown(hostile_label_values_cannot_break_out, make, destroy),
        cmocka_unit_test_setup_teardown(the_listing_is_for_people, make, destroy),
    };
    return TEST_MAIN(cases, argc, argv);
}
