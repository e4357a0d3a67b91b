#include "lib/tls/tls_private.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Servers outside the mesh are judged as browsers do: web PKI roots and the server's name. This is
 * the one place that makes X509 objects; peers inside the mesh never get here.
 */

static const char *const system_roots[] = {
    "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine */
    "/etc/pki/tls/certs/ca-bundle.crt",   /* Red Hat */
    "/etc/ssl/ca-bundle.pem",             /* SUSE */
    "/etc/ssl/cert.pem",
};

static bool add_pem(X509_STORE *store, const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    CHECK(bio != NULL);
    size_t count = 0;
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
        count++;
    }
    uint32_t error = ERR_peek_last_error();
    BIO_free(bio);
    ERR_clear_error();
    return count > 0 && ERR_GET_LIB(error) == ERR_LIB_PEM &&
           ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static bool add_system(X509_STORE *store)
{
    for (size_t i = 0; i < sizeof(system_roots) / sizeof(system_roots[0]); i++) {
        if (access(system_roots[i], R_OK) == 0 &&
            X509_STORE_load_locations(store, system_roots[i], NULL) == 1) {
            ERR_clear_error();
            return true;
        }
    }
    ERR_clear_error();
    return false;
}

X509_STORE *web_roots_create(const char *pem, const char **ret_reason)
{
    X509_STORE *store = X509_STORE_new();
    CHECK(store != NULL);
    if (pem != NULL ? add_pem(store, pem) : add_system(store)) {
        return store;
    }
    *ret_reason = pem != NULL ? "the roots are not PEM certificates"
                              : "the system has no list of root certificates";
    X509_STORE_free(store);
    return NULL;
}

static void refuse(struct tls_verdict *verdict, const char *reason)
{
    verdict->failure = FAILURE_TLS_IDENTITY;
    snprintf(verdict->reason, sizeof(verdict->reason), "%s", reason);
}

/* Owned by the caller; NULL when one does not parse. */
static STACK_OF(X509) * parse_chain(const STACK_OF(CRYPTO_BUFFER) * chain)
{
    STACK_OF(X509) *parsed = sk_X509_new_null();
    CHECK(parsed != NULL);
    for (size_t i = 0; i < sk_CRYPTO_BUFFER_num(chain); i++) {
        X509 *certificate = X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(chain, i));
        if (certificate == NULL) {
            sk_X509_pop_free(parsed, X509_free);
            return NULL;
        }
        CHECK(sk_X509_push(parsed, certificate) > 0);
    }
    return parsed;
}

void web_verify(X509_STORE *roots, const STACK_OF(CRYPTO_BUFFER) * chain, const char *server_name,
                struct tls_verdict *ret_verdict)
{
    if (server_name == NULL) {
        refuse(ret_verdict, "there is no server name to check the certificate against");
        return;
    }
    STACK_OF(X509) *parsed = parse_chain(chain);
    if (parsed == NULL || sk_X509_num(parsed) == 0) {
        refuse(ret_verdict, "the server's certificate does not parse");
        sk_X509_pop_free(parsed, X509_free);
        ERR_clear_error();
        return;
    }
    X509 *leaf = sk_X509_value(parsed, 0);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    CHECK(ctx != NULL && X509_STORE_CTX_init(ctx, roots, leaf, parsed) == 1 &&
          X509_STORE_CTX_set_default(ctx, "ssl_server") == 1);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    X509_VERIFY_PARAM_set_time_posix(param, clock_wall_ns() / NS_PER_S);
    if (X509_VERIFY_PARAM_set1_host(param, server_name, strlen(server_name)) != 1 ||
        X509_verify_cert(ctx) != 1) {
        const char *reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
        snprintf(ret_verdict->reason, sizeof(ret_verdict->reason), "%s (server name %.100s)",
                 reason, server_name);
        ret_verdict->failure = FAILURE_TLS_IDENTITY;
    } else {
        int64_t not_after_s = INT64_MAX / 1000;
        (void)ASN1_TIME_to_posix(X509_get0_notAfter(leaf), &not_after_s);
        ret_verdict->not_after_ms = not_after_s * 1000;
    }
    X509_STORE_CTX_free(ctx);
    sk_X509_pop_free(parsed, X509_free);
    ERR_clear_error();
}
