#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/stats/writer.h"
#include "proxy/observe/flight_recorder.h"
#include "proxy/observe/observe.h"
#include "proxy/observe/proxy_stats.h"

#include <jansson.h>

struct bench {
    struct loop *loop;
    struct stats_registry *registry;
    struct observe *observe;
};

static void bench_open(struct bench *bench)
{
    bench->loop = loop_create_simulated(NS_PER_S);
    bench->registry = stats_registry_create(proxy_stats, PROXY_STAT_COUNT, 1, 0);
    bench->observe = observe_create(bench->loop, bench->registry, 0);
    /* Standard output is for the results of the test. */
    const struct xds_workload quiet = {
        .access_log = XDS_ACCESS_LOG_OFF, .renew_from = 0.5, .renew_to = 0.6};
    struct xds_error error = {{0}};
    struct workload_config *workload = workload_config_create(&quiet, &error);
    observe_configure(bench->observe, workload);
    workload_config_unref(workload);
}

static void bench_close(struct bench *bench)
{
    observe_destroy(bench->observe);
    loop_destroy(bench->loop);
    stats_registry_destroy(bench->registry);
}

#define COUNT(bench, stat, ...)                                                                    \
    count_of(bench, stat, (const struct span[]){__VA_ARGS__},                                      \
             sizeof((const struct span[]){__VA_ARGS__}) / sizeof(struct span))
static uint64_t count_of(const struct bench *bench, unsigned stat, const struct span *labels,
                         size_t count)
{
    struct stats_series *series = stats_lookup(bench->registry, stat, labels, count);
    return series != NULL ? stats_counter_value(series) : 0;
}

static struct request_record record_of(void)
{
    return (struct request_record){.protocol = RECORD_HTTP2,
                                   .status = 200,
                                   .grpc_status = -1,
                                   .attempts = 1,
                                   .source_workload = SPAN("web"),
                                   .source_namespace = SPAN("shop"),
                                   .destination_service = SPAN("api"),
                                   .destination_namespace = SPAN("shop"),
                                   .destination_workload = SPAN("api-v1"),
                                   .destination_version = SPAN("v1"),
                                   .route = SPAN("shop/r/0"),
                                   .opened_ns = NS_PER_S,
                                   .upstream_ns = NS_PER_S + NS_PER_MS,
                                   .first_byte_ns = NS_PER_S + 4 * NS_PER_MS,
                                   .done_ns = NS_PER_S + 10 * NS_PER_MS};
}

static uint64_t total_of(const struct bench *bench, unsigned stat)
{
    uint64_t total = 0;
    for (struct stats_series *series = stats_first(bench->registry, stat); series != NULL;
         series = stats_next(series)) {
        total += stats_counter_value(series);
    }
    return total;
}

static void a_request_is_counted_under_who_called_whom(void **state)
{
    struct bench bench;
    bench_open(&bench);
    struct request_record record = record_of();
    record.mtls_upstream = true;
    observe_request(bench.observe, &record);
    observe_request(bench.observe, &record);
    record.failure = FAILURE_NO_ENDPOINT;
    record.status = 503;
    record.mtls_upstream = false;
    observe_request(bench.observe, &record);
    assert_int_equal(COUNT(&bench, PROXY_STAT_REQUESTS, SPAN("outbound"), SPAN("web"), SPAN("shop"),
                           SPAN("api"), SPAN("shop"), SPAN("api-v1"), SPAN("shop/r/0"), SPAN("200"),
                           SPAN("none"), SPAN("true")),
                     2);
    assert_int_equal(COUNT(&bench, PROXY_STAT_REQUESTS, SPAN("outbound"), SPAN("web"), SPAN("shop"),
                           SPAN("api"), SPAN("shop"), SPAN("api-v1"), SPAN("shop/r/0"), SPAN("503"),
                           SPAN("no_endpoint"), SPAN("false")),
                     1);
    const struct span labels[] = {SPAN("outbound"), SPAN("web"), SPAN("api"),
                                  SPAN("shop"),     SPAN("v1"),  SPAN("shop/r/0")};
    struct distribution duration = {0};
    struct stats_series *series =
        stats_lookup(bench.registry, PROXY_STAT_REQUEST_DURATION, labels, 6);
    assert_non_null(series);
    stats_histogram_value(series, &duration);
    assert_int_equal(duration.sum_us, 30000);
    bench_close(&bench);
}

