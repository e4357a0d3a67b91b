#include "control/cli/daemon_link.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Is this machine able to run the mesh, and is the mesh well? */
enum verdict { GOOD, WARNING, BAD };
enum { DESCRIPTORS = 4096, SOON_S = 3600, ROOT_SOON_S = 30 * 24 * 3600 };

struct report {
    const struct options *options;
    struct text json;
    size_t bad;
};

__attribute__((format(printf, 4, 5))) static void note(struct report *report, enum verdict verdict,
                                                       const char *what, const char *format, ...)
{
    static const char *const words[] = {"ok", "warning", "bad"};
    char detail[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    report->bad += verdict == BAD;
    if (report->options->is_json) {
        text_add_text(&report->json, report->json.length > 0 ? ",\n" : "");
        text_printf(&report->json, "{\"check\": \"%s\", \"result\": \"%s\", \"detail\": ", what,
                    words[verdict]);
        text_add_json(&report->json, span_of(detail));
        text_add_text(&report->json, "}");
    } else {
        printf("%-8s %-20s %s\n", words[verdict], what, detail);
    }
}

/* ---- The machine ----------------------------------------------------------------------------- */

static void check_netfilter(struct report *report)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0) {
        note(report, WARNING, "interception",
             "the kernel has no netfilter (%s): only explicit mode works", strerror(errno));
        return;
    }
    close(fd);
    note(report, GOOD, "interception", "netfilter is there (remora-redirect verify proves more)");
}

static void check_descriptors(struct report *report)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    note(report, limit.rlim_max >= DESCRIPTORS ? GOOD : WARNING, "descriptors",
         "at most %llu open files a process", (unsigned long long)limit.rlim_max);
}

static void check_ip6(struct report *report)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        close(fd);
    }
    note(report, GOOD, "ipv6", fd >= 0 ? "the kernel has it" : "not there: IPv4 only");
}

/* ---- The mesh -------------------------------------------------------------------------------- */

static void check_manifests(struct report *report, const json_t *page)
{
    size_t problems = json_array_size(json_object_get(page, "problems"));
    size_t unaccepted = 0;
    size_t at;
    size_t each;
    json_t *object;
    json_t *condition;
    json_array_foreach(json_object_get(page, "objects"), at, object)
    {
        json_array_foreach(json_object_get(object, "conditions"), each, condition)
        {
            if (!member_true(condition, "status")) {
                unaccepted++;
                break;
            }
        }
    }
    note(report, member_true(page, "ready") ? GOOD : BAD, "control plane",
         member_true(page, "ready") ? "ready, %lld services" : "not ready yet, %lld services",
         (long long)member_number(page, "services"));
    note(report, problems + unaccepted == 0 ? GOOD : BAD, "manifests",
         "%zu objects, %zu not in force, %zu problems in files (remoractl status)",
         json_array_size(json_object_get(page, "objects")), unaccepted, problems);
}

static bool has_refused(const json_t *proxy)
{
    size_t at;
    json_t *type;
    json_array_foreach(json_object_get(proxy, "types"), at, type)
    {
        if (json_object_get(type, "refused") != NULL) {
            return true;
        }
    }
    return false;
}

static void check_proxies(struct report *report, const json_t *page)
{
    size_t refused = 0;
    size_t behind = 0;
    size_t ending = 0;
    size_t at;
    json_t *proxy;
    const json_t *proxies = json_object_get(page, "proxies");
    json_array_foreach(proxies, at, proxy)
    {
        const json_t *left = json_object_get(proxy, "certificateSecondsLeft");
        bool is_refused = has_refused(proxy);
        refused += is_refused;
        behind += !is_refused && !member_true(proxy, "synced");
        ending += left != NULL && json_integer_value(left) < 0;
    }
    note(report, refused + ending > 0 ? BAD : (behind > 0 ? WARNING : GOOD), "proxies",
         "%zu connected, %zu behind, %zu refused their configuration, %zu with an ended "
         "certificate (remoractl proxies)",
         json_array_size(proxies), behind, refused, ending);
}

static void check_certificates(struct report *report, const json_t *page)
{
    int64_t root_s = member_number(page, "rootSecondsLeft");
    int64_t signer_s = member_number(page, "signerSecondsLeft");
    int64_t server_s = member_number(page, "serverSecondsLeft");
    enum verdict verdict = GOOD;
    if (root_s < 0 || signer_s < 0 || server_s < 0) {
        verdict = BAD;
    } else if (root_s < ROOT_SOON_S || signer_s < SOON_S || server_s < SOON_S) {
        verdict = WARNING;
    }
    note(report, verdict, "certificates", "the root ends in %lld days, the signer in %lld",
         (long long)(root_s / 86400), (long long)(signer_s / 86400));
}

static void check_mesh(struct report *report)
{
    static const struct {
        const char *path;
        void (*check)(struct report *report, const json_t *page);
    } pages[] = {
        {"/status", check_manifests}, {"/proxies", check_proxies}, {"/ca", check_certificates}};
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        struct link_answer answer;
        char reason[LINK_REASON_BYTES] = "";
        json_error_t error;
        if (!link_ask_daemon(report->options->state_dir, pages[i].path, SPAN_EMPTY, &answer,
                             reason)) {
            note(report, BAD, "control plane", "%s", reason);
            return;
        }
        json_t *page = json_loadb(answer.body.bytes, answer.body.length, 0, &error);
        pages[i].check(report, page);
        json_decref(page);
        link_answer_done(&answer);
    }
}

int check_run(const struct options *options, char **words, int count)
{
    struct report report = {.options = options};
    check_netfilter(&report);
    check_ip6(&report);
    check_descriptors(&report);
    if (options->state_dir != NULL) {
        check_mesh(&report);
    } else {
        note(&report, WARNING, "control plane",
             "not looked at: --state-dir or REMORA_STATE_DIR says where it is");
    }
    if (options->is_json) {
        printf("{\"ok\": %s, \"checks\": [%s]}\n", report.bad == 0 ? "true" : "false",
               report.json.bytes);
    }
    text_done(&report.json);
    return report.bad == 0 ? CTL_DONE : CTL_FAILED;
}
