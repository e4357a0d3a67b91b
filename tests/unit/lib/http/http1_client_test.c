#include <inttypes.h>

#include "lib/base/clock.h"
#include "lib/http/http1_counters.h"
#include "tests/fakes/pipe_transport.h"
#include "tests/fakes/raw_peer.h"
#include "tests/unit/lib/http/exchange.h"
#include "tests/unit/test_main.h"

/* A client connection at one end of a pipe, bytes by hand at the other. */
struct rig {
    struct loop *loop;
    struct http_limits limits;
    struct side side;
    struct raw_peer peer;
    struct transport *transport;
    struct transport *other;
};

static void rig_init_with(struct rig *rig, const struct pipe_options *client)
{
    *rig = (struct rig){.loop = loop_create_simulated(1000 * NS_PER_S)};
    http_limits_default(&rig->limits);
    pipe_transports(rig->loop, client, NULL, &rig->transport, &rig->other);
    raw_peer_own(&rig->peer, rig->other);
    rig->side.conn =
        http1_client_create(rig->transport, &rig->limits, false, &side_events, &rig->side);
    loop_settle(rig->loop);
}

static void rig_init(struct rig *rig)
{
    rig_init_with(rig, NULL);
}

static void rig_done(struct rig *rig)
{
    if (rig->side.conn != NULL) {
        http_conn_close(rig->side.conn, FAILURE_NONE);
    }
    loop_settle(rig->loop);
    side_done(&rig->side);
    raw_peer_done(&rig->peer);
    loop_settle(rig->loop);
    loop_destroy(rig->loop);
}

static void send_text(struct rig *rig, const char *text)
{
    raw_peer_send_text(&rig->peer, text);
    loop_settle(rig->loop);
}

static void make_head(struct http_head *head, struct exchange *exchange, const char *method)
{
    http_head_init(head, &exchange->arena);
    head->method = span_of(method);
    head->method_token = (uint8_t)http_method_of(head->method);
    head->scheme = SPAN("http");
    head->authority = SPAN("a");
    head->path = head->method_token == HTTP_METHOD_CONNECT ? SPAN_EMPTY : SPAN("/");
}

static struct exchange *ask(struct rig *rig, const char *method)
{
    struct exchange *exchange = side_open(&rig->side);
    assert_non_null(exchange);
    struct http_head head;
    make_head(&head, exchange, method);
    http_stream_send_head(exchange->stream, &head, true);
    loop_settle(rig->loop);
    return exchange;
}

static void expect_received(struct rig *rig, const char *text)
{
    if (strcmp(rig->peer.received, text) != 0) {
        fail_msg("received: %s", rig->peer.received);
    }
    raw_peer_clear(&rig->peer);
}

#define ASKED "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void a_connection_is_used_again_after_each_exchange(void **state)
{
    struct rig rig;
    rig_init(&rig);
    assert_int_equal(rig.side.available, 1);
    for (size_t i = 1; i <= 3; i++) {
        assert_int_equal(http_conn_room(rig.side.conn), 1);
        struct exchange *exchange = ask(&rig, "GET");
        assert_int_equal(http_conn_room(rig.side.conn), 0);
        assert_null(side_open(&rig.side));
        expect_received(&rig, ASKED);
        send_text(&rig, OK);
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
    rig_done(&rig);
}

static void there_is_no_room_before_the_connection_is_made(void **state)
{
    struct rig rig;
    const struct pipe_options connecting = {.connecting = true};
    rig_init_with(&rig, &connecting);
    assert_int_equal(http_conn_room(rig.side.conn), 0);
    assert_int_equal(rig.side.available, 0);
    pipe_connected(rig.transport);
    loop_settle(rig.loop);
    assert_int_equal(rig.side.available, 1);
    assert_int_equal(http_conn_room(rig.side.conn), 1);
    rig_done(&rig);
    rig_init_with(&rig, &connecting);
    pipe_fail(rig.transport, FAILURE_CONNECT_REFUSED);
    loop_settle(rig.loop);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_CONNECT_REFUSED);
    rig_done(&rig);
}

