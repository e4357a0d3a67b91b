#include "control/serve/certificate_service.h"

#include "certs/certificate_form.h"
#include "certs/csr.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/xds/xds_certificate.h"

#include <openssl/sha.h>

#include <stdio.h>

/* ---- Answering ------------------------------------------------------------------------------- */

enum { SERIAL_TEXT_BYTES = 64 };

/* One request on its way to an answer. */
struct application {
    struct certificate_service *service;
    const struct caller_evidence *evidence;
    struct arena *arena;
    struct certificate_answer *answer;
    struct text csr;
    struct caller caller;
    unsigned char key_hash[JOIN_HASH_BYTES];
    int64_t lifetime_s;
    char identity[SPIFFE_ID_BYTES + 1];
    struct spiffe_id id;
    char serial[SERIAL_TEXT_BYTES];
    int64_t not_after_s;
};

static bool refuse(struct application *application, enum grpc_code code, const char *word,
                   const char *text)
{
    application->answer->code = code;
    application->answer->word = word;
    snprintf(application->answer->text, sizeof(application->answer->text), "%s", text);
    return false;
}

/* A spent single-use token is good for the key that spent it, which is known when the request for a
 * signature was read; that is not read for those who show nothing good. */
static bool prove(struct application *application, const unsigned char *key_hash)
{
    struct certificate_service *service = application->service;
    struct caller_refusal refusal;
    if (caller_prove(service->tokens, mesh_ca_trust_domain(service->ca), application->evidence,
                     key_hash, true, &application->caller, &refusal)) {
        return true;
    }
    return refuse(application, refusal.code, refusal.word, refusal.text);
}

static bool read_message(struct application *application, struct span message)
{
    struct xds_error error;
    const char *why = "";
    struct xds_certificate_request request;
    if (!xds_certificate_request_decode(message, application->arena, &request, &error)) {
        return refuse(application, GRPC_INVALID_ARGUMENT, "malformed", error.text);
    }
    if (!csr_from_text(request.csr_pem, &application->csr, &why)) {
        return refuse(application, GRPC_INVALID_ARGUMENT, "csr", why);
    }
    int64_t longest_s = application->service->longest_s;
    application->lifetime_s = request.lifetime_s;
    if (longest_s > 0 && (request.lifetime_s == 0 || request.lifetime_s > longest_s)) {
        application->lifetime_s = longest_s;
    }
    return true;
}

static bool hash_key(struct application *application)
{
    struct csr csr;
    const char *why = "";
    if (!csr_check(text_span(&application->csr), &csr, &why)) {
        return refuse(application, GRPC_INVALID_ARGUMENT, "csr", why);
    }
    struct text key = {0};
    key_public_der(csr.key, &key);
    SHA256((const unsigned char *)key.bytes, key.length, application->key_hash);
    text_done(&key);
    csr_done(&csr);
    return true;
}

static struct span pack_chain(const struct certificate_list *chain, struct arena *arena)
{
    struct span *pems = ARENA_ARRAY(arena, struct span, chain->count);
    for (size_t i = 0; i < chain->count; i++) {
        struct text pem = {0};
        certificate_to_pem(chain->ders[i], &pem);
        pems[i] = arena_span(arena, text_span(&pem));
        text_done(&pem);
    }
    struct xds_certificate_response response = {.chain_pem = pems,
                                                .chain_count = (uint32_t)chain->count};
    return xds_certificate_response_encode(&response, arena);
}

/* The token is spent before the answer leaves: better one more question than two keys. */
static bool spend(struct application *application)
{
    char reason[KEYSTORE_REASON_BYTES];
    if (application->caller.token == NULL ||
        join_tokens_use(application->service->tokens, application->caller.token,
                        application->key_hash, reason)) {
        return true;
    }
    LOG_ERROR("certificates", "the use of a join token cannot be recorded",
              LOG_TEXT("reason", reason));
    return refuse(application, GRPC_UNAVAILABLE, "token_not_recorded",
                  "the use of the token cannot be recorded, so it is not taken");
}

static void write_serial(struct span der, char *into)
{
    struct certificate leaf;
    const char *why;
    if (!certificate_parse(der, &leaf, &why)) {
        return;
    }
    for (size_t i = 0; i < leaf.serial.length && 2 * i + 2 < SERIAL_TEXT_BYTES; i++) {
        snprintf(into + 2 * i, 3, "%02x", (unsigned char)leaf.serial.at[i]);
    }
}

