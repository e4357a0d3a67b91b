#ifndef REMORA_TLS_TLS_CONNECTION_H
#define REMORA_TLS_TLS_CONNECTION_H

#include "lib/tls/tls_feed.h"
#include "lib/tls/tls_private.h"

/*
 * The inside of a TLS transport. tls_transport.c is its life as a transport: readiness, queues,
 * closing. tls_connection.c is its handshake and its judgements.
 */
struct tls_connection {
    struct transport base;
    struct tls_feed feed;
    struct byte_queue plain; /* accepted from the owner, not yet sealed: less than a record */
    SSL *ssl;
    struct tls_config *config;
    struct timer deadline;
    struct turn_task again; /* tells the owner of what is still there */
    struct turn_task flush;
    struct turn_task free;
    struct turn_task at_destroy; /* while it closes in the background */
    bool closing;
    bool lower_closed;
    bool shut;      /* the owner writes no more */
    bool shut_told; /* close_notify is sealed */
    bool read_ended;
    bool write_failed; /* the lower layer takes no more */
    bool has_read;
    bool refused; /* we sent an alert that should still reach the peer */
    bool judged;  /* a verdict was accepted in this handshake */

    char *peer_identity;
    char *server_name; /* clients: as given; servers: as the client sent it */
    char *expected;    /* clients: the identities, each with its NUL */
    size_t expected_count;
    struct tls_session_cache *sessions;
    struct span session_key; /* copied */
    struct tls_facts facts;
};

void tls_connection_init(struct tls_connection *tls, const struct tls_transport_options *options);
void tls_connection_done(struct tls_connection *tls);
/* True when the handshake has just ended well; else base.failure says whether it goes on. */
bool tls_connection_handshake(struct tls_connection *tls);
void tls_connection_fail(struct tls_connection *tls, enum failure failure, const char *detail);
/* From what SSL_do_handshake, SSL_read or SSL_write returned. */
void tls_connection_fail_ssl(struct tls_connection *tls, int result);
void tls_connection_flush_later(struct tls_connection *tls);

#endif
