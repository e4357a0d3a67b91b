#include "tests/unit/certs/crafted_certificate.h"

#include "certs/certificate_form.h"
#include "lib/base/check.h"

#include <openssl/evp.h>

#include <time.h>

#define ECDSA_SHA256 SPAN("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")

enum { HOUR_S = 3600, SIGNATURE_BYTES = 1024, TIME_BYTES = 16 };

void der_add(struct text *into, unsigned char tag, struct span value)
{
    CHECK(value.length <= UINT16_MAX);
    text_add_byte(into, (char)tag);
    if (value.length > 255) {
        text_add_byte(into, (char)0x82);
        text_add_byte(into, (char)(value.length >> 8));
    } else if (value.length > 127) {
        text_add_byte(into, (char)0x81);
    }
    text_add_byte(into, (char)(value.length & 0xff));
    text_add(into, value);
}

static void add_text(struct text *into, unsigned char tag, struct text *value)
{
    der_add(into, tag, text_span(value));
    text_done(value);
}

static void add_extension(struct text *into, unsigned char number, bool critical,
                          struct text *value)
{
    struct text extension = {0};
    const char oid[] = {0x55, 0x1d, (char)number};
    der_add(&extension, 0x06, span_make(oid, sizeof(oid)));
    if (critical) {
        der_add(&extension, 0x01, SPAN("\xff"));
    }
    add_text(&extension, 0x04, value);
    add_text(into, 0x30, &extension);
}

struct crafted crafted_leaf(EVP_PKEY *key, EVP_PKEY *signer, const char *issuer)
{
    return (struct crafted){
        .key = key,
        .signer = signer,
        .issuer = issuer,
        .not_before_s = CRAFTED_NOW_S - HOUR_S,
        .not_after_s = CRAFTED_NOW_S + HOUR_S,
        .names = {{0x86, SPAN("spiffe://td.test/ns/shop/sa/web")}},
        .usage = SPAN("\x07\x80"),
        .ext_usage = SPAN(CRAFTED_SERVER_AUTH CRAFTED_CLIENT_AUTH),
    };
}

struct crafted crafted_signer(EVP_PKEY *key, const char *subject, EVP_PKEY *signer,
                              const char *issuer)
{
    return (struct crafted){
        .key = key,
        .signer = signer,
        .issuer = issuer,
        .subject = subject,
        .not_before_s = CRAFTED_NOW_S - 24 * HOUR_S,
        .not_after_s = CRAFTED_NOW_S + 24 * HOUR_S,
        .basic = SPAN("\x01\x01\xff"),
        .usage = SPAN("\x01\x06"),
    };
}

static void add_name(struct text *into, const char *common_name)
{
    struct text attribute = {0}, sequence = {0}, set = {0};
    if (common_name != NULL) {
        der_add(&attribute, 0x06, SPAN("\x55\x04\x03"));
        der_add(&attribute, 0x0c, span_of(common_name));
        add_text(&sequence, 0x30, &attribute);
        add_text(&set, 0x31, &sequence);
    }
    add_text(into, 0x30, &set);
}

static void add_time(struct text *into, int64_t at_s)
{
    struct tm parts;
    time_t at = (time_t)at_s;
    char text[TIME_BYTES];
    gmtime_r(&at, &parts);
    CHECK(strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &parts) == 15);
    der_add(into, 0x17, span_of(text + 2)); /* UTCTime has no century */
}

static void add_names(const struct crafted *crafted, struct text *into)
{
    struct text names = {0}, value = {0};
    for (size_t i = 0; i < CRAFTED_NAMES && crafted->names[i].tag != 0; i++) {
        der_add(&names, crafted->names[i].tag, crafted->names[i].bytes);
    }
    if (names.length == 0) {
        return;
    }
    add_text(&value, 0x30, &names);
    add_extension(into, 17, !crafted->san_not_critical, &value);
}

static void add_extensions(const struct crafted *crafted, struct text *into)
{
    struct text all = {0}, value = {0}, wrapped = {0};
    der_add(&value, 0x30, crafted->basic);
    add_extension(&all, 19, true, &value);
    if (crafted->usage.length > 0) {
        der_add(&value, 0x03, crafted->usage);
        add_extension(&all, 15, true, &value);
    }
    if (crafted->ext_usage.length > 0) {
        der_add(&value, 0x30, crafted->ext_usage);
        add_extension(&all, 37, false, &value);
    }
    add_names(crafted, &all);
    text_add(&all, crafted->extra);
    add_text(&wrapped, 0x30, &all);
    add_text(into, 0xa3, &wrapped);
}

static void add_signature(const struct crafted *crafted, struct text *outer, struct span algorithm)
{
    uint8_t signature[SIGNATURE_BYTES] = {0};
    size_t length = sizeof(signature) - 1;
    EVP_MD_CTX ctx;
    EVP_MD_CTX_init(&ctx);
    bool sha1 = algorithm.length > 2 && algorithm.at[algorithm.length - 1] == 0x01;
    CHECK(
        EVP_DigestSignInit(&ctx, NULL, sha1 ? EVP_sha1() : EVP_sha256(), NULL, crafted->signer) &&
        EVP_DigestSign(&ctx, signature + 1, &length, (const uint8_t *)outer->bytes, outer->length));
    EVP_MD_CTX_cleanup(&ctx);
    if (crafted->break_signature) {
        signature[length - 2] ^= 1;
    }
    text_add(outer, algorithm);
    der_add(outer, 0x03, span_make(signature, length + 1));
}

void crafted_write(const struct crafted *crafted, struct text *ret_der)
{
    struct text tbs = {0}, version = {0}, validity = {0}, outer = {0};
    struct span algorithm = crafted->algorithm.length > 0 ? crafted->algorithm : ECDSA_SHA256;
    if (!crafted->version_1) {
        der_add(&version, 0x02, SPAN("\x02"));
        add_text(&tbs, 0xa0, &version);
    }
    der_add(&tbs, 0x02, SPAN("\x42\x00\x17"));
    text_add(&tbs, crafted->inner_algorithm.length > 0 ? crafted->inner_algorithm : algorithm);
    add_name(&tbs, crafted->issuer);
    add_time(&validity, crafted->not_before_s);
    add_time(&validity, crafted->not_after_s);
    add_text(&tbs, 0x30, &validity);
    add_name(&tbs, crafted->subject);
    key_public_der(crafted->key, &tbs);
    if (!crafted->no_extensions) {
        add_extensions(crafted, &tbs);
    }
    add_text(&outer, 0x30, &tbs);
    add_signature(crafted, &outer, algorithm);
    add_text(ret_der, 0x30, &outer);
    text_add(ret_der, crafted->trailing);
}
