#include "control/serve/certificate_service.h"

#include "certs/csr.h"
#include "certs/key_pair.h"
#include "certs/leaf_verify.h"
#include "crafted_csr.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/xds/xds_certificate.h"
#include "state_fixture.h"
#include "tests/unit/test_main.h"

#include <openssl/evp.h>
#include <openssl/nid.h>

#define WEB "spiffe://remora.local/ns/shop/sa/web"
#define API "spiffe://remora.local/ns/shop/sa/api"

struct bench {
    struct state_fixture state;
    struct control_stats stats;
    struct certificate_service service;
    struct arena arena;
    struct certificate_answer answer;
    char token[JOIN_TOKEN_TEXT_BYTES];
};

static void make_token(struct bench *bench, bool reusable)
{
    char reason[KEYSTORE_REASON_BYTES];
    struct join_wish wish = {
        .namespace_name = SPAN("shop"), .service_account = SPAN("web"), .reusable = reusable};
    assert_true(join_tokens_create(bench->service.tokens, &wish, bench->token, reason));
}

static void bench_init(struct bench *bench)
{
    char reason[MESH_CA_REASON_BYTES];
    *bench = (struct bench){0};
    log_set_level(LOG_LEVEL_OFF);
    state_fixture_init(&bench->state);
    control_stats_init(&bench->stats);
    struct mesh_ca_spec spec = {.store = bench->state.store, .trust_domain = SPAN("remora.local")};
    bench->service.ca = mesh_ca_open(&spec, reason);
    bench->service.tokens = join_tokens_open(bench->state.store, reason);
    bench->service.stats = &bench->stats;
    assert_non_null(bench->service.ca);
    make_token(bench, true);
}

static void bench_done(struct bench *bench)
{
    arena_done(&bench->arena);
    join_tokens_close(bench->service.tokens);
    mesh_ca_close(bench->service.ca);
    control_stats_done(&bench->stats);
    state_fixture_done(&bench->state);
}

static enum grpc_code ask_with(struct bench *bench, struct span csr, struct span identity,
                               struct span bearer, int64_t lifetime_s)
{
    struct xds_certificate_request request = {.csr_pem = csr, .lifetime_s = lifetime_s};
    struct caller_evidence evidence = {.identity = identity, .bearer = bearer};
    certificate_service_answer(&bench->service,
                               xds_certificate_request_encode(&request, &bench->arena), &evidence,
                               SPAN("10.0.0.1:1"), &bench->arena, &bench->answer);
    assert_int_equal(bench->answer.code == GRPC_OK, bench->answer.message.length > 0);
    return bench->answer.code;
}

static enum grpc_code ask(struct bench *bench, struct span csr)
{
    return ask_with(bench, csr, SPAN_EMPTY, span_of(bench->token), 0);
}

static void plain_csr(const char *uri, struct text *ret_pem)
{
    struct text der = {0};
    EVP_PKEY *key = key_pair_make();
    csr_make(key, span_of(uri), &der);
    csr_to_pem(text_span(&der), ret_pem);
    EVP_PKEY_free(key);
    text_done(&der);
}

static uint64_t counted(struct bench *bench, enum control_stat stat, const char *label)
{
    struct span value = span_of(label);
    struct stats_series *series = stats_lookup(bench->stats.registry, stat, &value, 1);
    return series != NULL ? stats_counter_value(series) : 0;
}

/* What was answered verifies as a proxy would verify it, for this identity. */
static void assert_answer_is(struct bench *bench, const char *identity)
{
    struct xds_certificate_response response;
    struct xds_error error;
    struct certificate_list chain = {0};
    const char *why;
    assert_true(
        xds_certificate_response_decode(bench->answer.message, &bench->arena, &response, &error));
    for (uint32_t i = 0; i < response.chain_count; i++) {
        assert_true(certificate_list_add_pem(&chain, response.chain_pem[i], &why));
    }
    assert_int_equal(chain.count, 3);
    struct leaf_verify *verify = leaf_verify_create(mesh_ca_bundle(bench->service.ca));
    struct tls_verdict verdict = {0};
    leaf_verify_chain(verify, chain.ders, chain.count - 1, false, &verdict);
    assert_int_equal(verdict.failure, FAILURE_NONE);
    assert_string_equal(verdict.identity, identity);
    struct text root = {0};
    certificate_to_pem(chain.ders[2], &root);
    assert_true(span_equal(text_span(&root), mesh_ca_roots_pem(bench->service.ca)));
    text_done(&root);
    leaf_verify_destroy(verify);
    certificate_list_done(&chain);
}

