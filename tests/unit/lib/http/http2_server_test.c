#include "tests/unit/test_main.h"

#include "tests/unit/lib/http/http2_rig.h"

static void a_request_is_answered(void **state)
{
    struct rig rig;
    rig_server(&rig);
    frames_add_head(&rig.frames, 1, NGHTTP2_FLAG_END_STREAM,
                    ":method: GET\n:scheme: HTTP\n:authority: a.test\n:path: /x?y\ncookie: a=1\n"
                    "x-one: 1\ncookie: b=2\nte: trailers");
    rig_go(&rig);
    assert_int_equal(rig.side.count, 1);
    struct exchange *exchange = rig.side.exchanges[0];
    assert_true(exchange->ended);
    struct http_head *head = exchange->heads[0];
    assert_true(span_equal_text(head->method, "GET"));
    assert_true(span_equal_text(head->scheme, "http"));
    assert_true(span_equal_text(head->path, "/x?y"));
    assert_true(span_equal_text(head->authority, "a.test"));
    assert_true(head->accepts_trailers);
    assert_false(head->has_body);
    assert_int_equal(head->headers.count, 2);
    assert_true(span_equal_text(headers_value(&head->headers, HEADER_COOKIE), "a=1; b=2"));
    rig_respond(exchange, 200, false);
    rig_send(exchange, "hello", 5);
    http_stream_send_end(exchange->stream);
    loop_advance(rig.loop, 0);
    struct frame frame;
    assert_true(reader_until(&rig.reader, NGHTTP2_HEADERS, &frame));
    assert_string_equal(rig.reader.fields, ":status: 200\n");
    assert_true(reader_next(&rig.reader, &frame));
    assert_int_equal(frame.type, NGHTTP2_DATA);
    assert_int_equal(frame.flags, NGHTTP2_FLAG_END_STREAM);
    assert_memory_equal(frame.payload, "hello", 5);
    assert_int_equal(rig.side.conn->streams, 0);
    assert_false(exchange->reset);
    rig_done(&rig);
}

struct bad_request {
    const char *fields;
    const char *body; /* NULL = none */
};

