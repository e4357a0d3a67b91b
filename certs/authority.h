#ifndef REMORA_CERTS_AUTHORITY_H
#define REMORA_CERTS_AUTHORITY_H

#include "certs/certificate_list.h"
#include "certs/spiffe_id.h"

#include <openssl/base.h>

/*
 * Signs leaves, and refuses. The identity comes from the caller, who learned it from the
 * requester's token; a request that asks for anything else is refused, never corrected (SPIRE
 * CVE-2021-27098, istiod CVE-2022-39388). Immutable after create: any thread.
 */
enum {
    AUTHORITY_LEAF_S = 24 * 3600, /* the most a leaf may live */
    AUTHORITY_BACKDATE_S = 60,    /* NotBefore lies so far back, for clocks that differ */
    AUTHORITY_ROOT_S = 10 * 365 * 24 * 3600,
    AUTHORITY_INTERMEDIATE_S = 365 * 24 * 3600,
    AUTHORITY_LEAF_LEAST_S = 1,
    AUTHORITY_REASON_BYTES = 160,
    AUTHORITY_DNS_NAMES = 16,
};

struct authority;

struct authority_spec {
    struct span trust_domain;
    /* DER: the signer first, then what is above it; the root may be last. Checked to hold together.
     */
    const struct span *chain;
    size_t chain_count;
    EVP_PKEY *key; /* of the signer, EC P-256; a reference is taken */
};

/* NULL and a static text when key, chain and trust domain do not fit. Copies. */
struct authority *authority_create(const struct authority_spec *spec, const char **ret_reason);
void authority_destroy(struct authority *authority);
/* Wall clock: when the signer ends. */
int64_t authority_not_after_s(const struct authority *authority);

struct authority_wish {
    struct span csr;     /* DER */
    struct spiffe_id id; /* what the requester may have */
    /* DNS names the leaf gets too (servers of the control plane); never taken from the request. */
    const struct span *dns_names;
    size_t dns_count;
    int64_t lifetime_s; /* 0 = the most there is */
};

/*
 * Appends leaf and chain to *ret_chain, leaf first, root last if it was in the spec. A lifetime
 * beyond 24 h or the signer's own end is cut. False and a text in reason (AUTHORITY_REASON_BYTES)
 * when: the request is malformed, not signed by its key, not EC P-256, wants to be a CA, asks for
 * another URI or any other name; the id is of another trust domain or has no path; the signer is at
 * its end.
 */
bool authority_sign(const struct authority *authority, const struct authority_wish *wish,
                    struct certificate_list *ret_chain, int64_t *ret_not_after_s, char *reason);

/* Signers. Append DER. Self-signed, 10 years; signed by it, 1 year or less, for leaves only. */
void authority_make_root(EVP_PKEY *key, struct span trust_domain, struct text *ret_der);
bool authority_make_intermediate(EVP_PKEY *root_key, struct span root_der, EVP_PKEY *key,
                                 struct span trust_domain, struct text *ret_der,
                                 const char **ret_reason);

#endif
