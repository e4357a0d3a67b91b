#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "tests/unit/lib/http/http2_rig.h"

static struct exchange *ask(struct rig *rig)
{
    struct exchange *exchange = side_open(&rig->side);
    assert_non_null(exchange);
    rig_request(exchange, true);
    rig_go(rig);
    return exchange;
}

static void the_preface_and_a_request_go_out_at_once(void **state)
{
    struct rig rig;
    rig_client(&rig);
    text_clear(&rig.frames);
    struct exchange *exchange = side_open(&rig.side);
    rig_request(exchange, true);
    rig_go(&rig);
    assert_int_equal(rig.wire->writes, 1);
    struct frame frame;
    assert_true(reader_next(&rig.reader, &frame));
    assert_int_equal(frame.type, NGHTTP2_SETTINGS);
    assert_true(reader_until(&rig.reader, NGHTTP2_HEADERS, &frame));
    assert_string_equal(rig.reader.fields,
                        ":method: GET\n:scheme: http\n:path: /\n:authority: a.test\n");
    assert_int_equal(frame.flags, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM);
    rig_done(&rig);
}

static void a_response_with_early_heads_body_and_trailers_is_heard_in_order(void **state)
{
    struct rig rig;
    rig_client(&rig);
    struct exchange *exchange = ask(&rig);
    frames_add_head(&rig.frames, 1, 0, ":status: 103\nlink: a");
    frames_add_head(&rig.frames, 1, 0, ":status: 200\nserver: x");
    frames_add(&rig.frames, NGHTTP2_DATA, 0, 1, "hello", 5);
    frames_add_head(&rig.frames, 1, NGHTTP2_FLAG_END_STREAM,
                    "grpc-status: 0\nauthorization: no\ncontent-length: 9\nhost: evil\nte: x");
    rig_go(&rig);
    assert_int_equal(exchange->head_count, 2);
    assert_int_equal(exchange->heads[0]->status, 103);
    assert_int_equal(exchange->heads[1]->status, 200);
    assert_string_equal(exchange->body.bytes, "hello");
    assert_int_equal(exchange->trailers->count, 1);
    assert_int_equal(exchange->trailers->items[0].token, HEADER_GRPC_STATUS);
    assert_true(exchange->ended);
    assert_int_equal(rig.side.conn->streams, 0);
    rig_done(&rig);
}

struct bad_response {
    const char *fields;
    bool end;
    const char *body; /* NULL = none */
};

