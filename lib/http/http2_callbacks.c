#include "lib/http/http2_session.h"

#include <pthread.h>

/* Chunks hand up larger pieces without a copy; smaller ones must not pin 16 KiB each. */
enum { PIECE_SHARED_BYTES = 4096, BODY_COPY_BYTES = 1024 };

static struct http2_stream *stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

/* A closed or doomed connection hears nothing more (CVE-2026-27135). */
static int verdict(const struct http2_conn *conn)
{
    return conn->closed || conn->doomed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *user)
{
    (void)session;
    struct http2_conn *conn = user;
    if (head->type != NGHTTP2_CONTINUATION) {
        http2_block_drop(conn);
    }
    return verdict(conn);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)session;
    (void)frame;
    struct http2_conn *conn = user;
    http2_block_begin(conn);
    return verdict(conn);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *user)
{
    (void)session;
    (void)frame;
    struct http2_conn *conn = user;
    http2_block_add(conn, name, value, (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0);
    return verdict(conn);
}

/* The peer has ended its side: checks the length that it announced (hardening of bodies). */
static void receive_end(struct http2_conn *conn, struct http2_stream *stream)
{
    if (stream->end_received || stream->dead) {
        return;
    }
    if (!stream->final_received ||
        (stream->expected >= 0 && stream->received != stream->expected && !stream->no_body)) {
        http2_stream_error(conn, stream, NGHTTP2_PROTOCOL_ERROR,
                           conn->base.is_server ? FAILURE_BODY_MISMATCH
                                                : FAILURE_UPSTREAM_PROTOCOL);
        return;
    }
    stream->end_received = true;
    if (!stream->silent && !stream->released) {
        stream->base.events->on_end(stream->base.owner);
    }
}

static void on_settings(struct http2_conn *conn, const nghttp2_frame *frame)
{
    if (frame->hd.flags & NGHTTP2_FLAG_ACK) {
        return;
    }
    conn->settings_seen = true;
    if (++conn->acks_due > 1) {
        http2_glitch(conn);
    }
    if (conn->base.is_server) {
        return;
    }
    uint32_t limit =
        nghttp2_session_get_remote_settings(conn->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    /* Requests that nghttp2 would now hold back for ever go elsewhere: none has been sent. */
    if (conn->base.streams > limit) {
        LIST_EACH(&conn->streams, link)
        {
            struct http2_stream *stream = CONTAINER_OF(link, struct http2_stream, link);
            if (stream->submitted && !stream->produced) {
                http2_stream_fail_later(stream, conn->goaway_received
                                                    ? FAILURE_UPSTREAM_GOAWAY
                                                    : FAILURE_UPSTREAM_REFUSED_STREAM);
            }
        }
    }
    http2_wake(conn);
}

static void on_goaway(struct http2_conn *conn, const nghttp2_frame *frame)
{
    conn->goaway_last_id = frame->goaway.last_stream_id;
    conn->goaway_received = true;
    conn->base.draining = true;
    http2_wake(conn);
}

static void on_ping(struct http2_conn *conn, const nghttp2_frame *frame)
{
    if (frame->hd.flags & NGHTTP2_FLAG_ACK) {
        conn->ping_ns = 0;
    } else if (++conn->acks_due > 1) {
        http2_glitch(conn);
    }
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct http2_conn *conn = user;
    struct http2_stream *stream = stream_of(session, frame->hd.stream_id);
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        http2_block_complete(conn, frame->hd.stream_id, stream, end);
        stream = stream_of(session, frame->hd.stream_id);
        if (end && stream != NULL && !conn->closed) {
            receive_end(conn, stream);
        }
        break;
    case NGHTTP2_DATA:
        if (end && stream != NULL) {
            receive_end(conn, stream);
        }
        break;
    case NGHTTP2_SETTINGS:
        on_settings(conn, frame);
        break;
    case NGHTTP2_PING:
        on_ping(conn, frame);
        break;
    case NGHTTP2_GOAWAY:
        on_goaway(conn, frame);
        break;
    case NGHTTP2_RST_STREAM:
        if (conn->base.is_server && !http2_bucket_take(&conn->peer_resets, http2_now(conn))) {
            http2_doom(conn, NGHTTP2_ENHANCE_YOUR_CALM, FAILURE_DOWNSTREAM_ABUSE);
        }
        break;
    default:
        break;
    }
    return verdict(conn);
}

static bool hears(const struct http2_conn *conn, const struct http2_stream *stream)
{
    return !conn->closed && !stream->silent && !stream->released;
}

static void hand_up(struct http2_conn *conn, struct http2_stream *stream, struct piece piece)
{
    stream->unconsumed += piece.length;
    if (hears(conn, stream)) {
        stream->base.events->on_body(stream->base.owner, &piece);
    }
    chunk_unref(piece.chunk);
}

static void hand_up_bytes(struct http2_conn *conn, struct http2_stream *stream,
                          const uint8_t *bytes, size_t length)
{
    struct chunk *chunk = conn->input;
    if (length >= PIECE_SHARED_BYTES) {
        size_t at = (size_t)(bytes - chunk->bytes);
        hand_up(conn, stream, (struct piece){chunk_ref(chunk), (uint32_t)at, (uint32_t)length});
        return;
    }
    while (length > 0 && hears(conn, stream)) {
        size_t part = length < CHUNK_SMALL_BYTES ? length : CHUNK_SMALL_BYTES;
        hand_up(conn, stream, chunk_copy(bytes, part));
        bytes += part;
        length -= part;
    }
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t length, void *user)
{
    (void)flags;
    struct http2_conn *conn = user;
    struct http2_stream *stream = stream_of(session, id);
    /* The connection's window is for everybody: it must not wait for one slow reader. */
    nghttp2_session_consume_connection(session, length);
    if (stream == NULL || stream->dead || stream->silent) {
        return verdict(conn);
    }
    stream->received += (int64_t)length;
    if (!stream->final_received || stream->no_body ||
        (stream->expected >= 0 && stream->received > stream->expected)) {
        http2_stream_error(conn, stream, NGHTTP2_PROTOCOL_ERROR,
                           conn->base.is_server ? FAILURE_BODY_MISMATCH
                                                : FAILURE_UPSTREAM_PROTOCOL);
        return verdict(conn);
    }
    hand_up_bytes(conn, stream, bytes, length);
    return verdict(conn);
}

static enum failure closed_failure(const struct http2_conn *conn, const struct http2_stream *stream,
                                   uint32_t code)
{
    if (conn->base.is_server) {
        return stream->erred ? FAILURE_DOWNSTREAM_PROTOCOL : FAILURE_DOWNSTREAM_RESET;
    }
    if (stream->erred) {
        return FAILURE_UPSTREAM_PROTOCOL;
    }
    if (conn->goaway_received && stream->base.id > conn->goaway_last_id) {
        return FAILURE_UPSTREAM_GOAWAY;
    }
    return code == NGHTTP2_REFUSED_STREAM ? FAILURE_UPSTREAM_REFUSED_STREAM
                                          : FAILURE_UPSTREAM_RESET;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct http2_conn *conn = user;
    struct http2_stream *stream = stream_of(session, id);
    if (stream == NULL) {
        return verdict(conn);
    }
    nghttp2_session_set_stream_user_data(session, id, NULL);
    enum failure failure = closed_failure(conn, stream, code);
    /*
     * A whole response may be followed by RST_STREAM(NO_ERROR) while the request goes on (RFC
     * 9113 8.1); in the server role nothing but both ends makes an exchange whole.
     */
    bool whole = stream->end_received && (stream->end_sent || !conn->base.is_server);
    bool deaf = whole || stream->silent || stream->released;
    http2_stream_dead(stream);
    if (!deaf) {
        http2_stream_tell_reset(stream, failure);
    }
    return verdict(conn);
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *user)
{
    (void)error;
    struct http2_conn *conn = user;
    struct http2_stream *stream = stream_of(session, frame->hd.stream_id);
    http2_glitch(conn);
    if (stream != NULL && stream->erred) {
        return verdict(conn);
    }
    if (stream != NULL) {
        stream->erred = true;
    }
    /* nghttp2 queues a RST_STREAM that the peer has caused (CVE-2025-8671). */
    if (frame->hd.stream_id != 0 && !http2_bucket_take(&conn->own_resets, http2_now(conn))) {
        http2_doom(conn, NGHTTP2_ENHANCE_YOUR_CALM,
                   conn->base.is_server ? FAILURE_DOWNSTREAM_ABUSE : FAILURE_UPSTREAM_PROTOCOL);
    }
    return verdict(conn);
}

static void sent_end(struct http2_conn *conn, struct http2_stream *stream)
{
    stream->end_sent = true;
    if (stream->released && !stream->end_received && conn->base.is_server) {
        /* The response is whole and nobody wants the rest of the request (RFC 9113 8.1). */
        nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, (int32_t)stream->base.id,
                                  NGHTTP2_NO_ERROR);
    }
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct http2_conn *conn = user;
    struct http2_stream *stream;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        stream = stream_of(session, frame->hd.stream_id);
        if (stream == NULL) {
            break;
        }
        stream->produced = true;
        if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
            sent_end(conn, stream);
        }
        break;
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) && conn->acks_due > 0) {
            conn->acks_due--;
        }
        break;
    case NGHTTP2_GOAWAY:
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR && !conn->doomed) {
            /* nghttp2 gave up by itself; the frame is already among the output. */
            conn->doomed = true;
            conn->doom_code = NGHTTP2_NO_ERROR;
            conn->failure = !conn->base.is_server ? FAILURE_UPSTREAM_PROTOCOL
                            : frame->goaway.error_code == NGHTTP2_ENHANCE_YOUR_CALM
                                ? FAILURE_DOWNSTREAM_ABUSE
                                : FAILURE_DOWNSTREAM_PROTOCOL;
            conn->goaway_final = true;
        }
        break;
    default:
        break;
    }
    return 0;
}

