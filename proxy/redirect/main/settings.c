#include "proxy/redirect/main/settings.h"

#include "lib/base/duration.h"

#include <ctype.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_TIMEOUT_MS = 10000, LONGEST_TIMEOUT_MS = 600000, ENVIRONMENT_NAME_BYTES = 64 };

enum kind { KIND_PORT, KIND_ID, KIND_PORTS, KIND_CIDRS, KIND_DURATION, KIND_OUTPUT, KIND_SWITCH };

struct option_row {
    const char *name;
    char letter; /* 0 = none */
    enum kind kind;
    size_t offset; /* of the member in struct settings */
    const char *argument;
    const char *help;
};

#define IN_PLAN(member) (offsetof(struct settings, plan) + offsetof(struct redirect_plan, member))

static const struct option_row rows[] = {
    {"outbound-port", 0, KIND_PORT, IN_PLAN(outbound_port), "PORT",
     "the proxy's listener for the application's connections (15001)"},
    {"inbound-port", 0, KIND_PORT, IN_PLAN(inbound_port), "PORT",
     "the proxy's listener for connections from outside (15006)"},
    {"hbone-port", 0, KIND_PORT, IN_PLAN(hbone_port), "PORT",
     "the proxy's listener for tunnels; left alone (15008; 0 = none)"},
    {"service-ports", 0, KIND_PORTS, IN_PLAN(service_ports), "PORTS",
     "the proxy's metrics and health; left alone (15020-15021,15090)"},
    {"uid", 0, KIND_ID, IN_PLAN(uid), "ID", "the user that the proxy runs as (1337)"},
    {"gid", 0, KIND_ID, IN_PLAN(gid), "ID", "the group that the proxy runs as (1337)"},
    {"exclude-inbound-ports", 0, KIND_PORTS, IN_PLAN(exclude_inbound_ports), "PORTS",
     "leave these ports of the application alone"},
    {"include-inbound-ports", 0, KIND_PORTS, IN_PLAN(include_inbound_ports), "PORTS",
     "take over these ports of the application only"},
    {"exclude-outbound-ports", 0, KIND_PORTS, IN_PLAN(exclude_outbound_ports), "PORTS",
     "leave connections to these ports alone"},
    {"include-outbound-ports", 0, KIND_PORTS, IN_PLAN(include_outbound_ports), "PORTS",
     "take over only connections to these ports or included networks"},
    {"exclude-outbound-cidrs", 0, KIND_CIDRS, IN_PLAN(exclude_outbound_cidrs), "CIDRS",
     "leave connections to these networks alone (169.254.169.254)"},
    {"include-outbound-cidrs", 0, KIND_CIDRS, IN_PLAN(include_outbound_cidrs), "CIDRS",
     "take over only connections to these networks or included ports"},
    {"timeout", 0, KIND_DURATION, offsetof(struct settings, timeout_ms), "TIME",
     "longest time for the live check (10s)"},
    {"dry-run", 'n', KIND_SWITCH, offsetof(struct settings, is_dry_run), NULL,
     "install: print the rules, ask the kernel, change nothing"},
    {"no-live-check", 0, KIND_SWITCH, offsetof(struct settings, skips_live_check), NULL,
     "install, verify: compare the rules only, make no connections"},
    {"host-network", 0, KIND_SWITCH, offsetof(struct settings, allows_host_network), NULL,
     "allow the machine's own network namespace"},
    {"output", 'o', KIND_OUTPUT, offsetof(struct settings, is_json), "text|json",
     "form of what is printed"},
    {"help", 'h', KIND_SWITCH, offsetof(struct settings, wants_help), NULL, "print this"},
    {"version", 'V', KIND_SWITCH, offsetof(struct settings, wants_version), NULL,
     "print the version"},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]), FIRST_VALUE = 256 };

void settings_init(struct settings *settings)
{
    *settings = (struct settings){.timeout_ms = DEFAULT_TIMEOUT_MS};
    redirect_plan_init(&settings->plan);
}

void settings_done(struct settings *settings)
{
    redirect_plan_done(&settings->plan);
}

