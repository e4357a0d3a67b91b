#include "control/cli/command.h"

#include "lib/base/duration.h"
#include "lib/base/log.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command commands[] = {
    {"top", "[--once]", "live table of services: requests/s, success, latency, versions",
     " once interval ", top_run},
    {"status", "", "every manifest object and what became of it", "", status_run},
    {"proxies", "", "connected proxies: in sync? what did they refuse? certificate left", "",
     proxies_run},
    {"check", "", "is this machine able, is the mesh well? exit 1 when not", "", check_run},
    {"validate", "FILE...", "reads manifests as remora-control would; exit 1 on an error", "",
     validate_run},
    {"explain", "[PROXY] URL|HOST:PORT",
     "what a proxy would do with a request, and why; PROXY is its admin address", " admin ",
     explain_run},
    {"token", "create | list | revoke ID", "join tokens: how a new proxy proves who it is",
     " namespace service-account lifetime reusable ", token_run},
    {"ca", "show | export", "the certificate authority; export prints its roots as PEM", "",
     ca_run},
    {"version", "", "the version of this program", "", version_run},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const struct flag {
    const char *name;
    char letter;
    const char *argument; /* NULL = none */
    const char *help;
} flags[] = {
    {"state-dir", 0, "DIR", "state folder of remora-control (REMORA_STATE_DIR)"},
    {"output", 'o', "table|json", "form of what is printed"},
    {"help", 'h', NULL, "print this"},
    {"once", 0, NULL, "print once and end"},
    {"interval", 0, "TIME", "time between two views (1s)"},
    {"admin", 0, "ADDR:PORT", "admin port of the proxy (127.0.0.1:15000)"},
    {"namespace", 0, "NAME", "namespace of the service account (default)"},
    {"service-account", 0, "[NAMESPACE/]NAME", "service account that the token is for"},
    {"lifetime", 0, "TIME", "how long the token may be used (1h)"},
    {"reusable", 0, NULL, "the token may be used again and again until it ends"},
};
enum { FLAGS = sizeof(flags) / sizeof(flags[0]), COMMON_FLAGS = 3, FIRST_VALUE = 256 };

void ctl_put(const struct text *text)
{
    fwrite(text->bytes != NULL ? text->bytes : "", 1, text->length, stdout);
    fflush(stdout);
}

int ctl_complain(const struct options *options, int status, const char *format, ...)
{
    struct text words = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&words, format, arguments);
    va_end(arguments);
    if (options->is_json) {
        struct text json = {0};
        text_add_text(&json, "{\"error\": ");
        text_add_json(&json, text_span(&words));
        text_add_text(&json, "}\n");
        ctl_put(&json);
        text_done(&json);
    }
    fprintf(stderr, "remoractl: %s\n", words.bytes);
    text_done(&words);
    return status;
}

/* ---- Help ------------------------------------------------------------------------------------ */

static bool takes(const struct command *command, size_t flag)
{
    char wanted[32];
    snprintf(wanted, sizeof(wanted), " %s ", flags[flag].name);
    return flag < COMMON_FLAGS || strstr(command->flags, wanted) != NULL;
}

static void print_flag(const struct flag *flag)
{
    char left[64];
    char letter[8] = "    ";
    if (flag->letter != 0) {
        snprintf(letter, sizeof(letter), "-%c, ", flag->letter);
    }
    snprintf(left, sizeof(left), "%s--%s%s%s", letter, flag->name,
             flag->argument != NULL ? " " : "", flag->argument != NULL ? flag->argument : "");
    printf("  %-40s %s\n", left, flag->help);
}

static void print_help(void)
{
    puts("Usage: remoractl COMMAND [WORDS] [OPTIONS]\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        char left[64];
        snprintf(left, sizeof(left), "%s %s", commands[i].name, commands[i].usage);
        printf("  %-34s %s\n", left, commands[i].help);
    }
    puts(
        "\nremoractl COMMAND --help shows the options of each. Exit: 0 done, 1 failed or unwell, 2 "
        "bad\nwords, 3 nobody answered.");
}

static void print_command_help(const struct command *command)
{
    printf("Usage: remoractl %s%s%s [OPTIONS]\n\n%s\n\n", command->name,
           command->usage[0] != '\0' ? " " : "", command->usage, command->help);
    for (size_t i = 0; i < FLAGS; i++) {
        if (takes(command, i)) {
            print_flag(&flags[i]);
        }
    }
}

