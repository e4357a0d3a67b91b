#include "lib/base/clock.h"
#include "lib/http/http1_counters.h"
#include "tests/unit/lib/http/http1_rig.h"
#include "tests/unit/test_main.h"

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
        struct http1_rig rig;
        http1_rig_server_init(&rig);
        uint64_t before = http1_counters()->refused[FAILURE_BAD_REQUEST] +
                          http1_counters()->refused[FAILURE_UNSUPPORTED_VERSION];
        /* What follows is never looked at. */
        raw_peer_send_text(&rig.peer, table[i].text);
        http1_rig_send(&rig, HTTP1_RIG_GET);
        char expected[256];
        snprintf(expected, sizeof(expected),
                 "HTTP/1.1 %s\r\nx-remora-reason: %s\r\nContent-Length: 0\r\n"
                 "Connection: close\r\n\r\n",
                 table[i].status, table[i].reason);
        http1_rig_expect(&rig, expected);
        assert_int_equal(rig.side.count, 0);
        assert_true(rig.peer.got_end);
        assert_int_equal(http1_counters()->refused[FAILURE_BAD_REQUEST] +
                             http1_counters()->refused[FAILURE_UNSUPPORTED_VERSION],
                         before + 1);
        raw_peer_end(&rig.peer);
        loop_settle(rig.loop);
        assert_true(rig.side.closed);
        http1_rig_done(&rig);
    }
}

static void heads_beyond_the_bounds_get_414_and_431(void **state)
{
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    static char line[9000];
    memset(line, 'a', sizeof(line) - 1);
    memcpy(line, "GET /", 5);
    http1_rig_send(&rig, line);
    assert_non_null(strstr(rig.peer.received, "HTTP/1.1 414 "));
    http1_rig_done(&rig);
    http1_rig_server_init(&rig);
    http1_rig_send(&rig, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 130 && rig.side.conn != NULL; i++) {
        http1_rig_send(&rig, "X: y\r\n");
    }
    http1_rig_send(&rig, "\r\n");
    assert_non_null(strstr(rig.peer.received, "HTTP/1.1 431 "));
    assert_int_equal(rig.side.count, 0);
    http1_rig_done(&rig);
}

static void a_head_larger_than_a_chunk_is_taken_whole(void **state)
{
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    rig.side.finally = http1_rig_answer;
    static char value[20001];
    memset(value, 'v', sizeof(value) - 1);
    raw_peer_send_text(&rig.peer, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n");
    for (int i = 0; i < 3; i++) {
        raw_peer_send_text(&rig.peer, "X-Large: ");
        raw_peer_send_text(&rig.peer, value);
        raw_peer_send_text(&rig.peer, "\r\n");
    }
    http1_rig_send(&rig, "\r\nabc" HTTP1_RIG_GET);
    assert_int_equal(rig.side.count, 2);
    struct exchange *first = rig.side.exchanges[0];
    assert_int_equal(first->body.length, 3);
    assert_int_equal(first->heads[0]->headers.items[4].value.length, 20000);
    http1_rig_expect(&rig, HTTP1_RIG_OK HTTP1_RIG_OK);
    http1_rig_done(&rig);
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
        struct http1_rig rig;
        http1_rig_server_init(&rig);
        http1_rig_send(&rig, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        raw_peer_send(&rig.peer, table[i].bytes.at, table[i].bytes.length);
        loop_settle(rig.loop);
        const struct exchange *exchange = http1_rig_last(&rig);
        if (!exchange->reset || exchange->failure != FAILURE_BAD_REQUEST || exchange->ended ||
            exchange->body.length != table[i].body ||
            strncmp(rig.peer.received, "HTTP/1.1 400 ", 13) != 0 || !rig.peer.got_end) {
            fail_msg("row %zu: %.*s", i, SPAN_ARG(table[i].bytes));
        }
        assert_int_equal(rig.side.count, 1);
        http1_rig_done(&rig);
    }
}

static void chunk_lines_and_trailers_have_their_bounds(void **state)
{
    for (int kind = 0; kind < 3; kind++) {
        struct http1_rig rig;
        http1_rig_server_init(&rig);
        http1_rig_send(&rig, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        http1_rig_send(&rig, kind == 0 ? "5;" : "0\r\n");
        for (int i = 0; i < 300 && !http1_rig_last(&rig)->reset; i++) {
            http1_rig_send(&rig, kind == 0   ? "x"
                                 : kind == 1 ? "A: b\r\n"
                                             : "aaaaaaaaaabbbbbbbbbbcccccccccc");
        }
        assert_true(http1_rig_last(&rig)->reset);
        assert_int_equal(http1_rig_last(&rig)->failure, FAILURE_BAD_REQUEST);
        http1_rig_done(&rig);
    }
}

static void bodies_reach_their_owner_only_within_credit(void **state)
{
    for (int chunked = 0; chunked < 2; chunked++) {
        struct http1_rig rig;
        http1_rig_server_init(&rig);
        rig.side.keeps_credit = true;
        static char body[200000];
        memset(body, 'b', sizeof(body));
        http1_rig_send(
            &rig, chunked != 0
                      ? "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n"
                      : "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
        raw_peer_send(&rig.peer, body, sizeof(body));
        loop_settle(rig.loop);
        struct exchange *exchange = http1_rig_last(&rig);
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
            http1_rig_send(&rig, "\r\n0\r\n\r\n");
        }
        assert_true(exchange->ended);
        http1_rig_done(&rig);
    }
}

static void responses_wait_when_the_client_does_not_read(void **state)
{
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    http1_rig_send(&rig, HTTP1_RIG_GET);
    raw_peer_listen(&rig.peer, false);
    struct exchange *exchange = http1_rig_last(&rig);
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
    http1_rig_done(&rig);
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
        struct http1_rig rig;
        http1_rig_server_init(&rig);
        char head[100];
        snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                 table[i].length);
        http1_rig_send(&rig, head);
        http1_rig_respond(http1_rig_last(&rig), 403, "no");
        exchange_release(http1_rig_last(&rig));
        raw_peer_send(&rig.peer, body, table[i].length);
        http1_rig_send(&rig, HTTP1_RIG_GET);
        assert_int_equal(rig.side.count, table[i].kept ? 2 : 1);
        assert_int_equal(rig.peer.got_end, !table[i].kept);
        assert_int_equal(strstr(rig.peer.received, "Connection: close") != NULL, !table[i].kept);
        http1_rig_done(&rig);
    }
    /* Chunked: the end is not known, and may be far. */
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    http1_rig_send(
        &rig, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    http1_rig_respond(http1_rig_last(&rig), 403, "no");
    exchange_release(http1_rig_last(&rig));
    http1_rig_send(&rig, "0\r\n\r\n" HTTP1_RIG_GET);
    assert_int_equal(rig.side.count, 1);
    assert_non_null(strstr(rig.peer.received, "Connection: close"));
    http1_rig_done(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(bad_requests_get_one_answer_and_the_connection_ends),
        cmocka_unit_test(heads_beyond_the_bounds_get_414_and_431),
        cmocka_unit_test(a_head_larger_than_a_chunk_is_taken_whole),
        cmocka_unit_test(bad_chunks_are_refused_and_not_forwarded),
        cmocka_unit_test(chunk_lines_and_trailers_have_their_bounds),
        cmocka_unit_test(bodies_reach_their_owner_only_within_credit),
        cmocka_unit_test(responses_wait_when_the_client_does_not_read),
        cmocka_unit_test(the_rest_of_a_body_after_an_early_answer_is_read_or_the_connection_closed),
    };
    return TEST_MAIN(cases, argc, argv);
}
