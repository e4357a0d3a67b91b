#include "proxy/main/options.h"

#include "lib/base/duration.h"
#include "lib/base/memory.h"
#include "lib/net/resolver.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES = 65536 };

struct option {
    const char *name;
    const char *value; /* what --help shows; NULL = a switch */
    const char *help;
    bool (*set)(struct proxy_options *options, struct span value, size_t offset);
    size_t offset;
};

/* ---- Kinds of value -------------------------------------------------------------------------- */

static bool set_span(struct proxy_options *options, struct span value, size_t offset)
{
    *(struct span *)(void *)((char *)options + offset) = arena_span(&options->arena, value);
    return true;
}

static bool set_address(struct proxy_options *options, struct span value, size_t offset)
{
    return address_parse(value, (struct address *)(void *)((char *)options + offset));
}

static bool set_ip(struct proxy_options *options, struct span value, size_t offset)
{
    struct address *address = (struct address *)(void *)((char *)options + offset);
    if (span_equal(value, SPAN("none"))) {
        *address = (struct address){0};
        return true;
    }
    return address_parse_ip(value, address);
}

static bool set_switch(struct proxy_options *options, struct span value, size_t offset)
{
    bool on = value.length == 0 || span_equal(value, SPAN("true")) || span_equal(value, SPAN("1"));
    if (!on && !span_equal(value, SPAN("false")) && !span_equal(value, SPAN("0"))) {
        return false;
    }
    *(bool *)((char *)options + offset) = on;
    return true;
}

static bool set_number(struct proxy_options *options, struct span value, size_t offset)
{
    uint64_t number = 0;
    if (!span_to_u64(value, 1000000, &number) || number == 0) {
        return false;
    }
    *(uint32_t *)(void *)((char *)options + offset) = (uint32_t)number;
    return true;
}

static bool set_duration(struct proxy_options *options, struct span value, size_t offset)
{
    return duration_parse(value, (int64_t *)(void *)((char *)options + offset));
}

static bool set_workers(struct proxy_options *options, struct span value, size_t offset)
{
    if (span_equal(value, SPAN("auto"))) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        options->workers = cores > 0 && cores < OPTIONS_WORKERS ? (uint32_t)cores : 1;
        return true;
    }
    return set_number(options, value, offset) && options->workers <= OPTIONS_WORKERS;
}

static bool set_mode(struct proxy_options *options, struct span value, size_t offset)
{
    options->explicit_mode = span_equal(value, SPAN("explicit"));
    return options->explicit_mode || span_equal(value, SPAN("intercept"));
}

static bool add_pair(struct proxy_options *options, struct option_pair *pairs, size_t *count,
                     struct span value)
{
    size_t equals = span_find_byte(value, '=');
    if (*count >= OPTIONS_LISTENERS || equals == value.length ||
        !address_parse(span_cut(value, 0, equals), &pairs[*count].at)) {
        return false;
    }
    pairs[(*count)++].to = arena_span(&options->arena, span_cut(value, equals + 1, value.length));
    return true;
}

static bool set_inbound(struct proxy_options *options, struct span value, size_t offset)
{
    struct address to;
    return add_pair(options, options->inbound, &options->inbound_count, value) &&
           address_parse(options->inbound[options->inbound_count - 1].to, &to);
}

static bool set_outbound(struct proxy_options *options, struct span value, size_t offset)
{
    return add_pair(options, options->outbound, &options->outbound_count, value) &&
           span_find_byte(options->outbound[options->outbound_count - 1].to, ':') <
               options->outbound[options->outbound_count - 1].to.length;
}

static bool set_log_level(struct proxy_options *options, struct span value, size_t offset)
{
    return log_level_parse(value, &options->log_level);
}

static bool set_log_format(struct proxy_options *options, struct span value, size_t offset)
{
    options->log_format = span_equal(value, SPAN("json")) ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
    return options->log_format == LOG_FORMAT_JSON || span_equal(value, SPAN("text"));
}

#define AT(field) offsetof(struct proxy_options, field)

