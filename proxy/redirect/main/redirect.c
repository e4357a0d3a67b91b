#include "proxy/redirect/installation.h"
#include "proxy/redirect/main/settings.h"
#include "proxy/redirect/privilege.h"
#include "proxy/redirect/rules.h"
#include "proxy/redirect/verify.h"

#include <stdio.h>

/* 126 lets a repair controller tell "the rules do not work" from a crash; Istio's number. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_IN_FORCE = 126 };

static void put(FILE *stream, const struct text *text)
{
    fwrite(text->bytes, 1, text->length, stream);
    fflush(stream);
}

static int complain(const struct settings *settings, int status, const char *words)
{
    if (settings->is_json) {
        struct text json = {0};
        text_add_text(&json, "{\"ok\": false, \"error\": ");
        text_add_json(&json, span_of(words));
        text_add_text(&json, "}\n");
        put(stdout, &json);
        text_done(&json);
    } else {
        fprintf(stderr, "remora-redirect: %s\n", words);
    }
    return status;
}

static void print_rules(const struct settings *settings)
{
    struct text rules = {0};
    rules_write(&settings->plan, &rules);
    if (settings->is_json) {
        struct text json = {0};
        text_add_text(&json, "{\"ok\": true, \"rules\": ");
        text_add_json(&json, text_span(&rules));
        text_add_text(&json, "}\n");
        put(stdout, &json);
        text_done(&json);
    } else {
        put(stdout, &rules);
    }
    text_done(&rules);
}

static int verify(const struct settings *settings)
{
    struct verify_report report = {.count = 0};
    if (settings->skips_live_check) {
        verify_rules(&settings->plan, &report);
    } else {
        verify_all(&settings->plan, settings->timeout_ms, &report);
    }
    struct text shown = {0};
    if (settings->is_json) {
        verify_report_write_json(&report, &shown);
    } else {
        verify_report_write(&report, &shown);
    }
    put(stdout, &shown);
    text_done(&shown);
    return verify_report_failed(&report) ? EXIT_NOT_IN_FORCE : EXIT_DONE;
}

static int install(const struct settings *settings)
{
    struct text problem = {0};
    int status = EXIT_DONE;
    if (settings->is_dry_run) {
        if (installation_try(&settings->plan, &problem)) {
            print_rules(settings);
        } else {
            status = complain(settings, EXIT_FAILED, problem.bytes);
        }
    } else if (!installation_apply(&settings->plan, &problem)) {
        status = complain(settings, EXIT_FAILED, problem.bytes);
    } else {
        status = verify(settings);
    }
    text_done(&problem);
    return status;
}

static int remove_all(const struct settings *settings)
{
    struct text problem = {0};
    int status = EXIT_DONE;
    if (!installation_remove(&problem)) {
        status = complain(settings, EXIT_FAILED, problem.bytes);
    } else if (settings->is_json) {
        puts("{\"ok\": true}");
    }
    text_done(&problem);
    return status;
}

static int run(const struct settings *settings)
{
    if (settings->command == COMMAND_PRINT) {
        print_rules(settings);
        return EXIT_DONE;
    }
    if (!privilege_may_filter()) {
        return complain(settings, EXIT_FAILED, "CAP_NET_ADMIN is needed (run as root, or add it)");
    }
    if (settings->command == COMMAND_REMOVE) {
        return remove_all(settings);
    }
    if (privilege_is_host_network() && !settings->allows_host_network) {
        return complain(
            settings, EXIT_FAILED,
            "this is the machine's own network, not a pod's: its every connection would "
            "be taken over (--host-network if that is wanted)");
    }
    return settings->command == COMMAND_INSTALL ? install(settings) : verify(settings);
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct text words = {0};
    int status = EXIT_DONE;
    settings_init(&settings);
    if (!settings_read(&settings, argc, argv, &words)) {
        status = complain(&settings, EXIT_USAGE, words.bytes);
    } else if (settings.wants_help) {
        settings_write_help(&words);
        put(stdout, &words);
    } else if (settings.wants_version) {
        puts("remora-redirect " REMORA_VERSION);
    } else {
        status = run(&settings);
    }
    text_done(&words);
    settings_done(&settings);
    return status;
}
