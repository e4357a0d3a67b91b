#ifndef REMORA_HTTP_HTTP1_CONN_H
#define REMORA_HTTP_HTTP1_CONN_H

#include "lib/http/http1_body.h"
#include "lib/http/http1_input.h"
#include "lib/http/http_conn.h"
#include "lib/http/websocket.h"

/*
 * One HTTP/1 connection, either role; private to http1_*.c. The stream is part of it: one exchange
 * at a time, so that a request on a kept connection allocates nothing.
 *
 *   http1_conn.c     life: creation, the turn, timer, end
 *   http1_receive.c  bytes in: heads, bodies, what is left over
 *   http1_send.c     the stream's calls: heads, bodies, ends out
 *
 * A turn: on_ready reads and calls the owner, whose calls queue output and ask for `work`; work
 * runs in the flush phase, once: input that waited for credit or for the exchange before, one
 * write, the next exchange.
 */
enum http1_receive {
    HTTP1_RECEIVE_HEAD,
    HTTP1_RECEIVE_BODY,
    HTTP1_RECEIVE_HELD,    /* server: a tunnel was asked for; bytes wait for the answer */
    HTTP1_RECEIVE_DISCARD, /* server: the rest of a body that nobody wants */
    HTTP1_RECEIVE_END,
};

enum http1_send {
    HTTP1_SEND_HEAD,
    HTTP1_SEND_BODY,
    HTTP1_SEND_HELD, /* client: a tunnel was asked for */
    HTTP1_SEND_END,
};

enum http1_life {
    HTTP1_OPEN,
    HTTP1_FINISHING, /* no more exchanges: output leaves, then as below */
    HTTP1_LINGERING, /* server: FIN sent, input thrown away, so that no RST destroys the answer */
    HTTP1_CLOSED,
};

/* What is reset between exchanges. */
struct http1_exchange {
    enum http1_receive receive;
    enum http1_send send;
    enum http1_framing send_framing;
    uint64_t send_remaining; /* of content-length */
    size_t outstanding;      /* body handed up and not consumed */
    uint64_t discarded;
    struct span protocol;              /* server: that was asked for; in the owner's arena */
    struct span key;                   /* server: of a WebSocket asked for; in the owner's arena */
    char accept[WEBSOCKET_TEXT_BYTES]; /* client: due to a key that was made here; "" = none */
    uint32_t informational;
    enum http_method method;
    uint8_t version; /* of the request */
    bool tunnel_asked;
    bool tunnel;
    bool expects_continue; /* and was not told to */
    bool answered;         /* server: a head went out; client: a byte of the response came */
    bool wrote;            /* client: a byte of the request has left */
    bool muted;            /* the owner gets no more events */
    bool end_due;          /* on_end comes in the next work */
    bool wants_room;
    bool wants_credit;
    bool shut; /* the tunnel's FIN is sent */
};

struct http1_conn {
    struct http_conn conn;
    struct http_stream stream;
    struct http1_exchange exchange;
    struct http1_input input;
    struct http1_scan scan;
    struct http1_body body;
    struct byte_queue out;
    struct turn_task work;
    struct turn_task gone;
    struct timer timer;
    int64_t receive_since_ns; /* last progress of the head or body that is coming */
    int64_t send_since_ns;    /* last progress of output that is waiting */
    int64_t linger_until_ns;
    uint64_t lingered;
    enum http1_life life;
    enum failure failure; /* why it closed */
    bool keep_alive;
    bool held;       /* the stream is its owner's */
    bool peer_ended; /* the end was read */
    bool told;       /* on_closed has been called */
    bool available_due;
};

static inline struct http1_conn *http1_of_stream(const struct http_stream *stream)
{
    return CONTAINER_OF(stream, struct http1_conn, stream);
}

/* The exchange is there and its owner still listens. */
static inline bool http1_listening(const struct http1_conn *self)
{
    return self->held && !self->exchange.muted && self->stream.events != NULL &&
           self->life != HTTP1_CLOSED;
}

/* Bytes queued for sending: body is taken below, and pipelined requests are. */
enum { HTTP1_OUTPUT_BYTES = 64 * 1024 };

static inline bool http1_output_full(const struct http1_conn *self)
{
    return self->out.length >= HTTP1_OUTPUT_BYTES;
}

/* http1_conn.c */
extern const struct http_stream_ops http1_stream_ops;
void http1_work_later(struct http1_conn *self);
void http1_exchange_begin(struct http1_conn *self);
/* Closes at once. The owner of a live stream gets on_reset in this turn's flush. abort: TCP resets.
 */
void http1_end(struct http1_conn *self, enum failure failure, bool abort);
/* No more exchanges; what is queued still leaves. */
void http1_finish(struct http1_conn *self, enum failure failure);
/* The exchange cannot go on. Server: a local answer where none has begun. */
void http1_fault(struct http1_conn *self, enum failure failure);

/* http1_receive.c */
void http1_read(struct http1_conn *self);
void http1_receive(struct http1_conn *self);
bool http1_wants_read(const struct http1_conn *self);

#endif