static void a_token_gives_the_identity_of_its_account(void **unused)
{
    struct bench bench;
    struct text csr = {0};
    bench_init(&bench);
    plain_csr("", &csr);
    assert_int_equal(ask(&bench, text_span(&csr)), GRPC_OK);
    assert_answer_is(&bench, WEB);
    assert_int_equal(counted(&bench, CONTROL_STAT_ISSUED, "token"), 1);
    text_done(&csr);
    bench_done(&bench);
}

static void a_certificate_renews_its_own_identity(void **unused)
{
    struct bench bench;
    struct text csr = {0};
    bench_init(&bench);
    plain_csr(API, &csr);
    assert_int_equal(ask_with(&bench, text_span(&csr), SPAN(API), SPAN_EMPTY, 0), GRPC_OK);
    assert_answer_is(&bench, API);
    assert_int_equal(counted(&bench, CONTROL_STAT_ISSUED, "certificate"), 1);
    /* A token beside the certificate does not change who it is. */
    assert_int_equal(ask_with(&bench, text_span(&csr), SPAN(WEB), span_of(bench.token), 0),
                     GRPC_INVALID_ARGUMENT);
    text_done(&csr);
    bench_done(&bench);
}

static void callers_who_prove_nothing_get_nothing(void **unused)
{
    struct bench bench;
    struct text csr = {0};
    bench_init(&bench);
    plain_csr("", &csr);
    const struct {
        const char *identity;
        const char *bearer;
        enum grpc_code code;
        const char *word;
    } cases[] = {
        {"", "", GRPC_UNAUTHENTICATED, "no_proof"},
        {"", "hello", GRPC_UNAUTHENTICATED, "token_malformed"},
        {"spiffe://elsewhere/ns/shop/sa/web", "", GRPC_PERMISSION_DENIED, "foreign_trust_domain"},
        {"spiffe://remora.local/shop/web", "", GRPC_PERMISSION_DENIED, "no_service_account"},
        {"spiffe://remora.local", "", GRPC_PERMISSION_DENIED, "no_service_account"},
        {"https://remora.local/ns/a/sa/b", "", GRPC_PERMISSION_DENIED, "foreign_trust_domain"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(ask_with(&bench, text_span(&csr), span_of(cases[i].identity),
                                  span_of(cases[i].bearer), 0),
                         cases[i].code);
        assert_string_equal(bench.answer.word, cases[i].word);
        assert_true(counted(&bench, CONTROL_STAT_NOT_ISSUED, cases[i].word) > 0);
    }
    text_done(&csr);
    bench_done(&bench);
}

struct hostile {
    const char *what;
    struct crafted_csr wish;
};

static void requests_for_more_are_refused(void **unused)
{
    EVP_PKEY *rsa = crafted_rsa(2048);
    EVP_PKEY *weak = crafted_rsa(512);
    EVP_PKEY *p384 = crafted_ec(NID_secp384r1);
    const struct hostile cases[] = {
        {"another account", {.alternatives = "URI:" API}},
        {"another trust domain", {.alternatives = "URI:spiffe://elsewhere/ns/shop/sa/web"}},
        {"the trust domain itself", {.alternatives = "URI:spiffe://remora.local"}},
        {"other case", {.alternatives = "URI:spiffe://remora.local/ns/shop/sa/WEB"}},
        {"a slash at the end", {.alternatives = "URI:" WEB "/"}},
        {"two identities", {.alternatives = "URI:" WEB ",URI:" API}},
        {"the same twice", {.alternatives = "URI:" WEB ",URI:" WEB}},
        {"a DNS name beside it", {.alternatives = "URI:" WEB ",DNS:api.shop"}},
        {"a DNS name alone", {.alternatives = "DNS:api.shop"}},
        {"an address", {.alternatives = "IP:10.0.0.1"}},
        {"a mail address", {.alternatives = "email:root@shop"}},
        {"a signer", {.alternatives = "URI:" WEB, .constraints = "CA:TRUE"}},
        {"a signer with a path", {.constraints = "CA:TRUE,pathlen:0"}},
        {"RSA 2048", {.key = rsa}},
        {"RSA 512", {.key = weak}},
        {"P-384", {.key = p384}},
        {"a signature of nobody", {.breaks_signature = true}},
    };
    struct bench bench;
    bench_init(&bench);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text csr = {0};
        crafted_csr_pem(&cases[i].wish, &csr);
        if (ask(&bench, text_span(&csr)) != GRPC_INVALID_ARGUMENT) {
            fail_msg("%s: answered %d", cases[i].what, (int)bench.answer.code);
        }
        assert_string_equal(bench.answer.word, "csr");
        text_done(&csr);
    }
    assert_int_equal(counted(&bench, CONTROL_STAT_NOT_ISSUED, "csr"),
                     sizeof(cases) / sizeof(cases[0]));
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(weak);
    EVP_PKEY_free(p384);
    bench_done(&bench);
}