static void the_side_of_the_connection_decides_whether_it_was_mutual_tls(void **state)
{
    struct bench bench;
    bench_open(&bench);
    struct request_record record = record_of();
    record.direction = RECORD_INBOUND;
    record.mtls_upstream = true;
    record.mtls_downstream = false;
    record.source_workload = SPAN_EMPTY;
    record.source_namespace = SPAN_EMPTY;
    observe_request(bench.observe, &record);
    assert_int_equal(COUNT(&bench, PROXY_STAT_REQUESTS, SPAN("inbound"), SPAN("unknown"),
                           SPAN("unknown"), SPAN("api"), SPAN("shop"), SPAN("api-v1"),
                           SPAN("shop/r/0"), SPAN("200"), SPAN("none"), SPAN("false")),
                     1);
    bench_close(&bench);
}

static void grpc_statuses_are_counted_apart(void **state)
{
    struct bench bench;
    bench_open(&bench);
    struct request_record record = record_of();
    observe_request(bench.observe, &record);
    assert_int_equal(total_of(&bench, PROXY_STAT_GRPC), 0);
    record.grpc_status = 0;
    observe_request(bench.observe, &record);
    record.grpc_status = 14;
    observe_request(bench.observe, &record);
    assert_int_equal(
        COUNT(&bench, PROXY_STAT_GRPC, SPAN("outbound"), SPAN("api"), SPAN("shop"), SPAN("14")), 1);
    assert_int_equal(total_of(&bench, PROXY_STAT_GRPC), 2);
    bench_close(&bench);
}

static void a_denied_retry_counts_only_where_the_request_failed(void **state)
{
    struct bench bench;
    bench_open(&bench);
    struct request_record record = record_of();
    record.retry_denied = "budget";
    observe_request(bench.observe, &record);
    assert_int_equal(total_of(&bench, PROXY_STAT_RETRY_DENIED), 0);
    record.status = 503;
    observe_request(bench.observe, &record);
    assert_int_equal(COUNT(&bench, PROXY_STAT_RETRY_DENIED, SPAN("budget")), 1);
    observe_retry(bench.observe, "retry", NULL);
    assert_int_equal(COUNT(&bench, PROXY_STAT_RETRIES, SPAN("retry")), 1);
    bench_close(&bench);
}

static void opaque_connections_are_counted_when_they_open_and_close(void **state)
{
    struct bench bench;
    bench_open(&bench);
    struct request_record record = record_of();
    struct tcp_cells cells;
    record.protocol = RECORD_TCP;
    observe_tcp_opened(bench.observe, &record, &cells);
    assert_int_equal(total_of(&bench, PROXY_STAT_TCP_OPENED), 1);
    assert_int_equal(total_of(&bench, PROXY_STAT_TCP_CLOSED), 0);
    record.failure = FAILURE_UPSTREAM_RESET;
    observe_tcp_closed(bench.observe, &record, &cells);
    assert_int_equal(COUNT(&bench, PROXY_STAT_TCP_CLOSED, SPAN("outbound"), SPAN("web"),
                           SPAN("api"), SPAN("shop"), SPAN("upstream_reset")),
                     1);
    assert_null(cells.received);
    bench_close(&bench);
}

static void bytes_of_opaque_connections_are_counted_while_they_move(void **state)
{
    struct bench bench;
    bench_open(&bench);
    struct request_record record = record_of();
    struct tcp_cells first;
    struct tcp_cells second;
    record.protocol = RECORD_TCP;
    observe_tcp_opened(bench.observe, &record, &first);
    observe_tcp_opened(bench.observe, &record, &second);
    observe_tcp_moved(&first, 100, 7);
    observe_tcp_moved(&second, 1, 0);
    assert_int_equal(COUNT(&bench, PROXY_STAT_TCP_RECEIVED, SPAN("outbound"), SPAN("web"),
                           SPAN("api"), SPAN("shop")),
                     101);
    observe_tcp_closed(bench.observe, &record, &first);
    observe_tcp_moved(&second, 0, 3);
    observe_tcp_closed(bench.observe, &record, &second);
    assert_int_equal(total_of(&bench, PROXY_STAT_TCP_RECEIVED), 101);
    assert_int_equal(total_of(&bench, PROXY_STAT_TCP_SENT), 10);
    bench_close(&bench);
}

static void refused_and_plain_connections_are_counted(void **state)
{
    struct bench bench;
    bench_open(&bench);
    struct address from;
    address_parse(SPAN("[fd00::1]:40000"), &from);
    observe_refused(bench.observe, RECORD_INBOUND, FAILURE_PLAINTEXT_REFUSED, &from, 8080);
    observe_plaintext(bench.observe, &from, 9100);
    observe_detected(bench.observe, "http1", -5);
    assert_int_equal(
        COUNT(&bench, PROXY_STAT_REFUSED, SPAN("inbound"), SPAN("plaintext_refused"), SPAN("8080")),
        1);
    assert_int_equal(COUNT(&bench, PROXY_STAT_PLAINTEXT, SPAN("fd00::1"), SPAN("9100")), 1);
    assert_int_equal(COUNT(&bench, PROXY_STAT_DETECTED, SPAN("http1")), 1);
    bench_close(&bench);
}