/* A request that could not be sent: the connection is leaving, or it was cancelled before. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int error,
                             void *user)
{
    (void)session;
    struct http2_conn *conn = user;
    if (frame->hd.type != NGHTTP2_HEADERS) {
        return 0;
    }
    LIST_EACH(&conn->streams, link)
    {
        struct http2_stream *stream = CONTAINER_OF(link, struct http2_stream, link);
        if (stream->base.id == frame->hd.stream_id && stream->submitted && !stream->dead) {
            if (!conn->base.is_server && !stream->produced) {
                nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, NULL);
                http2_stream_dead(stream);
                http2_stream_tell_reset(stream, error == NGHTTP2_ERR_START_STREAM_NOT_ALLOWED
                                                    ? FAILURE_UPSTREAM_GOAWAY
                                                    : FAILURE_UPSTREAM_REFUSED_STREAM);
            }
            break;
        }
    }
    return 0;
}

static nghttp2_ssize read_body(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t room,
                               uint32_t *ret_flags, nghttp2_data_source *source, void *user)
{
    (void)buffer;
    (void)user;
    struct http2_stream *stream = source->ptr;
    size_t length = stream->body.length < room ? stream->body.length : room;
    bool last = stream->end_queued && length == stream->body.length;
    if (length == 0 && (!last || stream->trailers_queued)) {
        if (last) {
            nghttp2_submit_trailer(session, id, stream->trailers, stream->trailer_count);
        }
        stream->deferred = !last;
        return NGHTTP2_ERR_DEFERRED;
    }
    *ret_flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (last) {
        *ret_flags |= NGHTTP2_DATA_FLAG_EOF;
        if (stream->trailers_queued) {
            *ret_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            nghttp2_submit_trailer(session, id, stream->trailers, stream->trailer_count);
        }
    }
    return (nghttp2_ssize)length;
}

/* Small bodies are copied behind their frame head: one memcpy is cheaper than one more vector. */
static void frame_body(struct http2_conn *conn, struct http2_stream *stream, size_t length)
{
    if (length > BODY_COPY_BYTES) {
        byte_queue_move(&conn->output, &stream->body, length);
        return;
    }
    struct piece piece;
    while (length > 0 && byte_queue_pop(&stream->body, length, &piece)) {
        byte_queue_copy(&conn->output, piece_bytes(&piece), piece.length);
        length -= piece.length;
        chunk_unref(piece.chunk);
    }
}

static int send_body(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_head,
                     size_t length, nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)frame;
    struct http2_conn *conn = user;
    struct http2_stream *stream = source->ptr;
    byte_queue_copy(&conn->output, frame_head, 9);
    frame_body(conn, stream, length);
    stream->moved_ns = http2_now(conn);
    if (stream->was_full && stream->body.length <= HTTP2_SEND_ROOM / 2) {
        stream->was_full = false;
        if (!link_linked(&stream->due)) {
            list_push_back(&conn->roomy, &stream->due);
        }
    }
    return 0;
}

const nghttp2_data_provider2 http2_body_source = {.read_callback = read_body};

static nghttp2_session_callbacks *callbacks;

static void make_callbacks(void)
{
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_body);
}

/* The same for every session of the process; kept until it ends. */
const nghttp2_session_callbacks *http2_callbacks(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_callbacks);
    return callbacks;
}
