#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/grpc/grpc_server.h"
#include "lib/http/http_server.h"
#include "lib/stats/writer.h"
#include "proxy/discovery/load_reporter.h"
#include "proxy/observe/proxy_stats.h"
#include "tests/unit/test_main.h"

/* A reporter and a server that writes down what it gets, over loopback. */

enum { PATIENCE_MS = 10000, FAST_MS = LOAD_REPORTER_LEAST_MS };

struct bed {
    struct loop *loop;
    struct address at;
    struct http_server *server;
    struct grpc_channel *channel;
    struct grpc_channel_watch watch;
    bool up;
    struct stats_registry *registry;
    struct stats_writer *writer;
    struct load_reporter *reporter;
    struct grpc_served *served; /* the stream that is open */
    struct arena arena;         /* of the answer */
    struct span answer;         /* to each report; empty = none */
    bool refuse;
    bool unimplemented;
    unsigned streams, reports;
    uint64_t requests; /* sum */
    uint64_t last_interval_ms;
    uint64_t wanted; /* of the conditions */
};

static void *on_call(void *service, struct grpc_served *served, const struct http_head *head,
                     const struct grpc_peer *peer)
{
    struct bed *bed = service;
    (void)head;
    (void)peer;
    bed->streams++;
    bed->served = served;
    return bed;
}

static void on_message(void *owner, struct grpc_served *served, struct span message)
{
    struct bed *bed = owner;
    struct arena arena = {0};
    struct xds_load_report report;
    struct xds_error error;
    assert_true(xds_load_report_decode(message, &arena, &report, &error));
    assert_true(span_equal(report.node_id, SPAN("web-1.shop")));
    assert_true(report.interval_ms > 0);
    for (uint32_t i = 0; i < report.service_count; i++) {
        bed->requests += report.services[i].requests;
    }
    bed->reports++;
    bed->last_interval_ms = report.interval_ms;
    arena_done(&arena);
    if (bed->refuse) {
        grpc_served_finish(served, GRPC_INVALID_ARGUMENT, SPAN("the test refuses it"));
    } else if (bed->answer.length > 0) {
        grpc_served_send(served, bed->answer);
    }
}

static void on_half_close(void *owner, struct grpc_served *served)
{
    (void)owner;
    grpc_served_finish(served, GRPC_OK, SPAN_EMPTY);
}

static void on_gone(void *owner, struct grpc_served *served)
{
    struct bed *bed = owner;
    if (bed->served == served) {
        bed->served = NULL;
    }
}

static void on_stream(void *owner, struct http_stream *stream, const struct http_server_peer *peer)
{
    static struct grpc_method method;
    struct bed *bed = owner;
    (void)peer;
    method = (struct grpc_method){
        .path = bed->unimplemented ? "/test/Other" : XDS_PATH_LOAD,
        .on_call = on_call,
        .on_message = on_message,
        .on_half_close = on_half_close,
        .on_gone = on_gone,
        .service = bed,
    };
    bed->streams += bed->unimplemented;
    grpc_serve(bed->loop, stream, &method, 1, &(struct grpc_peer){0});
}

static const struct http_server_events server_events = {.on_stream = on_stream};

static void listen_at(struct bed *bed)
{
    int error;
    const struct http_server_options options = {.at = bed->at};
    bed->server = http_server_open(bed->loop, &options, &server_events, bed, &error);
    assert_non_null(bed->server);
    bed->at = *http_server_address(bed->server);
}

static void on_up(struct grpc_channel_watch *watch, struct http_conn *conn)
{
    (void)conn;
    CONTAINER_OF(watch, struct bed, watch)->up = true;
}

static void on_down(struct grpc_channel_watch *watch)
{
    CONTAINER_OF(watch, struct bed, watch)->up = false;
}

static bool service_of(void *owner, struct span cluster, bool *ret_inbound,
                       struct span *ret_service, struct span *ret_namespace)
{
    (void)owner;
    (void)cluster;
    (void)ret_inbound;
    (void)ret_service;
    (void)ret_namespace;
    return false;
}

static struct span version_of(void *owner, struct span namespace_name, struct span service,
                              struct span workload)
{
    (void)owner;
    (void)namespace_name;
    (void)service;
    (void)workload;
    return SPAN_EMPTY;
}

static const struct load_names names = {service_of, version_of};

static bool is_up(void *owner)
{
    return ((struct bed *)owner)->up;
}

static bool is_down(void *owner)
{
    return !is_up(owner);
}

static bool has_reports(void *owner)
{
    const struct bed *bed = owner;
    return bed->reports >= bed->wanted;
}

static bool has_requests(void *owner)
{
    const struct bed *bed = owner;
    return bed->requests >= bed->wanted;
}

