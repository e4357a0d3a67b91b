#include "lib/http/http2_session.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/http/http2_memory.h"
#include "lib/tls/tls_transport.h"

#include <string.h>

enum {
    READS_A_TURN = 4,
    CONTINUATIONS = 8,
    SETTINGS_ENTRIES = 32,
    ACKS_UNSENT = 1000,
    PEER_STREAMS_AT_FIRST = 100, /* what nghttp2 assumes before the peer's SETTINGS */
    SENT_BLOCK_BYTES = 256 * 1024,
};

static struct http2_conn *self(struct http_conn *base)
{
    return (struct http2_conn *)(void *)base;
}

void http2_wake(struct http2_conn *conn)
{
    if (!conn->closed) {
        loop_flush_later(conn->base.loop, &conn->flush);
    }
}

void http2_doom(struct http2_conn *conn, uint32_t code, enum failure failure)
{
    if (conn->doomed || conn->closed) {
        return;
    }
    conn->doomed = true;
    conn->doom_code = code;
    conn->failure = failure;
    http2_wake(conn);
}

void http2_glitch(struct http2_conn *conn)
{
    if (!http2_bucket_take(&conn->glitches, http2_now(conn))) {
        http2_doom(conn, NGHTTP2_ENHANCE_YOUR_CALM,
                   conn->base.is_server ? FAILURE_DOWNSTREAM_ABUSE : FAILURE_UPSTREAM_PROTOCOL);
        return;
    }
    /* A peer with a bug may get away with a new connection before it is cut. */
    if (conn->base.is_server && !conn->base.draining && http2_bucket_low(&conn->glitches)) {
        http_conn_drain(&conn->base);
    }
}

