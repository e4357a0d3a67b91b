#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Runs a fuzz target over its seeds: each file of a folder as it is, then each of its beginnings,
 * then with each of its bits turned. So builds without libFuzzer keep the target alive and look a
 * little further.
 */
enum { MOST_BYTES = 1 << 20, MOST_TWISTED_BYTES = 2048 };

static void run_twisted(uint8_t *bytes, size_t length)
{
    for (size_t cut = 0; cut < length; cut++) {
        /* In memory of its own size, so that reading beyond is found. */
        uint8_t *part = malloc(cut + 1);
        if (part == NULL) {
            abort();
        }
        memcpy(part + 1, bytes, cut);
        LLVMFuzzerTestOneInput(part + 1, cut);
        free(part);
    }
    for (size_t bit = 0; bit < length * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        LLVMFuzzerTestOneInput(bytes, length);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    uint8_t *bytes = malloc(MOST_BYTES);
    if (bytes == NULL) {
        abort();
    }
    size_t length = fread(bytes, 1, MOST_BYTES, file);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, length);
    if (length <= MOST_TWISTED_BYTES) {
        run_twisted(bytes, length);
    }
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (folder == NULL) {
        fprintf(stderr, "usage: %s SEEDS-FOLDER\n", argv[0]);
        return 2;
    }
    int files = 0;
    int failed = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char path[4096];
        if (entry->d_name[0] == '.' ||
            snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name) >= (int)sizeof(path)) {
            continue;
        }
        failed |= run_file(path);
        files++;
    }
    closedir(folder);
    printf("%d seeds\n", files);
    return failed != 0 || files == 0 ? 1 : 0;
}
