#include "certs/certificate.h"

#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/posix_time.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>

#include <string.h>
#include <time.h>

enum { SERIAL_BYTES = 20, RSA_LEAST_BITS = 2048, RSA_MOST_BITS = 4096 };

static struct span span_of_cbs(const CBS *cbs)
{
    return span_make(CBS_data(cbs), CBS_len(cbs));
}

uint16_t certificate_signature_kind(struct span algorithm)
{
    static const struct {
        struct span der;
        uint16_t kind;
    } kinds[] = {
        {SPAN("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"), SSL_SIGN_ECDSA_SECP256R1_SHA256},
        {SPAN("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"), SSL_SIGN_ECDSA_SECP384R1_SHA384},
        {SPAN("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"),
         SSL_SIGN_RSA_PKCS1_SHA256},
        {SPAN("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00"),
         SSL_SIGN_RSA_PKCS1_SHA384},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (span_equal(algorithm, kinds[i].der)) {
            return kinds[i].kind;
        }
    }
    return 0;
}

/* RFC 5280 section 4.1.2.5: UTCTime YYMMDDHHMMSSZ until 2049, GeneralizedTime YYYYMMDDHHMMSSZ
 * after. */
static bool read_time(CBS *from, int64_t *ret_s)
{
    CBS value;
    CBS_ASN1_TAG tag;
    if (!CBS_get_any_asn1(from, &value, &tag)) {
        return false;
    }
    size_t year_digits = tag == CBS_ASN1_UTCTIME ? 2 : 4;
    const uint8_t *at = CBS_data(&value);
    if ((tag != CBS_ASN1_UTCTIME && tag != CBS_ASN1_GENERALIZEDTIME) ||
        CBS_len(&value) != year_digits + 11 || at[year_digits + 10] != 'Z') {
        return false;
    }
    int pairs[7] = {0};
    for (size_t i = 0; i < (year_digits + 10) / 2; i++) {
        if (at[2 * i] < '0' || at[2 * i] > '9' || at[2 * i + 1] < '0' || at[2 * i + 1] > '9') {
            return false;
        }
        pairs[i] = (at[2 * i] - '0') * 10 + at[2 * i + 1] - '0';
    }
    const int *rest = pairs + year_digits / 2;
    int year =
        year_digits == 4 ? pairs[0] * 100 + pairs[1] : pairs[0] + (pairs[0] < 50 ? 2000 : 1900);
    struct tm parts = {.tm_year = year - 1900,
                       .tm_mon = rest[0] - 1,
                       .tm_mday = rest[1],
                       .tm_hour = rest[2],
                       .tm_min = rest[3],
                       .tm_sec = rest[4]};
    return OPENSSL_tm_to_posix(&parts, ret_s) == 1;
}

static bool read_validity(CBS *tbs, struct certificate *ret)
{
    CBS validity;
    return CBS_get_asn1(tbs, &validity, CBS_ASN1_SEQUENCE) &&
           read_time(&validity, &ret->not_before_s) && read_time(&validity, &ret->not_after_s) &&
           CBS_len(&validity) == 0;
}

static bool read_serial(CBS *tbs, struct certificate *ret)
{
    CBS serial;
    if (!CBS_get_asn1(tbs, &serial, CBS_ASN1_INTEGER) || !CBS_is_unsigned_asn1_integer(&serial) ||
        CBS_len(&serial) > SERIAL_BYTES + 1) {
        return false;
    }
    ret->serial = span_of_cbs(&serial);
    return true;
}

static bool read_name(CBS *tbs, struct span *ret, bool *ret_empty)
{
    CBS name, content;
    if (!CBS_get_asn1_element(tbs, &name, CBS_ASN1_SEQUENCE)) {
        return false;
    }
    *ret = span_of_cbs(&name);
    if (!CBS_get_asn1(&name, &content, CBS_ASN1_SEQUENCE)) {
        return false;
    }
    *ret_empty = CBS_len(&content) == 0;
    return true;
}

static bool read_extensions(CBS *tbs, struct certificate *ret, const char **ret_reason)
{
    CBS wrapped, extensions;
    int present;
    if (!CBS_get_optional_asn1(tbs, NULL, NULL, CBS_ASN1_CONTEXT_SPECIFIC | 1) ||
        !CBS_get_optional_asn1(tbs, NULL, NULL, CBS_ASN1_CONTEXT_SPECIFIC | 2) ||
        !CBS_get_optional_asn1(tbs, &wrapped, &present,
                               CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 3) ||
        CBS_len(tbs) != 0) {
        *ret_reason = "the certificate is malformed behind its key";
        return false;
    }
    ret->path_length = -1;
    if (!present) {
        return true;
    }
    if (!CBS_get_asn1(&wrapped, &extensions, CBS_ASN1_SEQUENCE) || CBS_len(&wrapped) != 0 ||
        CBS_len(&extensions) == 0) {
        *ret_reason = "the extensions are malformed";
        return false;
    }
    return certificate_parse_extensions(span_of_cbs(&extensions), ret, ret_reason);
}