/* A subject says nothing: it is neither refused nor in the certificate. */
static void a_common_name_is_left_out(void **unused)
{
    struct bench bench;
    struct text csr = {0};
    bench_init(&bench);
    crafted_csr_pem(&(struct crafted_csr){.alternatives = "URI:" WEB, .common_name = "root"}, &csr);
    assert_int_equal(ask(&bench, text_span(&csr)), GRPC_OK);
    assert_answer_is(&bench, WEB);
    text_done(&csr);
    bench_done(&bench);
}

static void bytes_that_are_no_request_are_refused(void **unused)
{
    struct bench bench;
    struct text csr = {0};
    bench_init(&bench);
    plain_csr(WEB, &csr);
    struct span whole = text_span(&csr);
    struct text twice = {0};
    text_add(&twice, whole);
    text_add(&twice, whole);
    char *many = calloc(1, CSR_BYTES * 2);
    memset(many, 'A', CSR_BYTES * 2 - 1);
    const struct span cases[] = {
        SPAN_EMPTY,
        SPAN("hello"),
        SPAN("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n"),
        span_cut(whole, 0, whole.length / 2),
        span_of(many),
        text_span(&twice),
        mesh_ca_roots_pem(bench.service.ca),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(ask(&bench, cases[i]), GRPC_INVALID_ARGUMENT);
    }
    /* The envelope itself. */
    struct caller_evidence evidence = {.bearer = span_of(bench.token)};
    certificate_service_answer(&bench.service, SPAN("\xff\xff\xff"), &evidence, SPAN("x"),
                               &bench.arena, &bench.answer);
    assert_int_equal(bench.answer.code, GRPC_INVALID_ARGUMENT);
    assert_string_equal(bench.answer.word, "malformed");
    free(many);
    text_done(&twice);
    text_done(&csr);
    bench_done(&bench);
}

static void every_cut_of_a_request_is_refused(void **unused)
{
    struct bench bench;
    struct text csr = {0};
    struct text der = {0};
    const char *why;
    bench_init(&bench);
    plain_csr(WEB, &csr);
    assert_true(csr_from_text(text_span(&csr), &der, &why));
    for (size_t length = 1; length < der.length; length += 3) {
        struct text cut = {0};
        csr_to_pem(span_cut(text_span(&der), 0, length), &cut);
        assert_int_equal(ask(&bench, text_span(&cut)), GRPC_INVALID_ARGUMENT);
        text_done(&cut);
    }
    text_done(&der);
    text_done(&csr);
    bench_done(&bench);
}

