#ifndef REMORA_HTTP_HTTP_CONN_H
#define REMORA_HTTP_HTTP_CONN_H

#include "lib/http/http_limits.h"
#include "lib/http/http_stream.h"
#include "lib/net/transport.h"

/*
 * One HTTP connection over a transport, either codec, either role.
 *
 *   transport --owned by--> http_conn --yields--> http_stream (many, or one at a time for HTTP/1)
 *
 * The connection ends by itself (peer gone, limits, idle, drain) or by http_conn_close; then on_closed
 * comes exactly once, after on_reset of every stream that was live; the memory goes after the turn.
 * Callbacks come from the loop only.
 */
enum http_codec { HTTP_CODEC_1, HTTP_CODEC_2 };

struct http_conn_events {
    /* Server role: a request begins. Attach in here; on_head follows at once. */
    void (*on_stream)(void *owner, struct http_conn *conn, struct http_stream *stream);
    /* Client role: there is room for streams again (or for the first time). May be NULL. */
    void (*on_available)(void *owner, struct http_conn *conn);
    /* The peer is leaving (GOAWAY, connection: close): no new streams. Client role. May be NULL. */
    void (*on_draining)(void *owner, struct http_conn *conn);
    void (*on_closed)(void *owner, struct http_conn *conn, enum failure failure);
};

struct http_conn_ops {
    struct http_stream *(*open)(struct http_conn *conn);
    size_t (*room)(const struct http_conn *conn);
    void (*drain)(struct http_conn *conn);
    void (*close)(struct http_conn *conn, enum failure failure);
};

struct http_conn {
    const struct http_conn_ops *ops;
    const struct http_conn_events *events;
    void *owner;
    struct transport *transport;
    struct loop *loop;
    const struct http_limits *limits; /* must outlive the connection */
    enum http_codec codec;
    bool is_server;
    bool draining;
    bool in_mesh; /* the peer is a verified sidecar: private fields are written and believed */
    uint32_t streams;       /* live */
    uint64_t streams_total; /* ever */
    int64_t idle_since_ns;  /* when streams fell to 0; 0 while busy */
    /* Client, HTTP/2, in on_closed: what the transport said of its failure before it was ready; NULL
     * = nothing. */
    char *why;
};

/* Each takes over a transport, which may still be connecting. in_mesh: see above. */
struct http_conn *http1_server_create(struct transport *transport, const struct http_limits *limits,
                                      bool in_mesh, const struct http_conn_events *events, void *owner);
struct http_conn *http1_client_create(struct transport *transport, const struct http_limits *limits,
                                      bool in_mesh, const struct http_conn_events *events, void *owner);
struct http_conn *http2_server_create(struct transport *transport, const struct http_limits *limits,
                                      bool in_mesh, const struct http_conn_events *events, void *owner);
struct http_conn *http2_client_create(struct transport *transport, const struct http_limits *limits,
                                      bool in_mesh, const struct http_conn_events *events, void *owner);

/* Client role: begins an exchange; NULL when there is no room. Attach it before the turn ends. */
static inline struct http_stream *http_conn_open(struct http_conn *conn)
{
    return conn->ops->open(conn);
}

/* How many streams may be opened now: 0 while connecting, draining or full. */
static inline size_t http_conn_room(const struct http_conn *conn)
{
    return conn->ops->room(conn);
}

/* Lets live streams finish and takes no new ones; then closes. Server HTTP/2: GOAWAY in two steps. */
static inline void http_conn_drain(struct http_conn *conn)
{
    conn->ops->drain(conn);
}

/* Now. Live streams get on_reset(failure). on_closed follows in this turn's free phase. */
static inline void http_conn_close(struct http_conn *conn, enum failure failure)
{
    conn->ops->close(conn, failure);
}

#endif
