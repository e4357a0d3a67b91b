#include "lib/base/clock.h"
#include "lib/http/http1_counters.h"
#include "tests/unit/lib/http/http1_rig.h"
#include "tests/unit/test_main.h"

static void a_body_may_end_with_the_connection(void **state)
{
    struct http1_rig rig;
    http1_rig_client_init(&rig);
    struct exchange *exchange = http1_rig_ask(&rig, "GET");
    http1_rig_send(&rig, "HTTP/1.0 200 OK\r\n\r\nhello");
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
    http1_rig_done(&rig);
}

/* The keep-alive race: told apart by whether a byte of the request has left. */
static void an_upstream_that_closes_is_told_by_what_was_sent(void **state)
{
    struct http1_rig rig;
    http1_rig_client_init(&rig);
    struct exchange *exchange = side_open(&rig.side);
    raw_peer_end(&rig.peer);
    loop_settle(rig.loop);
    assert_true(exchange->reset);
    assert_int_equal(exchange->failure, FAILURE_UPSTREAM_UNSENT);
    http1_rig_done(&rig);

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
            http1_rig_client_init(&rig);
            exchange = http1_rig_ask(&rig, "GET");
            http1_rig_send(&rig, table[i].response);
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
            http1_rig_done(&rig);
        }
    }
    http1_rig_client_init(&rig);
    raw_peer_end(&rig.peer);
    loop_settle(rig.loop);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_NONE);
    http1_rig_done(&rig);
}

