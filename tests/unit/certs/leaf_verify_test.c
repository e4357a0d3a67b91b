#include "certs/leaf_verify.h"

#include "certs/key_pair.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "tests/unit/certs/crafted_certificate.h"
#include "tests/unit/test_main.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

/* td.test: root > signer > leaf. other.test and td.test.evil: another root. */
struct mesh {
    EVP_PKEY *root_key, *signer_key, *other_key, *leaf_key, *rsa_key;
    struct text root, signer, other;
    struct trust_bundle *bundle;
    struct leaf_verify *verify;
};

static EVP_PKEY *make_rsa(void)
{
    RSA *rsa = RSA_new();
    BIGNUM *exponent = BN_new();
    assert_int_equal(BN_set_word(exponent, RSA_F4), 1);
    assert_int_equal(RSA_generate_key_ex(rsa, 2048, exponent, NULL), 1);
    BN_free(exponent);
    EVP_PKEY *key = EVP_PKEY_new();
    EVP_PKEY_assign_RSA(key, rsa);
    return key;
}

static int set_up(void **state)
{
    const char *reason = "";
    struct mesh *mesh = NEW(struct mesh);
    clock_fake(1, CRAFTED_NOW_S * NS_PER_S);
    mesh->root_key = key_pair_make();
    mesh->signer_key = key_pair_make();
    mesh->other_key = key_pair_make();
    mesh->leaf_key = key_pair_make();
    struct crafted root = crafted_signer(mesh->root_key, "root", mesh->root_key, "root");
    crafted_write(&root, &mesh->root);
    struct crafted signer = crafted_signer(mesh->signer_key, "signer", mesh->root_key, "root");
    crafted_write(&signer, &mesh->signer);
    struct crafted other = crafted_signer(mesh->other_key, "other", mesh->other_key, "other");
    crafted_write(&other, &mesh->other);
    mesh->bundle = trust_bundle_create();
    assert_true(trust_bundle_add(mesh->bundle, SPAN("td.test"), text_span(&mesh->root), &reason));
    assert_true(
        trust_bundle_add(mesh->bundle, SPAN("other.test"), text_span(&mesh->other), &reason));
    assert_true(
        trust_bundle_add(mesh->bundle, SPAN("td.test.evil"), text_span(&mesh->other), &reason));
    mesh->verify = leaf_verify_create(mesh->bundle);
    *state = mesh;
    return 0;
}

static int tear_down(void **state)
{
    struct mesh *mesh = *state;
    leaf_verify_destroy(mesh->verify);
    trust_bundle_unref(mesh->bundle);
    text_done(&mesh->root);
    text_done(&mesh->signer);
    text_done(&mesh->other);
    EVP_PKEY_free(mesh->root_key);
    EVP_PKEY_free(mesh->signer_key);
    EVP_PKEY_free(mesh->other_key);
    EVP_PKEY_free(mesh->leaf_key);
    EVP_PKEY_free(mesh->rsa_key);
    mem_free(mesh);
    clock_real();
    return 0;
}

static struct tls_verdict verdict_of(struct mesh *mesh, const struct crafted *leaf,
                                     const struct span *above, size_t count)
{
    struct text der = {0};
    crafted_write(leaf, &der);
    struct span chain[16] = {text_span(&der)};
    for (size_t i = 0; i < count; i++) {
        chain[i + 1] = above[i];
    }
    struct tls_verdict verdict = {0};
    leaf_verify_chain(mesh->verify, chain, count + 1, false, &verdict);
    text_done(&der);
    return verdict;
}

static struct tls_verdict verdict_under_signer(struct mesh *mesh, const struct crafted *leaf)
{
    struct span above[] = {text_span(&mesh->signer)};
    return verdict_of(mesh, leaf, above, 1);
}

static void assert_refused(const char *name, const struct tls_verdict *verdict, const char *reason)
{
    if (verdict->failure != FAILURE_PEER_UNVERIFIED || strstr(verdict->reason, reason) == NULL ||
        verdict->failure == FAILURE_NONE) {
        fail_msg("%s: failure %d, reason \"%s\", expected \"%s\"", name, verdict->failure,
                 verdict->reason, reason);
    }
}

