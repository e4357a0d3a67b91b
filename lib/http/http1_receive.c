#include "lib/base/check.h"
#include "lib/http/http1_conn.h"
#include "lib/http/http1_counters.h"

enum {
    READS = 4,                  /* a turn: other connections wait too */
    DISCARD_BYTES = 64 * 1024,  /* of a body that nobody wants, before the connection is given up */
    LINGER_BYTES = 1024 * 1024, /* the same after our FIN */
};

enum step { STEP_AGAIN, STEP_STARVED, STEP_WAIT };

static const struct http_limits *limits_of(const struct http1_conn *self)
{
    return self->conn.limits;
}

static size_t head_most(const struct http1_conn *self)
{
    return (size_t)limits_of(self)->head_bytes + limits_of(self)->target_bytes;
}

static size_t credit(const struct http1_conn *self)
{
    uint32_t window = limits_of(self)->stream_window;
    return window > self->exchange.outstanding ? window - self->exchange.outstanding : 0;
}

static void deliver_end(struct http1_conn *self)
{
    self->exchange.receive = HTTP1_RECEIVE_END;
    if (http1_listening(self)) {
        self->stream.events->on_end(self->stream.owner);
    }
}

/* --- heads --- */

/* The body that a parsed head announces. */
static void begin_body(struct http1_conn *self, const struct http1_message *message)
{
    struct http1_exchange *exchange = &self->exchange;
    int64_t length = message->head.content_length;
    http1_body_init(&self->body, message->framing, length > 0 ? (uint64_t)length : 0);
    self->receive_since_ns = loop_now_ns(self->conn.loop);
    if (message->framing == HTTP1_FRAMING_NONE) {
        exchange->receive = HTTP1_RECEIVE_END;
    } else if (message->framing == HTTP1_FRAMING_TUNNEL && self->conn.is_server) {
        exchange->receive = HTTP1_RECEIVE_HELD;
    } else {
        exchange->receive = HTTP1_RECEIVE_BODY;
    }
}

/* Hands the head up, and the end where nothing follows. The input bytes are used up. */
static void deliver_head(struct http1_conn *self, struct http_head *head, size_t length)
{
    http1_input_drop(&self->input, length);
    self->scan = (struct http1_scan){.line = 0};
    bool ends = self->exchange.receive == HTTP1_RECEIVE_END;
    if (http1_listening(self)) {
        self->stream.events->on_head(self->stream.owner, head);
    }
    if (ends) {
        deliver_end(self);
    }
}

static enum step take_request(struct http1_conn *self, struct span raw)
{
    struct http1_message *message = http1_message_scratch();
    struct http1_fault fault;
    if (!http1_parse_request(raw, limits_of(self), message, &fault)) {
        http1_fault(self, fault.failure);
        return STEP_AGAIN;
    }
    http1_counters_write()->underscored += message->underscored;
    http1_exchange_begin(self);
    self->exchange.method = (enum http_method)message->head.method_token;
    self->exchange.version = message->head.version;
    self->exchange.expects_continue = message->head.expects_continue;
    self->exchange.tunnel_asked = message->framing == HTTP1_FRAMING_TUNNEL;
    self->keep_alive = message->keep_alive;
    self->conn.events->on_stream(self->conn.owner, &self->conn, &self->stream);
    if (!self->held || self->life != HTTP1_OPEN) {
        return STEP_AGAIN;
    }
    CHECK(self->stream.events != NULL && self->stream.arena != NULL);
    struct http_head *head = http1_message_head(message, self->stream.arena);
    self->exchange.protocol = head->upgrade;
    if (websocket_asked(head)) {
        const struct header *key = headers_find_name(&head->headers, WEBSOCKET_KEY);
        self->exchange.key = key != NULL ? key->value : SPAN_EMPTY;
    }
    begin_body(self, message);
    deliver_head(self, head, raw.length);
    return STEP_AGAIN;
}

