#include "proxy/front/client_conn.h"

#include "lib/tls/tls_transport.h"
#include "proxy/front/hbone.h"

/* A connection that speaks HTTP: each exchange becomes a request, or, on HBONE's port, a tunnel. */

static void on_stream(void *owner, struct http_conn *http, struct http_stream *stream)
{
    struct client_conn *conn = owner;
    if (conn->side == FRONT_HBONE) {
        hbone_open(conn, stream);
    } else {
        request_open(&conn->origin, stream);
    }
    if (conn->front->scope->draining && conn->origin.direction == RECORD_INBOUND &&
        !http->draining) {
        http_conn_drain(http);
    }
}

static void on_closed(void *owner, struct http_conn *http, enum failure failure)
{
    struct client_conn *conn = owner;
    conn->http = NULL;
    client_conn_over(conn);
}

static const struct http_conn_events http_events = {
    .on_stream = on_stream,
    .on_closed = on_closed,
};

void client_conn_http(struct client_conn *conn, bool http2)
{
    struct worker_scope *scope = conn->front->scope;
    timer_stop(&conn->timer);
    if (conn->first_bytes != NULL) {
        transport_unread(conn->transport,
                         span_make(conn->first_bytes->bytes, conn->first_bytes->used));
        chunk_unref(conn->first_bytes);
        conn->first_bytes = NULL;
    }
    conn->phase = CONN_HTTP;
    struct transport *transport = conn->transport;
    conn->transport = NULL;
    bool in_mesh = conn->origin.mtls && !conn->inner;
    conn->origin.from_sidecar = in_mesh;
    conn->http = http2
                     ? http2_server_create(transport, &scope->limits, in_mesh, &http_events, conn)
                     : http1_server_create(transport, &scope->limits, in_mesh, &http_events, conn);
}

void client_conn_drain(struct client_conn *conn)
{
    if (conn->http != NULL && !conn->http->draining) {
        http_conn_drain(conn->http);
    }
}