size_t http2_room(const struct http2_conn *conn)
{
    if (!conn->ready || conn->closed || conn->doomed || conn->base.draining) {
        return 0;
    }
    uint32_t limit = conn->base.limits->streams;
    uint32_t peer = conn->settings_seen
                        ? nghttp2_session_get_remote_settings(
                              conn->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
                        : PEER_STREAMS_AT_FIRST;
    limit = peer < limit ? peer : limit;
    /* Stream ids of a connection end (RFC 9113 5.1.1); long before that another one is opened. */
    if (conn->base.streams_total > INT32_MAX / 2 - 1000) {
        return 0;
    }
    return limit > conn->base.streams ? limit - conn->base.streams : 0;
}

/* A GOAWAY written by hand: nghttp2 may already have refused to go on. */
static void add_goaway(struct http2_conn *conn, uint32_t code)
{
    uint32_t last = (uint32_t)nghttp2_session_get_last_proc_stream_id(conn->session);
    uint8_t frame[17] = {
        0,
        0,
        8,
        NGHTTP2_GOAWAY,
        0,
        0,
        0,
        0,
        0,
        (uint8_t)(last >> 24),
        (uint8_t)(last >> 16),
        (uint8_t)(last >> 8),
        (uint8_t)last,
        (uint8_t)(code >> 24),
        (uint8_t)(code >> 16),
        (uint8_t)(code >> 8),
        (uint8_t)code,
    };
    byte_queue_copy(&conn->output, frame, sizeof(frame));
}

/* Each stream that was live hears why. Requests that provably never left say so. */
static void end_streams(struct http2_conn *conn)
{
    struct link *link;
    while ((link = list_first(&conn->streams)) != NULL) {
        struct http2_stream *stream = CONTAINER_OF(link, struct http2_stream, link);
        enum failure failure = conn->failure;
        if (!conn->base.is_server && !stream->produced &&
            (failure == FAILURE_UPSTREAM_CLOSED || failure == FAILURE_UPSTREAM_RESET)) {
            failure = FAILURE_UPSTREAM_UNSENT;
        }
        bool whole = stream->end_received && (stream->end_sent || !conn->base.is_server);
        http2_stream_dead(stream);
        if (!whole) {
            http2_stream_tell_reset(stream, failure);
        }
    }
    while ((link = list_pop(&conn->finished)) != NULL) {
        CONTAINER_OF(link, struct http2_stream, link)->base.conn = NULL;
    }
}

static void end(struct turn_task *task)
{
    struct http2_conn *conn = CONTAINER_OF(task, struct http2_conn, end);
    end_streams(conn);
    conn->base.events->on_closed(conn->base.owner, &conn->base, conn->failure);
    http2_block_drop(conn);
    nghttp2_session_del(conn->session);
    byte_queue_done(&conn->output);
    mem_free(conn->base.why);
    mem_free(conn);
}

/* The transport is gone when the owner hears of it. */
static char *words_of(const struct transport *transport)
{
    const struct tls_facts *facts = tls_transport_facts(transport);
    if (facts != NULL && facts->reason[0] != '\0') {
        return mem_strdup(facts->reason);
    }
    return transport->failure_detail != NULL ? mem_strdup(transport->failure_detail) : NULL;
}

void http2_close(struct http2_conn *conn, uint32_t code, enum failure failure)
{
    if (conn->closed) {
        return;
    }
    if (conn->ready && !conn->goaway_final) {
        add_goaway(conn, code);
    }
    conn->closed = true;
    conn->failure = failure;
    conn->base.draining = true;
    timer_stop(&conn->timer);
    turn_task_cancel(&conn->flush);
    struct transport *transport = conn->base.transport;
    conn->base.transport = NULL;
    if (!conn->ready) {
        conn->base.why = words_of(transport);
    }
    if (conn->ready && conn->output.length > 0) {
        transport_write_queue(transport, &conn->output);
    }
    transport_close(transport);
    loop_free_later(conn->base.loop, &conn->end);
}

/* The transport is at its end. */
static void lost(struct http2_conn *conn, enum failure failure)
{
    /* Before it was ready the transport knows best: connect and handshake failures. */
    if (conn->ready || failure == FAILURE_NONE) {
        failure = conn->base.streams == 0 ? FAILURE_NONE
                  : conn->base.is_server  ? FAILURE_DOWNSTREAM_CLOSED
                                          : FAILURE_UPSTREAM_CLOSED;
    }
    conn->goaway_final = true;
    http2_close(conn, NGHTTP2_NO_ERROR, failure);
}

/* Moves frames into the output until that is full. False: nghttp2 cannot go on. */
static bool produce(struct http2_conn *conn)
{
    while (conn->output.length < HTTP2_OUTPUT_PAUSE) {
        const uint8_t *bytes;
        nghttp2_ssize length = nghttp2_session_mem_send2(conn->session, &bytes);
        if (length < 0) {
            return false;
        }
        if (length == 0) {
            return true;
        }
        if (conn->output.length == 0) {
            conn->wrote_ns = http2_now(conn);
        }
        byte_queue_copy(&conn->output, bytes, (size_t)length);
    }
    return true;
}

/* What the owners hear in the flush phase. They may close everything. */
static void tell_due(struct http2_conn *conn)
{
    struct link *link;
    while (!conn->closed && (link = list_pop(&conn->failing)) != NULL) {
        struct http2_stream *stream = CONTAINER_OF(link, struct http2_stream, due);
        enum failure failure = stream->failing_with;
        uint32_t code = http2_code_of(stream, failure);
        http2_stream_cut(conn, stream, code, failure);
    }
    while (!conn->closed && (link = list_pop(&conn->roomy)) != NULL) {
        struct http2_stream *stream = CONTAINER_OF(link, struct http2_stream, due);
        if (!stream->silent && !stream->released && !stream->end_queued) {
            stream->base.events->on_room(stream->base.owner);
        }
    }
    if (conn->closed || conn->base.is_server) {
        return;
    }
    if (conn->goaway_received && !conn->draining_told) {
        conn->draining_told = true;
        if (conn->base.events->on_draining != NULL) {
            conn->base.events->on_draining(conn->base.owner, &conn->base);
        }
    } else if (conn->full && http2_room(conn) > 0) {
        conn->full = false;
        if (conn->base.events->on_available != NULL) {
            conn->base.events->on_available(conn->base.owner, &conn->base);
        }
    }
}

static void pause_or_resume(struct http2_conn *conn)
{
    size_t queued = nghttp2_session_get_outbound_queue_size(conn->session);
    bool pause = conn->paused
                     ? conn->output.length > HTTP2_OUTPUT_RESUME || queued >= HTTP2_QUEUE_PAUSE
                     : conn->output.length >= HTTP2_OUTPUT_PAUSE || queued >= HTTP2_QUEUE_PAUSE;
    if (pause == conn->paused) {
        return;
    }
    conn->paused = pause;
    unsigned wanted = conn->base.transport->wanted;
    transport_want(conn->base.transport,
                   pause ? wanted & ~(unsigned)TRANSPORT_READABLE : wanted | TRANSPORT_READABLE);
}

static bool write_output(struct http2_conn *conn)
{
    size_t before = conn->output.length;
    if (before == 0) {
        return true;
    }
    if (!transport_write_queue(conn->base.transport, &conn->output)) {
        lost(conn, conn->base.transport->failure);
        return false;
    }
    if (conn->output.length < before) {
        conn->wrote_ns = http2_now(conn);
    }
    return true;
}

/* All is said and done on a connection that is leaving. */
static bool is_over(const struct http2_conn *conn)
{
    if (conn->base.streams > 0 || conn->output.length > 0) {
        return false;
    }
    return conn->goaway_final || conn->goaway_received ||
           (!nghttp2_session_want_read(conn->session) &&
            !nghttp2_session_want_write(conn->session));
}

static void flush(struct turn_task *task)
{
    struct http2_conn *conn = CONTAINER_OF(task, struct http2_conn, flush);
    if (conn->closed) {
        return;
    }
    if (conn->ready && !conn->doomed && !produce(conn)) {
        http2_doom(conn, NGHTTP2_INTERNAL_ERROR,
                   conn->base.is_server ? FAILURE_DOWNSTREAM_PROTOCOL : FAILURE_UPSTREAM_PROTOCOL);
    }
    if (conn->doomed) {
        http2_close(conn, conn->doom_code, conn->failure);
        return;
    }
    if (conn->ready && !write_output(conn)) {
        return;
    }
    /* Behind the write, so that what owners add goes out with the next one of this same turn. */
    tell_due(conn);
    if (conn->closed) {
        return;
    }
    if (!conn->base.is_server && conn->base.draining && conn->base.streams == 0) {
        http2_close(conn, NGHTTP2_NO_ERROR, FAILURE_NONE);
    } else if (is_over(conn)) {
        http2_close(conn, NGHTTP2_NO_ERROR, FAILURE_NONE);
    } else {
        pause_or_resume(conn);
    }
}

static void feed(struct http2_conn *conn, size_t length)
{
    size_t glitches = http2_scan_feed(&conn->scan, conn->input->bytes, length);
    while (glitches-- > 0 && !conn->doomed) {
        http2_glitch(conn);
    }
    if (conn->doomed) {
        return;
    }
    nghttp2_ssize taken = nghttp2_session_mem_recv2(conn->session, conn->input->bytes, length);
    if (taken < 0 && !conn->doomed && !conn->closed) {
        bool flood = taken == NGHTTP2_ERR_FLOODED || taken == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS;
        uint32_t code = flood ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR;
        http2_doom(conn, code,
                   !conn->base.is_server ? FAILURE_UPSTREAM_PROTOCOL
                   : flood               ? FAILURE_DOWNSTREAM_ABUSE
                                         : FAILURE_DOWNSTREAM_PROTOCOL);
    }
    if (!conn->closed &&
        nghttp2_session_get_outbound_queue_size(conn->session) >= HTTP2_QUEUE_CLOSE) {
        http2_doom(conn, NGHTTP2_ENHANCE_YOUR_CALM,
                   conn->base.is_server ? FAILURE_DOWNSTREAM_ABUSE : FAILURE_UPSTREAM_PROTOCOL);
    }
}

/* One chunk is read and fed. True when there may be more at once. */
static bool read_once(struct http2_conn *conn)
{
    conn->input = chunk_take();
    ssize_t length = transport_read(conn->base.transport, conn->input->bytes, CHUNK_BYTES);
    if (length > 0) {
        conn->input->used = (uint32_t)length;
        conn->received_ns = http2_now(conn);
        feed(conn, (size_t)length);
    }
    chunk_unref(conn->input);
    conn->input = NULL;
    if (conn->closed) {
        return false;
    }
    if (length == TRANSPORT_END || length == TRANSPORT_FAILED) {
        lost(conn, conn->base.transport->failure);
        return false;
    }
    http2_wake(conn);
    return length == CHUNK_BYTES && !conn->doomed;
}

static void read_some(struct http2_conn *conn)
{
    for (int reads = 0; reads < READS_A_TURN && !conn->paused; reads++) {
        if (!read_once(conn)) {
            return;
        }
        /* Frames that answer leave nghttp2's queue, so that both bounds are seen before the next
         * read. */
        if (!produce(conn)) {
            http2_doom(conn, NGHTTP2_INTERNAL_ERROR,
                       conn->base.is_server ? FAILURE_DOWNSTREAM_PROTOCOL
                                            : FAILURE_UPSTREAM_PROTOCOL);
        }
        if (conn->doomed || conn->closed || conn->output.length >= HTTP2_OUTPUT_PAUSE) {
            return;
        }
    }
}

static void on_ready(void *owner, unsigned events)
{
    struct http2_conn *conn = owner;
    if (conn->closed) {
        return;
    }
    if ((events & TRANSPORT_READY) && !conn->ready) {
        conn->ready = true;
        conn->created_ns = http2_now(conn);
        conn->received_ns = http2_now(conn);
        http2_wake(conn);
    }
    if (events & TRANSPORT_WRITABLE) {
        http2_wake(conn);
    }
    if (events & TRANSPORT_READABLE) {
        read_some(conn);
    }
}

static struct http_stream *conn_open(struct http_conn *base)
{
    struct http2_conn *conn = self(base);
    size_t room = http2_room(conn);
    if (room <= 1) {
        conn->full = true;
    }
    return room == 0 ? NULL : &http2_stream_create(conn)->base;
}

static size_t conn_room(const struct http_conn *base)
{
    return http2_room((const struct http2_conn *)(const void *)base);
}

static void conn_drain(struct http_conn *base)
{
    struct http2_conn *conn = self(base);
    if (conn->closed || (base->draining && !conn->goaway_received)) {
        return;
    }
    base->draining = true;
    if (base->is_server && !conn->goaway_final && conn->second_goaway_ns == 0) {
        nghttp2_submit_shutdown_notice(conn->session);
        conn->second_goaway_ns = http2_now(conn) + base->limits->goaway_delay_ms * NS_PER_MS;
        http2_timer_busy(conn);
    }
    http2_wake(conn);
}

static void conn_close(struct http_conn *base, enum failure failure)
{
    struct http2_conn *conn = self(base);
    http2_close(conn,
                failure == FAILURE_DOWNSTREAM_ABUSE      ? NGHTTP2_ENHANCE_YOUR_CALM
                : failure == FAILURE_DOWNSTREAM_PROTOCOL ? NGHTTP2_PROTOCOL_ERROR
                                                         : NGHTTP2_NO_ERROR,
                failure);
}

static const struct http_conn_ops ops = {
    .open = conn_open,
    .room = conn_room,
    .drain = conn_drain,
    .close = conn_close,
};

static nghttp2_option *make_option(const struct http_limits *limits, bool is_server)
{
    nghttp2_option *option;
    CHECK(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_no_http_messaging(option, 1);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_outbound_ack(option, ACKS_UNSENT);
    nghttp2_option_set_max_settings(option, SETTINGS_ENTRIES);
    nghttp2_option_set_max_continuations(option, CONTINUATIONS);
    nghttp2_option_set_max_send_header_block_length(option, SENT_BLOCK_BYTES);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, limits->header_table_bytes);
    nghttp2_option_set_peer_max_concurrent_streams(option, PEER_STREAMS_AT_FIRST);
    /*
     * Resets and glitches are counted here, on the loop's clock. What nghttp2 alone sees is frames
     * on closed streams, and those an honest peer sends too after we have reset a stream: ten times
     * the bound as a server, none as a client, whose cancelled tries and hedges would else cut the
     * connection.
     */
    nghttp2_option_set_stream_reset_rate_limit(option, UINT32_MAX, UINT32_MAX);
    uint64_t factor = is_server ? 10 : UINT32_MAX;
    nghttp2_option_set_glitch_rate_limit(option, factor * limits->glitches,
                                         factor * limits->glitches_rate);
    return option;
}

static void submit_settings(struct http2_conn *conn)
{
    const struct http_limits *limits = conn->base.limits;
    nghttp2_settings_entry entries[5];
    size_t count = 0;
    entries[count++] =
        (nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->stream_window};
    entries[count++] =
        (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->head_bytes};
    if (limits->header_table_bytes != 4096) {
        entries[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_HEADER_TABLE_SIZE,
                                                    limits->header_table_bytes};
    }
    if (conn->base.is_server) {
        entries[count++] =
            (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams};
        entries[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1};
    } else {
        entries[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
    }
    CHECK(nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, entries, count) == 0);
    CHECK(nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0,
                                                (int32_t)limits->connection_window) == 0);
}

