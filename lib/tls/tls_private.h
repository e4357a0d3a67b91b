#ifndef REMORA_TLS_TLS_PRIVATE_H
#define REMORA_TLS_TLS_PRIVATE_H

#include "lib/base/refcount.h"
#include "lib/tls/ticket_keys.h"
#include "lib/tls/tls_transport.h"

#include <openssl/ssl.h>

/* What the sources of this folder share, and nobody else includes. */

enum { TLS_ALPN_BYTES = 256, TLS_PEER_CERTIFICATES = 10 };

struct tls_config {
    struct refcount references;
    SSL_CTX *ssl;
    bool is_server;
    bool tickets;
    enum tls_peer_demand demand;
    struct tls_verifier verifier;
    uint64_t ticket_lifetime_s;
    struct ticket_keys *ticket_keys; /* servers with tickets */
    X509_STORE *web_roots;           /* TLS_PEER_SERVER_NAME */
    size_t alpn_length;
    uint8_t alpn[TLS_ALPN_BYTES]; /* wire form, preference order */
};

/* Asks the verifier about a chain of BoringSSL's. */
void tls_config_judge(const struct tls_config *config, const STACK_OF(CRYPTO_BUFFER) * chain,
                      const char *server_name, bool resumed, struct tls_verdict *ret_verdict);

/* Verification against the roots of the web, with the server's name. */
X509_STORE *web_roots_create(const char *pem, const char **ret_reason);
void web_verify(X509_STORE *roots, const STACK_OF(CRYPTO_BUFFER) * chain, const char *server_name,
                struct tls_verdict *ret_verdict);

/* Installed into each SSL_CTX; they find their connection through SSL_get_app_data. */
enum ssl_verify_result_t tls_transport_verify(SSL *ssl, uint8_t *ret_alert);
int tls_transport_new_session(SSL *ssl, SSL_SESSION *session);
/* A server's connection is about to resume this session: what does the verifier say now? */
bool tls_transport_may_resume(SSL *ssl, const SSL_SESSION *session);

/* A session for the key that was made under the same config; counted; NULL when there is none. */
SSL_SESSION *tls_session_cache_find(struct tls_session_cache *cache, struct span key,
                                    const struct tls_config *config);
/* Takes over the session. */
void tls_session_cache_keep(struct tls_session_cache *cache, struct span key,
                            struct tls_config *config, SSL_SESSION *session);
void tls_session_cache_drop(struct tls_session_cache *cache, struct span key);

#endif