/* 51 */
static void bytes_beyond_a_response_poison_the_connection(void **state)
{
    static const struct {
        const char *method, *response;
    } table[] = {
        {"GET", HTTP1_RIG_OK "x"},
        {"GET", HTTP1_RIG_OK HTTP1_RIG_OK},
        {"HEAD", HTTP1_RIG_OK},
        {"GET", "HTTP/1.1 204 No\r\n\r\nbody"},
        {"GET", "HTTP/1.1 304 No\r\nContent-Length: 4\r\n\r\nbody"},
        {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (int late = 0; late < 2; late++) {
            struct http1_rig rig;
            http1_rig_client_init(&rig);
            uint64_t before = http1_counters()->poisoned;
            struct exchange *exchange = http1_rig_ask(&rig, table[i].method);
            if (late == 0) {
                http1_rig_send(&rig, table[i].response);
                assert_true(exchange->ended);
                exchange_release(exchange);
            } else {
                /* The last byte comes when the connection is idle. */
                size_t length = strlen(table[i].response);
                if (i != 0 && i != 5) {
                    http1_rig_done(&rig);
                    continue;
                }
                size_t first = i == 0 ? length - 1 : length - 2;
                raw_peer_send(&rig.peer, table[i].response, first);
                loop_settle(rig.loop);
                assert_true(exchange->ended);
                exchange_release(exchange);
                loop_settle(rig.loop);
                assert_int_equal(http_conn_room(rig.side.conn), 1);
                http1_rig_send(&rig, table[i].response + first);
            }
            loop_settle(rig.loop);
            assert_true(rig.side.closed);
            assert_int_equal(http1_counters()->poisoned, before + 1);
            http1_rig_done(&rig);
        }
    }
}

static void an_answer_that_came_before_its_question_is_not_believed(void **state)
{
    struct http1_rig rig;
    http1_rig_client_init(&rig);
    raw_peer_send_text(&rig.peer, HTTP1_RIG_OK);
    struct exchange *exchange = side_open(&rig.side);
    loop_settle(rig.loop);
    assert_true(exchange->reset);
    assert_int_equal(exchange->head_count, 0);
    assert_int_equal(exchange->failure, FAILURE_UPSTREAM_UNSENT);
    http1_rig_done(&rig);
}

/* 28 */
static void an_answer_before_the_request_is_whole_ends_the_reuse(void **state)
{
    static const char *const responses[] = {
        HTTP1_RIG_OK, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        for (int finish = 0; finish < 2; finish++) {
            struct http1_rig rig;
            http1_rig_client_init(&rig);
            struct exchange *exchange = side_open(&rig.side);
            struct http_head head;
            http1_rig_make_head(&head, exchange, "PUT");
            head.content_length = 5;
            head.expects_continue = true;
            headers_add(&head.headers, SPAN("Expect"), SPAN("100-continue"));
            http_stream_send_head(exchange->stream, &head, false);
            loop_settle(rig.loop);
            http1_rig_send(&rig, responses[i]);
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
            http1_rig_done(&rig);
        }
    }
}

static void at_most_sixteen_informational_heads_are_taken(void **state)
{
    struct http1_rig rig;
    http1_rig_client_init(&rig);
    struct exchange *exchange = http1_rig_ask(&rig, "GET");
    for (int i = 0; i < 16; i++) {
        http1_rig_send(&rig, "HTTP/1.1 102 Processing\r\n\r\n");
    }
    assert_int_equal(exchange->head_count, 16);
    assert_false(exchange->reset);
    http1_rig_send(&rig, "HTTP/1.1 102 Processing\r\n\r\n");
    assert_true(exchange->reset);
    assert_int_equal(exchange->failure, FAILURE_UPSTREAM_PROTOCOL);
    http1_rig_done(&rig);
}

static struct exchange *ask_upgrade(struct http1_rig *rig, const char *method)
{
    struct exchange *exchange = side_open(&rig->side);
    struct http_head head;
    http1_rig_make_head(&head, exchange, method);
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
    struct http1_rig rig;
    http1_rig_client_init(&rig);
    struct exchange *exchange = ask_upgrade(&rig, "GET");
    struct byte_queue queue;
    byte_queue_init(&queue);
    byte_queue_copy(&queue, "early", 5);
    assert_int_equal(http_stream_send_body(exchange->stream, &queue, SIZE_MAX), 0);
    loop_settle(rig.loop);
    http1_rig_expect(&rig, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\n\r\n");
    http1_rig_send(&rig, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\n\r\nhello");
    assert_int_equal(exchange->heads[0]->status, 101);
    assert_true(span_equal_text(exchange->heads[0]->upgrade, "websocket"));
    assert_true(span_equal_text(text_span(&exchange->body), "hello"));
    assert_int_equal(exchange->rooms, 1);
    assert_int_equal(http_stream_send_body(exchange->stream, &queue, SIZE_MAX), 5);
    loop_settle(rig.loop);
    http1_rig_expect(&rig, "early");
    http_stream_send_end(exchange->stream);
    loop_settle(rig.loop);
    assert_true(rig.peer.got_end);
    assert_false(exchange->ended);
    http1_rig_send(&rig, " and more");
    raw_peer_end(&rig.peer);
    loop_settle(rig.loop);
    assert_true(exchange->ended);
    assert_int_equal(exchange->body.length, 14);
    exchange_release(exchange);
    loop_settle(rig.loop);
    assert_true(rig.side.closed);
    http1_rig_done(&rig);
}

static void a_refused_upgrade_leaves_the_connection_clean(void **state)
{
    static const char *const methods[] = {"GET", "CONNECT"};
    for (size_t i = 0; i < 2; i++) {
        struct http1_rig rig;
        http1_rig_client_init(&rig);
        struct exchange *exchange = ask_upgrade(&rig, methods[i]);
        loop_settle(rig.loop);
        raw_peer_clear(&rig.peer);
        http1_rig_send(&rig, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
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
        http1_rig_expect(&rig, "");
        http1_rig_done(&rig);
    }
}

static void an_accepted_connect_is_a_tunnel(void **state)
{
    struct http1_rig rig;
    http1_rig_client_init(&rig);
    struct exchange *exchange = ask_upgrade(&rig, "CONNECT");
    loop_settle(rig.loop);
    http1_rig_expect(&rig, "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n");
    http1_rig_send(&rig, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef");
    assert_int_equal(exchange->body.length, 6);
    assert_false(exchange->ended);
    http1_rig_done(&rig);
}

static void responses_wait_for_credit(void **state)
{
    struct http1_rig rig;
    http1_rig_client_init(&rig);
    rig.side.keeps_credit = true;
    struct exchange *exchange = http1_rig_ask(&rig, "GET");
    static char body[150000];
    http1_rig_send(&rig, "HTTP/1.1 200 OK\r\nContent-Length: 150000\r\n\r\n");
    raw_peer_send(&rig.peer, body, sizeof(body));
    loop_settle(rig.loop);
    assert_int_equal(exchange->body.length, 65536);
    http_stream_consume(exchange->stream, 65536);
    loop_settle(rig.loop);
    assert_int_equal(exchange->body.length, 131072);
    http_stream_consume(exchange->stream, 65536);
    loop_settle(rig.loop);
    assert_true(exchange->ended);
    http1_rig_done(&rig);
}

/* Tiny pieces must not pin a whole chunk each. */
static void memory_stays_near_the_credit_however_the_body_is_cut(void **state)
{
    struct http1_rig rig;
    http1_rig_client_init(&rig);
    struct exchange *exchange = http1_rig_ask(&rig, "GET");
    struct byte_queue kept;
    byte_queue_init(&kept);
    exchange->returns_credit = false;
    http1_rig_send(&rig, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 4000; i++) {
        http1_rig_send(&rig, "1\r\nx\r\n");
    }
    assert_int_equal(exchange->body.length, 4000);
    assert_true(chunk_in_use() <= 4);
    http1_rig_done(&rig);
}

static void a_quiet_response_is_left_alone_and_a_stuck_head_is_not(void **state)
{
    struct http1_rig rig;
    http1_rig_client_init(&rig);
    struct exchange *exchange = http1_rig_ask(&rig, "GET");
    loop_advance(rig.loop, 7200 * NS_PER_S);
    assert_false(exchange->reset);
    http1_rig_send(&rig, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    loop_advance(rig.loop, 7200 * NS_PER_S);
    assert_false(exchange->reset);
    http1_rig_send(&rig, "0\r\n\r\n");
    assert_true(exchange->ended);
    exchange_release(exchange);
    loop_settle(rig.loop);
    exchange = http1_rig_ask(&rig, "GET");
    http1_rig_send(&rig, "HTTP/1.1 ");
    loop_advance(rig.loop, 11 * NS_PER_S);
    assert_true(exchange->reset);
    assert_int_equal(exchange->failure, FAILURE_STREAM_IDLE);
    http1_rig_done(&rig);
}

static void an_idle_connection_ends_at_its_limit(void **state)
{
    struct http1_rig rig;
    http1_rig_client_init(&rig);
    rig.limits.idle_timeout_ms = 3000;
    struct exchange *exchange = http1_rig_ask(&rig, "GET");
    http1_rig_send(&rig, HTTP1_RIG_OK);
    exchange_release(exchange);
    loop_settle(rig.loop);
    loop_advance(rig.loop, 2 * NS_PER_S);
    assert_false(rig.side.closed);
    loop_advance(rig.loop, 2 * NS_PER_S);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_NONE);
    http1_rig_done(&rig);
}

static void an_exchange_that_was_not_begun_can_be_given_back(void **state)
{
    struct http1_rig rig;
    http1_rig_client_init(&rig);
    struct exchange *exchange = side_open(&rig.side);
    exchange_release(exchange);
    loop_settle(rig.loop);
    assert_int_equal(http_conn_room(rig.side.conn), 1);
    assert_int_equal(rig.side.available, 2);
    http1_rig_done(&rig);
}

static void draining_lets_the_exchange_finish(void **state)
{
    struct http1_rig rig;
    http1_rig_client_init(&rig);
    struct exchange *exchange = http1_rig_ask(&rig, "GET");
    http_conn_drain(rig.side.conn);
    http1_rig_send(&rig, HTTP1_RIG_OK);
    assert_true(exchange->ended);
    exchange_release(exchange);
    loop_settle(rig.loop);
    assert_true(rig.side.closed);
    http1_rig_done(&rig);
    http1_rig_client_init(&rig);
    http_conn_drain(rig.side.conn);
    assert_int_equal(http_conn_room(rig.side.conn), 0);
    loop_settle(rig.loop);
    assert_true(rig.side.closed);
    http1_rig_done(&rig);
}

static void every_end_at_every_byte_leaves_nothing_behind(void **state)
{
    static const char message[] =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n0\r\nX: y\r\n\r\nHTTP";
    enum way { RELEASE, RESET, CLOSE, FAIL_CLOSE, DRAIN, PEER_END, PEER_CLOSE, FAIL, WAYS };
    for (int way = 0; way < WAYS; way++) {
        for (size_t at = 0; at < sizeof(message); at++) {
            struct http1_rig rig;
            http1_rig_client_init(&rig);
            struct exchange *exchange = http1_rig_ask(&rig, "GET");
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
            http1_rig_done(&rig);
            assert_int_equal(chunk_in_use(), 0);
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
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
