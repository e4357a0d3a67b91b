#ifndef REMORA_CERTS_CSR_H
#define REMORA_CERTS_CSR_H

#include "certs/certificate.h"
#include "lib/base/text.h"

/* Certificate signing requests (PKCS#10, RFC 2986). */
enum { CSR_BYTES = 16384 };

/* Appends a DER request with an empty subject, one URI SAN (empty = none), signed by key (EC
 * P-256). */
void csr_make(EVP_PKEY *key, struct span uri, struct text *ret_der);
void csr_to_pem(struct span der, struct text *ret_pem);
/* The DER of the one CERTIFICATE REQUEST in a PEM text, appended; a DER text is taken as it is. */
bool csr_from_text(struct span text, struct text *ret_der, const char **ret_reason);

/* What a request asks for. It is a wish: the signer decides. Spans point into the DER. */
struct csr {
    EVP_PKEY *key; /* EC P-256; csr_done frees it */
    bool subject_empty;
    bool wants_ca;
    struct certificate_names names;
};

/*
 * False and a static text when it is malformed, its own signature does not verify, its key is not
 * EC P-256, or it has an unknown critical extension.
 */
bool csr_check(struct span der, struct csr *ret, const char **ret_reason);
void csr_done(struct csr *csr);

#endif
