#include "certs/authority.h"

#include "certs/certificate_form.h"
#include "certs/csr.h"
#include "certs/key_pair.h"
#include "certs/keystore.h"
#include "certs/leaf_verify.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "tests/unit/certs/crafted_certificate.h"
#include "tests/unit/test_main.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>

#include <stdlib.h>

#define WEB SPAN("spiffe://td.test/ns/shop/sa/web")

enum { NOW_S = 1780000000, DAY_S = 86400 };

struct ca {
    EVP_PKEY *root_key, *signer_key, *leaf_key;
    struct text root, signer;
    struct authority *authority;
};

static int set_up(void **state)
{
    const char *reason = "";
    struct ca *ca = NEW(struct ca);
    clock_fake(1, NOW_S * NS_PER_S);
    ca->root_key = key_pair_make();
    ca->signer_key = key_pair_make();
    ca->leaf_key = key_pair_make();
    authority_make_root(ca->root_key, SPAN("td.test"), &ca->root);
    assert_true(authority_make_intermediate(ca->root_key, text_span(&ca->root), ca->signer_key,
                                            SPAN("td.test"), &ca->signer, &reason));
    struct span chain[] = {text_span(&ca->signer), text_span(&ca->root)};
    struct authority_spec spec = {SPAN("td.test"), chain, 2, ca->signer_key};
    ca->authority = authority_create(&spec, &reason);
    assert_non_null(ca->authority);
    *state = ca;
    return 0;
}

static int tear_down(void **state)
{
    struct ca *ca = *state;
    authority_destroy(ca->authority);
    EVP_PKEY_free(ca->root_key);
    EVP_PKEY_free(ca->signer_key);
    EVP_PKEY_free(ca->leaf_key);
    text_done(&ca->root);
    text_done(&ca->signer);
    mem_free(ca);
    clock_real();
    return 0;
}

static struct spiffe_id id_of(struct span text)
{
    struct spiffe_id id;
    const char *reason;
    assert_true(spiffe_id_parse(text, &id, &reason));
    return id;
}

static void a_signed_leaf_verifies_and_says_what_it_should(void **state)
{
    struct ca *ca = *state;
    const char *reason;
    char why[AUTHORITY_REASON_BYTES];
    struct text csr = {0};
    struct certificate_list chain = {0};
    int64_t not_after_s = 0;
    csr_make(ca->leaf_key, WEB, &csr);
    struct span dns = SPAN("control.remora.svc");
    struct authority_wish wish = {text_span(&csr), id_of(WEB), &dns, 1, 0};
    assert_true(authority_sign(ca->authority, &wish, &chain, &not_after_s, why));
    assert_int_equal(chain.count, 3);
    assert_int_equal(not_after_s, NOW_S + DAY_S);

    struct certificate leaf;
    assert_true(certificate_parse(chain.ders[0], &leaf, &reason));
    assert_int_equal(leaf.not_before_s, NOW_S - AUTHORITY_BACKDATE_S);
    assert_int_equal(leaf.not_after_s, NOW_S + DAY_S);
    assert_int_equal(leaf.serial.length, CERTIFICATE_SERIAL_BYTES);
    assert_int_equal(leaf.key_usage, KEY_USAGE_DIGITAL_SIGNATURE);
    assert_true(leaf.names.critical && leaf.subject_empty);
    assert_true(span_equal(leaf.names.uri, WEB));
    assert_true(span_equal(leaf.names.dns_name, dns));

    struct trust_bundle *bundle = trust_bundle_create();
    assert_true(trust_bundle_add(bundle, SPAN("td.test"), text_span(&ca->root), &reason));
    struct leaf_verify *verify = leaf_verify_create(bundle);
    struct tls_verdict verdict = {0};
    leaf_verify_chain(verify, chain.ders, chain.count, false, &verdict);
    assert_string_equal(verdict.reason, "");
    assert_int_equal(verdict.failure, FAILURE_NONE);
    leaf_verify_destroy(verify);
    trust_bundle_unref(bundle);
    certificate_list_done(&chain);
    text_done(&csr);
}