static void a_good_leaf_is_accepted_and_remembered(void **state)
{
    struct mesh *mesh = *state;
    struct crafted leaf = crafted_leaf(mesh->leaf_key, mesh->signer_key, "signer");
    struct text der = {0};
    crafted_write(&leaf, &der);
    struct span chain[] = {text_span(&der), text_span(&mesh->signer)};
    for (int i = 0; i < 2; i++) {
        struct tls_verdict verdict = {0};
        leaf_verify_chain(mesh->verify, chain, 2, false, &verdict);
        assert_string_equal(verdict.reason, "");
        assert_int_equal(verdict.failure, FAILURE_NONE);
        assert_string_equal(verdict.identity, "spiffe://td.test/ns/shop/sa/web");
        assert_int_equal(verdict.not_after_ms, (CRAFTED_NOW_S + 3600) * 1000LL);
    }
    struct leaf_verify_counters counters;
    leaf_verify_count(mesh->verify, &counters);
    assert_int_equal(counters.from_cache, 1);
    assert_int_equal(counters.accepted, 2);
    /* Resumed: the leaf alone, from memory. */
    struct tls_verdict verdict = {0};
    leaf_verify_chain(mesh->verify, chain, 1, true, &verdict);
    assert_int_equal(verdict.failure, FAILURE_NONE);
    text_done(&der);
}

#define WEB "spiffe://td.test/ns/shop/sa/web"
#define UNKNOWN_CRITICAL "\x30\x0d\x06\x04\x2a\x03\x04\x05\x01\x01\xff\x04\x02\x05\x00"
#define SECOND_BASIC "\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00"
#define SHA1_ECDSA "\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01"

