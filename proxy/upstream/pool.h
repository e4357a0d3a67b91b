#ifndef REMORA_PROXY_UPSTREAM_POOL_H
#define REMORA_PROXY_UPSTREAM_POOL_H

#include "proxy/upstream/connector.h"
#include "proxy/upstream/lease.h"

/*
 * The connections of one endpoint, by what they can be used for. Identity needs no place in the
 * key: an endpoint with another identity is another endpoint.
 *
 *   pool ── lane (kind, source address)
 *             ├─ open      connections that streams are taken from: HTTP/2 oldest first,
 *             │            HTTP/1 idle ones, most recently used first
 *             ├─ dialling  on their way
 *             └─ waiting   leases for whom those are; a dial carries `streams` of them (HTTP/1: 1)
 *
 * HTTP/2: the one with the fewest streams among those with room; a tie goes to the oldest;
 * none: another one is dialled, up to http2_per_endpoint.
 */
struct lane {
    struct endpoint *endpoint;
    struct lane *next;
    uint8_t kind;    /* enum connector_kind */
    bool fell_to_h1; /* ALPN said so: a connection carries one request */
    struct address source;
    struct list open;     /* of pool_conn.link */
    struct list dialling; /* of pool_conn.link */
    struct list waiting;  /* of lease.place */
    struct link stirred;  /* in the cluster's */
    uint32_t dials;
    uint32_t waiting_count;
    uint32_t conns; /* dialling, open or busy; not those that drain */
};

struct pool {
    struct lane *lanes;
    struct list conns; /* of pool_conn.pooled: all that live */
};

/* Makes it at the first use. */
struct pool *pool_of(struct endpoint *endpoint);

/* A lease of this wish would get a stream or a connection here, now or after a connect. */
bool pool_has_room(const struct endpoint *endpoint, const struct lease_wish *wish);

enum pool_take {
    POOL_TAKEN,  /* it has its stream */
    POOL_BOUND,  /* it waits here: in a lane, for a dial of its own, or for the tunnel's answer */
    POOL_FULL,   /* nothing changed */
    POOL_FAILED, /* lease->failure */
};
enum pool_take pool_take(struct endpoint *endpoint, struct lease *lease);

/* Streams for those who wait, as far as there is room; dials more where that is allowed. */
void lane_serve(struct lane *lane);
/* lane_serve in this turn's flush phase. */
void lane_stir(struct lane *lane);
/* The lease no longer waits here. */
void lane_forget(struct lease *lease);
/* A dial ended without a connection: those whom no other dial will carry fail. */
void lane_dial_failed(struct lane *lane, enum failure failure);

/* The endpoint left: who waits looks elsewhere, idle connections close, busy ones drain. */
void pool_leave(struct pool *pool);
/* Drains connections that a certificate of ours opened. */
void pool_drain_mesh(struct pool *pool);
void pool_close_all(struct pool *pool, enum failure failure);
void pool_destroy(struct pool *pool);

#endif
