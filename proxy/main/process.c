#include "proxy/main/process.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "proxy/main/process_admin.h"
#include "proxy/main/process_gauges.h"
#include "proxy/observe/proxy_stats.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum {
    EXIT_FAILED = 1,
    LOOK_MS = 500,
    EXPIRE_MS = 60000,
    QUIET_MS = 1000,          /* a drain looks idle for so long before it ends */
    CROWD = 1000,             /* connections; the memory of fewer is not worth a look */
    SPARE_DESCRIPTORS = 64,   /* listeners, loops, admin, logs */
    RESERVED_DESCRIPTORS = 32 /* of them, what comes later: probes, scrapes, the control plane */
};

/* ---- What the system gives ------------------------------------------------------------------- */

/*
 * Half of the descriptors may be downstream connections: each may need one upstream. One may also
 * need many, as streams of one connection do; so connections of both sides stop before the last
 * descriptors, with which the proxy says that it is alive, how it is, and renews its certificate.
 */
static void fit_descriptors(struct proxy_options *options)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t room = limit.rlim_cur > SPARE_DESCRIPTORS ? (limit.rlim_cur - SPARE_DESCRIPTORS) / 2 : 1;
    if (limit.rlim_cur > SPARE_DESCRIPTORS && limit.rlim_cur < INT_MAX) {
        options->descriptors = (int)limit.rlim_cur - RESERVED_DESCRIPTORS;
    }
    if (room < options->max_connections) {
        LOG_INFO("process", "the limit of descriptors bounds connections",
                 LOG_NUMBER("descriptors", (int64_t)limit.rlim_cur),
                 LOG_NUMBER("connections", (int64_t)room));
        options->max_connections = (uint32_t)room;
    }
}

/* No new privileges, and no core dump or debugger that would show keys. */
static void close_doors(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        LOG_WARN("process", "privileges could not be bounded", LOG_TEXT("reason", strerror(errno)));
    }
}

/* ---- From the control plane to the workers --------------------------------------------------- */

static void on_snapshot(void *owner, struct snapshot *snapshot)
{
    struct process *process = owner;
    for (uint32_t i = 0; i < process->worker_count; i++) {
        worker_snapshot(process->workers[i], snapshot);
    }
}

static void on_tls(void *owner, struct tls_config *client, struct tls_config *server,
                   bool new_roots)
{
    struct process *process = owner;
    for (uint32_t i = 0; i < process->worker_count; i++) {
        worker_tls(process->workers[i], client, server, new_roots);
    }
}

static void on_state(void *owner, bool connected)
{
    struct process *process = owner;
    for (uint32_t i = 0; i < process->worker_count; i++) {
        worker_control_away(process->workers[i], !connected);
    }
}

static const struct control_link_events link_events = {
    .on_snapshot = on_snapshot,
    .on_tls = on_tls,
    .on_state = on_state,
};

static void on_ask(void *owner, struct span name)
{
    struct process *process = owner;
    apply_ask(control_link_apply(process->link), name);
}

/* ---- Ready and drain ------------------------------------------------------------------------- */

bool process_ready(const struct process *process, const char **ret_why)
{
    if (process->drain_until_ns != 0) {
        *ret_why = "draining";
        return false;
    }
    if (apply_snapshot(control_link_apply(process->link))->version == 0) {
        *ret_why = "no configuration yet";
        return false;
    }
    struct workload_identity_state state;
    workload_identity_state(control_link_identity(process->link), &state);
    if (!state.valid) {
        *ret_why = state.not_after_s == 0 ? "no certificate yet" : "the certificate has ended";
        return false;
    }
    for (uint32_t i = 0; i < process->worker_count; i++) {
        if (!worker_turns(process->workers[i])) {
            *ret_why = "a worker's loop is stuck";
            return false;
        }
    }
    *ret_why = "";
    return true;
}

void process_drain(struct process *process)
{
    if (process->drain_until_ns != 0) {
        return;
    }
    LOG_INFO("process", "draining: inbound first, outbound until it is idle",
             LOG_NUMBER("most_ms", process->options->drain_ms));
    process->drain_until_ns = loop_now_ns(process->loop) + process->options->drain_ms * NS_PER_MS;
    for (uint32_t i = 0; i < process->worker_count; i++) {
        worker_drain(process->workers[i], false);
    }
    timer_start(&process->look, QUIET_MS * NS_PER_MS);
}

static uint32_t live(const struct process *process, enum front_side side)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < process->worker_count; i++) {
        sum += worker_live(process->workers[i], side);
    }
    return sum;
}

