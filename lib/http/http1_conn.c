#include "lib/http/http1_conn.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/http/http1_counters.h"
#include "lib/http/http1_writer.h"

enum {
    ROOM_WAKE_BYTES = 32 * 1024, /* a full stream is told of room below this */
    LINGER_MS = 1000,
};

static struct http1_conn *of_conn(const struct http_conn *conn)
{
    return CONTAINER_OF(conn, struct http1_conn, conn);
}

void http1_work_later(struct http1_conn *self)
{
    loop_flush_later(self->conn.loop, &self->work);
}

/* --- exchanges --- */

static size_t conn_room(const struct http_conn *conn)
{
    const struct http1_conn *self = of_conn(conn);
    bool room = !conn->is_server && self->life == HTTP1_OPEN && conn->transport->is_ready &&
                !conn->draining && !self->peer_ended && conn->streams == 0 &&
                http1_input_bytes(&self->input).length == 0;
    return room ? 1 : 0;
}

void http1_exchange_begin(struct http1_conn *self)
{
    CHECK(!self->held && self->conn.streams == 0);
    self->exchange = (struct http1_exchange){.receive = HTTP1_RECEIVE_HEAD};
    self->scan = (struct http1_scan){.line = 0};
    self->held = true;
    self->stream.events = NULL;
    self->stream.owner = NULL;
    self->stream.arena = NULL;
    self->stream.conn = &self->conn;
    self->stream.id++;
    self->conn.streams = 1;
    self->conn.streams_total++;
    self->conn.idle_since_ns = 0;
}

static bool exchange_over(const struct http1_conn *self)
{
    return self->conn.streams > 0 && !self->held && self->exchange.receive == HTTP1_RECEIVE_END &&
           self->exchange.send == HTTP1_SEND_END;
}

static void tell_available(struct http1_conn *self)
{
    self->available_due = false;
    if (conn_room(&self->conn) > 0 && self->conn.events->on_available != NULL) {
        self->conn.events->on_available(self->conn.owner, &self->conn);
    }
}

/* Takes up the next exchange, or ends the connection where there can be none. */
static void exchange_next(struct http1_conn *self)
{
    self->conn.streams = 0;
    self->conn.idle_since_ns = loop_now_ns(self->conn.loop);
    self->exchange = (struct http1_exchange){.receive = HTTP1_RECEIVE_HEAD};
    if (!self->keep_alive || (self->conn.draining && !self->conn.is_server) || self->peer_ended) {
        http1_finish(self, FAILURE_NONE);
        return;
    }
    if (self->conn.is_server) {
        self->receive_since_ns = loop_now_ns(self->conn.loop);
        http1_receive(self);
    } else {
        tell_available(self);
    }
}

/* --- the end --- */

void http1_finish(struct http1_conn *self, enum failure failure)
{
    if (self->life != HTTP1_OPEN) {
        return;
    }
    self->life = HTTP1_FINISHING;
    self->failure = failure;
    http1_work_later(self);
}

void http1_end(struct http1_conn *self, enum failure failure, bool abort)
{
    if (self->life == HTTP1_CLOSED) {
        return;
    }
    self->life = HTTP1_CLOSED;
    self->failure = failure;
    timer_stop(&self->timer);
    if (abort) {
        transport_abort(self->conn.transport);
    } else {
        transport_close(self->conn.transport);
    }
    self->conn.transport = NULL;
    self->stream.conn = NULL;
    http1_input_done(&self->input);
    byte_queue_done(&self->out);
    http1_work_later(self);
}

void http1_fault(struct http1_conn *self, enum failure failure)
{
    http1_counters_write()->refused[failure]++;
    if (!self->conn.is_server) {
        http1_end(self, failure, true);
        return;
    }
    bool answered = self->conn.streams > 0 && self->exchange.answered;
    if (http1_listening(self)) {
        self->exchange.muted = true;
        self->stream.events->on_reset(self->stream.owner, failure);
    }
    if (self->life != HTTP1_OPEN) {
        return;
    }
    if (answered || failure_facts(failure)->http_status == 0) {
        http1_end(self, failure, true);
        return;
    }
    http1_write_local(&self->out, failure);
    http1_finish(self, failure);
}

