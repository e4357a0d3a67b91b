#ifndef REMORA_BASE_MAP_H
#define REMORA_BASE_MAP_H

#include "lib/base/span.h"

/*
 * A hash map from bytes to a pointer. Keys are copied into the map unless made with
 * map_init_borrowed (then the key's bytes must outlive the entry; use for keys inside the value).
 * Open addressing, keyed with a random seed per process, so that keys from outside cannot be made
 * to collide. Keys are shorter than 4 GiB; 24 bytes a slot. One thread, or read-only from many. All
 * zero bytes = empty map with copied keys.
 */
struct map_slot {
    uint32_t hash; /* 0 = free, 1 = deleted */
    uint32_t key_bytes;
    const char *key;
    void *value;
};

struct map {
    struct map_slot *slots;
    size_t capacity; /* power of two */
    size_t count;
    size_t used; /* with deleted ones */
    bool borrows_keys;
};

void map_init(struct map *map);
void map_init_borrowed(struct map *map);
/* Frees the table and copied keys, not the values. */
void map_done(struct map *map);
void *map_get(const struct map *map, struct span key);
/* Sets or replaces; returns the value that was there, or NULL. value must not be NULL. */
void *map_put(struct map *map, struct span key, void *value);
/* Removes; returns the value that was there, or NULL. */
void *map_remove(struct map *map, struct span key);

/* Walks in no order: start with *at = 0. The current entry may be removed meanwhile, nothing added.
 */
bool map_next(const struct map *map, size_t *at, struct span *ret_key, void **ret_value);

#endif
