#include "control/serve/join_token.h"

#include "certs/spiffe_id.h"
#include "control/serve/join_token_file.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"

#include <openssl/mem.h>
#include <openssl/sha.h>

#include <stdio.h>
#include <string.h>

enum { SECRET_BYTES = 32, SECRET_DIGITS = 2 * SECRET_BYTES, ID_BYTES = JOIN_TOKEN_ID_BYTES / 2 };
static const char file_name[] = "tokens";
static const char previous_name[] = "tokens.previous";
static const char prefix[] = "rmt_";
enum {
    PREFIX_BYTES = sizeof(prefix) - 1,
    TEXT_LENGTH = PREFIX_BYTES + JOIN_TOKEN_ID_BYTES + 1 + SECRET_DIGITS,
};

struct join_tokens {
    struct keystore *store;
    struct join_token_list list;
};

static const struct {
    const char *word;
    const char *text;
} verdicts[] = {
    [JOIN_GOOD] = {"good", "the token is good"},
    [JOIN_MALFORMED] = {"malformed", "this is not a join token (remoractl token create makes one)"},
    [JOIN_UNKNOWN] = {"unknown", "the join token is not one of this mesh"},
    [JOIN_EXPIRED] = {"expired", "the join token has expired"},
    [JOIN_REVOKED] = {"revoked", "the join token was revoked"},
    [JOIN_SPENT] = {"spent", "the join token was for one use and is spent"},
};

const char *join_verdict_word(enum join_verdict verdict)
{
    return verdicts[verdict].word;
}

const char *join_verdict_text(enum join_verdict verdict)
{
    return verdicts[verdict].text;
}

static int64_t wall_s(void)
{
    return clock_wall_ns() / NS_PER_S;
}

/* ---- On disk --------------------------------------------------------------------------------- */

static bool load(struct join_tokens *tokens, const char *name, bool *ret_missing, char *reason)
{
    struct text bytes = {0};
    enum keystore_status status = keystore_read(tokens->store, name, &bytes, reason);
    *ret_missing = status == KEYSTORE_MISSING;
    bool good =
        status == KEYSTORE_OK && join_token_list_read(&tokens->list, text_span(&bytes), reason);
    text_done(&bytes);
    return good;
}

/* The file before goes to tokens.previous, so that a torn file costs one change at most. */
static bool save(struct join_tokens *tokens, char *reason)
{
    struct text old = {0};
    char unused[KEYSTORE_REASON_BYTES];
    bool kept = keystore_read(tokens->store, file_name, &old, unused) != KEYSTORE_OK ||
                keystore_write(tokens->store, previous_name, text_span(&old), reason);
    text_done(&old);
    struct text bytes = {0};
    join_token_list_write(&tokens->list, &bytes);
    bool good = kept && keystore_write(tokens->store, file_name, text_span(&bytes), reason);
    text_done(&bytes);
    return good;
}

struct join_tokens *join_tokens_open(struct keystore *store, char *reason)
{
    struct join_tokens *tokens = NEW(struct join_tokens);
    bool missing;
    tokens->store = store;
    if (load(tokens, file_name, &missing, reason) || missing) {
        return tokens;
    }
    char why[KEYSTORE_REASON_BYTES];
    if (load(tokens, previous_name, &missing, why)) {
        LOG_ERROR("tokens", "the file of join tokens is broken; the one before it is used",
                  LOG_TEXT("reason", reason));
        return tokens;
    }
    mem_free(tokens);
    return NULL;
}

void join_tokens_close(struct join_tokens *tokens)
{
    if (tokens != NULL) {
        join_token_list_done(&tokens->list);
        mem_free(tokens);
    }
}

/* ---- Changing -------------------------------------------------------------------------------- */

static bool refuse(char *reason, const char *why)
{
    snprintf(reason, KEYSTORE_REASON_BYTES, "%s", why);
    return false;
}

static bool wish_valid(const struct join_wish *wish, char *reason)
{
    char into[SPIFFE_ID_BYTES + 1];
    struct spiffe_id id;
    if (wish->namespace_name.length == 0 || wish->namespace_name.length > JOIN_NAME_BYTES ||
        wish->service_account.length == 0 || wish->service_account.length > JOIN_NAME_BYTES ||
        !spiffe_id_make(SPAN("x"), wish->namespace_name, wish->service_account, into, &id)) {
        return refuse(reason, "namespace and service account must be names of [a-zA-Z0-9._-]");
    }
    if (wish->lifetime_s < 0 || wish->lifetime_s > JOIN_TOKEN_LONGEST_S) {
        return refuse(reason, "a token lives at least 1s and at most 366 days");
    }
    return true;
}

static int64_t end_s(const struct join_token *token)
{
    int64_t ended_s = token->expires_s;
    if (token->revoked_s != 0 && token->revoked_s < ended_s) {
        ended_s = token->revoked_s;
    }
    if (!token->reusable && token->used_s != 0 && token->used_s < ended_s) {
        ended_s = token->used_s;
    }
    return ended_s;
}

static void drop_ended(struct join_tokens *tokens)
{
    int64_t before_s = wall_s() - JOIN_TOKEN_KEPT_S;
    for (size_t i = tokens->list.count; i-- > 0;) {
        if (end_s(&tokens->list.items[i]) < before_s) {
            join_token_list_remove(&tokens->list, i);
        }
    }
}

static void to_hex(const unsigned char *bytes, size_t count, char *into)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        into[2 * i] = digits[bytes[i] >> 4];
        into[2 * i + 1] = digits[bytes[i] & 15];
    }
    into[2 * count] = '\0';
}