static bool has_streams(void *owner)
{
    const struct bed *bed = owner;
    return bed->streams >= bed->wanted;
}

static bool is_fast(void *owner)
{
    const struct bed *bed = owner;
    return bed->reports >= bed->wanted && bed->last_interval_ms < LOAD_REPORTER_MS / 2;
}

static bool until_passed(void *owner)
{
    const struct bed *bed = owner;
    return loop_now_ns(bed->loop) >= (int64_t)bed->wanted;
}

static void pass(struct bed *bed, int64_t ms)
{
    bed->wanted = (uint64_t)(loop_now_ns(bed->loop) + ms * NS_PER_MS);
    assert_true(loop_run_until(bed->loop, until_passed, bed, PATIENCE_MS));
}

static void until(struct bed *bed, bool (*condition)(void *owner), uint64_t wanted)
{
    bed->wanted = wanted;
    assert_true(loop_run_until(bed->loop, condition, bed, PATIENCE_MS));
}

static void count_requests(struct bed *bed, uint64_t amount)
{
    const struct span none = SPAN("none");
    stats_add(STATS_FIND(bed->writer, loop_now_ns(bed->loop), PROXY_STAT_REQUESTS, SPAN("outbound"),
                         SPAN("web"), SPAN("shop"), SPAN("api"), SPAN("shop"), SPAN("api-v1"),
                         SPAN("route"), SPAN("200"), none, SPAN("true")),
              amount);
}

static struct bed *bed_open(void)
{
    struct bed *bed = NEW(struct bed);
    char target[ADDRESS_TEXT_BYTES];
    bed->loop = loop_create();
    bed->at = (struct address){.family = 4, .bytes = {127, 0, 0, 1}};
    listen_at(bed);
    address_format(&bed->at, target);
    bed->channel =
        grpc_channel_create(bed->loop, &(struct grpc_channel_options){.target = span_of(target)});
    assert_non_null(bed->channel);
    bed->registry = stats_registry_create(proxy_stats, PROXY_STAT_COUNT, 1, 0);
    bed->writer = stats_writer_create(bed->registry);
    bed->reporter = load_reporter_create(
        bed->channel, load_report_create(bed->registry, SPAN("web-1.shop"), SPAN("v1"), &names,
                                         NULL, loop_now_ns(bed->loop)));
    bed->watch.on_up = on_up;
    bed->watch.on_down = on_down;
    grpc_channel_watch(bed->channel, &bed->watch);
    assert_true(loop_run_until(bed->loop, is_up, bed, PATIENCE_MS));
    return bed;
}

static bool no_connections(void *owner)
{
    const struct bed *bed = owner;
    return http_server_connections(bed->server) == 0;
}

static void bed_close(struct bed *bed)
{
    load_reporter_destroy(bed->reporter);
    grpc_channel_destroy(bed->channel);
    loop_run_until(bed->loop, no_connections, bed, PATIENCE_MS);
    http_server_close(bed->server);
    for (int i = 0; i < 4; i++) {
        loop_turn(bed->loop);
    }
    stats_writer_destroy(bed->writer);
    stats_registry_destroy(bed->registry);
    loop_destroy(bed->loop);
    arena_done(&bed->arena);
    mem_free(bed);
}

static void answer_with(struct bed *bed, uint64_t interval_ms)
{
    bed->answer = xds_load_answer_encode(interval_ms, &bed->arena);
}

static void there_is_no_stream_before_discovery_is_connected(void **state)
{
    struct bed *bed = bed_open();
    (void)state;
    pass(bed, LOAD_REPORTER_MS + FAST_MS);
    assert_int_equal(bed->streams, 0);
    load_reporter_connected(bed->reporter, true);
    until(bed, has_reports, 1);
    assert_int_equal(bed->streams, 1);
    bed_close(bed);
}

static void traffic_is_told_once_and_as_often_as_the_server_asks(void **state)
{
    struct bed *bed = bed_open();
    (void)state;
    answer_with(bed, FAST_MS);
    load_reporter_connected(bed->reporter, true);
    count_requests(bed, 5);
    until(bed, has_requests, 5);
    until(bed, is_fast, 3);
    count_requests(bed, 2);
    until(bed, has_requests, 7);
    until(bed, has_reports, bed->reports + 2);
    assert_int_equal(bed->requests, 7);
    assert_int_equal(bed->streams, 1);
    bed_close(bed);
}

static void an_interval_below_the_bound_is_brought_within(void **state)
{
    struct bed *bed = bed_open();
    (void)state;
    answer_with(bed, 1);
    load_reporter_connected(bed->reporter, true);
    count_requests(bed, 1);
    until(bed, is_fast, 2);
    assert_true(bed->last_interval_ms >= LOAD_REPORTER_LEAST_MS - 1);
    bed_close(bed);
}

