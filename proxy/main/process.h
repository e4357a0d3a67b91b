#ifndef REMORA_PROXY_MAIN_PROCESS_H
#define REMORA_PROXY_MAIN_PROCESS_H

/*
 * The whole program, seen from its main thread.
 *
 *   process ── worker*            threads that carry traffic
 *           ├─ control_link       channel to the control plane, identity, discovery
 *           ├─ last_known_good    what to run on when the control plane is away
 *           ├─ admin              metrics, health, admin interface
 *           └─ drain              what SIGTERM begins
 */

#include "lib/stats/registry.h"
#include "lib/stats/writer.h"
#include "proxy/main/control_link.h"
#include "proxy/main/worker.h"

struct process_admin;

struct process {
    struct proxy_options *options;
    struct loop *loop;
    struct mailbox *mailbox;
    struct stats_registry *registry;
    struct stats_writer *writer;
    struct worker *workers[OPTIONS_WORKERS];
    uint32_t worker_count;
    struct control_link *link;
    struct process_admin *admin;
    struct timer look;      /* gauges, drain progress */
    int64_t drain_until_ns; /* 0 = not draining */
    int64_t started_ns;
    int64_t expired_ns; /* when old series were last dropped */
    uint32_t crowd;     /* most live connections since memory was last given back */
    bool outbound_draining;
    int exit_status;
};

/* 0 and *ret, or the exit status after the reason was printed. */
int process_create(struct proxy_options *options, struct process **ret);
/* Until a signal ends it; returns the exit status. */
int process_run(struct process *process);
void process_destroy(struct process *process);
/* What SIGTERM does: inbound finishes, outbound goes on until it is idle or the time is over. */
void process_drain(struct process *process);
bool process_ready(const struct process *process, const char **ret_why);

#endif