static const struct hostile {
    const char *name;
    const char *reason;
    struct crafted_name names[CRAFTED_NAMES];
    struct span basic, usage, ext_usage, extra, trailing, algorithm, inner_algorithm;
    int64_t starts_in_s, ends_in_s;
    const char *subject;
    bool no_usage, san_not_critical, version_1, no_extensions, break_signature;
} hostiles[] = {
    {"NUL in the URI", "not visible ASCII",
     .names = {{0x86, SPAN("spiffe://td.test/ns/a\0/sa/b")}}},
    {"NUL at the end of the URI", "not visible ASCII", .names = {{0x86, SPAN(WEB "\0")}}},
    {"NUL in a DNS name", "not visible ASCII", .names = {{0x86, SPAN(WEB)}, {0x82, SPAN("a\0.b")}}},
    {"blank in the URI", "not visible ASCII", .names = {{0x86, SPAN("spiffe://td.test/a b")}}},
    {"high byte in the URI", "not visible ASCII",
     .names = {{0x86, SPAN("spiffe://td.test/\xc3\xa4")}}},
    {"empty URI", "not visible ASCII", .names = {{0x86, SPAN("")}}},
    {"two URIs", "more than one URI", .names = {{0x86, SPAN(WEB)}, {0x86, SPAN(WEB "2")}}},
    {"the same URI twice", "more than one URI", .names = {{0x86, SPAN(WEB)}, {0x86, SPAN(WEB)}}},
    {"the id as a DNS name only", "no URI SAN", .names = {{0x82, SPAN(WEB)}}},
    {"x400Address", "neither URI nor DNS", .names = {{0x86, SPAN(WEB)}, {0xa3, SPAN("\x30\x00")}}},
    {"otherName with NUL", "neither URI nor DNS",
     .names = {{0x86, SPAN(WEB)}, {0xa0, SPAN("\x06\x03\x2a\x03\x04\xa0\x05\x0c\x03w\0b")}}},
    {"directoryName", "neither URI nor DNS",
     .names = {{0x86, SPAN(WEB)}, {0xa4, SPAN("\x30\x00")}}},
    {"iPAddress", "neither URI nor DNS", .names = {{0x86, SPAN(WEB)}, {0x87, SPAN("\x7f\0\0\1")}}},
    {"a SAN of no context tag", "subjectAltName is malformed", .names = {{0x0c, SPAN(WEB)}}},
    {"https URI", "not a spiffe", .names = {{0x86, SPAN("https://td.test/ns/shop/sa/web")}}},
    {"scheme in capitals", "not a spiffe",
     .names = {{0x86, SPAN("SPIFFE://td.test/ns/shop/sa/web")}}},
    {"trust domain in capitals", "trust domain",
     .names = {{0x86, SPAN("spiffe://TD.test/ns/a/sa/b")}}},
    {"empty trust domain", "trust domain", .names = {{0x86, SPAN("spiffe:///ns/a/sa/b")}}},
    {"port", "trust domain", .names = {{0x86, SPAN("spiffe://td.test:443/ns/a/sa/b")}}},
    {"user", "trust domain", .names = {{0x86, SPAN("spiffe://me@td.test/ns/a/sa/b")}}},
    {"no path", "has no path", .names = {{0x86, SPAN("spiffe://td.test")}}},
    {"root path", "slash at its end", .names = {{0x86, SPAN("spiffe://td.test/")}}},
    {"slash at the end", "slash at its end", .names = {{0x86, SPAN(WEB "/")}}},
    {"empty segment", "empty path segment", .names = {{0x86, SPAN("spiffe://td.test/ns//sa/b")}}},
    {"dot segment", "dot segment", .names = {{0x86, SPAN("spiffe://td.test/ns/./sa/b")}}},
    {"two dots", "dot segment", .names = {{0x86, SPAN("spiffe://td.test/ns/../sa/b")}}},
    {"percent", "outside of", .names = {{0x86, SPAN("spiffe://td.test/ns/%61/sa/b")}}},
    {"query", "outside of", .names = {{0x86, SPAN(WEB "?a=b")}}},
    {"fragment", "outside of", .names = {{0x86, SPAN(WEB "#a")}}},
    {"unknown trust domain", "is not trusted",
     .names = {{0x86, SPAN("spiffe://nobody.test/ns/a/sa/b")}}},
    {"our domain as a prefix", "no root",
     .names = {{0x86, SPAN("spiffe://td.test.evil/ns/a/sa/b")}}},
    {"a prefix of our domain", "is not trusted",
     .names = {{0x86, SPAN("spiffe://td.tes/ns/a/sa/b")}}},
    {"another domain's id", "no root", .names = {{0x86, SPAN("spiffe://other.test/ns/a/sa/b")}}},
    {"CA:TRUE", "is a CA", .basic = SPAN("\x01\x01\xff")},
    {"CA:FALSE spelled out", "basicConstraints is malformed", .basic = SPAN("\x01\x01\x00")},
    {"path length without CA", "basicConstraints is malformed", .basic = SPAN("\x02\x01\x00")},
    {"keyCertSign", "may sign certificates", .usage = SPAN("\x02\x84")},
    {"cRLSign", "may sign certificates", .usage = SPAN("\x01\x82")},
    {"no key usage", "digitalSignature", .no_usage = true},
    {"keyEncipherment only", "digitalSignature", .usage = SPAN("\x05\x20")},
    {"bit string with wild unused bits", "keyUsage is malformed", .usage = SPAN("\x07\xff")},
    {"serverAuth only", "lacks serverAuth", .ext_usage = SPAN(CRAFTED_SERVER_AUTH)},
    {"clientAuth only", "lacks serverAuth", .ext_usage = SPAN(CRAFTED_CLIENT_AUTH)},
    {"anyExtendedKeyUsage only", "lacks serverAuth", .ext_usage = SPAN("\x06\x04\x55\x1d\x25\x00")},
    {"expired", "expired", .ends_in_s = -1},
    {"not yet valid", "not valid yet", .starts_in_s = 1},
    {"broken signature", "signature in the chain is wrong", .break_signature = true},
    {"unknown critical extension", "unknown extension is critical",
     .extra = SPAN(UNKNOWN_CRITICAL)},
    {"extension twice", "twice", .extra = SPAN(SECOND_BASIC)},
    {"name constraints", "nameConstraints",
     .extra = SPAN("\x30\x09\x06\x03\x55\x1d\x1e\x04\x02\x30\x00")},
    {"extension of no sequence", "extension is malformed", .extra = SPAN("\x05\x00")},
    {"trailing byte", "left over", .trailing = SPAN("\0")},
    {"SHA-1", "signature algorithm is not accepted", .algorithm = SPAN(SHA1_ECDSA)},
    {"two algorithms", "algorithms differ",
     .inner_algorithm = SPAN("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03")},
    {"version 1", "not of version 3", .version_1 = true},
    {"version 1 without extensions", "not of version 3", .version_1 = true, .no_extensions = true},
    {"no extensions", "no URI SAN", .no_extensions = true},
    {"empty subject, SAN not critical", "SAN is not critical", .san_not_critical = true},
};