static bool sign(struct application *application)
{
    const struct authority *authority = mesh_ca_authority(application->service->ca);
    struct certificate_list chain = {0};
    char reason[AUTHORITY_REASON_BYTES];
    if (!spiffe_id_make(mesh_ca_trust_domain(application->service->ca),
                        application->caller.namespace_name, application->caller.service_account,
                        application->identity, &application->id)) {
        return refuse(application, GRPC_INTERNAL, "identity", "the identity cannot be written");
    }
    struct authority_wish wish = {.csr = text_span(&application->csr),
                                  .id = application->id,
                                  .lifetime_s = application->lifetime_s};
    bool good = authority_sign(authority, &wish, &chain, &application->not_after_s, reason);
    if (!good) {
        refuse(application, GRPC_INVALID_ARGUMENT, "csr", reason);
    } else if (spend(application)) {
        application->answer->message = pack_chain(&chain, application->arena);
        write_serial(chain.ders[0], application->serial);
    } else {
        good = false;
    }
    certificate_list_done(&chain);
    return good;
}

static bool decide(struct application *application, struct span message)
{
    bool proven = prove(application, NULL);
    bool maybe = !proven && span_equal_text(span_of(application->answer->word), "token_spent");
    if (!proven && !maybe) {
        return false;
    }
    return read_message(application, message) && hash_key(application) &&
           prove(application, application->key_hash) && sign(application);
}

static void tell(const struct application *application, struct span address)
{
    const struct certificate_answer *answer = application->answer;
    struct control_stats *stats = application->service->stats;
    if (answer->code == GRPC_OK) {
        control_stats_add_for(stats, CONTROL_STAT_ISSUED,
                              caller_proof_word(application->caller.proof), 1);
        LOG_INFO("certificates", "issued", LOG_SPAN("identity", application->id.text),
                 LOG_TEXT("proof", caller_proof_word(application->caller.proof)),
                 LOG_TEXT("token",
                          application->caller.token != NULL ? application->caller.token->id : "-"),
                 LOG_TEXT("serial", application->serial),
                 LOG_NUMBER("seconds", application->not_after_s - clock_wall_ns() / NS_PER_S),
                 LOG_SPAN("address", address));
    } else {
        control_stats_add_for(stats, CONTROL_STAT_NOT_ISSUED, answer->word, 1);
        LOG_WARN_LIMITED("certificates", "refused", LOG_TEXT("reason", answer->word),
                         LOG_TEXT("detail", answer->text),
                         LOG_SPAN("namespace", application->caller.namespace_name),
                         LOG_SPAN("service_account", application->caller.service_account),
                         LOG_SPAN("address", address));
    }
}

void certificate_service_answer(struct certificate_service *service, struct span message,
                                const struct caller_evidence *evidence, struct span address,
                                struct arena *arena, struct certificate_answer *ret)
{
    struct application application = {
        .service = service, .evidence = evidence, .arena = arena, .answer = ret};
    *ret = (struct certificate_answer){.word = "issued"};
    if (decide(&application, message)) {
        ret->code = GRPC_OK;
    }
    tell(&application, address);
    text_done(&application.csr);
}

/* ---- As a gRPC method ------------------------------------------------------------------------ */

struct call {
    struct certificate_service *service;
    char *identity;
    char *bearer;
    char *address;
    bool answered;
};

static void *on_call(void *service, struct grpc_served *served, const struct http_head *head,
                     const struct grpc_peer *peer)
{
    struct call *call = NEW(struct call);
    struct span bearer = grpc_bearer(head);
    call->service = service;
    live_calls_enter(call->service->calls);
    call->identity = mem_text(peer->identity.at, peer->identity.length);
    call->bearer = mem_text(bearer.at, bearer.length);
    call->address = mem_text(peer->address.at, peer->address.length);
    return call;
}

static void on_message(void *owner, struct grpc_served *served, struct span message)
{
    struct call *call = owner;
    if (call->answered) {
        return;
    }
    struct arena arena = {0};
    struct certificate_answer answer;
    struct caller_evidence evidence = {span_of(call->identity), span_of(call->bearer)};
    call->answered = true;
    certificate_service_answer(call->service, message, &evidence, span_of(call->address), &arena,
                               &answer);
    if (answer.code == GRPC_OK) {
        grpc_served_send(served, answer.message);
    }
    grpc_served_finish(served, answer.code, span_of(answer.text));
    arena_done(&arena);
}

static void on_half_close(void *owner, struct grpc_served *served)
{
    struct call *call = owner;
    if (!call->answered) {
        grpc_served_finish(served, GRPC_INVALID_ARGUMENT, SPAN("no request came"));
    }
}

static void on_gone(void *owner, struct grpc_served *served)
{
    struct call *call = owner;
    live_calls_leave(call->service->calls);
    mem_free(call->identity);
    mem_free(call->bearer);
    mem_free(call->address);
    mem_free(call);
}

struct grpc_method certificate_service_method(struct certificate_service *service)
{
    return (struct grpc_method){
        .path = XDS_PATH_CERTIFICATE,
        .message_limit = CERTIFICATE_REQUEST_BYTES,
        .on_call = on_call,
        .on_message = on_message,
        .on_half_close = on_half_close,
        .on_gone = on_gone,
        .service = service,
    };
}