static void malformed_responses_end_the_stream_only(void **state)
{
    const struct bad_response bad[] = {
        {"server: x", true, NULL},
        {":status: 20", true, NULL},
        {":status: 2000", true, NULL},
        {":status: abc", true, NULL},
        {":status: 099", true, NULL},
        {":status: 101", false, NULL},
        {":status: 100", true, NULL},
        {":status: 200\n:status: 200", true, NULL},
        {"server: x\n:status: 200", true, NULL},
        {":status: 200\n:path: /", true, NULL},
        {":status: 200\nServer: x", true, NULL},
        {":status: 200\nconnection: close", true, NULL},
        {":status: 200\ntransfer-encoding: chunked", true, NULL},
        {":status: 200\nupgrade: x", true, NULL},
        {":status: 200\nx: a\rb", true, NULL},
        {":status: 200\nx:  blank in front", true, NULL},
        {":status: 200\nx y: a", true, NULL},
        {":status: 200\ncontent-length: 5", true, NULL},
        {":status: 200\ncontent-length: 5", false, "abc"},
        {":status: 200\ncontent-length: 2", false, "abc"},
        {":status: 200\ncontent-length: +3", false, "abc"},
        {":status: 200\ncontent-length: 3\ncontent-length: 3", false, "abc"},
        {":status: 204", false, "abc"},
        {":status: 304", false, "abc"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rig rig;
        rig_client(&rig);
        struct exchange *exchange = ask(&rig);
        frames_add_head(&rig.frames, 1, bad[i].end ? NGHTTP2_FLAG_END_STREAM : 0, bad[i].fields);
        if (bad[i].body != NULL) {
            frames_add(&rig.frames, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, bad[i].body,
                       strlen(bad[i].body));
        }
        rig_go(&rig);
        if (!exchange->reset || exchange->ended) {
            fail_msg("passed: %s", bad[i].fields);
        }
        assert_int_equal(exchange->failure, FAILURE_UPSTREAM_PROTOCOL);
        assert_false(rig.side.closed);
        assert_int_equal(rig.side.conn->streams, 0);
        rig_done(&rig);
    }
}

static void a_body_before_the_head_is_refused(void **state)
{
    struct rig rig;
    rig_client(&rig);
    struct exchange *exchange = ask(&rig);
    frames_add(&rig.frames, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "abc", 3);
    rig_go(&rig);
    assert_true(exchange->reset);
    rig_done(&rig);
}

static void too_many_early_heads_are_refused(void **state)
{
    struct rig rig;
    rig_client(&rig);
    struct exchange *exchange = ask(&rig);
    for (int i = 0; i < 17; i++) {
        frames_add_head(&rig.frames, 1, 0, ":status: 103");
    }
    rig_go(&rig);
    assert_int_equal(exchange->head_count, 16);
    assert_true(exchange->reset);
    rig_done(&rig);
}

static void goaway_tells_apart_what_was_processed(void **state)
{
    struct rig rig;
    rig_client(&rig);
    struct exchange *first = ask(&rig);
    struct exchange *second = ask(&rig);
    frames_add_goaway(&rig.frames, 1, NGHTTP2_NO_ERROR);
    rig_go(&rig);
    assert_true(rig.side.draining);
    assert_int_equal(http_conn_room(rig.side.conn), 0);
    assert_null(http_conn_open(rig.side.conn));
    assert_true(second->reset);
    assert_int_equal(second->failure, FAILURE_UPSTREAM_GOAWAY);
    assert_false(first->reset);
    frames_add_head(&rig.frames, 1, NGHTTP2_FLAG_END_STREAM, ":status: 200");
    rig_go(&rig);
    assert_true(first->ended);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_NONE);
    rig_done(&rig);
}

/* CVE-2021-32780, CVE-2023-35945 */
static void goaway_then_no_streams_then_a_reset_is_survived(void **state)
{
    struct rig rig;
    rig_client(&rig);
    struct exchange *first = ask(&rig);
    struct exchange *second = side_open(&rig.side);
    rig_request(second, true);
    frames_add_goaway(&rig.frames, 1, NGHTTP2_NO_ERROR);
    frames_add_settings(&rig.frames, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0);
    frames_add_u32(&rig.frames, NGHTTP2_RST_STREAM, 0, 1, NGHTTP2_CANCEL);
    rig_go(&rig);
    assert_true(first->reset);
    assert_int_equal(first->failure, FAILURE_UPSTREAM_RESET);
    assert_true(second->reset);
    assert_int_equal(second->failure, FAILURE_UPSTREAM_GOAWAY);
    assert_true(rig.side.closed);
    rig_done(&rig);
}

