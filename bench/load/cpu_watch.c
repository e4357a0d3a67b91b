#include "bench/load/cpu_watch.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>

static int64_t thread_ns(int pid, const char *thread)
{
    char path[320];
    int64_t ns = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, thread);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "%" SCNd64, &ns) != 1) {
        ns = 0;
    }
    fclose(file);
    return ns;
}

static int64_t process_ns(int pid)
{
    char path[64];
    int64_t ns = 0;
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return 0;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            ns += thread_ns(pid, entry->d_name);
        }
    }
    closedir(folder);
    return ns;
}

int64_t cpu_watch_ns(const int *pids, size_t count)
{
    int64_t ns = 0;
    for (size_t i = 0; i < count; i++) {
        ns += process_ns(pids[i]);
    }
    return ns;
}
