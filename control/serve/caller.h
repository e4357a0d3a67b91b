#ifndef REMORA_CONTROL_SERVE_CALLER_H
#define REMORA_CONTROL_SERVE_CALLER_H

#include "control/serve/join_token.h"
#include "lib/grpc/grpc_status.h"

/*
 * Who calls, proven: by the certificate of the connection, else by a join token. What a caller says
 * of itself plays no part (SPIRE CVE-2021-27098, istiod CVE-2022-39388).
 */
enum caller_proof { CALLER_CERTIFICATE, CALLER_TOKEN };

struct caller {
    struct span namespace_name;
    struct span service_account;
    enum caller_proof proof;
    const struct join_token *token; /* of CALLER_TOKEN; valid until the tokens change */
};

struct caller_evidence {
    struct span
        identity;       /* SPIFFE id of a verified, still valid client certificate; may be empty */
    struct span bearer; /* may be empty */
};

enum { CALLER_TEXT_BYTES = 160 };
struct caller_refusal {
    enum grpc_code code;
    const char *word; /* static, for metrics */
    char text[CALLER_TEXT_BYTES];
};

/*
 * key_hash: as in join_tokens_check. may_spend: single-use tokens are taken too. The caller's spans
 * point into the evidence or the token.
 */
bool caller_prove(struct join_tokens *tokens, struct span trust_domain,
                  const struct caller_evidence *evidence, const unsigned char *key_hash,
                  bool may_spend, struct caller *ret, struct caller_refusal *ret_refusal);
/* "certificate", "token". */
const char *caller_proof_word(enum caller_proof proof);

#endif