static void requests_are_framed_by_what_follows(void **state)
{
    static const struct {
        const char *method;
        int64_t length;
        bool end;
        const char *request;
    } table[] = {
        {"GET", -1, true, ASKED},
        {"POST", -1, true, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
        {"DELETE", 0, true, "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
        {"GET", 2, false, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"},
        {"PUT", -1, false,
         "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct rig rig;
        rig_init(&rig);
        struct exchange *exchange = side_open(&rig.side);
        struct http_head head;
        make_head(&head, exchange, table[i].method);
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
        expect_received(&rig, table[i].request);
        send_text(&rig, OK);
        exchange_release(exchange);
        loop_settle(rig.loop);
        assert_int_equal(http_conn_room(rig.side.conn), 1);
        rig_done(&rig);
    }
}

static void fields_go_out_in_order_and_spelling_without_those_of_a_connection(void **state)
{
    struct rig rig;
    rig_init(&rig);
    struct exchange *exchange = side_open(&rig.side);
    struct http_head head;
    make_head(&head, exchange, "POST");
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
    expect_received(&rig, "POST / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nCONTENT-length: 0\r\n"
                          "x-tWO: \r\nTE: trailers\r\nConnection: TE\r\n\r\n");
    rig_done(&rig);
}

/* 42 */
static void a_head_of_64_kib_goes_out_exactly(void **state)
{
    struct rig rig;
    rig_init(&rig);
    static char value[65536];
    memset(value, 'v', sizeof(value));
    struct exchange *exchange = side_open(&rig.side);
    struct http_head head;
    make_head(&head, exchange, "GET");
    headers_add(&head.headers, SPAN("x"), span_make(value, sizeof(value)));
    http_stream_send_head(exchange->stream, &head, true);
    loop_settle(rig.loop);
    assert_int_equal(rig.peer.received_length, strlen(ASKED) + 5 + sizeof(value));
    assert_true(
        span_ends_with(span_make(rig.peer.received, rig.peer.received_length), SPAN("v\r\n\r\n")));
    rig_done(&rig);
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
            struct rig rig;
            rig_init(&rig);
            struct exchange *exchange = side_open(&rig.side);
            struct http_head head;
            make_head(&head, exchange, "GET");
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
            rig_done(&rig);
        }
    }
}

static void a_request_shorter_or_longer_than_said_is_cut(void **state)
{
    for (int kind = 0; kind < 3; kind++) {
        struct rig rig;
        rig_init(&rig);
        struct exchange *exchange = side_open(&rig.side);
        struct http_head head;
        make_head(&head, exchange, "POST");
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
        rig_done(&rig);
    }
}

static void responses_come_out_the_same_whatever_their_delivery(void **state)
{
    static const char *const responses[] = {
        OK,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"
        "3;e\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n",
        "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(responses) / sizeof(responses[0]); i++) {
        size_t length = strlen(responses[i]);
        struct text whole = {0};
        for (size_t split = 0; split <= length; split++) {
            struct rig rig;
            rig_init(&rig);
            struct exchange *exchange = ask(&rig, "GET");
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
            rig_done(&rig);
        }
        text_done(&whole);
    }
    assert_int_equal(chunk_in_use(), 0);
}

static void a_body_may_end_with_the_connection(void **state)
{
    struct rig rig;
    rig_init(&rig);
    struct exchange *exchange = ask(&rig, "GET");
    send_text(&rig, "HTTP/1.0 200 OK\r\n\r\nhello");
    assert_true(rig.side.draining);
    assert_false(exchange->ended);
    raw_peer_end(&rig.peer);
    loop_settle(rig.loop);
    assert_true(exchange->ended);
    assert_int_equal(exchange->body.length, 5);
    exchange_release(exchange);
    loop_settle(rig.loop);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_NONE);
    rig_done(&rig);
}

/* The keep-alive race: told apart by whether a byte of the request has left. */
static void an_upstream_that_closes_is_told_by_what_was_sent(void **state)
{
    struct rig rig;
    rig_init(&rig);
    struct exchange *exchange = side_open(&rig.side);
    raw_peer_end(&rig.peer);
    loop_settle(rig.loop);
    assert_true(exchange->reset);
    assert_int_equal(exchange->failure, FAILURE_UPSTREAM_UNSENT);
    rig_done(&rig);

    static const struct {
        const char *response;
        enum failure failure;
    } table[] = {
        {"", FAILURE_UPSTREAM_CLOSED},
        {"HTTP/1.1 20", FAILURE_UPSTREAM_CLOSED},
        {"HTTP/1.1 100 Continue\r\n\r\n", FAILURE_UPSTREAM_CLOSED},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", FAILURE_UPSTREAM_CLOSED},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
         FAILURE_UPSTREAM_CLOSED},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", FAILURE_UPSTREAM_CLOSED},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (int abort = 0; abort < 2; abort++) {
            rig_init(&rig);
            exchange = ask(&rig, "GET");
            send_text(&rig, table[i].response);
            if (abort != 0) {
                pipe_fail(rig.transport, FAILURE_UPSTREAM_RESET);
            } else {
                raw_peer_end(&rig.peer);
            }
            loop_settle(rig.loop);
            assert_true(exchange->reset);
            assert_false(exchange->ended);
            assert_int_equal(exchange->failure, table[i].failure);
            assert_true(rig.side.closed);
            rig_done(&rig);
        }
    }
    rig_init(&rig);
    raw_peer_end(&rig.peer);
    loop_settle(rig.loop);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_NONE);
    rig_done(&rig);
}

