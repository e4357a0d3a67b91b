#ifndef REMORA_TESTS_UNIT_CERTS_CRAFTED_CERTIFICATE_H
#define REMORA_TESTS_UNIT_CERTS_CRAFTED_CERTIFICATE_H

#include "lib/base/text.h"

#include <openssl/base.h>

/*
 * Certificates as an attacker would write them: every part of the DER can be spoiled on its own, so
 * that each case has exactly one fault. crafted_leaf gives a faultless one to start from.
 */
enum { CRAFTED_NAMES = 4, CRAFTED_NOW_S = 1780000000 };

struct crafted_name {
    unsigned char
        tag; /* 0x86 URI, 0x82 DNS, 0xa0 otherName, 0xa3 x400Address, 0xa4 directoryName */
    struct span bytes;
};

struct crafted {
    EVP_PKEY *key;
    EVP_PKEY *signer;
    const char *issuer;  /* common names */
    const char *subject; /* NULL = empty */
    int64_t not_before_s;
    int64_t not_after_s;
    struct crafted_name names[CRAFTED_NAMES];
    struct span basic;           /* content of the BasicConstraints sequence */
    struct span usage;           /* content of the KeyUsage bit string; empty = no extension */
    struct span ext_usage;       /* content of the ExtKeyUsage sequence; empty = no extension */
    struct span extra;           /* whole further Extensions */
    struct span trailing;        /* behind the certificate */
    struct span algorithm;       /* AlgorithmIdentifier; empty = ecdsa-with-SHA256 */
    struct span inner_algorithm; /* empty = the same */
    bool san_not_critical;
    bool version_1;
    bool no_extensions;
    bool break_signature;
};

#define CRAFTED_SERVER_AUTH "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01"
#define CRAFTED_CLIENT_AUTH "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02"

/* A leaf of spiffe://td.test/ns/shop/sa/web under "signer". */
struct crafted crafted_leaf(EVP_PKEY *key, EVP_PKEY *signer, const char *issuer);
struct crafted crafted_signer(EVP_PKEY *key, const char *subject, EVP_PKEY *signer,
                              const char *issuer);
void crafted_write(const struct crafted *crafted, struct text *ret_der);

/* One tag, length, value. */
void der_add(struct text *into, unsigned char tag, struct span value);

#endif
