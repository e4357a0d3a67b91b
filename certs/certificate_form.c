#include "certs/certificate_form.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"

#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/posix_time.h>
#include <openssl/sha2.h>

#include <stdio.h>
#include <time.h>

/*
 * BoringSSL's writer fails only when memory is gone or the caller nests wrongly, and then stays
 * failed, so that one check at the end is enough.
 */
static void add_element(CBB *out, CBS_ASN1_TAG tag, const void *bytes, size_t length)
{
    CBB child;
    CHECK(CBB_add_asn1(out, &child, tag) && CBB_add_bytes(&child, bytes, length) && CBB_flush(out));
}

static void add_span(CBB *out, struct span bytes)
{
    CHECK(CBB_add_bytes(out, (const uint8_t *)bytes.at, bytes.length));
}

static void add_oid(CBB *out, struct span oid)
{
    add_element(out, CBS_ASN1_OBJECT, oid.at, oid.length);
}

static bool is_p384(const EVP_PKEY *key)
{
    return EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key))) == NID_secp384r1;
}

static void add_algorithm(CBB *out, const EVP_PKEY *signer)
{
    CBB sequence;
    CHECK(CBB_add_asn1(out, &sequence, CBS_ASN1_SEQUENCE));
    add_oid(&sequence, is_p384(signer) ? SPAN("\x2a\x86\x48\xce\x3d\x04\x03\x03")
                                       : SPAN("\x2a\x86\x48\xce\x3d\x04\x03\x02"));
    CHECK(CBB_flush(out));
}

static void add_serial(CBB *out)
{
    uint8_t serial[CERTIFICATE_SERIAL_BYTES];
    random_secret(serial, sizeof(serial));
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, and never shorter */
    add_element(out, CBS_ASN1_INTEGER, serial, sizeof(serial));
}

static void add_name(CBB *out, struct span common_name)
{
    CBB name, set, attribute;
    CHECK(CBB_add_asn1(out, &name, CBS_ASN1_SEQUENCE));
    if (common_name.length > 0) {
        CHECK(CBB_add_asn1(&name, &set, CBS_ASN1_SET) &&
              CBB_add_asn1(&set, &attribute, CBS_ASN1_SEQUENCE));
        add_oid(&attribute, SPAN("\x55\x04\x03"));
        add_element(&attribute, CBS_ASN1_UTF8STRING, common_name.at, common_name.length);
    }
    CHECK(CBB_flush(out));
}