static struct crafted spoil(struct mesh *mesh, const struct hostile *hostile)
{
    struct crafted leaf = crafted_leaf(mesh->leaf_key, mesh->signer_key, "signer");
    if (hostile->names[0].tag != 0) {
        memcpy(leaf.names, hostile->names, sizeof(leaf.names));
    }
    leaf.basic = hostile->basic;
    if (hostile->usage.length > 0 || hostile->no_usage) {
        leaf.usage = hostile->usage;
    }
    if (hostile->ext_usage.length > 0) {
        leaf.ext_usage = hostile->ext_usage;
    }
    leaf.extra = hostile->extra;
    leaf.trailing = hostile->trailing;
    leaf.algorithm = hostile->algorithm;
    leaf.inner_algorithm = hostile->inner_algorithm;
    if (hostile->starts_in_s != 0) {
        leaf.not_before_s = CRAFTED_NOW_S + hostile->starts_in_s;
    }
    if (hostile->ends_in_s != 0) {
        leaf.not_after_s = CRAFTED_NOW_S + hostile->ends_in_s;
    }
    leaf.san_not_critical = hostile->san_not_critical;
    leaf.version_1 = hostile->version_1;
    leaf.no_extensions = hostile->no_extensions;
    leaf.break_signature = hostile->break_signature;
    return leaf;
}

static void each_hostile_leaf_is_refused_with_its_reason(void **state)
{
    struct mesh *mesh = *state;
    for (size_t i = 0; i < sizeof(hostiles) / sizeof(hostiles[0]); i++) {
        struct crafted leaf = spoil(mesh, &hostiles[i]);
        struct tls_verdict verdict = verdict_under_signer(mesh, &leaf);
        assert_refused(hostiles[i].name, &verdict, hostiles[i].reason);
        /* And again: a refusal is never remembered as anything else. */
        verdict = verdict_under_signer(mesh, &leaf);
        assert_refused(hostiles[i].name, &verdict, hostiles[i].reason);
    }
}

static void an_id_in_the_common_name_is_not_an_identity(void **state)
{
    struct mesh *mesh = *state;
    struct crafted leaf = crafted_leaf(mesh->leaf_key, mesh->signer_key, "signer");
    leaf.subject = WEB;
    leaf.names[0] = (struct crafted_name){0x82, SPAN("web.shop")};
    struct tls_verdict verdict = verdict_under_signer(mesh, &leaf);
    assert_refused("CN", &verdict, "no URI SAN");
}

