#include "certs/csr.h"

#include "certs/certificate_form.h"
#include "certs/key_pair.h"
#include "lib/base/check.h"

#include <openssl/bio.h>
#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <string.h>

#define ECDSA_SHA256 SPAN("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")
/* 1.2.840.113549.1.9.14, extensionRequest (RFC 2985 section 5.4.2). */
#define EXTENSION_REQUEST SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e")
#define ATTRIBUTES_TAG (CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0U)

static struct span span_of_cbs(const CBS *cbs)
{
    return span_make(CBS_data(cbs), CBS_len(cbs));
}

static void add_element(CBB *out, CBS_ASN1_TAG tag, struct span bytes)
{
    CBB child;
    CHECK(CBB_add_asn1(out, &child, tag) &&
          CBB_add_bytes(&child, (const uint8_t *)bytes.at, bytes.length) && CBB_flush(out));
}

static void write_attributes(CBB *request, struct span uri)
{
    CBB attributes, attribute, set, extensions, extension, value, names;
    CHECK(CBB_add_asn1(request, &attributes, ATTRIBUTES_TAG));
    if (uri.length > 0) {
        CHECK(CBB_add_asn1(&attributes, &attribute, CBS_ASN1_SEQUENCE));
        add_element(&attribute, CBS_ASN1_OBJECT, EXTENSION_REQUEST);
        CHECK(CBB_add_asn1(&attribute, &set, CBS_ASN1_SET) &&
              CBB_add_asn1(&set, &extensions, CBS_ASN1_SEQUENCE) &&
              CBB_add_asn1(&extensions, &extension, CBS_ASN1_SEQUENCE));
        add_element(&extension, CBS_ASN1_OBJECT, SPAN("\x55\x1d\x11"));
        CHECK(CBB_add_asn1_bool(&extension, 1) &&
              CBB_add_asn1(&extension, &value, CBS_ASN1_OCTETSTRING) &&
              CBB_add_asn1(&value, &names, CBS_ASN1_SEQUENCE));
        add_element(&names, CBS_ASN1_CONTEXT_SPECIFIC | 6, uri);
    }
    CHECK(CBB_flush(request));
}

