#include "lib/base/map.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "lib/base/siphash.h"

#include <pthread.h>

enum { SLOT_FREE = 0, SLOT_DELETED = 1, SLOT_FIRST_HASH = 2, SMALLEST_CAPACITY = 8 };

static pthread_once_t secret_once = PTHREAD_ONCE_INIT;
static uint64_t secret[2];

static void make_secret(void)
{
    random_secret(secret, sizeof(secret));
}

static uint32_t hash_of(struct span key)
{
    CHECK(pthread_once(&secret_once, make_secret) == 0);
    uint32_t hash = (uint32_t)siphash13(key, secret);
    return hash < SLOT_FIRST_HASH ? hash + SLOT_FIRST_HASH : hash;
}

void map_init(struct map *map)
{
    *map = (struct map){0};
}

void map_init_borrowed(struct map *map)
{
    *map = (struct map){.borrows_keys = true};
}

static struct span key_of(const struct map_slot *slot)
{
    return span_make(slot->key, slot->key_bytes);
}

static void free_key(const struct map *map, const struct map_slot *slot)
{
    if (!map->borrows_keys) {
        mem_free((void *)(uintptr_t)slot->key);
    }
}

void map_done(struct map *map)
{
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].hash >= SLOT_FIRST_HASH) {
            free_key(map, &map->slots[i]);
        }
    }
    mem_free(map->slots);
    *map = (struct map){.borrows_keys = map->borrows_keys};
}

static struct map_slot *find(const struct map *map, struct span key, uint32_t hash)
{
    size_t mask = map->capacity - 1;
    for (size_t i = hash & mask; map->slots[i].hash != SLOT_FREE; i = (i + 1) & mask) {
        struct map_slot *slot = &map->slots[i];
        if (slot->hash == hash && span_equal(key_of(slot), key)) {
            return slot;
        }
    }
    return NULL;
}

void *map_get(const struct map *map, struct span key)
{
    if (map->count == 0) {
        return NULL;
    }
    const struct map_slot *slot = find(map, key, hash_of(key));
    return slot == NULL ? NULL : slot->value;
}

/* The first slot for this hash that holds nothing. */
static struct map_slot *vacant(struct map_slot *slots, size_t capacity, uint32_t hash)
{
    size_t mask = capacity - 1;
    size_t i = hash & mask;
    while (slots[i].hash >= SLOT_FIRST_HASH) {
        i = (i + 1) & mask;
    }
    return &slots[i];
}

/* Makes room for one more, and drops the marks of deleted entries on the way. */
static void resize(struct map *map)
{
    size_t capacity = SMALLEST_CAPACITY;
    while (capacity / 2 < map->count + 1) {
        CHECK(capacity <= SIZE_MAX / 2);
        capacity *= 2;
    }
    struct map_slot *slots = mem_array(capacity, sizeof(*slots));
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].hash >= SLOT_FIRST_HASH) {
            *vacant(slots, capacity, map->slots[i].hash) = map->slots[i];
        }
    }
    mem_free(map->slots);
    map->slots = slots;
    map->capacity = capacity;
    map->used = map->count;
}

void *map_put(struct map *map, struct span key, void *value)
{
    CHECK(value != NULL && key.length <= UINT32_MAX);
    uint32_t hash = hash_of(key);
    struct map_slot *slot = map->count == 0 ? NULL : find(map, key, hash);
    if (slot != NULL) {
        void *before = slot->value;
        slot->value = value;
        if (map->borrows_keys) {
            /* The old key's bytes may go away with the old value. */
            slot->key = key.at;
        }
        return before;
    }
    /* Three quarters full, marks of deleted entries included, so that a search ends soon. */
    if (map->used + 1 > map->capacity / 4 * 3) {
        resize(map);
    }
    slot = vacant(map->slots, map->capacity, hash);
    if (slot->hash == SLOT_FREE) {
        map->used++;
    }
    map->count++;
    slot->hash = hash;
    slot->value = value;
    slot->key_bytes = (uint32_t)key.length;
    slot->key = map->borrows_keys ? key.at : mem_text(key.at, key.length);
    return NULL;
}

/* A mark in front of a free slot ends no search, so it and those before it can be free as well. */
static void clear_marks(struct map *map, size_t i)
{
    size_t mask = map->capacity - 1;
    if (map->slots[(i + 1) & mask].hash != SLOT_FREE) {
        return;
    }
    while (map->slots[i].hash == SLOT_DELETED) {
        map->slots[i].hash = SLOT_FREE;
        map->used--;
        i = (i - 1) & mask;
    }
}

void *map_remove(struct map *map, struct span key)
{
    struct map_slot *slot = map->count == 0 ? NULL : find(map, key, hash_of(key));
    if (slot == NULL) {
        return NULL;
    }
    void *value = slot->value;
    free_key(map, slot);
    *slot = (struct map_slot){.hash = SLOT_DELETED};
    map->count--;
    clear_marks(map, (size_t)(slot - map->slots));
    return value;
}

bool map_next(const struct map *map, size_t *at, struct span *ret_key, void **ret_value)
{
    while (*at < map->capacity) {
        const struct map_slot *slot = &map->slots[(*at)++];
        if (slot->hash >= SLOT_FIRST_HASH) {
            *ret_key = key_of(slot);
            *ret_value = slot->value;
            return true;
        }
    }
    return false;
}