static void a_lower_limit_sends_unsent_requests_elsewhere(void **state)
{
    struct rig rig;
    rig_client(&rig);
    struct exchange *first = ask(&rig);
    wire_room(rig.wire, rig.wire->out.length);
    frames_add_settings(&rig.frames, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
    struct exchange *second = side_open(&rig.side);
    rig_request(second, true);
    frames_send(&rig.frames, rig.wire);
    rig_go(&rig);
    assert_false(first->reset);
    assert_true(second->reset);
    assert_int_equal(second->failure, FAILURE_UPSTREAM_REFUSED_STREAM);
    assert_int_equal(http_conn_room(rig.side.conn), 0);
    rig_done(&rig);
}

struct reset_code {
    uint32_t code;
    enum failure failure;
};

static void reset_codes_say_whether_the_request_was_seen(void **state)
{
    const struct reset_code codes[] = {
        {NGHTTP2_REFUSED_STREAM, FAILURE_UPSTREAM_REFUSED_STREAM},
        {NGHTTP2_CANCEL, FAILURE_UPSTREAM_RESET},
        {NGHTTP2_INTERNAL_ERROR, FAILURE_UPSTREAM_RESET},
        {NGHTTP2_NO_ERROR, FAILURE_UPSTREAM_RESET},
        {12345, FAILURE_UPSTREAM_RESET},
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct rig rig;
        rig_client(&rig);
        struct exchange *exchange = ask(&rig);
        frames_add_u32(&rig.frames, NGHTTP2_RST_STREAM, 0, 1, codes[i].code);
        rig_go(&rig);
        assert_true(exchange->reset);
        assert_int_equal(exchange->failure, codes[i].failure);
        rig_done(&rig);
    }
}

static void a_whole_response_and_then_no_error_is_no_failure(void **state)
{
    struct rig rig;
    rig_client(&rig);
    struct exchange *exchange = side_open(&rig.side);
    rig_request(exchange, false);
    rig_go(&rig);
    frames_add_head(&rig.frames, 1, NGHTTP2_FLAG_END_STREAM, ":status: 413");
    frames_add_u32(&rig.frames, NGHTTP2_RST_STREAM, 0, 1, NGHTTP2_NO_ERROR);
    rig_go(&rig);
    assert_true(exchange->ended);
    assert_false(exchange->reset);
    /* What is still sent goes nowhere, and the sender is not held up. */
    assert_int_equal(rig_send(exchange, "more", 4), 4);
    http_stream_send_end(exchange->stream);
    rig_go(&rig);
    rig_done(&rig);
}

static void the_peers_limit_bounds_the_room(void **state)
{
    struct rig rig;
    rig_client(&rig);
    frames_add_settings(&rig.frames, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2);
    rig_go(&rig);
    size_t before = rig.side.available;
    assert_int_equal(http_conn_room(rig.side.conn), 2);
    struct exchange *first = ask(&rig);
    ask(&rig);
    assert_int_equal(http_conn_room(rig.side.conn), 0);
    assert_null(side_open(&rig.side));
    assert_int_equal(rig.side.available, before);
    frames_add_head(&rig.frames, 1, NGHTTP2_FLAG_END_STREAM, ":status: 200");
    rig_go(&rig);
    assert_true(first->ended);
    assert_int_equal(rig.side.available, before + 1);
    assert_int_equal(http_conn_room(rig.side.conn), 1);
    rig_done(&rig);
}

static void a_peer_that_answers_no_ping_is_dead(void **state)
{
    struct rig rig;
    rig_client(&rig);
    struct exchange *exchange = ask(&rig);
    rig_wait_ms(&rig, 9000);
    assert_int_equal(reader_count(&rig.reader, NGHTTP2_PING), 0);
    rig_wait_ms(&rig, 2000);
    assert_int_equal(reader_count(&rig.reader, NGHTTP2_PING), 1);
    frames_add(&rig.frames, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "\0\0\0\0\0\0\0\0", 8);
    rig_go(&rig);
    rig_wait_ms(&rig, 9000);
    assert_false(rig.side.closed);
    rig_wait_ms(&rig, 15000);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_PING_TIMEOUT);
    assert_int_equal(exchange->failure, FAILURE_PING_TIMEOUT);
    rig_done(&rig);
}

static void an_idle_connection_sends_no_ping_and_ends_at_its_time(void **state)
{
    struct rig rig;
    rig_prepare(&rig);
    rig.limits.idle_timeout_ms = 60000;
    rig_open(&rig, false, false);
    rig_go(&rig);
    rig_wait_ms(&rig, 59000);
    assert_false(rig.side.closed);
    assert_int_equal(reader_count(&rig.reader, NGHTTP2_PING), 0);
    rig_wait_ms(&rig, 1500);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_NONE);
    rig_done(&rig);
}

