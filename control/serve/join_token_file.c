#include "control/serve/join_token_file.h"

#include "lib/base/memory.h"

#include <jansson.h>

#include <stdio.h>
#include <string.h>

enum { FILE_VERSION = 1 };

static void token_done(struct join_token *token)
{
    mem_free(token->namespace_name);
    mem_free(token->service_account);
}

void join_token_list_done(struct join_token_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        token_done(&list->items[i]);
    }
    mem_free(list->items);
    *list = (struct join_token_list){0};
}

struct join_token *join_token_list_add(struct join_token_list *list)
{
    mem_grow(&list->items, &list->capacity, list->count + 1, sizeof(list->items[0]));
    struct join_token *token = &list->items[list->count++];
    *token = (struct join_token){0};
    return token;
}

void join_token_list_remove(struct join_token_list *list, size_t at)
{
    token_done(&list->items[at]);
    list->count--;
    memmove(&list->items[at], &list->items[at + 1], (list->count - at) * sizeof(list->items[0]));
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void write_hash(struct text *into, const char *name, const unsigned char *hash)
{
    text_printf(into, ", \"%s\": \"", name);
    for (size_t i = 0; i < JOIN_HASH_BYTES; i++) {
        text_printf(into, "%02x", hash[i]);
    }
    text_add_byte(into, '"');
}

static void write_token(const struct join_token *token, struct text *into)
{
    text_printf(into, "{\"id\": \"%s\", \"namespace\": ", token->id);
    text_add_json(into, span_of(token->namespace_name));
    text_add_text(into, ", \"serviceAccount\": ");
    text_add_json(into, span_of(token->service_account));
    write_hash(into, "hash", token->hash);
    write_hash(into, "keyHash", token->key_hash);
    text_printf(into,
                ", \"reusable\": %s, \"created\": %lld, \"expires\": %lld, \"used\": %lld, "
                "\"revoked\": %lld}",
                token->reusable ? "true" : "false", (long long)token->created_s,
                (long long)token->expires_s, (long long)token->used_s, (long long)token->revoked_s);
}

void join_token_list_write(const struct join_token_list *list, struct text *into)
{
    text_printf(into, "{\"version\": %d, \"tokens\": [", FILE_VERSION);
    for (size_t i = 0; i < list->count; i++) {
        text_add_text(into, i > 0 ? ",\n" : "\n");
        write_token(&list->items[i], into);
    }
    text_add_text(into, "\n]}\n");
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int digit_of(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool read_hash(const char *digits, unsigned char *into)
{
    if (strlen(digits) != 2 * JOIN_HASH_BYTES) {
        return false;
    }
    for (size_t i = 0; i < JOIN_HASH_BYTES; i++) {
        int high = digit_of(digits[2 * i]);
        int low = digit_of(digits[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        into[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

static bool read_token(json_t *from, struct join_token *token)
{
    const char *id;
    const char *namespace_name;
    const char *service_account;
    const char *hash;
    const char *key_hash;
    int reusable;
    json_int_t created;
    json_int_t expires;
    json_int_t used;
    json_int_t revoked;
    if (json_unpack(from, "{s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I}", "id", &id,
                    "namespace", &namespace_name, "serviceAccount", &service_account, "hash", &hash,
                    "keyHash", &key_hash, "reusable", &reusable, "created", &created, "expires",
                    &expires, "used", &used, "revoked", &revoked) != 0 ||
        strlen(id) != JOIN_TOKEN_ID_BYTES || !read_hash(hash, token->hash) ||
        !read_hash(key_hash, token->key_hash)) {
        return false;
    }
    memcpy(token->id, id, JOIN_TOKEN_ID_BYTES + 1);
    token->namespace_name = mem_strdup(namespace_name);
    token->service_account = mem_strdup(service_account);
    token->reusable = reusable != 0;
    token->created_s = created;
    token->expires_s = expires;
    token->used_s = used;
    token->revoked_s = revoked;
    return true;
}

bool join_token_list_read(struct join_token_list *list, struct span bytes, char *reason)
{
    json_error_t error;
    json_t *whole =
        json_loadb(bytes.at != NULL ? bytes.at : "", bytes.length, JSON_REJECT_DUPLICATES, &error);
    if (whole == NULL) {
        snprintf(reason, KEYSTORE_REASON_BYTES, "tokens:%d: %.120s", error.line, error.text);
        return false;
    }
    json_t *items = NULL;
    int version = 0;
    bool good = json_unpack(whole, "{s:i, s:o}", "version", &version, "tokens", &items) == 0 &&
                version == FILE_VERSION && json_is_array(items) &&
                json_array_size(items) <= JOIN_TOKENS;
    for (size_t i = 0; good && i < json_array_size(items); i++) {
        good = read_token(json_array_get(items, i), join_token_list_add(list));
    }
    if (!good) {
        join_token_list_done(list);
        snprintf(reason, KEYSTORE_REASON_BYTES, "tokens: not a list of join tokens of version %d",
                 FILE_VERSION);
    }
    json_decref(whole);
    return good;
}
