#ifndef REMORA_NET_TCP_H
#define REMORA_NET_TCP_H

#include "lib/net/transport.h"

/*
 * TCP as a transport. Options are set once: TCP_NODELAY, TCP_USER_TIMEOUT 10 s, keep-alive. A
 * socket that connects sets its own; an accepted one has them from its listener (the kernel copies
 * them), without a system call. Reading less than asked means that no more is there (no second read
 * for EAGAIN).
 *
 * What comes from an established connection is UPSTREAM_RESET or _CLOSED where this side connected,
 * and DOWNSTREAM_RESET or _CLOSED where it accepted. After a write has failed, what the peer sent
 * before can still be read. A graceful close is a close(2) where the peer has all that it was sent;
 * else the socket is shut down and drained in the background, since a close with unread bytes would
 * reset it.
 */
struct tcp_connect {
    struct address to;
    struct address from; /* family 0 = any; port 0 = any (IP_BIND_ADDRESS_NO_PORT) */
    int64_t timeout_ms;  /* > 0 */
    int descriptors;     /* from this number on it has none left for this one; 0 = no such bound */
};

/* Never NULL: what fails at once is told as a read failure (CONNECT_REFUSED, _TIMEOUT,
 * _UNREACHABLE, _FAILED, OVERLOAD where descriptors are short). */
struct transport *tcp_connect(struct loop *loop, const struct tcp_connect *connect);
/* Takes over a connected non-blocking descriptor. peer and local may be NULL: then they are asked
 * for. */
struct transport *tcp_adopt(struct loop *loop, int fd, const struct address *local,
                            const struct address *peer);
/* Sets the options named above; for listeners. What the kernel refuses is left out. */
void tcp_set_options(int fd);
/* The descriptor, or -1 when the transport is of another kind. Still the transport's. */
int tcp_descriptor(const struct transport *transport);
/* Smoothed round trip of the connection in microseconds, 0 = unknown. A system call. */
uint32_t tcp_rtt_us(const struct transport *transport);

/*
 * splice(2) between the connection and a pipe; results as those of read and write. Only where
 * tcp_descriptor gives one and nothing is unread. AGAIN from _splice_in: nothing to read, or a full
 * pipe.
 */
ssize_t tcp_splice_in(struct transport *from, int pipe_end, size_t limit);
ssize_t tcp_splice_out(struct transport *to, int pipe_end, size_t limit);

#endif
