#include "control/source/directory/directory_source.h"

#include "control/source/directory/claims.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* What reading a file takes is about ten times its size; from here on it goes back to the system.
 */
enum { LARGE_FILE_BYTES = 1 << 20 };

struct directory_source {
    struct source source;
    struct source_listener listener;
    struct loop *loop;
    char *root;
    int inotify; /* -1: the system has none left; then time alone tells */
    struct watch watch;
    struct timer quiet, most, doubt;
    struct map files; /* path -> manifest_file; keys are the files' own */
    struct claims claims;
    struct problems folder_problems; /* of the tree itself, under the root's name */
    uint64_t batch;
    bool synced;
    bool read_large; /* a file of this batch took memory that is free again */
};

static void look(struct directory_source *directory);

static void look_soon(struct directory_source *directory)
{
    if (!timer_running(&directory->most)) {
        timer_start(&directory->most, DIRECTORY_MOST_MS * NS_PER_MS);
    }
    timer_start(&directory->quiet, DIRECTORY_QUIET_MS * NS_PER_MS);
}

/* What exactly happened does not matter: the tree is compared as a whole. */
static void on_inotify(struct watch *watch, unsigned events)
{
    struct directory_source *directory = CONTAINER_OF(watch, struct directory_source, watch);
    _Alignas(struct inotify_event) char bytes[16384];
    bool any = false;
    while (read(directory->inotify, bytes, sizeof(bytes)) > 0) {
        any = true;
    }
    if (any) {
        look_soon(directory);
    }
}

static void on_quiet(struct timer *timer)
{
    look(CONTAINER_OF(timer, struct directory_source, quiet));
}

static void on_most(struct timer *timer)
{
    look(CONTAINER_OF(timer, struct directory_source, most));
}

static void on_doubt(struct timer *timer)
{
    look(CONTAINER_OF(timer, struct directory_source, doubt));
}

static void forget_objects(struct directory_source *directory, struct manifest_file *file,
                           struct object **objects, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        claims_remove(&directory->claims, file, objects[i]);
    }
}

static void claim_objects(struct directory_source *directory, struct manifest_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        claims_add(&directory->claims, file, file->objects[i]);
    }
}

static void drop_file(struct directory_source *directory, struct manifest_file *file)
{
    forget_objects(directory, file, file->objects, file->count);
    map_remove(&directory->files, span_of(file->path));
    struct problems none;
    problems_init(&none, span_of(file->path));
    directory->listener.on_problems(directory->listener.owner, &none);
    problems_done(&none);
    manifest_file_destroy(file);
}

/* More objects than the control plane may hold: this file's new ones are not taken. */
static void enforce_limit(struct directory_source *directory, struct manifest_file *file)
{
    if (directory->claims.objects <= DIRECTORY_OBJECTS) {
        return;
    }
    forget_objects(directory, file, file->objects, file->count);
    for (size_t i = 0; i < file->count; i++) {
        object_unref(file->objects[i]);
    }
    file->count = 0;
    file->signature = (struct file_signature){0}; /* look again: there may be room by then */
    file->content = 0;
    problems_add(&file->problems, 0, SPAN_EMPTY, SPAN_EMPTY,
                 "more than %d objects in all files; none of this one are taken",
                 DIRECTORY_OBJECTS);
    file->own_problems = file->problems.count;
}

static void read_file(struct directory_source *directory, struct manifest_file *file)
{
    struct manifest_before before;
    enum file_outcome outcome = manifest_file_read(file, &before);
    directory->read_large |= file->signature.bytes > LARGE_FILE_BYTES;
    switch (outcome) {
    case FILE_GONE:
        drop_file(directory, file);
        break;
    case FILE_MOVING:
        file->signature = (struct file_signature){0};
        look_soon(directory);
        break;
    case FILE_READ:
        if (before.replaced) {
            forget_objects(directory, file, before.objects, before.count);
            claim_objects(directory, file);
            enforce_limit(directory, file);
        }
        manifest_before_done(&before);
        break;
    }
}

static void look_at_file(struct directory_source *directory, const struct tree_file *found)
{
    struct manifest_file *file = map_get(&directory->files, span_of(found->path));
    if (file == NULL) {
        file = manifest_file_create(found->path);
        map_put(&directory->files, span_of(file->path), file);
    } else if (!file->racy && file_signature_equal(&file->signature, &found->signature)) {
        file->seen = directory->batch;
        return;
    }
    file->seen = directory->batch;
    read_file(directory, file);
}

