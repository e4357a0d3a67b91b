#ifndef REMORA_CERTS_CERTIFICATE_H
#define REMORA_CERTS_CERTIFICATE_H

#include "lib/base/span.h"

#include <openssl/base.h>

/*
 * An X.509 certificate (RFC 5280), read from DER without X509 objects: lengths and bytes only,
 * every extension at most once, nothing behind the end. Names are compared as bytes, never through
 * GENERAL_NAME_cmp (CVE-2023-0286). All spans point into the DER, which must outlive the struct.
 */
enum { CERTIFICATE_BYTES = 16384, CERTIFICATE_EXTENSIONS = 32, CERTIFICATE_NAMES = 64 };

/* Bits of a key usage (RFC 5280 section 4.2.1.3). */
enum key_usage {
    KEY_USAGE_DIGITAL_SIGNATURE = 1 << 0,
    KEY_USAGE_CERT_SIGN = 1 << 5,
    KEY_USAGE_CRL_SIGN = 1 << 6,
};

/* The subject alternative names. */
struct certificate_names {
    bool present;
    bool critical;
    unsigned uris;
    unsigned dns;
    unsigned others;      /* of any other type */
    struct span uri;      /* the first */
    struct span dns_name; /* the first */
};

struct certificate {
    struct span der;
    struct span tbs; /* what the signature is over, with its header */
    struct span signature;
    uint16_t signature_kind; /* a TLS SignatureScheme of those that are accepted */
    struct span serial;      /* the integer's bytes */
    struct span issuer;      /* DER of the whole Name */
    struct span subject;
    struct span spki; /* DER SubjectPublicKeyInfo */
    int64_t not_before_s;
    int64_t not_after_s;
    bool subject_empty;
    bool is_ca;
    int path_length; /* -1 = no limit */
    bool has_key_usage;
    unsigned key_usage;
    bool has_ext_key_usage;
    bool for_server; /* extended key usage */
    bool for_client;
    struct certificate_names names;
    struct span subject_key_id; /* empty = none */
    struct span authority_key_id;
};

/* False and a static text (which means nothing after true). What is read is well-formed; whether it
 * is trusted is another question.
 */
bool certificate_parse(struct span der, struct certificate *ret, const char **ret_reason);
/* The public key, counted; NULL when it is of no accepted kind (EC P-256, P-384, RSA 2048 to 4096).
 */
EVP_PKEY *certificate_key(const struct certificate *certificate);
bool certificate_signed_by(const struct certificate *certificate, EVP_PKEY *issuer_key);

/*
 * The parts that a certificate signing request has too. extensions: the content of a SEQUENCE OF
 * Extension; an unknown critical one is refused.
 */
bool certificate_parse_extensions(struct span extensions, struct certificate *into,
                                  const char **ret_reason);
/* The scheme of a DER AlgorithmIdentifier, 0 when it is not accepted (SHA-1, MD5, PSS, DSA, ...).
 */
uint16_t certificate_signature_kind(struct span algorithm);
bool certificate_verify(uint16_t signature_kind, EVP_PKEY *key, struct span signed_bytes,
                        struct span signature);
EVP_PKEY *certificate_public_key(struct span spki);

#endif