static bool read_tbs(CBS *tbs, struct span outer_algorithm, struct certificate *ret,
                     const char **ret_reason)
{
    CBS wrapped, algorithm, spki;
    uint64_t version = 0;
    int has_version = 0;
    bool unused;
    *ret_reason = "the certificate is not of version 3";
    if (!CBS_get_optional_asn1(tbs, &wrapped, &has_version,
                               CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0) ||
        !has_version || !CBS_get_asn1_uint64(&wrapped, &version) || version != 2 ||
        CBS_len(&wrapped) != 0) {
        return false;
    }
    *ret_reason = "the serial number is malformed or longer than 20 bytes";
    if (!read_serial(tbs, ret)) {
        return false;
    }
    *ret_reason = "the two signature algorithms differ";
    if (!CBS_get_asn1_element(tbs, &algorithm, CBS_ASN1_SEQUENCE) ||
        !span_equal(span_of_cbs(&algorithm), outer_algorithm)) {
        return false;
    }
    *ret_reason = "issuer, validity, subject or key is malformed";
    if (!read_name(tbs, &ret->issuer, &unused) || !read_validity(tbs, ret) ||
        !read_name(tbs, &ret->subject, &ret->subject_empty) ||
        !CBS_get_asn1_element(tbs, &spki, CBS_ASN1_SEQUENCE)) {
        return false;
    }
    ret->spki = span_of_cbs(&spki);
    return read_extensions(tbs, ret, ret_reason);
}

bool certificate_parse(struct span der, struct certificate *ret, const char **ret_reason)
{
    if (der.length > CERTIFICATE_BYTES) {
        *ret_reason = "the certificate is longer than 16 KiB";
        return false;
    }
    CBS all, outer, tbs_element, tbs, algorithm, signature;
    uint8_t unused_bits;
    CBS_init(&all, (const uint8_t *)der.at, der.length);
    *ret_reason = "not a DER certificate";
    if (!CBS_get_asn1(&all, &outer, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1_element(&outer, &tbs_element, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1_element(&outer, &algorithm, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&outer, &signature, CBS_ASN1_BITSTRING) ||
        !CBS_get_u8(&signature, &unused_bits) || unused_bits != 0) {
        return false;
    }
    *ret_reason = "bytes are left over behind the certificate";
    if (CBS_len(&all) != 0 || CBS_len(&outer) != 0) {
        return false;
    }
    struct certificate read = {
        .der = der, .tbs = span_of_cbs(&tbs_element), .signature = span_of_cbs(&signature)};
    read.signature_kind = certificate_signature_kind(span_of_cbs(&algorithm));
    if (read.signature_kind == 0) {
        *ret_reason = "the signature algorithm is not accepted";
        return false;
    }
    if (!CBS_get_asn1(&tbs_element, &tbs, CBS_ASN1_SEQUENCE) ||
        !read_tbs(&tbs, span_of_cbs(&algorithm), &read, ret_reason)) {
        return false;
    }
    *ret = read;
    return true;
}

static bool key_accepted(const EVP_PKEY *key)
{
    if (EVP_PKEY_id(key) == EVP_PKEY_EC) {
        int curve = EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key)));
        return curve == NID_X9_62_prime256v1 || curve == NID_secp384r1;
    }
    int bits = EVP_PKEY_bits(key);
    return EVP_PKEY_id(key) == EVP_PKEY_RSA && bits >= RSA_LEAST_BITS && bits <= RSA_MOST_BITS;
}

EVP_PKEY *certificate_public_key(struct span spki)
{
    CBS cbs;
    CBS_init(&cbs, (const uint8_t *)spki.at, spki.length);
    EVP_PKEY *key = EVP_parse_public_key(&cbs);
    ERR_clear_error();
    if (key != NULL && (CBS_len(&cbs) != 0 || !key_accepted(key))) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

EVP_PKEY *certificate_key(const struct certificate *certificate)
{
    return certificate_public_key(certificate->spki);
}

bool certificate_verify(uint16_t signature_kind, EVP_PKEY *key, struct span signed_bytes,
                        struct span signature)
{
    bool is_rsa =
        signature_kind == SSL_SIGN_RSA_PKCS1_SHA256 || signature_kind == SSL_SIGN_RSA_PKCS1_SHA384;
    if ((EVP_PKEY_id(key) == EVP_PKEY_RSA) != is_rsa) {
        return false;
    }
    bool is_384 = signature_kind == SSL_SIGN_RSA_PKCS1_SHA384 ||
                  signature_kind == SSL_SIGN_ECDSA_SECP384R1_SHA384;
    EVP_MD_CTX ctx;
    EVP_MD_CTX_init(&ctx);
    bool good =
        EVP_DigestVerifyInit(&ctx, NULL, is_384 ? EVP_sha384() : EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestVerify(&ctx, (const uint8_t *)signature.at, signature.length,
                         (const uint8_t *)signed_bytes.at, signed_bytes.length) == 1;
    EVP_MD_CTX_cleanup(&ctx);
    ERR_clear_error();
    return good;
}

bool certificate_signed_by(const struct certificate *certificate, EVP_PKEY *issuer_key)
{
    return certificate_verify(certificate->signature_kind, issuer_key, certificate->tbs,
                              certificate->signature);
}
