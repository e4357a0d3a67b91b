#ifndef REMORA_CONTROL_SOURCE_DIRECTORY_TREE_H
#define REMORA_CONTROL_SOURCE_DIRECTORY_TREE_H

#include "control/object/problem.h"

#include <sys/stat.h>

/* What tells one version of a file from another without reading it. */
struct file_signature {
    dev_t device;
    ino_t inode;
    off_t bytes;
    int64_t modified_ns;
    int64_t changed_ns;
};

struct tree_file {
    char *path;
    struct file_signature signature;
};

/* A folder that could not be read: what was known below it is not to be thought gone. */
struct tree_blind {
    char *path;
    int error;
};

struct tree {
    struct tree_file *files; /* sorted by path */
    size_t count, capacity;
    struct tree_blind *blind;
    size_t blind_count, blind_capacity;
    bool unwatched; /* some folder has no inotify watch */
    bool too_many;  /* more than DIRECTORY_FILES: the rest is not listed */
};

/* Lists the manifests below root. Each folder is added to the inotify descriptor before it is
 * listed, so that nothing falls between. */
void tree_read(struct tree *ret_tree, const char *root, int inotify);
void tree_done(struct tree *tree);
/* The path lies below a folder that could not be read. */
bool tree_is_blind_to(const struct tree *tree, struct span path);

struct file_signature file_signature_of(const struct stat *status);
bool file_signature_equal(const struct file_signature *a, const struct file_signature *b);

#endif