static void tell_closed(struct turn_task *task)
{
    struct http1_conn *self = CONTAINER_OF(task, struct http1_conn, gone);
    if (!self->told) {
        self->told = true;
        self->conn.streams = 0;
        self->conn.events->on_closed(self->conn.owner, &self->conn, self->failure);
    }
    if (!self->held) {
        turn_task_cancel(&self->work);
        turn_task_cancel(&self->gone);
        mem_free(self);
    }
}

static void work_closed(struct http1_conn *self)
{
    if (self->held && !self->exchange.muted && self->stream.events != NULL) {
        self->exchange.muted = true;
        self->stream.events->on_reset(self->stream.owner, self->failure);
    }
    loop_free_later(self->conn.loop, &self->gone);
}

/* FINISHING: when the output has left, the server says so and waits a little for the client to
 * close. */
static void finish_step(struct http1_conn *self)
{
    if (self->life != HTTP1_FINISHING || self->out.length > 0) {
        return;
    }
    if (!self->conn.is_server || self->peer_ended) {
        http1_end(self, self->failure, false);
        return;
    }
    self->life = HTTP1_LINGERING;
    self->linger_until_ns = loop_now_ns(self->conn.loop) + LINGER_MS * NS_PER_MS;
    transport_shutdown(self->conn.transport);
    http1_input_done(&self->input);
}

/* --- output --- */

static void write_failed(struct http1_conn *self)
{
    if (self->conn.is_server) {
        http1_end(self, FAILURE_DOWNSTREAM_CLOSED, true);
    } else {
        http1_end(self, self->exchange.wrote ? FAILURE_UPSTREAM_CLOSED : FAILURE_UPSTREAM_UNSENT,
                  true);
    }
}

static void tell_room(struct http1_conn *self)
{
    struct http1_exchange *exchange = &self->exchange;
    if (exchange->wants_room && exchange->send == HTTP1_SEND_BODY &&
        self->out.length < ROOM_WAKE_BYTES && http1_listening(self)) {
        exchange->wants_room = false;
        self->stream.events->on_room(self->stream.owner);
    }
}

static void flush(struct http1_conn *self)
{
    struct http1_exchange *exchange = &self->exchange;
    if (self->out.length > 0) {
        size_t before = self->out.length;
        bool written = transport_write_queue(self->conn.transport, &self->out);
        bool progress = self->out.length < before;
        exchange->wrote |= progress;
        if (!written) {
            write_failed(self);
            return;
        }
        if (progress || self->send_since_ns == 0) {
            self->send_since_ns = loop_now_ns(self->conn.loop);
        }
    }
    if (self->out.length > 0) {
        return;
    }
    self->send_since_ns = 0;
    if (exchange->tunnel && exchange->send == HTTP1_SEND_END && !exchange->shut &&
        self->life == HTTP1_OPEN) {
        exchange->shut = true;
        transport_shutdown(self->conn.transport);
    }
}

/* --- time --- */

enum due { DUE_NOTHING, DUE_LINGER, DUE_HEAD, DUE_BODY, DUE_WRITE, DUE_IDLE };

static void due_earlier(enum due *due, int64_t *at_ns, enum due other, int64_t since_ns,
                        int64_t timeout_ms)
{
    int64_t other_ns = since_ns + timeout_ms * NS_PER_MS;
    if (timeout_ms > 0 && other_ns < *at_ns) {
        *due = other;
        *at_ns = other_ns;
    }
}

static bool head_coming(const struct http1_conn *self)
{
    return self->life == HTTP1_OPEN && self->exchange.receive == HTTP1_RECEIVE_HEAD &&
           self->held != self->conn.is_server && http1_input_bytes(&self->input).length > 0;
}