static int64_t life_of(struct ca *ca, int64_t asked_s)
{
    char why[AUTHORITY_REASON_BYTES];
    struct text csr = {0};
    struct certificate_list chain = {0};
    int64_t not_after_s = 0;
    csr_make(ca->leaf_key, SPAN_EMPTY, &csr);
    struct authority_wish wish = {text_span(&csr), id_of(WEB), NULL, 0, asked_s};
    assert_true(authority_sign(ca->authority, &wish, &chain, &not_after_s, why));
    certificate_list_done(&chain);
    text_done(&csr);
    return not_after_s - clock_wall_ns() / NS_PER_S;
}

static void a_lifetime_is_cut_to_a_day_and_to_the_signer(void **state)
{
    struct ca *ca = *state;
    assert_int_equal(life_of(ca, 10), 10);
    assert_int_equal(life_of(ca, 0), DAY_S);
    assert_int_equal(life_of(ca, INT64_MAX / 2), DAY_S);
    clock_fake_advance((365LL * DAY_S - 100) * NS_PER_S);
    assert_int_equal(life_of(ca, 0), 100);
    clock_fake_advance(100 * NS_PER_S);
    char why[AUTHORITY_REASON_BYTES];
    struct text csr = {0};
    struct certificate_list chain = {0};
    int64_t not_after_s = -1;
    csr_make(ca->leaf_key, WEB, &csr);
    struct authority_wish wish = {text_span(&csr), id_of(WEB), NULL, 0, 0};
    assert_false(authority_sign(ca->authority, &wish, &chain, &not_after_s, why));
    assert_non_null(strstr(why, "ended"));
    assert_int_equal(not_after_s, -1);
    assert_int_equal(chain.count, 0);
    text_done(&csr);
}