static void a_refused_request_does_not_spend_the_token(void **unused)
{
    struct bench bench;
    struct text csr = {0};
    bench_init(&bench);
    make_token(&bench, false);
    plain_csr(API, &csr);
    assert_int_equal(ask(&bench, text_span(&csr)), GRPC_INVALID_ARGUMENT);
    text_clear(&csr);
    plain_csr(WEB, &csr);
    assert_int_equal(ask(&bench, text_span(&csr)), GRPC_OK);
    /* The same key may ask again, another may not. */
    assert_int_equal(ask(&bench, text_span(&csr)), GRPC_OK);
    text_clear(&csr);
    plain_csr(WEB, &csr);
    assert_int_equal(ask(&bench, text_span(&csr)), GRPC_UNAUTHENTICATED);
    assert_string_equal(bench.answer.word, "token_spent");
    text_done(&csr);
    bench_done(&bench);
}

static void nothing_is_signed_when_the_use_cannot_be_recorded(void **unused)
{
    struct bench bench;
    struct text csr = {0};
    bench_init(&bench);
    make_token(&bench, false);
    plain_csr(WEB, &csr);
    state_fixture_freeze(&bench.state);
    assert_int_equal(ask(&bench, text_span(&csr)), GRPC_UNAVAILABLE);
    assert_string_equal(bench.answer.word, "token_not_recorded");
    text_done(&csr);
    bench_done(&bench);
}

static int64_t lifetime_of(struct bench *bench)
{
    struct xds_certificate_response response;
    struct xds_error error;
    struct certificate_list chain = {0};
    struct certificate leaf;
    const char *why;
    assert_true(
        xds_certificate_response_decode(bench->answer.message, &bench->arena, &response, &error));
    assert_true(certificate_list_add_pem(&chain, response.chain_pem[0], &why));
    assert_true(certificate_parse(chain.ders[0], &leaf, &why));
    int64_t left_s = leaf.not_after_s - clock_wall_ns() / NS_PER_S;
    certificate_list_done(&chain);
    return left_s;
}

static void lifetimes_are_cut_to_a_day(void **unused)
{
    struct bench bench;
    struct text csr = {0};
    bench_init(&bench);
    clock_fake(1, clock_wall_ns());
    plain_csr(WEB, &csr);
    const struct {
        int64_t asked_s;
        int64_t given_s; /* 0 = refused */
    } cases[] = {{0, 86400}, {10, 10}, {86400 * 90, 86400}, {-5, 0}, {INT64_MAX, 86400}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum grpc_code code =
            ask_with(&bench, text_span(&csr), SPAN_EMPTY, span_of(bench.token), cases[i].asked_s);
        assert_int_equal(code, cases[i].given_s > 0 ? GRPC_OK : GRPC_INVALID_ARGUMENT);
        if (code == GRPC_OK) {
            assert_int_equal(lifetime_of(&bench), cases[i].given_s);
        }
    }
    clock_real();
    text_done(&csr);
    bench_done(&bench);
}

static void lifetimes_are_cut_to_what_the_mesh_says(void **unused)
{
    struct bench bench;
    struct text csr = {0};
    bench_init(&bench);
    clock_fake(1, clock_wall_ns());
    plain_csr(WEB, &csr);
    bench.service.longest_s = 600;
    const int64_t cases[][2] = {{0, 600}, {10, 10}, {3600, 600}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(
            ask_with(&bench, text_span(&csr), SPAN_EMPTY, span_of(bench.token), cases[i][0]),
            GRPC_OK);
        assert_int_equal(lifetime_of(&bench), cases[i][1]);
    }
    clock_real();
    text_done(&csr);
    bench_done(&bench);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_token_gives_the_identity_of_its_account),
        cmocka_unit_test(a_certificate_renews_its_own_identity),
        cmocka_unit_test(callers_who_prove_nothing_get_nothing),
        cmocka_unit_test(requests_for_more_are_refused),
        cmocka_unit_test(a_common_name_is_left_out),
        cmocka_unit_test(bytes_that_are_no_request_are_refused),
        cmocka_unit_test(every_cut_of_a_request_is_refused),
        cmocka_unit_test(a_refused_request_does_not_spend_the_token),
        cmocka_unit_test(nothing_is_signed_when_the_use_cannot_be_recorded),
        cmocka_unit_test(lifetimes_are_cut_to_a_day),
        cmocka_unit_test(lifetimes_are_cut_to_what_the_mesh_says),
    };
    return TEST_MAIN(cases, argc, argv);
}