static bool set_number(void *member, size_t bytes, struct span value, uint64_t limit,
                       struct text *ret_problem)
{
    uint64_t number;
    if (!span_to_u64(value, limit, &number)) {
        text_printf(ret_problem, "'%.*s' is not a number from 0 to %llu", SPAN_ARG(value),
                    (unsigned long long)limit);
        return false;
    }
    uint16_t narrow = (uint16_t)number;
    uint32_t wide = (uint32_t)number;
    memcpy(member, bytes == sizeof(narrow) ? (void *)&narrow : (void *)&wide, bytes);
    return true;
}

static bool set_timeout(int64_t *timeout_ms, struct span value, struct text *ret_problem)
{
    int64_t ms;
    if (!duration_parse(value, &ms) || ms <= 0 || ms > LONGEST_TIMEOUT_MS) {
        text_printf(ret_problem, "'%.*s' is not a time like 500ms or 10s, up to 10m",
                    SPAN_ARG(value));
        return false;
    }
    *timeout_ms = ms;
    return true;
}

static bool set_output(bool *is_json, struct span value, struct text *ret_problem)
{
    if (!span_equal_text(value, "json") && !span_equal_text(value, "text")) {
        text_printf(ret_problem, "'%.*s' is neither text nor json", SPAN_ARG(value));
        return false;
    }
    *is_json = span_equal_text(value, "json");
    return true;
}

/* Service ports are one list: naming them replaces the usual ones. All other lists add up. */
static bool set_ports(struct settings *settings, struct port_set *ports, struct span value,
                      struct text *ret_problem)
{
    if (ports == &settings->plan.service_ports) {
        port_set_done(ports);
    }
    return port_set_parse(ports, value, ret_problem);
}

static bool set_value(struct settings *settings, const struct option_row *row, struct span value,
                      struct text *ret_problem)
{
    void *member = (char *)settings + row->offset;
    switch (row->kind) {
    case KIND_PORT:
        return set_number(member, sizeof(uint16_t), value, UINT16_MAX, ret_problem);
    case KIND_ID:
        return set_number(member, sizeof(uint32_t), value, UINT32_MAX, ret_problem);
    case KIND_PORTS:
        return set_ports(settings, member, value, ret_problem);
    case KIND_CIDRS:
        return cidr_set_parse(member, value, ret_problem);
    case KIND_DURATION:
        return set_timeout(member, value, ret_problem);
    case KIND_OUTPUT:
        return set_output(member, value, ret_problem);
    case KIND_SWITCH:
        *(bool *)member = true;
        return true;
    }
    return false;
}

/* --exclude-inbound-ports is REMORA_EXCLUDE_INBOUND_PORTS. */
static void environment_name(const struct option_row *row, char *into)
{
    size_t length = (size_t)snprintf(into, ENVIRONMENT_NAME_BYTES, "REMORA_%s", row->name);
    for (size_t i = 0; i < length; i++) {
        into[i] = (char)(into[i] == '-' ? '_' : toupper((unsigned char)into[i]));
    }
}

static bool read_environment(struct settings *settings, const bool given[ROWS],
                             struct text *ret_problem)
{
    for (size_t i = 0; i < ROWS; i++) {
        char name[ENVIRONMENT_NAME_BYTES];
        environment_name(&rows[i], name);
        const char *value = getenv(name);
        if (value == NULL || value[0] == '\0' || given[i] || rows[i].kind == KIND_SWITCH) {
            continue;
        }
        struct text problem = {0};
        bool good = set_value(settings, &rows[i], span_of(value), &problem);
        if (!good) {
            text_printf(ret_problem, "%s: %s", name, problem.bytes);
        }
        text_done(&problem);
        if (!good) {
            return false;
        }
    }
    return true;
}