/* A request with these extensions, signed by key. */
static void craft_csr(EVP_PKEY *key, struct span extensions, bool break_signature, struct text *ret)
{
    struct text request = {0}, inner = {0}, list = {0}, set = {0}, attribute = {0},
                attributes = {0};
    der_add(&inner, 0x02, SPAN("\0"));
    der_add(&inner, 0x30, SPAN_EMPTY);
    key_public_der(key, &inner);
    der_add(&list, 0x30, extensions);
    der_add(&attribute, 0x06, SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e"));
    der_add(&attribute, 0x31, text_span(&list));
    der_add(&attributes, 0x30, text_span(&attribute));
    der_add(&inner, 0xa0, text_span(&attributes));
    der_add(&request, 0x30, text_span(&inner));
    uint8_t signature[1024] = {0};
    size_t length = sizeof(signature) - 1;
    EVP_MD_CTX ctx;
    EVP_MD_CTX_init(&ctx);
    assert_int_equal(EVP_DigestSignInit(&ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(&ctx, signature + 1, &length, (const uint8_t *)request.bytes,
                                    request.length),
                     1);
    EVP_MD_CTX_cleanup(&ctx);
    if (break_signature) {
        signature[length - 1] ^= 1;
    }
    text_add(&request, SPAN("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"));
    der_add(&request, 0x03, span_make(signature, length + 1));
    der_add(ret, 0x30, text_span(&request));
    text_done(&request);
    text_done(&inner);
    text_done(&list);
    text_done(&set);
    text_done(&attribute);
    text_done(&attributes);
}

static void assert_not_signed(struct ca *ca, struct span csr, struct span id, const char *reason)
{
    char why[AUTHORITY_REASON_BYTES] = "";
    struct certificate_list chain = {0};
    int64_t not_after_s;
    struct authority_wish wish = {csr, id_of(id), NULL, 0, 0};
    assert_false(authority_sign(ca->authority, &wish, &chain, &not_after_s, why));
    if (strstr(why, reason) == NULL) {
        fail_msg("\"%s\", expected \"%s\"", why, reason);
    }
    assert_int_equal(chain.count, 0);
}

static void each_hostile_request_is_refused(void **state)
{
    struct ca *ca = *state;
    static const struct {
        const char *reason;
        struct span extensions;
        bool break_signature;
    } cases[] = {
        {"not signed by its own key", SPAN(""), true},
        {"wants to be a CA", SPAN("\x30\x0c\x06\x03\x55\x1d\x13\x04\x05\x30\x03\x01\x01\xff"),
         false},
        {"wants to be a CA", SPAN("\x30\x0b\x06\x03\x55\x1d\x0f\x04\x04\x03\x02\x02\x04"), false},
        {"more names",
         SPAN("\x30\x0e\x06\x03\x55\x1d\x11\x04\x07\x30\x05\x82\x03"
              "a.b"),
         false},
        {"more names", SPAN("\x30\x0d\x06\x03\x55\x1d\x11\x04\x06\x30\x04\xa3\x02\x30\x00"), false},
        {"does not have", SPAN("\x30\x17\x06\x03\x55\x1d\x11\x04\x10\x30\x0e\x86\x0cspiffe://t/a"),
         false},
        {"unknown extension is critical",
         SPAN("\x30\x0d\x06\x04\x2a\x03\x04\x05\x01\x01\xff\x04\x02\x05\x00"), false},
        {"twice",
         SPAN("\x30\x09\x06\x03\x55\x1d\x13\x04\x02\x30\x00\x30\x09\x06\x03\x55\x1d\x13\x04\x02"
              "\x30\x00"),
         false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text csr = {0};
        craft_csr(ca->leaf_key, cases[i].extensions, cases[i].break_signature, &csr);
        assert_not_signed(ca, text_span(&csr), WEB, cases[i].reason);
        text_done(&csr);
    }
    struct text csr = {0};
    csr_make(ca->leaf_key, WEB, &csr);
    assert_not_signed(ca, text_span(&csr), SPAN("spiffe://other.test/ns/shop/sa/web"),
                      "another trust domain");
    assert_not_signed(ca, text_span(&csr), SPAN("spiffe://td.test"), "no path");
    assert_not_signed(ca, text_span(&csr), SPAN("spiffe://td.test/ns/shop/sa/api"),
                      "does not have");
    for (size_t length = 0; length < csr.length; length++) {
        assert_not_signed(ca, span_make(csr.bytes, length), WEB, "not a DER");
    }
    text_done(&csr);
}

static void keys_other_than_p256_are_refused(void **state)
{
    struct ca *ca = *state;
    RSA *rsa = RSA_new();
    BIGNUM *exponent = BN_new();
    assert_int_equal(BN_set_word(exponent, RSA_F4), 1);
    assert_int_equal(RSA_generate_key_ex(rsa, 1024, exponent, NULL), 1);
    BN_free(exponent);
    EC_KEY *p384 = EC_KEY_new_by_curve_name(NID_secp384r1);
    assert_int_equal(EC_KEY_generate_key(p384), 1);
    EVP_PKEY *keys[] = {EVP_PKEY_new(), EVP_PKEY_new()};
    EVP_PKEY_assign_RSA(keys[0], rsa);
    EVP_PKEY_assign_EC_KEY(keys[1], p384);
    for (size_t i = 0; i < 2; i++) {
        struct text csr = {0}, pem = {0};
        const char *reason = "";
        craft_csr(keys[i], SPAN_EMPTY, false, &csr);
        assert_not_signed(ca, text_span(&csr), WEB, "not EC P-256");
        key_pair_to_pem(keys[i], &pem);
        assert_null(key_pair_from_pem(text_span(&pem), &reason));
        assert_non_null(strstr(reason, "not EC P-256"));
        EVP_PKEY_free(keys[i]);
        text_done(&csr);
        key_text_done(&pem);
    }
}

static void a_signer_that_does_not_fit_is_refused(void **state)
{
    struct ca *ca = *state;
    struct span signer = text_span(&ca->signer), root = text_span(&ca->root);
    const struct {
        struct span chain[2];
        size_t count;
        EVP_PKEY *key;
        const char *reason;
    } cases[] = {
        {{signer}, 0, ca->signer_key, "1 to 4"},
        {{signer}, 1, ca->root_key, "not that of the first"},
        {{signer, signer}, 2, ca->signer_key, "does not hold together"},
        {{SPAN("junk")}, 1, ca->signer_key, "not a DER"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *reason = "";
        struct authority_spec spec = {SPAN("td.test"), cases[i].chain, cases[i].count,
                                      cases[i].key};
        assert_null(authority_create(&spec, &reason));
        assert_non_null(strstr(reason, cases[i].reason));
    }
    const char *reason = "";
    struct authority_spec spec = {SPAN("TD"), &root, 1, ca->root_key};
    assert_null(authority_create(&spec, &reason));
    clock_fake_advance(366LL * DAY_S * NS_PER_S);
    spec = (struct authority_spec){SPAN("td.test"), &signer, 1, ca->signer_key};
    assert_null(authority_create(&spec, &reason));
    assert_non_null(strstr(reason, "not valid now"));
}

/* The script for people makes what the authority takes, and its leaves verify. */
/* Chains are built by it: the signer's may be made by another rule than ours (openssl takes SHA-1).
 */
static void assert_leaf_names_the_key_of_its_signer(struct authority *authority)
{
    struct text csr = {0};
    struct certificate_list chain = {0};
    struct certificate leaf;
    struct certificate signer;
    char why[AUTHORITY_REASON_BYTES];
    const char *reason;
    int64_t not_after_s = 0;
    EVP_PKEY *key = key_pair_make();
    csr_make(key, WEB, &csr);
    struct authority_wish wish = {text_span(&csr), id_of(WEB), NULL, 0, 0};
    assert_true(authority_sign(authority, &wish, &chain, &not_after_s, why));
    assert_true(certificate_parse(chain.ders[0], &leaf, &reason));
    assert_true(certificate_parse(chain.ders[1], &signer, &reason));
    assert_true(signer.subject_key_id.length > 0);
    assert_true(span_equal(leaf.authority_key_id, signer.subject_key_id));
    certificate_list_done(&chain);
    text_done(&csr);
    EVP_PKEY_free(key);
}

static void make_dev_ca_makes_an_authority(void **state)
{
    const char *source = getenv("REMORA_SOURCE");
    char folder[] = "/tmp/authority_test.XXXXXX", command[512];
    char why[KEYSTORE_REASON_BYTES];
    const char *reason = "";
    if (source == NULL || system("command -v openssl >/dev/null") != 0) {
        skip();
    }
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof(command), "'%s/certs/make-dev-ca' td.test %s >/dev/null", source,
             folder);
    assert_int_equal(system(command), 0);
    assert_int_not_equal(system(command), 0); /* never over what is there */
    struct keystore *store = keystore_open(folder, why);
    struct text key_pem = {0}, chain_pem = {0};
    struct certificate_list chain = {0};
    assert_non_null(store);
    assert_int_equal(keystore_read(store, "ca.key", &key_pem, why), KEYSTORE_OK);
    assert_int_equal(keystore_read(store, "ca.pem", &chain_pem, why), KEYSTORE_OK);
    EVP_PKEY *key = key_pair_from_pem(text_span(&key_pem), &reason);
    assert_non_null(key);
    assert_true(certificate_list_add_pem(&chain, text_span(&chain_pem), &reason));
    clock_real();
    struct authority_spec spec = {SPAN("td.test"), chain.ders, chain.count, key};
    struct authority *authority = authority_create(&spec, &reason);
    assert_non_null(authority);
    assert_leaf_names_the_key_of_its_signer(authority);
    authority_destroy(authority);
    EVP_PKEY_free(key);
    certificate_list_done(&chain);
    key_text_done(&key_pem);
    text_done(&chain_pem);
    keystore_close(store);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void keys_bundles_and_requests_survive_pem(void **state)
{
    struct ca *ca = *state;
    const char *reason = "";
    struct text pem = {0}, der = {0}, csr = {0}, csr_pem = {0};
    key_pair_to_pem(ca->leaf_key, &pem);
    EVP_PKEY *again = key_pair_from_pem(text_span(&pem), &reason);
    assert_non_null(again);
    assert_int_equal(EVP_PKEY_cmp(again, ca->leaf_key), 1);
    EVP_PKEY_free(again);
    key_text_done(&pem);
    assert_null(key_pair_from_pem(SPAN("nothing"), &reason));

    csr_make(ca->leaf_key, WEB, &csr);
    csr_to_pem(text_span(&csr), &csr_pem);
    assert_true(csr_from_text(text_span(&csr_pem), &der, &reason));
    assert_true(span_equal(text_span(&der), text_span(&csr)));
    assert_false(csr_from_text(SPAN("-----BEGIN X-----"), &der, &reason));

    struct trust_bundle *bundle = trust_bundle_create(), *copy = trust_bundle_create();
    EVP_PKEY *second_key = key_pair_make();
    struct text second = {0}, roots = {0};
    authority_make_root(second_key, SPAN("td.test"), &second);
    assert_true(trust_bundle_add(bundle, SPAN("td.test"), text_span(&ca->root), &reason));
    assert_true(trust_bundle_add(bundle, SPAN("td.test"), text_span(&second), &reason));
    assert_true(trust_bundle_add(bundle, SPAN("td.test"), text_span(&second), &reason));
    trust_bundle_to_pem(bundle, SPAN("td.test"), &roots);
    assert_true(trust_bundle_add_pem(copy, SPAN("td.test"), text_span(&roots), &reason));
    assert_int_equal(trust_bundle_find(copy, SPAN("td.test"))->count, 2);
    assert_true(trust_bundle_equal(bundle, copy));
    assert_true(trust_bundle_add(copy, SPAN("b.test"), text_span(&second), &reason));
    assert_false(trust_bundle_equal(bundle, copy));
    assert_null(trust_bundle_find(copy, SPAN("td.tes")));
    assert_false(trust_bundle_add_pem(copy, SPAN("td.test"), SPAN("no pem"), &reason));
    assert_false(
        trust_bundle_add_pem(copy, SPAN("td.test"), span_cut(text_span(&roots), 0, 300), &reason));
    trust_bundle_unref(bundle);
    trust_bundle_unref(copy);
    EVP_PKEY_free(second_key);
    text_done(&second);
    text_done(&roots);
    text_done(&der);
    text_done(&csr);
    text_done(&csr_pem);
}

static void ids_are_made_and_taken_apart(void **state)
{
    char text[SPIFFE_ID_BYTES + 1];
    struct spiffe_id id;
    struct span namespace, account;
    assert_true(spiffe_id_make(SPAN("td.test"), SPAN("shop"), SPAN("web"), text, &id));
    assert_true(span_equal(id.text, WEB));
    assert_true(spiffe_id_workload(&id, &namespace, &account));
    assert_true(span_equal_text(namespace, "shop") && span_equal_text(account, "web"));
    assert_false(spiffe_id_make(SPAN("td.test"), SPAN("a/b"), SPAN("web"), text, &id));
    assert_false(spiffe_id_make(SPAN("td.test"), SPAN(""), SPAN("web"), text, &id));
    assert_false(spiffe_id_make(SPAN("td.test"), SPAN(".."), SPAN("web"), text, &id));
    assert_false(spiffe_id_make(SPAN("TD"), SPAN("a"), SPAN("web"), text, &id));
    char *longest = mem_zalloc(3000);
    memset(longest, 'a', 2999);
    assert_false(spiffe_id_make(SPAN("td"), span_make(longest, 2999), SPAN("b"), text, &id));
    mem_free(longest);
    static const struct span others[] = {
        SPAN("spiffe://td/ns/a/sa"),   SPAN("spiffe://td/ns/a/sa/b/c"),
        SPAN("spiffe://td/ns/a/sb/b"), SPAN("spiffe://td/xx/a/sa/b"),
        SPAN("spiffe://td"),
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        id = id_of(others[i]);
        assert_false(spiffe_id_workload(&id, &namespace, &account));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(a_signed_leaf_verifies_and_says_what_it_should, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_lifetime_is_cut_to_a_day_and_to_the_signer, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(each_hostile_request_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_other_than_p256_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_signer_that_does_not_fit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(make_dev_ca_makes_an_authority, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_bundles_and_requests_survive_pem, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ids_are_made_and_taken_apart, set_up, tear_down),
    };
    return TEST_MAIN(cases, argc, argv);
}