/* ---- Words ----------------------------------------------------------------------------------- */

static bool set_time_ms(const char *value, int64_t *ret_ms)
{
    return duration_parse(span_of(value), ret_ms) && *ret_ms > 0;
}

/* "7d" too: tokens live for days. */
static bool set_lifetime(const char *value, int64_t *ret_s)
{
    struct span digits = span_of(value);
    uint64_t days;
    int64_t ms;
    if (digits.length > 1 && span_ends_with(digits, SPAN("d")) &&
        span_to_u64(span_cut(digits, 0, digits.length - 1), 366, &days) && days > 0) {
        *ret_s = (int64_t)days * 86400;
        return true;
    }
    if (!set_time_ms(value, &ms) || ms < 1000) {
        return false;
    }
    *ret_s = ms / 1000;
    return true;
}

static bool set_output(const char *value, bool *ret_json)
{
    *ret_json = strcmp(value, "json") == 0;
    return *ret_json || strcmp(value, "table") == 0;
}

static bool set_flag(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "state-dir") == 0) {
        options->state_dir = value;
    } else if (strcmp(name, "output") == 0) {
        return set_output(value, &options->is_json);
    } else if (strcmp(name, "help") == 0) {
        options->wants_help = true;
    } else if (strcmp(name, "once") == 0) {
        options->once = true;
    } else if (strcmp(name, "reusable") == 0) {
        options->reusable = true;
    } else if (strcmp(name, "namespace") == 0) {
        options->namespace_name = value;
    } else if (strcmp(name, "service-account") == 0) {
        options->service_account = value;
    } else if (strcmp(name, "interval") == 0) {
        return set_time_ms(value, &options->interval_ms);
    } else if (strcmp(name, "lifetime") == 0) {
        return set_lifetime(value, &options->lifetime_s);
    } else {
        return address_parse(span_of(value), &options->admin);
    }
    return true;
}

static int flag_of(int value)
{
    for (int i = 0; i < FLAGS; i++) {
        if (value == FIRST_VALUE + i || (flags[i].letter != 0 && value == flags[i].letter)) {
            return i;
        }
    }
    return -1;
}

static bool read_flags(struct options *options, const struct command *command, int argc,
                       char **argv)
{
    struct option rows[FLAGS + 1] = {0};
    int value;
    for (int i = 0; i < FLAGS; i++) {
        rows[i] =
            (struct option){.name = flags[i].name,
                            .has_arg = flags[i].argument != NULL ? required_argument : no_argument,
                            .val = FIRST_VALUE + i};
    }
    optind = 0;
    opterr = 0;
    while ((value = getopt_long(argc, argv, ":ho:", rows, NULL)) != -1) {
        int flag = flag_of(value);
        if (flag < 0 || !takes(command, (size_t)flag)) {
            ctl_complain(options, CTL_USAGE,
                         value == ':' ? "%s needs a value"
                                      : "%s is not known "
                                        "here (remoractl %s --help)",
                         argv[optind - 1], command->name);
            return false;
        }
        if (!set_flag(options, flags[flag].name, optarg)) {
            ctl_complain(options, CTL_USAGE, "--%s does not take '%s' (%s)", flags[flag].name,
                         optarg, flags[flag].argument);
            return false;
        }
    }
    return true;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct options options = {.interval_ms = 1000, .state_dir = getenv("REMORA_STATE_DIR")};
    address_parse(SPAN("127.0.0.1:15000"), &options.admin);
    log_set_level(LOG_LEVEL_WARN);
    signal(SIGPIPE, SIG_DFL);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return argc < 2 ? CTL_USAGE : CTL_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        return version_run(&options, NULL, 0);
    }
    const struct command *command = find(argv[1]);
    if (command == NULL) {
        return ctl_complain(&options, CTL_USAGE, "'%s' is no command (remoractl --help)", argv[1]);
    }
    if (!read_flags(&options, command, argc - 1, argv + 1)) {
        return CTL_USAGE;
    }
    if (options.wants_help) {
        print_command_help(command);
        return CTL_DONE;
    }
    return command->run(&options, argv + 1 + optind, argc - 1 - optind);
}
