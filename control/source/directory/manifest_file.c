#include "control/source/directory/manifest_file.h"

#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Coarser than the time stamps of any file system in use. */
enum { RACY_NS = 1000000000 };
/* Who writes a file without pause waits for the next change: looking again would never end. */
enum { MOVING_MOST = 20 };

struct manifest_file *manifest_file_create(const char *path)
{
    struct manifest_file *file = NEW(struct manifest_file);
    file->path = mem_strdup(path);
    problems_init(&file->problems, span_of(path));
    return file;
}

void manifest_file_destroy(struct manifest_file *file)
{
    if (file == NULL) {
        return;
    }
    for (size_t i = 0; i < file->count; i++) {
        object_unref(file->objects[i]);
    }
    mem_free(file->objects);
    problems_done(&file->problems);
    mem_free(file->path);
    mem_free(file);
}

void manifest_before_done(struct manifest_before *before)
{
    for (size_t i = 0; i < before->count; i++) {
        object_unref(before->objects[i]);
    }
    mem_free(before->objects);
    *before = (struct manifest_before){0};
}

/* Reads at most limit bytes; -1 and errno on failure. */
static ssize_t read_all(int fd, char *into, size_t limit)
{
    size_t length = 0;
    while (length < limit) {
        ssize_t got = read(fd, into + length, limit - length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        length += (size_t)got;
    }
    return (ssize_t)length;
}

static void add_object(struct manifest_file *file, struct object *object)
{
    mem_grow(&file->objects, &file->capacity, file->count + 1, sizeof(file->objects[0]));
    file->objects[file->count++] = object;
}

/* An object that did not change stays the one it was, at its new line. */
static void add_new_objects(struct manifest_file *file, const struct manifest *manifest,
                            const struct map *before)
{
    for (size_t i = 0; i < manifest->count; i++) {
        struct object *object = manifest->objects[i];
        struct object *old = map_get(before, object->key);
        if (old != NULL && old->hash == object->hash) {
            old->line = object->line;
            object = old;
        }
        add_object(file, object_ref(object));
    }
}

static void keep_old_objects(struct manifest_file *file, const struct manifest *manifest,
                             const struct manifest_before *before)
{
    struct map now;
    map_init_borrowed(&now);
    for (size_t i = 0; i < file->count; i++) {
        map_put(&now, file->objects[i]->key, file->objects[i]);
    }
    struct map broken;
    map_init_borrowed(&broken);
    for (size_t i = 0; i < manifest->broken_count; i++) {
        map_put(&broken, span_of(manifest->broken[i]), manifest->broken[i]);
    }
    for (size_t i = 0; i < before->count; i++) {
        struct object *old = before->objects[i];
        bool wanted = manifest->lost || map_get(&broken, old->key) != NULL;
        if (wanted && map_get(&now, old->key) == NULL) {
            add_object(file, object_ref(old));
        }
    }
    map_done(&broken);
    map_done(&now);
}

static void replace_objects(struct manifest_file *file, const struct manifest *manifest,
                            struct manifest_before *ret_before)
{
    struct map keys;
    *ret_before = (struct manifest_before){file->objects, file->count, true};
    file->objects = NULL;
    file->count = file->capacity = 0;
    map_init_borrowed(&keys);
    for (size_t i = 0; i < ret_before->count; i++) {
        map_put(&keys, ret_before->objects[i]->key, ret_before->objects[i]);
    }
    add_new_objects(file, manifest, &keys);
    map_done(&keys);
    keep_old_objects(file, manifest, ret_before);
}

static void fresh_problems(struct manifest_file *file)
{
    problems_done(&file->problems);
    problems_init(&file->problems, span_of(file->path));
    file->stale = true;
}

static bool is_refused_for(const struct manifest_file *file, const char *text)
{
    return file->own_problems == 1 && file->problems.items[0].line == 0 &&
           strcmp(file->problems.items[0].text, text) == 0;
}

/* The file is refused as a whole: its objects stay. One that cannot be opened is tried at each
 * look, and the same reason is no news. */
static enum file_outcome refuse(struct manifest_file *file, const char *what, const char *why)
{
    char text[PROBLEM_TEXT_BYTES];
    snprintf(text, sizeof(text), "%s%s", what, why);
    file->content = 0;
    if (is_refused_for(file, text)) {
        return FILE_READ;
    }
    fresh_problems(file);
    problems_add(&file->problems, 0, SPAN_EMPTY, SPAN_EMPTY, "%s", text);
    file->own_problems = file->problems.count;
    return FILE_READ;
}

static enum file_outcome take_bytes(struct manifest_file *file, struct span bytes,
                                    struct manifest_before *ret_before)
{
    if (bytes.length == 0 && file->count > 0) {
        return refuse(file, "is empty; its objects stay in force until it is deleted or has others",
                      "");
    }
    uint64_t content = span_hash(bytes, 0) | 1;
    if (content == file->content) {
        return FILE_READ; /* touched, or read once more to be sure */
    }
    struct manifest manifest;
    file->content = content;
    fresh_problems(file);
    manifest_parse(bytes, &file->problems, &manifest);
    replace_objects(file, &manifest, ret_before);
    manifest_done(&manifest);
    file->own_problems = file->problems.count;
    return FILE_READ;
}

static enum file_outcome read_open(struct manifest_file *file, int fd,
                                   struct manifest_before *ret_before)
{
    struct stat before;
    struct stat after;
    if (fstat(fd, &before) != 0) {
        return refuse(file, "cannot be read: ", strerror(errno));
    }
    file->signature = file_signature_of(&before);
    if (!S_ISREG(before.st_mode)) {
        return refuse(file, "is no regular file", "");
    }
    if (before.st_size > VALUE_FILE_BYTES) {
        return refuse(file, "larger than 8 MiB", "");
    }
    size_t room = (size_t)before.st_size + 1;
    char *bytes = mem_alloc(room);
    ssize_t length = read_all(fd, bytes, room);
    enum file_outcome outcome = FILE_MOVING;
    if (length < 0) {
        outcome = refuse(file, "cannot be read: ", strerror(errno));
    } else if (fstat(fd, &after) == 0 && length == before.st_size) {
        struct file_signature now = file_signature_of(&after);
        if (file_signature_equal(&now, &file->signature)) {
            file->racy = clock_wall_ns() - now.modified_ns < RACY_NS;
            outcome = take_bytes(file, span_make(bytes, (size_t)length), ret_before);
        }
    }
    mem_free(bytes);
    file->moving = outcome == FILE_MOVING ? file->moving + 1 : 0;
    if (file->moving > MOVING_MOST) {
        file->moving = 0;
        return refuse(file, "changes all the time while it is read", "");
    }
    return outcome;
}

enum file_outcome manifest_file_read(struct manifest_file *file, struct manifest_before *ret_before)
{
    *ret_before = (struct manifest_before){0};
    /* O_NONBLOCK: a pipe that somebody put here must not hold the control plane. */
    int fd = open(file->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return errno == ENOENT ? FILE_GONE : refuse(file, "cannot be read: ", strerror(errno));
    }
    enum file_outcome outcome = read_open(file, fd, ret_before);
    close(fd);
    return outcome;
}
