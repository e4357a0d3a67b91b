#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/grpc/grpc_channel.h"
#include "lib/grpc/grpc_server.h"
#include "lib/http/http_server.h"
#include "tests/unit/test_main.h"

/* A client and a server of ours over real loopback connections. */

struct bed {
    struct loop *loop;
    struct http_server *server;
    struct grpc_channel *channel;
    struct grpc_channel_watch watch;
    struct http_conn *conn;
    struct grpc_call *call;
    struct text got;
    unsigned messages, gone, half_closed;
    unsigned downs;
    bool done;
    enum grpc_code code;
    char message[64];
    char bearer[64];
};

static void *echo_call(void *service, struct grpc_served *served, const struct http_head *head,
                       const struct grpc_peer *peer)
{
    struct bed *bed = service;
    struct span token = grpc_bearer(head);
    snprintf(bed->bearer, sizeof(bed->bearer), "%.*s", SPAN_ARG(token));
    return bed;
}

static void echo_message(void *owner, struct grpc_served *served, struct span message)
{
    grpc_served_send(served, message);
}

static void echo_half_close(void *owner, struct grpc_served *served)
{
    struct bed *bed = owner;
    bed->half_closed++;
    grpc_served_finish(served, GRPC_OK, SPAN_EMPTY);
}

static void echo_gone(void *owner, struct grpc_served *served)
{
    struct bed *bed = owner;
    bed->gone++;
}

static void refuse_message(void *owner, struct grpc_served *served, struct span message)
{
    grpc_served_finish(served, GRPC_PERMISSION_DENIED, SPAN("not you: 100 %\n"));
}

static void hang_message(void *owner, struct grpc_served *served, struct span message)
{
}

static struct grpc_method methods[] = {
    {"/test.Echo/Talk", 0, echo_call, echo_message, echo_half_close, NULL, echo_gone, NULL},
    {"/test.Echo/Refuse", 0, echo_call, refuse_message, echo_half_close, NULL, echo_gone, NULL},
    {"/test.Echo/Hang", 0, echo_call, hang_message, NULL, NULL, echo_gone, NULL},
    {"/test.Echo/Small", 10, echo_call, echo_message, echo_half_close, NULL, echo_gone, NULL},
};

static void hang_half_close(void *owner, struct grpc_served *served)
{
}

static void on_stream(void *owner, struct http_stream *stream, const struct http_server_peer *peer)
{
    struct bed *bed = owner;
    struct grpc_peer who = {.identity = peer->identity, .address = SPAN("test")};
    grpc_serve(bed->loop, stream, methods, sizeof(methods) / sizeof(methods[0]), &who);
}

static const struct http_server_events server_events = {.on_stream = on_stream};

static void on_up(struct grpc_channel_watch *watch, struct http_conn *conn)
{
    struct bed *bed = CONTAINER_OF(watch, struct bed, watch);
    bed->conn = conn;
}

static void on_down(struct grpc_channel_watch *watch)
{
    struct bed *bed = CONTAINER_OF(watch, struct bed, watch);
    bed->conn = NULL;
    bed->downs++;
}

static void on_message(void *owner, struct span message)
{
    struct bed *bed = owner;
    bed->messages++;
    text_add(&bed->got, message);
}

static void on_done(void *owner, enum grpc_code code, struct span message)
{
    struct bed *bed = owner;
    bed->done = true;
    bed->code = code;
    snprintf(bed->message, sizeof(bed->message), "%.*s", SPAN_ARG(message));
}

static const struct grpc_call_events call_events = {.on_message = on_message, .on_done = on_done};

static bool is_up(void *owner)
{
    return ((struct bed *)owner)->conn != NULL;
}

static bool is_done(void *owner)
{
    return ((struct bed *)owner)->done;
}

static bool is_gone(void *owner)
{
    return ((struct bed *)owner)->gone > 0;
}

static void bed_listen(struct bed *bed, uint16_t port)
{
    struct http_server_options options = {0};
    int error = 0;
    address_parse_ip(SPAN("127.0.0.1"), &options.at);
    options.at.port = port;
    bed->server = http_server_open(bed->loop, &options, &server_events, bed, &error);
    assert_non_null(bed->server);
}