static void an_interval_beyond_the_bound_is_brought_within(void **state)
{
    struct bed *bed = bed_open();
    (void)state;
    answer_with(bed, UINT64_MAX);
    load_reporter_connected(bed->reporter, true);
    count_requests(bed, 1);
    until(bed, has_reports, 1);
    pass(bed, 2 * LOAD_REPORTER_MS);
    assert_int_equal(bed->reports, 1);
    bed_close(bed);
}

static void without_traffic_only_heartbeats_are_sent(void **state)
{
    struct bed *bed = bed_open();
    (void)state;
    answer_with(bed, FAST_MS);
    load_reporter_connected(bed->reporter, true);
    until(bed, has_reports, 1);
    int64_t first_ns = loop_now_ns(bed->loop);
    until(bed, has_reports, 2);
    int64_t passed_ms = (loop_now_ns(bed->loop) - first_ns) / NS_PER_MS;
    assert_true(passed_ms >= LOAD_REPORTER_HEARTBEAT_MS - FAST_MS);
    bed_close(bed);
}

static void a_malformed_answer_changes_nothing(void **state)
{
    struct bed *bed = bed_open();
    (void)state;
    bed->answer = SPAN("\xff\xff\xff");
    load_reporter_connected(bed->reporter, true);
    count_requests(bed, 1);
    until(bed, has_reports, 2);
    assert_true(bed->last_interval_ms >= LOAD_REPORTER_MS / 2);
    assert_int_equal(bed->streams, 1);
    bed_close(bed);
}

static void a_stream_that_the_server_ends_is_begun_again(void **state)
{
    struct bed *bed = bed_open();
    (void)state;
    bed->refuse = true;
    load_reporter_connected(bed->reporter, true);
    until(bed, has_reports, 1);
    bed->refuse = false;
    until(bed, has_streams, 2);
    count_requests(bed, 3);
    until(bed, has_requests, 3);
    bed_close(bed);
}

static void a_server_without_the_service_is_asked_once_a_connection(void **state)
{
    struct bed *bed = bed_open();
    (void)state;
    bed->unimplemented = true;
    load_reporter_connected(bed->reporter, true);
    until(bed, has_streams, 1);
    pass(bed, 2 * LOAD_REPORTER_MS);
    assert_int_equal(bed->streams, 1);
    http_server_close(bed->server);
    assert_true(loop_run_until(bed->loop, is_down, bed, PATIENCE_MS));
    bed->unimplemented = false;
    listen_at(bed);
    until(bed, has_reports, 1);
    bed_close(bed);
}

static void a_new_connection_does_not_tell_of_the_time_without_one(void **state)
{
    struct bed *bed = bed_open();
    (void)state;
    answer_with(bed, FAST_MS);
    load_reporter_connected(bed->reporter, true);
    count_requests(bed, 1);
    until(bed, has_requests, 1);
    until(bed, is_fast, bed->reports + 1);
    http_server_close(bed->server);
    assert_true(loop_run_until(bed->loop, is_down, bed, PATIENCE_MS));
    count_requests(bed, 1000);
    pass(bed, 3 * FAST_MS);
    listen_at(bed);
    until(bed, has_streams, 2);
    count_requests(bed, 5);
    until(bed, has_requests, 6);
    assert_int_equal(bed->requests, 6);
    bed_close(bed);
}

static void it_may_be_destroyed_with_a_stream_open_and_with_none(void **state)
{
    (void)state;
    struct bed *bed = bed_open();
    bed_close(bed);
    bed = bed_open();
    load_reporter_connected(bed->reporter, true);
    until(bed, has_streams, 1);
    bed_close(bed);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(there_is_no_stream_before_discovery_is_connected),
        cmocka_unit_test(traffic_is_told_once_and_as_often_as_the_server_asks),
        cmocka_unit_test(an_interval_below_the_bound_is_brought_within),
        cmocka_unit_test(an_interval_beyond_the_bound_is_brought_within),
        cmocka_unit_test(without_traffic_only_heartbeats_are_sent),
        cmocka_unit_test(a_malformed_answer_changes_nothing),
        cmocka_unit_test(a_stream_that_the_server_ends_is_begun_again),
        cmocka_unit_test(a_server_without_the_service_is_asked_once_a_connection),
        cmocka_unit_test(a_new_connection_does_not_tell_of_the_time_without_one),
        cmocka_unit_test(it_may_be_destroyed_with_a_stream_open_and_with_none),
    };
    return TEST_MAIN(cases, argc, argv);
}
