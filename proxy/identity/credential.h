#ifndef REMORA_PROXY_IDENTITY_CREDENTIAL_H
#define REMORA_PROXY_IDENTITY_CREDENTIAL_H

#include "certs/certificate_list.h"
#include "certs/leaf_verify.h"

/*
 * A key with the certificates that vouch for it: what this workload shows to peers. All zero =
 * none.
 */
enum { CREDENTIAL_SERIAL_BYTES = 48, CREDENTIAL_CHAIN = 8 };

struct credential {
    EVP_PKEY *key;                 /* NULL = none */
    struct certificate_list chain; /* leaf first, without the root */
    int64_t not_before_s;          /* of the leaf, wall clock */
    int64_t not_after_s;
    char serial[CREDENTIAL_SERIAL_BYTES]; /* hexadecimal */
};

/*
 * Takes a chain as it came (PEM parts, leaf first, the root last or left out) for what it says: the
 * leaf has this key, exactly this id, keeps the rules of leaf_verify.h and is valid at now_s.
 * Whether anybody trusts it is another question (credential_holds). A root at its end is not kept
 * but copied to *ret_root. False and a static text.
 */
bool credential_read(EVP_PKEY *key, struct span id, const struct span *chain_pem, size_t count,
                     int64_t now_s, struct credential *ret, struct certificate_list *ret_root,
                     const char **ret_reason);
/* Peers with this bundle would accept it now. reason: TLS_REASON_BYTES. */
bool credential_holds(const struct credential *credential, struct trust_bundle *bundle,
                      char *reason);
void credential_done(struct credential *credential);

#endif
