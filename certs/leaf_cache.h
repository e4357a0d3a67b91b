#ifndef REMORA_CERTS_LEAF_CACHE_H
#define REMORA_CERTS_LEAF_CACHE_H

#include "lib/base/list.h"
#include "lib/base/map.h"

/*
 * Leaves that were verified, by SHA-256 of their DER: a hit saves the parse and the signatures of a
 * chain. Bounded; the least recently used goes first. Not locked.
 */
enum { LEAF_CACHE_ENTRIES = 4096, LEAF_CACHE_KEY_BYTES = 32, LEAF_CACHE_SERIAL_BYTES = 24 };

struct leaf_entry {
    unsigned char key[LEAF_CACHE_KEY_BYTES];
    struct link by_use;
    int64_t not_before_s; /* the latest of the chain */
    int64_t not_after_s;  /* the earliest of the chain */
    int64_t leaf_not_after_s;
    size_t serial_length;
    char serial[LEAF_CACHE_SERIAL_BYTES];
    size_t identity_length;
    char identity[];
};

struct leaf_cache {
    struct map entries;
    struct list by_use; /* newest first */
    size_t limit;
};

void leaf_cache_init(struct leaf_cache *cache, size_t limit);
void leaf_cache_done(struct leaf_cache *cache);
void leaf_cache_clear(struct leaf_cache *cache);
/* NULL when it is not there. Valid until the next call. */
const struct leaf_entry *leaf_cache_find(struct leaf_cache *cache, const unsigned char *key);
void leaf_cache_drop(struct leaf_cache *cache, const struct leaf_entry *entry);
/* Copies the template and the identity; replaces one of the same key. */
void leaf_cache_add(struct leaf_cache *cache, const struct leaf_entry *from, struct span identity);

#endif