static struct bed *bed_open(void)
{
    struct bed *bed = NEW(struct bed);
    bed->loop = loop_create();
    methods[2].on_half_close = hang_half_close;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        methods[i].service = bed;
    }
    bed_listen(bed, 0);
    char target[ADDRESS_TEXT_BYTES];
    address_format(http_server_address(bed->server), target);
    struct grpc_channel_options channel = {.target = span_of(target)};
    bed->channel = grpc_channel_create(bed->loop, &channel);
    assert_non_null(bed->channel);
    bed->watch.on_up = on_up;
    bed->watch.on_down = on_down;
    grpc_channel_watch(bed->channel, &bed->watch);
    assert_true(loop_run_until(bed->loop, is_up, bed, 5000));
    return bed;
}

static bool no_connections(void *owner)
{
    return http_server_connections(((struct bed *)owner)->server) == 0;
}

static void bed_close(struct bed *bed)
{
    grpc_channel_destroy(bed->channel);
    loop_run_until(bed->loop, no_connections, bed, 2000);
    http_server_close(bed->server);
    loop_turn(bed->loop);
    loop_turn(bed->loop);
    loop_destroy(bed->loop);
    text_done(&bed->got);
    mem_free(bed);
}

static void bed_call(struct bed *bed, const char *path, int64_t timeout_ms)
{
    const struct grpc_metadata token = {SPAN("authorization"), SPAN("Bearer  secret")};
    struct grpc_call_options options = {
        .authority = grpc_channel_authority(bed->channel),
        .path = span_of(path),
        .metadata = &token,
        .metadata_count = 1,
        .timeout_ms = timeout_ms,
    };
    bed->call = grpc_call_start(bed->conn, &options, &call_events, bed);
    assert_non_null(bed->call);
}

static void messages_are_echoed_in_order_and_the_call_ends_ok(void **state)
{
    struct bed *bed = bed_open();
    bed_call(bed, "/test.Echo/Talk", 5000);
    grpc_call_send(bed->call, SPAN("one,"));
    grpc_call_send(bed->call, SPAN(""));
    grpc_call_send(bed->call, SPAN("two"));
    grpc_call_end(bed->call);
    assert_true(loop_run_until(bed->loop, is_done, bed, 5000));
    assert_int_equal(bed->code, GRPC_OK);
    assert_int_equal(bed->messages, 3);
    assert_string_equal(bed->got.bytes, "one,two");
    assert_string_equal(bed->bearer, "secret");
    assert_int_equal(bed->half_closed, 1);
    assert_true(loop_run_until(bed->loop, is_gone, bed, 5000));
    bed_close(bed);
}

static void a_large_message_passes_both_ways(void **state)
{
    enum { LARGE = 3 << 20 };
    struct bed *bed = bed_open();
    char *large = mem_alloc(LARGE);
    for (size_t i = 0; i < LARGE; i++) {
        large[i] = (char)(i * 31 >> 3);
    }
    bed_call(bed, "/test.Echo/Talk", 20000);
    grpc_call_send(bed->call, span_make(large, LARGE));
    grpc_call_end(bed->call);
    assert_true(loop_run_until(bed->loop, is_done, bed, 20000));
    assert_int_equal(bed->code, GRPC_OK);
    assert_int_equal(bed->got.length, LARGE);
    assert_memory_equal(bed->got.bytes, large, LARGE);
    mem_free(large);
    bed_close(bed);
}

static void a_refusal_brings_its_code_and_message(void **state)
{
    struct bed *bed = bed_open();
    bed_call(bed, "/test.Echo/Refuse", 5000);
    grpc_call_send(bed->call, SPAN("x"));
    assert_true(loop_run_until(bed->loop, is_done, bed, 5000));
    assert_int_equal(bed->code, GRPC_PERMISSION_DENIED);
    assert_string_equal(bed->message, "not you: 100 %\n");
    bed_close(bed);
}

static void an_unknown_method_is_unimplemented(void **state)
{
    struct bed *bed = bed_open();
    bed_call(bed, "/test.Echo/Nothing", 5000);
    grpc_call_end(bed->call);
    assert_true(loop_run_until(bed->loop, is_done, bed, 5000));
    assert_int_equal(bed->code, GRPC_UNIMPLEMENTED);
    bed_close(bed);
}

