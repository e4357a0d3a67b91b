#include "lib/tls/tls_private.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"

#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/x509.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    SESSION_SCOPE_BYTES = 32,
    PEER_CHAIN_BYTES = 64 * 1024,
    TICKET_LIFETIME_LIMIT_S = 3600,
};

static pthread_once_t pool_once = PTHREAD_ONCE_INIT;
static CRYPTO_BUFFER_POOL
    *shared_pool; /* equal certificates of all connections, once; never freed */

static void make_pool(void)
{
    shared_pool = CRYPTO_BUFFER_POOL_new();
    CHECK(shared_pool != NULL);
}

void tls_config_judge(const struct tls_config *config, const STACK_OF(CRYPTO_BUFFER) * chain,
                      const char *server_name, bool resumed, struct tls_verdict *ret_verdict)
{
    if (config->demand == TLS_PEER_SERVER_NAME) {
        web_verify(config->web_roots, chain, server_name, ret_verdict);
        return;
    }
    struct span ders[TLS_PEER_CERTIFICATES];
    size_t count = chain != NULL ? sk_CRYPTO_BUFFER_num(chain) : 0;
    if (count > TLS_PEER_CERTIFICATES) {
        ret_verdict->failure = FAILURE_PEER_UNVERIFIED;
        snprintf(ret_verdict->reason, sizeof(ret_verdict->reason),
                 "the chain has more than %d certificates", TLS_PEER_CERTIFICATES);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const CRYPTO_BUFFER *buffer = sk_CRYPTO_BUFFER_value(chain, i);
        ders[i] = span_make(CRYPTO_BUFFER_data(buffer), CRYPTO_BUFFER_len(buffer));
    }
    config->verifier.verify(config->verifier.owner, ders, count, resumed, ret_verdict);
}