/* Only a server waits impatiently for a body: a quiet response (a watch) is the request layer's to
 * judge. */
static bool body_coming(const struct http1_conn *self)
{
    const struct http1_exchange *exchange = &self->exchange;
    return self->life == HTTP1_OPEN && self->conn.is_server && !exchange->tunnel &&
           !exchange->expects_continue && http1_wants_read(self) &&
           (exchange->receive == HTTP1_RECEIVE_BODY || exchange->receive == HTTP1_RECEIVE_DISCARD);
}

static enum due next_due(const struct http1_conn *self, int64_t *ret_at_ns)
{
    const struct http_limits *limits = self->conn.limits;
    enum due due = DUE_NOTHING;
    *ret_at_ns = INT64_MAX;
    if (self->life == HTTP1_LINGERING) {
        *ret_at_ns = self->linger_until_ns;
        return DUE_LINGER;
    }
    if (head_coming(self)) {
        due_earlier(&due, ret_at_ns, DUE_HEAD, self->receive_since_ns, limits->head_timeout_ms);
    } else if (self->life == HTTP1_OPEN && self->conn.streams == 0 &&
               self->conn.transport->is_ready) {
        due_earlier(&due, ret_at_ns, DUE_IDLE, self->conn.idle_since_ns, limits->idle_timeout_ms);
    }
    if (body_coming(self)) {
        due_earlier(&due, ret_at_ns, DUE_BODY, self->receive_since_ns, limits->stall_timeout_ms);
    }
    if (self->out.length > 0 && self->send_since_ns > 0 && !self->exchange.tunnel) {
        due_earlier(&due, ret_at_ns, DUE_WRITE, self->send_since_ns, limits->stall_timeout_ms);
    }
    return due;
}

/* Puts the timer earlier where that is needed; a later time is found when it fires. */
static void arm_timer(struct http1_conn *self)
{
    int64_t at_ns;
    enum due due = next_due(self, &at_ns);
    if (due != DUE_NOTHING && (!timer_running(&self->timer) || at_ns < self->timer.at_ns)) {
        timer_start_at(&self->timer, at_ns);
    }
}

/* --- the turn --- */

static void exchanges_advance(struct http1_conn *self)
{
    while (self->life == HTTP1_OPEN && exchange_over(self)) {
        exchange_next(self);
    }
}

/* After anything happened: the next exchange, what to watch, when to look again. */
static void settle(struct http1_conn *self)
{
    exchanges_advance(self);
    finish_step(self);
    if (self->life == HTTP1_CLOSED) {
        return;
    }
    http1_input_rest(&self->input, self->exchange.receive != HTTP1_RECEIVE_BODY);
    /* Whether to wait for room is what the last write said. */
    unsigned wanted = self->conn.transport->wanted & TRANSPORT_WRITABLE;
    if (http1_wants_read(self)) {
        wanted |= TRANSPORT_READABLE;
    }
    transport_want(self->conn.transport, wanted);
    arm_timer(self);
}

static void run_work(struct turn_task *task)
{
    struct http1_conn *self = CONTAINER_OF(task, struct http1_conn, work);
    if (self->life == HTTP1_CLOSED) {
        work_closed(self);
        return;
    }
    if (self->available_due) {
        tell_available(self);
    }
    if (self->exchange.end_due) {
        self->exchange.end_due = false;
        if (http1_listening(self)) {
            self->stream.events->on_end(self->stream.owner);
        }
    }
    if (self->life == HTTP1_OPEN && http1_input_bytes(&self->input).length > 0) {
        http1_receive(self);
    }
    exchanges_advance(self);
    if (self->life == HTTP1_CLOSED) {
        return;
    }
    bool was_full = http1_output_full(self);
    flush(self);
    if (self->life == HTTP1_CLOSED) {
        return;
    }
    if (was_full && !http1_output_full(self)) {
        http1_work_later(self);
    }
    tell_room(self);
    settle(self);
}

