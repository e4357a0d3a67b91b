#include "lib/tls/tls_connection.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"

#include <openssl/err.h>

#include <stdio.h>
#include <string.h>

enum { FIRST_ALERT_REASON = 1000 /* SSL_AD_REASON_OFFSET */ };

static _Thread_local struct tls_counters counters;

const struct tls_counters *tls_counters(void)
{
    return &counters;
}

void tls_connection_fail(struct tls_connection *tls, enum failure failure, const char *detail)
{
    if (tls->base.failure != FAILURE_NONE) {
        return;
    }
    if (!tls->base.is_ready) {
        counters.handshakes_failed++;
    }
    transport_fail(&tls->base, failure, detail);
}

/* Alerts with which a TLS 1.3 server refuses our certificate, after our handshake has ended. */
static bool refuses_certificate(int reason)
{
    switch (reason - FIRST_ALERT_REASON) {
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_DECRYPT_ERROR:
    case SSL_AD_CERTIFICATE_REQUIRED:
        return true;
    default:
        return false;
    }
}

static void fail_closed(struct tls_connection *tls)
{
    const struct transport *lower = tls->feed.lower;
    if (tls->feed.state == TLS_FEED_FAILED) {
        tls_connection_fail(tls, lower->failure, lower->failure_detail);
    } else if (!tls->base.is_ready) {
        tls_connection_fail(tls, FAILURE_TLS_HANDSHAKE, "the peer closed during the handshake");
    } else {
        /* Truncation: whoever can close the TCP connection must not fake an end of the stream. */
        tls_connection_fail(tls, FAILURE_UPSTREAM_CLOSED, "the peer closed without close_notify");
    }
}

void tls_connection_fail_ssl(struct tls_connection *tls, int result)
{
    int error = SSL_get_error(tls->ssl, result);
    uint32_t code = ERR_peek_error();
    if (error != SSL_ERROR_SSL || code == 0) {
        fail_closed(tls);
        return;
    }
    const char *detail = ERR_reason_error_string(code);
    bool late = tls->base.is_ready && !tls->has_read && !tls->config->is_server &&
                refuses_certificate(ERR_GET_REASON(code));
    tls->refused = true;
    if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
        ERR_GET_REASON(code) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        tls_connection_fail(tls, FAILURE_PEER_UNVERIFIED, detail);
    } else if (tls->base.is_ready && !late) {
        tls_connection_fail(tls, FAILURE_UPSTREAM_PROTOCOL, detail);
    } else {
        tls_connection_fail(tls, FAILURE_TLS_HANDSHAKE, detail);
    }
    ERR_clear_error();
}

/* ---- judging the peer ---- */

static bool is_expected(const struct tls_connection *tls, const char *identity)
{
    const char *at = tls->expected;
    for (size_t i = 0; i < tls->expected_count; i++) {
        if (strcmp(at, identity) == 0) {
            return true;
        }
        at += strlen(at) + 1;
    }
    return tls->expected_count == 0;
}

/* Refusals of a server that a client judged are failures towards an upstream. */
static enum failure failure_of(const struct tls_connection *tls, enum failure failure)
{
    return !tls->config->is_server && failure == FAILURE_PEER_UNVERIFIED ? FAILURE_TLS_HANDSHAKE
                                                                         : failure;
}

static void compare_identity(const struct tls_connection *tls, struct tls_verdict *verdict)
{
    if (verdict->failure != FAILURE_NONE || tls->config->is_server ||
        is_expected(tls, verdict->identity)) {
        return;
    }
    verdict->failure = FAILURE_TLS_IDENTITY;
    snprintf(verdict->reason, sizeof(verdict->reason), "expected %.58s%s, the peer is %.58s",
             tls->expected, tls->expected_count > 1 ? " or another" : "",
             verdict->identity[0] != '\0' ? verdict->identity : "nobody");
}

static void judge(const struct tls_connection *tls, const STACK_OF(CRYPTO_BUFFER) * chain,
                  bool resumed, struct tls_verdict *verdict)
{
    *verdict = (struct tls_verdict){0};
    tls_config_judge(tls->config, chain, tls->server_name, resumed, verdict);
    compare_identity(tls, verdict);
}

static void keep_identity(struct tls_connection *tls, const struct tls_verdict *verdict)
{
    mem_free(tls->peer_identity);
    tls->peer_identity = mem_strdup(verdict->identity);
    tls->facts.peer_identity = span_of(tls->peer_identity);
    tls->facts.peer_not_after_ms = verdict->not_after_ms;
    tls->judged = true;
}

enum ssl_verify_result_t tls_transport_verify(SSL *ssl, uint8_t *ret_alert)
{
    struct tls_connection *tls = SSL_get_app_data(ssl);
    struct tls_verdict verdict;
    judge(tls, SSL_get0_peer_certificates(ssl), SSL_session_reused(ssl), &verdict);
    if (verdict.failure == FAILURE_NONE) {
        keep_identity(tls, &verdict);
        return ssl_verify_ok;
    }
    counters.peers_refused++;
    tls->judged = false;
    tls->refused = true;
    memcpy(tls->facts.reason, verdict.reason, sizeof(tls->facts.reason));
    if (tls->sessions != NULL) {
        tls_session_cache_drop(tls->sessions, tls->session_key);
    }
    tls_connection_fail(tls, failure_of(tls, verdict.failure), "the peer's certificate is refused");
    *ret_alert =
        verdict.failure == FAILURE_TLS_IDENTITY ? SSL_AD_ACCESS_DENIED : SSL_AD_BAD_CERTIFICATE;
    return ssl_verify_invalid;
}

