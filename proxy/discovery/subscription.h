#ifndef REMORA_PROXY_DISCOVERY_SUBSCRIPTION_H
#define REMORA_PROXY_DISCOVERY_SUBSCRIPTION_H

#include "lib/base/map.h"
#include "lib/base/text.h"
#include "lib/xds/xds_discovery.h"
#include "proxy/discovery/xds_client.h"

/*
 * One type on the stream: what is wanted, what the server has been told of that, and the answer
 * that is due. Makes the next request; knows nothing of streams and time but what it is given.
 *
 * An answer (ACK or NACK) and a change of names are two messages in delta: servers exist that drop
 * the one with the other. In the state of the world each request says everything.
 */
struct wanted {
    bool sent;           /* on this stream */
    bool absent;         /* the owner has been told that it does not exist */
    int64_t deadline_ns; /* SotW: not held by then = does not exist; 0 = none runs */
    size_t length;
    char name[];
};

struct subscription {
    enum xds_type type;
    struct map wanted;  /* name -> struct wanted */
    struct map leaving; /* delta: names to be unsubscribed */
    bool all, all_sent; /* the wildcard "*" */
    bool begun;         /* a request of this type has gone out on this stream */
    bool changed;       /* names */
    bool answering;
    struct text nonce;   /* of the last response on this stream */
    struct text version; /* SotW: last accepted; survives streams */
    struct text error;   /* NACK: why; empty = ACK */
};

/* What is held by the owner of the client. */
struct holding {
    const struct xds_client_events *events;
    void *owner;
};

void subscription_init(struct subscription *subscription, enum xds_type type);
void subscription_done(struct subscription *subscription);
void subscription_want_all(struct subscription *subscription);
void subscription_want(struct subscription *subscription, struct span name);
void subscription_drop(struct subscription *subscription, struct span name);
/* By name or by wildcard. */
bool subscription_wants(const struct subscription *subscription, struct span name);
/* A new stream: the server knows nothing. */
void subscription_restart(struct subscription *subscription);
/* A response has been worked off; error empty = accepted. */
void subscription_answer(struct subscription *subscription, struct span nonce, struct span version,
                         struct span error);

/* The next request, its lists in the arena. False when there is nothing to say. */
bool subscription_next_delta(struct subscription *subscription, const struct holding *holding,
                             struct arena *arena, struct xds_request *ret);
bool subscription_next_sotw(struct subscription *subscription, const struct holding *holding,
                            int64_t deadline_ns, struct arena *arena, struct xds_request *ret);

#endif
