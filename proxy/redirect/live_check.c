#include "proxy/redirect/live_check.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "proxy/redirect/live_target.h"
#include "proxy/redirect/netfilter.h"
#include "proxy/redirect/privilege.h"
#include "proxy/redirect/probe.h"
#include "proxy/redirect/read_back.h"
#include "proxy/redirect/rules.h"
#include "proxy/redirect/token_door.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    TRIALS = 20,
    NOBODY = 65534,
    ARRIVES_MS = 2000,  /* over loopback and through the rules: slow machines included */
    STAYS_AWAY_MS = 500 /* how long a connection that must not be redirected is watched */
};

/* Where the proxy's two listeners are, and an application. */
enum door_id { DOOR_OUTBOUND4, DOOR_OUTBOUND6, DOOR_INBOUND, DOOR_APPLICATION, DOORS, DOOR_NONE };

/* One connection and where it must land. */
struct trial {
    const char *name;
    const char *rule;
    struct probe_wish wish;
    enum door_id lands_at; /* DOOR_NONE: it must reach nobody */
    bool is_counted;       /* the rule has a counter, which must move */
    uint64_t packets_before;
    struct probe probe;
};

struct live_check {
    const struct redirect_plan *plan;
    struct verify_report *report;
    int64_t deadline_ns;
    int64_t trial_ms; /* no trial may take longer, so that all are decided in time */
    uint32_t other_uid;
    uint32_t other_gid;
    char token[TOKEN_BYTES];
    struct token_door doors[DOORS];
    struct trial trials[TRIALS];
    size_t trial_count;
};

static bool open_doors(struct live_check *check)
{
    const struct redirect_plan *plan = check->plan;
    struct address at[DOORS] = {
        [DOOR_OUTBOUND4] = {.family = 4, .port = plan->outbound_port, .bytes = {127, 0, 0, 1}},
        [DOOR_OUTBOUND6] = {.family = 6, .port = plan->outbound_port, .bytes = {[15] = 1}},
        [DOOR_INBOUND] = {.family = 6, .port = plan->inbound_port},
        [DOOR_APPLICATION] = {.family = 6},
    };
    static const char *const names[DOORS] = {
        [DOOR_OUTBOUND4] = "outbound",
        [DOOR_OUTBOUND6] = "outbound",
        [DOOR_INBOUND] = "inbound",
        [DOOR_APPLICATION] = "application",
    };
    for (size_t i = 0; i < DOORS; i++) {
        if (!token_door_open(&check->doors[i], names[i], &at[i], check->token)) {
            verify_report_add(check->report, VERIFY_FAILED, "listen", 0, "", "port %u: %s",
                              at[i].port, strerror(errno));
            return false;
        }
        if (check->doors[i].state == TOKEN_DOOR_TAKEN) {
            verify_report_add(check->report, VERIFY_WARNED, "listen", at[i].family, "",
                              "port %u is taken, by the proxy most likely: connections and "
                              "counters are the proof",
                              at[i].port);
        }
    }
    return true;
}

/* Somebody who is neither the proxy's user nor in its group. */
static void choose_other(struct live_check *check)
{
    const struct redirect_plan *plan = check->plan;
    check->other_uid = geteuid();
    check->other_gid = getegid();
    if (privilege_may_become()) {
        check->other_uid = NOBODY - (plan->uid == NOBODY ? 1 : 0);
        check->other_gid = NOBODY - (plan->gid == NOBODY ? 1 : 0);
    }
}

static struct trial *add_trial(struct live_check *check, const char *name, const char *rule,
                               enum door_id lands_at, const struct address *to)
{
    int64_t timeout_ms = lands_at == DOOR_NONE ? STAYS_AWAY_MS : ARRIVES_MS;
    CHECK(check->trial_count < TRIALS);
    struct trial *trial = &check->trials[check->trial_count++];
    *trial = (struct trial){
        .name = name,
        .rule = rule,
        .lands_at = lands_at,
        .wish = {.uid = check->other_uid,
                 .gid = check->other_gid,
                 .to = *to,
                 .timeout_ms = timeout_ms < check->trial_ms ? timeout_ms : check->trial_ms,
                 .reads_line =
                     lands_at == DOOR_NONE || check->doors[lands_at].state == TOKEN_DOOR_OURS},
    };
    return trial;
}

