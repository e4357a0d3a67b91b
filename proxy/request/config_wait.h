#ifndef REMORA_PROXY_REQUEST_CONFIG_WAIT_H
#define REMORA_PROXY_REQUEST_CONFIG_WAIT_H

#include "lib/base/clock.h"
#include "proxy/request/worker_scope.h"

/*
 * Waiting for configuration that is fetched on first use. Embedded in whoever waits.
 */
enum { CONFIG_WAIT_MS = 5000 };

/* What is known of a name right now. */
enum config_known { CONFIG_KNOWN, CONFIG_ABSENT, CONFIG_ASKED };

struct config_wait {
    struct link link;
    struct worker_scope *scope;
    struct span name; /* must live as long as the wait */
    struct timer timer;
    /* known: it is in the snapshot now. False: absent, or CONFIG_WAIT_MS are over. From the loop.
     */
    void (*on_config)(struct config_wait *wait, bool known);
};

/*
 * KNOWN: listener, its routes or TCP clusters, and all their clusters with endpoints are in the
 * snapshot. ASKED: the main thread was asked; on_config will come unless config_wait_cancel is
 * called.
 */
enum config_known config_wait_start(struct config_wait *wait, struct worker_scope *scope,
                                    struct span name,
                                    void (*on_config)(struct config_wait *wait, bool known));
void config_wait_cancel(struct config_wait *wait);
/* A new snapshot came: wakes those whose name is known now. */
void config_wait_check(struct worker_scope *scope);

#endif