static void on_ready(void *owner, unsigned events)
{
    struct http1_conn *self = owner;
    if ((events & TRANSPORT_READY) != 0) {
        self->conn.idle_since_ns = loop_now_ns(self->conn.loop);
        tell_available(self);
    }
    if ((events & TRANSPORT_WRITABLE) != 0 && self->life != HTTP1_CLOSED) {
        http1_work_later(self);
    }
    if ((events & TRANSPORT_READABLE) != 0 && self->life != HTTP1_CLOSED) {
        http1_read(self);
    }
    settle(self);
}

static void on_timer(struct timer *timer)
{
    struct http1_conn *self = CONTAINER_OF(timer, struct http1_conn, timer);
    int64_t at_ns;
    enum due due = next_due(self, &at_ns);
    if (due != DUE_NOTHING && at_ns <= loop_now_ns(self->conn.loop)) {
        bool server = self->conn.is_server;
        if (due == DUE_IDLE && server) {
            http1_finish(self, FAILURE_NONE);
        } else if (due == DUE_IDLE || due == DUE_LINGER) {
            http1_end(self, self->failure, false);
        } else if (due == DUE_HEAD && server) {
            http1_fault(self, FAILURE_HEADER_TIMEOUT);
        } else if (due == DUE_BODY) {
            http1_fault(self, FAILURE_STREAM_IDLE);
        } else {
            http1_end(self, FAILURE_STREAM_IDLE, true);
        }
    }
    settle(self);
}

/* --- the connection's calls --- */

static struct http_stream *conn_open(struct http_conn *conn)
{
    struct http1_conn *self = of_conn(conn);
    if (conn_room(conn) == 0) {
        return NULL;
    }
    http1_exchange_begin(self);
    self->keep_alive = true;
    return &self->stream;
}

static void conn_drain(struct http_conn *conn)
{
    struct http1_conn *self = of_conn(conn);
    conn->draining = true;
    /* A request that is coming is still served; its answer says close. */
    if (conn->streams == 0 && http1_input_bytes(&self->input).length == 0) {
        http1_finish(self, FAILURE_NONE);
    }
}

static void conn_close(struct http_conn *conn, enum failure failure)
{
    http1_end(of_conn(conn), failure, failure != FAILURE_NONE);
}

static const struct http_conn_ops conn_ops = {
    .open = conn_open,
    .room = conn_room,
    .drain = conn_drain,
    .close = conn_close,
};

static struct http_conn *create(struct transport *transport, const struct http_limits *limits,
                                bool in_mesh, const struct http_conn_events *events, void *owner,
                                bool is_server)
{
    struct http1_conn *self = NEW(struct http1_conn);
    self->conn = (struct http_conn){
        .ops = &conn_ops,
        .events = events,
        .owner = owner,
        .transport = transport,
        .loop = transport->loop,
        .limits = limits,
        .codec = HTTP_CODEC_1,
        .is_server = is_server,
        .in_mesh = in_mesh,
        .idle_since_ns = loop_now_ns(transport->loop),
    };
    self->stream.ops = &http1_stream_ops;
    self->keep_alive = true;
    self->work.run = run_work;
    self->gone.run = tell_closed;
    timer_init(&self->timer, self->conn.loop, on_timer);
    transport_own(transport, on_ready, self);
    settle(self);
    if (transport->is_ready && !is_server) {
        /* READY was told to an owner before: the first room is told from here. */
        self->available_due = true;
        http1_work_later(self);
    }
    return &self->conn;
}

struct http_conn *http1_server_create(struct transport *transport, const struct http_limits *limits,
                                      bool in_mesh, const struct http_conn_events *events,
                                      void *owner)
{
    return create(transport, limits, in_mesh, events, owner, true);
}

struct http_conn *http1_client_create(struct transport *transport, const struct http_limits *limits,
                                      bool in_mesh, const struct http_conn_events *events,
                                      void *owner)
{
    return create(transport, limits, in_mesh, events, owner, false);
}
