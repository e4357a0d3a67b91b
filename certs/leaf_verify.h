#ifndef REMORA_CERTS_LEAF_VERIFY_H
#define REMORA_CERTS_LEAF_VERIFY_H

#include "certs/spiffe_id.h"
#include "certs/trust_bundle.h"
#include "lib/tls/tls_config.h"

/*
 * THE verifier of every TLS peer inside the mesh (X.509-SVID sections 2 to 5; RFC 5280 section 6).
 * A peer is accepted when its leaf
 *   - has exactly one URI SAN, a SPIFFE id with a path; other SANs may only be DNS names;
 *   - is no CA, may sign digitally, may not sign certificates or CRLs;
 *   - has an EC P-256 key, and both serverAuth and clientAuth where it has an extended key usage;
 *   - is valid now by the wall clock, as is every certificate above it;
 *   - chains by names and signatures, over at most three intermediates in order, to a root that the
 *     bundle has for exactly the trust domain of the id;
 *   - is not on the deny list.
 * Any thread; one lock, held only to look into the cache. A verified leaf is remembered by its
 * SHA-256 until it or its chain ends or the bundle changes; time and deny list are asked each time.
 */
enum { LEAF_CHAIN_CERTIFICATES = 4 };

/* True refuses. Runs in any thread that has a handshake; must not block. */
typedef bool leaf_denied(void *owner, const struct spiffe_id *id, struct span serial);

struct leaf_verify;

/* A reference on bundle is taken. bundle NULL: nobody is accepted until there is one. */
struct leaf_verify *leaf_verify_create(struct trust_bundle *bundle);
void leaf_verify_destroy(struct leaf_verify *verify);
/* Replaces the bundle and forgets every verified leaf. */
void leaf_verify_set_bundle(struct leaf_verify *verify, struct trust_bundle *bundle);
/* Before the first use. */
void leaf_verify_set_deny(struct leaf_verify *verify, leaf_denied *denied, void *owner);

/* For tls_config. The object must outlive every config that has it. */
struct tls_verifier leaf_verify_tls(struct leaf_verify *verify);

/*
 * Fills *ret_verdict (given zeroed). chain: DER, leaf first. resumed: may be the leaf alone; it
 * then verifies from memory, or by itself where a root signed it.
 */
void leaf_verify_chain(struct leaf_verify *verify, const struct span *chain, size_t count,
                       bool resumed, struct tls_verdict *ret_verdict);

struct leaf_verify_counters {
    uint64_t accepted;
    uint64_t refused;
    uint64_t from_cache;
};
void leaf_verify_count(struct leaf_verify *verify, struct leaf_verify_counters *ret);

/* The rules for one leaf apart from time and chain. False and a static text. */
bool leaf_rules(const struct certificate *leaf, struct spiffe_id *ret_id, const char **ret_reason);

#endif
