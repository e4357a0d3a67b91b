#ifndef REMORA_CONTROL_OBJECT_MANIFEST_H
#define REMORA_CONTROL_OBJECT_MANIFEST_H

#include "control/object/object.h"

/* At most so many objects in one file. */
enum { MANIFEST_OBJECTS = 50000 };

/*
 * The objects of one file. What is broken is left out and told in problems: its key is listed, so
 * that an older, good version can be kept. `lost` says that something broken could not even be
 * named: then nothing of an earlier version should be thought removed.
 */
struct manifest {
    struct object **objects; /* one reference each */
    size_t count, capacity;
    char **broken; /* keys, as object->key */
    size_t broken_count, broken_capacity;
    bool lost;
};

/*
 * YAML with any number of documents, or JSON; a v1 List is taken apart. Two objects of one name are
 * a problem of the later one. Always fills *ret_manifest.
 */
void manifest_parse(struct span bytes, struct problems *problems, struct manifest *ret_manifest);
void manifest_done(struct manifest *manifest);

#endif
