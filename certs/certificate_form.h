#ifndef REMORA_CERTS_CERTIFICATE_FORM_H
#define REMORA_CERTS_CERTIFICATE_FORM_H

#include "lib/base/span.h"
#include "lib/base/text.h"

#include <openssl/base.h>

/*
 * What is to stand in a new certificate, and its writing in DER (RFC 5280). No judgement here: the
 * authority decides. Usages follow from is_ca: a signer gets keyCertSign and cRLSign, a leaf
 * digitalSignature with both serverAuth and clientAuth (X.509-SVID sections 4.1 to 4.4).
 */
enum { CERTIFICATE_SERIAL_BYTES = 16 };

struct certificate_form {
    struct span issuer; /* DER Name; empty = the same as the subject (self-signed) */
    /* Of the issuer's certificate, which others may have made: chains are built by it (RFC 5280
     * 4.2.1.1). Empty = it has none, or is one of ours. */
    struct span issuer_key_id;
    struct span
        common_name;      /* of the subject; empty = empty subject, and the SAN becomes critical */
    int64_t not_before_s; /* wall clock */
    int64_t not_after_s;
    EVP_PKEY *subject_key;
    bool is_ca;
    int path_length; /* signers only; -1 = no limit */
    struct span uri; /* SAN; empty = none */
    const struct span *dns_names;
    size_t dns_count;
};

/* Appends the DER of the certificate, with a random serial; signer: EC P-256 or P-384. */
void certificate_form_sign(const struct certificate_form *form, EVP_PKEY *signer,
                           struct text *ret_der);

/* SubjectPublicKeyInfo in DER, appended. */
void key_public_der(const EVP_PKEY *key, struct text *ret_der);

#endif
