#include "lib/base/clock.h"
#include "lib/http/http1_counters.h"
#include "tests/unit/lib/http/http1_rig.h"
#include "tests/unit/test_main.h"

static void accept_upgrade(struct http1_rig *rig)
{
    struct exchange *exchange = http1_rig_last(rig);
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
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    http1_rig_send(&rig, UPGRADE "early");
    struct exchange *exchange = http1_rig_last(&rig);
    assert_true(span_equal_text(exchange->heads[0]->upgrade, "websocket"));
    assert_true(exchange->heads[0]->has_body);
    assert_int_equal(exchange->body.length, 0);
    assert_false(exchange->ended);
    accept_upgrade(&rig);
    http1_rig_expect(&rig, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\n\r\n");
    assert_true(span_equal_text(text_span(&exchange->body), "early"));
    http1_rig_send(&rig, HTTP1_RIG_GET);
    assert_int_equal(rig.side.count, 1);
    assert_int_equal(exchange->body.length, 5 + strlen(HTTP1_RIG_GET));
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
    http1_rig_done(&rig);
}

static void a_refused_upgrade_ends_the_request_and_never_reads_early_bytes_as_one(void **state)
{
    for (int early = 0; early < 2; early++) {
        struct http1_rig rig;
        http1_rig_server_init(&rig);
        http1_rig_send(&rig, early != 0 ? UPGRADE HTTP1_RIG_GET : UPGRADE);
        struct exchange *exchange = http1_rig_last(&rig);
        http1_rig_respond(exchange, 200, "ok");
        loop_settle(rig.loop);
        assert_true(exchange->ended);
        exchange_release(exchange);
        loop_settle(rig.loop);
        http1_rig_expect(&rig, early != 0 ? HTTP1_RIG_OK_CLOSE : HTTP1_RIG_OK);
        http1_rig_send(&rig, HTTP1_RIG_GET);
        assert_int_equal(rig.side.count, early != 0 ? 1 : 2);
        http1_rig_done(&rig);
    }
}

static void connect_becomes_a_tunnel_when_accepted(void **state)
{
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    http1_rig_send(&rig, "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\nhello");
    struct exchange *exchange = http1_rig_last(&rig);
    assert_int_equal(exchange->heads[0]->method_token, HTTP_METHOD_CONNECT);
    assert_int_equal(exchange->body.length, 0);
    struct http_head head;
    http_head_init(&head, &exchange->arena);
    head.status = 200;
    http_stream_send_head(exchange->stream, &head, false);
    loop_settle(rig.loop);
    http1_rig_expect(&rig, "HTTP/1.1 200 OK\r\n\r\n");
    assert_true(span_equal_text(text_span(&exchange->body), "hello"));
    http1_rig_done(&rig);
}

static void a_slow_head_is_told_408(void **state)
{
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    http1_rig_send(&rig, HTTP1_RIG_GET);
    http1_rig_answer(http1_rig_last(&rig));
    loop_settle(rig.loop);
    raw_peer_clear(&rig.peer);
    loop_advance(rig.loop, 60 * NS_PER_S);
    /* One byte a second does not help. */
    for (int i = 0; i < 9; i++) {
        http1_rig_send(&rig, "G");
        loop_advance(rig.loop, NS_PER_S);
    }
    http1_rig_expect(&rig, "");
    loop_advance(rig.loop, NS_PER_S);
    assert_non_null(strstr(rig.peer.received, "HTTP/1.1 408 "));
    assert_non_null(strstr(rig.peer.received, "x-remora-reason: header_timeout\r\n"));
    assert_true(rig.peer.got_end);
    /* A client that does not close is left after a second. */
    loop_advance(rig.loop, 2 * NS_PER_S);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_HEADER_TIMEOUT);
    http1_rig_done(&rig);
}

