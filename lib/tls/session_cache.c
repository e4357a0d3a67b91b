#include "lib/tls/tls_private.h"

#include "lib/base/clock.h"
#include "lib/base/list.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"

/*
 * A session is only offered under the config that made it: after a rotation or a change of the
 * bundle there is a new config, and the first handshake with each endpoint is a full one again. A
 * ticket may be used more than once: inside the mesh there is no privacy to lose, and connections
 * that start together all profit.
 */
struct session_entry {
    struct link by_age;
    struct span key;
    SSL_SESSION *session;
    struct tls_config *config;
    int64_t ends_ns; /* monotonic */
};

struct tls_session_cache {
    struct map entries;
    struct list by_age; /* oldest first */
    size_t limit;
};

struct tls_session_cache *tls_session_cache_create(size_t limit)
{
    struct tls_session_cache *cache = NEW(struct tls_session_cache);
    map_init_borrowed(&cache->entries);
    list_init(&cache->by_age);
    cache->limit = limit;
    return cache;
}

static void drop(struct tls_session_cache *cache, struct session_entry *entry)
{
    map_remove(&cache->entries, entry->key);
    list_remove(&entry->by_age);
    SSL_SESSION_free(entry->session);
    tls_config_unref(entry->config);
    mem_free((void *)(uintptr_t)entry->key.at);
    mem_free(entry);
}

void tls_session_cache_clear(struct tls_session_cache *cache)
{
    struct link *link;
    while ((link = list_first(&cache->by_age)) != NULL) {
        drop(cache, CONTAINER_OF(link, struct session_entry, by_age));
    }
}

void tls_session_cache_destroy(struct tls_session_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    tls_session_cache_clear(cache);
    map_done(&cache->entries);
    mem_free(cache);
}

void tls_session_cache_drop(struct tls_session_cache *cache, struct span key)
{
    struct session_entry *entry = map_get(&cache->entries, key);
    if (entry != NULL) {
        drop(cache, entry);
    }
}

SSL_SESSION *tls_session_cache_find(struct tls_session_cache *cache, struct span key,
                                    const struct tls_config *config)
{
    struct session_entry *entry = map_get(&cache->entries, key);
    if (entry == NULL) {
        return NULL;
    }
    if (entry->config != config || clock_now_ns() >= entry->ends_ns) {
        drop(cache, entry);
        return NULL;
    }
    SSL_SESSION_up_ref(entry->session);
    return entry->session;
}

void tls_session_cache_keep(struct tls_session_cache *cache, struct span key,
                            struct tls_config *config, SSL_SESSION *session)
{
    tls_session_cache_drop(cache, key);
    if (cache->entries.count >= cache->limit && !list_empty(&cache->by_age)) {
        drop(cache, CONTAINER_OF(list_first(&cache->by_age), struct session_entry, by_age));
    }
    uint64_t lifetime_s = config->ticket_lifetime_s;
    if (SSL_SESSION_get_timeout(session) < lifetime_s) {
        lifetime_s = SSL_SESSION_get_timeout(session);
    }
    struct session_entry *entry = NEW(struct session_entry);
    entry->key = span_make(mem_dup(key.at, key.length), key.length);
    entry->session = session;
    entry->config = tls_config_ref(config);
    entry->ends_ns = clock_now_ns() + (int64_t)lifetime_s * NS_PER_S;
    list_push_back(&cache->by_age, &entry->by_age);
    map_put(&cache->entries, entry->key, entry);
}
