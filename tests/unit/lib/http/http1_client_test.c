#include <inttypes.h>

#include "lib/base/clock.h"
#include "lib/http/http1_counters.h"
#include "tests/unit/lib/http/http1_rig.h"
#include "tests/unit/test_main.h"

static void a_connection_is_used_again_after_each_exchange(void **state)
{
    struct http1_rig rig;
    http1_rig_client_init(&rig);
    assert_int_equal(rig.side.available, 1);
    for (size_t i = 1; i <= 3; i++) {
        assert_int_equal(http_conn_room(rig.side.conn), 1);
        struct exchange *exchange = http1_rig_ask(&rig, "GET");
        assert_int_equal(http_conn_room(rig.side.conn), 0);
        assert_null(side_open(&rig.side));
        http1_rig_expect(&rig, HTTP1_RIG_GET);
        http1_rig_send(&rig, HTTP1_RIG_OK);
        assert_true(exchange->ended);
        assert_int_equal(exchange->heads[0]->status, 200);
        assert_true(span_equal_text(text_span(&exchange->body), "ok"));
        assert_int_equal(http_conn_room(rig.side.conn), 0);
        exchange_release(exchange);
        loop_settle(rig.loop);
        assert_int_equal(rig.side.available, i + 1);
        assert_int_equal(chunk_in_use(), 0);
    }
    assert_false(rig.side.draining);
    http1_rig_done(&rig);
}

static void there_is_no_room_before_the_connection_is_made(void **state)
{
    struct http1_rig rig;
    const struct pipe_options connecting = {.connecting = true};
    http1_rig_client_init_with(&rig, &connecting, NULL);
    assert_int_equal(http_conn_room(rig.side.conn), 0);
    assert_int_equal(rig.side.available, 0);
    pipe_connected(rig.transport);
    loop_settle(rig.loop);
    assert_int_equal(rig.side.available, 1);
    assert_int_equal(http_conn_room(rig.side.conn), 1);
    http1_rig_done(&rig);
    http1_rig_client_init_with(&rig, &connecting, NULL);
    pipe_fail(rig.transport, FAILURE_CONNECT_REFUSED);
    loop_settle(rig.loop);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_CONNECT_REFUSED);
    http1_rig_done(&rig);
}

