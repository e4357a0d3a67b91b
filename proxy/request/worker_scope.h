#ifndef REMORA_PROXY_REQUEST_WORKER_SCOPE_H
#define REMORA_PROXY_REQUEST_WORKER_SCOPE_H

#include "lib/http/http_limits.h"
#include "proxy/observe/observe.h"
#include "proxy/upstream/upstream.h"

/*
 * What the requests and connections of one worker thread work with. Owned by the worker
 * (proxy/main), which outlives them all. One thread.
 */
struct worker_scope {
    struct loop *loop;
    struct upstream *upstream;
    struct observe *observe;
    struct snapshot *snapshot;     /* the current one; who needs it longer takes a reference */
    struct tls_config *server_tls; /* NULL until a certificate came: mutual TLS stays closed */
    struct http_limits limits;
    /* Asks the main thread for a listener ("HOST:PORT") or an address entry ("ip/ADDRESS"). */
    void (*ask)(void *owner, struct span name);
    void *ask_owner;
    struct list config_waits; /* of config_wait */
    uint32_t live_requests;
    uint32_t live_connections;
    bool draining;     /* inbound drain has begun */
    bool control_away; /* the control plane does not answer: do not wait for it */
};

#endif
