#ifndef REMORA_HTTP_HTTP_STREAM_H
#define REMORA_HTTP_HTTP_STREAM_H

#include "lib/base/byte_queue.h"
#include "lib/http/http_head.h"

/*
 * One exchange, without its codec: a request one way and a response the other. In the server role
 * the stream receives the request and sends the response; in the client role the reverse. HTTP/1
 * connections, HTTP/2 sessions and the fakes of the simulator all yield this.
 *
 * Receiving. Events come in this order: on_head (responses: any number of 1xx first), on_body as often
 * as bytes come, at most one on_trailers, on_end. Instead of any of them: on_reset, the last event ever. Body
 * bytes are credit-bound: at most http_limits.stream_window are outstanding until http_stream_consume
 * returns credit. The peer gets no more credit otherwise, so a slow reader pushes back.
 *
 * Sending. Calls queue; bytes leave in the flush phase of the turn, head, body and end coalesced.
 * http_stream_room says how much body is taken now (64 KiB less what is queued); on_room comes when
 * a full stream has fallen below half. Order: head (1xx any number, then the final one), body, trailers or end.
 *
 * Callbacks never come from inside a function of this header; they may call any of them. The stream
 * belongs to its owner until http_stream_release, which is called exactly once, at any time; release of
 * an exchange that is not over resets it. The head and trailers handed up live in the stream's
 * `arena` (given by the owner in attach) so that they outlive the stream if the owner wants so.
 */
struct http_stream;
struct http_conn;

struct http_stream_events {
    void (*on_head)(void *owner, struct http_head *head);
    /* The owner may keep references to the chunk (byte_queue_push_ref); the piece is the codec's. */
    void (*on_body)(void *owner, const struct piece *piece);
    void (*on_trailers)(void *owner, struct headers *trailers);
    void (*on_end)(void *owner);
    void (*on_room)(void *owner);
    /* failure says why and, by its retry class, whether the request can have been processed. */
    void (*on_reset)(void *owner, enum failure failure);
};

struct http_stream_ops {
    void (*send_head)(struct http_stream *stream, const struct http_head *head, bool end);
    size_t (*send_body)(struct http_stream *stream, struct byte_queue *from, size_t limit);
    void (*send_trailers)(struct http_stream *stream, const struct headers *trailers);
    void (*send_end)(struct http_stream *stream);
    size_t (*room)(const struct http_stream *stream);
    void (*consume)(struct http_stream *stream, size_t bytes);
    void (*reset)(struct http_stream *stream, enum failure failure);
    void (*release)(struct http_stream *stream);
};

struct http_stream {
    const struct http_stream_ops *ops;
    const struct http_stream_events *events;
    void *owner;
    struct arena *arena;    /* where received heads are put */
    struct http_conn *conn; /* NULL once the connection is gone */
    int64_t id;             /* HTTP/2 stream id; HTTP/1: running number */
};

/* Must be called in on_stream (server) before it returns, or right after http_conn_open (client). */
static inline void http_stream_attach(struct http_stream *stream, struct arena *arena,
                                      const struct http_stream_events *events, void *owner)
{
    stream->arena = arena;
    stream->events = events;
    stream->owner = owner;
}

/* end: nothing follows. The head is copied or written out before it returns; values must be clean. */
static inline void http_stream_send_head(struct http_stream *stream, const struct http_head *head,
                                         bool end)
{
    stream->ops->send_head(stream, head, end);
}

/* Moves at most room bytes, and at most limit, out of the queue; returns how many. */
static inline size_t http_stream_send_body(struct http_stream *stream, struct byte_queue *from,
                                           size_t limit)
{
    return stream->ops->send_body(stream, from, limit);
}

/* Ends the message with these fields. */
static inline void http_stream_send_trailers(struct http_stream *stream,
                                             const struct headers *trailers)
{
    stream->ops->send_trailers(stream, trailers);
}

static inline void http_stream_send_end(struct http_stream *stream)
{
    stream->ops->send_end(stream);
}

static inline size_t http_stream_room(const struct http_stream *stream)
{
    return stream->ops->room(stream);
}

static inline void http_stream_consume(struct http_stream *stream, size_t bytes)
{
    stream->ops->consume(stream, bytes);
}

/* Cuts the exchange (RST_STREAM; HTTP/1 closes the connection). No event follows. Release is still due. */
static inline void http_stream_reset(struct http_stream *stream, enum failure failure)
{
    stream->ops->reset(stream, failure);
}

static inline void http_stream_release(struct http_stream *stream)
{
    stream->ops->release(stream);
}

#endif
