#include "proxy/identity/identity_run.h"

#include "certs/csr.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "lib/http/headers.h"

#include <openssl/evp.h>
#include <openssl/mem.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/*
 * Asking for certificates. A workload that has a valid one is known by it (the channel's client
 * certificate) and keeps its token to itself: a token for one use would only be refused. Where the
 * authority does not take the certificate, the token is tried at once.
 */

/* The wall clock may jump while the timer sleeps: forward beyond the end, or back, so that what we
 * have begins in the future. */
enum { LOOK_MS = 60000 };

static void look_later(struct workload_identity *identity, int64_t ms)
{
    timer_start(&identity->timer, (ms > 0 ? ms : 0) * NS_PER_MS);
}

void identity_stop_asking(struct workload_identity *identity)
{
    if (identity->asked_key != NULL) {
        identity->source->cancel(identity->source->owner);
        EVP_PKEY_free(identity->asked_key);
        identity->asked_key = NULL;
    }
}

static void ask_failed(struct workload_identity *identity, struct span reason)
{
    EVP_PKEY_free(identity->asked_key);
    identity->asked_key = NULL;
    identity->failures++;
    identity->failed++;
    snprintf(identity->last_error, sizeof(identity->last_error), "%.*s", SPAN_ARG(reason));
    int64_t retry_ms = rotation_retry_ms(identity->failures, random_unit());
    look_later(identity, retry_ms);
    LOG_WARN("identity", "no certificate", LOG_TEXT("reason", identity->last_error),
             LOG_NUMBER("retry_ms", retry_ms), LOG_NUMBER("valid", identity_valid(identity)));
}

/* Waiting for the control plane is no failure of a question: nothing was asked. */
static void ask_waits(struct workload_identity *identity, const char *reason)
{
    EVP_PKEY_free(identity->asked_key);
    identity->asked_key = NULL;
    identity->failures++;
    snprintf(identity->last_error, sizeof(identity->last_error), "%s", reason);
    look_later(identity, rotation_retry_ms(identity->failures, random_unit()));
}

/* NULL and a text when there is none; else IDENTITY_TOKEN_BYTES, to be cleansed. */
static char *read_token(const char *path, struct span *ret_token, const char **ret_reason)
{
    *ret_reason = "the token file cannot be read";
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd < 0) {
        *ret_reason = path != NULL ? *ret_reason : "there is no token file";
        return NULL;
    }
    char *bytes = mem_zalloc(IDENTITY_TOKEN_BYTES);
    ssize_t got = read(fd, bytes, IDENTITY_TOKEN_BYTES);
    close(fd);
    struct span token = span_make(bytes, got > 0 ? (size_t)got : 0);
    while (token.length > 0 &&
           (token.at[token.length - 1] == '\n' || token.at[token.length - 1] == '\r')) {
        token.length--;
    }
    token = span_trim(token);
    bool good = token.length > 0 && got < IDENTITY_TOKEN_BYTES && header_value_valid(token);
    if (!good) {
        *ret_reason = "the token file holds no token";
        OPENSSL_cleanse(bytes, IDENTITY_TOKEN_BYTES);
        mem_free(bytes);
        return NULL;
    }
    *ret_token = token;
    return bytes;
}

static void on_answer(void *owner, const struct certificate_answer *answer);

static void ask_with(struct workload_identity *identity, bool with_token)
{
    struct certificate_question question = {.lifetime_s = identity->lifetime_s};
    char *token = NULL;
    const char *reason = NULL;
    if (with_token) {
        token = read_token(identity->token_file, &question.token, &reason);
        if (token == NULL) {
            ask_failed(identity, span_of(reason));
            return;
        }
    }
    struct text der = {0};
    struct text pem = {0};
    csr_make(identity->asked_key, identity->id.text, &der);
    csr_to_pem(text_span(&der), &pem);
    question.csr_pem = text_span(&pem);
    identity->asked_with_token = with_token;
    bool sent = identity->source->send(identity->source->owner, &question, on_answer, identity);
    text_done(&der);
    text_done(&pem);
    if (token != NULL) {
        OPENSSL_cleanse(token, IDENTITY_TOKEN_BYTES);
        mem_free(token);
    }
    if (!sent) {
        ask_waits(identity, "the control plane is not connected");
    }
}

