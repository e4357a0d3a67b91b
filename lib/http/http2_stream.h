#ifndef REMORA_HTTP_HTTP2_STREAM_H
#define REMORA_HTTP_HTTP2_STREAM_H

#include "lib/http/http_conn.h"

#include <nghttp2/nghttp2.h>

/*
 * One stream of an HTTP/2 session; only http2_*.c include it. It lives from open (client) or its
 * head (server) until both nghttp2 has closed it (`dead`) and its owner has released it. nghttp2's
 * stream points to it meanwhile.
 */
struct http2_conn;

struct http2_stream {
    struct http_stream base;
    struct loop *loop;
    struct link link; /* in conn->streams or conn->finished */
    struct link due;  /* in conn->roomy or conn->failing */
    struct turn_task free_task;
    struct byte_queue body; /* to be framed */
    struct arena own;       /* trailers that wait, and what else outlives a call */
    nghttp2_nv *trailers;
    size_t trailer_count;
    struct span upgrade; /* asked for, by us or by the peer */
    int64_t expected;    /* content-length of what is received; -1 = not said */
    int64_t received;
    int64_t moved_ns;  /* when its body last moved, or began to wait */
    size_t unconsumed; /* handed up, credit not yet returned */
    enum failure failing_with;
    uint32_t informational;
    bool submitted; /* nghttp2 knows it */
    bool produced;  /* its first HEADERS has been framed */
    bool final_sent;
    bool end_queued;
    bool end_sent;
    bool trailers_queued;
    bool deferred; /* nghttp2 waits for nghttp2_session_resume_data */
    bool final_received;
    bool end_received;
    bool no_body; /* what is received has none: HEAD, 204, 304 */
    bool is_head; /* request method HEAD */
    bool was_full;
    bool silent; /* no more events: reset by the owner, or on_reset was told */
    bool released;
    bool dead;  /* nghttp2 has closed it, or never had it */
    bool erred; /* counted as an own reset */
};

struct http2_stream *http2_stream_create(struct http2_conn *conn);
/* The peer broke a rule on this stream: RST_STREAM, counted, and on_reset to its owner. */
void http2_stream_error(struct http2_conn *conn, struct http2_stream *stream, uint32_t code,
                        enum failure failure);
/* RST_STREAM that the peer did not cause, and on_reset to the owner. */
void http2_stream_cut(struct http2_conn *conn, struct http2_stream *stream, uint32_t code,
                      enum failure failure);
/* Tells on_reset unless the owner is deaf; the stream may be gone after it. */
void http2_stream_tell_reset(struct http2_stream *stream, enum failure failure);
/* on_reset in the flush phase. */
void http2_stream_fail_later(struct http2_stream *stream, enum failure failure);
/* nghttp2 has forgotten the stream. */
void http2_stream_dead(struct http2_stream *stream);
uint32_t http2_code_of(const struct http2_stream *stream, enum failure failure);

#endif