static void an_id_of_2048_bytes_passes_and_of_2049_does_not(void **state)
{
    struct mesh *mesh = *state;
    for (size_t length = SPIFFE_ID_BYTES; length <= SPIFFE_ID_BYTES + 1; length++) {
        char uri[SPIFFE_ID_BYTES + 1];
        memset(uri, 'a', sizeof(uri));
        memcpy(uri, "spiffe://td.test/", 17);
        struct crafted leaf = crafted_leaf(mesh->leaf_key, mesh->signer_key, "signer");
        leaf.names[0].bytes = span_make(uri, length);
        struct tls_verdict verdict = verdict_under_signer(mesh, &leaf);
        if (length == SPIFFE_ID_BYTES) {
            assert_int_equal(verdict.failure, FAILURE_NONE);
        } else {
            assert_refused("2049 bytes", &verdict, "longer than 2048");
        }
    }
}

static void an_rsa_leaf_is_refused(void **state)
{
    struct mesh *mesh = *state;
    mesh->rsa_key = make_rsa();
    struct crafted leaf = crafted_leaf(mesh->rsa_key, mesh->signer_key, "signer");
    struct tls_verdict verdict = verdict_under_signer(mesh, &leaf);
    assert_refused("RSA", &verdict, "not EC P-256");
}

static void a_chain_must_hold_together(void **state)
{
    struct mesh *mesh = *state;
    struct span signer = text_span(&mesh->signer), root = text_span(&mesh->root);
    struct crafted good = crafted_leaf(mesh->leaf_key, mesh->signer_key, "signer");

    struct tls_verdict verdict = verdict_of(mesh, &good, NULL, 0);
    assert_refused("no intermediate", &verdict, "no root");
    verdict = verdict_of(mesh, &good, (struct span[]){root, signer}, 2);
    assert_refused("wrong order", &verdict, "issuer and the next subject differ");
    verdict = verdict_of(mesh, &good, (struct span[]){signer, root}, 2);
    assert_int_equal(verdict.failure, FAILURE_NONE);

    struct crafted stranger = crafted_leaf(mesh->leaf_key, mesh->other_key, "signer");
    verdict = verdict_of(mesh, &stranger, &signer, 1);
    assert_refused("another's key under our name", &verdict, "signature in the chain is wrong");
    struct crafted misnamed = crafted_leaf(mesh->leaf_key, mesh->signer_key, "sIgner");
    verdict = verdict_of(mesh, &misnamed, &signer, 1);
    assert_refused("wrong issuer", &verdict, "issuer and the next subject differ");
    struct crafted foreign = crafted_leaf(mesh->leaf_key, mesh->other_key, "other");
    struct span other = text_span(&mesh->other);
    verdict = verdict_of(mesh, &foreign, &other, 1);
    assert_refused("bundle of another domain", &verdict, "no root");
    verdict = verdict_of(mesh, &good, (struct span[]){SPAN("junk")}, 1);
    assert_refused("junk above", &verdict, "not a DER certificate");
}

