#include "lib/http/http_server.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/http/http_exchange.h"
#include "lib/net/tcp.h"
#include "lib/tls/tls_transport.h"

#include <string.h>

enum { DEFAULT_BODY = 64 * 1024, DEFAULT_CONNECTIONS = 1000, DEFAULT_DETECT_MS = 10000 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum { PREFACE_BYTES = sizeof(preface) - 1 };

struct http_server {
    struct loop *loop;
    struct acceptor *acceptor;
    struct http_server_options options;
    struct http_limits limits; /* where the owner named none */
    const struct http_server_events *events;
    void *owner;
    struct list connections;
    size_t count;
    bool closed;
    struct turn_task free_task;
};

struct connection {
    struct link link;
    struct http_server *server;
    struct transport *transport; /* until its codec is known */
    struct http_conn *conn;      /* afterwards */
    struct http_server_peer peer;
    char *identity;
    struct timer detect;
    char first[PREFACE_BYTES];
    size_t filled;
    struct turn_task free_task;
};

static void free_server(struct turn_task *task)
{
    struct http_server *server = CONTAINER_OF(task, struct http_server, free_task);
    tls_config_unref(server->options.tls);
    mem_free(server);
}

static void free_connection(struct turn_task *task)
{
    struct connection *connection = CONTAINER_OF(task, struct connection, free_task);
    mem_free(connection->identity);
    mem_free(connection);
}

/* The connection is gone: takes it out and frees both it and a closed server that it was the last
 * of. */
static void leave(struct connection *connection)
{
    struct http_server *server = connection->server;
    timer_stop(&connection->detect);
    list_remove(&connection->link);
    server->count--;
    loop_free_later(server->loop, &connection->free_task);
    if (server->closed && server->count == 0) {
        loop_free_later(server->loop, &server->free_task);
    }
}

static void on_stream(void *owner, struct http_conn *conn, struct http_stream *stream)
{
    struct connection *connection = owner;
    struct http_server *server = connection->server;
    if (server->events->on_stream != NULL) {
        server->events->on_stream(server->owner, stream, &connection->peer);
        return;
    }
    http_exchange_begin(stream, &(struct http_exchange_options){
                                    .events = server->events,
                                    .owner = server->owner,
                                    .server_closed = &server->closed,
                                    .peer = &connection->peer,
                                    .loop = server->loop,
                                    .body_limit = server->options.body_limit,
                                });
}

static void on_closed(void *owner, struct http_conn *conn, enum failure failure)
{
    leave(owner);
}

static const struct http_conn_events conn_events = {.on_stream = on_stream, .on_closed = on_closed};

static void begin(struct connection *connection, enum http_codec codec)
{
    struct transport *transport = connection->transport;
    const struct http_limits *limits = connection->server->options.limits;
    timer_stop(&connection->detect);
    connection->transport = NULL;
    if (connection->filled > 0) {
        transport_unread(transport, span_make(connection->first, connection->filled));
    }
    connection->conn =
        codec == HTTP_CODEC_2
            ? http2_server_create(transport, limits, false, &conn_events, connection)
            : http1_server_create(transport, limits, false, &conn_events, connection);
}

static void drop(struct connection *connection)
{
    transport_abort(connection->transport);
    connection->transport = NULL;
    leave(connection);
}

static void read_first(struct connection *connection)
{
    ssize_t length = transport_read(connection->transport, connection->first + connection->filled,
                                    sizeof(connection->first) - connection->filled);
    if (length == TRANSPORT_AGAIN) {
        return;
    }
    if (length <= 0) {
        drop(connection);
        return;
    }
    connection->filled += (size_t)length;
    if (memcmp(connection->first, preface, connection->filled) != 0) {
        begin(connection, HTTP_CODEC_1);
    } else if (connection->filled == sizeof(connection->first)) {
        begin(connection, HTTP_CODEC_2);
    }
}

/* TLS has told who is there and often which codec. */
static bool begin_by_alpn(struct connection *connection)
{
    const struct tls_facts *facts = tls_transport_facts(connection->transport);
    if (facts == NULL) {
        return false;
    }
    if (facts->peer_identity.length > 0 && connection->identity == NULL) {
        connection->identity = mem_text(facts->peer_identity.at, facts->peer_identity.length);
        connection->peer.identity = span_make(connection->identity, facts->peer_identity.length);
        connection->peer.not_after_ms = facts->peer_not_after_ms;
    }
    if (facts->alpn.length == 0) {
        return false;
    }
    begin(connection, span_equal(facts->alpn, SPAN("h2")) ? HTTP_CODEC_2 : HTTP_CODEC_1);
    return true;
}

static void on_ready(void *owner, unsigned events)
{
    struct connection *connection = owner;
    if ((events & TRANSPORT_READY) && begin_by_alpn(connection)) {
        return;
    }
    if (events & TRANSPORT_READABLE) {
        read_first(connection);
    }
}

static void on_detect(struct timer *timer)
{
    drop(CONTAINER_OF(timer, struct connection, detect));
}

void http_server_adopt(struct http_server *server, struct transport *transport)
{
    if (server->closed || server->count >= server->options.connections) {
        transport_abort(transport);
        return;
    }
    struct connection *connection = NEW(struct connection);
    connection->server = server;
    connection->transport = transport;
    connection->free_task.run = free_connection;
    connection->peer.address = transport->peer;
    connection->peer.local = transport->local;
    connection->peer.tls = tls_transport_facts(transport) != NULL;
    list_push_back(&server->connections, &connection->link);
    server->count++;
    timer_init(&connection->detect, server->loop, on_detect);
    timer_start(&connection->detect, server->options.detect_timeout_ms * NS_PER_MS);
    transport_own(transport, on_ready, connection);
    transport_want(transport, TRANSPORT_READABLE);
}

static void on_accept(void *owner, int fd, const struct address *local, const struct address *peer)
{
    struct http_server *server = owner;
    struct transport *transport = tcp_adopt(server->loop, fd, local, peer);
    if (server->options.tls != NULL) {
        transport = tls_transport_create(
            transport, &(struct tls_transport_options){
                           .config = server->options.tls,
                           .handshake_timeout_ms = server->options.detect_timeout_ms,
                       });
    }
    http_server_adopt(server, transport);
}

static void on_exhausted(void *owner)
{
    /* The acceptor rests; the connection that was refused is counted by whoever owns the process.
     */
}

static const struct acceptor_events acceptor_events = {on_accept, on_exhausted};

static void set_defaults(struct http_server *server)
{
    struct http_server_options *options = &server->options;
    if (options->limits == NULL) {
        http_limits_default(&server->limits);
        options->limits = &server->limits;
    }
    options->body_limit = options->body_limit > 0 ? options->body_limit : DEFAULT_BODY;
    options->connections = options->connections > 0 ? options->connections : DEFAULT_CONNECTIONS;
    if (options->detect_timeout_ms <= 0) {
        options->detect_timeout_ms = DEFAULT_DETECT_MS;
    }
}

struct http_server *http_server_open(struct loop *loop, const struct http_server_options *options,
                                     const struct http_server_events *events, void *owner,
                                     int *ret_errno)
{
    struct http_server *server = NEW(struct http_server);
    server->loop = loop;
    server->options = *options;
    server->events = events;
    server->owner = owner;
    server->free_task.run = free_server;
    list_init(&server->connections);
    set_defaults(server);
    if (options->at.family != 0) {
        struct acceptor_options at = {.at = options->at};
        server->acceptor = acceptor_open(loop, &at, &acceptor_events, server, ret_errno);
        if (server->acceptor == NULL) {
            mem_free(server);
            return NULL;
        }
    }
    if (options->tls != NULL) {
        server->options.tls = tls_config_ref(options->tls);
    }
    return server;
}

const struct address *http_server_address(const struct http_server *server)
{
    return acceptor_address(server->acceptor);
}

void http_server_set_tls(struct http_server *server, struct tls_config *tls)
{
    struct tls_config *old = server->options.tls;
    server->options.tls = tls_config_ref(tls);
    tls_config_unref(old);
}

size_t http_server_connections(const struct http_server *server)
{
    return server->count;
}

void http_server_drain(struct http_server *server)
{
    acceptor_close(server->acceptor);
    server->acceptor = NULL;
    LIST_EACH(&server->connections, link)
    {
        struct connection *connection = CONTAINER_OF(link, struct connection, link);
        if (connection->conn != NULL) {
            http_conn_drain(connection->conn);
        } else {
            drop(connection);
        }
    }
}

void http_server_close(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    acceptor_close(server->acceptor);
    server->acceptor = NULL;
    server->closed = true;
    if (server->count == 0) {
        loop_free_later(server->loop, &server->free_task);
        return;
    }
    LIST_EACH(&server->connections, link)
    {
        struct connection *connection = CONTAINER_OF(link, struct connection, link);
        if (connection->conn != NULL) {
            http_conn_close(connection->conn, FAILURE_LOCAL_SHUTDOWN);
        } else {
            drop(connection);
        }
    }
}
