#include "control/source/directory/tree.h"

#include "control/source/directory/directory_source.h"
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

/* A folder still to be listed. */
struct pending {
    char *path;
    unsigned depth;
};

struct walk {
    struct tree *tree;
    int inotify;
    struct pending *pending;
    size_t count, capacity;
    struct map folders; /* device and inode of those met: links may make circles */
};

static int64_t nanoseconds(struct timespec time)
{
    return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

struct file_signature file_signature_of(const struct stat *status)
{
    return (struct file_signature){.device = status->st_dev,
                                   .inode = status->st_ino,
                                   .bytes = status->st_size,
                                   .modified_ns = nanoseconds(status->st_mtim),
                                   .changed_ns = nanoseconds(status->st_ctim)};
}

bool file_signature_equal(const struct file_signature *a, const struct file_signature *b)
{
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

static void push(struct walk *walk, char *path, unsigned depth)
{
    mem_grow(&walk->pending, &walk->capacity, walk->count + 1, sizeof(walk->pending[0]));
    walk->pending[walk->count++] = (struct pending){path, depth};
}

static void add_blind(struct tree *tree, const char *path, int error)
{
    mem_grow(&tree->blind, &tree->blind_capacity, tree->blind_count + 1, sizeof(tree->blind[0]));
    tree->blind[tree->blind_count++] = (struct tree_blind){mem_strdup(path), error};
}

static bool is_manifest_name(struct span name)
{
    return span_ends_with(name, SPAN(".yaml")) || span_ends_with(name, SPAN(".yml")) ||
           span_ends_with(name, SPAN(".json"));
}

static bool first_visit(struct walk *walk, const struct stat *status)
{
    uint64_t identity[2] = {status->st_dev, status->st_ino};
    return map_put(&walk->folders, span_make(identity, sizeof(identity)), walk) == NULL;
}

/* Takes the path over. */
static void add_entry(struct walk *walk, char *path, unsigned depth)
{
    struct tree *tree = walk->tree;
    struct stat status;
    if (stat(path, &status) != 0) {
        /* Vanished since it was listed, or a link to nothing: not there. */
        mem_free(path);
    } else if (S_ISDIR(status.st_mode) && depth < DIRECTORY_DEPTH && first_visit(walk, &status)) {
        push(walk, path, depth + 1);
    } else if (S_ISDIR(status.st_mode) || !is_manifest_name(span_of(path))) {
        mem_free(path);
    } else if (tree->count == DIRECTORY_FILES) {
        tree->too_many = true;
        mem_free(path);
    } else {
        mem_grow(&tree->files, &tree->capacity, tree->count + 1, sizeof(tree->files[0]));
        tree->files[tree->count++] = (struct tree_file){path, file_signature_of(&status)};
    }
}

static void list_folder(struct walk *walk, const char *path, unsigned depth)
{
    int added =
        inotify_add_watch(walk->inotify, path,
                          IN_CREATE | IN_CLOSE_WRITE | IN_MODIFY | IN_DELETE | IN_MOVED_FROM |
                              IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
    walk->tree->unwatched |= added < 0;
    DIR *folder = opendir(path);
    if (folder == NULL) {
        /* A folder below the root that is gone since it was listed is simply gone. */
        if (errno != ENOENT || depth == 0) {
            add_blind(walk->tree, path, errno);
        }
        return;
    }
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.') {
            struct text full = {0};
            text_printf(&full, "%s/%s", path, entry->d_name);
            add_entry(walk, text_take(&full), depth);
        }
        errno = 0;
    }
    if (errno != 0) {
        add_blind(walk->tree, path, errno);
    }
    closedir(folder);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct tree_file *)a)->path, ((const struct tree_file *)b)->path);
}

void tree_read(struct tree *ret_tree, const char *root, int inotify)
{
    struct walk walk = {.tree = ret_tree, .inotify = inotify};
    *ret_tree = (struct tree){0};
    struct stat status;
    if (stat(root, &status) == 0) {
        first_visit(&walk, &status);
    }
    push(&walk, mem_strdup(root), 0);
    while (walk.count > 0) {
        struct pending next = walk.pending[--walk.count];
        list_folder(&walk, next.path, next.depth);
        mem_free(next.path);
    }
    mem_free(walk.pending);
    map_done(&walk.folders);
    if (ret_tree->count > 1) {
        qsort(ret_tree->files, ret_tree->count, sizeof(ret_tree->files[0]), compare_paths);
    }
}

void tree_done(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        mem_free(tree->files[i].path);
    }
    for (size_t i = 0; i < tree->blind_count; i++) {
        mem_free(tree->blind[i].path);
    }
    mem_free(tree->files);
    mem_free(tree->blind);
    *tree = (struct tree){0};
}

bool tree_is_blind_to(const struct tree *tree, struct span path)
{
    for (size_t i = 0; i < tree->blind_count; i++) {
        struct span folder = span_of(tree->blind[i].path);
        if (span_starts_with(path, folder) && path.length > folder.length &&
            path.at[folder.length] == '/') {
            return true;
        }
    }
    return false;
}
