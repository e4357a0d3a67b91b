#ifndef REMORA_HTTP_HTTP_SERVER_H
#define REMORA_HTTP_HTTP_SERVER_H

#include "lib/http/http_conn.h"
#include "lib/net/acceptor.h"
#include "lib/tls/tls_config.h"

/*
 * A small HTTP server for what a program says about itself (metrics, health, admin) and for gRPC in
 * the control plane. HTTP/1 and HTTP/2 on one port: by ALPN under TLS, else by the first bytes.
 *
 *   http_server --listens, owns--> connections --yield--> http_exchange, or plain http_stream
 *
 * An owner that sets on_request gets whole requests: the body is gathered up to body_limit (beyond:
 * 413) and it answers with http_exchange_reply, at once or later. An owner that sets on_stream gets
 * streams and does everything itself (gRPC); then on_request is NULL.
 */
struct http_server;
struct http_exchange;

/* Who asks: valid as long as the exchange. */
struct http_server_peer {
    struct address address;
    struct address local;
    struct span identity; /* verified SPIFFE id; empty = none was shown */
    int64_t not_after_ms; /* wall clock: end of the certificate that showed it */
    bool tls;
};

struct http_request {
    const struct http_head *head;
    struct span body;
    struct arena *arena; /* of the exchange */
    const struct http_server_peer *peer;
};

struct http_server_events {
    /* The request lives until the exchange is answered. on_gone may be NULL. */
    void (*on_request)(void *owner, struct http_exchange *exchange,
                       const struct http_request *request);
    /* The client left before the answer: the exchange must not be touched any more. */
    void (*on_gone)(void *owner, struct http_exchange *exchange);
    /* See http_conn_events.on_stream: attach in here. The peer lives as long as the connection. */
    void (*on_stream)(void *owner, struct http_stream *stream, const struct http_server_peer *peer);
};

struct http_server_options {
    struct address at;
    struct tls_config *tls;           /* NULL = plain text; a reference is taken */
    const struct http_limits *limits; /* NULL = the defaults; must outlive the server */
    size_t body_limit;                /* 0 = 64 KiB */
    size_t connections;               /* 0 = 1000: more are closed at once */
    int64_t detect_timeout_ms;        /* 0 = 10 s: TLS handshake and first bytes */
};

/* NULL and *ret_errno when the address cannot be had. */
struct http_server *http_server_open(struct loop *loop, const struct http_server_options *options,
                                     const struct http_server_events *events, void *owner,
                                     int *ret_errno);
const struct address *http_server_address(const struct http_server *server);
/* For new connections only. */
void http_server_set_tls(struct http_server *server, struct tls_config *tls);
/* A connection from elsewhere (tests, a port shared with something else). */
void http_server_adopt(struct http_server *server, struct transport *transport);
size_t http_server_connections(const struct http_server *server);
/* No new connections; those there are finish what they do. */
void http_server_drain(struct http_server *server);
/* Closes everything; frees after the turn. No callback comes any more. Takes NULL. */
void http_server_close(struct http_server *server);

/* Exactly once an exchange; it is gone after it. The body is copied. type may be NULL. */
void http_exchange_reply(struct http_exchange *exchange, uint16_t status, const char *type,
                         struct span body);
/* The same with further fields; they are copied. */
void http_exchange_reply_with(struct http_exchange *exchange, uint16_t status,
                              const struct headers *fields, struct span body);
/* For the owner's own state of a deferred answer. */
void http_exchange_set_owner(struct http_exchange *exchange, void *owner);
void *http_exchange_owner(const struct http_exchange *exchange);

#endif
