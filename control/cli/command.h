#ifndef REMORA_CONTROL_CLI_COMMAND_H
#define REMORA_CONTROL_CLI_COMMAND_H

#include "lib/base/text.h"
#include "lib/net/address.h"

/*
 * remoractl: one command a file. A command gets its words and options, prints, and returns the exit
 * status.
 */
enum { CTL_DONE = 0, CTL_FAILED = 1, CTL_USAGE = 2, CTL_UNREACHABLE = 3 };

struct options {
    const char *state_dir; /* NULL = not said */
    bool is_json;
    bool once;
    bool reusable;
    bool wants_help;
    struct address admin; /* of a proxy, for explain */
    const char *namespace_name;
    const char *service_account;
    int64_t lifetime_s;
    int64_t interval_ms;
};

struct command {
    const char *name;
    const char *usage; /* behind the name */
    const char *help;
    const char *flags; /* names of those it takes, with blanks around each */
    int (*run)(const struct options *options, char **words, int count);
};

int top_run(const struct options *options, char **words, int count);
int check_run(const struct options *options, char **words, int count);
int validate_run(const struct options *options, char **words, int count);
int status_run(const struct options *options, char **words, int count);
int proxies_run(const struct options *options, char **words, int count);
int explain_run(const struct options *options, char **words, int count);
int token_run(const struct options *options, char **words, int count);
int ca_run(const struct options *options, char **words, int count);
int version_run(const struct options *options, char **words, int count);

/* "remoractl: WORDS" on standard error, and {"error": ...} on standard output with -o json. */
int ctl_complain(const struct options *options, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void ctl_put(const struct text *text);

#endif