static void an_intermediate_must_be_allowed_to_sign(void **state)
{
    struct mesh *mesh = *state;
    static const struct {
        const char *name, *reason;
        struct span basic, usage;
        struct crafted_name id;
        int64_t ends_in_s;
    } cases[] = {
        {"not a CA", "not a CA", .usage = SPAN("\x01\x06")},
        {"no keyCertSign", "lacks keyCertSign", .basic = SPAN("\x01\x01\xff"),
         .usage = SPAN("\x07\x80")},
        {"expired", "expired", .basic = SPAN("\x01\x01\xff"), .usage = SPAN("\x01\x06"),
         .ends_in_s = -5},
        {"id with a path", "own SPIFFE id", .basic = SPAN("\x01\x01\xff"),
         .usage = SPAN("\x01\x06"), .id = {0x86, SPAN("spiffe://td.test/ca")}},
        {"id of another domain", "own SPIFFE id", .basic = SPAN("\x01\x01\xff"),
         .usage = SPAN("\x01\x06"), .id = {0x86, SPAN("spiffe://other.test")}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct crafted signer = crafted_signer(mesh->signer_key, "signer", mesh->root_key, "root");
        signer.basic = cases[i].basic;
        signer.usage = cases[i].usage;
        signer.names[0] = cases[i].id;
        if (cases[i].ends_in_s != 0) {
            signer.not_after_s = CRAFTED_NOW_S + cases[i].ends_in_s;
        }
        struct text der = {0};
        crafted_write(&signer, &der);
        struct span above = text_span(&der);
        struct crafted leaf = crafted_leaf(mesh->leaf_key, mesh->signer_key, "signer");
        struct tls_verdict verdict = verdict_of(mesh, &leaf, &above, 1);
        assert_refused(cases[i].name, &verdict, cases[i].reason);
        text_done(&der);
    }
}

static void a_leaf_cannot_sign_another_leaf(void **state)
{
    struct mesh *mesh = *state;
    struct crafted first = crafted_leaf(mesh->other_key, mesh->signer_key, "signer");
    first.subject = "first";
    struct text der = {0};
    crafted_write(&first, &der);
    struct span above[] = {text_span(&der), text_span(&mesh->signer)};
    struct crafted second = crafted_leaf(mesh->leaf_key, mesh->other_key, "first");
    struct tls_verdict verdict = verdict_of(mesh, &second, above, 2);
    assert_refused("leaf under leaf", &verdict, "not a CA");
    text_done(&der);
}

static void a_path_length_holds(void **state)
{
    struct mesh *mesh = *state;
    struct crafted upper = crafted_signer(mesh->signer_key, "upper", mesh->root_key, "root");
    upper.basic = SPAN("\x01\x01\xff\x02\x01\x00");
    struct crafted lower = crafted_signer(mesh->other_key, "lower", mesh->signer_key, "upper");
    struct text upper_der = {0}, lower_der = {0};
    crafted_write(&upper, &upper_der);
    crafted_write(&lower, &lower_der);
    struct span above[] = {text_span(&lower_der), text_span(&upper_der)};
    struct crafted leaf = crafted_leaf(mesh->leaf_key, mesh->other_key, "lower");
    struct tls_verdict verdict = verdict_of(mesh, &leaf, above, 2);
    assert_refused("path length", &verdict, "path length");
    struct crafted direct = crafted_leaf(mesh->leaf_key, mesh->signer_key, "upper");
    verdict = verdict_of(mesh, &direct, above + 1, 1);
    assert_int_equal(verdict.failure, FAILURE_NONE);
    text_done(&upper_der);
    text_done(&lower_der);
}

static void an_empty_and_a_huge_chain_are_refused(void **state)
{
    struct mesh *mesh = *state;
    struct tls_verdict verdict = {0};
    leaf_verify_chain(mesh->verify, NULL, 0, false, &verdict);
    assert_refused("empty", &verdict, "no certificate");
    struct span above[15];
    for (size_t i = 0; i < 15; i++) {
        above[i] = text_span(&mesh->signer);
    }
    struct crafted leaf = crafted_leaf(mesh->leaf_key, mesh->signer_key, "signer");
    verdict = verdict_of(mesh, &leaf, above, 15);
    assert_refused("huge", &verdict, "more than 4");
    verdict = (struct tls_verdict){0};
    leaf_verify_chain(mesh->verify, &SPAN_EMPTY, 1, false, &verdict);
    assert_refused("no bytes", &verdict, "not a DER certificate");
}

static void every_cut_and_flipped_byte_is_survived(void **state)
{
    struct mesh *mesh = *state;
    struct crafted leaf = crafted_leaf(mesh->leaf_key, mesh->signer_key, "signer");
    struct text der = {0};
    crafted_write(&leaf, &der);
    for (size_t i = 0; i < der.length; i++) {
        struct certificate unused;
        const char *reason;
        char *cut = mem_text(der.bytes, i);
        assert_false(certificate_parse(span_make(cut, i), &unused, &reason));
        mem_free(cut);
    }
    struct span chain[] = {text_span(&der), text_span(&mesh->signer)};
    for (size_t i = 0; i < der.length; i++) {
        for (int bit = 0; bit < 8; bit += 3) {
            der.bytes[i] = (char)(der.bytes[i] ^ (1 << bit));
            struct tls_verdict verdict = {0};
            leaf_verify_chain(mesh->verify, chain, 2, false, &verdict);
            assert_int_not_equal(verdict.failure, FAILURE_NONE);
            der.bytes[i] = (char)(der.bytes[i] ^ (1 << bit));
        }
    }
    text_done(&der);
}

static void time_moves_on_for_a_remembered_leaf(void **state)
{
    struct mesh *mesh = *state;
    struct crafted leaf = crafted_leaf(mesh->leaf_key, mesh->signer_key, "signer");
    struct tls_verdict verdict = verdict_under_signer(mesh, &leaf);
    assert_int_equal(verdict.failure, FAILURE_NONE);
    clock_fake_advance(3601 * NS_PER_S);
    verdict = verdict_under_signer(mesh, &leaf);
    assert_refused("ended in memory", &verdict, "expired");
    clock_fake(1, (CRAFTED_NOW_S - 7200) * NS_PER_S);
    verdict = verdict_under_signer(mesh, &leaf);
    assert_refused("clock went back", &verdict, "not valid yet");
}

static void a_new_bundle_forgets_what_was_verified(void **state)
{
    struct mesh *mesh = *state;
    const char *reason;
    struct crafted leaf = crafted_leaf(mesh->leaf_key, mesh->signer_key, "signer");
    struct tls_verdict verdict = verdict_under_signer(mesh, &leaf);
    assert_int_equal(verdict.failure, FAILURE_NONE);
    struct trust_bundle *fresh = trust_bundle_create();
    assert_true(trust_bundle_add(fresh, SPAN("td.test"), text_span(&mesh->other), &reason));
    leaf_verify_set_bundle(mesh->verify, fresh);
    verdict = verdict_under_signer(mesh, &leaf);
    assert_refused("old root", &verdict, "no root");
    /* Overlap: both roots, as during a rotation. */
    assert_true(trust_bundle_add(fresh, SPAN("td.test"), text_span(&mesh->root), &reason));
    leaf_verify_set_bundle(mesh->verify, fresh);
    verdict = verdict_under_signer(mesh, &leaf);
    assert_int_equal(verdict.failure, FAILURE_NONE);
    leaf_verify_set_bundle(mesh->verify, NULL);
    verdict = verdict_under_signer(mesh, &leaf);
    assert_refused("no bundle", &verdict, "no trust bundle");
    trust_bundle_unref(fresh);
}

static bool deny_web(void *owner, const struct spiffe_id *id, struct span serial)
{
    bool *on = owner;
    assert_int_equal(serial.length, 3);
    return *on && span_equal_text(id->path, "/ns/shop/sa/web");
}

static void a_denied_identity_is_refused_at_once(void **state)
{
    struct mesh *mesh = *state;
    bool on = false;
    leaf_verify_set_deny(mesh->verify, deny_web, &on);
    struct crafted leaf = crafted_leaf(mesh->leaf_key, mesh->signer_key, "signer");
    struct tls_verdict verdict = verdict_under_signer(mesh, &leaf);
    assert_int_equal(verdict.failure, FAILURE_NONE);
    on = true;
    verdict = verdict_under_signer(mesh, &leaf);
    assert_refused("denied", &verdict, "deny list");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(a_good_leaf_is_accepted_and_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_hostile_leaf_is_refused_with_its_reason, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_id_in_the_common_name_is_not_an_identity, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_id_of_2048_bytes_passes_and_of_2049_does_not, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_rsa_leaf_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_chain_must_hold_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_intermediate_must_be_allowed_to_sign, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_leaf_cannot_sign_another_leaf, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_path_length_holds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_and_a_huge_chain_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_cut_and_flipped_byte_is_survived, set_up, tear_down),
        cmocka_unit_test_setup_teardown(time_moves_on_for_a_remembered_leaf, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_bundle_forgets_what_was_verified, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_denied_identity_is_refused_at_once, set_up, tear_down),
    };
    return TEST_MAIN(cases, argc, argv);
}
