#include "proxy/observe/series_cache.h"

#include <string.h>

/* What is a label, but has no text; the texts follow. */
struct fixed_labels {
    uint32_t failure;
    uint16_t status;
    uint8_t direction;
    bool mtls_downstream;
    bool mtls_upstream;
    uint8_t lengths[7];
};
_Static_assert(sizeof(struct fixed_labels) == 16, "no padding: it is compared as bytes");

/* The key's length, or 0 when it is too long. */
static size_t make_key(const struct request_record *record, char key[SERIES_CACHE_KEY_BYTES])
{
    const struct span texts[] = {
        record->source_workload,
        record->source_namespace,
        record->destination_service,
        record->destination_namespace,
        record->destination_workload,
        record->destination_version,
        record->route,
    };
    struct fixed_labels fixed = {
        .failure = (uint32_t)record->failure,
        .status = record->status,
        .direction = record->direction,
        .mtls_downstream = record->mtls_downstream,
        .mtls_upstream = record->mtls_upstream,
    };
    size_t at = sizeof(fixed);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].length > SERIES_CACHE_KEY_BYTES - at) {
            return 0;
        }
        if (texts[i].length > 0) {
            memcpy(key + at, texts[i].at, texts[i].length);
        }
        fixed.lengths[i] = (uint8_t)texts[i].length;
        at += texts[i].length;
    }
    memcpy(key, &fixed, sizeof(fixed));
    return at;
}

struct request_cells *series_cache_slot(struct series_cache *cache,
                                        const struct request_record *record, bool *ret_hit)
{
    char key[SERIES_CACHE_KEY_BYTES] __attribute__((uninitialized));
    size_t length = make_key(record, key);
    if (length == 0) {
        return NULL;
    }
    struct series_slot *slot =
        &cache->slots[span_hash(span_make(key, length), 0) % SERIES_CACHE_SLOTS];
    *ret_hit = slot->length == length && memcmp(slot->key, key, length) == 0;
    if (!*ret_hit) {
        slot->length = (uint32_t)length;
        memcpy(slot->key, key, length);
        slot->cells = (struct request_cells){0};
    }
    return &slot->cells;
}

void series_cache_clear(struct series_cache *cache)
{
    for (size_t i = 0; i < SERIES_CACHE_SLOTS; i++) {
        cache->slots[i].length = 0;
    }
}
