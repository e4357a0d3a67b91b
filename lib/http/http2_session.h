#ifndef REMORA_HTTP_HTTP2_SESSION_H
#define REMORA_HTTP_HTTP2_SESSION_H

#include "lib/http/http2_guard.h"
#include "lib/http/http2_stream.h"

#include <nghttp2/nghttp2.h>

/*
 * The inside of the HTTP/2 codec; only http2_*.c include it.
 *
 *   http2_conn.c      creation, reading, flushing, the end
 *   http2_timer.c     PING, idleness, stalls, the second GOAWAY: one timer a connection
 *   http2_callbacks.c nghttp2's callbacks: a few lines each
 *   http2_stream.c    what http_stream.h promises, and the life of a stream
 *   http2_head.c      fields as decoded -> a checked http_head (nghttp2's own checks are off)
 *   http2_write.c     http_head -> fields
 *   http2_guard.c     counters of abuse
 *
 * A stream lives from open (client) or its head (server) until both nghttp2 has closed it (`dead`)
 * and its owner has released it. nghttp2's stream points to it meanwhile.
 */
enum {
    HTTP2_SEND_ROOM = 65536,    /* of a stream's body, queued and not framed */
    HTTP2_OUTPUT_PAUSE = 65536, /* framed and not written: stop reading */
    HTTP2_OUTPUT_RESUME = 32768,
    HTTP2_QUEUE_PAUSE = 1000, /* frames nghttp2 holds back: stop reading */
    HTTP2_QUEUE_CLOSE = 5000,
    HTTP2_FIELDS_CLOSE = 1280, /* in one block: not a mistake any more */
    HTTP2_FIELDS_KEPT = 512,   /* no limit is above this */
};

struct http2_field {
    nghttp2_rcbuf *name;
    nghttp2_rcbuf *value;
    bool sensitive;
};

/* The header block that is arriving; blocks never interleave on a connection. */
struct http2_block {
    struct http2_field *fields; /* NULL = none is under way */
    uint32_t kept;
    uint32_t seen; /* with those that are not kept */
    size_t bytes;
    bool beyond; /* a limit was passed */
    int64_t since_ns;
};

struct http2_conn {
    struct http_conn base;
    nghttp2_session *session;
    struct list streams;  /* not dead */
    struct list finished; /* dead, their owners have not released them */
    struct list roomy;    /* on_room is due */
    struct list failing;  /* on_reset is due */
    struct byte_queue output;
    struct chunk *input; /* being fed; NULL between reads */
    struct turn_task flush;
    struct turn_task end;
    struct timer timer;
    struct http2_block block;
    struct http2_scan scan;
    struct http2_bucket peer_resets;
    struct http2_bucket own_resets;
    struct http2_bucket glitches;
    int64_t created_ns;
    int64_t received_ns;
    int64_t ping_ns;  /* when the PING that is not answered was sent; 0 = none */
    int64_t wrote_ns; /* when output last moved, or began to wait */
    int64_t second_goaway_ns;
    int32_t goaway_last_id; /* of the peer's GOAWAY */
    uint32_t acks_due;
    enum failure failure; /* why it ends; meaningful with `closed` or `doomed` */
    uint32_t doom_code;
    uint64_t names_told; /* bits of UNIQUE tokens whose name was put into the peer's HPACK table */
    bool ready;          /* the transport is connected */
    bool settings_seen;  /* of the peer */
    bool full;           /* room was 0 when last looked at: on_available is due when it is not */
    bool paused;         /* not reading until output has left */
    bool doomed;         /* abuse or protocol error: GOAWAY(doom_code), then the end */
    bool draining_told;
    bool goaway_received;
    bool goaway_final; /* our last GOAWAY is queued */
    bool closed;
};

static inline struct http2_conn *http2_conn_of(struct http_stream *stream)
{
    return (struct http2_conn *)(void *)stream->conn;
}

/* http2_conn.c */
void http2_wake(struct http2_conn *conn);
/* From any callback: GOAWAY(code) and the end, once the stack has unwound. */
void http2_doom(struct http2_conn *conn, uint32_t code, enum failure failure);
void http2_close(struct http2_conn *conn, uint32_t code, enum failure failure);
/* Counts; dooms the connection when the bucket is empty. */
void http2_glitch(struct http2_conn *conn);
size_t http2_room(const struct http2_conn *conn);
static inline int64_t http2_now(const struct http2_conn *conn)
{
    return loop_now_ns(conn->base.loop);
}

/* http2_timer.c */
void http2_timer_init(struct http2_conn *conn);
/* Streams went from none to some: the timer must not sleep for the idle timeout. */
void http2_timer_busy(struct http2_conn *conn);

/* http2_callbacks.c */
const nghttp2_session_callbacks *http2_callbacks(void);
extern const nghttp2_data_provider2 http2_body_source;

/* http2_head.c */
void http2_block_begin(struct http2_conn *conn);
void http2_block_add(struct http2_conn *conn, nghttp2_rcbuf *name, nghttp2_rcbuf *value,
                     bool sensitive);
void http2_block_drop(struct http2_conn *conn);
/* The block is complete: hands it up as head or trailers, or ends the stream. stream NULL = a
 * request begins. */
void http2_block_complete(struct http2_conn *conn, int32_t stream_id, struct http2_stream *stream,
                          bool end);

/* http2_write.c */
/* nghttp2's answer: stream id (requests) or 0; < 0 on failure. */
int32_t http2_write_head(struct http2_conn *conn, struct http2_stream *stream,
                         const struct http_head *head, bool end);
void http2_write_trailers(struct http2_stream *stream, const struct headers *trailers);

#endif
