#ifndef REMORA_PROXY_UPSTREAM_LEASE_RUN_H
#define REMORA_PROXY_UPSTREAM_LEASE_RUN_H

#include "proxy/upstream/lease.h"

/*
 * The inside of a lease, for pools and the settle task.
 *
 *   NEW -> HELD                        a stream was there
 *   NEW -> QUEUED, IN_LANE, DIALLING   no endpoint has room; a connection is on its way
 *   IN_LANE -> TUNNELLING              the CONNECT is sent
 *   any of these -> DUE -> HELD, ENDED decided; the settle task tells the owner
 */
enum lease_state {
    LEASE_NEW,
    LEASE_QUEUED,     /* in one of cluster->queues */
    LEASE_IN_LANE,    /* in lane->waiting */
    LEASE_DIALLING,   /* lease->conn dials for it alone */
    LEASE_TUNNELLING, /* lease->transport waits for the answer to its CONNECT */
    LEASE_DUE,
    LEASE_HELD,
    LEASE_ENDED,
};

/* Its load counts on this endpoint from now on. */
void lease_assign(struct lease *lease, struct endpoint *endpoint);
void lease_unassign(struct lease *lease);
/* Takes a stream of the connection. False: there was no room. */
bool lease_use(struct lease *lease, struct pool_conn *conn);
/* It waited; now it is over: the owner is told in this turn. failure NONE = ready. */
void lease_decide(struct lease *lease, enum failure failure);
/* The dial made for it alone is done. */
void lease_transport_ready(struct lease *lease, struct transport *transport);
/* From the settle task. */
void lease_tell(struct lease *lease);
/* Its lane or dial is gone: it goes to the front of the queue. */
void lease_requeue(struct lease *lease);

/* cluster_settle.c. Joins those who wait, and the deadline's timer. */
void cluster_wait(struct cluster *cluster, struct lease *lease);
void cluster_wait_over(struct cluster *cluster, struct lease *lease);
enum lease_place { LEASE_PLACED, LEASE_BOUND, LEASE_NOWHERE, LEASE_REFUSED };
/* Looks for an endpoint with room. REFUSED: lease->failure says why. */
enum lease_place cluster_place(struct cluster *cluster, struct lease *lease);
/* NONE, or why a lease need not even wait. */
enum failure cluster_hopeless(const struct cluster *cluster);
void cluster_settle_init(struct cluster *cluster);

#endif
