#ifndef REMORA_CONTROL_SERVE_JOIN_TOKEN_H
#define REMORA_CONTROL_SERVE_JOIN_TOKEN_H

#include "certs/keystore.h"

/*
 * Join tokens: how a workload that has no certificate yet proves who it is. A token is bound to one
 * service account, ends, and can be revoked; a single-use one is spent by the first certificate,
 * and then still good for the same key for a minute, so that a lost answer can be asked for again.
 *
 * The text "rmt_ID_SECRET" (16 and 64 hex digits) is shown once. Kept is the SHA-256 of the secret,
 * which has 256 random bits, in the file "tokens" of the keystore; the file before the last change
 * is "tokens.previous" and read where the newer one is broken. Main thread.
 */
enum {
    JOIN_TOKEN_ID_BYTES = 16,
    JOIN_TOKEN_TEXT_BYTES = 96,
    JOIN_TOKENS = 2000,
    JOIN_TOKEN_LIFETIME_S = 3600,
    JOIN_TOKEN_LONGEST_S = 366 * 24 * 3600,
    JOIN_TOKEN_SAME_KEY_S = 60,
    JOIN_TOKEN_KEPT_S = 24 * 3600, /* listed so long after its end */
    JOIN_HASH_BYTES = 32,
    JOIN_NAME_BYTES = 253,
};

struct join_token {
    char id[JOIN_TOKEN_ID_BYTES + 1];
    unsigned char hash[JOIN_HASH_BYTES];
    unsigned char key_hash[JOIN_HASH_BYTES]; /* of the key that spent it */
    char *namespace_name;
    char *service_account;
    int64_t created_s; /* wall clock, as all here */
    int64_t expires_s;
    int64_t used_s;    /* last; 0 = never */
    int64_t revoked_s; /* 0 = not */
    uint64_t uses;     /* of a reusable one: since the start of this process */
    bool reusable;
};

enum join_verdict {
    JOIN_GOOD,
    JOIN_MALFORMED,
    JOIN_UNKNOWN,
    JOIN_EXPIRED,
    JOIN_REVOKED,
    JOIN_SPENT, /* single-use, by another key */
};
/* "malformed", ... for metrics; and a sentence. */
const char *join_verdict_word(enum join_verdict verdict);
const char *join_verdict_text(enum join_verdict verdict);

struct join_tokens;

/* The store is the caller's and outlives it. NULL and a text (KEYSTORE_REASON_BYTES). */
struct join_tokens *join_tokens_open(struct keystore *store, char *reason);
void join_tokens_close(struct join_tokens *tokens);

struct join_wish {
    struct span namespace_name;
    struct span service_account;
    int64_t lifetime_s; /* 0 = JOIN_TOKEN_LIFETIME_S */
    bool reusable;
};
/* Writes the token's text with a NUL (JOIN_TOKEN_TEXT_BYTES). False and a text; then nothing is
 * changed. */
bool join_tokens_create(struct join_tokens *tokens, const struct join_wish *wish, char *ret_text,
                        char *reason);
bool join_tokens_revoke(struct join_tokens *tokens, struct span id, char *reason);

/*
 * Who shows this text? Constant time in the secret. GOOD sets *ret, which is valid until the next
 * change; a single-use one that is spent is GOOD only with the key it was spent by.
 * key_hash NULL: for a use that gives no certificate; single-use ones that are spent are SPENT.
 */
enum join_verdict join_tokens_check(struct join_tokens *tokens, struct span text,
                                    const unsigned char *key_hash, const struct join_token **ret);
/* A certificate is about to be given. False: it could not be recorded, so none may be given. */
bool join_tokens_use(struct join_tokens *tokens, const struct join_token *token,
                     const unsigned char *key_hash, char *reason);

size_t join_tokens_count(const struct join_tokens *tokens);
const struct join_token *join_tokens_at(const struct join_tokens *tokens, size_t at);
/* "active", "expired", "revoked", "spent". */
const char *join_token_state(const struct join_token *token);

#endif