static void malformed_requests_are_reset_and_never_handed_up(void **state)
{
#define GOOD ":method: GET\n:scheme: http\n:path: /\n:authority: a"
    const struct bad_request bad[] = {
        {":scheme: http\n:path: /\n:authority: a", NULL},
        {":method: GET\n:path: /\n:authority: a", NULL},
        {":method: GET\n:scheme: http\n:authority: a", NULL},
        {":method: GET\n:scheme: ftp\n:path: /\n:authority: a", NULL},
        {":method: GET\n:scheme: http\n:path: \n:authority: a", NULL},
        {":method: \n:scheme: http\n:path: /\n:authority: a", NULL},
        {":method: G T\n:scheme: http\n:path: /\n:authority: a", NULL},
        {":method: GET\n:scheme: http\n:path: /\n:authority: ", NULL},
        {":method: GET\n:scheme: http\n:path: /\n:authority: a b", NULL},
        {":method: GET\n:scheme: http\n:path: /\n:authority: u@a", NULL},
        {GOOD "\n:method: GET", NULL},
        {GOOD "\n:path: /", NULL},
        {GOOD "\n:scheme: http", NULL},
        {GOOD "\n:authority: a", NULL},
        {GOOD "\n:status: 200", NULL},
        {GOOD "\n:unknown: x", NULL},
        {GOOD "\n:protocol: websocket", NULL},
        {"x: y\n" GOOD, NULL},
        {GOOD "\nUpper: x", NULL},
        {GOOD "\nconnection: close", NULL},
        {GOOD "\nkeep-alive: 1", NULL},
        {GOOD "\nproxy-connection: x", NULL},
        {GOOD "\ntransfer-encoding: chunked", NULL},
        {GOOD "\nupgrade: h2c", NULL},
        {GOOD "\nte: gzip", NULL},
        {GOOD "\nhost: b", NULL},
        {GOOD "\nhost: a\nhost: a", NULL},
        {GOOD "\nx: a\rb", NULL},
        {GOOD "\nx:  a", NULL},
        {GOOD "\nx: a ", NULL},
        {GOOD "\nx\r: a", NULL},
        {GOOD "\nx(: a", NULL},
        {":method: GET\n:scheme: http\n:path: /a b\n:authority: a", NULL},
        {":method: GET\n:scheme: http\n:path: /a#b\n:authority: a", NULL},
        {":method: GET\n:scheme: http\n:path: /a\\b\n:authority: a", NULL},
        {":method: GET\n:scheme: http\n:path: //a\n:authority: a", NULL},
        {":method: GET\n:scheme: http\n:path: *\n:authority: a", NULL},
        {":method: GET\n:scheme: http\n:path: x\n:authority: a", NULL},
        {":method: CONNECT\n:scheme: http\n:path: /\n:authority: a:1", NULL},
        {":method: CONNECT", NULL},
        {GOOD "\ncontent-length: 3", NULL},
        {GOOD "\ncontent-length: 3", "ab"},
        {GOOD "\ncontent-length: 1", "ab"},
        {GOOD "\ncontent-length: ", "ab"},
        {GOOD "\ncontent-length: 2, 2", "ab"},
        {GOOD "\ncontent-length: 2\ncontent-length: 2", "ab"},
        {GOOD "\ncontent-length: 99999999999999999999", "ab"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rig rig;
        rig_server(&rig);
        frames_add_head(&rig.frames, 1, bad[i].body == NULL ? NGHTTP2_FLAG_END_STREAM : 0,
                        bad[i].fields);
        if (bad[i].body != NULL) {
            frames_add(&rig.frames, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, bad[i].body,
                       strlen(bad[i].body));
        }
        rig_go(&rig);
        bool passed = rig.side.count > 0 && !rig.side.exchanges[0]->reset;
        if (passed || rig.side.closed || reader_count(&rig.reader, NGHTTP2_RST_STREAM) != 1) {
            fail_msg("passed: %s", bad[i].fields);
        }
        assert_int_equal(rig.side.conn->streams, 0);
        rig_done(&rig);
    }
}

/* CR, LF, NUL and colon in every place (CVE-2022-45060, CVE-2023-27491). */
static void bytes_that_end_a_line_pass_nowhere(void **state)
{
    const char bytes[] = {'\r', '\n', '\0', 0x7f, 1};
    const char *names[] = {":method", ":scheme", ":path", ":authority", "x-name"};
    const char *values[] = {"GET", "http", "/path", "a.test", "value"};
    for (size_t b = 0; b < sizeof(bytes); b++) {
        for (size_t place = 0; place < 6; place++) {
            struct rig rig;
            rig_server(&rig);
            struct text block = {0};
            for (size_t i = 0; i < 5; i++) {
                char name[16];
                char value[16];
                int name_length = snprintf(name, sizeof(name), "%s", names[i]);
                int value_length = snprintf(value, sizeof(value), "%s", values[i]);
                if (place == i) {
                    value[1] = bytes[b];
                }
                if (place == 5 && i == 4) {
                    name[1] = bytes[b];
                }
                frames_field(&block, span_make(name, (size_t)name_length),
                             span_make(value, (size_t)value_length));
            }
            frames_add(&rig.frames, NGHTTP2_HEADERS,
                       NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, block.bytes,
                       block.length);
            text_done(&block);
            rig_go(&rig);
            assert_int_equal(rig.side.count, 0);
            assert_int_equal(reader_count(&rig.reader, NGHTTP2_RST_STREAM), 1);
            rig_done(&rig);
        }
    }
}

/* CVE-2023-35944 */
static void a_scheme_is_lower_case_from_here_on(void **state)
{
    static const char *const schemes[] = {"https", "HTTPS", "hTTp"};
    static const char *const read[] = {"https", "https", "http"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        struct rig rig;
        char fields[128];
        snprintf(fields, sizeof(fields), ":method: GET\n:scheme: %s\n:path: /\n:authority: a",
                 schemes[i]);
        rig_server(&rig);
        frames_add_head(&rig.frames, 1, NGHTTP2_FLAG_END_STREAM, fields);
        rig_go(&rig);
        assert_int_equal(rig.side.count, 1);
        assert_true(span_equal_text(rig.side.exchanges[0]->heads[0]->scheme, read[i]));
        rig_done(&rig);
    }
}

static void host_stands_in_for_a_missing_authority(void **state)
{
    struct rig rig;
    rig_server(&rig);
    frames_add_head(&rig.frames, 1, NGHTTP2_FLAG_END_STREAM,
                    ":method: GET\n:scheme: http\n:path: /\nhost: a.test");
    frames_add_head(&rig.frames, 3, NGHTTP2_FLAG_END_STREAM,
                    ":method: GET\n:scheme: http\n:path: /\n:authority: a.test\nhost: A.test");
    rig_go(&rig);
    assert_int_equal(rig.side.count, 2);
    for (size_t i = 0; i < 2; i++) {
        struct http_head *head = rig.side.exchanges[i]->heads[0];
        assert_true(span_equal_text(head->authority, "a.test"));
        assert_int_equal(head->headers.count, 0);
    }
    rig_done(&rig);
}

static void an_extended_connect_is_an_upgrade(void **state)
{
    struct rig rig;
    rig_server(&rig);
    frames_add_head(&rig.frames, 1, 0,
                    ":method: CONNECT\n:protocol: websocket\n:scheme: http\n:path: /chat\n"
                    ":authority: a.test");
    rig_go(&rig);
    struct exchange *exchange = rig.side.exchanges[0];
    assert_true(span_equal_text(exchange->heads[0]->upgrade, "websocket"));
    assert_int_equal(exchange->heads[0]->method_token, HTTP_METHOD_GET);
    struct frame frame;
    assert_true(reader_next(&rig.reader, &frame));
    assert_int_equal(frame.type, NGHTTP2_SETTINGS);
    bool announced = false;
    for (uint32_t at = 0; at < frame.length; at += 6) {
        announced |= frame.payload[at + 1] == NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL &&
                     frame.payload[at + 5] == 1;
    }
    assert_true(announced);
    rig_respond(exchange, 101, false);
    rig_go(&rig);
    assert_true(reader_until(&rig.reader, NGHTTP2_HEADERS, &frame));
    assert_string_equal(rig.reader.fields, ":status: 200\n");
    assert_false(frame.flags & NGHTTP2_FLAG_END_STREAM);
    rig_done(&rig);
}

static void an_upgrade_answered_as_a_plain_request_is_not_accepted_on_the_wire(void **state)
{
    for (int in_mesh = 0; in_mesh < 2; in_mesh++) {
        struct rig rig;
        rig_prepare(&rig);
        rig_open(&rig, true, in_mesh);
        frames_add_head(&rig.frames, 1, 0,
                        ":method: CONNECT\n:protocol: websocket\n:scheme: http\n:path: /chat\n"
                        ":authority: a.test");
        rig_go(&rig);
        rig_respond(rig.side.exchanges[0], 200, false);
        rig_go(&rig);
        struct frame frame;
        assert_true(reader_until(&rig.reader, NGHTTP2_HEADERS, &frame));
        assert_string_equal(rig.reader.fields,
                            in_mesh ? ":status: 501\nx-remora-declined: 200\n" : ":status: 501\n");
        rig_done(&rig);
    }
}

static void the_private_case_field_is_stripped_outside_the_mesh(void **state)
{
    for (int in_mesh = 0; in_mesh < 2; in_mesh++) {
        struct rig rig;
        rig_prepare(&rig);
        rig_open(&rig, true, in_mesh);
        frames_add_head(&rig.frames, 1, NGHTTP2_FLAG_END_STREAM,
                        ":method: GET\n:scheme: http\n:path: /\n:authority: a\nx-own: 1\n"
                        "x-remora-case: t");
        rig_go(&rig);
        struct headers *headers = &rig.side.exchanges[0]->heads[0]->headers;
        assert_int_equal(headers->count, 1);
        assert_true(span_equal_text(headers->items[0].name, in_mesh ? "X-Own" : "x-own"));
        rig_done(&rig);
    }
}

static void streams_beyond_the_limit_are_refused_unprocessed(void **state)
{
    struct rig rig;
    rig_server(&rig);
    for (int32_t i = 0; i < 101; i++) {
        frames_add_get(&rig.frames, 2 * i + 1);
    }
    rig_go(&rig);
    assert_int_equal(rig.side.count, 100);
    struct frame frame;
    assert_true(reader_until(&rig.reader, NGHTTP2_RST_STREAM, &frame));
    assert_int_equal(frame.stream, 201);
    assert_int_equal(frame.number, NGHTTP2_REFUSED_STREAM);
    assert_false(rig.side.closed);
    rig_done(&rig);
}

static void trailers_beyond_the_limits_end_the_stream(void **state)
{
    for (int count = 32; count <= 33; count++) {
        struct rig rig;
        rig_server(&rig);
        frames_add_head(&rig.frames, 1, 0, ":method: POST\n:scheme: http\n:path: /\n:authority: a");
        struct text block = {0};
        for (int i = 0; i < count; i++) {
            frames_field(&block, SPAN("x"), SPAN("y"));
        }
        frames_add(&rig.frames, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
                   1, block.bytes, block.length);
        text_done(&block);
        rig_go(&rig);
        assert_int_equal(rig.side.exchanges[0]->reset, count == 33);
        assert_int_equal(rig.side.exchanges[0]->ended, count == 32);
        rig_done(&rig);
    }
}

static void names_and_targets_beyond_their_limits_are_refused(void **state)
{
    for (size_t over = 0; over < 2; over++) {
        char name[257];
        static char path[8193];
        memset(name, 'n', sizeof(name));
        memset(path, 'p', sizeof(path));
        path[0] = '/';
        for (int what = 0; what < 2; what++) {
            struct rig rig;
            rig_server(&rig);
            struct text block = {0};
            frames_field(&block, SPAN(":method"), SPAN("GET"));
            frames_field(&block, SPAN(":scheme"), SPAN("http"));
            frames_field(&block, SPAN(":path"), span_make(path, what == 0 ? 8192 + over : 1));
            frames_field(&block, SPAN(":authority"), SPAN("a"));
            frames_field(&block, span_make(name, what == 1 ? 256 + over : 1), SPAN("v"));
            frames_add(&rig.frames, NGHTTP2_HEADERS,
                       NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, block.bytes,
                       block.length);
            text_done(&block);
            rig_go(&rig);
            assert_int_equal(rig.side.count, 1 - over);
            rig_done(&rig);
        }
    }
}

struct own_reset {
    enum failure failure;
    bool answered;
    uint32_t code;
};

static void our_resets_carry_what_they_mean(void **state)
{
    const struct own_reset resets[] = {
        {FAILURE_UPSTREAM_REFUSED_STREAM, false, NGHTTP2_REFUSED_STREAM},
        {FAILURE_OVERLOAD, false, NGHTTP2_REFUSED_STREAM},
        {FAILURE_OVERLOAD, true, NGHTTP2_CANCEL},
        {FAILURE_REQUEST_TIMEOUT, true, NGHTTP2_CANCEL},
        {FAILURE_UPSTREAM_RESET, true, NGHTTP2_INTERNAL_ERROR},
        {FAILURE_UPSTREAM_PROTOCOL, true, NGHTTP2_PROTOCOL_ERROR},
    };
    for (size_t i = 0; i < sizeof(resets) / sizeof(resets[0]); i++) {
        struct rig rig;
        rig_server(&rig);
        frames_add_get(&rig.frames, 1);
        rig_go(&rig);
        struct exchange *exchange = rig.side.exchanges[0];
        if (resets[i].answered) {
            rig_respond(exchange, 200, false);
            rig_go(&rig);
        }
        http_stream_reset(exchange->stream, resets[i].failure);
        rig_go(&rig);
        struct frame frame;
        assert_true(reader_until(&rig.reader, NGHTTP2_RST_STREAM, &frame));
        assert_int_equal(frame.number, resets[i].code);
        assert_false(exchange->reset);
        rig_done(&rig);
    }
}

/* A bad upstream must not close good clients. */
static void our_own_resets_are_not_held_against_the_peer(void **state)
{
    struct rig rig;
    rig_server(&rig);
    for (int32_t i = 0; i < 500; i++) {
        frames_add_get(&rig.frames, 2 * i + 1);
        rig_go(&rig);
        http_stream_reset(rig.side.exchanges[i]->stream, FAILURE_UPSTREAM_RESET);
        rig_go(&rig);
    }
    assert_false(rig.side.closed);
    rig_done(&rig);
}

static void close_now(struct exchange *exchange)
{
    http_conn_close(exchange->stream->conn, FAILURE_LOCAL_SHUTDOWN);
}

static void release_now(struct exchange *exchange)
{
    exchange_release(exchange);
}

static void reset_now(struct exchange *exchange)
{
    http_stream_reset(exchange->stream, FAILURE_INTERNAL);
}

static void an_owner_may_do_anything_in_its_callbacks(void **state)
{
    void (*deeds[])(struct exchange *) = {close_now, release_now, reset_now};
    for (size_t i = 0; i < 3; i++) {
        for (int at_end = 0; at_end < 2; at_end++) {
            struct rig rig;
            rig_prepare(&rig);
            rig.side.then = at_end ? NULL : deeds[i];
            rig.side.finally = at_end ? deeds[i] : NULL;
            rig_open(&rig, true, false);
            frames_add_head(&rig.frames, 1, 0,
                            ":method: POST\n:scheme: http\n:path: /\n:authority: a");
            frames_add(&rig.frames, NGHTTP2_DATA, 0, 1, "abc", 3);
            frames_add_head(&rig.frames, 1, NGHTTP2_FLAG_END_STREAM, "x: y");
            frames_add_get(&rig.frames, 3);
            rig_go(&rig);
            assert_int_equal(rig.side.closed, i == 0);
            assert_int_equal(rig.side.count, i == 0 ? 1 : 2);
            rig_done(&rig);
        }
    }
}

static void small_pieces_do_not_pin_large_chunks(void **state)
{
    struct rig rig;
    rig_prepare(&rig);
    rig.side.keeps_credit = true;
    rig_open(&rig, true, false);
    frames_add_head(&rig.frames, 1, 0, ":method: POST\n:scheme: http\n:path: /\n:authority: a");
    rig_go(&rig);
    size_t before = chunk_in_use();
    for (int i = 0; i < 1000; i++) {
        frames_add(&rig.frames, NGHTTP2_DATA, 0, 1, "x", 1);
        rig_go(&rig);
    }
    assert_int_equal(rig.side.exchanges[0]->body.length, 1000);
    assert_true(chunk_in_use() <= before + 2);
    rig_done(&rig);
}

static void a_body_beyond_its_window_closes_the_connection(void **state)
{
    struct rig rig;
    rig_prepare(&rig);
    rig.side.keeps_credit = true;
    rig_open(&rig, true, false);
    frames_add_head(&rig.frames, 1, 0, ":method: POST\n:scheme: http\n:path: /\n:authority: a");
    static char bytes[16384];
    for (int i = 0; i < 5; i++) {
        frames_add(&rig.frames, NGHTTP2_DATA, 0, 1, bytes, sizeof(bytes));
    }
    rig_go(&rig);
    assert_true(rig.side.exchanges[0]->body.length <= 65536);
    assert_true(rig.side.exchanges[0]->reset);
    rig_done(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(malformed_requests_are_reset_and_never_handed_up),
        cmocka_unit_test(bytes_that_end_a_line_pass_nowhere),
        cmocka_unit_test(a_scheme_is_lower_case_from_here_on),
        cmocka_unit_test(host_stands_in_for_a_missing_authority),
        cmocka_unit_test(an_extended_connect_is_an_upgrade),
        cmocka_unit_test(an_upgrade_answered_as_a_plain_request_is_not_accepted_on_the_wire),
        cmocka_unit_test(the_private_case_field_is_stripped_outside_the_mesh),
        cmocka_unit_test(streams_beyond_the_limit_are_refused_unprocessed),
        cmocka_unit_test(trailers_beyond_the_limits_end_the_stream),
        cmocka_unit_test(names_and_targets_beyond_their_limits_are_refused),
        cmocka_unit_test(our_resets_carry_what_they_mean),
        cmocka_unit_test(our_own_resets_are_not_held_against_the_peer),
        cmocka_unit_test(an_owner_may_do_anything_in_its_callbacks),
        cmocka_unit_test(small_pieces_do_not_pin_large_chunks),
        cmocka_unit_test(a_body_beyond_its_window_closes_the_connection),
    };
    return TEST_MAIN(cases, argc, argv);
}
