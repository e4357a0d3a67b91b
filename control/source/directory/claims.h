#ifndef REMORA_CONTROL_SOURCE_DIRECTORY_CLAIMS_H
#define REMORA_CONTROL_SOURCE_DIRECTORY_CLAIMS_H

#include "control/source/directory/manifest_file.h"
#include "control/source/source.h"
#include "lib/base/map.h"

/*
 * Which files hold an object, and whose version is in force: that of the path that sorts first.
 * Changes are collected; claims_tell compares what is in force now with what was told last, so that
 * an object that only moved to another file is never gone in between.
 */
struct claim {
    char *key;
    struct claim_entry {
        struct manifest_file *file;
        struct object *object; /* the file holds the reference */
    } * entries;
    size_t count, capacity;
    struct object *told; /* NULL = nothing; one reference */
    bool touched;
};

struct claims {
    struct map map;         /* object key -> claim, whose key it borrows */
    struct claim **touched; /* in the order of touching */
    size_t touched_count, touched_capacity;
    size_t objects; /* in all files */
};

void claims_init(struct claims *claims);
void claims_done(struct claims *claims);
void claims_add(struct claims *claims, struct manifest_file *file, struct object *object);
void claims_remove(struct claims *claims, struct manifest_file *file, struct object *object);
/* Tells the listener what changed since the last time. Returns whether anything did. */
bool claims_tell(struct claims *claims, const struct source_listener *listener);
/* Appends to the file's problems those of its objects that another file's version beats. */
void claims_add_clashes(struct claims *claims, struct manifest_file *file);

#endif
