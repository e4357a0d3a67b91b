#include "control/serve/state_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FOLDER_MODE = 0755, LOCK_MODE = 0600 };

__attribute__((format(printf, 2, 3))) static enum state_status fail(char *reason,
                                                                    const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, STATE_REASON_BYTES, format, arguments);
    va_end(arguments);
    return STATE_FAILED;
}

static bool join(const char *folder, const char *name, char *into)
{
    int length = snprintf(into, STATE_PATH_BYTES, "%s/%s", folder, name);
    return length > 0 && length < STATE_PATH_BYTES;
}

bool state_folder_socket(const char *path, char *into)
{
    return join(path, "admin.sock", into) &&
           strlen(into) < sizeof(((struct sockaddr_un *)0)->sun_path);
}

static enum state_status take_lock(const char *path, int *ret_lock, char *reason)
{
    char name[STATE_PATH_BYTES];
    if (!join(path, "lock", name)) {
        return fail(reason, "the path of the state folder is too long");
    }
    int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LOCK_MODE);
    if (lock < 0) {
        return fail(reason, "%.200s: %s", name, strerror(errno));
    }
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        int error = errno;
        close(lock);
        fail(reason, "%.200s is in use by another process", path);
        return error == EWOULDBLOCK ? STATE_LOCKED : STATE_FAILED;
    }
    *ret_lock = lock;
    return STATE_OPEN;
}

enum state_status state_folder_open(const char *path, struct state_folder *ret, char *reason)
{
    char secrets[STATE_PATH_BYTES];
    struct state_folder folder = {.lock = -1};
    if (!state_folder_socket(path, folder.admin_socket) || !join(path, "secrets", secrets) ||
        !join(path, "root.pem", folder.root_pem)) {
        return fail(reason, "the path of the state folder is too long for its socket: %.200s",
                    path);
    }
    if (mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST) {
        return fail(reason, "cannot make the state folder %.200s: %s", path, strerror(errno));
    }
    enum state_status status = take_lock(path, &folder.lock, reason);
    if (status != STATE_OPEN) {
        return status;
    }
    char why[KEYSTORE_REASON_BYTES];
    folder.store = keystore_open(secrets, why);
    if (folder.store == NULL) {
        close(folder.lock);
        return fail(reason, "%s", why);
    }
    *ret = folder;
    return STATE_OPEN;
}

void state_folder_close(struct state_folder *folder)
{
    keystore_close(folder->store);
    if (folder->lock >= 0) {
        close(folder->lock);
    }
    *folder = (struct state_folder){.lock = -1};
}