bool tls_transport_may_resume(SSL *ssl, const SSL_SESSION *session)
{
    struct tls_connection *tls = SSL_get_app_data(ssl);
    const STACK_OF(CRYPTO_BUFFER) *chain = SSL_SESSION_get0_peer_certificates(session);
    if (chain == NULL || sk_CRYPTO_BUFFER_num(chain) == 0) {
        return tls->config->demand == TLS_PEER_OPTIONAL;
    }
    struct tls_verdict verdict;
    judge(tls, chain, true, &verdict);
    if (verdict.failure != FAILURE_NONE) {
        return false;
    }
    keep_identity(tls, &verdict);
    return true;
}

/* ---- sessions ---- */

int tls_transport_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_connection *tls = SSL_get_app_data(ssl);
    if (tls->sessions == NULL || tls->closing) {
        return 0;
    }
    tls_session_cache_keep(tls->sessions, tls->session_key, tls->config, session);
    return 1;
}

/* A session whose peer would be refused today is not offered: a full handshake may still succeed.
 */
static void offer_session(struct tls_connection *tls)
{
    SSL_SESSION *session = tls_session_cache_find(tls->sessions, tls->session_key, tls->config);
    if (session == NULL) {
        return;
    }
    struct tls_verdict verdict;
    judge(tls, SSL_SESSION_get0_peer_certificates(session), true, &verdict);
    if (verdict.failure == FAILURE_NONE) {
        CHECK(SSL_set_session(tls->ssl, session) == 1);
    } else {
        tls_session_cache_drop(tls->sessions, tls->session_key);
    }
    SSL_SESSION_free(session);
}

/* ---- handshake ---- */

static void copy_expected(struct tls_connection *tls, const struct tls_transport_options *options)
{
    size_t bytes = 0;
    for (size_t i = 0; i < options->expected_count; i++) {
        bytes += options->expected[i].length + 1;
    }
    if (bytes == 0) {
        return;
    }
    tls->expected = mem_zalloc(bytes);
    tls->expected_count = options->expected_count;
    char *at = tls->expected;
    for (size_t i = 0; i < options->expected_count; i++) {
        memcpy(at, options->expected[i].at, options->expected[i].length);
        at += options->expected[i].length + 1;
    }
}

void tls_connection_init(struct tls_connection *tls, const struct tls_transport_options *options)
{
    tls->config = tls_config_ref(options->config);
    tls->ssl = SSL_new(tls->config->ssl);
    CHECK(tls->ssl != NULL && SSL_set_app_data(tls->ssl, tls) == 1);
    SSL_set_shed_handshake_config(tls->ssl, 1);
    BIO *bio = tls_feed_bio(&tls->feed);
    SSL_set_bio(tls->ssl, bio, bio);
    if (tls->config->is_server) {
        SSL_set_accept_state(tls->ssl);
        return;
    }
    SSL_set_connect_state(tls->ssl);
    copy_expected(tls, options);
    if (options->server_name != NULL) {
        tls->server_name = mem_strdup(options->server_name);
        /* An address is no host name: it is checked but not sent. */
        (void)SSL_set_tlsext_host_name(tls->ssl, options->server_name);
        tls->facts.server_name = span_of(tls->server_name);
        ERR_clear_error();
    }
    if (options->sessions != NULL && tls->config->tickets) {
        tls->sessions = options->sessions;
        tls->session_key = span_make(mem_dup(options->session_key.at, options->session_key.length),
                                     options->session_key.length);
        offer_session(tls);
    }
}

void tls_connection_done(struct tls_connection *tls)
{
    SSL_free(tls->ssl);
    tls_config_unref(tls->config);
    mem_free(tls->peer_identity);
    mem_free(tls->server_name);
    mem_free(tls->expected);
    mem_free((void *)(uintptr_t)tls->session_key.at);
}

static void note_facts(struct tls_connection *tls)
{
    const uint8_t *alpn;
    unsigned alpn_length;
    SSL_get0_alpn_selected(tls->ssl, &alpn, &alpn_length);
    tls->facts.alpn = span_make(alpn, alpn_length);
    const char *name = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
    if (tls->config->is_server && name != NULL) {
        tls->server_name = mem_strdup(name);
        tls->facts.server_name = span_of(tls->server_name);
    }
    tls->facts.resumed = SSL_session_reused(tls->ssl) == 1;
    tls->facts.group = SSL_get_group_id(tls->ssl);
    const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
    tls->facts.cipher = cipher != NULL ? SSL_CIPHER_get_protocol_id(cipher) : 0;
    *(tls->facts.resumed ? &counters.handshakes_resumed : &counters.handshakes_full) += 1;
}

/*
 * The last word: whatever path the handshake took, a peer that had to be judged was judged, in this
 * handshake (nginx CVE-2026-120967, -120993).
 */
static bool peer_settled(struct tls_connection *tls)
{
    const STACK_OF(CRYPTO_BUFFER) *chain = SSL_get0_peer_certificates(tls->ssl);
    bool showed = chain != NULL && sk_CRYPTO_BUFFER_num(chain) > 0;
    if (showed ? tls->judged : tls->config->demand == TLS_PEER_OPTIONAL) {
        return true;
    }
    counters.peers_refused++;
    tls->refused = true;
    tls_connection_fail(tls, failure_of(tls, FAILURE_PEER_UNVERIFIED), "the peer was not verified");
    return false;
}

bool tls_connection_handshake(struct tls_connection *tls)
{
    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    if (result == 1) {
        if (!peer_settled(tls)) {
            return false;
        }
        note_facts(tls);
        return true;
    }
    if (SSL_get_error(tls->ssl, result) != SSL_ERROR_WANT_READ) {
        tls_connection_fail_ssl(tls, result);
    }
    return false;
}
