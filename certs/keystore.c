#include "certs/keystore.h"

#include "lib/base/memory.h"
#include "lib/base/random.h"

#include <openssl/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { FOLDER_MODE = 0700, FILE_MODE = 0600, OTHERS_MODE = 0077, TEMPORARY_BYTES = 96 };

struct keystore {
    int folder;
};

__attribute__((format(printf, 2, 3))) static bool refuse(char *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, KEYSTORE_REASON_BYTES, format, arguments);
    va_end(arguments);
    return false;
}

/* Mode and owner of something that is open, so that nobody can swap it behind the check. */
static bool ours_alone(int fd, const char *name, bool is_folder, char *reason)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0) {
        return refuse(reason, "%.64s: %s", name, strerror(errno));
    }
    if (is_folder ? !S_ISDIR(facts.st_mode) : !S_ISREG(facts.st_mode)) {
        return refuse(reason, "%.64s is not a %s", name, is_folder ? "folder" : "regular file");
    }
    if (facts.st_uid != geteuid()) {
        return refuse(reason, "%.64s belongs to user %u, not to us (%u)", name, facts.st_uid,
                      geteuid());
    }
    if ((facts.st_mode & OTHERS_MODE) != 0) {
        return refuse(reason, "%.64s has mode %04o: others may use it", name,
                      facts.st_mode & 07777U);
    }
    if (!is_folder && facts.st_nlink > 1) {
        return refuse(reason, "%.64s has other names (hard links)", name);
    }
    if (!is_folder && facts.st_size > KEYSTORE_FILE_BYTES) {
        return refuse(reason, "%.64s is longer than 1 MiB", name);
    }
    return true;
}

struct keystore *keystore_open(const char *folder, char *reason)
{
    if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST) {
        refuse(reason, "cannot make %.96s: %s", folder, strerror(errno));
        return NULL;
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        refuse(reason, "cannot open %.96s: %s", folder, strerror(errno));
        return NULL;
    }
    if (!ours_alone(fd, folder, true, reason)) {
        close(fd);
        return NULL;
    }
    struct keystore *store = NEW(struct keystore);
    store->folder = fd;
    return store;
}

void keystore_close(struct keystore *store)
{
    if (store != NULL) {
        close(store->folder);
        mem_free(store);
    }
}

static bool name_valid(const char *name, char *reason)
{
    size_t length = strlen(name);
    bool good = length > 0 && length <= KEYSTORE_NAME_BYTES && name[0] != '.';
    for (size_t i = 0; good && i < length; i++) {
        char byte = name[i];
        good = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
               (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '-';
    }
    return good || refuse(reason, "%.64s is no name of a stored file", name);
}

static bool read_all(int fd, const char *name, struct text *ret, char *reason)
{
    unsigned char *bytes = mem_alloc(KEYSTORE_FILE_BYTES + 1);
    size_t length = 0;
    ssize_t got;
    do {
        got = read(fd, bytes + length, KEYSTORE_FILE_BYTES + 1 - length);
        if (got > 0) {
            length += (size_t)got;
        }
    } while ((got > 0 && length <= KEYSTORE_FILE_BYTES) || (got < 0 && errno == EINTR));
    bool good = got == 0 && length <= KEYSTORE_FILE_BYTES;
    if (good) {
        text_add(ret, span_make(bytes, length));
    } else if (got < 0) {
        refuse(reason, "cannot read %.64s: %s", name, strerror(errno));
    } else {
        refuse(reason, "%.64s is longer than 1 MiB", name);
    }
    OPENSSL_cleanse(bytes, length);
    mem_free(bytes);
    return good;
}

enum keystore_status keystore_read(struct keystore *store, const char *name, struct text *ret,
                                   char *reason)
{
    if (!name_valid(name, reason)) {
        return KEYSTORE_REFUSED;
    }
    /* O_NONBLOCK: a FIFO of that name must not hang us. */
    int fd = openat(store->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        enum keystore_status status = errno == ENOENT ? KEYSTORE_MISSING : KEYSTORE_REFUSED;
        refuse(reason, "cannot open %.64s: %s", name, strerror(errno));
        return status;
    }
    bool good = ours_alone(fd, name, false, reason) && read_all(fd, name, ret, reason);
    close(fd);
    return good ? KEYSTORE_OK : KEYSTORE_REFUSED;
}

static bool write_all(int fd, struct span bytes)
{
    size_t done = 0;
    while (done < bytes.length) {
        ssize_t wrote = write(fd, bytes.at + done, bytes.length - done);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return false;
        }
        done += (size_t)wrote;
    }
    return fsync(fd) == 0;
}

bool keystore_write(struct keystore *store, const char *name, struct span bytes, char *reason)
{
    if (!name_valid(name, reason)) {
        return false;
    }
    if (bytes.length > KEYSTORE_FILE_BYTES) {
        return refuse(reason, "%.64s would be longer than 1 MiB", name);
    }
    uint64_t unique;
    char temporary[TEMPORARY_BYTES];
    random_secret(&unique, sizeof(unique));
    snprintf(temporary, sizeof(temporary), ".new-%016llx", (unsigned long long)unique);
    int fd = openat(store->folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (fd < 0) {
        return refuse(reason, "cannot write %.64s: %s", name, strerror(errno));
    }
    bool good = write_all(fd, bytes);
    int error = errno;
    close(fd);
    if (good && renameat(store->folder, temporary, store->folder, name) != 0) {
        error = errno;
        good = false;
    }
    if (!good) {
        unlinkat(store->folder, temporary, 0);
        return refuse(reason, "cannot write %.64s: %s", name, strerror(error));
    }
    if (fsync(store->folder) != 0 && errno != EINVAL) {
        return refuse(reason, "cannot make %.64s durable: %s", name, strerror(errno));
    }
    return true;
}

bool keystore_remove(struct keystore *store, const char *name, char *reason)
{
    if (!name_valid(name, reason)) {
        return false;
    }
    if (unlinkat(store->folder, name, 0) != 0 && errno != ENOENT) {
        return refuse(reason, "cannot remove %.64s: %s", name, strerror(errno));
    }
    return true;
}

bool path_is_memory_backed(const char *path)
{
    struct statfs facts;
    return statfs(path, &facts) == 0 &&
           (facts.f_type == TMPFS_MAGIC || facts.f_type == RAMFS_MAGIC);
}