static void add_time(CBB *out, int64_t at_s)
{
    enum { YEAR_2050 = 150 };
    struct tm parts;
    CHECK(OPENSSL_posix_to_tm(at_s, &parts) == 1);
    char text[32];
    bool utc = parts.tm_year < YEAR_2050;
    int length = utc ? snprintf(text, sizeof(text), "%02d", parts.tm_year % 100)
                     : snprintf(text, sizeof(text), "%04d", parts.tm_year + 1900);
    length += snprintf(text + length, sizeof(text) - (size_t)length, "%02d%02d%02d%02d%02dZ",
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    add_element(out, utc ? CBS_ASN1_UTCTIME : CBS_ASN1_GENERALIZEDTIME, text, (size_t)length);
}

/* Opens an extension; the caller fills *ret_value and flushes extensions. */
static void begin_extension(CBB *extensions, uint8_t number, bool critical, CBB *extension,
                            CBB *ret_value)
{
    const char oid[] = {0x55, 0x1d, (char)number};
    CHECK(CBB_add_asn1(extensions, extension, CBS_ASN1_SEQUENCE));
    add_oid(extension, span_make(oid, sizeof(oid)));
    CHECK((!critical || CBB_add_asn1_bool(extension, 1)) &&
          CBB_add_asn1(extension, ret_value, CBS_ASN1_OCTETSTRING));
}

static void add_usage(CBB *extensions, const struct certificate_form *form)
{
    CBB extension, value, sequence;
    begin_extension(extensions, 19, true, &extension, &value);
    CHECK(CBB_add_asn1(&value, &sequence, CBS_ASN1_SEQUENCE));
    if (form->is_ca) {
        CHECK(CBB_add_asn1_bool(&sequence, 1));
        if (form->path_length >= 0) {
            CHECK(CBB_add_asn1_uint64(&sequence, (uint64_t)form->path_length));
        }
    }
    CHECK(CBB_flush(extensions));

    begin_extension(extensions, 15, true, &extension, &value);
    /* First byte: unused bits. keyCertSign is bit 5, cRLSign 6, digitalSignature 0. */
    struct span bits = form->is_ca ? SPAN("\x01\x06") : SPAN("\x07\x80");
    add_element(&value, CBS_ASN1_BITSTRING, bits.at, bits.length);
    CHECK(CBB_flush(extensions));

    if (!form->is_ca) {
        begin_extension(extensions, 37, false, &extension, &value);
        CHECK(CBB_add_asn1(&value, &sequence, CBS_ASN1_SEQUENCE));
        add_oid(&sequence, SPAN("\x2b\x06\x01\x05\x05\x07\x03\x01"));
        add_oid(&sequence, SPAN("\x2b\x06\x01\x05\x05\x07\x03\x02"));
        CHECK(CBB_flush(extensions));
    }
}

static void add_names(CBB *extensions, const struct certificate_form *form)
{
    if (form->uri.length == 0 && form->dns_count == 0) {
        return;
    }
    CBB extension, value, sequence;
    begin_extension(extensions, 17, form->common_name.length == 0, &extension, &value);
    CHECK(CBB_add_asn1(&value, &sequence, CBS_ASN1_SEQUENCE));
    if (form->uri.length > 0) {
        add_element(&sequence, CBS_ASN1_CONTEXT_SPECIFIC | 6, form->uri.at, form->uri.length);
    }
    for (size_t i = 0; i < form->dns_count; i++) {
        add_element(&sequence, CBS_ASN1_CONTEXT_SPECIFIC | 2, form->dns_names[i].at,
                    form->dns_names[i].length);
    }
    CHECK(CBB_flush(extensions));
}

void key_public_der(const EVP_PKEY *key, struct text *ret_der)
{
    CBB cbb;
    uint8_t *bytes;
    size_t length;
    CHECK(CBB_init(&cbb, 128) && EVP_marshal_public_key(&cbb, key) &&
          CBB_finish(&cbb, &bytes, &length));
    text_add(ret_der, span_make(bytes, length));
    OPENSSL_free(bytes);
}

/* RFC 7093 section 2, method 1: the leftmost 160 bits of SHA-256 over the key. */
static void key_id(const EVP_PKEY *key, uint8_t *into)
{
    struct text der = {0};
    key_public_der(key, &der);
    SHA256((const uint8_t *)der.bytes, der.length, into);
    text_done(&der);
}

static void add_key_ids(CBB *extensions, const struct certificate_form *form, EVP_PKEY *signer)
{
    enum { KEY_ID_BYTES = 20 };
    uint8_t digest[SHA256_DIGEST_LENGTH];
    CBB extension, value, sequence;
    key_id(form->subject_key, digest);
    begin_extension(extensions, 14, false, &extension, &value);
    add_element(&value, CBS_ASN1_OCTETSTRING, digest, KEY_ID_BYTES);
    CHECK(CBB_flush(extensions));

    key_id(signer, digest);
    struct span issuer =
        form->issuer_key_id.length > 0 ? form->issuer_key_id : span_make(digest, KEY_ID_BYTES);
    begin_extension(extensions, 35, false, &extension, &value);
    CHECK(CBB_add_asn1(&value, &sequence, CBS_ASN1_SEQUENCE));
    add_element(&sequence, CBS_ASN1_CONTEXT_SPECIFIC | 0, issuer.at, issuer.length);
    CHECK(CBB_flush(extensions));
}

static void write_tbs(const struct certificate_form *form, EVP_PKEY *signer, CBB *out)
{
    CBB tbs, version, validity, wrapped, extensions;
    CHECK(CBB_add_asn1(out, &tbs, CBS_ASN1_SEQUENCE) &&
          CBB_add_asn1(&tbs, &version, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0) &&
          CBB_add_asn1_uint64(&version, 2) && CBB_flush(&tbs));
    add_serial(&tbs);
    add_algorithm(&tbs, signer);
    if (form->issuer.length > 0) {
        add_span(&tbs, form->issuer);
    } else {
        add_name(&tbs, form->common_name);
    }
    CHECK(CBB_add_asn1(&tbs, &validity, CBS_ASN1_SEQUENCE));
    add_time(&validity, form->not_before_s);
    add_time(&validity, form->not_after_s);
    CHECK(CBB_flush(&tbs));
    add_name(&tbs, form->common_name);
    CHECK(EVP_marshal_public_key(&tbs, form->subject_key) &&
          CBB_add_asn1(&tbs, &wrapped, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 3) &&
          CBB_add_asn1(&wrapped, &extensions, CBS_ASN1_SEQUENCE));
    add_usage(&extensions, form);
    add_names(&extensions, form);
    add_key_ids(&extensions, form, signer);
    CHECK(CBB_flush(out));
}

void certificate_form_sign(const struct certificate_form *form, EVP_PKEY *signer,
                           struct text *ret_der)
{
    CBB tbs, all, outer, bits;
    uint8_t *bytes;
    size_t length;
    CHECK(CBB_init(&tbs, 1024));
    write_tbs(form, signer, &tbs);
    CHECK(CBB_finish(&tbs, &bytes, &length));

    uint8_t signature[256];
    size_t signature_length = sizeof(signature);
    EVP_MD_CTX ctx;
    EVP_MD_CTX_init(&ctx);
    CHECK(EVP_DigestSignInit(&ctx, NULL, is_p384(signer) ? EVP_sha384() : EVP_sha256(), NULL,
                             signer) == 1 &&
          EVP_DigestSign(&ctx, signature, &signature_length, bytes, length) == 1);
    EVP_MD_CTX_cleanup(&ctx);

    CHECK(CBB_init(&all, length + 256) && CBB_add_asn1(&all, &outer, CBS_ASN1_SEQUENCE) &&
          CBB_add_bytes(&outer, bytes, length));
    OPENSSL_free(bytes);
    add_algorithm(&outer, signer);
    CHECK(CBB_add_asn1(&outer, &bits, CBS_ASN1_BITSTRING) && CBB_add_u8(&bits, 0) &&
          CBB_add_bytes(&bits, signature, signature_length) && CBB_finish(&all, &bytes, &length));
    text_add(ret_der, span_make(bytes, length));
    OPENSSL_free(bytes);
}