static void drop_unseen(struct directory_source *directory, const struct tree *tree)
{
    size_t at = 0;
    struct span path;
    void *value;
    while (map_next(&directory->files, &at, &path, &value)) {
        struct manifest_file *file = value;
        if (file->seen != directory->batch && !tree->too_many && !tree_is_blind_to(tree, path)) {
            drop_file(directory, file);
        }
    }
}

static bool tell_folder_problems(struct directory_source *directory, const struct tree *tree)
{
    size_t before = directory->folder_problems.count;
    problems_done(&directory->folder_problems);
    problems_init(&directory->folder_problems, span_of(directory->root));
    for (size_t i = 0; i < tree->blind_count; i++) {
        problems_add(&directory->folder_problems, 0, SPAN_EMPTY, SPAN_EMPTY,
                     "folder %s cannot be read: %s", tree->blind[i].path,
                     strerror(tree->blind[i].error));
    }
    if (tree->too_many) {
        problems_add(&directory->folder_problems, 0, SPAN_EMPTY, SPAN_EMPTY,
                     "more than %d files; the rest is not read", DIRECTORY_FILES);
    }
    bool news = before > 0 || directory->folder_problems.count > 0;
    if (news) {
        directory->listener.on_problems(directory->listener.owner, &directory->folder_problems);
    }
    return news;
}

static bool tell_file_problems(struct directory_source *directory)
{
    size_t at = 0;
    struct span path;
    void *value;
    bool any = false;
    while (map_next(&directory->files, &at, &path, &value)) {
        struct manifest_file *file = value;
        if (file->stale) {
            file->stale = false;
            any = true;
            problems_cut(&file->problems, file->own_problems);
            claims_add_clashes(&directory->claims, file);
            directory->listener.on_problems(directory->listener.owner, &file->problems);
        }
    }
    return any;
}

static void look(struct directory_source *directory)
{
    struct tree tree;
    timer_stop(&directory->quiet);
    timer_stop(&directory->most);
    directory->batch++;
    tree_read(&tree, directory->root, directory->inotify);
    for (size_t i = 0; i < tree.count; i++) {
        look_at_file(directory, &tree.files[i]);
    }
    drop_unseen(directory, &tree);
    bool news = claims_tell(&directory->claims, &directory->listener);
    news |= tell_folder_problems(directory, &tree);
    news |= tell_file_problems(directory);
    timer_start(&directory->doubt,
                (tree.unwatched ? DIRECTORY_BLIND_MS : DIRECTORY_DOUBT_MS) * NS_PER_MS);
    tree_done(&tree);
    if (directory->read_large) {
        directory->read_large = false;
        malloc_trim(0);
    }
    if (news || !directory->synced) {
        directory->synced = true;
        directory->listener.on_synced(directory->listener.owner);
    }
}

static void directory_start(struct source *source)
{
    struct directory_source *directory = CONTAINER_OF(source, struct directory_source, source);
    if (directory->inotify >= 0) {
        watch_want(&directory->watch, WATCH_READ);
    }
    look(directory);
}

static void directory_destroy(struct source *source)
{
    struct directory_source *directory = CONTAINER_OF(source, struct directory_source, source);
    timer_stop(&directory->quiet);
    timer_stop(&directory->most);
    timer_stop(&directory->doubt);
    if (directory->inotify >= 0) {
        watch_stop(&directory->watch);
        close(directory->inotify);
    }
    claims_done(&directory->claims);
    size_t at = 0;
    struct span path;
    void *file;
    while (map_next(&directory->files, &at, &path, &file)) {
        manifest_file_destroy(file);
    }
    map_done(&directory->files);
    problems_done(&directory->folder_problems);
    mem_free(directory->root);
    mem_free(directory);
}

static const struct source_ops directory_ops = {directory_start, directory_destroy};

struct source *directory_source_create(struct loop *loop, const char *path,
                                       const struct source_listener *listener)
{
    struct directory_source *directory = NEW(struct directory_source);
    directory->source.ops = &directory_ops;
    directory->listener = *listener;
    directory->loop = loop;
    directory->root = mem_strdup(path);
    directory->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (directory->inotify >= 0) {
        watch_init(&directory->watch, loop, directory->inotify, on_inotify);
    }
    timer_init(&directory->quiet, loop, on_quiet);
    timer_init(&directory->most, loop, on_most);
    timer_init(&directory->doubt, loop, on_doubt);
    map_init_borrowed(&directory->files);
    claims_init(&directory->claims);
    problems_init(&directory->folder_problems, span_of(path));
    return &directory->source;
}