static const struct option table[] = {
    {"mode", "intercept|explicit",
     "take over redirected traffic (default), or only listen where told", set_mode, 0},
    {"outbound-listen", "ADDRESS", "redirected outbound traffic (127.0.0.1:15001; [::1] beside it)",
     set_address, AT(outbound_at)},
    {"inbound-listen", "ADDRESS", "redirected inbound traffic ([::]:15006)", set_address,
     AT(inbound_at)},
    {"hbone-listen", "ADDRESS", "tunnels of other sidecars ([::]:15008)", set_address,
     AT(hbone_at)},
    {"hbone", "true|false", "take tunnels at all (true)", set_switch, AT(hbone)},
    {"inbound", "ADDRESS=APPLICATION",
     "explicit: take mutual TLS at ADDRESS for the program at APPLICATION; repeatable", set_inbound,
     0},
    {"outbound", "ADDRESS=SERVICE:PORT",
     "explicit: what comes in at ADDRESS goes to SERVICE (name.namespace); repeatable",
     set_outbound, 0},
    {"admin", "ADDRESS", "admin interface, loopback only (127.0.0.1:15000)", set_address,
     AT(admin_at)},
    {"metrics", "ADDRESS", "Prometheus metrics ([::]:15020)", set_address, AT(metrics_at)},
    {"health", "ADDRESS", "health for probes ([::]:15021)", set_address, AT(health_at)},
    {"control", "HOST:PORT", "the control plane; without it only last known good serves", set_span,
     AT(control)},
    {"control-ca", "FILE",
     "PEM roots that the control plane's certificate must chain to; read again when it changes",
     set_span, AT(control_ca)},
    {"control-identity", "SPIFFE-ID",
     "identity of the control plane (spiffe://TRUST-DOMAIN/ns/remora-system/sa/remora-control)",
     set_span, AT(control_identity)},
    {"token-file", "FILE", "join token or service-account token, read again for each use", set_span,
     AT(token_file)},
    {"trust-domain", "NAME", "trust domain of the mesh (remora.local)", set_span, AT(trust_domain)},
    {"namespace", "NAME", "namespace of this workload (default)", set_span, AT(namespace_name)},
    {"service-account", "NAME", "service account of this workload (default)", set_span,
     AT(service_account)},
    {"workload", "NAME", "name of this workload (host name)", set_span, AT(workload)},
    {"workload-version", "NAME", "version of this workload, for people", set_span, AT(version)},
    {"node-id", "NAME", "unique name of this proxy (WORKLOAD.NAMESPACE)", set_span, AT(node_id)},
    {"region", "NAME", "locality: region", set_span, AT(region)},
    {"zone", "NAME", "locality: zone", set_span, AT(zone)},
    {"node", "NAME", "locality: node", set_span, AT(node)},
    {"pod-address", "ADDRESS", "own address, without port", set_span, AT(pod_address)},
    {"state-dir", "DIR", "where last known good configuration is kept", set_span, AT(state_dir)},
    {"key-dir", "DIR",
     "memory-backed folder where key and certificate survive a restart (tmpfs only)", set_span,
     AT(key_dir)},
    {"dns", "SERVERS", "DNS servers, ADDRESS:PORT with commas (the system's)", set_span,
     AT(dns_servers)},
    {"local-source", "IP|none",
     "source of connections to the application, IPv4 (127.0.0.6 when intercepting)", set_ip,
     AT(local_source4)},
    {"local-source-v6", "IP|none", "the same for IPv6 (::6 when intercepting)", set_ip,
     AT(local_source6)},
    {"workers", "N|auto", "worker threads (1)", set_workers, AT(workers)},
    {"max-connections", "N", "downstream connections, more are refused (10000)", set_number,
     AT(max_connections)},
    {"drain-time", "DURATION", "how long SIGTERM waits for live traffic (28s)", set_duration,
     AT(drain_ms)},
    {"log-level", "debug|info|warn|error|off", "of the program's log on standard error (info)",
     set_log_level, 0},
    {"log-format", "text|json", "of that log (text)", set_log_format, 0},
    {"state-of-the-world", NULL, "speak xDS without deltas", set_switch, AT(state_of_the_world)},
};

