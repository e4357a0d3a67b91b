#include "proxy/front/client_conn.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"
#include "lib/net/tcp.h"
#include "lib/tls/client_hello.h"
#include "lib/tls/tls_transport.h"
#include "proxy/config/mesh_alpn.h"
#include "proxy/front/destination.h"
#include "proxy/front/detect.h"
#include "proxy/front/hbone.h"

static void detect_start(struct client_conn *conn);

static int64_t now_of(const struct client_conn *conn)
{
    return loop_now_ns(conn->front->scope->loop);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void conn_free(struct turn_task *task)
{
    struct client_conn *conn = CONTAINER_OF(task, struct client_conn, free_task);
    snapshot_unref(conn->snapshot);
    arena_done(&conn->arena);
    mem_free(conn);
}

static void drop_first_bytes(struct client_conn *conn)
{
    chunk_unref(conn->first_bytes);
    conn->first_bytes = NULL;
}

void client_conn_over(struct client_conn *conn)
{
    if (conn->phase == CONN_OVER) {
        return;
    }
    conn->phase = CONN_OVER;
    timer_stop(&conn->timer);
    config_wait_cancel(&conn->config_wait);
    drop_first_bytes(conn);
    if (conn->tunnel != NULL) {
        tunnel_abandon(conn->tunnel);
        conn->tunnel = NULL;
    }
    if (conn->transport != NULL) {
        transport_close(conn->transport);
        conn->transport = NULL;
    }
    list_remove(&conn->link);
    conn->front->live[conn->side]--;
    conn->front->connections--;
    conn->front->scope->live_connections--;
    conn->free_task.run = conn_free;
    loop_free_later(conn->front->scope->loop, &conn->free_task);
}

void client_conn_refuse(struct client_conn *conn, enum failure failure)
{
    observe_refused(conn->front->scope->observe, conn->origin.direction, failure,
                    &conn->origin.downstream, conn->origin.original_dst.port);
    /* A peer whose handshake failed is still to get the alert that says why. */
    bool silent = failure != FAILURE_PEER_UNVERIFIED && failure != FAILURE_TLS_HANDSHAKE;
    if (conn->transport != NULL && silent) {
        transport_abort(conn->transport);
        conn->transport = NULL;
    }
    client_conn_over(conn);
}

void client_conn_cut(struct client_conn *conn)
{
    if (conn->http != NULL) {
        http_conn_close(conn->http, FAILURE_LOCAL_SHUTDOWN);
        return; /* its on_closed ends us */
    }
    client_conn_over(conn);
}

/* ---- Tunnels --------------------------------------------------------------------------------- */

static void on_tunnel_over(void *owner)
{
    struct client_conn *conn = owner;
    conn->tunnel = NULL;
    client_conn_over(conn);
}

static void become_tunnel(struct client_conn *conn, const char *detected);

static void on_tunnel_spoken(void *owner, bool with_bytes)
{
    struct client_conn *conn = owner;
    bool client_silent = conn->first_bytes == NULL || conn->first_bytes->used == 0;
    if (with_bytes && client_silent) {
        server_first_learn(&conn->front->learned, &conn->origin.original_dst, now_of(conn));
    }
    become_tunnel(conn, conn->learned ? "learned" : "server_first");
}

static void on_tunnel_failed(void *owner, enum failure failure)
{
    struct client_conn *conn = owner;
    conn->tunnel = NULL;
    bool may_be_http = !conn->learned && (conn->side == FRONT_OUTBOUND || conn->inner);
    if (conn->phase == CONN_DETECTING && may_be_http) {
        /* Started early: whether the client speaks HTTP is still open, and then it gets an answer.
         */
        return;
    }
    client_conn_refuse(conn, failure);
}

static const struct tunnel_events tunnel_events = {
    .on_spoken = on_tunnel_spoken,
    .on_failed = on_tunnel_failed,
    .on_over = on_tunnel_over,
};

static void tunnel_begin(struct client_conn *conn, uint8_t record_protocol)
{
    if (conn->tunnel == NULL) {
        conn->tunnel = tunnel_start(&conn->origin, record_protocol, &tunnel_events, conn);
    }
}

static void become_tunnel(struct client_conn *conn, const char *detected)
{
    timer_stop(&conn->timer);
    bool tls = conn->first_bytes != NULL && conn->first_bytes->used > 0 &&
               conn->first_bytes->bytes[0] == 0x16;
    if (detected != NULL) {
        observe_detected(conn->front->scope->observe, detected, now_of(conn) - conn->opened_ns);
    }
    if (conn->first_bytes != NULL) {
        transport_unread(conn->transport,
                         span_make(conn->first_bytes->bytes, conn->first_bytes->used));
        drop_first_bytes(conn);
    }
    conn->phase = CONN_TUNNEL;
    tunnel_begin(conn, tls || conn->protocol == XDS_PROTOCOL_TLS ? RECORD_TLS : RECORD_TCP);
    struct transport *transport = conn->transport;
    conn->transport = NULL;
    tunnel_join(conn->tunnel, transport);
}

/* ---- Mutual TLS ------------------------------------------------------------------------------ */

static void on_secured(struct client_conn *conn)
{
    const struct tls_facts *facts = tls_transport_facts(conn->transport);
    conn->origin.mtls = facts->peer_identity.length > 0;
    conn->origin.https = true;
    conn->origin.peer_identity = arena_span(&conn->arena, facts->peer_identity);
    if (!conn->origin.mtls) {
        client_conn_refuse(conn, FAILURE_PEER_UNVERIFIED);
        return;
    }
    /* Between sidecars there is only HTTP/2: requests, or CONNECT tunnels. */
    client_conn_http(conn, true);
}

static void on_securing(void *owner, unsigned events)
{
    struct client_conn *conn = owner;
    if ((events & TRANSPORT_READY) != 0) {
        on_secured(conn);
        return;
    }
    /* Until it is ready there is nothing to read but the reason why it never will be. */
    enum failure failure = conn->transport->failure;
    if (failure != FAILURE_NONE) {
        bool unverified = failure == FAILURE_PEER_UNVERIFIED || failure == FAILURE_TLS_IDENTITY;
        client_conn_refuse(conn, unverified ? FAILURE_PEER_UNVERIFIED : FAILURE_TLS_HANDSHAKE);
    }
}

static void become_mtls(struct client_conn *conn)
{
    struct worker_scope *scope = conn->front->scope;
    timer_stop(&conn->timer);
    if (scope->server_tls == NULL) {
        client_conn_refuse(conn, FAILURE_TLS_NO_CERTIFICATE);
        return;
    }
    if (conn->first_bytes != NULL) {
        transport_unread(conn->transport,
                         span_make(conn->first_bytes->bytes, conn->first_bytes->used));
        drop_first_bytes(conn);
    }
    struct tls_transport_options options = {
        .config = scope->server_tls,
        .handshake_timeout_ms = conn->front->limits.handshake_timeout_ms,
    };
    conn->phase = CONN_SECURING;
    transport_want(conn->transport, 0);
    conn->transport = tls_transport_create(conn->transport, &options);
    transport_own(conn->transport, on_securing, conn);
    transport_want(conn->transport, TRANSPORT_READABLE);
}

/* ---- First bytes ----------------------------------------------------------------------------- */

static bool hello_is_of_mesh(struct span bytes)
{
    static _Thread_local unsigned char scratch[CLIENT_HELLO_BYTES];
    struct client_hello hello;
    if (client_hello_read(bytes, scratch, &hello) != CLIENT_HELLO_DONE) {
        return false;
    }
    for (size_t i = 0; i < hello.alpn_count; i++) {
        if (span_equal_text(hello.alpn[i], MESH_ALPN)) {
            return true;
        }
    }
    return false;
}

static bool hello_is_complete(struct span bytes)
{
    static _Thread_local unsigned char scratch[CLIENT_HELLO_BYTES];
    struct client_hello hello;
    return client_hello_read(bytes, scratch, &hello) != CLIENT_HELLO_MORE;
}

/* Nobody in the mesh has the address dialled: only a host name can tell whose it is. */
static bool is_outside(const struct client_conn *conn)
{
    return conn->side == FRONT_OUTBOUND && conn->origin.listener.length == 0 &&
           conn->origin.workload == NULL;
}

static void drop_early_tunnel(struct client_conn *conn)
{
    if (conn->tunnel != NULL) {
        tunnel_abandon(conn->tunnel);
        conn->tunnel = NULL;
    }
}

static void plaintext_or_tunnel(struct client_conn *conn, enum detected detected)
{
    struct front *front = conn->front;
    if (conn->side == FRONT_INBOUND && !conn->inner) {
        observe_plaintext(front->scope->observe, &conn->origin.downstream,
                          conn->origin.original_dst.port);
    }
    if (detected == DETECT_HTTP1 || detected == DETECT_HTTP2) {
        server_first_doubt(&front->learned, &conn->origin.original_dst);
        observe_detected(front->scope->observe, detected == DETECT_HTTP2 ? "http2" : "http1",
                         now_of(conn) - conn->opened_ns);
        timer_stop(&conn->timer);
        drop_early_tunnel(conn);
        client_conn_http(conn, detected == DETECT_HTTP2);
        return;
    }
    if (detected == DETECT_TLS && is_outside(conn) && destination_by_hello(conn)) {
        drop_early_tunnel(conn); /* it led to the address dialled */
    }
    if (conn->needs_host) {
        client_conn_refuse(conn, FAILURE_EGRESS_DENIED);
        return;
    }
    become_tunnel(conn, detected == DETECT_TLS ? "tls" : "opaque");
}

/* What the bytes so far mean for a port that takes mutual TLS (or may). True when decided. */
static bool inbound_tls(struct client_conn *conn, enum detected detected, struct span bytes)
{
    if (conn->mode == XDS_MTLS_STRICT) {
        if (detected == DETECT_TLS) {
            become_mtls(conn);
        } else {
            client_conn_refuse(conn, FAILURE_PLAINTEXT_REFUSED);
        }
        return true;
    }
    if (conn->mode == XDS_MTLS_PERMISSIVE && detected == DETECT_TLS) {
        if (!hello_is_complete(bytes) && bytes.length < CHUNK_BYTES) {
            return true; /* the names in it decide; wait for the rest */
        }
        if (hello_is_of_mesh(bytes)) {
            become_mtls(conn);
            return true;
        }
    }
    return false;
}

/* On the side where mutual TLS is not (or no longer) to be expected. */
static bool is_secured(const struct client_conn *conn)
{
    return conn->side == FRONT_OUTBOUND || conn->inner || conn->mode == XDS_MTLS_PLAINTEXT;
}

/* Told to be HTTP: only which version is left to be found out, and that is the client's choice. */
static bool is_told_http(const struct client_conn *conn)
{
    return conn->protocol == XDS_PROTOCOL_HTTP1 && is_secured(conn) && !conn->needs_host;
}

/*
 * They say that the server speaks first here, and its connection is on its way. A client that does
 * is not held up for what its bytes are; they only tell whether to go on believing that.
 */
static void decide_learned(struct client_conn *conn, struct span bytes)
{
    if (detect_first_bytes(span_cut(bytes, 0, DETECT_BYTES), true) != DETECT_OPAQUE) {
        server_first_doubt(&conn->front->learned, &conn->origin.original_dst);
    }
    become_tunnel(conn, "learned");
}

static void decide(struct client_conn *conn, bool full)
{
    struct span bytes = span_make(conn->first_bytes->bytes, conn->first_bytes->used);
    if (conn->learned) {
        decide_learned(conn, bytes);
        return;
    }
    enum detected detected =
        detect_first_bytes(span_cut(bytes, 0, DETECT_BYTES), full || bytes.length >= DETECT_BYTES);
    if (detected == DETECT_MORE) {
        return;
    }
    if (is_told_http(conn)) {
        client_conn_http(conn, detected == DETECT_HTTP2);
        return;
    }
    if (conn->side == FRONT_INBOUND && !conn->inner && inbound_tls(conn, detected, bytes)) {
        return;
    }
    if (detected == DETECT_TLS && is_outside(conn) && !full && bytes.length < CHUNK_BYTES &&
        !hello_is_complete(bytes)) {
        return;
    }
    plaintext_or_tunnel(conn, detected);
}

/* The client has ended before it said anything that could be understood. */
static void on_early_end(struct client_conn *conn, ssize_t result)
{
    bool strict = conn->side == FRONT_INBOUND && !conn->inner && conn->mode == XDS_MTLS_STRICT;
    bool nothing = conn->first_bytes->used == 0 && !conn->learned; /* that server may still speak */
    if (result == TRANSPORT_FAILED || strict || nothing) {
        client_conn_over(conn);
        return;
    }
    decide(conn, true);
}

static void on_first_bytes(void *owner, unsigned events)
{
    struct client_conn *conn = owner;
    if ((events & TRANSPORT_READABLE) == 0) {
        return;
    }
    if (conn->first_bytes == NULL) {
        conn->first_bytes = chunk_take();
    }
    struct chunk *chunk = conn->first_bytes;
    ssize_t got = transport_read(conn->transport, chunk->bytes + chunk->used, chunk_room(chunk));
    if (got == TRANSPORT_AGAIN) {
        return;
    }
    if (got == TRANSPORT_END || got == TRANSPORT_FAILED) {
        on_early_end(conn, got);
        return;
    }
    chunk->used += (uint32_t)got;
    decide(conn, chunk_room(chunk) == 0);
}

static void on_detect_timer(struct timer *timer)
{
    struct client_conn *conn = CONTAINER_OF(timer, struct client_conn, timer);
    bool strict = conn->side == FRONT_INBOUND && !conn->inner && conn->mode == XDS_MTLS_STRICT;
    if (is_told_http(conn)) {
        /* Its time limits for what has not begun are the codec's. */
        client_conn_http(conn, false);
        return;
    }
    if (now_of(conn) < conn->give_up_ns) {
        if (!strict && !conn->needs_host) {
            tunnel_begin(conn, RECORD_TCP);
        }
        timer_start_at(&conn->timer, conn->give_up_ns);
        return;
    }
    if (strict) {
        client_conn_refuse(conn, FAILURE_PLAINTEXT_REFUSED);
    } else if (conn->needs_host) {
        client_conn_refuse(conn, FAILURE_EGRESS_DENIED);
    } else {
        become_tunnel(conn, conn->learned ? "learned" : "timeout");
    }
}

static void detect_start(struct client_conn *conn)
{
    struct front *front = conn->front;
    conn->phase = CONN_DETECTING;
    transport_own(conn->transport, on_first_bytes, conn);
    if (is_secured(conn) && !conn->needs_host) {
        if (conn->protocol == XDS_PROTOCOL_OPAQUE || conn->protocol == XDS_PROTOCOL_TLS) {
            become_tunnel(conn, NULL);
            return;
        }
        if (conn->protocol == XDS_PROTOCOL_HTTP2) {
            client_conn_http(conn, true);
            return;
        }
        if (conn->protocol == XDS_PROTOCOL_AUTO &&
            server_first_known(&front->learned, &conn->origin.original_dst, now_of(conn))) {
            conn->learned = true;
            tunnel_begin(conn, RECORD_TCP);
        }
    }
    conn->give_up_ns = now_of(conn) + front->limits.detect_give_up_ms * NS_PER_MS;
    if (is_told_http(conn)) {
        timer_start_at(&conn->timer, conn->give_up_ns);
    } else {
        timer_start(&conn->timer, DETECT_GRACE_MS * NS_PER_MS);
    }
    transport_want(conn->transport, TRANSPORT_READABLE);
}

/* ---- Opening --------------------------------------------------------------------------------- */

static struct client_conn *conn_create(struct front *front, uint8_t side,
                                       struct transport *transport, const struct address *peer)
{
    struct worker_scope *scope = front->scope;
    struct client_conn *conn = NEW(struct client_conn);
    conn->front = front;
    conn->side = side;
    conn->transport = transport;
    conn->snapshot = snapshot_ref(scope->snapshot);
    conn->opened_ns = loop_now_ns(scope->loop);
    arena_init(&conn->arena);
    timer_init(&conn->timer, scope->loop, on_detect_timer);
    conn->origin.scope = scope;
    conn->origin.direction = side == FRONT_OUTBOUND ? RECORD_OUTBOUND : RECORD_INBOUND;
    conn->origin.downstream = *peer;
    list_push_back(&front->conns, &conn->link);
    front->live[side]++;
    front->connections++;
    scope->live_connections++;
    return conn;
}

/*
 * How the application is spoken to and who may come. called: the port that the connection came to.
 * In explicit mode that is not the application's, and manifests may speak of either: of what
 * callers know, or of the application with an annotation that says where its proxy listens.
 */
static void place_inbound(struct client_conn *conn, uint16_t called)
{
    const struct workload_config *workload = conn->snapshot->workload;
    if (!workload_config_has_port(workload, called)) {
        called = conn->origin.original_dst.port;
    }
    struct xds_inbound_port port = workload_config_port(workload, called);
    conn->mode = port.mode;
    conn->protocol = port.protocol;
    conn->origin.protocol = port.protocol;
    conn->origin.service = port.service;
    conn->origin.port = called;
    detect_start(conn);
}

static void on_address_known(struct config_wait *wait, bool known)
{
    struct client_conn *conn = CONTAINER_OF(wait, struct client_conn, config_wait);
    snapshot_unref(conn->snapshot);
    conn->snapshot = snapshot_ref(conn->front->scope->snapshot);
    if (!known || !destination_find(conn)) {
        destination_outside(conn);
    }
    detect_start(conn);
}

static void place_outbound(struct client_conn *conn)
{
    struct worker_scope *scope = conn->front->scope;
    conn->phase = CONN_PLACING;
    conn->origin.port = conn->origin.original_dst.port;
    if (destination_find(conn)) {
        detect_start(conn);
        return;
    }
    if (!scope->control_away) {
        char text[ADDRESS_TEXT_BYTES];
        address_format_ip(&conn->origin.original_dst, text);
        struct span name = span_of(arena_printf(&conn->arena, "ip/%s", text));
        if (config_wait_start(&conn->config_wait, scope, name, on_address_known) == CONFIG_ASKED) {
            return;
        }
    }
    destination_outside(conn);
    detect_start(conn);
}

void client_conn_accept(struct front *front, const struct front_listener *listener, int fd,
                        const struct address *local, const struct address *peer)
{
    struct address to = listener->side == FRONT_HBONE ? *local : listener->to;
    enum failure failure = FAILURE_NONE;
    /* A connection that is refused for their number asks the kernel nothing. */
    if (front->limits.descriptors > 0 && fd >= front->limits.descriptors) {
        failure = FAILURE_OVERLOAD;
    } else if (listener->redirected && front->connections < front->limits.connections) {
        failure = destination_original(front, fd, local, peer, &to);
    }
    client_conn_open(front, listener, tcp_adopt(front->scope->loop, fd, local, peer), &to, failure);
}

void client_conn_open(struct front *front, const struct front_listener *listener,
                      struct transport *transport, const struct address *to, enum failure failure)
{
    struct client_conn *conn = conn_create(front, listener->side, transport, &transport->peer);
    conn->origin.original_dst = *to;
    if (front->connections > front->limits.connections) {
        client_conn_refuse(conn, FAILURE_OVERFLOW_DOWNSTREAM);
    } else if (failure != FAILURE_NONE) {
        client_conn_refuse(conn, failure);
    } else if (listener->side == FRONT_HBONE) {
        conn->mode = XDS_MTLS_STRICT;
        become_mtls(conn);
    } else if (listener->side == FRONT_INBOUND) {
        place_inbound(conn, listener->redirected ? to->port : listener->at.port);
    } else if (listener->service.length == 0) {
        place_outbound(conn);
    } else if (destination_service(conn, listener->service, listener->service_port)) {
        detect_start(conn);
    } else {
        client_conn_refuse(conn, FAILURE_NO_ROUTE);
    }
}

void client_conn_inner(struct front *front, struct transport *transport, const struct address *to,
                       uint16_t called, struct span peer_identity)
{
    struct client_conn *conn = conn_create(front, FRONT_INBOUND, transport, &transport->peer);
    conn->inner = true;
    conn->origin.mtls = true;
    conn->origin.https = true;
    conn->origin.original_dst = *to;
    conn->origin.peer_identity = arena_span(&conn->arena, peer_identity);
    place_inbound(conn, called);
}
