#ifndef REMORA_PROXY_UPSTREAM_LEASE_H
#define REMORA_PROXY_UPSTREAM_LEASE_H

#include "proxy/upstream/cluster.h"
#include "proxy/upstream/endpoint.h"

/*
 * What one attempt holds: a place under the limits, a load mark on an endpoint, and a stream (HTTP)
 * or a transport (TCP). Embedded in its attempt. lease_start -> READY | WAIT | FAILED; WAIT ends
 * with one on_ready or on_failed from the loop. lease_end gives everything back, whatever the
 * state, in one place.
 *
 * HTTP on a mesh endpoint: a stream of a pooled mutual-TLS HTTP/2 session. Without sidecar: HTTP/2
 * where the cluster's protocol says so, else HTTP/1. TCP on a mesh endpoint with HBONE: a CONNECT
 * stream of a pooled session to port 15008 as a transport; without: plain TCP.
 */
struct lane;
struct pool_conn;

enum lease_kind { LEASE_HTTP, LEASE_TCP };
enum lease_status { LEASE_READY, LEASE_WAIT, LEASE_FAILED };

enum { LEASE_TRIED = 8 };

struct lease_wish {
    enum lease_kind kind;
    const struct endpoint *tried[LEASE_TRIED]; /* avoided while another endpoint is in rotation */
    uint32_t tried_count;
    int64_t deadline_ns;   /* monotonic; 0 = none. Waiting is also bounded by the cluster's
                              queue_timeout */
    bool needs_upgrade;    /* HTTP: the stream must carry an upgrade (extended CONNECT or HTTP/1) */
    bool http2_cleartext;  /* HTTP to the local application: the client spoke HTTP/2 to us */
    struct address source; /* to bind, for the leg to the local application; family 0 = any */
    struct span
        tunnel_authority; /* TCP over HBONE: "10.0.0.1:6379"; empty = the endpoint's address */
};

/* How it went, for balancer and outlier records. */
struct lease_outcome {
    enum failure failure; /* NONE = an answer came */
    uint16_t status;      /* HTTP status; 0 = none */
    int16_t grpc_status;  /* -1 = none */
    int64_t latency_ns;   /* start to first body byte (or head where no body); < 0 = no sample */
    bool cancelled;       /* ended by the client: no verdict on the endpoint */
};

struct lease_events {
    void (*on_ready)(void *owner);
    void (*on_failed)(void *owner, enum failure failure);
};

struct lease {
    struct cluster *cluster;
    struct endpoint *endpoint;   /* whom it waits for or has, or who failed; outlives the lease by
                                    two minutes; NULL = none was found */
    struct http_stream *stream;  /* HTTP: not attached yet when READY */
    struct transport *transport; /* TCP */
    enum failure failure;        /* after FAILED */
    const struct lease_events *events;
    void *owner;
    struct lease_wish wish;
    struct link waiting;
    int64_t started_ns;
    bool reused;               /* the connection was already there */
    struct span peer_identity; /* verified, of a mesh endpoint; valid while leased */

    /* Private to this folder. */
    uint8_t state;
    bool assigned;     /* counts as load on the endpoint */
    struct link place; /* what it waits in: a lane, the cluster's queue, or its due ones */
    struct lane *lane;
    struct pool_conn *conn;
    int64_t deadline_ns;
};

/* The lease must be zeroed. READY: use it now. FAILED: nothing to end (calling lease_end is
 * harmless). */
enum lease_status lease_start(struct lease *lease, struct cluster *cluster,
                              const struct lease_wish *wish, const struct lease_events *events,
                              void *owner);
/*
 * Gives back place, mark, and releases the stream (or, TCP: closes the transport unless it was
 * taken by setting lease->transport to NULL). outcome NULL = nothing was learned.
 */
void lease_end(struct lease *lease, const struct lease_outcome *outcome);

#endif
