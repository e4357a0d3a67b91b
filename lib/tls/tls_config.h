#ifndef REMORA_TLS_TLS_CONFIG_H
#define REMORA_TLS_TLS_CONFIG_H

#include "lib/base/failure.h"
#include "lib/base/span.h"

#include <openssl/base.h>

/*
 * What a TLS endpoint is configured with: its certificate and key, the protocols it offers, and who
 * judges the peer. Immutable and counted (atomic), so that threads share one and a rotation makes a
 * new one; connections keep the one they began with. Inside the mesh: TLS 1.3 only, AES-128-GCM
 * first, X25519MLKEM768 then X25519 then P-256, no 0-RTT, no renegotiation, no compression.
 *
 * The peer is judged by the verify callback alone, in every handshake: a full one with the chain
 * that the peer sent, a resumed one with the leaf kept in the session, so that expiry, trust bundle
 * and identity hold on resumption too.
 */
enum { TLS_IDENTITY_BYTES = 2048, TLS_REASON_BYTES = 160 };

/* What a verifier says of a peer. */
struct tls_verdict {
    enum failure failure; /* NONE = accepted; else TLS_IDENTITY, PEER_UNVERIFIED, TLS_HANDSHAKE */
    char reason[TLS_REASON_BYTES];
    char identity[TLS_IDENTITY_BYTES + 1]; /* the peer's SPIFFE id; "" = none */
    int64_t not_after_ms;                  /* wall clock: end of the peer's leaf */
};

struct tls_verifier {
    /*
     * chain: DER certificates, leaf first. resumed: only the leaf is there. Fills *ret_verdict
     * (given zeroed). May run in any thread that has a connection; must not block.
     */
    void (*verify)(void *owner, const struct span *chain, size_t count, bool resumed,
                   struct tls_verdict *ret_verdict);
    void *owner; /* must outlive every config that names it */
};

enum tls_peer_demand {
    TLS_PEER_REQUIRED,    /* mutual TLS: the peer must show a certificate that verifies */
    TLS_PEER_SERVER_NAME, /* client towards the outside: web PKI roots and name, no verifier */
    TLS_PEER_OPTIONAL,    /* server: asks for a certificate, verifies it where one is shown */
};

struct tls_config_spec {
    bool is_server;
    const struct span
        *chain; /* own certificates in DER, leaf first; count 0 = none (clients only) */
    size_t chain_count;
    EVP_PKEY *key;           /* a reference is taken */
    const char *const *alpn; /* preference order, NULL at the end; NULL = none */
    struct tls_verifier verifier;
    enum tls_peer_demand demand;
    /* PEM roots for TLS_PEER_SERVER_NAME; NULL = the system's. */
    const char *roots_pem;
    bool tickets;               /* resumption: servers give one ticket, clients keep it */
    uint64_t ticket_lifetime_s; /* <= 3600, and never beyond the leaf */
    bool allow_tls12;           /* only outside the mesh */
};

struct tls_config;

/* NULL and a text in *ret_reason (static) when key and certificate do not fit or the library
 * refuses. */
struct tls_config *tls_config_create(const struct tls_config_spec *spec, const char **ret_reason);
struct tls_config *tls_config_ref(struct tls_config *config);
void tls_config_unref(struct tls_config *config);

#endif