void identity_ask(struct workload_identity *identity)
{
    if (identity->asked_key != NULL) {
        return;
    }
    timer_stop(&identity->timer);
    if (identity->source == NULL) {
        ask_waits(identity, "the control plane is not connected");
        return;
    }
    identity->asked_key = key_pair_make();
    ask_with(identity, !identity_valid(identity));
}

static struct trust_bundle *bundle_of(const struct workload_identity *identity,
                                      const struct certificate_list *roots, const char **ret_reason)
{
    struct trust_bundle *bundle = trust_bundle_create();
    for (size_t i = 0; i < roots->count; i++) {
        if (!trust_bundle_add(bundle, identity->trust_domain, roots->ders[i], ret_reason)) {
            trust_bundle_unref(bundle);
            return NULL;
        }
    }
    return bundle;
}

/* False and a text (TLS_REASON_BYTES) when the answer cannot be used. */
static bool take_answer(struct workload_identity *identity, const struct certificate_answer *answer,
                        char *reason)
{
    struct credential credential = {0};
    struct certificate_list roots = {0};
    struct trust_bundle *first = NULL;
    const char *why = NULL;
    int64_t now_ms = identity_now_ms();
    reason[0] = '\0';
    bool good = answer->chain_count <= CERTIFICATE_ANSWER_PARTS;
    why = good ? NULL : "too many certificates";
    good = good && credential_read(identity->asked_key, identity->id.text, answer->chain_pem,
                                   answer->chain_count, now_ms / 1000, &credential, &roots, &why);
    if (good && identity->bundle == NULL && identity->source_trusted && roots.count > 0) {
        first = bundle_of(identity, &roots, &why);
        good = first != NULL;
    }
    struct trust_bundle *bundle = first != NULL ? first : identity->bundle;
    good = good && (bundle == NULL || credential_holds(&credential, bundle, reason));
    good = good && identity_take(identity, &credential, first, now_ms, &why);
    if (!good && reason[0] == '\0') {
        snprintf(reason, TLS_REASON_BYTES, "%s", why);
    }
    credential_done(&credential);
    certificate_list_done(&roots);
    trust_bundle_unref(first);
    return good;
}

static void on_answer(void *owner, const struct certificate_answer *answer)
{
    struct workload_identity *identity = owner;
    char reason[TLS_REASON_BYTES];
    if (answer->code != GRPC_OK) {
        bool stranger =
            answer->code == GRPC_UNAUTHENTICATED || answer->code == GRPC_PERMISSION_DENIED;
        if (stranger && !identity->asked_with_token && identity->token_file != NULL) {
            ask_with(identity, true);
            return;
        }
        ask_failed(identity, span_cut(answer->message, 0, IDENTITY_ERROR_BYTES - 1));
        return;
    }
    if (!take_answer(identity, answer, reason)) {
        ask_failed(identity, span_of(reason));
        return;
    }
    EVP_PKEY_free(identity->asked_key);
    identity->asked_key = NULL;
    identity->failures = 0;
    identity->issued++;
    identity->restored = false;
    identity->last_error[0] = '\0';
    LOG_INFO("identity", "certificate issued", LOG_SPAN("id", identity->id.text),
             LOG_TEXT("serial", identity->current.serial),
             LOG_NUMBER("seconds_left", identity->current.not_after_s - identity_now_ms() / 1000));
    identity_look(&identity->timer);
}

void identity_look(struct timer *timer)
{
    struct workload_identity *identity = CONTAINER_OF(timer, struct workload_identity, timer);
    int64_t left_ms = identity->renew_at_ms - identity_now_ms();
    if (identity->asked_key != NULL) {
        return;
    }
    bool begun = identity_now_ms() / 1000 >= identity->current.not_before_s;
    if (identity->failures > 0 || !identity_valid(identity) || !begun || left_ms <= 0) {
        identity_ask(identity);
        return;
    }
    look_later(identity, left_ms < LOOK_MS ? left_ms : LOOK_MS);
}
