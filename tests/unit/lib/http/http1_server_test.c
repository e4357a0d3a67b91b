#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/poison.h"
#include "lib/http/http1_counters.h"
#include "tests/fakes/pipe_transport.h"
#include "tests/fakes/raw_peer.h"
#include "tests/unit/lib/http/exchange.h"
#include "tests/unit/test_main.h"

/* A server connection at one end of a pipe, bytes by hand at the other. */
struct rig {
    struct loop *loop;
    struct http_limits limits;
    struct side side;
    struct raw_peer peer;
    struct transport *transport;
    struct transport *other;
};

static void rig_init_with(struct rig *rig, const struct pipe_options *server,
                          const struct pipe_options *client)
{
    *rig = (struct rig){.loop = loop_create_simulated(1000 * NS_PER_S)};
    http_limits_default(&rig->limits);
    pipe_transports(rig->loop, server, client, &rig->transport, &rig->other);
    raw_peer_own(&rig->peer, rig->other);
    rig->side.conn =
        http1_server_create(rig->transport, &rig->limits, false, &side_events, &rig->side);
    loop_settle(rig->loop);
}

static void rig_init(struct rig *rig)
{
    rig_init_with(rig, NULL, NULL);
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

static struct exchange *last(struct rig *rig)
{
    assert_true(rig->side.count > 0);
    return rig->side.exchanges[rig->side.count - 1];
}

static void respond(struct exchange *exchange, uint16_t status, const char *body)
{
    struct http_head head;
    http_head_init(&head, &exchange->arena);
    head.status = status;
    head.content_length = (int64_t)strlen(body);
    http_stream_send_head(exchange->stream, &head, body[0] == '\0');
    if (body[0] != '\0') {
        struct byte_queue queue;
        byte_queue_init(&queue);
        byte_queue_copy(&queue, body, strlen(body));
        assert_int_equal(http_stream_send_body(exchange->stream, &queue, SIZE_MAX), strlen(body));
        http_stream_send_end(exchange->stream);
        byte_queue_done(&queue);
    }
}

static void answer_at_once(struct exchange *exchange)
{
    respond(exchange, 200, "ok");
    exchange_release(exchange);
}

static void expect_received(struct rig *rig, const char *text)
{
    if (strcmp(rig->peer.received, text) != 0) {
        fail_msg("received: %s", rig->peer.received);
    }
    raw_peer_clear(&rig->peer);
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define OK_CLOSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static void a_request_is_answered_and_the_connection_kept(void **state)
{
    struct rig rig;
    rig_init(&rig);
    for (int i = 1; i <= 3; i++) {
        send_text(&rig, GET);
        assert_int_equal(rig.side.count, i);
        assert_true(last(&rig)->ended);
        assert_int_equal(rig.side.conn->streams, 1);
        respond(last(&rig), 200, "ok");
        exchange_release(last(&rig));
        loop_settle(rig.loop);
        expect_received(&rig, OK);
        assert_int_equal(rig.side.conn->streams, 0);
        assert_int_equal(chunk_in_use(), 0);
    }
    assert_int_equal(rig.side.conn->streams_total, 3);
    rig_done(&rig);
}

static void pipelined_requests_wait_and_are_answered_in_order(void **state)
{
    struct rig rig;
    rig_init(&rig);
    send_text(&rig, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                    "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                    "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    for (size_t i = 1; i <= 3; i++) {
        assert_int_equal(rig.side.count, i);
        struct exchange *exchange = last(&rig);
        assert_int_equal(exchange->heads[0]->path.at[1], '0' + i);
        assert_int_equal(exchange->body.length, i == 2 ? 3 : 0);
        respond(exchange, 200, "ok");
        exchange_release(exchange);
        loop_settle(rig.loop);
        expect_received(&rig, OK);
    }
    rig_done(&rig);
}

static void a_thousand_pipelined_requests_answered_at_once_keep_memory_bounded(void **state)
{
    struct rig rig;
    rig_init(&rig);
    rig.side.finally = answer_at_once;
    for (int i = 0; i < 1000; i++) {
        raw_peer_send_text(&rig.peer, GET);
    }
    loop_settle(rig.loop);
    assert_int_equal(rig.side.count, 1000);
    assert_int_equal(rig.peer.received_length, 1000 * strlen(OK));
    rig_done(&rig);
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
    GET,
    "\r\nGET /x?y=z HTTP/1.1\r\nHost: a:80\r\nX-Empty:\r\nAccept: */*\r\n\r\n",
    "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
    "PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n00006;x=\"y\"\r\n world\r\n0\r\n\r\n",
    "PUT /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    "A\r\n0123456789\r\n000;ext\r\nX-Sum: 1\r\nHost: evil\r\nX-Two:  b \r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: x-y\r\nX-Y: 1\r\nX-Z: 2\r\n\r\n",
    "GET http://b/q HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" GET,
    GET "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" GET,
};

/* Feeds the message in two parts, or byte by byte (split == 0), and writes down what came out. */
static void deliver(const char *message, size_t split, struct text *to)
{
    struct rig rig;
    rig_init(&rig);
    rig.side.finally = answer_at_once;
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
    rig_done(&rig);
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

static void bad_requests_get_one_answer_and_the_connection_ends(void **state)
{
    static const struct {
        const char *text;
        const char *status;
        const char *reason;
    } table[] = {
        {"GET / HTTP/1.1\r\n\r\n", "400 Bad Request", "bad_request"},
        {"GET / HTTP/1.1\nHost: a\n\n", "400 Bad Request", "bad_request"},
        {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported",
         "unsupported_version"},
        {"\x16\x03\x01\x02", "400 Bad Request", "bad_request"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct rig rig;
        rig_init(&rig);
        uint64_t before = http1_counters()->refused[FAILURE_BAD_REQUEST] +
                          http1_counters()->refused[FAILURE_UNSUPPORTED_VERSION];
        /* What follows is never looked at. */
        raw_peer_send_text(&rig.peer, table[i].text);
        send_text(&rig, GET);
        char expected[256];
        snprintf(expected, sizeof(expected),
                 "HTTP/1.1 %s\r\nx-remora-reason: %s\r\nContent-Length: 0\r\n"
                 "Connection: close\r\n\r\n",
                 table[i].status, table[i].reason);
        expect_received(&rig, expected);
        assert_int_equal(rig.side.count, 0);
        assert_true(rig.peer.got_end);
        assert_int_equal(http1_counters()->refused[FAILURE_BAD_REQUEST] +
                             http1_counters()->refused[FAILURE_UNSUPPORTED_VERSION],
                         before + 1);
        raw_peer_end(&rig.peer);
        loop_settle(rig.loop);
        assert_true(rig.side.closed);
        rig_done(&rig);
    }
}

static void heads_beyond_the_bounds_get_414_and_431(void **state)
{
    struct rig rig;
    rig_init(&rig);
    static char line[9000];
    memset(line, 'a', sizeof(line) - 1);
    memcpy(line, "GET /", 5);
    send_text(&rig, line);
    assert_non_null(strstr(rig.peer.received, "HTTP/1.1 414 "));
    rig_done(&rig);
    rig_init(&rig);
    send_text(&rig, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 130 && rig.side.conn != NULL; i++) {
        send_text(&rig, "X: y\r\n");
    }
    send_text(&rig, "\r\n");
    assert_non_null(strstr(rig.peer.received, "HTTP/1.1 431 "));
    assert_int_equal(rig.side.count, 0);
    rig_done(&rig);
}

static void a_head_larger_than_a_chunk_is_taken_whole(void **state)
{
    struct rig rig;
    rig_init(&rig);
    rig.side.finally = answer_at_once;
    static char value[20001];
    memset(value, 'v', sizeof(value) - 1);
    raw_peer_send_text(&rig.peer, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n");
    for (int i = 0; i < 3; i++) {
        raw_peer_send_text(&rig.peer, "X-Large: ");
        raw_peer_send_text(&rig.peer, value);
        raw_peer_send_text(&rig.peer, "\r\n");
    }
    send_text(&rig, "\r\nabc" GET);
    assert_int_equal(rig.side.count, 2);
    struct exchange *first = rig.side.exchanges[0];
    assert_int_equal(first->body.length, 3);
    assert_int_equal(first->heads[0]->headers.items[4].value.length, 20000);
    expect_received(&rig, OK OK);
    rig_done(&rig);
    assert_int_equal(chunk_in_use(), 0);
}

/* 34, 35: each is refused, and nothing of that chunk is handed up. */
static void bad_chunks_are_refused_and_not_forwarded(void **state)
{
    static const struct {
        struct span bytes;
        size_t body; /* handed up before */
    } table[] = {
        {SPAN("0x5\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("+5\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("-5\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN(" 5\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("5 \r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("5\t;x\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("5_0\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("g\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN(";x\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("00000000000000005\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("8000000000000000\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("5\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("5\rhello\r\n0\r\n\r\n"), 0},
        {SPAN("5\r\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("5;a\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("5;a\rb\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("5;a\0\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("5\n;a\r\nhello\r\n0\r\n\r\n"), 0},
        {SPAN("5\r\nhello\n0\r\n\r\n"), 5},
        {SPAN("5\r\nhello\r0\r\n\r\n"), 5},
        {SPAN("5\r\nhelloX\r\n0\r\n\r\n"), 5},
        {SPAN("5\r\nhello0\r\n\r\n"), 5},
        {SPAN("5\r\nhello\r\n0\n\r\n"), 5},
        {SPAN("5\r\nhello\r\n0\r\n\n"), 5},
        {SPAN("5\r\nhello\r\n0\r\nX: y\n\r\n"), 5},
        {SPAN("5\r\nhello\r\n0\r\nX : y\r\n\r\n"), 5},
        {SPAN("5\r\nhello\r\n0\r\n y\r\n\r\n"), 5},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct rig rig;
        rig_init(&rig);
        send_text(&rig, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        raw_peer_send(&rig.peer, table[i].bytes.at, table[i].bytes.length);
        loop_settle(rig.loop);
        const struct exchange *exchange = last(&rig);
        if (!exchange->reset || exchange->failure != FAILURE_BAD_REQUEST || exchange->ended ||
            exchange->body.length != table[i].body ||
            strncmp(rig.peer.received, "HTTP/1.1 400 ", 13) != 0 || !rig.peer.got_end) {
            fail_msg("row %zu: %.*s", i, SPAN_ARG(table[i].bytes));
        }
        assert_int_equal(rig.side.count, 1);
        rig_done(&rig);
    }
}

static void chunk_lines_and_trailers_have_their_bounds(void **state)
{
    for (int kind = 0; kind < 3; kind++) {
        struct rig rig;
        rig_init(&rig);
        send_text(&rig, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        send_text(&rig, kind == 0 ? "5;" : "0\r\n");
        for (int i = 0; i < 300 && !last(&rig)->reset; i++) {
            send_text(&rig, kind == 0   ? "x"
                            : kind == 1 ? "A: b\r\n"
                                        : "aaaaaaaaaabbbbbbbbbbcccccccccc");
        }
        assert_true(last(&rig)->reset);
        assert_int_equal(last(&rig)->failure, FAILURE_BAD_REQUEST);
        rig_done(&rig);
    }
}

static void bodies_reach_their_owner_only_within_credit(void **state)
{
    for (int chunked = 0; chunked < 2; chunked++) {
        struct rig rig;
        rig_init(&rig);
        rig.side.keeps_credit = true;
        static char body[200000];
        memset(body, 'b', sizeof(body));
        send_text(&rig,
                  chunked != 0
                      ? "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n"
                      : "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
        raw_peer_send(&rig.peer, body, sizeof(body));
        loop_settle(rig.loop);
        struct exchange *exchange = last(&rig);
        assert_int_equal(exchange->body.length, 65536);
        /* At rest: no turn brings more. */
        loop_settle(rig.loop);
        assert_int_equal(exchange->body.length, 65536);
        http_stream_consume(exchange->stream, 1000);
        exchange->owed -= 1000;
        loop_settle(rig.loop);
        assert_int_equal(exchange->body.length, 66536);
        while (exchange->body.length < sizeof(body)) {
            size_t owed = exchange->owed;
            exchange->owed = 0;
            http_stream_consume(exchange->stream, owed);
            loop_settle(rig.loop);
            assert_true(exchange->owed <= 65536 && exchange->owed > 0);
        }
        if (chunked != 0) {
            send_text(&rig, "\r\n0\r\n\r\n");
        }
        assert_true(exchange->ended);
        rig_done(&rig);
    }
}

static void responses_wait_when_the_client_does_not_read(void **state)
{
    struct rig rig;
    rig_init(&rig);
    send_text(&rig, GET);
    raw_peer_listen(&rig.peer, false);
    struct exchange *exchange = last(&rig);
    struct http_head head;
    http_head_init(&head, &exchange->arena);
    head.status = 200;
    http_stream_send_head(exchange->stream, &head, false);
    struct byte_queue queue;
    byte_queue_init(&queue);
    static char body[400000];
    byte_queue_copy(&queue, body, sizeof(body));
    size_t moved = http_stream_send_body(exchange->stream, &queue, SIZE_MAX);
    assert_true(moved <= 65536);
    for (int i = 0; i < 20; i++) {
        loop_settle(rig.loop);
        moved += http_stream_send_body(exchange->stream, &queue, SIZE_MAX);
    }
    /* The pipe's window and the stream's room. */
    assert_true(moved <= 2 * 65536 + 100);
    assert_int_equal(http_stream_room(exchange->stream), 0);
    size_t rooms = exchange->rooms;
    raw_peer_listen(&rig.peer, true);
    for (int i = 0; i < 100 && queue.length > 0; i++) {
        loop_settle(rig.loop);
        http_stream_send_body(exchange->stream, &queue, SIZE_MAX);
    }
    assert_true(exchange->rooms > rooms);
    assert_int_equal(queue.length, 0);
    http_stream_send_end(exchange->stream);
    exchange_release(exchange);
    loop_settle(rig.loop);
    assert_true(span_ends_with(span_make(rig.peer.received, rig.peer.received_length),
                               SPAN("\r\n0\r\n\r\n")));
    assert_int_equal(rig.side.conn->streams, 0);
    rig_done(&rig);
}

static void a_body_of_unknown_length_is_chunked_or_ends_with_the_connection(void **state)
{
    static const struct {
        const char *request, *response;
        bool closes;
    } table[] = {
        {GET,
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
         false},
        {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
         "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok", true},
        {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct rig rig;
        rig_init(&rig);
        send_text(&rig, table[i].request);
        struct exchange *exchange = last(&rig);
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
        expect_received(&rig, table[i].response);
        assert_int_equal(rig.peer.got_end, table[i].closes);
        rig_done(&rig);
    }
}

static void http_1_0_clients_get_what_they_understand(void **state)
{
    struct rig rig;
    rig_init(&rig);
    send_text(&rig, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    struct http_head head;
    http_head_init(&head, &last(&rig)->arena);
    head.status = 103;
    http_stream_send_head(last(&rig)->stream, &head, false);
    answer_at_once(last(&rig));
    loop_settle(rig.loop);
    expect_received(&rig,
                    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok");
    send_text(&rig, "GET / HTTP/1.0\r\n\r\n");
    answer_at_once(last(&rig));
    loop_settle(rig.loop);
    expect_received(&rig, OK_CLOSE);
    assert_true(rig.peer.got_end);
    rig_done(&rig);
}

static void framing_of_a_response_follows_its_kind(void **state)
{
    static const struct {
        const char *request;
        uint16_t status;
        int64_t length;
        const char *response;
    } table[] = {
        {GET, 200, -1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
        {GET, 204, -1, "HTTP/1.1 204 No Content\r\n\r\n"},
        {GET, 204, 5, "HTTP/1.1 204 No Content\r\n\r\n"},
        {GET, 304, 5, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"},
        {GET, 304, -1, "HTTP/1.1 304 Not Modified\r\n\r\n"},
        {GET, 599, 0, "HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"},
        {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200, 77,
         "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct rig rig;
        rig_init(&rig);
        send_text(&rig, table[i].request);
        struct exchange *exchange = last(&rig);
        struct http_head head;
        http_head_init(&head, &exchange->arena);
        head.status = table[i].status;
        head.content_length = table[i].length;
        http_stream_send_head(exchange->stream, &head, true);
        exchange_release(exchange);
        loop_settle(rig.loop);
        expect_received(&rig, table[i].response);
        send_text(&rig, GET);
        assert_int_equal(rig.side.count, 2);
        rig_done(&rig);
    }
}

/* 43, 44: what would break the message, or split it, cuts the connection instead. */
static void responses_that_would_lie_are_cut(void **state)
{
    for (int kind = 0; kind < 6; kind++) {
        struct rig rig;
        rig_init(&rig);
        send_text(&rig, GET);
        struct exchange *exchange = last(&rig);
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
        rig_done(&rig);
    }
}

static void expectations_pass_through(void **state)
{
    struct rig rig;
    rig_init(&rig);
    send_text(&rig,
              "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    struct exchange *exchange = last(&rig);
    assert_true(exchange->heads[0]->expects_continue);
    assert_non_null(headers_find(&exchange->heads[0]->headers, HEADER_EXPECT));
    expect_received(&rig, "");
    struct http_head head;
    http_head_init(&head, &exchange->arena);
    head.status = 100;
    http_stream_send_head(exchange->stream, &head, false);
    loop_settle(rig.loop);
    expect_received(&rig, "HTTP/1.1 100 Continue\r\n\r\n");
    send_text(&rig, "abc");
    assert_true(exchange->ended);
    answer_at_once(exchange);
    loop_settle(rig.loop);
    expect_received(&rig, OK);
    /* Answered without being told to go on: whether a body comes nobody knows. */
    send_text(&rig,
              "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    answer_at_once(last(&rig));
    loop_settle(rig.loop);
    expect_received(&rig, OK_CLOSE);
    assert_true(rig.peer.got_end);
    rig_done(&rig);
}

/* 27 */
static void the_rest_of_a_body_after_an_early_answer_is_read_or_the_connection_closed(void **state)
{
    static const struct {
        size_t length;
        bool kept;
    } table[] = {{1000, true}, {65536, true}, {65537, false}, {1000000, false}};
    static char body[1000000];
    memset(body, 'b', sizeof(body));
    for (size_t i = 0; i < 4; i++) {
        struct rig rig;
        rig_init(&rig);
        char head[100];
        snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                 table[i].length);
        send_text(&rig, head);
        respond(last(&rig), 403, "no");
        exchange_release(last(&rig));
        raw_peer_send(&rig.peer, body, table[i].length);
        send_text(&rig, GET);
        assert_int_equal(rig.side.count, table[i].kept ? 2 : 1);
        assert_int_equal(rig.peer.got_end, !table[i].kept);
        assert_int_equal(strstr(rig.peer.received, "Connection: close") != NULL, !table[i].kept);
        rig_done(&rig);
    }
    /* Chunked: the end is not known, and may be far. */
    struct rig rig;
    rig_init(&rig);
    send_text(&rig,
              "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    respond(last(&rig), 403, "no");
    exchange_release(last(&rig));
    send_text(&rig, "0\r\n\r\n" GET);
    assert_int_equal(rig.side.count, 1);
    assert_non_null(strstr(rig.peer.received, "Connection: close"));
    rig_done(&rig);
}

static void accept_upgrade(struct rig *rig)
{
    struct exchange *exchange = last(rig);
    struct http_head head;
    http_head_init(&head, &exchange->arena);
    head.status = 101;
    http_stream_send_head(exchange->stream, &head, false);
    loop_settle(rig->loop);
}

#define UPGRADE "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

/* 26 */
static void an_upgrade_holds_early_bytes_until_it_is_accepted(void **state)
{
    struct rig rig;
    rig_init(&rig);
    send_text(&rig, UPGRADE "early");
    struct exchange *exchange = last(&rig);
    assert_true(span_equal_text(exchange->heads[0]->upgrade, "websocket"));
    assert_true(exchange->heads[0]->has_body);
    assert_int_equal(exchange->body.length, 0);
    assert_false(exchange->ended);
    accept_upgrade(&rig);
    expect_received(&rig, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\n\r\n");
    assert_true(span_equal_text(text_span(&exchange->body), "early"));
    send_text(&rig, GET);
    assert_int_equal(rig.side.count, 1);
    assert_int_equal(exchange->body.length, 5 + strlen(GET));
    struct byte_queue queue;
    byte_queue_init(&queue);
    byte_queue_copy(&queue, "\x81\x00", 2);
    http_stream_send_body(exchange->stream, &queue, SIZE_MAX);
    loop_settle(rig.loop);
    assert_int_equal(rig.peer.received_length, 2);
    /* Each direction ends by itself. */
    raw_peer_end(&rig.peer);
    loop_settle(rig.loop);
    assert_true(exchange->ended);
    assert_false(rig.peer.got_end);
    http_stream_send_end(exchange->stream);
    loop_settle(rig.loop);
    assert_true(rig.peer.got_end);
    exchange_release(exchange);
    loop_settle(rig.loop);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_NONE);
    rig_done(&rig);
}

static void a_refused_upgrade_ends_the_request_and_never_reads_early_bytes_as_one(void **state)
{
    for (int early = 0; early < 2; early++) {
        struct rig rig;
        rig_init(&rig);
        send_text(&rig, early != 0 ? UPGRADE GET : UPGRADE);
        struct exchange *exchange = last(&rig);
        respond(exchange, 200, "ok");
        loop_settle(rig.loop);
        assert_true(exchange->ended);
        exchange_release(exchange);
        loop_settle(rig.loop);
        expect_received(&rig, early != 0 ? OK_CLOSE : OK);
        send_text(&rig, GET);
        assert_int_equal(rig.side.count, early != 0 ? 1 : 2);
        rig_done(&rig);
    }
}

static void connect_becomes_a_tunnel_when_accepted(void **state)
{
    struct rig rig;
    rig_init(&rig);
    send_text(&rig, "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\nhello");
    struct exchange *exchange = last(&rig);
    assert_int_equal(exchange->heads[0]->method_token, HTTP_METHOD_CONNECT);
    assert_int_equal(exchange->body.length, 0);
    struct http_head head;
    http_head_init(&head, &exchange->arena);
    head.status = 200;
    http_stream_send_head(exchange->stream, &head, false);
    loop_settle(rig.loop);
    expect_received(&rig, "HTTP/1.1 200 OK\r\n\r\n");
    assert_true(span_equal_text(text_span(&exchange->body), "hello"));
    rig_done(&rig);
}

static void a_slow_head_is_told_408(void **state)
{
    struct rig rig;
    rig_init(&rig);
    send_text(&rig, GET);
    answer_at_once(last(&rig));
    loop_settle(rig.loop);
    raw_peer_clear(&rig.peer);
    loop_advance(rig.loop, 60 * NS_PER_S);
    /* One byte a second does not help. */
    for (int i = 0; i < 9; i++) {
        send_text(&rig, "G");
        loop_advance(rig.loop, NS_PER_S);
    }
    expect_received(&rig, "");
    loop_advance(rig.loop, NS_PER_S);
    assert_non_null(strstr(rig.peer.received, "HTTP/1.1 408 "));
    assert_non_null(strstr(rig.peer.received, "x-remora-reason: header_timeout\r\n"));
    assert_true(rig.peer.got_end);
    /* A client that does not close is left after a second. */
    loop_advance(rig.loop, 2 * NS_PER_S);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_HEADER_TIMEOUT);
    rig_done(&rig);
}

static void a_body_without_progress_is_cut(void **state)
{
    struct rig rig;
    rig_init(&rig);
    send_text(&rig, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
    for (int i = 0; i < 5; i++) {
        send_text(&rig, "x");
        loop_advance(rig.loop, 29 * NS_PER_S);
    }
    assert_false(last(&rig)->reset);
    loop_advance(rig.loop, NS_PER_S);
    assert_true(last(&rig)->reset);
    assert_int_equal(last(&rig)->failure, FAILURE_STREAM_IDLE);
    rig_done(&rig);
}

static void waiting_for_the_owner_is_not_the_clients_fault(void **state)
{
    struct rig rig;
    rig_init(&rig);
    rig.side.keeps_credit = true;
    static char body[100000];
    send_text(&rig, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    raw_peer_send(&rig.peer, body, sizeof(body));
    loop_settle(rig.loop);
    loop_advance(rig.loop, 7200 * NS_PER_S);
    assert_false(last(&rig)->reset);
    http_stream_consume(last(&rig)->stream, 65536);
    loop_settle(rig.loop);
    assert_true(last(&rig)->ended);
    loop_advance(rig.loop, 7200 * NS_PER_S);
    assert_false(last(&rig)->reset);
    assert_false(rig.side.closed);
    rig_done(&rig);
}

static void a_client_that_reads_nothing_is_cut(void **state)
{
    struct rig rig;
    const struct pipe_options stalled = {.stall = true, .stall_after = 10};
    rig_init_with(&rig, &stalled, NULL);
    send_text(&rig, GET);
    answer_at_once(last(&rig));
    loop_settle(rig.loop);
    loop_advance(rig.loop, 29 * NS_PER_S);
    assert_false(rig.side.closed);
    assert_int_equal(rig.peer.received_length, 10);
    loop_advance(rig.loop, 2 * NS_PER_S);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_STREAM_IDLE);
    rig_done(&rig);
}

static void an_idle_connection_ends_after_its_hour(void **state)
{
    struct rig rig;
    rig_init(&rig);
    loop_advance(rig.loop, 3000 * NS_PER_S);
    send_text(&rig, GET);
    answer_at_once(last(&rig));
    loop_settle(rig.loop);
    loop_advance(rig.loop, 3599 * NS_PER_S);
    assert_false(rig.peer.got_end);
    loop_advance(rig.loop, 2 * NS_PER_S);
    assert_true(rig.peer.got_end);
    loop_advance(rig.loop, 2 * NS_PER_S);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_NONE);
    rig_done(&rig);
}

static void draining_serves_what_is_there_and_says_close(void **state)
{
    struct rig rig;
    rig_init(&rig);
    http_conn_drain(rig.side.conn);
    loop_settle(rig.loop);
    assert_true(rig.peer.got_end);
    rig_done(&rig);
    rig_init(&rig);
    send_text(&rig, GET);
    http_conn_drain(rig.side.conn);
    answer_at_once(last(&rig));
    loop_settle(rig.loop);
    expect_received(&rig, OK_CLOSE);
    assert_true(rig.peer.got_end);
    raw_peer_close(&rig.peer);
    loop_settle(rig.loop);
    assert_true(rig.side.closed);
    rig_done(&rig);
    rig_init(&rig);
    send_text(&rig, "GET / HTTP/1.1\r\n");
    http_conn_drain(rig.side.conn);
    send_text(&rig, "Host: a\r\n\r\n");
    answer_at_once(last(&rig));
    loop_settle(rig.loop);
    expect_received(&rig, OK_CLOSE);
    rig_done(&rig);
}

static void a_client_that_leaves_resets_its_exchange(void **state)
{
    static const char *const sent[] = {
        GET, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", UPGRADE};
    for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
        for (int abort = 0; abort < 2; abort++) {
            struct rig rig;
            rig_init(&rig);
            send_text(&rig, sent[i]);
            assert_int_equal(rig.side.count, 1);
            if (abort != 0) {
                pipe_fail(rig.other, FAILURE_DOWNSTREAM_RESET);
                raw_peer_done(&rig.peer);
            } else {
                raw_peer_end(&rig.peer);
            }
            loop_settle(rig.loop);
            assert_true(last(&rig)->reset);
            assert_int_equal(last(&rig)->failure, FAILURE_DOWNSTREAM_CLOSED);
            assert_true(rig.side.closed);
            rig_done(&rig);
        }
    }
}

/* Ends the exchange or the connection after each byte of a request, in every way that there is. */
static void every_end_at_every_byte_leaves_nothing_behind(void **state)
{
    static const char message[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                                  "chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\nGET";
    enum way { RELEASE, RESET, CLOSE, FAIL_CLOSE, DRAIN, PEER_END, PEER_CLOSE, ANSWER, WAYS };
    for (int way = 0; way < WAYS; way++) {
        for (size_t at = 0; at < sizeof(message); at++) {
            struct rig rig;
            rig_init(&rig);
            raw_peer_send(&rig.peer, message, at);
            loop_settle(rig.loop);
            struct exchange *exchange = rig.side.count > 0 ? last(&rig) : NULL;
            if (exchange != NULL && way == RELEASE) {
                exchange_release(exchange);
            } else if (exchange != NULL && way == RESET) {
                http_stream_reset(exchange->stream, FAILURE_DOWNSTREAM_RESET);
            } else if (exchange != NULL && way == ANSWER) {
                answer_at_once(exchange);
            } else if (way == CLOSE || way == FAIL_CLOSE) {
                http_conn_close(rig.side.conn,
                                way == CLOSE ? FAILURE_NONE : FAILURE_LOCAL_SHUTDOWN);
            } else if (way == DRAIN) {
                http_conn_drain(rig.side.conn);
            } else if (way == PEER_END) {
                raw_peer_end(&rig.peer);
            } else if (way == PEER_CLOSE) {
                raw_peer_close(&rig.peer);
            }
            if (way == RESET && exchange != NULL) {
                loop_settle(rig.loop);
                assert_false(exchange->reset);
                assert_true(rig.side.closed);
            }
            if (rig.peer.transport != NULL && way != PEER_END) {
                raw_peer_send(&rig.peer, message + at, sizeof(message) - 1 - at);
            }
            loop_settle(rig.loop);
            rig_done(&rig);
            assert_int_equal(chunk_in_use(), 0);
        }
    }
}

/* Counts every malloc of the process where AddressSanitizer is there to tell, else our own. */
#ifdef REMORA_POISON
/* Of sanitizer/allocator_interface.h, which GCC does not install. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));
static uint64_t allocations;
static void on_malloc(const volatile void *memory, size_t bytes)
{
    allocations++;
}
static void on_free(const volatile void *memory)
{
}
static uint64_t allocations_now(void)
{
    static int hooked;
    if (hooked == 0) {
        hooked = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
        assert_int_not_equal(hooked, 0);
    }
    return allocations;
}
#else
static uint64_t allocations_now(void)
{
    return mem_allocations();
}
#endif

static uint64_t allocations_of(struct rig *rig, int requests)
{
    uint64_t before = allocations_now();
    for (int i = 0; i < requests; i++) {
        raw_peer_send_text(&rig->peer, GET);
        loop_settle(rig->loop);
        raw_peer_clear(&rig->peer);
    }
    return allocations_now() - before;
}

/* An owner without memory of its own, as the request layer is in its steady state. */
struct lean {
    struct http_conn *conn;
    struct http_stream *stream;
    struct arena arena;
    int answered;
};

static void lean_head(void *owner, struct http_head *head)
{
}
static void lean_body(void *owner, const struct piece *piece)
{
}
static void lean_trailers(void *owner, struct headers *trailers)
{
}
static void lean_room(void *owner)
{
}
static void lean_reset(void *owner, enum failure failure)
{
}
static void lean_end(void *owner)
{
    struct lean *lean = owner;
    struct http_head head;
    http_head_init(&head, &lean->arena);
    head.status = 200;
    head.content_length = 2;
    headers_add(&head.headers, SPAN("Server"), SPAN("x"));
    http_stream_send_head(lean->stream, &head, false);
    struct byte_queue queue;
    byte_queue_init(&queue);
    byte_queue_copy(&queue, "ok", 2);
    http_stream_send_body(lean->stream, &queue, SIZE_MAX);
    http_stream_send_end(lean->stream);
    http_stream_release(lean->stream);
    arena_done(&lean->arena);
    lean->answered++;
}

static void lean_stream(void *owner, struct http_conn *conn, struct http_stream *stream)
{
    static const struct http_stream_events events = {lean_head, lean_body, lean_trailers,
                                                     lean_end,  lean_room, lean_reset};
    struct lean *lean = owner;
    lean->stream = stream;
    http_stream_attach(stream, &lean->arena, &events, lean);
}

static void lean_closed(void *owner, struct http_conn *conn, enum failure failure)
{
    ((struct lean *)owner)->conn = NULL;
}

static void a_kept_connection_allocates_nothing_for_a_request(void **state)
{
    static const struct http_conn_events events = {.on_stream = lean_stream,
                                                   .on_closed = lean_closed};
    struct rig rig = {.loop = loop_create_simulated(1000 * NS_PER_S)};
    http_limits_default(&rig.limits);
    pipe_transports(rig.loop, NULL, NULL, &rig.transport, &rig.other);
    raw_peer_own(&rig.peer, rig.other);
    struct lean lean = {.answered = 0};
    lean.conn = http1_server_create(rig.transport, &rig.limits, false, &events, &lean);
    allocations_of(&rig, 10);
#ifdef REMORA_POISON
    uint64_t before = allocations_now();
    mem_free(mem_alloc(1));
    assert_int_equal(allocations_now(), before + 1);
#endif
    assert_int_equal(allocations_of(&rig, 1000), 0);
    assert_int_equal(lean.answered, 1010);
    assert_int_equal(chunk_in_use(), 0);
    http_conn_close(lean.conn, FAILURE_NONE);
    raw_peer_done(&rig.peer);
    loop_settle(rig.loop);
    loop_destroy(rig.loop);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_request_is_answered_and_the_connection_kept),
        cmocka_unit_test(pipelined_requests_wait_and_are_answered_in_order),
        cmocka_unit_test(a_thousand_pipelined_requests_answered_at_once_keep_memory_bounded),
        cmocka_unit_test(messages_come_out_the_same_whatever_their_delivery),
        cmocka_unit_test(bad_requests_get_one_answer_and_the_connection_ends),
        cmocka_unit_test(heads_beyond_the_bounds_get_414_and_431),
        cmocka_unit_test(a_head_larger_than_a_chunk_is_taken_whole),
        cmocka_unit_test(bad_chunks_are_refused_and_not_forwarded),
        cmocka_unit_test(chunk_lines_and_trailers_have_their_bounds),
        cmocka_unit_test(bodies_reach_their_owner_only_within_credit),
        cmocka_unit_test(responses_wait_when_the_client_does_not_read),
        cmocka_unit_test(a_body_of_unknown_length_is_chunked_or_ends_with_the_connection),
        cmocka_unit_test(http_1_0_clients_get_what_they_understand),
        cmocka_unit_test(framing_of_a_response_follows_its_kind),
        cmocka_unit_test(responses_that_would_lie_are_cut),
        cmocka_unit_test(expectations_pass_through),
        cmocka_unit_test(the_rest_of_a_body_after_an_early_answer_is_read_or_the_connection_closed),
        cmocka_unit_test(an_upgrade_holds_early_bytes_until_it_is_accepted),
        cmocka_unit_test(a_refused_upgrade_ends_the_request_and_never_reads_early_bytes_as_one),
        cmocka_unit_test(connect_becomes_a_tunnel_when_accepted),
        cmocka_unit_test(a_slow_head_is_told_408),
        cmocka_unit_test(a_body_without_progress_is_cut),
        cmocka_unit_test(waiting_for_the_owner_is_not_the_clients_fault),
        cmocka_unit_test(a_client_that_reads_nothing_is_cut),
        cmocka_unit_test(an_idle_connection_ends_after_its_hour),
        cmocka_unit_test(draining_serves_what_is_there_and_says_close),
        cmocka_unit_test(a_client_that_leaves_resets_its_exchange),
        cmocka_unit_test(every_end_at_every_byte_leaves_nothing_behind),
        cmocka_unit_test(a_kept_connection_allocates_nothing_for_a_request),
    };
    return TEST_MAIN(cases, argc, argv);
}