static void a_body_without_progress_is_cut(void **state)
{
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    http1_rig_send(&rig, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
    for (int i = 0; i < 5; i++) {
        http1_rig_send(&rig, "x");
        loop_advance(rig.loop, 29 * NS_PER_S);
    }
    assert_false(http1_rig_last(&rig)->reset);
    loop_advance(rig.loop, NS_PER_S);
    assert_true(http1_rig_last(&rig)->reset);
    assert_int_equal(http1_rig_last(&rig)->failure, FAILURE_STREAM_IDLE);
    http1_rig_done(&rig);
}

static void waiting_for_the_owner_is_not_the_clients_fault(void **state)
{
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    rig.side.keeps_credit = true;
    static char body[100000];
    http1_rig_send(&rig, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    raw_peer_send(&rig.peer, body, sizeof(body));
    loop_settle(rig.loop);
    loop_advance(rig.loop, 7200 * NS_PER_S);
    assert_false(http1_rig_last(&rig)->reset);
    http_stream_consume(http1_rig_last(&rig)->stream, 65536);
    loop_settle(rig.loop);
    assert_true(http1_rig_last(&rig)->ended);
    loop_advance(rig.loop, 7200 * NS_PER_S);
    assert_false(http1_rig_last(&rig)->reset);
    assert_false(rig.side.closed);
    http1_rig_done(&rig);
}

static void a_client_that_reads_nothing_is_cut(void **state)
{
    struct http1_rig rig;
    const struct pipe_options stalled = {.stall = true, .stall_after = 10};
    http1_rig_server_init_with(&rig, &stalled, NULL);
    http1_rig_send(&rig, HTTP1_RIG_GET);
    http1_rig_answer(http1_rig_last(&rig));
    loop_settle(rig.loop);
    loop_advance(rig.loop, 29 * NS_PER_S);
    assert_false(rig.side.closed);
    assert_int_equal(rig.peer.received_length, 10);
    loop_advance(rig.loop, 2 * NS_PER_S);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_STREAM_IDLE);
    http1_rig_done(&rig);
}

static void an_idle_connection_ends_after_its_hour(void **state)
{
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    loop_advance(rig.loop, 3000 * NS_PER_S);
    http1_rig_send(&rig, HTTP1_RIG_GET);
    http1_rig_answer(http1_rig_last(&rig));
    loop_settle(rig.loop);
    loop_advance(rig.loop, 3599 * NS_PER_S);
    assert_false(rig.peer.got_end);
    loop_advance(rig.loop, 2 * NS_PER_S);
    assert_true(rig.peer.got_end);
    loop_advance(rig.loop, 2 * NS_PER_S);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_NONE);
    http1_rig_done(&rig);
}

static void draining_serves_what_is_there_and_says_close(void **state)
{
    struct http1_rig rig;
    http1_rig_server_init(&rig);
    http_conn_drain(rig.side.conn);
    loop_settle(rig.loop);
    assert_true(rig.peer.got_end);
    http1_rig_done(&rig);
    http1_rig_server_init(&rig);
    http1_rig_send(&rig, HTTP1_RIG_GET);
    http_conn_drain(rig.side.conn);
    http1_rig_answer(http1_rig_last(&rig));
    loop_settle(rig.loop);
    http1_rig_expect(&rig, HTTP1_RIG_OK_CLOSE);
    assert_true(rig.peer.got_end);
    raw_peer_close(&rig.peer);
    loop_settle(rig.loop);
    assert_true(rig.side.closed);
    http1_rig_done(&rig);
    http1_rig_server_init(&rig);
    http1_rig_send(&rig, "GET / HTTP/1.1\r\n");
    http_conn_drain(rig.side.conn);
    http1_rig_send(&rig, "Host: a\r\n\r\n");
    http1_rig_answer(http1_rig_last(&rig));
    loop_settle(rig.loop);
    http1_rig_expect(&rig, HTTP1_RIG_OK_CLOSE);
    http1_rig_done(&rig);
}

static void a_client_that_leaves_resets_its_exchange(void **state)
{
    static const char *const sent[] = {
        HTTP1_RIG_GET, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", UPGRADE};
    for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
        for (int abort = 0; abort < 2; abort++) {
            struct http1_rig rig;
            http1_rig_server_init(&rig);
            http1_rig_send(&rig, sent[i]);
            assert_int_equal(rig.side.count, 1);
            if (abort != 0) {
                pipe_fail(rig.other, FAILURE_DOWNSTREAM_RESET);
                raw_peer_done(&rig.peer);
            } else {
                raw_peer_end(&rig.peer);
            }
            loop_settle(rig.loop);
            assert_true(http1_rig_last(&rig)->reset);
            assert_int_equal(http1_rig_last(&rig)->failure, FAILURE_DOWNSTREAM_CLOSED);
            assert_true(rig.side.closed);
            http1_rig_done(&rig);
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
            struct http1_rig rig;
            http1_rig_server_init(&rig);
            raw_peer_send(&rig.peer, message, at);
            loop_settle(rig.loop);
            struct exchange *exchange = rig.side.count > 0 ? http1_rig_last(&rig) : NULL;
            if (exchange != NULL && way == RELEASE) {
                exchange_release(exchange);
            } else if (exchange != NULL && way == RESET) {
                http_stream_reset(exchange->stream, FAILURE_DOWNSTREAM_RESET);
            } else if (exchange != NULL && way == ANSWER) {
                http1_rig_answer(exchange);
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
            http1_rig_done(&rig);
            assert_int_equal(chunk_in_use(), 0);
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
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
    };
    return TEST_MAIN(cases, argc, argv);
}
