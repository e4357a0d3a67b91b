#ifndef REMORA_PROXY_REQUEST_REQUEST_H
#define REMORA_PROXY_REQUEST_REQUEST_H

/*
 * One HTTP request on its way through this proxy.
 *
 *   request ── downstream  the exchange with who called (http_stream, server role)
 *           ├─ attempt*    each try at one endpoint: a lease and its stream; the last is the winner
 *           ├─ replay_body what was sent of the body, while a retry is possible
 *           ├─ relay x2    moves body bytes under credit, one each way
 *           └─ record      what statistics, trace and log will know
 *
 * Callbacks of streams, leases and timers store what happened and call request_advance, which runs
 * steps until one has to wait. request_enter is the only place that changes the state. A request is
 * born from request_open and frees itself after its last callback's turn; nobody else holds a
 * pointer.
 */

#include "lib/http/http_conn.h"
#include "proxy/request/worker_scope.h"

/* Where a request came in and where it wants to go. Spans must outlive every request of the
 * connection. */
struct request_origin {
    struct worker_scope *scope;
    uint8_t direction;         /* enum record_direction */
    bool mtls;                 /* the downstream is a verified peer */
    bool from_sidecar;         /* the heads were written by that peer itself, not through a tunnel */
    bool https;                /* the client spoke TLS to us */
    struct span peer_identity; /* its SPIFFE id; empty without mTLS */
    struct address downstream;
    struct address original_dst; /* inbound: the application's address and port */
    /* Outbound: the service port, by name; empty = pass through to original_dst. */
    struct span listener;
    struct span service_host;            /* "api.shop.svc.cluster.local" */
    struct span passthrough_host;        /* external, without a listener */
    const struct xds_endpoint *workload; /* outbound to a single workload's address; else NULL */
    uint16_t port;
    /* Inbound: how the application speaks and what the port serves. */
    uint8_t protocol; /* enum xds_protocol */
    struct span service;
    uint32_t *live; /* counts requests of this connection up and down */
};

/* Called from on_stream: attaches itself to the stream and lives on its own from then on. */
void request_open(const struct request_origin *origin, struct http_stream *stream);

#endif
