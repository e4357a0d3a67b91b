#include "tests/unit/lib/http/http1_rig.h"

#include "lib/base/clock.h"
#include "tests/unit/test_main.h"

static void init(struct http1_rig *rig, const struct pipe_options *own,
                 const struct pipe_options *far)
{
    *rig = (struct http1_rig){.loop = loop_create_simulated(1000 * NS_PER_S)};
    http_limits_default(&rig->limits);
    pipe_transports(rig->loop, own, far, &rig->transport, &rig->other);
    raw_peer_own(&rig->peer, rig->other);
}

void http1_rig_server_init_with(struct http1_rig *rig, const struct pipe_options *own,
                                const struct pipe_options *far)
{
    init(rig, own, far);
    rig->side.conn =
        http1_server_create(rig->transport, &rig->limits, false, &side_events, &rig->side);
    loop_settle(rig->loop);
}

void http1_rig_client_init_with(struct http1_rig *rig, const struct pipe_options *own,
                                const struct pipe_options *far)
{
    init(rig, own, far);
    rig->side.conn =
        http1_client_create(rig->transport, &rig->limits, false, &side_events, &rig->side);
    loop_settle(rig->loop);
}

void http1_rig_server_init(struct http1_rig *rig)
{
    http1_rig_server_init_with(rig, NULL, NULL);
}

void http1_rig_client_init(struct http1_rig *rig)
{
    http1_rig_client_init_with(rig, NULL, NULL);
}

void http1_rig_done(struct http1_rig *rig)
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

void http1_rig_send(struct http1_rig *rig, const char *text)
{
    raw_peer_send_text(&rig->peer, text);
    loop_settle(rig->loop);
}

struct exchange *http1_rig_last(struct http1_rig *rig)
{
    assert_true(rig->side.count > 0);
    return rig->side.exchanges[rig->side.count - 1];
}

void http1_rig_respond(struct exchange *exchange, uint16_t status, const char *body)
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

void http1_rig_answer(struct exchange *exchange)
{
    http1_rig_respond(exchange, 200, "ok");
    exchange_release(exchange);
}

void http1_rig_expect(struct http1_rig *rig, const char *text)
{
    if (strcmp(rig->peer.received, text) != 0) {
        fail_msg("received: %s", rig->peer.received);
    }
    raw_peer_clear(&rig->peer);
}

void http1_rig_make_head(struct http_head *head, struct exchange *exchange, const char *method)
{
    http_head_init(head, &exchange->arena);
    head->method = span_of(method);
    head->method_token = (uint8_t)http_method_of(head->method);
    head->scheme = SPAN("http");
    head->authority = SPAN("a");
    head->path = head->method_token == HTTP_METHOD_CONNECT ? SPAN_EMPTY : SPAN("/");
}

struct exchange *http1_rig_ask(struct http1_rig *rig, const char *method)
{
    struct exchange *exchange = side_open(&rig->side);
    assert_non_null(exchange);
    struct http_head head;
    http1_rig_make_head(&head, exchange, method);
    http_stream_send_head(exchange->stream, &head, true);
    loop_settle(rig->loop);
    return exchange;
}
