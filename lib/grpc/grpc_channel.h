#ifndef REMORA_GRPC_GRPC_CHANNEL_H
#define REMORA_GRPC_GRPC_CHANNEL_H

#include "lib/grpc/grpc_call.h"
#include "lib/net/resolver.h"
#include "lib/tls/tls_transport.h"

/*
 * One HTTP/2 connection to a server, kept up: resolves, connects, tries again after full-jitter
 * back-off (0.5 s doubling to 30 s, back to the start once the server has answered something).
 * Several users share one.
 */
struct grpc_channel;

struct grpc_channel_options {
    struct span target;            /* "HOST:PORT" */
    struct tls_config *tls;        /* NULL = plain text; a reference is taken */
    const struct span *identities; /* SPIFFE ids that the server may have; copied */
    size_t identity_count;
    struct resolver *resolver; /* for names; may be NULL where the target is an address */
};

/* For each user of the channel. */
struct grpc_channel_watch {
    struct link link;
    /* The connection is up: calls may be started on it. Down: calls have ended or will. */
    void (*on_up)(struct grpc_channel_watch *watch, struct http_conn *conn);
    void (*on_down)(struct grpc_channel_watch *watch);
    bool late; /* the channel's own */
};

/* NULL when the target is no HOST:PORT. Begins to connect in the next turn. */
struct grpc_channel *grpc_channel_create(struct loop *loop,
                                         const struct grpc_channel_options *options);
void grpc_channel_destroy(struct grpc_channel *channel);
/* Adds a user; on_up follows from the loop when the connection is there. */
void grpc_channel_watch(struct grpc_channel *channel, struct grpc_channel_watch *watch);
void grpc_channel_unwatch(struct grpc_channel *channel, struct grpc_channel_watch *watch);
/* NULL while there is none. */
struct http_conn *grpc_channel_conn(const struct grpc_channel *channel);
struct loop *grpc_channel_loop(const struct grpc_channel *channel);
/* ":authority" of calls. */
struct span grpc_channel_authority(const struct grpc_channel *channel);
/* The server has answered: the next reconnect is quick again. */
void grpc_channel_healthy(struct grpc_channel *channel);
/*
 * Another client certificate: for the next connection; reconnect = give up the present one now. The
 * next is made at once: that is no failure and waits for no back-off.
 */
void grpc_channel_set_tls(struct grpc_channel *channel, struct tls_config *tls, bool reconnect);
/* Between set_tls's reconnect and the next connection, or the first try of it that failed. */
bool grpc_channel_moving(const struct grpc_channel *channel);
/* Why it is down, for logs and /ready; "" when up. */
const char *grpc_channel_error(const struct grpc_channel *channel);
/* How long until the next try. Pure; draw in [0, 1), failures >= 1. */
int64_t grpc_channel_backoff_ms(unsigned failures, double draw);

#endif
