#include "control/serve/caller.h"

#include "certs/spiffe_id.h"

#include <stdio.h>

static bool refuse(struct caller_refusal *refusal, enum grpc_code code, const char *word,
                   const char *text)
{
    refusal->code = code;
    refusal->word = word;
    snprintf(refusal->text, sizeof(refusal->text), "%s", text);
    return false;
}

static bool by_certificate(struct span trust_domain, struct span identity, struct caller *ret,
                           struct caller_refusal *refusal)
{
    struct spiffe_id id;
    const char *why;
    struct caller caller = {.proof = CALLER_CERTIFICATE};
    if (!spiffe_id_parse(identity, &id, &why) || !span_equal(id.trust_domain, trust_domain)) {
        return refuse(refusal, GRPC_PERMISSION_DENIED, "foreign_trust_domain",
                      "the certificate is of another trust domain");
    }
    if (!spiffe_id_workload(&id, &caller.namespace_name, &caller.service_account)) {
        return refuse(refusal, GRPC_PERMISSION_DENIED, "no_service_account",
                      "the certificate is not that of a service account (/ns/X/sa/Y)");
    }
    *ret = caller;
    return true;
}

static bool by_token(struct join_tokens *tokens, struct span bearer, const unsigned char *key_hash,
                     bool may_spend, struct caller *ret, struct caller_refusal *refusal)
{
    const struct join_token *token = NULL;
    enum join_verdict verdict = join_tokens_check(tokens, bearer, key_hash, &token);
    if (verdict != JOIN_GOOD) {
        static const char *const words[] = {
            [JOIN_MALFORMED] = "token_malformed", [JOIN_UNKNOWN] = "token_unknown",
            [JOIN_EXPIRED] = "token_expired",     [JOIN_REVOKED] = "token_revoked",
            [JOIN_SPENT] = "token_spent",
        };
        return refuse(refusal, GRPC_UNAUTHENTICATED, words[verdict], join_verdict_text(verdict));
    }
    if (!token->reusable && !may_spend) {
        return refuse(refusal, GRPC_UNAUTHENTICATED, "token_single_use",
                      "a single-use token is for a certificate; connect with that certificate");
    }
    *ret = (struct caller){
        .namespace_name = span_of(token->namespace_name),
        .service_account = span_of(token->service_account),
        .proof = CALLER_TOKEN,
        .token = token,
    };
    return true;
}

bool caller_prove(struct join_tokens *tokens, struct span trust_domain,
                  const struct caller_evidence *evidence, const unsigned char *key_hash,
                  bool may_spend, struct caller *ret, struct caller_refusal *ret_refusal)
{
    if (evidence->identity.length > 0) {
        return by_certificate(trust_domain, evidence->identity, ret, ret_refusal);
    }
    if (evidence->bearer.length > 0) {
        return by_token(tokens, evidence->bearer, key_hash, may_spend, ret, ret_refusal);
    }
    return refuse(
        ret_refusal, GRPC_UNAUTHENTICATED, "no_proof",
        "neither a client certificate nor a join token (authorization: Bearer) was shown");
}

const char *caller_proof_word(enum caller_proof proof)
{
    return proof == CALLER_CERTIFICATE ? "certificate" : "token";
}