/* A final response, or 101: says what may follow on this connection. */
static void judge_reuse(struct http1_conn *self, const struct http1_message *message)
{
    struct http1_exchange *exchange = &self->exchange;
    /* An answer before the request was whole leaves the body unsettled (desync by Expect). */
    self->keep_alive = message->keep_alive && exchange->send == HTTP1_SEND_END &&
                       message->framing != HTTP1_FRAMING_CLOSE;
    if (exchange->send == HTTP1_SEND_HELD) {
        /* The tunnel was refused: nothing was sent behind the head, so the connection is clean. */
        self->keep_alive = message->keep_alive && message->framing != HTTP1_FRAMING_CLOSE;
    }
    if (message->framing == HTTP1_FRAMING_TUNNEL) {
        exchange->tunnel = true;
        self->keep_alive = false;
        exchange->send_framing = HTTP1_FRAMING_TUNNEL;
        /* Tells the owner of its room, or sends the end that it has already said. */
        http1_work_later(self);
    }
    if (exchange->send == HTTP1_SEND_HELD) {
        exchange->send = exchange->tunnel ? HTTP1_SEND_BODY : HTTP1_SEND_END;
    }
    if (!self->keep_alive && !self->conn.draining) {
        self->conn.draining = true;
        if (self->conn.events->on_draining != NULL) {
            self->conn.events->on_draining(self->conn.owner, &self->conn);
        }
    }
}

/* False: the server did not understand the key that was made here. The caller never sees either. */
static bool settle_proof(const struct http1_conn *self, struct http_head *head)
{
    struct span accept = span_of(self->exchange.accept);
    if (accept.length == 0) {
        return true;
    }
    bool accepted = websocket_accepts(head, accept);
    headers_remove_name(&head->headers, WEBSOCKET_ACCEPT);
    return accepted;
}

static enum step take_response(struct http1_conn *self, struct span raw)
{
    struct http1_message *message = http1_message_scratch();
    struct http1_exchange *exchange = &self->exchange;
    struct http1_fault fault;
    bool upgrade_asked = exchange->tunnel_asked && exchange->method != HTTP_METHOD_CONNECT;
    if (!http1_parse_response(raw, limits_of(self), exchange->method, upgrade_asked, message,
                              &fault)) {
        http1_fault(self, fault.failure);
        return STEP_AGAIN;
    }
    http1_counters_write()->underscored += message->underscored;
    uint16_t status = message->head.status;
    if (self->stream.arena == NULL || !http1_listening(self)) {
        http1_end(self, FAILURE_UPSTREAM_PROTOCOL, true);
        return STEP_AGAIN;
    }
    struct http_head *head = http1_message_head(message, self->stream.arena);
    if (status / 100 == 1 && status != 101) {
        if (++exchange->informational > limits_of(self)->informational) {
            http1_fault(self, FAILURE_UPSTREAM_PROTOCOL);
            return STEP_AGAIN;
        }
        deliver_head(self, head, raw.length);
        return STEP_AGAIN;
    }
    if (status == 101 && !settle_proof(self, head)) {
        http1_fault(self, FAILURE_UPSTREAM_PROTOCOL);
        return STEP_AGAIN;
    }
    begin_body(self, message);
    judge_reuse(self, message);
    deliver_head(self, head, raw.length);
    return STEP_AGAIN;
}

/* Bytes that nobody asked for: what follows cannot be told from another's response. */
static void poison(struct http1_conn *self)
{
    http1_counters_write()->poisoned++;
    http1_end(self, self->held ? FAILURE_UPSTREAM_UNSENT : FAILURE_UPSTREAM_PROTOCOL, true);
}

static enum step step_head(struct http1_conn *self)
{
    bool server = self->conn.is_server;
    struct span bytes = http1_input_bytes(&self->input);
    if (server && (self->held || http1_output_full(self))) {
        return STEP_WAIT;
    }
    if (bytes.length == 0) {
        return STEP_STARVED;
    }
    if (!server && (!self->held || !self->exchange.wrote)) {
        poison(self);
        return STEP_AGAIN;
    }
    self->exchange.answered |= !server;
    size_t length = 0;
    struct http1_fault fault;
    switch (http1_scan(&self->scan, bytes, limits_of(self), server ? HTTP1_REQUEST : HTTP1_RESPONSE,
                       &length, &fault)) {
    case HTTP1_MORE:
        return STEP_STARVED;
    case HTTP1_FAILED:
        http1_fault(self, fault.failure);
        return STEP_AGAIN;
    case HTTP1_DONE:
        break;
    }
    struct span raw = span_make(bytes.at, length);
    return server ? take_request(self, raw) : take_response(self, raw);
}

/* --- bodies --- */

static void deliver_bytes(struct http1_conn *self, struct span bytes, size_t used)
{
    struct http1_exchange *exchange = &self->exchange;
    self->receive_since_ns = loop_now_ns(self->conn.loop);
    exchange->expects_continue = false;
    if (exchange->receive == HTTP1_RECEIVE_DISCARD || !http1_listening(self)) {
        exchange->discarded += bytes.length;
        http1_input_drop(&self->input, used);
        return;
    }
    struct piece piece = http1_input_piece(&self->input, bytes);
    http1_input_drop(&self->input, used);
    exchange->outstanding += piece.length;
    self->stream.events->on_body(self->stream.owner, &piece);
    chunk_unref(piece.chunk);
}