bool join_tokens_create(struct join_tokens *tokens, const struct join_wish *wish, char *ret_text,
                        char *reason)
{
    if (!wish_valid(wish, reason)) {
        return false;
    }
    drop_ended(tokens);
    if (tokens->list.count >= JOIN_TOKENS) {
        return refuse(reason, "there are 2000 tokens already: revoke some, or make reusable ones");
    }
    unsigned char secret[SECRET_BYTES];
    unsigned char id[ID_BYTES];
    char digits[SECRET_DIGITS + 1];
    random_secret(secret, sizeof(secret));
    random_secret(id, sizeof(id));
    to_hex(secret, sizeof(secret), digits);
    struct join_token *token = join_token_list_add(&tokens->list);
    to_hex(id, sizeof(id), token->id);
    SHA256((const unsigned char *)digits, SECRET_DIGITS, token->hash);
    token->namespace_name = mem_text(wish->namespace_name.at, wish->namespace_name.length);
    token->service_account = mem_text(wish->service_account.at, wish->service_account.length);
    token->created_s = wall_s();
    token->expires_s =
        token->created_s + (wish->lifetime_s > 0 ? wish->lifetime_s : JOIN_TOKEN_LIFETIME_S);
    token->reusable = wish->reusable;
    bool good = save(tokens, reason);
    if (good) {
        snprintf(ret_text, JOIN_TOKEN_TEXT_BYTES, "%s%s_%s", prefix, token->id, digits);
    } else {
        join_token_list_remove(&tokens->list, tokens->list.count - 1);
    }
    OPENSSL_cleanse(secret, sizeof(secret));
    OPENSSL_cleanse(digits, sizeof(digits));
    return good;
}

static struct join_token *find(struct join_tokens *tokens, struct span id)
{
    for (size_t i = 0; i < tokens->list.count; i++) {
        if (span_equal_text(id, tokens->list.items[i].id)) {
            return &tokens->list.items[i];
        }
    }
    return NULL;
}

bool join_tokens_revoke(struct join_tokens *tokens, struct span id, char *reason)
{
    struct join_token *token = find(tokens, id);
    if (token == NULL) {
        return refuse(reason, "there is no token of that id (remoractl token list shows them)");
    }
    if (token->revoked_s != 0) {
        return true;
    }
    token->revoked_s = wall_s();
    if (!save(tokens, reason)) {
        token->revoked_s = 0;
        return false;
    }
    return true;
}

/* ---- Checking -------------------------------------------------------------------------------- */

static bool is_hex(struct span digits)
{
    for (size_t i = 0; i < digits.length; i++) {
        char byte = digits.at[i];
        if (!((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f'))) {
            return false;
        }
    }
    return true;
}

static bool split(struct span text, struct span *ret_id, struct span *ret_secret)
{
    if (text.length != TEXT_LENGTH || !span_starts_with(text, SPAN(prefix)) ||
        text.at[PREFIX_BYTES + JOIN_TOKEN_ID_BYTES] != '_') {
        return false;
    }
    *ret_id = span_cut(text, PREFIX_BYTES, PREFIX_BYTES + JOIN_TOKEN_ID_BYTES);
    *ret_secret = span_cut(text, TEXT_LENGTH - SECRET_DIGITS, TEXT_LENGTH);
    return is_hex(*ret_id) && is_hex(*ret_secret);
}

static bool spent_for(const struct join_token *token, const unsigned char *key_hash)
{
    if (token->reusable || token->used_s == 0) {
        return false;
    }
    bool same = key_hash != NULL && memcmp(key_hash, token->key_hash, JOIN_HASH_BYTES) == 0 &&
                wall_s() - token->used_s <= JOIN_TOKEN_SAME_KEY_S;
    return !same;
}

enum join_verdict join_tokens_check(struct join_tokens *tokens, struct span text,
                                    const unsigned char *key_hash, const struct join_token **ret)
{
    static const struct join_token nobody;
    struct span id;
    struct span secret;
    if (!split(text, &id, &secret)) {
        return JOIN_MALFORMED;
    }
    unsigned char hash[JOIN_HASH_BYTES];
    SHA256((const unsigned char *)secret.at, secret.length, hash);
    const struct join_token *token = find(tokens, id);
    /* An id that does not exist takes the same way. */
    bool same = CRYPTO_memcmp(hash, token != NULL ? token->hash : nobody.hash, sizeof(hash)) == 0;
    if (token == NULL || !same) {
        return JOIN_UNKNOWN;
    }
    if (token->revoked_s != 0) {
        return JOIN_REVOKED;
    }
    if (wall_s() >= token->expires_s) {
        return JOIN_EXPIRED;
    }
    if (spent_for(token, key_hash)) {
        return JOIN_SPENT;
    }
    *ret = token;
    return JOIN_GOOD;
}

bool join_tokens_use(struct join_tokens *tokens, const struct join_token *token,
                     const unsigned char *key_hash, char *reason)
{
    struct join_token *mine = find(tokens, span_of(token->id));
    if (mine->reusable) {
        mine->used_s = wall_s();
        mine->uses++;
        return true;
    }
    if (mine->used_s != 0) {
        return true;
    }
    memcpy(mine->key_hash, key_hash, JOIN_HASH_BYTES);
    mine->used_s = wall_s();
    mine->uses = 1;
    if (!save(tokens, reason)) {
        mine->used_s = 0;
        mine->uses = 0;
        return false;
    }
    return true;
}

size_t join_tokens_count(const struct join_tokens *tokens)
{
    return tokens->list.count;
}

const struct join_token *join_tokens_at(const struct join_tokens *tokens, size_t at)
{
    return &tokens->list.items[at];
}

const char *join_token_state(const struct join_token *token)
{
    if (token->revoked_s != 0) {
        return "revoked";
    }
    if (!token->reusable && token->used_s != 0) {
        return "spent";
    }
    return wall_s() >= token->expires_s ? "expired" : "active";
}
