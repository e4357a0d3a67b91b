#ifndef REMORA_TESTS_CONTROL_SERVE_CRAFTED_CSR_H
#define REMORA_TESTS_CONTROL_SERVE_CRAFTED_CSR_H

#include "lib/base/text.h"

#include <openssl/base.h>

/* Signing requests as a hostile program would make them, with the library's own writer. */
struct crafted_csr {
    EVP_PKEY *key;            /* NULL = a fresh EC P-256 key */
    const char *alternatives; /* OpenSSL's words: "URI:spiffe://a,DNS:b"; NULL = none */
    const char *constraints;  /* "CA:TRUE"; NULL = none */
    const char *usage;        /* "keyCertSign"; NULL = none */
    const char *common_name;
    bool breaks_signature;
};

void crafted_csr_pem(const struct crafted_csr *wish, struct text *ret_pem);
EVP_PKEY *crafted_rsa(int bits);
EVP_PKEY *crafted_ec(int curve);

#endif