static void look_at_drain(struct process *process)
{
    int64_t now = loop_now_ns(process->loop);
    uint32_t inbound = live(process, FRONT_INBOUND) + live(process, FRONT_HBONE);
    uint32_t outbound = live(process, FRONT_OUTBOUND);
    if (inbound == 0 && outbound == 0) {
        LOG_INFO("process", "drained");
        loop_stop(process->loop);
    } else if (now >= process->drain_until_ns) {
        LOG_WARN("process", "the time to drain is over", LOG_NUMBER("inbound", inbound),
                 LOG_NUMBER("outbound", outbound));
        loop_stop(process->loop);
    } else if (inbound == 0 && !process->outbound_draining) {
        /* Nobody is served any more: idle outbound connections need not be waited for. */
        process->outbound_draining = true;
        for (uint32_t i = 0; i < process->worker_count; i++) {
            worker_drain(process->workers[i], true);
        }
    }
}

/* Series that nobody has touched for ten minutes go, so that pods that come and go do not fill the
 * table. */
static void expire_series(struct process *process)
{
    int64_t now = loop_now_ns(process->loop);
    if (now - process->expired_ns >= EXPIRE_MS * NS_PER_MS) {
        process->expired_ns = now;
        stats_writer_expire(process->writer, now);
        stats_expire(process->registry, now);
    }
}

/* malloc keeps what a crowd of connections took, for as long as the process lives. */
static void give_memory_back(struct process *process)
{
    uint32_t now =
        live(process, FRONT_OUTBOUND) + live(process, FRONT_INBOUND) + live(process, FRONT_HBONE);
    if (now > process->crowd) {
        process->crowd = now;
    } else if (process->crowd >= CROWD && now <= process->crowd / 2) {
        process->crowd = now;
        mem_trim();
    }
}

static void on_look(struct timer *timer)
{
    struct process *process = CONTAINER_OF(timer, struct process, look);
    process_gauges_sample(process);
    expire_series(process);
    give_memory_back(process);
    if (process->drain_until_ns != 0) {
        look_at_drain(process);
    }
    timer_start(&process->look, LOOK_MS * NS_PER_MS);
}

static void on_signal(void *owner, int number)
{
    struct process *process = owner;
    if (number == SIGTERM) {
        process_drain(process);
    } else {
        loop_stop(process->loop);
    }
}

/* ---- Life ------------------------------------------------------------------------------------ */

static bool start_workers(struct process *process, char *reason, size_t reason_bytes)
{
    for (uint32_t i = 0; i < process->options->workers; i++) {
        struct worker_start start = {
            .options = process->options,
            .registry = process->registry,
            .main_mailbox = process->mailbox,
            .on_ask = on_ask,
            .owner = process,
            .index = i,
        };
        struct worker *worker = worker_create(&start, reason, reason_bytes);
        if (worker == NULL) {
            return false;
        }
        process->workers[process->worker_count++] = worker;
    }
    return true;
}

static int fail(struct process *process, const char *reason)
{
    fprintf(stderr, "remora-proxy: %s\n", reason);
    process_destroy(process);
    return EXIT_FAILED;
}

int process_create(struct proxy_options *options, struct process **ret)
{
    char reason[300] = "";
    log_set_level(options->log_level);
    log_set_format(options->log_format);
    fit_descriptors(options);
    close_doors();
    struct process *process = NEW(struct process);
    process->options = options;
    process->loop = loop_create();
    process->mailbox = mailbox_create(process->loop, process);
    process->registry =
        stats_registry_create(proxy_stats, PROXY_STAT_COUNT, options->workers + 1, 0);
    process->writer = stats_writer_create(process->registry);
    process->started_ns = loop_now_ns(process->loop);
    timer_init(&process->look, process->loop, on_look);
    if (!start_workers(process, reason, sizeof(reason))) {
        return fail(process, reason);
    }
    process->link = control_link_create(process->loop, options, process->registry, &link_events,
                                        process, reason, sizeof(reason));
    if (process->link == NULL) {
        return fail(process, reason);
    }
    process->admin = process_admin_create(process, reason, sizeof(reason));
    if (process->admin == NULL) {
        return fail(process, reason);
    }
    loop_on_signal(process->loop, SIGTERM, on_signal, process);
    loop_on_signal(process->loop, SIGINT, on_signal, process);
    timer_start(&process->look, LOOK_MS * NS_PER_MS);
    *ret = process;
    return 0;
}

int process_run(struct process *process)
{
    LOG_INFO("process", "running", LOG_SPAN("workload", process->options->workload),
             LOG_NUMBER("workers", process->worker_count));
    loop_run(process->loop);
    return process->exit_status;
}

void process_destroy(struct process *process)
{
    timer_stop(&process->look);
    process_admin_destroy(process->admin);
    for (uint32_t i = 0; i < process->worker_count; i++) {
        worker_destroy(process->workers[i]);
    }
    control_link_destroy(process->link);
    stats_writer_destroy(process->writer);
    stats_registry_destroy(process->registry);
    mailbox_close(process->mailbox);
    mailbox_destroy(process->mailbox);
    loop_turn(process->loop);
    loop_destroy(process->loop);
    mem_free(process);
}
