#include "proxy/identity/identity_store.h"

#include "certs/keystore.h"
#include "lib/base/memory.h"

#include <stdio.h>
#include <string.h>

static const char FILE_NAME[] = "identity";
#define MAGIC "remora-identity-1"
enum { KEY_ROOM = 4096, PARTS = 3 };

struct identity_store {
    struct keystore *keys;
};

struct identity_store *identity_store_open(const char *folder, char *reason)
{
    struct keystore *keys = keystore_open(folder, reason);
    if (keys == NULL) {
        return NULL;
    }
    if (!path_is_memory_backed(folder)) {
        snprintf(reason, KEYSTORE_REASON_BYTES,
                 "%.96s is not on a file system in memory: keys are not kept there", folder);
        keystore_close(keys);
        return NULL;
    }
    struct identity_store *store = NEW(struct identity_store);
    store->keys = keys;
    return store;
}

void identity_store_close(struct identity_store *store)
{
    if (store != NULL) {
        keystore_close(store->keys);
        mem_free(store);
    }
}

/* "remora-identity-1 KEY CHAIN ROOTS\n", lengths in bytes, then the three PEM texts. */
bool identity_store_write(struct identity_store *store, const struct credential *credential,
                          struct span roots_pem, char *reason)
{
    struct text chain = {0};
    certificate_list_to_pem(&credential->chain, &chain);
    /* Room for all at once: a text that grows leaves copies of the key behind. */
    struct text key = {.bytes = mem_alloc(KEY_ROOM), .capacity = KEY_ROOM};
    key_pair_to_pem(credential->key, &key);
    size_t room = KEY_ROOM + key.length + chain.length + roots_pem.length;
    struct text whole = {.bytes = mem_alloc(room), .capacity = room};
    text_printf(&whole, MAGIC " %zu %zu %zu\n", key.length, chain.length, roots_pem.length);
    text_add(&whole, text_span(&key));
    text_add(&whole, text_span(&chain));
    text_add(&whole, roots_pem);
    bool good = keystore_write(store->keys, FILE_NAME, text_span(&whole), reason);
    key_text_done(&whole);
    key_text_done(&key);
    text_done(&chain);
    return good;
}

static bool split(struct span whole, struct span *parts)
{
    struct span line;
    struct span word;
    if (!span_next(&whole, '\n', &line) || !span_next(&line, ' ', &word) ||
        !span_equal(word, SPAN(MAGIC))) {
        return false;
    }
    for (size_t i = 0; i < PARTS; i++) {
        uint64_t length;
        if (!span_next(&line, ' ', &word) || !span_to_u64(word, KEYSTORE_FILE_BYTES, &length) ||
            length > whole.length) {
            return false;
        }
        parts[i] = span_make(NULL, (size_t)length);
    }
    for (size_t i = 0; i < PARTS; i++) {
        size_t length = parts[i].length;
        if (length > whole.length) {
            return false;
        }
        parts[i] = span_cut(whole, 0, length);
        whole = span_cut(whole, length, whole.length);
    }
    return whole.length == 0;
}

bool identity_store_read(struct identity_store *store, EVP_PKEY **ret_key, struct text *ret_chain,
                         struct text *ret_roots, char *reason)
{
    struct text whole = {0};
    struct span parts[PARTS];
    const char *why = "the file is broken";
    EVP_PKEY *key = NULL;
    reason[0] = '\0';
    enum keystore_status status = keystore_read(store->keys, FILE_NAME, &whole, reason);
    if (status == KEYSTORE_MISSING) {
        reason[0] = '\0';
    } else if (status == KEYSTORE_OK) {
        key = split(text_span(&whole), parts) ? key_pair_from_pem(parts[0], &why) : NULL;
        if (key == NULL) {
            snprintf(reason, KEYSTORE_REASON_BYTES, "%s", why);
        } else {
            text_add(ret_chain, parts[1]);
            text_add(ret_roots, parts[2]);
            *ret_key = key;
        }
    }
    key_text_done(&whole);
    return key != NULL;
}

void identity_store_forget(struct identity_store *store)
{
    char reason[KEYSTORE_REASON_BYTES];
    if (!keystore_remove(store->keys, FILE_NAME, reason)) {
        /* It is read again and refused again at the next start: nothing is lost. */
        return;
    }
}
