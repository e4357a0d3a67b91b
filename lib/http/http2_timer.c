#include "lib/http/http2_session.h"

#include "lib/base/clock.h"

/*
 * One timer a connection. While streams come and go it ticks at the PING interval and is never
 * moved by a request; a tick that finds nothing live goes to sleep until the idle timeout.
 */
static int64_t earlier(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static int64_t after(int64_t from_ns, int64_t ms)
{
    return ms > 0 ? from_ns + ms * NS_PER_MS : INT64_MAX;
}

static enum failure peer_gone(const struct http2_conn *conn, enum failure as_client)
{
    return conn->base.is_server ? FAILURE_DOWNSTREAM_CLOSED : as_client;
}

/* When the head that is arriving, or the peer's first SETTINGS, must be here. */
static int64_t head_deadline(const struct http2_conn *conn)
{
    int64_t limit_ms = conn->base.limits->head_timeout_ms;
    if (conn->block.fields != NULL) {
        return after(conn->block.since_ns, limit_ms);
    }
    return conn->ready && !conn->settings_seen ? after(conn->created_ns, limit_ms) : INT64_MAX;
}

static int64_t ping_deadline(const struct http2_conn *conn)
{
    const struct http_limits *limits = conn->base.limits;
    /* While we do not read, the peer's silence is ours; the time of writing bounds that. */
    if (conn->paused) {
        return INT64_MAX;
    }
    if (conn->ping_ns != 0) {
        return after(conn->ping_ns, limits->ping_answer_ms);
    }
    return conn->base.streams > 0 && conn->ready
               ? after(conn->received_ns, limits->ping_interval_ms)
               : INT64_MAX;
}

static int64_t write_deadline(const struct http2_conn *conn)
{
    return conn->output.length > 0 ? after(conn->wrote_ns, conn->base.limits->stall_timeout_ms)
                                   : INT64_MAX;
}

static int64_t idle_deadline(const struct http2_conn *conn)
{
    return conn->base.streams == 0
               ? after(conn->base.idle_since_ns, conn->base.limits->idle_timeout_ms)
               : INT64_MAX;
}

/* Cuts streams whose body has not moved for too long: a window that stays 0 (CVE-2024-30156). */
static int64_t cut_stalled(struct http2_conn *conn, int64_t now_ns)
{
    int64_t next_ns = INT64_MAX;
    LIST_EACH(&conn->streams, link)
    {
        struct http2_stream *stream = CONTAINER_OF(link, struct http2_stream, link);
        if (stream->body.length == 0 || conn->output.length >= HTTP2_OUTPUT_PAUSE) {
            continue;
        }
        int64_t at_ns = after(stream->moved_ns, conn->base.limits->stall_timeout_ms);
        if (at_ns <= now_ns) {
            http2_stream_fail_later(stream, FAILURE_STREAM_IDLE);
        } else {
            next_ns = earlier(next_ns, at_ns);
        }
    }
    return next_ns;
}

static void ping(struct http2_conn *conn, int64_t now_ns)
{
    conn->ping_ns = now_ns;
    nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, NULL);
    http2_wake(conn);
}

static void second_goaway(struct http2_conn *conn)
{
    conn->second_goaway_ns = 0;
    conn->goaway_final = true;
    nghttp2_submit_goaway(conn->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(conn->session), NGHTTP2_NO_ERROR,
                          NULL, 0);
    http2_wake(conn);
}

/* Ends the connection when something is overdue. True when it did. */
static bool close_overdue(struct http2_conn *conn, int64_t now_ns)
{
    if (head_deadline(conn) <= now_ns) {
        http2_close(conn, NGHTTP2_NO_ERROR,
                    conn->base.is_server ? FAILURE_HEADER_TIMEOUT : FAILURE_UPSTREAM_PROTOCOL);
    } else if (conn->ping_ns != 0 && ping_deadline(conn) <= now_ns) {
        http2_close(conn, NGHTTP2_NO_ERROR, peer_gone(conn, FAILURE_PING_TIMEOUT));
    } else if (write_deadline(conn) <= now_ns) {
        http2_close(conn, NGHTTP2_NO_ERROR, peer_gone(conn, FAILURE_UPSTREAM_CLOSED));
    } else if (idle_deadline(conn) <= now_ns) {
        http2_close(conn, NGHTTP2_NO_ERROR, FAILURE_NONE);
    }
    return conn->closed;
}

static int64_t busy_tick_ms(const struct http2_conn *conn)
{
    const struct http_limits *limits = conn->base.limits;
    int64_t tick_ms = limits->stall_timeout_ms > 0 ? limits->stall_timeout_ms : 30000;
    if (limits->ping_interval_ms > 0 && limits->ping_interval_ms < tick_ms) {
        tick_ms = limits->ping_interval_ms;
    }
    if (limits->head_timeout_ms > 0 && limits->head_timeout_ms < tick_ms) {
        tick_ms = limits->head_timeout_ms;
    }
    return tick_ms;
}

static void on_timer(struct timer *timer)
{
    struct http2_conn *conn = CONTAINER_OF(timer, struct http2_conn, timer);
    int64_t now_ns = http2_now(conn);
    /* Anything that came after the PING shows life as well as its answer. */
    if (conn->ping_ns != 0 && conn->received_ns > conn->ping_ns) {
        conn->ping_ns = 0;
    }
    if (close_overdue(conn, now_ns)) {
        return;
    }
    if (conn->second_goaway_ns != 0 && conn->second_goaway_ns <= now_ns) {
        second_goaway(conn);
    }
    if (conn->ping_ns == 0 && ping_deadline(conn) <= now_ns) {
        ping(conn, now_ns);
    }
    int64_t next_ns = cut_stalled(conn, now_ns);
    next_ns = earlier(next_ns, head_deadline(conn));
    next_ns = earlier(next_ns, ping_deadline(conn));
    next_ns = earlier(next_ns, write_deadline(conn));
    next_ns = earlier(next_ns, idle_deadline(conn));
    if (conn->second_goaway_ns != 0) {
        next_ns = earlier(next_ns, conn->second_goaway_ns);
    }
    if (conn->base.streams > 0) {
        next_ns = earlier(next_ns, after(now_ns, busy_tick_ms(conn)));
    }
    if (next_ns != INT64_MAX) {
        timer_start_at(&conn->timer, next_ns);
    }
}

void http2_timer_init(struct http2_conn *conn)
{
    timer_init(&conn->timer, conn->base.loop, on_timer);
    timer_start_at(&conn->timer, after(conn->created_ns, busy_tick_ms(conn)));
}

void http2_timer_busy(struct http2_conn *conn)
{
    int64_t at_ns = after(http2_now(conn), busy_tick_ms(conn));
    if (conn->second_goaway_ns != 0) {
        at_ns = earlier(at_ns, conn->second_goaway_ns);
    }
    if (!timer_running(&conn->timer) || conn->timer.at_ns > at_ns) {
        timer_start_at(&conn->timer, at_ns);
    }
}
