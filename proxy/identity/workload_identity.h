#ifndef REMORA_PROXY_IDENTITY_WORKLOAD_IDENTITY_H
#define REMORA_PROXY_IDENTITY_WORKLOAD_IDENTITY_H

/*
 * Who this workload is: its key, its certificate, whom it trusts. Main thread.
 *
 *   workload_identity ── credential        key and chain in force (credential.h)
 *                     ├─ trust bundle      roots of the own trust domain
 *                     ├─ leaf_verify       THE verifier of the process's TLS peers
 *                     ├─ identity_store    where keys may be kept (identity_store.h); optional
 *                     └─ certificate_source  whom it asks (certificate_source.h); comes and goes
 *
 * The key is made here for each certificate, and leaves the process only into identity_store. A
 * certificate is renewed within its window (rotation.h); a failure is tried again for ever, and
 * what is in force stays in force. Every new certificate or bundle makes two new tls_configs; who
 * has connections keeps those they began with.
 */

#include "lib/net/loop.h"
#include "lib/tls/tls_config.h"
#include "proxy/identity/certificate_source.h"
#include "proxy/identity/rotation.h"

struct workload_identity;
struct leaf_verify;
struct text;

enum { IDENTITY_ERROR_BYTES = 256, IDENTITY_TOKEN_BYTES = 16384 };

struct workload_identity_events {
    /*
     * Mutual TLS as it is from now on; the receiver takes its own references. May come from inside
     * workload_identity_start and _set_roots. new_roots: whom we trust has changed, so connections
     * that stay may be with peers that are no longer trusted.
     */
    void (*on_tls)(void *owner, struct tls_config *client, struct tls_config *server,
                   bool new_roots);
};

/* Copied. */
struct workload_identity_options {
    struct span trust_domain;
    struct span namespace_name;
    struct span service_account;
    struct span token_file; /* read anew for each question; empty = none */
    struct span key_dir;    /* empty = keys are not kept */
    /*
     * The control plane is verified against a CA that this proxy was given: a root at the end of
     * its answer may then be the first trust bundle. Never replaces one that is there.
     */
    bool source_trusted;
};

/* NULL and a static text when the three names make no SPIFFE id. */
struct workload_identity *workload_identity_create(struct loop *loop,
                                                   const struct workload_identity_options *options,
                                                   const struct workload_identity_events *events,
                                                   void *owner, const char **ret_reason);
/* After every tls_config that it gave is gone: they name its verifier. Takes NULL. */
void workload_identity_destroy(struct workload_identity *identity);
/* Puts back what was kept, if it is still good, and begins to ask. Once. */
void workload_identity_start(struct workload_identity *identity);
/* NULL = nobody to ask; a question under way is given up. Must outlive the identity or be taken
 * back. */
void workload_identity_set_source(struct workload_identity *identity,
                                  const struct certificate_source *source);
/* The control plane is there (again): a question that waits for its back-off is asked now. */
void workload_identity_ask_now(struct workload_identity *identity);
/* What the mesh says of certificates, for the next one on; lifetime_s 0 = as the authority likes.
 */
void workload_identity_set_window(struct workload_identity *identity, struct rotation_window window,
                                  int64_t lifetime_s);
/*
 * The trust bundle (PEM, overlapping roots) in place of the one before. False and a static text,
 * and nothing changed, when it is broken or empty. The certificate stays; one that the new bundle
 * does not vouch for is replaced.
 */
bool workload_identity_set_roots(struct workload_identity *identity, struct span roots_pem,
                                 const char **ret_reason);

struct leaf_verify *workload_identity_verifier(struct workload_identity *identity);

/* For metrics and /ready. Texts live until the next turn. */
struct workload_identity_state {
    struct span id;
    struct span serial;   /* hexadecimal; empty = no certificate */
    int64_t not_before_s; /* wall clock; 0 = no certificate */
    int64_t not_after_s;
    int64_t renew_at_ms;
    uint64_t issued;
    uint64_t failed;
    const char *last_error; /* "" = the last question was answered well */
    size_t roots;
    bool valid;    /* there is a certificate and it has not ended */
    bool restored; /* it was kept from before this process */
    bool asking;
};
void workload_identity_state(const struct workload_identity *identity,
                             struct workload_identity_state *ret);
/* The same as a JSON object, with each root, for /certs. */
void workload_identity_write(const struct workload_identity *identity, struct text *json);

#endif