/* 51 */
static void bytes_beyond_a_response_poison_the_connection(void **state)
{
    static const struct {
        const char *method, *response;
    } table[] = {
        {"GET", OK "x"},
        {"GET", OK OK},
        {"HEAD", OK},
        {"GET", "HTTP/1.1 204 No\r\n\r\nbody"},
        {"GET", "HTTP/1.1 304 No\r\nContent-Length: 4\r\n\r\nbody"},
        {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (int late = 0; late < 2; late++) {
            struct rig rig;
            rig_init(&rig);
            uint64_t before = http1_counters()->poisoned;
            struct exchange *exchange = ask(&rig, table[i].method);
            if (late == 0) {
                send_text(&rig, table[i].response);
                assert_true(exchange->ended);
                exchange_release(exchange);
            } else {
                /* The last byte comes when the connection is idle. */
                size_t length = strlen(table[i].response);
                if (i != 0 && i != 5) {
                    rig_done(&rig);
                    continue;
                }
                size_t first = i == 0 ? length - 1 : length - 2;
                raw_peer_send(&rig.peer, table[i].response, first);
                loop_settle(rig.loop);
                assert_true(exchange->ended);
                exchange_release(exchange);
                loop_settle(rig.loop);
                assert_int_equal(http_conn_room(rig.side.conn), 1);
                send_text(&rig, table[i].response + first);
            }
            loop_settle(rig.loop);
            assert_true(rig.side.closed);
            assert_int_equal(http1_counters()->poisoned, before + 1);
            rig_done(&rig);
        }
    }
}

static void an_answer_that_came_before_its_question_is_not_believed(void **state)
{
    struct rig rig;
    rig_init(&rig);
    raw_peer_send_text(&rig.peer, OK);
    struct exchange *exchange = side_open(&rig.side);
    loop_settle(rig.loop);
    assert_true(exchange->reset);
    assert_int_equal(exchange->head_count, 0);
    assert_int_equal(exchange->failure, FAILURE_UPSTREAM_UNSENT);
    rig_done(&rig);
}

/* 28 */
static void an_answer_before_the_request_is_whole_ends_the_reuse(void **state)
{
    static const char *const responses[] = {
        OK, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        for (int finish = 0; finish < 2; finish++) {
            struct rig rig;
            rig_init(&rig);
            struct exchange *exchange = side_open(&rig.side);
            struct http_head head;
            make_head(&head, exchange, "PUT");
            head.content_length = 5;
            head.expects_continue = true;
            headers_add(&head.headers, SPAN("Expect"), SPAN("100-continue"));
            http_stream_send_head(exchange->stream, &head, false);
            loop_settle(rig.loop);
            send_text(&rig, responses[i]);
            assert_true(exchange->ended);
            assert_true(rig.side.draining);
            if (finish != 0) {
                struct byte_queue queue;
                byte_queue_init(&queue);
                byte_queue_copy(&queue, "12345", 5);
                http_stream_send_body(exchange->stream, &queue, SIZE_MAX);
                http_stream_send_end(exchange->stream);
            }
            exchange_release(exchange);
            loop_settle(rig.loop);
            assert_true(rig.side.closed);
            rig_done(&rig);
        }
    }
}

static void at_most_sixteen_informational_heads_are_taken(void **state)
{
    struct rig rig;
    rig_init(&rig);
    struct exchange *exchange = ask(&rig, "GET");
    for (int i = 0; i < 16; i++) {
        send_text(&rig, "HTTP/1.1 102 Processing\r\n\r\n");
    }
    assert_int_equal(exchange->head_count, 16);
    assert_false(exchange->reset);
    send_text(&rig, "HTTP/1.1 102 Processing\r\n\r\n");
    assert_true(exchange->reset);
    assert_int_equal(exchange->failure, FAILURE_UPSTREAM_PROTOCOL);
    rig_done(&rig);
}

static struct exchange *ask_upgrade(struct rig *rig, const char *method)
{
    struct exchange *exchange = side_open(&rig->side);
    struct http_head head;
    make_head(&head, exchange, method);
    if (head.method_token != HTTP_METHOD_CONNECT) {
        head.upgrade = SPAN("websocket");
    } else {
        head.authority = SPAN("b:443");
    }
    http_stream_send_head(exchange->stream, &head, false);
    return exchange;
}

/* 26 */
static void nothing_follows_an_upgrade_until_it_is_accepted(void **state)
{
    struct rig rig;
    rig_init(&rig);
    struct exchange *exchange = ask_upgrade(&rig, "GET");
    struct byte_queue queue;
    byte_queue_init(&queue);
    byte_queue_copy(&queue, "early", 5);
    assert_int_equal(http_stream_send_body(exchange->stream, &queue, SIZE_MAX), 0);
    loop_settle(rig.loop);
    expect_received(&rig, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\n\r\n");
    send_text(&rig, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\n\r\nhello");
    assert_int_equal(exchange->heads[0]->status, 101);
    assert_true(span_equal_text(exchange->heads[0]->upgrade, "websocket"));
    assert_true(span_equal_text(text_span(&exchange->body), "hello"));
    assert_int_equal(exchange->rooms, 1);
    assert_int_equal(http_stream_send_body(exchange->stream, &queue, SIZE_MAX), 5);
    loop_settle(rig.loop);
    expect_received(&rig, "early");
    http_stream_send_end(exchange->stream);
    loop_settle(rig.loop);
    assert_true(rig.peer.got_end);
    assert_false(exchange->ended);
    send_text(&rig, " and more");
    raw_peer_end(&rig.peer);
    loop_settle(rig.loop);
    assert_true(exchange->ended);
    assert_int_equal(exchange->body.length, 14);
    exchange_release(exchange);
    loop_settle(rig.loop);
    assert_true(rig.side.closed);
    rig_done(&rig);
}

static void a_refused_upgrade_leaves_the_connection_clean(void **state)
{
    static const char *const methods[] = {"GET", "CONNECT"};
    for (size_t i = 0; i < 2; i++) {
        struct rig rig;
        rig_init(&rig);
        struct exchange *exchange = ask_upgrade(&rig, methods[i]);
        loop_settle(rig.loop);
        raw_peer_clear(&rig.peer);
        send_text(&rig, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        assert_true(exchange->ended);
        struct byte_queue queue;
        byte_queue_init(&queue);
        byte_queue_copy(&queue, "early", 5);
        assert_int_equal(http_stream_send_body(exchange->stream, &queue, SIZE_MAX), 0);
        byte_queue_done(&queue);
        http_stream_send_end(exchange->stream);
        exchange_release(exchange);
        loop_settle(rig.loop);
        assert_int_equal(http_conn_room(rig.side.conn), 1);
        expect_received(&rig, "");
        rig_done(&rig);
    }
}

static void an_accepted_connect_is_a_tunnel(void **state)
{
    struct rig rig;
    rig_init(&rig);
    struct exchange *exchange = ask_upgrade(&rig, "CONNECT");
    loop_settle(rig.loop);
    expect_received(&rig, "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n");
    send_text(&rig, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef");
    assert_int_equal(exchange->body.length, 6);
    assert_false(exchange->ended);
    rig_done(&rig);
}

static void responses_wait_for_credit(void **state)
{
    struct rig rig;
    rig_init(&rig);
    rig.side.keeps_credit = true;
    struct exchange *exchange = ask(&rig, "GET");
    static char body[150000];
    send_text(&rig, "HTTP/1.1 200 OK\r\nContent-Length: 150000\r\n\r\n");
    raw_peer_send(&rig.peer, body, sizeof(body));
    loop_settle(rig.loop);
    assert_int_equal(exchange->body.length, 65536);
    http_stream_consume(exchange->stream, 65536);
    loop_settle(rig.loop);
    assert_int_equal(exchange->body.length, 131072);
    http_stream_consume(exchange->stream, 65536);
    loop_settle(rig.loop);
    assert_true(exchange->ended);
    rig_done(&rig);
}

/* Tiny pieces must not pin a whole chunk each. */
static void memory_stays_near_the_credit_however_the_body_is_cut(void **state)
{
    struct rig rig;
    rig_init(&rig);
    struct exchange *exchange = ask(&rig, "GET");
    struct byte_queue kept;
    byte_queue_init(&kept);
    exchange->returns_credit = false;
    send_text(&rig, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 4000; i++) {
        send_text(&rig, "1\r\nx\r\n");
    }
    assert_int_equal(exchange->body.length, 4000);
    assert_true(chunk_in_use() <= 4);
    rig_done(&rig);
}

static void a_quiet_response_is_left_alone_and_a_stuck_head_is_not(void **state)
{
    struct rig rig;
    rig_init(&rig);
    struct exchange *exchange = ask(&rig, "GET");
    loop_advance(rig.loop, 7200 * NS_PER_S);
    assert_false(exchange->reset);
    send_text(&rig, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    loop_advance(rig.loop, 7200 * NS_PER_S);
    assert_false(exchange->reset);
    send_text(&rig, "0\r\n\r\n");
    assert_true(exchange->ended);
    exchange_release(exchange);
    loop_settle(rig.loop);
    exchange = ask(&rig, "GET");
    send_text(&rig, "HTTP/1.1 ");
    loop_advance(rig.loop, 11 * NS_PER_S);
    assert_true(exchange->reset);
    assert_int_equal(exchange->failure, FAILURE_STREAM_IDLE);
    rig_done(&rig);
}

static void an_idle_connection_ends_at_its_limit(void **state)
{
    struct rig rig;
    rig_init(&rig);
    rig.limits.idle_timeout_ms = 3000;
    struct exchange *exchange = ask(&rig, "GET");
    send_text(&rig, OK);
    exchange_release(exchange);
    loop_settle(rig.loop);
    loop_advance(rig.loop, 2 * NS_PER_S);
    assert_false(rig.side.closed);
    loop_advance(rig.loop, 2 * NS_PER_S);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_NONE);
    rig_done(&rig);
}

static void an_exchange_that_was_not_begun_can_be_given_back(void **state)
{
    struct rig rig;
    rig_init(&rig);
    struct exchange *exchange = side_open(&rig.side);
    exchange_release(exchange);
    loop_settle(rig.loop);
    assert_int_equal(http_conn_room(rig.side.conn), 1);
    assert_int_equal(rig.side.available, 2);
    rig_done(&rig);
}

static void draining_lets_the_exchange_finish(void **state)
{
    struct rig rig;
    rig_init(&rig);
    struct exchange *exchange = ask(&rig, "GET");
    http_conn_drain(rig.side.conn);
    send_text(&rig, OK);
    assert_true(exchange->ended);
    exchange_release(exchange);
    loop_settle(rig.loop);
    assert_true(rig.side.closed);
    rig_done(&rig);
    rig_init(&rig);
    http_conn_drain(rig.side.conn);
    assert_int_equal(http_conn_room(rig.side.conn), 0);
    loop_settle(rig.loop);
    assert_true(rig.side.closed);
    rig_done(&rig);
}

static void every_end_at_every_byte_leaves_nothing_behind(void **state)
{
    static const char message[] =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n0\r\nX: y\r\n\r\nHTTP";
    enum way { RELEASE, RESET, CLOSE, FAIL_CLOSE, DRAIN, PEER_END, PEER_CLOSE, FAIL, WAYS };
    for (int way = 0; way < WAYS; way++) {
        for (size_t at = 0; at < sizeof(message); at++) {
            struct rig rig;
            rig_init(&rig);
            struct exchange *exchange = ask(&rig, "GET");
            raw_peer_send(&rig.peer, message, at);
            loop_settle(rig.loop);
            bool closed = rig.side.conn == NULL;
            if (way == RELEASE) {
                exchange_release(exchange);
            } else if (way == RESET) {
                http_stream_reset(exchange->stream, FAILURE_PER_TRY_TIMEOUT);
            } else if (way == CLOSE && !closed) {
                http_conn_close(rig.side.conn, FAILURE_NONE);
            } else if (way == FAIL_CLOSE && !closed) {
                http_conn_close(rig.side.conn, FAILURE_LOCAL_SHUTDOWN);
            } else if (way == DRAIN && !closed) {
                http_conn_drain(rig.side.conn);
            } else if (way == PEER_END) {
                raw_peer_end(&rig.peer);
            } else if (way == PEER_CLOSE) {
                raw_peer_close(&rig.peer);
            } else if (way == FAIL && !closed) {
                pipe_fail(rig.transport, FAILURE_UPSTREAM_RESET);
            }
            if (rig.peer.transport != NULL && way != PEER_END) {
                raw_peer_send(&rig.peer, message + at, sizeof(message) - 1 - at);
            }
            loop_settle(rig.loop);
            assert_true(exchange->ended || exchange->reset || way == RELEASE || way == RESET);
            rig_done(&rig);
            assert_int_equal(chunk_in_use(), 0);
        }
    }
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
        cmocka_unit_test(a_body_may_end_with_the_connection),
        cmocka_unit_test(an_upstream_that_closes_is_told_by_what_was_sent),
        cmocka_unit_test(bytes_beyond_a_response_poison_the_connection),
        cmocka_unit_test(an_answer_that_came_before_its_question_is_not_believed),
        cmocka_unit_test(an_answer_before_the_request_is_whole_ends_the_reuse),
        cmocka_unit_test(at_most_sixteen_informational_heads_are_taken),
        cmocka_unit_test(nothing_follows_an_upgrade_until_it_is_accepted),
        cmocka_unit_test(a_refused_upgrade_leaves_the_connection_clean),
        cmocka_unit_test(an_accepted_connect_is_a_tunnel),
        cmocka_unit_test(responses_wait_for_credit),
        cmocka_unit_test(memory_stays_near_the_credit_however_the_body_is_cut),
        cmocka_unit_test(a_quiet_response_is_left_alone_and_a_stuck_head_is_not),
        cmocka_unit_test(an_idle_connection_ends_at_its_limit),
        cmocka_unit_test(an_exchange_that_was_not_begun_can_be_given_back),
        cmocka_unit_test(draining_lets_the_exchange_finish),
        cmocka_unit_test(every_end_at_every_byte_leaves_nothing_behind),
    };
    return TEST_MAIN(cases, argc, argv);
}
