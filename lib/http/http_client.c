#include "lib/http/http_client.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/net/tcp.h"

#include <stdio.h>

enum { DEFAULT_RESPONSE = 1024 * 1024 };

struct http_call {
    struct loop *loop;
    struct transport *transport; /* until it is ready */
    struct http_conn *conn;
    struct http_stream *stream;
    const struct http_limits *limits;
    struct http_limits own_limits;
    enum http_codec codec;
    struct arena arena;
    struct http_head request;
    struct byte_queue body;
    bool has_body;
    struct http_head *head;
    struct headers *trailers;
    struct text answer;
    size_t response_limit;
    struct timer deadline;
    struct turn_task free_task;
    void (*on_done)(void *owner, const struct http_result *result);
    void *owner;
    bool over;
};

static void free_now(struct turn_task *task)
{
    struct http_call *call = CONTAINER_OF(task, struct http_call, free_task);
    text_done(&call->answer);
    byte_queue_done(&call->body);
    arena_done(&call->arena);
    mem_free(call);
}

/* Lets go of everything; the memory goes when the connection has told its end. */
static void end(struct http_call *call)
{
    call->over = true;
    timer_stop(&call->deadline);
    if (call->stream != NULL) {
        http_stream_release(call->stream);
        call->stream = NULL;
    }
    if (call->conn != NULL) {
        http_conn_close(call->conn, FAILURE_NONE);
        return;
    }
    if (call->transport != NULL) {
        transport_abort(call->transport);
        call->transport = NULL;
    }
    loop_free_later(call->loop, &call->free_task);
}

static void done(struct http_call *call, enum failure failure, const char *detail)
{
    if (call->over) {
        return;
    }
    call->over = true;
    bool whole = failure == FAILURE_NONE;
    struct http_result result = {
        .failure = failure,
        .detail = detail,
        .head = whole ? call->head : NULL,
        .trailers = whole ? call->trailers : NULL,
        .body = whole ? text_span(&call->answer) : SPAN_EMPTY,
    };
    call->on_done(call->owner, &result);
    end(call);
}

static void on_head(void *owner, struct http_head *head)
{
    struct http_call *call = owner;
    if (head->status >= 200 || head->status == 101) {
        call->head = head;
    }
}

static void on_body(void *owner, const struct piece *piece)
{
    struct http_call *call = owner;
    http_stream_consume(call->stream, piece->length);
    if (call->answer.length + piece->length > call->response_limit) {
        done(call, FAILURE_UPSTREAM_PROTOCOL, "the response is beyond the limit");
        return;
    }
    text_add(&call->answer, span_make(piece_bytes(piece), piece->length));
}

static void on_trailers(void *owner, struct headers *trailers)
{
    struct http_call *call = owner;
    call->trailers = trailers;
}

static void on_end(void *owner)
{
    done(owner, FAILURE_NONE, NULL);
}

static void send_body(struct http_call *call)
{
    if (!call->has_body) {
        return;
    }
    http_stream_send_body(call->stream, &call->body, SIZE_MAX);
    if (call->body.length == 0) {
        call->has_body = false;
        http_stream_send_end(call->stream);
    }
}

static void on_room(void *owner)
{
    send_body(owner);
}

static void on_reset(void *owner, enum failure failure)
{
    done(owner, failure, NULL);
}

static const struct http_stream_events stream_events = {on_head, on_body, on_trailers,
                                                        on_end,  on_room, on_reset};

static void send_request(struct http_call *call)
{
    if (call->stream != NULL || call->over) {
        return;
    }
    call->stream = http_conn_open(call->conn);
    if (call->stream == NULL) {
        return;
    }
    http_stream_attach(call->stream, &call->arena, &stream_events, call);
    http_stream_send_head(call->stream, &call->request, !call->has_body);
    send_body(call);
}

static void on_available(void *owner, struct http_conn *conn)
{
    send_request(owner);
}

static void on_closed(void *owner, struct http_conn *conn, enum failure failure)
{
    struct http_call *call = owner;
    call->conn = NULL;
    if (call->over) {
        loop_free_later(call->loop, &call->free_task);
    } else {
        done(call, failure != FAILURE_NONE ? failure : FAILURE_UPSTREAM_CLOSED, NULL);
    }
}

static const struct http_conn_events conn_events = {.on_available = on_available,
                                                    .on_closed = on_closed};

