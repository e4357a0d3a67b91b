#include "control/main/settings.h"

#include "certs/spiffe_id.h"

#include <ctype.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_TEXT, KIND_ADDRESS, KIND_LEVEL, KIND_FORMAT, KIND_SWITCH };
enum { ENVIRONMENT_NAME_BYTES = 64, FIRST_VALUE = 256 };

struct option_row {
    const char *name;
    char letter; /* 0 = none */
    enum kind kind;
    size_t offset; /* of the member in struct settings */
    const char *argument;
    const char *help;
};

#define AT(member) offsetof(struct settings, member)

static const struct option_row rows[] = {
    {"config-dir", 0, KIND_TEXT, AT(config_dir), "DIR", "folder of manifests, watched"},
    {"state-dir", 0, KIND_TEXT, AT(state_dir), "DIR",
     "folder for the authority's keys, join tokens and the admin socket"},
    {"listen", 0, KIND_ADDRESS, AT(listen), "ADDR:PORT",
     "xDS, certificates and load reports, over TLS ([::]:15012)"},
    {"listen-plain", 0, KIND_ADDRESS, AT(listen_plain), "ADDR:PORT|off",
     "xDS without TLS and identity, loopback only, for gRPC libraries that need it (off)"},
    {"metrics", 0, KIND_ADDRESS, AT(metrics), "ADDR:PORT|off",
     "Prometheus metrics and health ([::]:15014)"},
    {"trust-domain", 0, KIND_TEXT, AT(trust_domain), "NAME",
     "trust domain of the mesh (remora.local)"},
    {"cluster-domain", 0, KIND_TEXT, AT(cluster_domain), "NAME",
     "end of the services' host names (cluster.local)"},
    {"root-namespace", 0, KIND_TEXT, AT(root_namespace), "NAME",
     "whose policies without a target hold for the mesh (remora-system)"},
    {"ca-cert", 0, KIND_TEXT, AT(ca_cert), "FILE",
     "own authority: PEM, signer first, root last (else one is made)"},
    {"ca-key", 0, KIND_TEXT, AT(ca_key), "FILE", "own authority: key of the signer, mode 0600"},
    {"log-level", 0, KIND_LEVEL, AT(log_level), "debug|info|warn|error|off",
     "of the log on standard error (info)"},
    {"log-format", 0, KIND_FORMAT, AT(log_format), "text|json", "of that log (text)"},
    {"help", 'h', KIND_SWITCH, AT(wants_help), NULL, "print this"},
    {"version", 'V', KIND_SWITCH, AT(wants_version), NULL, "print the version"},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static bool set_address(struct address *into, struct span value, struct text *ret_problem)
{
    if (span_equal(value, SPAN("off"))) {
        *into = (struct address){0};
        return true;
    }
    if (!address_parse(value, into)) {
        text_printf(ret_problem, "'%.*s' is not an address with a port, like 0.0.0.0:15012",
                    SPAN_ARG(value));
        return false;
    }
    return true;
}

static bool set_format(enum log_format *into, struct span value, struct text *ret_problem)
{
    if (!span_equal(value, SPAN("json")) && !span_equal(value, SPAN("text"))) {
        text_printf(ret_problem, "'%.*s' is neither text nor json", SPAN_ARG(value));
        return false;
    }
    *into = span_equal(value, SPAN("json")) ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
    return true;
}

static bool set_value(struct settings *settings, const struct option_row *row, const char *value,
                      struct text *ret_problem)
{
    void *member = (char *)settings + row->offset;
    switch (row->kind) {
    case KIND_TEXT:
        *(const char **)member = value;
        return true;
    case KIND_ADDRESS:
        return set_address(member, span_of(value), ret_problem);
    case KIND_LEVEL:
        if (!log_level_parse(span_of(value), member)) {
            text_printf(ret_problem, "'%s' is not a log level", value);
            return false;
        }
        return true;
    case KIND_FORMAT:
        return set_format(member, span_of(value), ret_problem);
    case KIND_SWITCH:
        *(bool *)member = true;
        return true;
    }
    return false;
}

/* --state-dir is REMORA_CONTROL_STATE_DIR. */
static const char *from_environment(const struct option_row *row, char *name)
{
    size_t length = (size_t)snprintf(name, ENVIRONMENT_NAME_BYTES, "REMORA_CONTROL_%s", row->name);
    for (size_t i = 0; i < length; i++) {
        name[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
    }
    return getenv(name);
}

static bool read_environment(struct settings *settings, struct text *ret_problem)
{
    for (size_t i = 0; i < ROWS; i++) {
        char name[ENVIRONMENT_NAME_BYTES];
        const char *value = rows[i].kind != KIND_SWITCH ? from_environment(&rows[i], name) : NULL;
        if (value != NULL && !set_value(settings, &rows[i], value, ret_problem)) {
            text_printf(ret_problem, " (from %s)", name);
            return false;
        }
    }
    return true;
}

static bool read_flags(struct settings *settings, int argc, char **argv, struct text *ret_problem)
{
    struct option options[ROWS + 1] = {0};
    for (size_t i = 0; i < ROWS; i++) {
        options[i] =
            (struct option){.name = rows[i].name,
                            .has_arg = rows[i].argument != NULL ? required_argument : no_argument,
                            .val = FIRST_VALUE + (int)i};
    }
    int value;
    optind = 0;
    opterr = 0;
    while ((value = getopt_long(argc, argv, ":hV", options, NULL)) != -1) {
        settings->wants_help |= value == 'h';
        settings->wants_version |= value == 'V';
        if (value == '?' || value == ':') {
            text_printf(ret_problem, value == ':' ? "%s needs a value" : "%s is not known",
                        argv[optind - 1]);
            return false;
        }
        if (value >= FIRST_VALUE &&
            !set_value(settings, &rows[value - FIRST_VALUE], optarg, ret_problem)) {
            text_printf(ret_problem, " (--%s)", rows[value - FIRST_VALUE].name);
            return false;
        }
    }
    if (optind < argc) {
        text_printf(ret_problem, "'%s' is no option", argv[optind]);
        return false;
    }
    return true;
}

static bool check(const struct settings *settings, struct text *ret_problem)
{
    if (settings->config_dir == NULL || settings->state_dir == NULL) {
        text_printf(ret_problem, "%s is missing",
                    settings->config_dir == NULL ? "--config-dir" : "--state-dir");
        return false;
    }
    if ((settings->ca_cert == NULL) != (settings->ca_key == NULL)) {
        text_add_text(ret_problem, "--ca-cert and --ca-key go together");
        return false;
    }
    if (!spiffe_trust_domain_valid(span_of(settings->trust_domain))) {
        text_printf(ret_problem, "'%s' is no trust domain: 1 to 255 of [a-z0-9._-]",
                    settings->trust_domain);
        return false;
    }
    if (settings->listen.family == 0) {
        text_add_text(ret_problem, "--listen cannot be off");
        return false;
    }
    return true;
}

bool settings_read(struct settings *ret, int argc, char **argv, struct text *ret_problem)
{
    *ret = (struct settings){.trust_domain = "remora.local",
                             .cluster_domain = "cluster.local",
                             .root_namespace = "remora-system",
                             .log_level = LOG_LEVEL_INFO,
                             .log_format = LOG_FORMAT_TEXT};
    address_parse(SPAN("[::]:15012"), &ret->listen);
    address_parse(SPAN("[::]:15014"), &ret->metrics);
    if (!read_environment(ret, ret_problem) || !read_flags(ret, argc, argv, ret_problem)) {
        return false;
    }
    return ret->wants_help || ret->wants_version || check(ret, ret_problem);
}

void settings_write_help(struct text *into)
{
    text_add_text(into,
                  "Usage: remora-control --config-dir DIR --state-dir DIR [OPTIONS]\n\n"
                  "Reads manifests, compiles them for each proxy, pushes them over xDS, and signs "
                  "the\nproxies' certificates. Proxies need DIR/root.pem of the state folder and a "
                  "join token\n(remoractl token create).\n\n");
    for (size_t i = 0; i < ROWS; i++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", rows[i].name, rows[i].argument != NULL ? " " : "",
                 rows[i].argument != NULL ? rows[i].argument : "");
        text_printf(into, "  %-38s %s\n", left, rows[i].help);
    }
    text_add_text(into, "\nEach option may also be given as REMORA_CONTROL_NAME in the "
                        "environment (capitals, '_' for '-').\n"
                        "SIGTERM and SIGINT end it. Exit: 0 ended as asked, 1 failed, 2 bad "
                        "options.\n");
}
