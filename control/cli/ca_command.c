#include "control/cli/daemon_link.h"
#include "control/cli/table.h"

#include <stdio.h>

static void print_left(const json_t *page, const char *title, const char *name)
{
    char left[16];
    age_write(member_number(page, name), left);
    printf("%-22s %s\n", title, left);
}

static int show(const struct options *options, json_t *page)
{
    if (options->is_json) {
        json_dumpf(page, stdout, JSON_INDENT(2));
        fputc('\n', stdout);
        return CTL_DONE;
    }
    printf("%-22s %s\n", "trust domain", member_text(page, "trustDomain"));
    printf("%-22s %s\n", "root", member_true(page, "own") ? "made here" : "brought along");
    print_left(page, "root ends in", "rootSecondsLeft");
    print_left(page, "signer ends in", "signerSecondsLeft");
    print_left(page, "server ends in", "serverSecondsLeft");
    return CTL_DONE;
}

int ca_run(const struct options *options, char **words, int count)
{
    struct span verb = count > 0 ? span_of(words[0]) : SPAN("show");
    bool shows = span_equal(verb, SPAN("show"));
    int status = CTL_DONE;
    if (count > 1 || (!shows && !span_equal(verb, SPAN("export")))) {
        return ctl_complain(options, CTL_USAGE, "ca show | export");
    }
    json_t *page = link_page(options, "/ca", &status);
    if (page != NULL && shows) {
        status = show(options, page);
    } else if (page != NULL) {
        fputs(member_text(page, "rootsPem"), stdout);
    }
    json_decref(page);
    return status;
}

int version_run(const struct options *options, char **words, int count)
{
    if (options->is_json) {
        printf("{\"program\": \"remoractl\", \"version\": \"%s\"}\n", REMORA_VERSION);
    } else {
        puts("remoractl " REMORA_VERSION);
    }
    return CTL_DONE;
}