static bool deliver_trailers(struct http1_conn *self, struct span raw)
{
    if (!http1_listening(self)) {
        return true;
    }
    struct http1_fault fault;
    struct headers *trailers = arena_alloc(self->stream.arena, sizeof(*trailers));
    if (!http1_parse_trailers(raw, limits_of(self), self->stream.arena, self->conn.is_server,
                              trailers, &fault)) {
        return false;
    }
    if (trailers->count > 0) {
        self->stream.events->on_trailers(self->stream.owner, trailers);
    }
    return true;
}

static enum step body_over(struct http1_conn *self)
{
    if (self->exchange.receive == HTTP1_RECEIVE_DISCARD) {
        http1_counters_write()->drained++;
    }
    deliver_end(self);
    return STEP_AGAIN;
}

static enum failure body_failure(const struct http1_conn *self)
{
    return self->conn.is_server ? FAILURE_BAD_REQUEST : FAILURE_UPSTREAM_PROTOCOL;
}

static enum step step_body(struct http1_conn *self)
{
    struct http1_exchange *exchange = &self->exchange;
    bool discard = exchange->receive == HTTP1_RECEIVE_DISCARD;
    struct span bytes = http1_input_bytes(&self->input);
    size_t most = discard ? bytes.length : credit(self);
    if (most == 0 && bytes.length > 0) {
        exchange->wants_credit = true;
        return STEP_WAIT;
    }
    size_t used = 0;
    struct span part = SPAN_EMPTY;
    struct http1_fault fault;
    enum http1_body_result result =
        http1_body_next(&self->body, bytes, limits_of(self), &used, &part, &fault);
    switch (result) {
    case HTTP1_BODY_MORE:
        http1_input_drop(&self->input, used);
        return STEP_STARVED;
    case HTTP1_BODY_BYTES:
        if (part.length > most) {
            /* Beyond the credit: the rest stays where it is, and is still to come. */
            size_t over = part.length - most;
            http1_body_give_back(&self->body, over);
            used -= over;
            part.length = most;
        }
        deliver_bytes(self, part, used);
        if (exchange->discarded > DISCARD_BYTES) {
            http1_finish(self, FAILURE_NONE);
        }
        return STEP_AGAIN;
    case HTTP1_BODY_TRAILERS:
        if (!deliver_trailers(self, part)) {
            http1_fault(self, body_failure(self));
            return STEP_AGAIN;
        }
        http1_input_drop(&self->input, used);
        return body_over(self);
    case HTTP1_BODY_END:
        http1_input_drop(&self->input, used);
        return body_over(self);
    case HTTP1_BODY_FAILED:
        break;
    }
    http1_fault(self, body_failure(self));
    return STEP_AGAIN;
}

/* --- the peer's end --- */

static void server_peer_ended(struct http1_conn *self)
{
    const struct http1_exchange *exchange = &self->exchange;
    if (!self->held && exchange->receive == HTTP1_RECEIVE_HEAD) {
        http1_end(self, FAILURE_NONE, false);
    } else if (exchange->tunnel && exchange->receive == HTTP1_RECEIVE_BODY) {
        deliver_end(self);
    } else if (exchange->send == HTTP1_SEND_END && !exchange->tunnel) {
        /* The answer is whole: it still leaves. */
        http1_finish(self, FAILURE_NONE);
    } else if (!exchange->tunnel) {
        http1_end(self, FAILURE_DOWNSTREAM_CLOSED, false);
    }
}

static void client_peer_ended(struct http1_conn *self)
{
    const struct http1_exchange *exchange = &self->exchange;
    if (!self->held) {
        http1_end(self, FAILURE_NONE, false);
    } else if (exchange->receive == HTTP1_RECEIVE_BODY &&
               (self->body.framing == HTTP1_FRAMING_CLOSE || exchange->tunnel)) {
        deliver_end(self);
    } else if (exchange->receive != HTTP1_RECEIVE_END) {
        /* Nothing of the request had left: the keep-alive race, safe to try again. */
        bool unsent = exchange->receive == HTTP1_RECEIVE_HEAD && !exchange->wrote;
        http1_end(self, unsent ? FAILURE_UPSTREAM_UNSENT : FAILURE_UPSTREAM_CLOSED, false);
    } else if (!exchange->tunnel) {
        self->keep_alive = false;
    }
}

