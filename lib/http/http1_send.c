#include "lib/base/check.h"
#include "lib/http/http1_conn.h"
#include "lib/http/http1_counters.h"
#include "lib/http/http1_writer.h"

enum {
    /* A body larger than this is not read to its end after an early answer. */
    DISCARD_BYTES = 64 * 1024,
};

/* A body that is not as long as was said, or a head that is not clean: nothing may look whole. */
static void cut(struct http1_conn *self, enum failure failure)
{
    http1_counters_write()->refused[failure]++;
    http1_end(self, failure, true);
}

static void begin_sending(struct http1_conn *self, const struct http1_shape *shape, bool end)
{
    struct http1_exchange *exchange = &self->exchange;
    exchange->send_framing = shape->framing;
    exchange->send_remaining = shape->framing == HTTP1_FRAMING_LENGTH ? (uint64_t)shape->length : 0;
    exchange->send = end ? HTTP1_SEND_END : HTTP1_SEND_BODY;
    http1_work_later(self);
}

/* --- server: responses --- */

/* What the rest of the request means for the next one on this connection. */
static bool request_settled(const struct http1_conn *self)
{
    const struct http1_exchange *exchange = &self->exchange;
    switch (exchange->receive) {
    case HTTP1_RECEIVE_BODY:
        /* A client told to wait sends its body or not: nobody can tell which. */
        return !exchange->expects_continue && http1_body_remaining(&self->body) <= DISCARD_BYTES;
    case HTTP1_RECEIVE_HELD:
        /* Bytes sent early belong to a protocol that was refused. */
        return http1_input_bytes(&self->input).length == 0;
    default:
        return true;
    }
}

/* proof: WEBSOCKET_TEXT_BYTES, for what a server without such a thing did not say. */
static void accept_tunnel(struct http1_conn *self, const struct http_head *head,
                          struct http1_shape *shape, char *proof)
{
    struct http1_exchange *exchange = &self->exchange;
    exchange->tunnel = true;
    self->keep_alive = false;
    shape->framing = HTTP1_FRAMING_TUNNEL;
    if (head->status == 101) {
        shape->protocol = head->upgrade.length > 0 ? head->upgrade : exchange->protocol;
        if (head->version == 20 && exchange->key.length > 0 &&
            headers_find_name(&head->headers, WEBSOCKET_ACCEPT) == NULL) {
            shape->proof = websocket_accept(exchange->key, proof);
        }
    }
    http1_body_init(&self->body, HTTP1_FRAMING_TUNNEL, 0);
    exchange->receive = HTTP1_RECEIVE_BODY;
}

/* False: head and end contradict each other. */
static bool shape_response(struct http1_conn *self, const struct http_head *head, bool end,
                           struct http1_shape *shape)
{
    const struct http1_exchange *exchange = &self->exchange;
    bool head_only = exchange->method == HTTP_METHOD_HEAD || head->status == 304;
    if (head_only || head->status == 204) {
        shape->length = head->status == 204 ? -1 : head->content_length;
        return true;
    }
    shape->length = end && head->content_length < 0 ? 0 : head->content_length;
    if (end) {
        return shape->length == 0;
    }
    if (shape->length >= 0) {
        shape->framing = HTTP1_FRAMING_LENGTH;
    } else if (exchange->version == 11) {
        shape->framing = HTTP1_FRAMING_CHUNKED;
    } else {
        shape->framing = HTTP1_FRAMING_CLOSE;
        self->keep_alive = false;
    }
    return true;
}

static void shape_connection(struct http1_conn *self, struct http1_shape *shape)
{
    if (shape->framing == HTTP1_FRAMING_TUNNEL) {
        return;
    }
    if (!request_settled(self) || self->conn.draining) {
        self->keep_alive = false;
    }
    if (!self->keep_alive) {
        shape->connection = HTTP1_CONNECTION_CLOSE;
    } else if (self->exchange.version == 10) {
        shape->connection = HTTP1_CONNECTION_KEEP_ALIVE;
    }
}

static void send_informational(struct http1_conn *self, const struct http_head *head)
{
    const struct http1_shape shape = {.framing = HTTP1_FRAMING_NONE, .length = -1};
    /* HTTP/1.0 knows no 1xx (RFC 9110 15.2). */
    if (self->exchange.version == 10) {
        return;
    }
    if (head->status == 100) {
        self->exchange.expects_continue = false;
    }
    if (!http1_write_response(&self->out, head, &shape)) {
        cut(self, FAILURE_UPSTREAM_PROTOCOL);
        return;
    }
    http1_work_later(self);
}