static void init_session(struct http2_conn *conn)
{
    nghttp2_option *option = make_option(conn->base.limits, conn->base.is_server);
    int failed = conn->base.is_server
                     ? nghttp2_session_server_new3(&conn->session, http2_callbacks(), conn, option,
                                                   http2_memory())
                     : nghttp2_session_client_new3(&conn->session, http2_callbacks(), conn, option,
                                                   http2_memory());
    CHECK(failed == 0);
    nghttp2_option_del(option);
    submit_settings(conn);
}

static struct http_conn *create(struct transport *transport, const struct http_limits *limits,
                                bool in_mesh, bool is_server, const struct http_conn_events *events,
                                void *owner)
{
    struct http2_conn *conn = NEW(struct http2_conn);
    conn->base = (struct http_conn){
        .ops = &ops,
        .events = events,
        .owner = owner,
        .transport = transport,
        .loop = transport->loop,
        .limits = limits,
        .codec = HTTP_CODEC_2,
        .is_server = is_server,
        .in_mesh = in_mesh,
        .idle_since_ns = loop_now_ns(transport->loop),
    };
    int64_t now = http2_now(conn);
    list_init(&conn->streams);
    list_init(&conn->finished);
    list_init(&conn->roomy);
    list_init(&conn->failing);
    conn->flush.run = flush;
    conn->end.run = end;
    conn->created_ns = conn->received_ns = conn->wrote_ns = now;
    conn->ready = transport->is_ready;
    conn->full = true;
    http2_scan_init(&conn->scan, is_server);
    http2_bucket_init(&conn->peer_resets, limits->peer_resets, limits->peer_resets_rate, now);
    http2_bucket_init(&conn->own_resets, limits->own_resets, limits->own_resets_rate, now);
    http2_bucket_init(&conn->glitches, limits->glitches, limits->glitches_rate, now);
    init_session(conn);
    http2_timer_init(conn);
    transport_own(transport, on_ready, conn);
    transport_want(transport, TRANSPORT_READABLE);
    http2_wake(conn);
    return &conn->base;
}

struct http_conn *http2_server_create(struct transport *transport, const struct http_limits *limits,
                                      bool in_mesh, const struct http_conn_events *events,
                                      void *owner)
{
    return create(transport, limits, in_mesh, true, events, owner);
}

struct http_conn *http2_client_create(struct transport *transport, const struct http_limits *limits,
                                      bool in_mesh, const struct http_conn_events *events,
                                      void *owner)
{
    return create(transport, limits, in_mesh, false, events, owner);
}
