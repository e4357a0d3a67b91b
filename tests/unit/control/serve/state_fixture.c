#include "state_fixture.h"

#include "lib/base/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void remove_files(const char *folder)
{
    DIR *files = opendir(folder);
    struct dirent *file;
    while (files != NULL && (file = readdir(files)) != NULL) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", folder, file->d_name);
        if (file->d_name[0] != '.' || strncmp(file->d_name, ".new-", 5) == 0) {
            unlink(path);
        }
    }
    if (files != NULL) {
        closedir(files);
    }
    rmdir(folder);
}

void state_fixture_init(struct state_fixture *state)
{
    char reason[KEYSTORE_REASON_BYTES];
    snprintf(state->folder, sizeof(state->folder), "/tmp/remora-unit-XXXXXX");
    CHECK(mkdtemp(state->folder) != NULL);
    snprintf(state->secrets, sizeof(state->secrets), "%s/secrets", state->folder);
    state->store = keystore_open(state->secrets, reason);
    CHECK(state->store != NULL);
}

void state_fixture_done(struct state_fixture *state)
{
    keystore_close(state->store);
    remove_files(state->secrets);
    remove_files(state->folder);
}

void state_fixture_write(struct state_fixture *state, const char *name, const char *text)
{
    char path[192];
    snprintf(path, sizeof(path), "%s/%s", state->secrets, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

void state_fixture_freeze(struct state_fixture *state)
{
    /* The open folder is gone: whoever is root cannot write into it either. */
    remove_files(state->secrets);
}