static void add_outbound_trials(struct live_check *check, uint8_t family,
                                const struct live_target *target)
{
    enum door_id door = family == 4 ? DOOR_OUTBOUND4 : DOOR_OUTBOUND6;
    if (!target->has_remote) {
        enum verify_result result =
            target->is_unroutable && target->has_own ? VERIFY_FAILED : VERIFY_SKIPPED;
        verify_report_add(check->report, result, "outbound", family, RULE_OUTBOUND, "%s",
                          target->why_not);
        return;
    }
    add_trial(check, "outbound", RULE_OUTBOUND, door, &target->remote)->is_counted = true;
    if (!target->is_nobody) {
        verify_report_add(check->report, VERIFY_SKIPPED, "proxy-bypass", family, RULE_PROXY_UID,
                          "without a route to a documentation network this would dial a real "
                          "host");
        return;
    }
    struct trial *by_uid =
        add_trial(check, "proxy-uid-bypass", RULE_PROXY_UID, DOOR_NONE, &target->remote);
    by_uid->wish.uid = check->plan->uid;
    struct trial *by_gid =
        add_trial(check, "proxy-gid-bypass", RULE_PROXY_GID, DOOR_NONE, &target->remote);
    by_gid->wish.gid = check->plan->gid;
}

static void add_self_trials(struct live_check *check, uint8_t family,
                            const struct live_target *target)
{
    bool is4 = family == 4;
    struct address to = target->own;
    to.port = live_target_self_port(check->plan);
    if (to.port == 0) {
        verify_report_add(check->report, VERIFY_SKIPPED, "self-call", family,
                          is4 ? RULE_SELF_CALL4 : RULE_SELF_CALL6, "all ports are excluded");
    } else {
        struct trial *call = add_trial(check, "self-call", is4 ? RULE_SELF_CALL4 : RULE_SELF_CALL6,
                                       DOOR_INBOUND, &to);
        call->wish.uid = check->plan->uid;
        call->wish.gid = check->plan->gid;
        call->is_counted = true;
    }
    to.port = check->doors[DOOR_APPLICATION].port;
    struct trial *leg =
        add_trial(check, "inbound-leg", is4 ? RULE_INBOUND_SOURCE4 : RULE_INBOUND_SOURCE6,
                  DOOR_APPLICATION, &to);
    leg->wish.uid = check->plan->uid;
    leg->wish.gid = check->plan->gid;
    address_parse_ip(span_of(is4 ? RULES_SOURCE4 : RULES_SOURCE6), &leg->wish.from);
    add_trial(check, "own-address", RULE_LOOPBACK, DOOR_APPLICATION, &to);
}

static void add_family(struct live_check *check, uint8_t family)
{
    enum door_id outbound = family == 4 ? DOOR_OUTBOUND4 : DOOR_OUTBOUND6;
    if (check->doors[outbound].state == TOKEN_DOOR_SHUT) {
        verify_report_add(check->report, VERIFY_SKIPPED, "family", family, "",
                          "switched off in this namespace");
        return;
    }
    struct live_target target;
    live_target_find(check->plan, family, &target);
    add_outbound_trials(check, family, &target);
    if (target.has_own) {
        add_self_trials(check, family, &target);
    } else {
        verify_report_add(check->report, VERIFY_SKIPPED, "self-call", family,
                          family == 4 ? RULE_SELF_CALL4 : RULE_SELF_CALL6,
                          "the namespace has no address of this family");
    }
    struct address loopback = {.family = family, .port = check->doors[DOOR_APPLICATION].port};
    if (family == 4) {
        memcpy(loopback.bytes, (const uint8_t[]){127, 0, 0, 1}, 4);
    } else {
        loopback.bytes[15] = 1;
    }
    add_trial(check, "loopback", RULE_LOOPBACK, DOOR_APPLICATION, &loopback);
}