static void server_send_head(struct http1_conn *self, const struct http_head *head, bool end)
{
    struct http1_exchange *exchange = &self->exchange;
    if (head->status / 100 == 1 && head->status != 101) {
        send_informational(self, head);
        return;
    }
    struct http1_shape shape = {.framing = HTTP1_FRAMING_NONE, .length = -1};
    bool connect = exchange->method == HTTP_METHOD_CONNECT;
    bool held = exchange->receive == HTTP1_RECEIVE_HELD;
    bool sound = true;
    char proof[WEBSOCKET_TEXT_BYTES];
    if (held && (connect ? head->status / 100 == 2 : head->status == 101)) {
        accept_tunnel(self, head, &shape, proof);
    } else {
        sound = head->status != 101 && shape_response(self, head, end, &shape);
    }
    shape_connection(self, &shape);
    if (!sound || !http1_write_response(&self->out, head, &shape)) {
        cut(self, sound ? FAILURE_UPSTREAM_PROTOCOL : FAILURE_BODY_MISMATCH);
        return;
    }
    exchange->answered = true;
    if (held && !exchange->tunnel) {
        exchange->receive = HTTP1_RECEIVE_END;
        exchange->end_due = true;
    }
    begin_sending(self, &shape, end);
}

/* --- client: requests --- */

/* Methods whose meaning is a body: servers want to be told that there is none (RFC 9110 8.6). */
static bool method_wants_length(enum http_method method)
{
    return method == HTTP_METHOD_POST || method == HTTP_METHOD_PUT || method == HTTP_METHOD_PATCH;
}

/* A key of its own for a WebSocket that comes from HTTP/2, where there is none. */
static void ask_proof(struct http1_conn *self, const struct http_head *head,
                      struct http1_shape *shape, char *key)
{
    if (head->version == 20 && websocket_asked(head) &&
        headers_find_name(&head->headers, WEBSOCKET_KEY) == NULL) {
        shape->proof = websocket_key(key);
        websocket_accept(shape->proof, self->exchange.accept);
    }
}

static void client_send_head(struct http1_conn *self, const struct http_head *head, bool end)
{
    struct http1_exchange *exchange = &self->exchange;
    struct http1_shape shape = {.framing = HTTP1_FRAMING_NONE, .length = head->content_length};
    exchange->method = (enum http_method)head->method_token;
    exchange->version = 11;
    exchange->tunnel_asked =
        exchange->method == HTTP_METHOD_CONNECT || (head->upgrade.length > 0 && !end);
    bool sound = true;
    char key[WEBSOCKET_TEXT_BYTES];
    if (exchange->tunnel_asked) {
        shape.length = -1;
        shape.protocol = head->upgrade;
        ask_proof(self, head, &shape, key);
    } else if (end) {
        shape.length = shape.length < 0 && method_wants_length(exchange->method) ? 0 : shape.length;
        sound = shape.length <= 0;
    } else {
        shape.framing = shape.length >= 0 ? HTTP1_FRAMING_LENGTH : HTTP1_FRAMING_CHUNKED;
    }
    if (!sound || !http1_write_request(&self->out, head, &shape)) {
        cut(self, sound ? FAILURE_BAD_REQUEST : FAILURE_BODY_MISMATCH);
        return;
    }
    begin_sending(self, &shape, end);
    if (exchange->tunnel_asked) {
        exchange->send = HTTP1_SEND_HELD;
    }
}

/* --- the stream's calls --- */

static void send_head(struct http_stream *stream, const struct http_head *head, bool end)
{
    struct http1_conn *self = http1_of_stream(stream);
    if (self->life != HTTP1_OPEN || self->exchange.muted) {
        return;
    }
    CHECK(self->exchange.send == HTTP1_SEND_HEAD);
    if (self->conn.is_server) {
        server_send_head(self, head, end);
    } else {
        client_send_head(self, head, end);
    }
}

static size_t room(const struct http_stream *stream)
{
    const struct http1_conn *self = http1_of_stream(stream);
    if (self->life != HTTP1_OPEN || self->exchange.send != HTTP1_SEND_BODY ||
        http1_output_full(self)) {
        return 0;
    }
    return HTTP1_OUTPUT_BYTES - self->out.length;
}

static void queue_body(struct http1_conn *self, struct byte_queue *from, size_t length)
{
    struct http1_exchange *exchange = &self->exchange;
    switch (exchange->send_framing) {
    case HTTP1_FRAMING_NONE:
        /* The answer to HEAD has no body, whatever its owner thinks. */
        byte_queue_drop(from, length);
        return;
    case HTTP1_FRAMING_LENGTH:
        exchange->send_remaining -= length;
        byte_queue_move(&self->out, from, length);
        break;
    case HTTP1_FRAMING_CHUNKED:
        http1_write_chunk(&self->out, from, length);
        break;
    case HTTP1_FRAMING_CLOSE:
    case HTTP1_FRAMING_TUNNEL:
        byte_queue_move(&self->out, from, length);
        break;
    }
    http1_work_later(self);
}