static void a_connection_that_was_never_made_tells_why(void **state)
{
    struct rig rig;
    rig_prepare(&rig);
    wire_destroy(rig.wire);
    rig.wire = wire_create(rig.loop, false);
    rig_open(&rig, false, false);
    assert_int_equal(http_conn_room(rig.side.conn), 0);
    wire_fail(rig.wire, FAILURE_CONNECT_REFUSED);
    rig_go(&rig);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_CONNECT_REFUSED);
    rig_done(&rig);
}

static void a_lost_connection_tells_sent_from_unsent(void **state)
{
    struct rig rig;
    rig_client(&rig);
    struct exchange *sent = ask(&rig);
    struct exchange *unsent = side_open(&rig.side);
    wire_end(rig.wire);
    rig_go(&rig);
    assert_int_equal(sent->failure, FAILURE_UPSTREAM_CLOSED);
    assert_int_equal(unsent->failure, FAILURE_UPSTREAM_UNSENT);
    rig_done(&rig);
}

/* nginx CVE-2026-42926 */
static void what_is_not_clean_is_never_written(void **state)
{
    struct rig rig;
    rig_client(&rig);
    struct exchange *exchange = side_open(&rig.side);
    struct arena arena = {0};
    struct http_head head;
    http_head_init(&head, &arena);
    head.method = SPAN("GET");
    head.method_token = HTTP_METHOD_GET;
    head.scheme = SPAN("https");
    head.authority = SPAN("a.test");
    head.path = SPAN("/");
    head.accepts_trailers = true;
    headers_add(&head.headers, SPAN("X-Good"), SPAN("1"));
    headers_add(&head.headers, SPAN("x-bad"), SPAN("1\r\nx-evil: 2"));
    headers_add(&head.headers, SPAN("x-bad: 1\r\nx"), SPAN("2"));
    headers_add(&head.headers, SPAN("Connection"), SPAN("close"));
    headers_add(&head.headers, SPAN("Host"), SPAN("b.test"));
    http_stream_send_head(exchange->stream, &head, true);
    arena_done(&arena);
    rig_go(&rig);
    struct frame frame;
    assert_true(reader_until(&rig.reader, NGHTTP2_HEADERS, &frame));
    assert_string_equal(rig.reader.fields,
                        ":method: GET\n:scheme: https\n:path: /\n:authority: a.test\nx-good: 1\n"
                        "te: trailers\n");
    rig_done(&rig);
}

static void ask_for_upgrade(struct exchange *exchange)
{
    struct arena arena = {0};
    struct http_head head;
    http_head_init(&head, &arena);
    head.method = SPAN("GET");
    head.method_token = HTTP_METHOD_GET;
    head.scheme = SPAN("http");
    head.authority = SPAN("a.test");
    head.path = SPAN("/chat");
    head.upgrade = SPAN("websocket");
    http_stream_send_head(exchange->stream, &head, false);
    arena_done(&arena);
}