static void hostile_names_fold_into_other_and_nothing_is_lost(void **state)
{
    enum { NAMES = 20000 };
    struct bench bench;
    bench_open(&bench);
    struct request_record record = record_of();
    for (unsigned i = 0; i < NAMES; i++) {
        char name[40];
        snprintf(name, sizeof(name), "caller-%u\n\xff\"", i);
        record.source_workload = span_of(name);
        observe_request(bench.observe, &record);
    }
    size_t series = 0;
    for (struct stats_series *one = stats_first(bench.registry, PROXY_STAT_REQUESTS); one != NULL;
         one = stats_next(one)) {
        series++;
    }
    assert_in_range(series, 2, STATS_SERIES_PER_NAME + 1);
    assert_int_equal(total_of(&bench, PROXY_STAT_REQUESTS), NAMES);
    const struct span other = SPAN("other");
    assert_int_equal(COUNT(&bench, PROXY_STAT_REQUESTS, other, other, other, other, other, other,
                           other, other, other, other),
                     NAMES - (series - 1));
    bench_close(&bench);
}

static void the_recorder_keeps_what_failed_or_was_slow_newest_first(void **state)
{
    struct bench bench;
    bench_open(&bench);
    struct request_record record = record_of();
    observe_request(bench.observe, &record); /* neither */
    record.path = SPAN("/slow");
    record.done_ns = record.opened_ns + RECORDER_SLOW_MS * NS_PER_MS;
    observe_request(bench.observe, &record);
    record = record_of();
    record.path = SPAN("/failed");
    record.status = 500;
    observe_request(bench.observe, &record);
    struct text text = {0};
    observe_recorded(bench.observe, &text);
    json_error_t error;
    json_t *list = json_loadb(text.bytes, text.length, 0, &error);
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "path")),
                        "/failed");
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "path")),
                        "/slow");
    json_decref(list);
    text_done(&text);
    bench_close(&bench);
}

static void the_recorder_is_a_ring_and_long_tunnels_are_not_slow(void **state)
{
    struct flight_recorder recorder = {0};
    struct request_record record = record_of();
    record.protocol = RECORD_TCP;
    record.status = 0;
    record.done_ns = record.opened_ns + 3600 * NS_PER_S;
    flight_recorder_note(&recorder, &record);
    assert_null(recorder.lines[0]);
    record.failure = FAILURE_UPSTREAM_RESET;
    for (unsigned i = 0; i < RECORDER_ENTRIES + 10; i++) {
        record.attempts = (uint8_t)i;
        flight_recorder_note(&recorder, &record);
    }
    struct text text = {0};
    flight_recorder_write(&recorder, &text);
    json_error_t error;
    json_t *list = json_loadb(text.bytes, text.length, 0, &error);
    assert_int_equal(json_array_size(list), RECORDER_ENTRIES);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "attempts")), 9);
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(list, RECORDER_ENTRIES - 1), "attempts")),
        10);
    json_decref(list);
    text_done(&text);
    flight_recorder_done(&recorder);
}

static void every_statistic_is_declared_well(void **state)
{
    struct text table = {0};
    stats_declaration_table(proxy_stats, PROXY_STAT_COUNT, &table);
    assert_true(table.length > 1000);
    text_done(&table);
    /* A faulty declaration stops the program here. */
    stats_registry_destroy(stats_registry_create(proxy_stats, PROXY_STAT_COUNT, 1, 0));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_request_is_counted_under_who_called_whom),
        cmocka_unit_test(the_side_of_the_connection_decides_whether_it_was_mutual_tls),
        cmocka_unit_test(grpc_statuses_are_counted_apart),
        cmocka_unit_test(a_denied_retry_counts_only_where_the_request_failed),
        cmocka_unit_test(opaque_connections_are_counted_when_they_open_and_close),
        cmocka_unit_test(bytes_of_opaque_connections_are_counted_while_they_move),
        cmocka_unit_test(refused_and_plain_connections_are_counted),
        cmocka_unit_test(hostile_names_fold_into_other_and_nothing_is_lost),
        cmocka_unit_test(the_recorder_keeps_what_failed_or_was_slow_newest_first),
        cmocka_unit_test(the_recorder_is_a_ring_and_long_tunnels_are_not_slow),
        cmocka_unit_test(every_statistic_is_declared_well),
    };
    return TEST_MAIN(cases, argc, argv);
}