static bool read_command(struct settings *settings, int count, char **words,
                         struct text *ret_problem)
{
    static const struct {
        const char *word;
        enum command command;
    } commands[] = {
        {"install", COMMAND_INSTALL},
        {"verify", COMMAND_VERIFY},
        {"remove", COMMAND_REMOVE},
        {"print", COMMAND_PRINT},
    };
    if (count != 1) {
        text_add_text(ret_problem, "say one of: install, verify, remove, print (see --help)");
        return false;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(words[0], commands[i].word) == 0) {
            settings->command = commands[i].command;
            return true;
        }
    }
    text_printf(ret_problem, "'%s' is not a command (install, verify, remove, print)", words[0]);
    return false;
}

static const struct option_row *row_of(int value)
{
    if (value >= FIRST_VALUE && value < FIRST_VALUE + ROWS) {
        return &rows[value - FIRST_VALUE];
    }
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].letter != 0 && rows[i].letter == value) {
            return &rows[i];
        }
    }
    return NULL;
}

static bool read_flags(struct settings *settings, int argc, char **argv, bool given[ROWS],
                       struct text *ret_problem)
{
    struct option long_options[ROWS + 1] = {0};
    for (int i = 0; i < ROWS; i++) {
        long_options[i] = (struct option){
            .name = rows[i].name,
            .has_arg = rows[i].kind == KIND_SWITCH ? no_argument : required_argument,
            .val = FIRST_VALUE + i,
        };
    }
    opterr = 0;
    int value;
    while ((value = getopt_long(argc, argv, ":no:hV", long_options, NULL)) != -1) {
        const struct option_row *row = row_of(value);
        if (row == NULL) {
            text_printf(ret_problem, "%s: %s (see --help)", argv[optind - 1],
                        value == ':' ? "a value is missing" : "no such flag");
            return false;
        }
        struct text problem = {0};
        bool good = set_value(settings, row, span_of(optarg), &problem);
        if (!good) {
            text_printf(ret_problem, "--%s: %s", row->name, problem.bytes);
        }
        text_done(&problem);
        if (!good) {
            return false;
        }
        given[row - rows] = true;
    }
    return true;
}

bool settings_read(struct settings *settings, int argc, char **argv, struct text *ret_problem)
{
    bool given[ROWS] = {false};
    if (!read_flags(settings, argc, argv, given, ret_problem)) {
        return false;
    }
    if (settings->wants_help || settings->wants_version) {
        return true;
    }
    return read_environment(settings, given, ret_problem) &&
           read_command(settings, argc - optind, argv + optind, ret_problem) &&
           redirect_plan_check(&settings->plan, ret_problem);
}

void settings_write_help(struct text *into)
{
    text_add_text(into,
                  "usage: remora-redirect [FLAGS] install|verify|remove|print\n"
                  "\n"
                  "Leads the TCP connections of one network namespace through its proxy.\n"
                  "\n"
                  "  install   install the rules or replace them, in one step, then verify\n"
                  "  verify    compare the rules with the flags, then prove them by connections\n"
                  "  remove    take everything out again\n"
                  "  print     print the rules as nft text; needs no rights\n"
                  "\n");
    for (size_t i = 0; i < ROWS; i++) {
        char flag[64];
        snprintf(flag, sizeof(flag), "--%s%s%s", rows[i].name, rows[i].argument != NULL ? " " : "",
                 rows[i].argument != NULL ? rows[i].argument : "");
        if (rows[i].letter != 0) {
            text_printf(into, "  -%c, %-30s %s\n", rows[i].letter, flag, rows[i].help);
        } else {
            text_printf(into, "      %-30s %s\n", flag, rows[i].help);
        }
    }
    text_add_text(
        into,
        "\n"
        "PORTS: 80,443,8000-8100. CIDRS: 10.0.0.0/8,fd00::/8. Lists may be given more than once.\n"
        "Each flag with a value also has an environment variable: REMORA_OUTBOUND_PORT, ...\n"
        "The live check acts as the proxy's user and as another one, for which it needs\n"
        "CAP_SETUID and CAP_SETGID beside CAP_NET_ADMIN; what it may not try it reports as "
        "skipped.\n"
        "\n"
        "Exit status: 0 done; 1 could not be done; 2 wrong flags; 126 the rules do not work.\n");
}
