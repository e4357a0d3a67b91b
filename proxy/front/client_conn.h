#ifndef REMORA_PROXY_FRONT_CLIENT_CONN_H
#define REMORA_PROXY_FRONT_CLIENT_CONN_H

#include "lib/http/http_conn.h"
#include "proxy/front/front.h"
#include "proxy/request/config_wait.h"

/*
 * One connection of a client, from its first byte to its end. It decides once what the connection
 * is, by this order: where it wants to go (original destination, explicit listener, or the
 * authority of its tunnel), what policy says of that port, declared protocol, learned server-first,
 * first bytes.
 *
 * Zero-wait: while the first bytes are awaited the upstream connection is started, after
 * DETECT_GRACE_MS, so that a client that does send at once costs no connection in vain. Whoever
 * speaks first decides.
 */
enum { DETECT_GRACE_MS = 5 };

enum conn_phase {
    CONN_PLACING,   /* waits for the phone book's word on an address */
    CONN_DETECTING, /* waits for first bytes */
    CONN_SECURING,  /* TLS handshake of the mesh */
    CONN_HTTP,
    CONN_TUNNEL,
    CONN_OVER,
};

struct client_conn {
    struct link link;
    struct front *front;
    struct snapshot *snapshot; /* held: the origin's spans live in it */
    struct arena arena;
    struct transport *transport; /* NULL once somebody else owns it */
    struct http_conn *http;
    struct tunnel *tunnel;
    struct request_origin origin;
    struct config_wait config_wait;
    struct timer timer; /* grace, then give-up */
    struct turn_task free_task;
    struct chunk *first_bytes; /* while detecting */
    int64_t opened_ns;
    int64_t give_up_ns;
    uint8_t side;     /* enum front_side */
    uint8_t phase;    /* enum conn_phase */
    uint8_t mode;     /* enum xds_mtls_mode, inbound */
    uint8_t protocol; /* enum xds_protocol, declared */
    bool inner;       /* came out of a tunnel: secured already */
    bool needs_host;  /* outside the mesh: the host name decides where it may go */
    bool learned;     /* the server there speaks first: opaque, whatever the client says */
};

/* Takes over the descriptor. */
void client_conn_accept(struct front *front, const struct front_listener *listener, int fd,
                        const struct address *local, const struct address *peer);
/*
 * The same over any transport, with the destination known. failure: why it must be refused; NONE =
 * it need not.
 */
void client_conn_open(struct front *front, const struct front_listener *listener,
                      struct transport *transport, const struct address *to, enum failure failure);
/*
 * What came out of a CONNECT tunnel: inbound, to the application at `to`, which the peer, verified,
 * called by the port `called`.
 */
void client_conn_inner(struct front *front, struct transport *transport, const struct address *to,
                       uint16_t called, struct span peer_identity);
/* Refuses: counted, closed without a byte. */
void client_conn_refuse(struct client_conn *conn, enum failure failure);
/* Ends it from outside. */
void client_conn_cut(struct client_conn *conn);
void client_conn_over(struct client_conn *conn);
/* The connection speaks HTTP: from here on requests. In client_http.c. */
void client_conn_http(struct client_conn *conn, bool http2);
void client_conn_drain(struct client_conn *conn);

#endif
