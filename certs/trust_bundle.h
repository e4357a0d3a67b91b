#ifndef REMORA_CERTS_TRUST_BUNDLE_H
#define REMORA_CERTS_TRUST_BUNDLE_H

#include "certs/certificate.h"
#include "lib/base/text.h"

/*
 * The roots that are trusted, for each trust domain its own (SPIFFE Trust Domain and Bundle,
 * section 4): a root of one domain never vouches for an id of another. Several roots a domain
 * overlap during a rotation. Filled by one thread, then published and never changed again; counted
 * (atomic).
 */
enum { TRUST_BUNDLE_ROOTS = 64, TRUST_BUNDLE_DOMAINS = 256 };

struct trust_root {
    struct certificate certificate; /* the DER is the bundle's */
    EVP_PKEY *key;
};

struct trust_domain_roots {
    struct span name;
    struct trust_root *roots;
    size_t count;
};

struct trust_bundle;

struct trust_bundle *trust_bundle_create(void);
struct trust_bundle *trust_bundle_ref(struct trust_bundle *bundle);
/* Takes NULL. */
void trust_bundle_unref(struct trust_bundle *bundle);

/*
 * Before publishing. The certificate must be a signer (CA:TRUE, keyCertSign if it has a key usage);
 * the same one again is no error. False and a static text otherwise, and nothing added.
 */
bool trust_bundle_add(struct trust_bundle *bundle, struct span trust_domain, struct span der,
                      const char **ret_reason);
/* Every certificate of a PEM text. What was added before the failing one stays. */
bool trust_bundle_add_pem(struct trust_bundle *bundle, struct span trust_domain, struct span pem,
                          const char **ret_reason);

/* NULL when the domain is not known. Names compare whole. */
const struct trust_domain_roots *trust_bundle_find(const struct trust_bundle *bundle,
                                                   struct span trust_domain);
size_t trust_bundle_domains(const struct trust_bundle *bundle,
                            const struct trust_domain_roots **ret_domains);
/* Appends the roots of one domain; nothing when it is not known. */
void trust_bundle_to_pem(const struct trust_bundle *bundle, struct span trust_domain,
                         struct text *ret_pem);
/* The same domains with the same roots, in any order. */
bool trust_bundle_equal(const struct trust_bundle *a, const struct trust_bundle *b);

#endif
