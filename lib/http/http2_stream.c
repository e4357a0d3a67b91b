#include "lib/http/http2_session.h"

#include "lib/base/check.h"
#include "lib/base/free_list.h"

static _Thread_local struct free_list pool = FREE_LIST(sizeof(struct http2_stream), 512);

static struct http2_stream *self(struct http_stream *stream)
{
    return (struct http2_stream *)(void *)stream;
}

static void free_now(struct turn_task *task)
{
    struct http2_stream *stream = CONTAINER_OF(task, struct http2_stream, free_task);
    byte_queue_done(&stream->body);
    arena_done(&stream->own);
    free_list_give(&pool, stream);
}

static void free_if_over(struct http2_stream *stream)
{
    if (stream->dead && stream->released) {
        list_remove(&stream->link);
        stream->base.conn = NULL;
        loop_free_later(stream->loop, &stream->free_task);
    }
}

/* RST_STREAM codes: what the peer may conclude about its request (RFC 9113 7, gRPC's mapping). */
uint32_t http2_code_of(const struct http2_stream *stream, enum failure failure)
{
    switch (failure) {
    case FAILURE_BAD_REQUEST:
    case FAILURE_BODY_MISMATCH:
    case FAILURE_DOWNSTREAM_PROTOCOL:
    case FAILURE_UPSTREAM_PROTOCOL:
        return NGHTTP2_PROTOCOL_ERROR;
    case FAILURE_DOWNSTREAM_ABUSE:
    case FAILURE_HEADERS_TOO_LARGE:
    case FAILURE_UPSTREAM_HEADERS_TOO_LARGE:
        return NGHTTP2_ENHANCE_YOUR_CALM;
    case FAILURE_INTERNAL:
        return NGHTTP2_INTERNAL_ERROR;
    default:
        break;
    }
    struct http2_conn *conn = (struct http2_conn *)(void *)stream->base.conn;
    if (conn == NULL || !conn->base.is_server) {
        return NGHTTP2_CANCEL;
    }
    if (failure_facts(failure)->retry_class == RETRY_CLASS_NEVER_PROCESSED && !stream->final_sent) {
        return NGHTTP2_REFUSED_STREAM;
    }
    switch (failure) {
    case FAILURE_UPSTREAM_RESET:
    case FAILURE_UPSTREAM_CLOSED:
    case FAILURE_PING_TIMEOUT:
        return NGHTTP2_INTERNAL_ERROR;
    default:
        return NGHTTP2_CANCEL;
    }
}

void http2_stream_dead(struct http2_stream *stream)
{
    if (stream->dead) {
        return;
    }
    struct http2_conn *conn = http2_conn_of(&stream->base);
    stream->dead = true;
    list_remove(&stream->link);
    list_remove(&stream->due);
    list_push_back(&conn->finished, &stream->link);
    byte_queue_done(&stream->body);
    CHECK(conn->base.streams > 0);
    if (--conn->base.streams == 0) {
        conn->base.idle_since_ns = http2_now(conn);
    }
    http2_wake(conn);
    free_if_over(stream);
}

void http2_stream_tell_reset(struct http2_stream *stream, enum failure failure)
{
    if (stream->silent || stream->released) {
        return;
    }
    stream->silent = true;
    if (stream->base.events != NULL) {
        stream->base.events->on_reset(stream->base.owner, failure);
    }
}

static void submit_reset(struct http2_conn *conn, struct http2_stream *stream, uint32_t code)
{
    int32_t id = (int32_t)stream->base.id;
    byte_queue_done(&stream->body);
    if (stream->submitted) {
        nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, id, code);
        http2_wake(conn);
    }
    /* A request that nghttp2 holds back is only marked as cancelled and may lie there for ever. */
    if (!conn->base.is_server && !stream->produced) {
        if (stream->submitted) {
            nghttp2_session_set_stream_user_data(conn->session, id, NULL);
        }
        http2_stream_dead(stream);
    }
}

