#include "control/cli/command.h"
#include "control/object/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES = 16 << 20, PIECE_BYTES = 65536 };

struct tally {
    size_t files, objects, errors, warnings;
    struct text json;
};

/* "-" is standard input. False and errno. */
static bool read_all(const char *path, struct text *into)
{
    static char piece[PIECE_BYTES];
    bool is_input = strcmp(path, "-") == 0;
    int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct stat facts;
    ssize_t got = -1;
    if (fd >= 0 && fstat(fd, &facts) == 0 && S_ISDIR(facts.st_mode)) {
        errno = EISDIR;
    } else {
        while (fd >= 0 && (got = read(fd, piece, sizeof(piece))) > 0) {
            text_add(into, span_make(piece, (size_t)got));
            if (into->length > FILE_BYTES) {
                errno = EFBIG;
                got = -1;
                break;
            }
        }
    }
    int error = errno;
    if (fd >= 0 && !is_input) {
        close(fd);
    }
    errno = error;
    return got == 0;
}

static void tell(const struct options *options, struct tally *tally,
                 const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        struct text line = {0};
        const struct problem *problem = &problems->items[i];
        problem_format(problems, problem, &line);
        tally->warnings += problem->warning;
        if (options->is_json) {
            text_add_text(&tally->json, tally->json.length > 0 ? ",\n" : "");
            text_printf(&tally->json, "{\"line\": %u, \"warning\": %s, \"file\": ", problem->line,
                        problem->warning ? "true" : "false");
            text_add_json(&tally->json, span_of(problems->file));
            text_add_text(&tally->json, ", \"object\": ");
            text_add_json(&tally->json, span_of(problem->object));
            text_add_text(&tally->json, ", \"field\": ");
            text_add_json(&tally->json, span_of(problem->field));
            text_add_text(&tally->json, ", \"text\": ");
            text_add_json(&tally->json, span_of(problem->text));
            text_add_text(&tally->json, "}");
        } else {
            bool ended = span_ends_with(text_span(&line), SPAN("\n"));
            printf("%s%s%s", problem->warning ? "warning: " : "", line.bytes, ended ? "" : "\n");
        }
        text_done(&line);
    }
    if (problems->left_out > 0 && !options->is_json) {
        printf("%s: %zu more problems\n", problems->file, problems->left_out);
    }
}

static void validate(const struct options *options, const char *path, struct tally *tally)
{
    struct text bytes = {0};
    struct problems problems;
    problems_init(&problems, span_of(strcmp(path, "-") == 0 ? "stdin" : path));
    tally->files++;
    if (read_all(path, &bytes)) {
        struct manifest manifest;
        manifest_parse(text_span(&bytes), &problems, &manifest);
        tally->objects += manifest.count;
        manifest_done(&manifest);
    } else {
        problems_add(&problems, 0, SPAN_EMPTY, SPAN_EMPTY, "%s", strerror(errno));
    }
    tell(options, tally, &problems);
    tally->errors += problems.errors;
    problems_done(&problems);
    text_done(&bytes);
}

int validate_run(const struct options *options, char **words, int count)
{
    struct tally tally = {0};
    if (count == 0) {
        return ctl_complain(options, CTL_USAGE, "validate needs files (- for standard input)");
    }
    for (int i = 0; i < count; i++) {
        validate(options, words[i], &tally);
    }
    if (options->is_json) {
        printf("{\"files\": %zu, \"objects\": %zu, \"errors\": %zu, \"problems\": [%s]}\n",
               tally.files, tally.objects, tally.errors,
               tally.json.bytes != NULL ? tally.json.bytes : "");
    } else if (tally.errors == 0) {
        printf("%zu objects in %zu files are well-formed\n", tally.objects, tally.files);
    }
    text_done(&tally.json);
    return tally.errors == 0 ? CTL_DONE : CTL_FAILED;
}
