#include "lib/http/http_exchange.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"

#include <stdio.h>

struct http_exchange {
    struct http_exchange_options options;
    struct http_stream *stream;
    struct arena arena;
    struct http_head *head;
    struct http_request request;
    struct text body;
    struct byte_queue out; /* the answer's body as far as the stream had no room */
    void *owner;           /* http_exchange_set_owner */
    struct turn_task free_task;
    bool asked; /* on_request was called */
    bool replied;
    bool released;
};

static void free_now(struct turn_task *task)
{
    struct http_exchange *exchange = CONTAINER_OF(task, struct http_exchange, free_task);
    text_done(&exchange->body);
    byte_queue_done(&exchange->out);
    arena_done(&exchange->arena);
    mem_free(exchange);
}

static void let_go(struct http_exchange *exchange)
{
    CHECK(!exchange->released);
    exchange->released = true;
    http_stream_release(exchange->stream);
    loop_free_later(exchange->options.loop, &exchange->free_task);
}

static void send_some(struct http_exchange *exchange)
{
    http_stream_send_body(exchange->stream, &exchange->out, SIZE_MAX);
    if (exchange->out.length == 0) {
        http_stream_send_end(exchange->stream);
        let_go(exchange);
    }
}

static void reply(struct http_exchange *exchange, uint16_t status, const struct headers *fields,
                  struct span body)
{
    CHECK(!exchange->replied);
    exchange->replied = true;
    struct http_head head;
    http_head_init(&head, &exchange->arena);
    head.status = status;
    head.content_length = (int64_t)body.length;
    if (fields != NULL) {
        headers_append_all(&head.headers, fields);
    }
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%zu", body.length);
    headers_set_token(&head.headers, HEADER_CONTENT_LENGTH,
                      arena_span(&exchange->arena, span_make(digits, (size_t)length)));
    bool bodiless = body.length == 0 ||
                    (exchange->head != NULL && exchange->head->method_token == HTTP_METHOD_HEAD);
    head.has_body = !bodiless;
    http_stream_send_head(exchange->stream, &head, bodiless);
    if (bodiless) {
        let_go(exchange);
        return;
    }
    byte_queue_copy(&exchange->out, body.at, body.length);
    send_some(exchange);
}

void http_exchange_reply_with(struct http_exchange *exchange, uint16_t status,
                              const struct headers *fields, struct span body)
{
    reply(exchange, status, fields, body);
}

void http_exchange_reply(struct http_exchange *exchange, uint16_t status, const char *type,
                         struct span body)
{
    struct headers fields;
    headers_init(&fields, &exchange->arena);
    if (type != NULL) {
        headers_add_token(&fields, HEADER_CONTENT_TYPE, span_of(type));
    }
    reply(exchange, status, &fields, body);
}

void http_exchange_set_owner(struct http_exchange *exchange, void *owner)
{
    exchange->owner = owner;
}

void *http_exchange_owner(const struct http_exchange *exchange)
{
    return exchange->owner;
}

static void on_head(void *owner, struct http_head *head)
{
    struct http_exchange *exchange = owner;
    exchange->head = head;
    if (head->method_token == HTTP_METHOD_CONNECT || head->upgrade.length > 0) {
        http_exchange_reply(exchange, 501, "text/plain", SPAN("no tunnels here\n"));
    } else if (head->content_length > (int64_t)exchange->options.body_limit) {
        http_exchange_reply(exchange, 413, "text/plain", SPAN("body beyond the limit\n"));
    } else if (head->expects_continue && head->has_body) {
        struct http_head go_on;
        http_head_init(&go_on, &exchange->arena);
        go_on.status = 100;
        http_stream_send_head(exchange->stream, &go_on, false);
    }
}

static void on_body(void *owner, const struct piece *piece)
{
    struct http_exchange *exchange = owner;
    http_stream_consume(exchange->stream, piece->length);
    if (exchange->replied) {
        return;
    }
    if (exchange->body.length + piece->length > exchange->options.body_limit) {
        http_exchange_reply(exchange, 413, "text/plain", SPAN("body beyond the limit\n"));
        return;
    }
    text_add(&exchange->body, span_make(piece_bytes(piece), piece->length));
}

static void on_trailers(void *owner, struct headers *trailers)
{
}

static void on_end(void *owner)
{
    struct http_exchange *exchange = owner;
    if (exchange->replied) {
        return;
    }
    if (*exchange->options.server_closed) {
        http_exchange_reply(exchange, 503, NULL, SPAN_EMPTY);
        return;
    }
    exchange->asked = true;
    exchange->request = (struct http_request){
        .head = exchange->head,
        .body = text_span(&exchange->body),
        .arena = &exchange->arena,
        .peer = exchange->options.peer,
    };
    exchange->options.events->on_request(exchange->options.owner, exchange, &exchange->request);
}

static void on_room(void *owner)
{
    struct http_exchange *exchange = owner;
    if (exchange->replied) {
        send_some(exchange);
    }
}

static void on_reset(void *owner, enum failure failure)
{
    struct http_exchange *exchange = owner;
    bool tell = exchange->asked && !exchange->replied && !*exchange->options.server_closed &&
                exchange->options.events->on_gone != NULL;
    if (tell) {
        exchange->options.events->on_gone(exchange->options.owner, exchange);
    }
    exchange->replied = true;
    let_go(exchange);
}

static const struct http_stream_events events = {on_head, on_body, on_trailers,
                                                 on_end,  on_room, on_reset};

void http_exchange_begin(struct http_stream *stream, const struct http_exchange_options *options)
{
    struct http_exchange *exchange = NEW(struct http_exchange);
    exchange->options = *options;
    exchange->stream = stream;
    exchange->free_task.run = free_now;
    http_stream_attach(stream, &exchange->arena, &events, exchange);
}
