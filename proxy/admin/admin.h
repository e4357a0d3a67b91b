#ifndef REMORA_PROXY_ADMIN_ADMIN_H
#define REMORA_PROXY_ADMIN_ADMIN_H

/*
 * What the proxy says of itself over HTTP. Main thread.
 *
 *   admin ── metrics server   all interfaces: /metrics, /healthz
 *         ├─ health server    all interfaces: readiness and liveness for the kubelet
 *         ├─ admin server     loopback: everything; GET reads, POST changes
 *         └─ admin_report*    answers that worker threads write; each ends by its deadline
 *
 * It knows nothing of the process: that is in admin_process, which proxy/main fills.
 */

#include "lib/net/address.h"
#include "lib/net/loop.h"
#include "lib/stats/registry.h"
#include "proxy/request/worker_scope.h"

struct admin;
struct admin_question;

/* Called in the main thread; texts are appended. */
struct admin_process {
    /* False, and why not, in words. */
    bool (*ready)(void *owner, struct text *ret_why);
    /* Brings gauges up to date before statistics are read. May be NULL. */
    void (*before_stats)(void *owner);
    void (*config_dump)(void *owner, struct text *json);
    void (*certs)(void *owner, struct text *json);
    /* Inbound connections finish and close, as at SIGTERM, but the process stays. */
    void (*drain)(void *owner);
    /* Ends the process as SIGTERM does; only where options.quit_allowed. */
    void (*quit)(void *owner);
    /*
     * Has worker `index` run admin_question_write with its scope, in its thread; then admin_answer
     * is called in the main thread, exactly once a call, with that text, or with NULL where the
     * worker is gone. The question may be touched until then.
     */
    void (*ask_worker)(void *owner, uint32_t index, struct admin_question *question);
};

struct admin_options {
    struct address metrics_at, health_at, admin_at; /* family 0 = not opened */
    uint32_t workers;
    bool quit_allowed;
    struct span token; /* POST needs "authorization: Bearer TOKEN"; empty = none asked; copied */
    const char *version;
};

/* NULL and a text when an address cannot be had, or the admin server's is not a loopback one. */
struct admin *admin_create(struct loop *loop, const struct admin_options *options,
                           struct stats_registry *registry, const struct admin_process *process,
                           void *owner, char *reason, size_t reason_bytes);
/* Questions that are still with workers stay legal to answer. Takes NULL. */
void admin_destroy(struct admin *admin);
/* The addresses really bound, for tests. */
enum admin_server { ADMIN_METRICS, ADMIN_HEALTH, ADMIN_LOOPBACK, ADMIN_SERVERS };
const struct address *admin_address(const struct admin *admin, enum admin_server server);

/* Any worker's thread. */
void admin_question_write(const struct admin_question *question, struct worker_scope *scope,
                          struct text *json);
/* Main thread. */
void admin_answer(struct admin_question *question, const struct text *json);

#endif