/* All 0 when the table cannot be listed, which verify_rules reports. */
static void read_counters(const struct live_check *check, uint64_t packets[TRIALS])
{
    struct text json = {0};
    struct text problem = {0};
    struct read_back *listing = NULL;
    memset(packets, 0, TRIALS * sizeof(packets[0]));
    if (netfilter_list("table inet " RULES_TABLE, &json, &problem)) {
        listing = read_back_parse(text_span(&json), &problem);
    }
    for (size_t i = 0; listing != NULL && i < check->trial_count; i++) {
        packets[i] = read_back_packets(listing, check->trials[i].rule);
    }
    read_back_destroy(listing);
    text_done(&json);
    text_done(&problem);
}

static bool start_trials(struct live_check *check)
{
    for (size_t i = 0; i < check->trial_count; i++) {
        struct trial *trial = &check->trials[i];
        if (!probe_start(&trial->probe, &trial->wish)) {
            verify_report_add(check->report, VERIFY_FAILED, trial->name, trial->wish.to.family, "",
                              "cannot start a process: %s", strerror(errno));
            return false;
        }
    }
    return true;
}

/* One wait for the doors and the children; false when nobody is left to wait for, or time is over.
 */
static bool wait_once(struct live_check *check)
{
    struct pollfd pollers[DOORS + TRIALS];
    size_t running = 0;
    for (size_t i = 0; i < DOORS; i++) {
        pollers[i] = (struct pollfd){.fd = check->doors[i].fd, .events = POLLIN};
    }
    for (size_t i = 0; i < check->trial_count; i++) {
        pollers[DOORS + i] = (struct pollfd){.fd = check->trials[i].probe.result, .events = POLLIN};
        running += check->trials[i].probe.is_done ? 0 : 1;
    }
    int64_t left_ms = (check->deadline_ns - clock_now_ns()) / NS_PER_MS;
    if (running == 0 || left_ms <= 0) {
        return false;
    }
    if (poll(pollers, DOORS + check->trial_count, (int)left_ms) <= 0) {
        return errno == EINTR;
    }
    for (size_t i = 0; i < DOORS; i++) {
        if (pollers[i].revents != 0) {
            token_door_greet(&check->doors[i]);
        }
    }
    for (size_t i = 0; i < check->trial_count; i++) {
        if (pollers[DOORS + i].revents != 0) {
            probe_collect(&check->trials[i].probe);
        }
    }
    return true;
}

static void report_trial(struct live_check *check, const struct trial *trial,
                         enum verify_result result, const char *words, const char *detail)
{
    char to[ADDRESS_TEXT_BYTES];
    address_format(&trial->wish.to, to);
    if (result == VERIFY_PASSED) {
        verify_report_add(check->report, result, trial->name, trial->wish.to.family, trial->rule,
                          "%s", "");
        return;
    }
    verify_report_add(check->report, result, trial->name, trial->wish.to.family, trial->rule,
                      "uid %u gid %u to %s %s%s%s", trial->wish.uid, trial->wish.gid, to, words,
                      detail[0] != '\0' ? ": " : "", detail);
}

/* It must reach nobody. Where the outbound door is ours, its token tells; where the proxy holds it,
 * any answer from a network in which nobody lives. */
static void judge_absence(struct live_check *check, const struct trial *trial)
{
    const struct probe_outcome *outcome = &trial->probe.outcome;
    enum door_id door = trial->wish.to.family == 4 ? DOOR_OUTBOUND4 : DOOR_OUTBOUND6;
    bool redirected = check->doors[door].state == TOKEN_DOOR_OURS
                          ? span_starts_with(span_of(outcome->line), span_of(check->token))
                          : outcome->failed_at != PROBE_CONNECT;
    if (redirected) {
        report_trial(check, trial, VERIFY_FAILED, "was redirected, though it must not be",
                     outcome->line);
    } else {
        report_trial(check, trial, VERIFY_PASSED, "", "");
    }
}