enum { TABLE_COUNT = sizeof(table) / sizeof(table[0]) };

/* ---- Reading --------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("remora-proxy: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\n", stderr);
    va_end(arguments);
}

static void print_help(void)
{
    puts("Usage: remora-proxy [--config FILE] [--NAME VALUE ...]\n"
         "\n"
         "The sidecar: takes over a program's traffic and gives it mutual TLS, balancing, retries "
         "and\n"
         "HTTP/2 multiplexing. Every NAME may also be said as REMORA_NAME in the environment "
         "(capitals,\n"
         "'_' for '-'), or as a line `NAME = VALUE` of FILE; flags win over environment over "
         "file.\n");
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s %s", table[i].name,
                 table[i].value != NULL ? table[i].value : "");
        printf("  %-38s %s\n", left, table[i].help);
    }
    puts("  --config FILE                          read options from FILE too\n"
         "  --help, --version\n"
         "\n"
         "Signals: SIGTERM drains and ends, SIGINT ends at once. Exit: 0 ended as asked, 1 failed, "
         "2 bad\n"
         "options.");
}

static const struct option *find_option(struct span name)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (span_equal_text(name, table[i].name)) {
            return &table[i];
        }
    }
    return NULL;
}

static bool apply_value(struct proxy_options *options, const struct option *option,
                        struct span value, const char *where)
{
    if (!option->set(options, value, option->offset)) {
        complain("%s: --%s does not take \"%.*s\" (expected %s)", where, option->name,
                 SPAN_ARG(value), option->value != NULL ? option->value : "true or false");
        return false;
    }
    return true;
}

static void defaults(struct proxy_options *options)
{
    memset(options, 0, sizeof(*options));
    arena_init(&options->arena);
    address_parse(SPAN("127.0.0.1:15001"), &options->outbound_at);
    address_parse(SPAN("[::]:15006"), &options->inbound_at);
    address_parse(SPAN("[::]:15008"), &options->hbone_at);
    address_parse(SPAN("127.0.0.1:15000"), &options->admin_at);
    address_parse(SPAN("[::]:15020"), &options->metrics_at);
    address_parse(SPAN("[::]:15021"), &options->health_at);
    address_parse_ip(SPAN("127.0.0.6"), &options->local_source4);
    address_parse_ip(SPAN("::6"), &options->local_source6);
    options->trust_domain = SPAN("remora.local");
    options->namespace_name = SPAN("default");
    options->service_account = SPAN("default");
    options->workers = 1;
    options->max_connections = 10000;
    options->drain_ms = 28000;
    options->log_level = LOG_LEVEL_INFO;
    options->hbone = true;
}

static bool read_line(struct proxy_options *options, struct span line, const char *file,
                      unsigned number)
{
    char where[320];
    line = span_trim(line);
    if (line.length == 0 || line.at[0] == '#') {
        return true;
    }
    snprintf(where, sizeof(where), "%s:%u", file, number);
    size_t equals = span_find_byte(line, '=');
    const struct option *option = find_option(span_trim(span_cut(line, 0, equals)));
    if (equals == line.length || option == NULL) {
        complain("%s: expected `name = value` with a name that --help lists, got \"%.*s\"", where,
                 SPAN_ARG(line));
        return false;
    }
    return apply_value(options, option, span_trim(span_cut(line, equals + 1, line.length)), where);
}

static bool read_file(struct proxy_options *options, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        complain("%s: %s", path, strerror(errno));
        return false;
    }
    char *bytes = mem_alloc(FILE_BYTES + 1);
    size_t length = fread(bytes, 1, FILE_BYTES + 1, file);
    fclose(file);
    bool good = length <= FILE_BYTES;
    if (!good) {
        complain("%s: larger than %d bytes", path, FILE_BYTES);
    }
    struct span rest = span_make(bytes, length);
    struct span line;
    for (unsigned number = 1; good && span_next(&rest, '\n', &line); number++) {
        good = read_line(options, line, path, number);
    }
    mem_free(bytes);
    return good;
}

static bool read_environment(struct proxy_options *options)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof(name), "REMORA_%s", table[i].name);
        for (char *at = name; *at != '\0'; at++) {
            *at = (char)(*at == '-' ? '_' : toupper((unsigned char)*at));
        }
        const char *value = getenv(name);
        if (value != NULL && !apply_value(options, &table[i], span_of(value), name)) {
            return false;
        }
    }
    return true;
}

/* "--name value", "--name=value" and, for switches, "--name". */
static bool read_flag(struct proxy_options *options, int argc, char **argv, int *at)
{
    struct span flag = span_of(argv[*at]);
    if (!span_starts_with(flag, SPAN("--"))) {
        complain("unexpected argument \"%s\" (see --help)", argv[*at]);
        return false;
    }
    flag = span_cut(flag, 2, flag.length);
    size_t equals = span_find_byte(flag, '=');
    bool has_value = equals < flag.length;
    struct span value = span_cut(flag, equals + 1, flag.length);
    struct span name = span_cut(flag, 0, equals);
    bool is_config = span_equal(name, SPAN("config"));
    const struct option *option = find_option(name);
    if (option == NULL && !is_config) {
        complain("unknown option --%.*s (see --help)", SPAN_ARG(name));
        return false;
    }
    if (!has_value && (is_config || option->value != NULL)) {
        if (*at + 1 >= argc) {
            complain("--%.*s needs a value", SPAN_ARG(name));
            return false;
        }
        value = span_of(argv[++*at]);
    }
    return is_config || apply_value(options, option, value, "command line");
}

