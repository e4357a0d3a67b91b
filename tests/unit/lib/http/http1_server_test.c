#include "lib/base/clock.h"
#include "lib/http/http1_counters.h"
#include "tests/unit/lib/http/http1_rig.h"
#include "tests/unit/test_main.h"

static void a_request_is_answered_and_the_connection_kept(void **state)
{
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    for (int i = 1; i <= 3; i++) {
        http1_rig_send(&rig, HTTP1_RIG_GET);
        assert_int_equal(rig.side.count, i);
        assert_true(http1_rig_last(&rig)->ended);
        assert_int_equal(rig.side.conn->streams, 1);
        http1_rig_respond(http1_rig_last(&rig), 200, "ok");
        exchange_release(http1_rig_last(&rig));
        loop_settle(rig.loop);
        http1_rig_expect(&rig, HTTP1_RIG_OK);
        assert_int_equal(rig.side.conn->streams, 0);
        assert_int_equal(chunk_in_use(), 0);
    }
    assert_int_equal(rig.side.conn->streams_total, 3);
    http1_rig_done(&rig);
}

static void pipelined_requests_wait_and_are_answered_in_order(void **state)
{
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    http1_rig_send(&rig, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                         "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                         "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    for (size_t i = 1; i <= 3; i++) {
        assert_int_equal(rig.side.count, i);
        struct exchange *exchange = http1_rig_last(&rig);
        assert_int_equal(exchange->heads[0]->path.at[1], '0' + i);
        assert_int_equal(exchange->body.length, i == 2 ? 3 : 0);
        http1_rig_respond(exchange, 200, "ok");
        exchange_release(exchange);
        loop_settle(rig.loop);
        http1_rig_expect(&rig, HTTP1_RIG_OK);
    }
    http1_rig_done(&rig);
}

static void a_thousand_pipelined_requests_answered_at_once_keep_memory_bounded(void **state)
{
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    rig.side.finally = http1_rig_answer;
    for (int i = 0; i < 1000; i++) {
        raw_peer_send_text(&rig.peer, HTTP1_RIG_GET);
    }
    loop_settle(rig.loop);
    assert_int_equal(rig.side.count, 1000);
    assert_int_equal(rig.peer.received_length, 1000 * strlen(HTTP1_RIG_OK));
    http1_rig_done(&rig);
    assert_int_equal(chunk_in_use(), 0);
}

/* What one exchange looked like, for comparing deliveries. */
static void describe(const struct exchange *exchange, struct text *to)
{
    const struct http_head *head = exchange->heads[0];
    text_printf(to, "%.*s|%.*s|%.*s|%d|", SPAN_ARG(head->method), SPAN_ARG(head->authority),
                SPAN_ARG(head->path), head->has_body);
    HEADERS_EACH(&head->headers, field)
    {
        text_printf(to, "%.*s=%.*s|", SPAN_ARG(field->name), SPAN_ARG(field->value));
    }
    text_add(to, text_span(&exchange->body));
    if (exchange->trailers != NULL) {
        HEADERS_EACH(exchange->trailers, field)
        {
            text_printf(to, "|%.*s=%.*s", SPAN_ARG(field->name), SPAN_ARG(field->value));
        }
    }
    text_printf(to, "|%d\n", exchange->ended);
}

static const char *const good_messages[] = {
    HTTP1_RIG_GET,
    "\r\nGET /x?y=z HTTP/1.1\r\nHost: a:80\r\nX-Empty:\r\nAccept: */*\r\n\r\n",
    "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
    "PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n00006;x=\"y\"\r\n world\r\n0\r\n\r\n",
    "PUT /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    "A\r\n0123456789\r\n000;ext\r\nX-Sum: 1\r\nHost: evil\r\nX-Two:  b \r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: x-y\r\nX-Y: 1\r\nX-Z: 2\r\n\r\n",
    "GET http://b/q HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" HTTP1_RIG_GET,
    HTTP1_RIG_GET "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                  "chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" HTTP1_RIG_GET,
};

/* Feeds the message in two parts, or byte by byte (split == 0), and writes down what came out. */
static void deliver(const char *message, size_t split, struct text *to)
{
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    rig.side.finally = http1_rig_answer;
    size_t length = strlen(message);
    if (split > 0) {
        raw_peer_send(&rig.peer, message, split);
        loop_settle(rig.loop);
        raw_peer_send(&rig.peer, message + split, length - split);
    } else {
        for (size_t i = 0; i < length; i++) {
            raw_peer_send(&rig.peer, message + i, 1);
            loop_settle(rig.loop);
        }
    }
    loop_settle(rig.loop);
    for (size_t i = 0; i < rig.side.count; i++) {
        describe(rig.side.exchanges[i], to);
    }
    text_add_text(to, rig.peer.received);
    assert_non_null(rig.side.conn);
    http1_rig_done(&rig);
}

static void messages_come_out_the_same_whatever_their_delivery(void **state)
{
    for (size_t i = 0; i < sizeof(good_messages) / sizeof(good_messages[0]); i++) {
        struct text whole = {0};
        size_t length = strlen(good_messages[i]);
        deliver(good_messages[i], length, &whole);
        for (size_t split = 0; split < length; split++) {
            struct text parts = {0};
            deliver(good_messages[i], split, &parts);
            if (!span_equal(text_span(&parts), text_span(&whole))) {
                fail_msg("split %zu of message %zu:\n%s\nnot\n%s", split, i, parts.bytes,
                         whole.bytes);
            }
            text_done(&parts);
        }
        text_done(&whole);
    }
    assert_int_equal(chunk_in_use(), 0);
}

static void a_body_of_unknown_length_is_chunked_or_ends_with_the_connection(void **state)
{
    static const struct {
        const char *request, *response;
        bool closes;
    } table[] = {
        {HTTP1_RIG_GET,
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
         false},
        {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
         "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok", true},
        {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct http1_rig rig;
        http1_rig_server_init(&rig);
        http1_rig_send(&rig, table[i].request);
        struct exchange *exchange = http1_rig_last(&rig);
        struct http_head head;
        http_head_init(&head, &exchange->arena);
        head.status = 200;
        http_stream_send_head(exchange->stream, &head, false);
        struct byte_queue queue;
        byte_queue_init(&queue);
        byte_queue_copy(&queue, "ok", 2);
        http_stream_send_body(exchange->stream, &queue, SIZE_MAX);
        struct headers trailers;
        headers_init(&trailers, &exchange->arena);
        headers_add(&trailers, SPAN("Content-Length"), SPAN("9"));
        headers_add(&trailers, SPAN("X-Sum"), SPAN("1"));
        http_stream_send_trailers(exchange->stream, &trailers);
        exchange_release(exchange);
        loop_settle(rig.loop);
        http1_rig_expect(&rig, table[i].response);
        assert_int_equal(rig.peer.got_end, table[i].closes);
        http1_rig_done(&rig);
    }
}

static void http_1_0_clients_get_what_they_understand(void **state)
{
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    http1_rig_send(&rig, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    struct http_head head;
    http_head_init(&head, &http1_rig_last(&rig)->arena);
    head.status = 103;
    http_stream_send_head(http1_rig_last(&rig)->stream, &head, false);
    http1_rig_answer(http1_rig_last(&rig));
    loop_settle(rig.loop);
    http1_rig_expect(&rig,
                     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok");
    http1_rig_send(&rig, "GET / HTTP/1.0\r\n\r\n");
    http1_rig_answer(http1_rig_last(&rig));
    loop_settle(rig.loop);
    http1_rig_expect(&rig, HTTP1_RIG_OK_CLOSE);
    assert_true(rig.peer.got_end);
    http1_rig_done(&rig);
}

static void framing_of_a_response_follows_its_kind(void **state)
{
    static const struct {
        const char *request;
        uint16_t status;
        int64_t length;
        const char *response;
    } table[] = {
        {HTTP1_RIG_GET, 200, -1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
        {HTTP1_RIG_GET, 204, -1, "HTTP/1.1 204 No Content\r\n\r\n"},
        {HTTP1_RIG_GET, 204, 5, "HTTP/1.1 204 No Content\r\n\r\n"},
        {HTTP1_RIG_GET, 304, 5, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"},
        {HTTP1_RIG_GET, 304, -1, "HTTP/1.1 304 Not Modified\r\n\r\n"},
        {HTTP1_RIG_GET, 599, 0, "HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"},
        {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200, 77,
         "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct http1_rig rig;
        http1_rig_server_init(&rig);
        http1_rig_send(&rig, table[i].request);
        struct exchange *exchange = http1_rig_last(&rig);
        struct http_head head;
        http_head_init(&head, &exchange->arena);
        head.status = table[i].status;
        head.content_length = table[i].length;
        http_stream_send_head(exchange->stream, &head, true);
        exchange_release(exchange);
        loop_settle(rig.loop);
        http1_rig_expect(&rig, table[i].response);
        http1_rig_send(&rig, HTTP1_RIG_GET);
        assert_int_equal(rig.side.count, 2);
        http1_rig_done(&rig);
    }
}

/* 43, 44: what would break the message, or split it, cuts the connection instead. */
static void responses_that_would_lie_are_cut(void **state)
{
    for (int kind = 0; kind < 6; kind++) {
        struct http1_rig rig;
        http1_rig_server_init(&rig);
        http1_rig_send(&rig, HTTP1_RIG_GET);
        struct exchange *exchange = http1_rig_last(&rig);
        struct http_head head;
        http_head_init(&head, &exchange->arena);
        head.status = kind == 5 ? 101 : 200;
        head.content_length = kind < 3 ? 5 : -1;
        if (kind == 3) {
            headers_add(&head.headers, SPAN("X"), SPAN("a\r\nSet-Cookie: b"));
        }
        if (kind == 4) {
            headers_add(&head.headers, SPAN("X: y\r\nZ"), SPAN("a"));
        }
        http_stream_send_head(exchange->stream, &head, kind == 2);
        struct byte_queue queue;
        byte_queue_init(&queue);
        byte_queue_copy(&queue, "0123456789", kind == 0 ? 10 : 3);
        http_stream_send_body(exchange->stream, &queue, SIZE_MAX);
        byte_queue_done(&queue);
        if (kind < 2) {
            http_stream_send_end(exchange->stream);
        }
        loop_settle(rig.loop);
        assert_true(rig.side.closed);
        assert_true(exchange->reset);
        assert_int_equal(rig.peer.received_length, 0);
        assert_int_equal(pipe_other_end(rig.other), PIPE_ABORTED);
        http1_rig_done(&rig);
    }
}

static void expectations_pass_through(void **state)
{
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    http1_rig_send(
        &rig, "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    struct exchange *exchange = http1_rig_last(&rig);
    assert_true(exchange->heads[0]->expects_continue);
    assert_non_null(headers_find(&exchange->heads[0]->headers, HEADER_EXPECT));
    http1_rig_expect(&rig, "");
    struct http_head head;
    http_head_init(&head, &exchange->arena);
    head.status = 100;
    http_stream_send_head(exchange->stream, &head, false);
    loop_settle(rig.loop);
    http1_rig_expect(&rig, "HTTP/1.1 100 Continue\r\n\r\n");
    http1_rig_send(&rig, "abc");
    assert_true(exchange->ended);
    http1_rig_answer(exchange);
    loop_settle(rig.loop);
    http1_rig_expect(&rig, HTTP1_RIG_OK);
    /* Answered without being told to go on: whether a body comes nobody knows. */
    http1_rig_send(
        &rig, "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    http1_rig_answer(http1_rig_last(&rig));
    loop_settle(rig.loop);
    http1_rig_expect(&rig, HTTP1_RIG_OK_CLOSE);
    assert_true(rig.peer.got_end);
    http1_rig_done(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_request_is_answered_and_the_connection_kept),
        cmocka_unit_test(pipelined_requests_wait_and_are_answered_in_order),
        cmocka_unit_test(a_thousand_pipelined_requests_answered_at_once_keep_memory_bounded),
        cmocka_unit_test(messages_come_out_the_same_whatever_their_delivery),
        cmocka_unit_test(a_body_of_unknown_length_is_chunked_or_ends_with_the_connection),
        cmocka_unit_test(http_1_0_clients_get_what_they_understand),
        cmocka_unit_test(framing_of_a_response_follows_its_kind),
        cmocka_unit_test(responses_that_would_lie_are_cut),
        cmocka_unit_test(expectations_pass_through),
    };
    return TEST_MAIN(cases, argc, argv);
}
