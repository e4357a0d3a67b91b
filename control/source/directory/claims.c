#include "control/source/directory/claims.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"

#include <string.h>

void claims_init(struct claims *claims)
{
    *claims = (struct claims){0};
    map_init_borrowed(&claims->map);
}

static void claim_destroy(struct claim *claim)
{
    object_unref(claim->told);
    mem_free(claim->entries);
    mem_free(claim->key);
    mem_free(claim);
}

void claims_done(struct claims *claims)
{
    size_t at = 0;
    struct span key;
    void *claim;
    while (map_next(&claims->map, &at, &key, &claim)) {
        claim_destroy(claim);
    }
    map_done(&claims->map);
    mem_free(claims->touched);
    *claims = (struct claims){0};
}

/* All files of the claim may have won or lost: their problems are told anew. */
static void touch(struct claims *claims, struct claim *claim)
{
    for (size_t i = 0; i < claim->count; i++) {
        claim->entries[i].file->stale |= claim->count > 1;
    }
    if (!claim->touched) {
        claim->touched = true;
        mem_grow(&claims->touched, &claims->touched_capacity, claims->touched_count + 1,
                 sizeof(claims->touched[0]));
        claims->touched[claims->touched_count++] = claim;
    }
}

void claims_add(struct claims *claims, struct manifest_file *file, struct object *object)
{
    struct claim *claim = map_get(&claims->map, object->key);
    if (claim == NULL) {
        claim = NEW(struct claim);
        claim->key = mem_text(object->key.at, object->key.length);
        map_put(&claims->map, span_of(claim->key), claim);
    }
    mem_grow(&claim->entries, &claim->capacity, claim->count + 1, sizeof(claim->entries[0]));
    claim->entries[claim->count++] = (struct claim_entry){file, object};
    claims->objects++;
    touch(claims, claim);
}

void claims_remove(struct claims *claims, struct manifest_file *file, struct object *object)
{
    struct claim *claim = map_get(&claims->map, object->key);
    CHECK(claim != NULL);
    touch(claims, claim);
    for (size_t i = 0; i < claim->count; i++) {
        if (claim->entries[i].file == file && claim->entries[i].object == object) {
            claim->entries[i] = claim->entries[--claim->count];
            claims->objects--;
            return;
        }
    }
    UNREACHABLE("a file that gives up what it has not claimed");
}

static const struct claim_entry *winner(const struct claim *claim)
{
    const struct claim_entry *best = NULL;
    for (size_t i = 0; i < claim->count; i++) {
        if (best == NULL || strcmp(claim->entries[i].file->path, best->file->path) < 0) {
            best = &claim->entries[i];
        }
    }
    return best;
}

bool claims_tell(struct claims *claims, const struct source_listener *listener)
{
    bool any = false;
    for (size_t i = 0; i < claims->touched_count; i++) {
        struct claim *claim = claims->touched[i];
        const struct claim_entry *best = winner(claim);
        struct object *now = best != NULL ? best->object : NULL;
        struct object *before = claim->told;
        claim->touched = false;
        if (now != before) {
            any = true;
            claim->told = now != NULL ? object_ref(now) : NULL;
            if (now != NULL) {
                listener->on_object(listener->owner, now);
            } else {
                listener->on_removed(listener->owner, before);
            }
            object_unref(before);
        }
        if (now == NULL) {
            map_remove(&claims->map, span_of(claim->key));
            claim_destroy(claim);
        }
    }
    claims->touched_count = 0;
    return any;
}

void claims_add_clashes(struct claims *claims, struct manifest_file *file)
{
    char title[OBJECT_TITLE_BYTES];
    for (size_t i = 0; i < file->count; i++) {
        struct object *object = file->objects[i];
        const struct claim *claim = map_get(&claims->map, object->key);
        const struct claim_entry *best = claim != NULL ? winner(claim) : NULL;
        if (best != NULL && best->file != file) {
            problems_add(&file->problems, object->line, object_title(object, title), SPAN_EMPTY,
                         "is also in %s:%u, which is in force", best->file->path,
                         best->object->line);
        }
    }
}
