#include "proxy/discovery/last_known_good.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "proxy/discovery/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "last-known-good"
#define TEMPORARY_NAME "last-known-good.tmp"

enum { COALESCE_MS = 1000, RETRY_MS = 10000 };

/*
 * What a write needs, apart from the store: a disk may take seconds, so a thread waits for it. It
 * touches nothing but this, and `finished` is the last thing that it writes.
 */
struct writing {
    int folder;
    struct text file;
    int error; /* errno; 0 = written */
    atomic_bool finished;
};

struct last_known_good {
    struct loop *loop;
    struct apply *apply;
    int folder;
    char *path; /* of the folder, for logs */
    bool dirty;
    struct writing *writing; /* NULL: none under way */
    pthread_t thread;
    struct timer timer;
    struct last_known_good_counters counters;
};

/* ---- Writing --------------------------------------------------------------------------------- */

static bool write_all(int fd, struct span bytes)
{
    while (bytes.length > 0) {
        ssize_t written = write(fd, bytes.at, bytes.length);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        bytes = span_cut(bytes, (size_t)written, bytes.length);
    }
    return true;
}

/* A reader sees the old file or the new one, whole, also after the power was cut. */
static int replace_file(int folder, struct span bytes)
{
    unlinkat(folder, TEMPORARY_NAME, 0);
    int fd =
        openat(folder, TEMPORARY_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno;
    }
    bool good = write_all(fd, bytes) && fsync(fd) == 0;
    int error = good ? 0 : errno;
    close(fd);
    if (error == 0 && renameat(folder, TEMPORARY_NAME, folder, FILE_NAME) != 0) {
        error = errno;
    }
    if (error != 0) {
        unlinkat(folder, TEMPORARY_NAME, 0);
        return error;
    }
    return fsync(folder) == 0 ? 0 : errno;
}

static void *write_in_thread(void *argument)
{
    struct writing *writing = argument;
    writing->error = replace_file(writing->folder, text_span(&writing->file));
    atomic_store_explicit(&writing->finished, true, memory_order_release);
    return NULL;
}

static struct writing *collect(struct last_known_good *store)
{
    struct writing *writing = NEW(struct writing);
    struct state_record record = {.type = XDS_LISTENER};
    uint64_t records = 0;
    size_t at = 0;
    writing->folder = store->folder;
    state_file_begin(&writing->file);
    while (
        apply_next(store->apply, &record.type, &at, &record.name, &record.version, &record.bytes)) {
        state_file_add(&writing->file, &record);
        records++;
    }
    state_file_end(&writing->file, records);
    store->dirty = false;
    return writing;
}

/* Accounts for a write that is over. */
static void settle(struct last_known_good *store, struct writing *writing)
{
    if (writing->error == 0) {
        store->counters.written++;
    } else {
        store->counters.write_failures++;
        store->dirty = true;
        LOG_WARN_LIMITED("state", "last known good cannot be written; the file before stays",
                         LOG_TEXT("folder", store->path),
                         LOG_TEXT("reason", strerror(writing->error)));
    }
    text_done(&writing->file);
    mem_free(writing);
}

static void start_writing(struct last_known_good *store)
{
    struct writing *writing = collect(store);
    if (pthread_create(&store->thread, NULL, write_in_thread, writing) != 0) {
        write_in_thread(writing); /* no thread to be had: late is better than never */
        settle(store, writing);
        return;
    }
    pthread_setname_np(store->thread, "state-writer");
    store->writing = writing;
}

static void on_timer(struct timer *timer)
{
    struct last_known_good *store = CONTAINER_OF(timer, struct last_known_good, timer);
    int64_t next_ms = COALESCE_MS;
    if (store->writing != NULL) {
        if (!atomic_load_explicit(&store->writing->finished, memory_order_acquire)) {
            timer_start(&store->timer, COALESCE_MS * NS_PER_MS);
            return;
        }
        struct writing *writing = store->writing;
        store->writing = NULL;
        pthread_join(store->thread, NULL);
        next_ms = writing->error == 0 ? 0 : RETRY_MS;
        settle(store, writing);
    }
    if (store->dirty && next_ms != RETRY_MS) {
        start_writing(store);
        next_ms = COALESCE_MS;
    }
    if (store->dirty || store->writing != NULL) {
        timer_start(&store->timer, next_ms * NS_PER_MS);
    }
}

void last_known_good_dirty(struct last_known_good *store)
{
    store->dirty = true;
    if (!timer_running(&store->timer)) {
        timer_start(&store->timer, COALESCE_MS * NS_PER_MS);
    }
}

