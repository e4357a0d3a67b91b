#ifndef REMORA_STATS_LABEL_H
#define REMORA_STATS_LABEL_H

#include "lib/stats/declaration.h"
#include "lib/stats/registry.h"

/*
 * The key of a series: the number of its statistic and its label values, made fit to be shown: cut
 * at STATS_LABEL_BYTES, and U+FFFD instead of control characters and of what is not UTF-8. So two
 * label sets that look the same in an output are the same series.
 */
struct label_key {
    size_t length;
    char bytes[sizeof(uint32_t) + STATS_MAX_LABELS * (sizeof(uint16_t) + STATS_LABEL_BYTES)];
};

void label_key_make(struct label_key *key, unsigned stat, const struct span *labels, size_t count);
static inline struct span label_key_span(const struct label_key *key)
{
    return span_make(key->bytes, key->length);
}
/* The at-th label value in a key's bytes. */
struct span label_key_value(struct span key, size_t at);

#endif
