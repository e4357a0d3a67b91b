#include "tests/unit/proxy/identity/fake_authority.h"

#include "certs/authority.h"
#include "certs/certificate_form.h"
#include "certs/csr.h"
#include "certs/key_pair.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"

#include <openssl/evp.h>

static bool ask(void *owner, const struct certificate_question *question,
                void (*on_answer)(void *answer_owner, const struct certificate_answer *answer),
                void *answer_owner)
{
    struct fake_authority *fake = owner;
    fake->asked++;
    fake->with_token += question->token.length > 0;
    text_clear(&fake->csr_pem);
    text_add(&fake->csr_pem, question->csr_pem);
    text_clear(&fake->token);
    text_add(&fake->token, question->token);
    fake->on_answer = on_answer;
    fake->answer_owner = answer_owner;
    if (fake->fault == FAKE_DISCONNECTED) {
        return false;
    }
    timer_start(&fake->timer, NS_PER_MS);
    return true;
}

static void cancel(void *owner)
{
    struct fake_authority *fake = owner;
    fake->cancelled++;
    timer_stop(&fake->timer);
}

/* What no authority of ours would sign. */
static void sign_anything(struct fake_authority *fake, const struct csr *request, struct span id,
                          struct certificate_list *chain)
{
    struct text leaf = {0};
    struct certificate signer;
    const char *reason = NULL;
    int64_t now_s = clock_wall_ns() / NS_PER_S;
    int64_t shift_s = fake->fault == FAKE_EXPIRED ? -7200 : fake->fault == FAKE_EARLY ? 7200 : 0;
    CHECK(certificate_parse(text_span(&fake->signer_der), &signer, &reason));
    struct certificate_form form = {
        .issuer = signer.subject,
        .not_before_s = now_s - 60 + shift_s,
        .not_after_s = now_s + fake->lifetime_s + shift_s,
        .subject_key = fake->fault == FAKE_OTHER_KEY ? fake->signer_key : request->key,
        .uri = id,
    };
    certificate_form_sign(&form, fake->signer_key, &leaf);
    certificate_list_add(chain, text_span(&leaf));
    certificate_list_add(chain, text_span(&fake->signer_der));
    text_done(&leaf);
}

void fake_authority_sign(struct fake_authority *fake, struct text *ret_pem)
{
    struct text der = {0};
    struct certificate_list chain = {0};
    char id[SPIFFE_ID_BYTES + 1];
    char why[AUTHORITY_REASON_BYTES];
    const char *reason = NULL;
    int64_t not_after_s;
    struct csr request;
    struct authority_wish wish = {.lifetime_s = fake->lifetime_s};
    const char *account = fake->fault == FAKE_OTHER_ID ? "intruder" : "web";
    CHECK(csr_from_text(text_span(&fake->csr_pem), &der, &reason));
    CHECK(csr_check(text_span(&der), &request, &reason));
    CHECK(spiffe_id_make(SPAN("td.test"), SPAN("shop"), span_of(account), id, &wish.id));
    wish.csr = text_span(&der);
    if (fake->fault == FAKE_OTHER_KEY || fake->fault == FAKE_OTHER_ID ||
        fake->fault == FAKE_EXPIRED || fake->fault == FAKE_EARLY) {
        sign_anything(fake, &request, wish.id.text, &chain);
    } else {
        CHECK(authority_sign(fake->signer, &wish, &chain, &not_after_s, why));
    }
    if (fake->sends_root) {
        certificate_list_add(&chain, text_span(&fake->root));
    }
    certificate_list_to_pem(&chain, ret_pem);
    certificate_list_done(&chain);
    csr_done(&request);
    text_done(&der);
}

static void answer(struct timer *timer)
{
    struct fake_authority *fake = CONTAINER_OF(timer, struct fake_authority, timer);
    struct text pem = {0};
    struct certificate_answer answer = {.code = GRPC_OK, .chain_count = 1};
    switch (fake->fault) {
    case FAKE_SILENT:
        return;
    case FAKE_REFUSES:
        answer.code = GRPC_UNAVAILABLE;
        answer.message = SPAN("closed for today");
        break;
    case FAKE_NEEDS_TOKEN:
        if (fake->token.length == 0) {
            answer.code = GRPC_UNAUTHENTICATED;
            answer.message = SPAN("who are you?");
            break;
        }
        fake_authority_sign(fake, &pem);
        break;
    case FAKE_GARBAGE:
        text_add(&pem,
                 SPAN("-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n"));
        break;
    case FAKE_EMPTY:
        answer.chain_count = 0;
        break;
    case FAKE_TOO_MANY:
        for (int i = 0; i < 20; i++) {
            fake_authority_sign(fake, &pem);
        }
        break;
    default:
        fake_authority_sign(fake, &pem);
    }
    struct span part = text_span(&pem);
    answer.chain_pem = &part;
    fake->on_answer(fake->answer_owner, &answer);
    text_done(&pem);
}

static void drop_signer(struct fake_authority *fake)
{
    authority_destroy(fake->signer);
    text_done(&fake->root);
    text_done(&fake->root_pem);
    text_done(&fake->signer_der);
    EVP_PKEY_free(fake->signer_key);
}

void fake_authority_renew(struct fake_authority *fake)
{
    const char *reason = NULL;
    drop_signer(fake);
    EVP_PKEY *root_key = key_pair_make();
    fake->signer_key = key_pair_make();
    authority_make_root(root_key, SPAN("td.test"), &fake->root);
    certificate_to_pem(text_span(&fake->root), &fake->root_pem);
    CHECK(authority_make_intermediate(root_key, text_span(&fake->root), fake->signer_key,
                                      SPAN("td.test"), &fake->signer_der, &reason));
    struct span chain[] = {text_span(&fake->signer_der)};
    struct authority_spec spec = {SPAN("td.test"), chain, 1, fake->signer_key};
    fake->signer = authority_create(&spec, &reason);
    CHECK(fake->signer != NULL);
    EVP_PKEY_free(root_key);
}

void fake_authority_init(struct fake_authority *fake, struct loop *loop)
{
    *fake = (struct fake_authority){.loop = loop, .lifetime_s = 3600};
    fake->source = (struct certificate_source){ask, cancel, fake};
    timer_init(&fake->timer, loop, answer);
    fake_authority_renew(fake);
}

void fake_authority_done(struct fake_authority *fake)
{
    timer_stop(&fake->timer);
    drop_signer(fake);
    text_done(&fake->csr_pem);
    text_done(&fake->token);
}
