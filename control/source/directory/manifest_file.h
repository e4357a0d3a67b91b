#ifndef REMORA_CONTROL_SOURCE_DIRECTORY_MANIFEST_FILE_H
#define REMORA_CONTROL_SOURCE_DIRECTORY_MANIFEST_FILE_H

#include "control/object/manifest.h"
#include "control/source/directory/tree.h"

/* One file as it was last read, with the objects that hold of it. */
struct manifest_file {
    char *path;
    struct file_signature signature;
    struct object **objects; /* one reference each; good ones, and last good ones of broken */
    size_t count, capacity;
    struct problems problems;
    size_t own_problems; /* how many of them the file itself has; behind them: clashes */
    uint64_t content;    /* hash of the bytes that were parsed last; 0 = refused or none */
    uint64_t seen;       /* the last batch that found it in the tree */
    uint32_t moving;     /* how often in a row it changed while it was read */
    bool racy;  /* read so soon after its last change that the signature may hide another */
    bool stale; /* its problems must be told again */
};

enum file_outcome {
    FILE_READ,   /* objects and problems are those of this version */
    FILE_GONE,   /* vanished meanwhile */
    FILE_MOVING, /* changed while it was read: look again soon */
};

struct manifest_file *manifest_file_create(const char *path);
void manifest_file_destroy(struct manifest_file *file);

/*
 * Reads the file. Objects that did not change keep their identity (the same pointer). What replaced
 * or left is in the arrays of *ret_before, which the caller gives back with manifest_before_done.
 */
struct manifest_before {
    struct object **objects;
    size_t count;
    bool replaced; /* false: the file was refused, and its objects are those it had */
};
enum file_outcome manifest_file_read(struct manifest_file *file,
                                     struct manifest_before *ret_before);
void manifest_before_done(struct manifest_before *before);

#endif