static void judge_arrival(struct live_check *check, const struct trial *trial, uint64_t packets)
{
    const struct probe_outcome *outcome = &trial->probe.outcome;
    const struct token_door *door = &check->doors[trial->lands_at];
    if (outcome->failed_at != PROBE_DONE) {
        report_trial(check, trial, VERIFY_FAILED,
                     outcome->failed_at == PROBE_BIND   ? "cannot bind its source address"
                     : outcome->failed_at == PROBE_READ ? "reached somebody who does not know the "
                                                          "token"
                                                        : "does not arrive",
                     strerror(outcome->error));
        return;
    }
    if (door->state == TOKEN_DOOR_OURS) {
        char to[ADDRESS_TEXT_BYTES];
        char wanted[PROBE_LINE_BYTES];
        address_format(&trial->wish.to, to);
        int greeting = snprintf(wanted, sizeof(wanted), "%s %s ", check->token, door->name);
        if (strncmp(outcome->line, wanted, (size_t)greeting) != 0) {
            report_trial(check, trial, VERIFY_FAILED, "landed elsewhere", outcome->line);
            return;
        }
        if (trial->is_counted && strcmp(outcome->line + greeting, to) != 0) {
            report_trial(check, trial, VERIFY_FAILED, "came with another original destination",
                         outcome->line + greeting);
            return;
        }
    }
    if (trial->is_counted && packets <= trial->packets_before) {
        report_trial(check, trial, VERIFY_FAILED, "arrived, but the rule's counter did not move",
                     "");
        return;
    }
    report_trial(check, trial, VERIFY_PASSED, "", "");
}

static void judge(struct live_check *check, const struct trial *trial, uint64_t packets)
{
    const struct probe_outcome *outcome = &trial->probe.outcome;
    if (!trial->probe.is_done) {
        report_trial(check, trial, VERIFY_FAILED, "was not decided in time", "");
    } else if (outcome->failed_at == PROBE_BECOME && outcome->error == EPERM) {
        report_trial(check, trial, VERIFY_SKIPPED, "needs CAP_SETUID and CAP_SETGID", "");
    } else if (outcome->failed_at == PROBE_BECOME) {
        report_trial(check, trial, VERIFY_FAILED, "could not be tried", strerror(outcome->error));
    } else if (trial->lands_at == DOOR_NONE) {
        judge_absence(check, trial);
    } else {
        judge_arrival(check, trial, packets);
    }
}

static void try_and_judge(struct live_check *check)
{
    uint64_t packets[TRIALS];
    read_counters(check, packets);
    for (size_t i = 0; i < check->trial_count; i++) {
        check->trials[i].packets_before = packets[i];
    }
    if (!start_trials(check)) {
        return;
    }
    while (wait_once(check)) {
    }
    read_counters(check, packets);
    for (size_t i = 0; i < check->trial_count; i++) {
        judge(check, &check->trials[i], packets[i]);
    }
}

void live_check_run(const struct redirect_plan *plan, int64_t timeout_ms,
                    struct verify_report *report)
{
    struct live_check check = {
        .plan = plan,
        .report = report,
        .deadline_ns = clock_now_ns() + timeout_ms * NS_PER_MS,
        .trial_ms = timeout_ms - timeout_ms / 4,
    };
    token_make(check.token);
    choose_other(&check);
    if (open_doors(&check)) {
        add_family(&check, 4);
        add_family(&check, 6);
        try_and_judge(&check);
    }
    for (size_t i = 0; i < check.trial_count; i++) {
        probe_stop(&check.trials[i].probe);
    }
    for (size_t i = 0; i < DOORS; i++) {
        token_door_close(&check.doors[i]);
    }
}