static size_t send_body(struct http_stream *stream, struct byte_queue *from, size_t limit)
{
    struct http1_conn *self = http1_of_stream(stream);
    struct http1_exchange *exchange = &self->exchange;
    size_t offered = from->length < limit ? from->length : limit;
    size_t space = room(stream);
    size_t length = offered < space ? offered : space;
    if (length < offered) {
        exchange->wants_room = true;
    }
    if (length == 0) {
        return 0;
    }
    if (exchange->send_framing == HTTP1_FRAMING_LENGTH && length > exchange->send_remaining) {
        cut(self, FAILURE_BODY_MISMATCH);
        return 0;
    }
    queue_body(self, from, length);
    return length;
}

static void end_message(struct http_stream *stream, const struct headers *trailers)
{
    struct http1_conn *self = http1_of_stream(stream);
    struct http1_exchange *exchange = &self->exchange;
    if (self->life != HTTP1_OPEN || exchange->send == HTTP1_SEND_END) {
        return;
    }
    CHECK(exchange->send != HTTP1_SEND_HEAD);
    if (exchange->send_framing == HTTP1_FRAMING_LENGTH && exchange->send_remaining > 0) {
        cut(self, FAILURE_BODY_MISMATCH);
        return;
    }
    if (exchange->send_framing == HTTP1_FRAMING_CHUNKED &&
        !http1_write_last_chunk(&self->out, trailers)) {
        cut(self, self->conn.is_server ? FAILURE_UPSTREAM_PROTOCOL : FAILURE_BAD_REQUEST);
        return;
    }
    exchange->send = HTTP1_SEND_END;
    http1_work_later(self);
}

static void send_trailers(struct http_stream *stream, const struct headers *trailers)
{
    end_message(stream, trailers);
}

static void send_end(struct http_stream *stream)
{
    end_message(stream, NULL);
}

static void consume(struct http_stream *stream, size_t bytes)
{
    struct http1_conn *self = http1_of_stream(stream);
    struct http1_exchange *exchange = &self->exchange;
    if (self->life != HTTP1_OPEN) {
        return;
    }
    CHECK(bytes <= exchange->outstanding);
    bool was_full = exchange->outstanding >= self->conn.limits->stream_window;
    exchange->outstanding -= bytes;
    /* Waiting for bytes begins anew: the time without credit was not the peer's. */
    if ((was_full || exchange->wants_credit) && bytes > 0) {
        exchange->wants_credit = false;
        self->receive_since_ns = loop_now_ns(self->conn.loop);
        http1_work_later(self);
    } else if (exchange->outstanding == 0) {
        http1_input_rest(&self->input, false);
    }
}

static bool untouched(const struct http1_conn *self)
{
    return !self->conn.is_server && self->exchange.send == HTTP1_SEND_HEAD &&
           self->exchange.receive == HTTP1_RECEIVE_HEAD;
}

static void reset(struct http_stream *stream, enum failure failure)
{
    struct http1_conn *self = http1_of_stream(stream);
    if (self->exchange.muted) {
        return;
    }
    self->exchange.muted = true;
    if (self->life == HTTP1_OPEN && !untouched(self)) {
        http1_end(self, failure, true);
    }
}

/* The response is complete, the request is not: read to its end what is little, else close. */
static void release_early(struct http1_conn *self)
{
    struct http1_exchange *exchange = &self->exchange;
    if (exchange->tunnel || exchange->receive != HTTP1_RECEIVE_BODY) {
        http1_end(self, FAILURE_NONE, exchange->receive != HTTP1_RECEIVE_END);
    } else if (!self->keep_alive) {
        http1_finish(self, FAILURE_NONE);
    } else {
        exchange->receive = HTTP1_RECEIVE_DISCARD;
    }
}

static void release_open(struct http1_conn *self)
{
    struct http1_exchange *exchange = &self->exchange;
    bool sent = exchange->send == HTTP1_SEND_END;
    if (untouched(self)) {
        exchange->receive = HTTP1_RECEIVE_END;
        exchange->send = HTTP1_SEND_END;
    } else if (!sent || (!self->conn.is_server && exchange->receive != HTTP1_RECEIVE_END)) {
        http1_end(self, FAILURE_NONE, true);
    } else if (exchange->receive != HTTP1_RECEIVE_END) {
        release_early(self);
    }
    http1_work_later(self);
}

static void release(struct http_stream *stream)
{
    struct http1_conn *self = http1_of_stream(stream);
    CHECK(self->held);
    self->held = false;
    self->exchange.muted = true;
    if (self->life == HTTP1_OPEN) {
        release_open(self);
    } else if (self->told) {
        loop_free_later(self->conn.loop, &self->gone);
    }
}

const struct http_stream_ops http1_stream_ops = {
    .send_head = send_head,
    .send_body = send_body,
    .send_trailers = send_trailers,
    .send_end = send_end,
    .room = room,
    .consume = consume,
    .reset = reset,
    .release = release,
};