void csr_make(EVP_PKEY *key, struct span uri, struct text *ret_der)
{
    CBB cbb, request, name;
    uint8_t *bytes;
    size_t length;
    CHECK(CBB_init(&cbb, 512) && CBB_add_asn1(&cbb, &request, CBS_ASN1_SEQUENCE) &&
          CBB_add_asn1_uint64(&request, 0) && CBB_add_asn1(&request, &name, CBS_ASN1_SEQUENCE) &&
          CBB_flush(&request) && EVP_marshal_public_key(&request, key));
    write_attributes(&request, uri);
    CHECK(CBB_finish(&cbb, &bytes, &length));

    uint8_t signature[256];
    size_t signature_length = sizeof(signature);
    EVP_MD_CTX ctx;
    EVP_MD_CTX_init(&ctx);
    CHECK(EVP_DigestSignInit(&ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
          EVP_DigestSign(&ctx, signature, &signature_length, bytes, length) == 1);
    EVP_MD_CTX_cleanup(&ctx);

    CBB outer, bits;
    CHECK(CBB_init(&cbb, length + 128) && CBB_add_asn1(&cbb, &outer, CBS_ASN1_SEQUENCE) &&
          CBB_add_bytes(&outer, bytes, length) &&
          CBB_add_bytes(&outer, (const uint8_t *)ECDSA_SHA256.at, ECDSA_SHA256.length) &&
          CBB_add_asn1(&outer, &bits, CBS_ASN1_BITSTRING) && CBB_add_u8(&bits, 0) &&
          CBB_add_bytes(&bits, signature, signature_length));
    OPENSSL_free(bytes);
    CHECK(CBB_finish(&cbb, &bytes, &length));
    text_add(ret_der, span_make(bytes, length));
    OPENSSL_free(bytes);
}

void csr_to_pem(struct span der, struct text *ret_pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const uint8_t *bytes;
    size_t length;
    CHECK(bio != NULL &&
          PEM_write_bio(bio, "CERTIFICATE REQUEST", "", (const unsigned char *)der.at,
                        (long)der.length) > 0 &&
          BIO_mem_contents(bio, &bytes, &length) == 1);
    text_add(ret_pem, span_make(bytes, length));
    BIO_free(bio);
}

bool csr_from_text(struct span text, struct text *ret_der, const char **ret_reason)
{
    if (text.length == 0 || text.length > CSR_BYTES) {
        *ret_reason = "the request is empty or longer than 16 KiB";
        return false;
    }
    if (text.at[0] == 0x30) {
        text_add(ret_der, text);
        return true;
    }
    BIO *bio = BIO_new_mem_buf(text.at, (int)text.length);
    CHECK(bio != NULL);
    char *name, *header;
    unsigned char *bytes;
    long length;
    bool good = false;
    *ret_reason = "not a PEM certificate request";
    if (PEM_read_bio(bio, &name, &header, &bytes, &length) == 1) {
        good = strcmp(name, "CERTIFICATE REQUEST") == 0;
        if (good) {
            text_add(ret_der, span_make(bytes, (size_t)length));
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(bytes);
    }
    if (good && PEM_read_bio(bio, &name, &header, &bytes, &length) == 1) {
        /* Which of the two was meant? */
        *ret_reason = "more than one PEM block";
        text_clear(ret_der);
        good = false;
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(bytes);
    }
    BIO_free(bio);
    ERR_clear_error();
    return good;
}

static bool read_attributes(CBS *attributes, struct csr *into, const char **ret_reason)
{
    bool seen = false;
    while (CBS_len(attributes) > 0) {
        CBS attribute, oid, values, extensions;
        *ret_reason = "an attribute of the request is malformed";
        if (!CBS_get_asn1(attributes, &attribute, CBS_ASN1_SEQUENCE) ||
            !CBS_get_asn1(&attribute, &oid, CBS_ASN1_OBJECT) ||
            !CBS_get_asn1(&attribute, &values, CBS_ASN1_SET) || CBS_len(&attribute) != 0) {
            return false;
        }
        if (!span_equal(span_of_cbs(&oid), EXTENSION_REQUEST)) {
            continue;
        }
        if (seen || !CBS_get_asn1(&values, &extensions, CBS_ASN1_SEQUENCE) ||
            CBS_len(&values) != 0) {
            return false;
        }
        seen = true;
        struct certificate wished = {0};
        if (!certificate_parse_extensions(span_of_cbs(&extensions), &wished, ret_reason)) {
            return false;
        }
        into->names = wished.names;
        into->wants_ca = wished.is_ca || (wished.key_usage & KEY_USAGE_CERT_SIGN) != 0;
    }
    return true;
}

/* The key, taken only when it is EC P-256. */
static EVP_PKEY *read_key(CBS *request)
{
    CBS spki;
    if (!CBS_get_asn1_element(request, &spki, CBS_ASN1_SEQUENCE)) {
        return NULL;
    }
    EVP_PKEY *key = certificate_public_key(span_of_cbs(&spki));
    if (key != NULL && !key_is_p256(key)) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

bool csr_check(struct span der, struct csr *ret, const char **ret_reason)
{
    CBS all, outer, element, request, name, algorithm, signature, attributes;
    uint8_t unused_bits;
    uint64_t version;
    int has_attributes;
    CBS_init(&all, (const uint8_t *)der.at, der.length);
    *ret_reason = "not a DER certificate request";
    if (der.length > CSR_BYTES || !CBS_get_asn1(&all, &outer, CBS_ASN1_SEQUENCE) ||
        CBS_len(&all) != 0 || !CBS_get_asn1_element(&outer, &element, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1_element(&outer, &algorithm, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&outer, &signature, CBS_ASN1_BITSTRING) || CBS_len(&outer) != 0 ||
        !CBS_get_u8(&signature, &unused_bits) || unused_bits != 0) {
        return false;
    }
    CBS copy = element;
    if (!CBS_get_asn1(&copy, &request, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1_uint64(&request, &version) || version != 0 ||
        !CBS_get_asn1(&request, &name, CBS_ASN1_SEQUENCE)) {
        return false;
    }
    struct csr read = {.subject_empty = CBS_len(&name) == 0};
    read.key = read_key(&request);
    if (read.key == NULL) {
        *ret_reason = "the key of the request is not EC P-256";
        return false;
    }
    bool good = CBS_get_optional_asn1(&request, &attributes, &has_attributes, ATTRIBUTES_TAG) &&
                CBS_len(&request) == 0 &&
                (!has_attributes || read_attributes(&attributes, &read, ret_reason));
    if (good &&
        (certificate_signature_kind(span_of_cbs(&algorithm)) != SSL_SIGN_ECDSA_SECP256R1_SHA256 ||
         !certificate_verify(SSL_SIGN_ECDSA_SECP256R1_SHA256, read.key, span_of_cbs(&element),
                             span_of_cbs(&signature)))) {
        *ret_reason = "the request is not signed by its own key";
        good = false;
    }
    if (!good) {
        csr_done(&read);
        return false;
    }
    *ret = read;
    return true;
}

void csr_done(struct csr *csr)
{
    EVP_PKEY_free(csr->key);
    csr->key = NULL;
}