static void requests_are_framed_by_what_follows(void **state)
{
    static const struct {
        const char *method;
        int64_t length;
        bool end;
        const char *request;
    } table[] = {
        {"GET", -1, true, HTTP1_RIG_GET},
        {"POST", -1, true, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
        {"DELETE", 0, true, "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
        {"GET", 2, false, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"},
        {"PUT", -1, false,
         "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct http1_rig rig;
        http1_rig_client_init(&rig);
        struct exchange *exchange = side_open(&rig.side);
        struct http_head head;
        http1_rig_make_head(&head, exchange, table[i].method);
        head.content_length = table[i].length;
        http_stream_send_head(exchange->stream, &head, table[i].end);
        if (!table[i].end) {
            struct byte_queue queue;
            byte_queue_init(&queue);
            byte_queue_copy(&queue, "ok", 2);
            http_stream_send_body(exchange->stream, &queue, SIZE_MAX);
            http_stream_send_end(exchange->stream);
        }
        loop_settle(rig.loop);
        http1_rig_expect(&rig, table[i].request);
        http1_rig_send(&rig, HTTP1_RIG_OK);
        exchange_release(exchange);
        loop_settle(rig.loop);
        assert_int_equal(http_conn_room(rig.side.conn), 1);
        http1_rig_done(&rig);
    }
}

static void fields_go_out_in_order_and_spelling_without_those_of_a_connection(void **state)
{
    struct http1_rig rig;
    http1_rig_client_init(&rig);
    struct exchange *exchange = side_open(&rig.side);
    struct http_head head;
    http1_rig_make_head(&head, exchange, "POST");
    head.content_length = 0;
    head.accepts_trailers = true;
    headers_add(&head.headers, SPAN("X-One"), SPAN("1"));
    headers_add(&head.headers, SPAN("CONTENT-length"), SPAN("000"));
    headers_add(&head.headers, SPAN("x-tWO"), SPAN(""));
    headers_add(&head.headers, SPAN("Connection"), SPAN("close"));
    headers_add(&head.headers, SPAN("Transfer-Encoding"), SPAN("chunked"));
    headers_add(&head.headers, SPAN("Host"), SPAN("evil"));
    headers_add(&head.headers, SPAN("HTTP2-Settings"), SPAN("x"));
    headers_add(&head.headers, SPAN("gone"), SPAN("x"))->removed = true;
    http_stream_send_head(exchange->stream, &head, true);
    loop_settle(rig.loop);
    http1_rig_expect(&rig, "POST / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nCONTENT-length: 0\r\n"
                           "x-tWO: \r\nTE: trailers\r\nConnection: TE\r\n\r\n");
    http1_rig_done(&rig);
}

/* 42 */
static void a_head_of_64_kib_goes_out_exactly(void **state)
{
    struct http1_rig rig;
    http1_rig_client_init(&rig);
    static char value[65536];
    memset(value, 'v', sizeof(value));
    struct exchange *exchange = side_open(&rig.side);
    struct http_head head;
    http1_rig_make_head(&head, exchange, "GET");
    headers_add(&head.headers, SPAN("x"), span_make(value, sizeof(value)));
    http_stream_send_head(exchange->stream, &head, true);
    loop_settle(rig.loop);
    assert_int_equal(rig.peer.received_length, strlen(HTTP1_RIG_GET) + 5 + sizeof(value));
    assert_true(
        span_ends_with(span_make(rig.peer.received, rig.peer.received_length), SPAN("v\r\n\r\n")));
    http1_rig_done(&rig);
}

/* 43 */
static void what_is_not_clean_never_leaves(void **state)
{
    static const char bytes[] = "\r\n\0: \x7f\x01";
    for (int place = 0; place < 6; place++) {
        for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
            char bad[3] = {'a', bytes[i], 'b'};
            bool fine = place == 5 && (bad[1] == ':' || bad[1] == ' ');
            if (fine) {
                continue;
            }
            struct span span = span_make(bad, 3);
            struct http1_rig rig;
            http1_rig_client_init(&rig);
            struct exchange *exchange = side_open(&rig.side);
            struct http_head head;
            http1_rig_make_head(&head, exchange, "GET");
            char path[4] = {'/', 'a', bytes[i], 'b'};
            switch (place) {
            case 0:
                head.method = span;
                break;
            case 1:
                head.path = bytes[i] == ':' ? SPAN("a:") : span_make(path, 4);
                break;
            case 2:
                head.authority = span;
                break;
            case 3:
                headers_add(&head.headers, span, SPAN("v"));
                break;
            case 4:
                head.upgrade = span_make(bad, bytes[i] == ' ' || bytes[i] == ':' ? 0 : 3);
                headers_add(&head.headers, head.upgrade.length == 0 ? span : SPAN("x"), SPAN("v"));
                break;
            default:
                headers_add(&head.headers, SPAN("x"), span);
                break;
            }
            http_stream_send_head(exchange->stream, &head, place != 4 || head.upgrade.length == 0);
            loop_settle(rig.loop);
            if (rig.peer.received_length > 0 || !exchange->reset) {
                fail_msg("place %d byte %zu: %s", place, i, rig.peer.received);
            }
            http1_rig_done(&rig);
        }
    }
}

static void a_request_shorter_or_longer_than_said_is_cut(void **state)
{
    for (int kind = 0; kind < 3; kind++) {
        struct http1_rig rig;
        http1_rig_client_init(&rig);
        struct exchange *exchange = side_open(&rig.side);
        struct http_head head;
        http1_rig_make_head(&head, exchange, "POST");
        head.content_length = 5;
        http_stream_send_head(exchange->stream, &head, kind == 0);
        struct byte_queue queue;
        byte_queue_init(&queue);
        byte_queue_copy(&queue, "0123456789", kind == 1 ? 10 : 3);
        http_stream_send_body(exchange->stream, &queue, SIZE_MAX);
        http_stream_send_end(exchange->stream);
        byte_queue_done(&queue);
        loop_settle(rig.loop);
        assert_true(exchange->reset);
        assert_int_equal(exchange->failure, FAILURE_BODY_MISMATCH);
        assert_int_equal(pipe_other_end(rig.other), PIPE_ABORTED);
        http1_rig_done(&rig);
    }
}

static void responses_come_out_the_same_whatever_their_delivery(void **state)
{
    static const char *const responses[] = {
        HTTP1_RIG_OK,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" HTTP1_RIG_OK,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"
        "3;e\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n",
        "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(responses) / sizeof(responses[0]); i++) {
        size_t length = strlen(responses[i]);
        struct text whole = {0};
        for (size_t split = 0; split <= length; split++) {
            struct http1_rig rig;
            http1_rig_client_init(&rig);
            struct exchange *exchange = http1_rig_ask(&rig, "GET");
            for (size_t at = 0; at < length;) {
                /* The last round is byte by byte. */
                size_t part = split == length ? 1 : at == 0 && split > 0 ? split : length - at;
                raw_peer_send(&rig.peer, responses[i] + at, part);
                loop_settle(rig.loop);
                at += part;
            }
            struct text text = {0};
            for (size_t j = 0; j < exchange->head_count; j++) {
                text_printf(&text, "%d %" PRId64 "|", exchange->heads[j]->status,
                            exchange->heads[j]->content_length);
            }
            text_add(&text, text_span(&exchange->body));
            text_printf(&text, "|%d|%d", exchange->trailers != NULL, exchange->ended);
            if (split == 0) {
                text_add(&whole, text_span(&text));
            }
            assert_true(exchange->ended);
            assert_true(span_equal(text_span(&whole), text_span(&text)));
            exchange_release(exchange);
            loop_settle(rig.loop);
            assert_int_equal(http_conn_room(rig.side.conn), 1);
            text_done(&text);
            http1_rig_done(&rig);
        }
        text_done(&whole);
    }
    assert_int_equal(chunk_in_use(), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_connection_is_used_again_after_each_exchange),
        cmocka_unit_test(there_is_no_room_before_the_connection_is_made),
        cmocka_unit_test(requests_are_framed_by_what_follows),
        cmocka_unit_test(fields_go_out_in_order_and_spelling_without_those_of_a_connection),
        cmocka_unit_test(a_head_of_64_kib_goes_out_exactly),
        cmocka_unit_test(what_is_not_clean_never_leaves),
        cmocka_unit_test(a_request_shorter_or_longer_than_said_is_cut),
        cmocka_unit_test(responses_come_out_the_same_whatever_their_delivery),
    };
    return TEST_MAIN(cases, argc, argv);
}
