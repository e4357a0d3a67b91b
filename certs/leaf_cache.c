#include "certs/leaf_cache.h"

#include "lib/base/memory.h"

#include <string.h>

static struct span key_of(const struct leaf_entry *entry)
{
    return span_make(entry->key, LEAF_CACHE_KEY_BYTES);
}

void leaf_cache_init(struct leaf_cache *cache, size_t limit)
{
    map_init_borrowed(&cache->entries);
    list_init(&cache->by_use);
    cache->limit = limit;
}

void leaf_cache_drop(struct leaf_cache *cache, const struct leaf_entry *entry)
{
    struct leaf_entry *mine = map_remove(&cache->entries, key_of(entry));
    if (mine != NULL) {
        list_remove(&mine->by_use);
        mem_free(mine);
    }
}

void leaf_cache_clear(struct leaf_cache *cache)
{
    struct link *link;
    while ((link = list_first(&cache->by_use)) != NULL) {
        leaf_cache_drop(cache, CONTAINER_OF(link, struct leaf_entry, by_use));
    }
}

void leaf_cache_done(struct leaf_cache *cache)
{
    leaf_cache_clear(cache);
    map_done(&cache->entries);
}

const struct leaf_entry *leaf_cache_find(struct leaf_cache *cache, const unsigned char *key)
{
    struct leaf_entry *entry = map_get(&cache->entries, span_make(key, LEAF_CACHE_KEY_BYTES));
    if (entry != NULL) {
        list_remove(&entry->by_use);
        list_push_front(&cache->by_use, &entry->by_use);
    }
    return entry;
}

void leaf_cache_add(struct leaf_cache *cache, const struct leaf_entry *from, struct span identity)
{
    leaf_cache_drop(cache, from);
    if (cache->entries.count >= cache->limit) {
        leaf_cache_drop(cache,
                        CONTAINER_OF(cache->by_use.head.previous, struct leaf_entry, by_use));
    }
    struct leaf_entry *entry = mem_alloc(sizeof(*entry) + identity.length);
    memcpy(entry, from, sizeof(*entry));
    entry->by_use = (struct link){0};
    entry->identity_length = identity.length;
    memcpy(entry->identity, identity.at, identity.length);
    list_push_front(&cache->by_use, &entry->by_use);
    map_put(&cache->entries, key_of(entry), entry);
}
