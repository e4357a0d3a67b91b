#ifndef REMORA_TLS_TLS_TRANSPORT_H
#define REMORA_TLS_TLS_TRANSPORT_H

#include "lib/net/transport.h"
#include "lib/tls/tls_config.h"

/*
 * TLS over any transport, through a BIO of our own: one read of up to 64 KiB of the layer below
 * feeds many records, and what a loop turn writes leaves in as few records and one write. The
 * handshake has a deadline. TRANSPORT_READY comes when it is done and the peer is accepted; before
 * that nothing is readable and nothing is accepted. Failures: TLS_HANDSHAKE, TLS_IDENTITY,
 * PEER_UNVERIFIED, and those of the layer below; failure_detail says which alert or which rule. A
 * client tells of a server that its verifier refuses as TLS_HANDSHAKE, of another identity than an
 * expected one as TLS_IDENTITY, with the rule in tls_facts.reason. A TLS 1.3 server refuses a
 * client's certificate only after the client's handshake has ended: the client sees READY, then the
 * read failure TLS_HANDSHAKE.
 *
 * After READY: an end without close_notify is UPSTREAM_CLOSED (truncation), a broken record or an
 * alert UPSTREAM_PROTOCOL. At most 64 KiB are accepted ahead of the layer below. A server's session
 * ticket leaves with its first bytes.
 */
struct tls_session_cache;

struct tls_transport_options {
    struct tls_config *config; /* a reference is taken */
    int64_t handshake_timeout_ms;
    /* Clients: the peer must have one of these identities; count 0 = any that the verifier accepts.
     */
    const struct span *expected; /* copied */
    size_t expected_count;
    const char *server_name; /* SNI, and the name checked for TLS_PEER_SERVER_NAME; NULL = none */
    /*
     * Clients: where to look for and keep a session, and under which key (endpoint + identity). The
     * cache must outlive the transport, its background close included. Only sessions of the same
     * config are offered.
     */
    struct tls_session_cache *sessions;
    struct span session_key;
};

/* What is known of a finished handshake. Valid as long as the transport. */
struct tls_facts {
    struct span peer_identity; /* verified SPIFFE id; empty = the peer showed no certificate */
    struct span alpn;          /* empty = none */
    struct span server_name;   /* SNI as sent */
    int64_t peer_not_after_ms;
    bool resumed;
    uint16_t group;                /* TLS NamedGroup, 0x11ec = X25519MLKEM768 */
    uint16_t cipher;               /* TLS cipher suite */
    char reason[TLS_REASON_BYTES]; /* why the peer was refused */
};

/* Takes over the lower transport, which may still be connecting and may hold unread bytes. */
struct transport *tls_transport_create(struct transport *lower,
                                       const struct tls_transport_options *options);
/* NULL when the transport is not TLS. */
const struct tls_facts *tls_transport_facts(const struct transport *transport);

/* Sessions of one thread: at most limit, the oldest go first, none beyond its lifetime. */
struct tls_session_cache *tls_session_cache_create(size_t limit);
void tls_session_cache_clear(struct tls_session_cache *cache);
void tls_session_cache_destroy(struct tls_session_cache *cache);

/* Counters of this thread, for metrics. */
struct tls_counters {
    uint64_t handshakes_full;
    uint64_t handshakes_resumed;
    uint64_t handshakes_failed;
    uint64_t peers_refused;
};
const struct tls_counters *tls_counters(void);

#endif