static enum step step_receive(struct http1_conn *self)
{
    switch (self->exchange.receive) {
    case HTTP1_RECEIVE_HEAD:
        return step_head(self);
    case HTTP1_RECEIVE_BODY:
    case HTTP1_RECEIVE_DISCARD:
        return step_body(self);
    case HTTP1_RECEIVE_HELD:
        return http1_input_bytes(&self->input).length > 0 ? STEP_WAIT : STEP_STARVED;
    case HTTP1_RECEIVE_END:
        if (!self->conn.is_server && http1_input_bytes(&self->input).length > 0 &&
            self->keep_alive) {
            http1_counters_write()->poisoned++;
            self->keep_alive = false;
        }
        return http1_input_bytes(&self->input).length > 0 ? STEP_WAIT : STEP_STARVED;
    }
    UNREACHABLE("receive state");
}

void http1_receive(struct http1_conn *self)
{
    enum step step = STEP_AGAIN;
    while (step == STEP_AGAIN && self->life == HTTP1_OPEN) {
        step = step_receive(self);
    }
    /* A client that left while its next requests wait is as gone as any other. */
    bool waits = self->exchange.receive == HTTP1_RECEIVE_END && self->conn.is_server;
    if (self->life == HTTP1_OPEN && self->peer_ended && (step == STEP_STARVED || waits)) {
        if (self->conn.is_server) {
            server_peer_ended(self);
        } else {
            client_peer_ended(self);
        }
    }
}

/* --- reading --- */

bool http1_wants_read(const struct http1_conn *self)
{
    if (self->peer_ended || self->life == HTTP1_CLOSED || self->life == HTTP1_FINISHING) {
        return false;
    }
    if (self->life == HTTP1_LINGERING) {
        return true;
    }
    bool empty = http1_input_bytes(&self->input).length == 0;
    switch (self->exchange.receive) {
    case HTTP1_RECEIVE_HEAD:
        return !self->conn.is_server || !(self->held || http1_output_full(self)) || empty;
    case HTTP1_RECEIVE_BODY:
        return credit(self) > 0;
    case HTTP1_RECEIVE_DISCARD:
        return true;
    case HTTP1_RECEIVE_HELD:
    case HTTP1_RECEIVE_END:
        return empty;
    }
    UNREACHABLE("receive state");
}

static void read_failed(struct http1_conn *self)
{
    const struct transport *transport = self->conn.transport;
    if (self->conn.is_server) {
        http1_end(self, FAILURE_DOWNSTREAM_CLOSED, true);
        return;
    }
    enum failure failure = transport->failure;
    if (transport->is_ready && self->held) {
        failure = self->exchange.wrote ? FAILURE_UPSTREAM_CLOSED : FAILURE_UPSTREAM_UNSENT;
    }
    http1_end(self, failure, true);
}

static void read_lingering(struct http1_conn *self, size_t length)
{
    http1_input_drop(&self->input, http1_input_bytes(&self->input).length);
    self->lingered += length;
    if (self->lingered > LINGER_BYTES) {
        http1_end(self, self->failure, false);
    }
}

/* False when this turn brings no more. */
static bool read_once(struct http1_conn *self)
{
    void *at = NULL;
    size_t room = http1_input_room(&self->input, head_most(self), &at);
    if (self->exchange.receive == HTTP1_RECEIVE_BODY && room > credit(self)) {
        room = credit(self);
    }
    bool was_empty = http1_input_bytes(&self->input).length == 0;
    ssize_t length = transport_read(self->conn.transport, at, room);
    if (length == TRANSPORT_AGAIN) {
        return false;
    }
    if (length == TRANSPORT_FAILED) {
        read_failed(self);
        return false;
    }
    if (length == TRANSPORT_END) {
        self->peer_ended = true;
        if (self->life == HTTP1_LINGERING) {
            http1_end(self, self->failure, false);
        } else {
            http1_receive(self);
        }
        return false;
    }
    http1_input_filled(&self->input, (size_t)length);
    if (self->life == HTTP1_LINGERING) {
        read_lingering(self, (size_t)length);
    } else {
        if (was_empty && self->exchange.receive == HTTP1_RECEIVE_HEAD) {
            self->receive_since_ns = loop_now_ns(self->conn.loop);
        }
        http1_receive(self);
    }
    return (size_t)length == room;
}

void http1_read(struct http1_conn *self)
{
    for (int i = 0; i < READS && http1_wants_read(self); i++) {
        if (!read_once(self)) {
            return;
        }
    }
}