static void an_extended_connect_needs_the_peers_consent(void **state)
{
    for (int allowed = 0; allowed < 2; allowed++) {
        struct rig rig;
        rig_client(&rig);
        if (allowed) {
            frames_add_settings(&rig.frames, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
        }
        rig_go(&rig);
        struct exchange *exchange = side_open(&rig.side);
        ask_for_upgrade(exchange);
        rig_go(&rig);
        assert_int_equal(exchange->reset, !allowed);
        if (allowed) {
            struct frame frame;
            assert_true(reader_until(&rig.reader, NGHTTP2_HEADERS, &frame));
            assert_string_equal(rig.reader.fields,
                                ":method: CONNECT\n:protocol: websocket\n:scheme: http\n"
                                ":path: /chat\n:authority: a.test\n");
            frames_add_head(&rig.frames, frame.stream, 0, ":status: 200");
            rig_go(&rig);
            assert_int_equal(exchange->heads[0]->status, 101);
            assert_true(span_equal_text(exchange->heads[0]->upgrade, "websocket"));
        }
        rig_done(&rig);
    }
}

static void a_declined_upgrade_is_read_from_a_sidecar_only(void **state)
{
    static const struct {
        bool in_mesh;
        const char *fields;
        uint16_t status;
    } cases[] = {
        {true, ":status: 501\nx-remora-declined: 200", 200},
        {false, ":status: 501\nx-remora-declined: 200", 501},
        {true, ":status: 501\nx-remora-declined: 404", 501},
        {true, ":status: 501\nx-remora-declined: 2000", 501},
        {true, ":status: 501", 501},
        {true, ":status: 403\nx-remora-declined: 200", 403},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig rig;
        rig_prepare(&rig);
        rig_open(&rig, false, cases[i].in_mesh);
        frames_add_settings(&rig.frames, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
        rig_go(&rig);
        struct exchange *exchange = side_open(&rig.side);
        ask_for_upgrade(exchange);
        rig_go(&rig);
        struct frame frame;
        assert_true(reader_until(&rig.reader, NGHTTP2_HEADERS, &frame));
        frames_add_head(&rig.frames, frame.stream, 0, cases[i].fields);
        rig_go(&rig);
        assert_int_equal(exchange->heads[0]->status, cases[i].status);
        assert_int_equal(exchange->heads[0]->upgrade.length, 0);
        assert_int_equal(exchange->heads[0]->headers.count, 0);
        rig_done(&rig);
    }
}

static void a_connection_may_be_closed_in_every_callback(void **state)
{
    struct rig rig;
    rig_client(&rig);
    struct exchange *exchange = ask(&rig);
    http_conn_close(rig.side.conn, FAILURE_LOCAL_SHUTDOWN);
    assert_false(exchange->reset);
    assert_int_equal(rig_send(exchange, "x", 1), 1);
    http_stream_consume(exchange->stream, 1);
    loop_turn(rig.loop);
    assert_true(exchange->reset);
    assert_int_equal(exchange->failure, FAILURE_LOCAL_SHUTDOWN);
    assert_null(exchange->stream->conn);
    assert_true(rig.side.closed);
    assert_int_equal(rig_goaway(&rig), NGHTTP2_NO_ERROR);
    rig_done(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_preface_and_a_request_go_out_at_once),
        cmocka_unit_test(a_response_with_early_heads_body_and_trailers_is_heard_in_order),
        cmocka_unit_test(malformed_responses_end_the_stream_only),
        cmocka_unit_test(a_body_before_the_head_is_refused),
        cmocka_unit_test(too_many_early_heads_are_refused),
        cmocka_unit_test(goaway_tells_apart_what_was_processed),
        cmocka_unit_test(goaway_then_no_streams_then_a_reset_is_survived),
        cmocka_unit_test(a_lower_limit_sends_unsent_requests_elsewhere),
        cmocka_unit_test(reset_codes_say_whether_the_request_was_seen),
        cmocka_unit_test(a_whole_response_and_then_no_error_is_no_failure),
        cmocka_unit_test(the_peers_limit_bounds_the_room),
        cmocka_unit_test(a_peer_that_answers_no_ping_is_dead),
        cmocka_unit_test(an_idle_connection_sends_no_ping_and_ends_at_its_time),
        cmocka_unit_test(a_connection_that_was_never_made_tells_why),
        cmocka_unit_test(a_lost_connection_tells_sent_from_unsent),
        cmocka_unit_test(what_is_not_clean_is_never_written),
        cmocka_unit_test(an_extended_connect_needs_the_peers_consent),
        cmocka_unit_test(a_declined_upgrade_is_read_from_a_sidecar_only),
        cmocka_unit_test(a_connection_may_be_closed_in_every_callback),
    };
    return TEST_MAIN(cases, argc, argv);
}