static struct tls_config *config_of(SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static size_t ticket_overhead(SSL *ssl)
{
    return TICKET_OVERHEAD_BYTES;
}

static int ticket_seal(SSL *ssl, uint8_t *out, size_t *ret_length, size_t room, const uint8_t *in,
                       size_t length)
{
    return ticket_keys_seal(config_of(ssl)->ticket_keys, out, room, in, length, ret_length);
}

static enum ssl_ticket_aead_result_t ticket_open(SSL *ssl, uint8_t *out, size_t *ret_length,
                                                 size_t room, const uint8_t *in, size_t length)
{
    struct tls_config *config = config_of(ssl);
    if (!ticket_keys_open(config->ticket_keys, out, room, in, length, ret_length)) {
        return ssl_ticket_aead_ignore_ticket;
    }
    /*
     * BoringSSL re-verifies on resumption for clients only, so a server asks its verifier here. A
     * peer that is no longer accepted falls back to a full handshake, and is refused or not by
     * that.
     */
    SSL_SESSION *session = SSL_SESSION_from_bytes(out, *ret_length, config->ssl);
    bool resumes = session != NULL && tls_transport_may_resume(ssl, session);
    SSL_SESSION_free(session);
    ERR_clear_error();
    return resumes ? ssl_ticket_aead_success : ssl_ticket_aead_ignore_ticket;
}

static const SSL_TICKET_AEAD_METHOD ticket_method = {
    .max_overhead = ticket_overhead,
    .seal = ticket_seal,
    .open = ticket_open,
};

static int select_alpn(SSL *ssl, const uint8_t **ret, uint8_t *ret_length, const uint8_t *offered,
                       unsigned offered_length, void *owner)
{
    const struct tls_config *config = owner;
    if (config->alpn_length == 0) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    for (size_t i = 0; i < config->alpn_length; i += 1U + config->alpn[i]) {
        struct span mine = span_make(config->alpn + i, 1U + config->alpn[i]);
        for (unsigned at = 0; at < offered_length; at += 1U + offered[at]) {
            if (span_equal(mine, span_make(offered + at, 1U + offered[at]))) {
                *ret = offered + at + 1;
                *ret_length = offered[at];
                return SSL_TLSEXT_ERR_OK;
            }
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 section 3.2: no_application_protocol */
}

static bool set_alpn(struct tls_config *config, const char *const *names, const char **ret_reason)
{
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        size_t length = strlen(names[i]);
        if (length == 0 || length > 255 || config->alpn_length + 1 + length > TLS_ALPN_BYTES) {
            *ret_reason = "an ALPN name is empty, or they are too long together";
            return false;
        }
        config->alpn[config->alpn_length++] = (uint8_t)length;
        memcpy(config->alpn + config->alpn_length, names[i], length);
        config->alpn_length += length;
    }
    if (config->is_server) {
        SSL_CTX_set_alpn_select_cb(config->ssl, select_alpn, config);
    } else if (config->alpn_length > 0) {
        CHECK(SSL_CTX_set_alpn_protos(config->ssl, config->alpn, config->alpn_length) == 0);
    }
    return true;
}

static bool set_certificate(struct tls_config *config, const struct tls_config_spec *spec,
                            const char **ret_reason)
{
    if (spec->chain_count == 0 && !spec->is_server) {
        return true;
    }
    if (spec->chain_count == 0 || spec->chain_count > TLS_PEER_CERTIFICATES || spec->key == NULL) {
        *ret_reason = "a server needs a key and 1 to 10 certificates";
        return false;
    }
    CRYPTO_BUFFER *buffers[TLS_PEER_CERTIFICATES];
    for (size_t i = 0; i < spec->chain_count; i++) {
        buffers[i] = CRYPTO_BUFFER_new((const uint8_t *)spec->chain[i].at, spec->chain[i].length,
                                       shared_pool);
        CHECK(buffers[i] != NULL);
    }
    bool good =
        SSL_CTX_set_chain_and_key(config->ssl, buffers, spec->chain_count, spec->key, NULL) == 1;
    for (size_t i = 0; i < spec->chain_count; i++) {
        CRYPTO_BUFFER_free(buffers[i]);
    }
    ERR_clear_error();
    if (!good) {
        *ret_reason = "the key does not belong to the certificate";
    }
    return good;
}

static void set_protocol(struct tls_config *config, const struct tls_config_spec *spec)
{
    static const uint16_t groups[] = {SSL_GROUP_X25519_MLKEM768, SSL_GROUP_X25519,
                                      SSL_GROUP_SECP256R1};
    static const uint16_t mesh_signatures[] = {SSL_SIGN_ECDSA_SECP256R1_SHA256};
    SSL_CTX *ssl = config->ssl;
    CHECK(SSL_CTX_set_min_proto_version(ssl, spec->allow_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION) &&
          SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) &&
          SSL_CTX_set1_group_ids(ssl, groups, sizeof(groups) / sizeof(groups[0])));
    if (spec->demand != TLS_PEER_SERVER_NAME) {
        CHECK(SSL_CTX_set_verify_algorithm_prefs(ssl, mesh_signatures, 1));
    }
    SSL_CTX_set1_buffer_pool(ssl, shared_pool);
    SSL_CTX_set_max_cert_list(ssl, PEER_CHAIN_BYTES);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_early_data_enabled(ssl, 0);
    bool demands = spec->demand != TLS_PEER_OPTIONAL || !spec->is_server;
    SSL_CTX_set_custom_verify(ssl,
                              SSL_VERIFY_PEER | (demands ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                              tls_transport_verify);
    SSL_CTX_set_reverify_on_resume(ssl, 1);
}

static void set_sessions(struct tls_config *config, const struct tls_config_spec *spec)
{
    SSL_CTX *ssl = config->ssl;
    uint8_t name[SESSION_SCOPE_BYTES];
    random_secret(name, sizeof(name));
    CHECK(SSL_CTX_set_session_id_context(ssl, name, sizeof(name)));
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    if (!spec->tickets) {
        SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ssl, 0);
        return;
    }
    config->ticket_lifetime_s = spec->ticket_lifetime_s;
    if (config->ticket_lifetime_s == 0 || config->ticket_lifetime_s > TICKET_LIFETIME_LIMIT_S) {
        config->ticket_lifetime_s = TICKET_LIFETIME_LIMIT_S;
    }
    SSL_CTX_set_timeout(ssl, (uint32_t)config->ticket_lifetime_s);
    SSL_CTX_set_session_psk_dhe_timeout(ssl, (uint32_t)config->ticket_lifetime_s);
    if (config->is_server) {
        config->ticket_keys = ticket_keys_create();
        SSL_CTX_set_num_tickets(ssl, 1);
        SSL_CTX_set_ticket_aead_method(ssl, &ticket_method);
    } else {
        SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ssl, tls_transport_new_session);
    }
}

struct tls_config *tls_config_create(const struct tls_config_spec *spec, const char **ret_reason)
{
    CHECK(pthread_once(&pool_once, make_pool) == 0);
    if (spec->demand == TLS_PEER_SERVER_NAME ? spec->is_server : spec->verifier.verify == NULL) {
        *ret_reason = "the demand on the peer does not fit the role, or has no verifier";
        return NULL;
    }
    struct tls_config *config = NEW(struct tls_config);
    refcount_init(&config->references);
    config->is_server = spec->is_server;
    config->tickets = spec->tickets;
    config->demand = spec->demand;
    config->verifier = spec->verifier;
    config->ssl = SSL_CTX_new(TLS_with_buffers_method());
    CHECK(config->ssl != NULL);
    SSL_CTX_set_app_data(config->ssl, config);
    set_protocol(config, spec);
    set_sessions(config, spec);
    bool good =
        set_certificate(config, spec, ret_reason) && set_alpn(config, spec->alpn, ret_reason);
    if (good && spec->demand == TLS_PEER_SERVER_NAME) {
        config->web_roots = web_roots_create(spec->roots_pem, ret_reason);
        good = config->web_roots != NULL;
    }
    if (!good) {
        tls_config_unref(config);
        return NULL;
    }
    return config;
}

struct tls_config *tls_config_ref(struct tls_config *config)
{
    refcount_up(&config->references);
    return config;
}

void tls_config_unref(struct tls_config *config)
{
    if (config == NULL || !refcount_down(&config->references)) {
        return;
    }
    SSL_CTX_free(config->ssl);
    ticket_keys_destroy(config->ticket_keys);
    X509_STORE_free(config->web_roots);
    mem_free(config);
}