/* ---- Reading --------------------------------------------------------------------------------- */

/*
 * Who can write the file decides what this proxy does at its next start, so it must be ours. The
 * folder may be anyone's (a pod's volume often is): another's file in it is not taken.
 */
static bool is_ours(int fd)
{
    struct stat facts;
    return fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) &&
           (facts.st_uid == geteuid() || facts.st_uid == 0) &&
           (facts.st_mode & (S_IWGRP | S_IWOTH)) == 0 && facts.st_size <= STATE_FILE_BYTES;
}

/* Empty when there is no file; false when there is one that cannot be read. */
static bool read_file(int folder, struct text *into, bool *ret_there)
{
    int fd = openat(folder, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    *ret_there = fd >= 0 || errno != ENOENT;
    if (fd < 0) {
        return false;
    }
    bool good = is_ours(fd);
    char *part = mem_alloc(65536);
    ssize_t length = 0;
    while (good && into->length <= STATE_FILE_BYTES && (length = read(fd, part, 65536)) > 0) {
        text_add(into, span_make(part, (size_t)length));
    }
    mem_free(part);
    close(fd);
    return good && length >= 0;
}

static void restore_each(struct last_known_good *store, struct span file)
{
    struct state_reader reader;
    struct state_record record;
    struct xds_error error;
    if (!state_reader_begin(&reader, file)) {
        store->counters.discarded++;
        LOG_WARN("state", "last known good is of another version, or broken; left out",
                 LOG_TEXT("folder", store->path));
        return;
    }
    while (state_reader_next(&reader, &record)) {
        if (apply_restore(store->apply, record.type, record.name, record.version, record.bytes,
                          &error)) {
            store->counters.restored++;
            continue;
        }
        store->counters.discarded++;
        LOG_WARN_LIMITED("state", "a part of last known good is not taken",
                         LOG_TEXT("type", xds_type_short(record.type)),
                         LOG_SPAN("name", record.name), LOG_TEXT("reason", error.text));
    }
    store->counters.discarded += reader.discarded;
    if (!reader.whole) {
        LOG_WARN("state", "last known good is damaged; what is whole in it is used",
                 LOG_TEXT("folder", store->path), LOG_NUMBER("used", store->counters.restored),
                 LOG_NUMBER("left_out", store->counters.discarded));
    }
}

static void restore(struct last_known_good *store)
{
    struct text file = {0};
    bool there = false;
    if (read_file(store->folder, &file, &there)) {
        restore_each(store, text_span(&file));
    } else if (there) {
        store->counters.discarded++;
        LOG_WARN("state", "last known good cannot be read; left out",
                 LOG_TEXT("folder", store->path));
    }
    text_done(&file);
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* Each part of the path that is missing. */
static bool make_folders(char *path)
{
    for (char *at = path + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            bool good = mkdir(path, 0755) == 0 || errno == EEXIST;
            *at = '/';
            if (!good) {
                return false;
            }
        }
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static int open_folder(char *path, char *reason, size_t reason_bytes)
{
    int fd = -1;
    errno = ENOENT;
    if (path[0] != '\0' && make_folders(path)) {
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0) {
        snprintf(reason, reason_bytes, "%s: %s", path, strerror(errno));
    }
    return fd;
}

struct last_known_good *last_known_good_open(struct loop *loop, struct span folder,
                                             struct apply *apply, char *reason, size_t reason_bytes)
{
    char *path = mem_text(folder.at, folder.length);
    int fd = open_folder(path, reason, reason_bytes);
    if (fd < 0) {
        mem_free(path);
        return NULL;
    }
    struct last_known_good *store = NEW(struct last_known_good);
    store->loop = loop;
    store->apply = apply;
    store->folder = fd;
    store->path = path;
    timer_init(&store->timer, loop, on_timer);
    restore(store);
    return store;
}

void last_known_good_close(struct last_known_good *store)
{
    if (store == NULL) {
        return;
    }
    timer_stop(&store->timer);
    if (store->writing != NULL) {
        pthread_join(store->thread, NULL);
        settle(store, store->writing);
    }
    if (store->dirty) {
        struct writing *last = collect(store);
        write_in_thread(last);
        settle(store, last);
    }
    close(store->folder);
    mem_free(store->path);
    mem_free(store);
}

const struct last_known_good_counters *last_known_good_counters(const struct last_known_good *store)
{
    return &store->counters;
}
