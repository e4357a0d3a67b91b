#ifndef REMORA_CERTS_SPIFFE_ID_H
#define REMORA_CERTS_SPIFFE_ID_H

#include "lib/base/span.h"

/*
 * A SPIFFE id, "spiffe://TRUST-DOMAIN/PATH" (SPIFFE-ID standard, sections 2.1 to 2.3). Read
 * strictly and compared byte for byte: no case folding, no percent, no port, no user, no query, no
 * fragment, no empty or dot segment, no slash at the end. The spans point into the text that was
 * read.
 */
enum { SPIFFE_ID_BYTES = 2048, SPIFFE_TRUST_DOMAIN_BYTES = 255 };

struct spiffe_id {
    struct span text;         /* the whole id */
    struct span trust_domain; /* without scheme */
    struct span path;         /* with its first slash; empty for the id of a trust domain itself */
};

/* False and a static text in *ret_reason. An id without a path is read (signers have such). */
bool spiffe_id_parse(struct span text, struct spiffe_id *ret, const char **ret_reason);

/* 1 to 255 of [a-z0-9._-]. */
bool spiffe_trust_domain_valid(struct span trust_domain);

/*
 * Writes "spiffe://TD/ns/NAMESPACE/sa/SERVICE_ACCOUNT" with a NUL to into (SPIFFE_ID_BYTES + 1).
 * False when a part has a byte that an id must not have, or the whole is too long.
 */
bool spiffe_id_make(struct span trust_domain, struct span namespace, struct span service_account,
                    char *into, struct spiffe_id *ret);

/* False when the path is not /ns/X/sa/Y. */
bool spiffe_id_workload(const struct spiffe_id *id, struct span *ret_namespace,
                        struct span *ret_service_account);

#endif
