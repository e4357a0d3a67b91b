#ifndef REMORA_PROXY_MAIN_WORKER_H
#define REMORA_PROXY_MAIN_WORKER_H

/*
 * One worker thread: a loop, its listeners, its upstream side, its statistics. It speaks with the
 * main thread by messages only.
 */

#include "lib/net/mailbox.h"
#include "proxy/front/front.h"
#include "proxy/main/options.h"

enum { WORKER_STUCK_MS = 10000 };

struct worker;

struct worker_start {
    const struct proxy_options *options; /* outlives the worker */
    struct stats_registry *registry;
    struct mailbox *main_mailbox;
    /* In the main thread: configuration that a worker needs. */
    void (*on_ask)(void *owner, struct span name);
    void *owner;
    uint32_t index;
};

/* Starts the thread and waits until it listens. NULL, and a text, when it cannot. */
struct worker *worker_create(const struct worker_start *start, char *reason, size_t reason_bytes);
/* Main thread. Each takes its own references. */
void worker_snapshot(struct worker *worker, struct snapshot *snapshot);
/* new_roots: live connections to endpoints are drained, their peers may no longer be trusted. */
void worker_tls(struct worker *worker, struct tls_config *client, struct tls_config *server,
                bool new_roots);
void worker_control_away(struct worker *worker, bool away);
void worker_drain(struct worker *worker, bool outbound);
/* Live downstream connections, as of the worker's last look (at most a second ago). */
uint32_t worker_live(const struct worker *worker, enum front_side side);
/* False when the worker's loop has not come round for WORKER_STUCK_MS. */
bool worker_turns(const struct worker *worker);
/*
 * Has the worker write something of its own: write runs in its thread, then on_report in the main
 * thread, exactly once, with the text, or with NULL when the worker is gone.
 */
void worker_report(struct worker *worker,
                   void (*write)(void *owner, struct worker_scope *scope, struct text *text),
                   void (*on_report)(void *owner, const struct text *text), void *owner);
/* Ends the thread and frees everything of it. */
void worker_destroy(struct worker *worker);

#endif