static void a_message_beyond_the_limit_is_refused(void **state)
{
    struct bed *bed = bed_open();
    bed_call(bed, "/test.Echo/Small", 5000);
    grpc_call_send(bed->call, SPAN("12345678901"));
    assert_true(loop_run_until(bed->loop, is_done, bed, 5000));
    assert_int_equal(bed->code, GRPC_RESOURCE_EXHAUSTED);
    bed_close(bed);
}

static void a_deadline_ends_a_call_that_nobody_answers(void **state)
{
    struct bed *bed = bed_open();
    bed_call(bed, "/test.Echo/Hang", 50);
    grpc_call_send(bed->call, SPAN("x"));
    assert_true(loop_run_until(bed->loop, is_done, bed, 5000));
    assert_int_equal(bed->code, GRPC_DEADLINE_EXCEEDED);
    assert_true(loop_run_until(bed->loop, is_gone, bed, 5000));
    bed_close(bed);
}

static void a_cancelled_call_is_silent_and_the_server_forgets_it(void **state)
{
    struct bed *bed = bed_open();
    bed_call(bed, "/test.Echo/Hang", 0);
    grpc_call_send(bed->call, SPAN("x"));
    loop_turn(bed->loop);
    grpc_call_cancel(bed->call);
    assert_true(loop_run_until(bed->loop, is_gone, bed, 5000) || bed->bearer[0] == '\0');
    assert_false(bed->done);
    bed_close(bed);
}

static void a_lost_connection_ends_calls_and_comes_back(void **state)
{
    struct bed *bed = bed_open();
    bed_call(bed, "/test.Echo/Hang", 0);
    grpc_call_send(bed->call, SPAN("x"));
    uint16_t port = http_server_address(bed->server)->port;
    http_server_close(bed->server);
    assert_true(loop_run_until(bed->loop, is_done, bed, 5000));
    assert_int_equal(bed->code, GRPC_UNAVAILABLE);
    assert_int_equal(bed->downs, 1);
    bed_listen(bed, port);
    assert_true(loop_run_until(bed->loop, is_up, bed, 10000));
    bed_close(bed);
}

static bool is_told(void *owner)
{
    return strstr(grpc_channel_error(owner), "connect_refused") != NULL;
}

static void a_server_that_cannot_be_reached_is_told_with_the_reason(void **state)
{
    struct bed *bed = bed_open();
    struct text wanted = {0};
    text_printf(&wanted, "127.0.0.1:%u: connect_refused: Connection refused",
                http_server_address(bed->server)->port);
    assert_string_equal(grpc_channel_error(bed->channel), "");
    http_server_close(bed->server);
    bed->server = NULL;
    assert_true(loop_run_until(bed->loop, is_told, bed->channel, 10000));
    assert_string_equal(grpc_channel_error(bed->channel), wanted.bytes);
    text_done(&wanted);
    bed_listen(bed, 0);
    bed_close(bed);
}

static void back_off_is_full_jitter_and_bounded(void **state)
{
    assert_int_equal(grpc_channel_backoff_ms(1, 0.999999), 499);
    assert_int_equal(grpc_channel_backoff_ms(2, 0.5), 500);
    assert_int_equal(grpc_channel_backoff_ms(7, 0.5), 15000);
    assert_int_equal(grpc_channel_backoff_ms(1000, 0.999999), 29999);
    assert_int_equal(grpc_channel_backoff_ms(3, 0), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(messages_are_echoed_in_order_and_the_call_ends_ok),
        cmocka_unit_test(a_large_message_passes_both_ways),
        cmocka_unit_test(a_refusal_brings_its_code_and_message),
        cmocka_unit_test(an_unknown_method_is_unimplemented),
        cmocka_unit_test(a_message_beyond_the_limit_is_refused),
        cmocka_unit_test(a_deadline_ends_a_call_that_nobody_answers),
        cmocka_unit_test(a_cancelled_call_is_silent_and_the_server_forgets_it),
        cmocka_unit_test(a_lost_connection_ends_calls_and_comes_back),
        cmocka_unit_test(a_server_that_cannot_be_reached_is_told_with_the_reason),
        cmocka_unit_test(back_off_is_full_jitter_and_bounded),
    };
    return TEST_MAIN(cases, argc, argv);
}