void http2_stream_cut(struct http2_conn *conn, struct http2_stream *stream, uint32_t code,
                      enum failure failure)
{
    if (stream->dead) {
        return;
    }
    submit_reset(conn, stream, code);
    http2_stream_tell_reset(stream, failure);
}

void http2_stream_error(struct http2_conn *conn, struct http2_stream *stream, uint32_t code,
                        enum failure failure)
{
    if (stream->dead || stream->erred) {
        return;
    }
    stream->erred = true;
    http2_glitch(conn);
    if (!http2_bucket_take(&conn->own_resets, http2_now(conn))) {
        http2_doom(conn, NGHTTP2_ENHANCE_YOUR_CALM,
                   conn->base.is_server ? FAILURE_DOWNSTREAM_ABUSE : FAILURE_UPSTREAM_PROTOCOL);
    }
    http2_stream_cut(conn, stream, code, failure);
}

void http2_stream_fail_later(struct http2_stream *stream, enum failure failure)
{
    struct http2_conn *conn = http2_conn_of(&stream->base);
    list_remove(&stream->due);
    stream->failing_with = failure;
    list_push_back(&conn->failing, &stream->due);
    http2_wake(conn);
}

/* NULL when what is sent goes nowhere: the exchange is over. */
static struct http2_conn *sending(struct http2_stream *stream)
{
    struct http2_conn *conn = http2_conn_of(&stream->base);
    return conn == NULL || conn->closed || stream->dead || stream->silent ? NULL : conn;
}

/*
 * A peer must announce extended CONNECT (RFC 8441 section 3), and may not have been heard yet. Every
 * sidecar takes it, so that the first upgrade on a fresh connection need not wait.
 */
static bool refuses_upgrade(const struct http2_conn *conn, const struct http_head *head)
{
    return !conn->base.is_server && head->upgrade.length > 0 && !conn->base.in_mesh &&
           nghttp2_session_get_remote_settings(conn->session,
                                               NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) != 1;
}

static void send_head(struct http_stream *base, const struct http_head *head, bool end)
{
    struct http2_stream *stream = self(base);
    struct http2_conn *conn = sending(stream);
    if (conn == NULL || stream->final_sent) {
        return;
    }
    bool informational = head->status >= 100 && head->status < 200 && head->status != 101;
    if (refuses_upgrade(conn, head)) {
        http2_stream_fail_later(stream, FAILURE_UPSTREAM_PROTOCOL);
        return;
    }
    stream->is_head = head->method_token == HTTP_METHOD_HEAD;
    if (!conn->base.is_server && head->upgrade.length > 0) {
        stream->upgrade = arena_span(&stream->own, head->upgrade);
    }
    int32_t id = http2_write_head(conn, stream, head, end);
    if (id < 0) {
        http2_stream_fail_later(stream,
                                conn->base.is_server ? FAILURE_INTERNAL : FAILURE_UPSTREAM_GOAWAY);
        return;
    }
    if (!conn->base.is_server) {
        stream->base.id = id;
        stream->submitted = true;
    }
    stream->final_sent = !informational;
    stream->end_queued = stream->end_queued || (end && !informational);
    http2_wake(conn);
}

static void resume(struct http2_conn *conn, struct http2_stream *stream)
{
    if (stream->deferred) {
        stream->deferred = false;
        nghttp2_session_resume_data(conn->session, (int32_t)stream->base.id);
    }
    http2_wake(conn);
}

static size_t room(const struct http_stream *base)
{
    const struct http2_stream *stream = (const struct http2_stream *)(const void *)base;
    return stream->body.length >= HTTP2_SEND_ROOM ? 0 : HTTP2_SEND_ROOM - stream->body.length;
}

