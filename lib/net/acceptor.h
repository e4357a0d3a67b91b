#ifndef REMORA_NET_ACCEPTOR_H
#define REMORA_NET_ACCEPTOR_H

#include "lib/net/address.h"
#include "lib/net/loop.h"

/*
 * A listening socket. At most ACCEPTS_PER_TURN connections a turn, so that one flood does not
 * starve the rest. When descriptors run out (EMFILE, ENFILE) it takes the waiting connection with a
 * spare descriptor, closes it, counts it, and rests 100 ms: never a busy loop (CVE-2020-8663).
 */
enum { ACCEPTS_PER_TURN = 64 };

struct acceptor_options {
    struct address at; /* wildcard IPv6 also takes IPv4 where the system has IPv6 */
    bool reuse_port;   /* one socket a worker */
    int backlog;       /* 0 = 4096 */
    bool v6_only;
};

struct acceptor_events {
    /* The descriptor is non-blocking and the receiver's. Addresses are of this connection. */
    void (*on_accept)(void *owner, int fd, const struct address *local, const struct address *peer);
    /* A connection was refused for want of descriptors. */
    void (*on_exhausted)(void *owner);
};

struct acceptor;

/* NULL and *ret_errno on failure (EADDRINUSE, EACCES, ...). */
struct acceptor *acceptor_open(struct loop *loop, const struct acceptor_options *options,
                               const struct acceptor_events *events, void *owner, int *ret_errno);
/* Takes a descriptor that already listens (socket activation, in-place upgrade). */
struct acceptor *acceptor_adopt(struct loop *loop, int fd, const struct acceptor_events *events,
                                void *owner);
/* The address that is really bound: a port 0 becomes what the kernel chose. */
const struct address *acceptor_address(const struct acceptor *acceptor);
/* Stops and starts taking connections; waiting ones stay in the backlog. */
void acceptor_pause(struct acceptor *acceptor);
void acceptor_resume(struct acceptor *acceptor);
/* Closes the socket; frees after the turn. Takes NULL. */
void acceptor_close(struct acceptor *acceptor);

#endif