static const char *config_file(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            return argv[i + 1];
        }
        if (strncmp(argv[i], "--config=", 9) == 0) {
            return argv[i] + 9;
        }
    }
    return getenv("REMORA_CONFIG");
}

static bool has_flag(int argc, char **argv, const char *flag)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], flag) == 0) {
            return true;
        }
    }
    return false;
}

static void fill_names(struct proxy_options *options)
{
    if (options->workload.length == 0) {
        char host[256] = "unknown";
        gethostname(host, sizeof(host) - 1);
        options->workload = arena_span(&options->arena, span_of(host));
    }
    if (options->node_id.length == 0) {
        options->node_id =
            span_of(arena_printf(&options->arena, "%.*s.%.*s", SPAN_ARG(options->workload),
                                 SPAN_ARG(options->namespace_name)));
    }
    if (options->control_identity.length == 0) {
        options->control_identity = span_of(
            arena_printf(&options->arena, "spiffe://%.*s/ns/remora-system/sa/remora-control",
                         SPAN_ARG(options->trust_domain)));
    }
}

static bool consistent(const struct proxy_options *options)
{
    if (!address_is_loopback(&options->admin_at)) {
        complain("--admin must be a loopback address: it changes the proxy without a password");
        return false;
    }
    if (!options->explicit_mode && (options->inbound_count > 0 || options->outbound_count > 0)) {
        complain("--inbound and --outbound need --mode explicit");
        return false;
    }
    if (options->control.length > 0 && options->control_ca.length == 0) {
        complain(
            "--control needs --control-ca: an unverified control plane could hand out anything");
        return false;
    }
    return true;
}

enum options_result options_read(int argc, char **argv, struct proxy_options *ret)
{
    if (has_flag(argc, argv, "--help") || has_flag(argc, argv, "-h")) {
        print_help();
        return OPTIONS_DONE;
    }
    if (has_flag(argc, argv, "--version")) {
        puts("remora-proxy " REMORA_VERSION);
        return OPTIONS_DONE;
    }
    defaults(ret);
    const char *file = config_file(argc, argv);
    bool good = (file == NULL || read_file(ret, file)) && read_environment(ret);
    for (int i = 1; good && i < argc; i++) {
        good = read_flag(ret, argc, argv, &i);
    }
    if (good && ret->explicit_mode) {
        ret->local_source4 = ret->local_source6 = (struct address){0};
    }
    if (good) {
        fill_names(ret);
    }
    if (!good || !consistent(ret)) {
        options_done(ret);
        return OPTIONS_BAD;
    }
    return OPTIONS_RUN;
}

void options_done(struct proxy_options *options)
{
    arena_done(&options->arena);
}