static size_t send_body(struct http_stream *base, struct byte_queue *from, size_t limit)
{
    struct http2_stream *stream = self(base);
    struct http2_conn *conn = sending(stream);
    size_t length = from->length < limit ? from->length : limit;
    if (conn == NULL || stream->end_queued) {
        byte_queue_drop(from, length);
        return length;
    }
    if (length > room(base)) {
        length = room(base);
    }
    if (stream->body.length == 0) {
        stream->moved_ns = http2_now(conn);
    }
    byte_queue_move(&stream->body, from, length);
    if (from->length > 0 || room(base) == 0) {
        stream->was_full = true;
    }
    if (length > 0) {
        resume(conn, stream);
    }
    return length;
}

static void send_end(struct http_stream *base)
{
    struct http2_stream *stream = self(base);
    struct http2_conn *conn = sending(stream);
    if (conn != NULL && !stream->end_queued) {
        stream->end_queued = true;
        resume(conn, stream);
    }
}

static void send_trailers(struct http_stream *base, const struct headers *trailers)
{
    struct http2_stream *stream = self(base);
    struct http2_conn *conn = sending(stream);
    if (conn == NULL || stream->end_queued) {
        return;
    }
    http2_write_trailers(stream, trailers);
    stream->end_queued = true;
    stream->trailers_queued = stream->trailer_count > 0;
    resume(conn, stream);
}

static void consume(struct http_stream *base, size_t bytes)
{
    struct http2_stream *stream = self(base);
    struct http2_conn *conn = http2_conn_of(base);
    /* Credit goes back once, whatever the owner says (Go CVE-2026-78663). */
    if (bytes > stream->unconsumed) {
        bytes = stream->unconsumed;
    }
    stream->unconsumed -= bytes;
    if (conn == NULL || conn->closed || stream->dead || stream->end_received || bytes == 0) {
        return;
    }
    nghttp2_session_consume_stream(conn->session, (int32_t)base->id, bytes);
    http2_wake(conn);
}

static void reset(struct http_stream *base, enum failure failure)
{
    struct http2_stream *stream = self(base);
    struct http2_conn *conn = sending(stream);
    stream->silent = true;
    if (conn != NULL) {
        submit_reset(conn, stream, http2_code_of(stream, failure));
    }
}

/* True when what is left is only to send what was queued. */
static bool sends_by_itself(const struct http2_conn *conn, const struct http2_stream *stream)
{
    return stream->end_queued && stream->final_sent &&
           (conn->base.is_server || stream->end_received);
}

static void release(struct http_stream *base)
{
    struct http2_stream *stream = self(base);
    struct http2_conn *conn = sending(stream);
    CHECK(!stream->released);
    stream->released = true;
    base->events = NULL;
    if (conn == NULL) {
        free_if_over(stream);
        return;
    }
    if (!sends_by_itself(conn, stream)) {
        submit_reset(conn, stream,
                     stream->end_received && !conn->base.is_server ? NGHTTP2_NO_ERROR
                                                                   : NGHTTP2_CANCEL);
    } else if (stream->end_sent && !stream->end_received) {
        submit_reset(conn, stream, NGHTTP2_NO_ERROR);
    }
}

static const struct http_stream_ops ops = {
    .send_head = send_head,
    .send_body = send_body,
    .send_trailers = send_trailers,
    .send_end = send_end,
    .room = room,
    .consume = consume,
    .reset = reset,
    .release = release,
};

struct http2_stream *http2_stream_create(struct http2_conn *conn)
{
    struct http2_stream *stream = free_list_take(&pool);
    *stream = (struct http2_stream){
        .base = {.ops = &ops, .conn = &conn->base},
        .loop = conn->base.loop,
        .free_task = {.run = free_now},
        .expected = -1,
    };
    list_push_back(&conn->streams, &stream->link);
    conn->base.streams_total++;
    conn->base.idle_since_ns = 0;
    if (conn->base.streams++ == 0) {
        http2_timer_busy(conn);
    }
    return stream;
}