static void begin(struct http_call *call)
{
    struct transport *transport = call->transport;
    const struct tls_facts *facts = tls_transport_facts(transport);
    if (facts != NULL && facts->alpn.length > 0) {
        call->codec = span_equal(facts->alpn, SPAN("h2")) ? HTTP_CODEC_2 : HTTP_CODEC_1;
    }
    call->transport = NULL;
    call->conn = call->codec == HTTP_CODEC_2
                     ? http2_client_create(transport, call->limits, false, &conn_events, call)
                     : http1_client_create(transport, call->limits, false, &conn_events, call);
    if (http_conn_room(call->conn) > 0) {
        send_request(call);
    }
}

static void on_ready(void *owner, unsigned events)
{
    struct http_call *call = owner;
    struct transport *transport = call->transport;
    if (transport->is_ready) {
        begin(call);
        return;
    }
    if (events & TRANSPORT_READABLE) {
        char unused;
        ssize_t length = transport_read(transport, &unused, 1);
        if (length == TRANSPORT_FAILED || length == TRANSPORT_END) {
            done(call,
                 transport->failure != FAILURE_NONE ? transport->failure : FAILURE_CONNECT_FAILED,
                 transport->failure_detail);
        }
    }
}

static void on_deadline(struct timer *timer)
{
    done(CONTAINER_OF(timer, struct http_call, deadline), FAILURE_REQUEST_TIMEOUT, NULL);
}

static bool takes_body(struct span method)
{
    return span_equal(method, SPAN("POST")) || span_equal(method, SPAN("PUT"));
}

static void make_request(struct http_call *call, const struct http_call_options *options, bool tls)
{
    struct arena *arena = &call->arena;
    struct http_head *head = &call->request;
    http_head_init(head, arena);
    head->method = options->method.length > 0 ? arena_span(arena, options->method) : SPAN("GET");
    head->method_token = (uint8_t)http_method_of(head->method);
    head->scheme = tls ? SPAN("https") : SPAN("http");
    head->authority = arena_span(arena, options->authority);
    head->path = options->path.length > 0 ? arena_span(arena, options->path) : SPAN("/");
    head->version = 11;
    if (options->fields != NULL) {
        HEADERS_EACH(options->fields, field)
        {
            headers_add_copy(&head->headers, field->name, field->value)->sensitive =
                field->sensitive;
        }
    }
    call->has_body = options->body.length > 0;
    head->has_body = call->has_body;
    if (call->has_body || takes_body(head->method)) {
        char digits[24];
        int length = snprintf(digits, sizeof(digits), "%zu", options->body.length);
        head->content_length = (int64_t)options->body.length;
        headers_set_token(&head->headers, HEADER_CONTENT_LENGTH,
                          arena_span(arena, span_make(digits, (size_t)length)));
        byte_queue_copy(&call->body, options->body.at, options->body.length);
    }
}

struct http_call *http_call_over(struct transport *transport,
                                 const struct http_call_options *options,
                                 void (*on_done)(void *owner, const struct http_result *result),
                                 void *owner)
{
    struct http_call *call = NEW(struct http_call);
    call->loop = transport->loop;
    call->transport = transport;
    call->codec = options->codec;
    call->limits = options->limits;
    if (call->limits == NULL) {
        http_limits_default(&call->own_limits);
        call->limits = &call->own_limits;
    }
    call->response_limit = options->response_limit > 0 ? options->response_limit : DEFAULT_RESPONSE;
    call->on_done = on_done;
    call->owner = owner;
    call->free_task.run = free_now;
    make_request(call, options, tls_transport_facts(transport) != NULL);
    timer_init(&call->deadline, call->loop, on_deadline);
    timer_start(&call->deadline, options->timeout_ms * NS_PER_MS);
    if (transport->is_ready) {
        begin(call);
    } else {
        transport_own(transport, on_ready, call);
        transport_want(transport, TRANSPORT_READABLE);
    }
    return call;
}

struct http_call *http_call_start(struct loop *loop, const struct http_call_options *options,
                                  void (*on_done)(void *owner, const struct http_result *result),
                                  void *owner)
{
    struct tcp_connect connect = {.to = options->to, .timeout_ms = options->timeout_ms};
    struct transport *transport = tcp_connect(loop, &connect);
    if (options->tls != NULL) {
        transport = tls_transport_create(transport, options->tls);
    }
    return http_call_over(transport, options, on_done, owner);
}

void http_call_cancel(struct http_call *call)
{
    if (call != NULL) {
        end(call);
    }
}
