#ifndef REMORA_NET_TCP_H
#define REMORA_NET_TCP_H

#include "lib/net/transport.h"

/*
 * TCP as a transport. Options are set once, at accept or connect: TCP_NODELAY, TCP_USER_TIMEOUT 10 s,
 * keep-alive. Reading less than asked means that no more is there (no second read for EAGAIN).
 */
struct tcp_connect {
    struct address to;
    struct address from; /* family 0 = any; port 0 = any (IP_BIND_ADDRESS_NO_PORT) */
    int64_t timeout_ms;  /* > 0 */
};

/* Never NULL: what fails at once is told as a read failure (CONNECT_REFUSED, _TIMEOUT, _UNREACHABLE, _FAILED). */
struct transport *tcp_connect(struct loop *loop, const struct tcp_connect *connect);
/* Takes over a connected non-blocking descriptor. peer and local may be NULL: then they are asked for. */
struct transport *tcp_adopt(struct loop *loop, int fd, const struct address *local, const struct address *peer);
/* The descriptor, or -1 when the transport is of another kind. Still the transport's. */
int tcp_descriptor(const struct transport *transport);
/* Smoothed round trip of the connection in microseconds, 0 = unknown. A system call. */
uint32_t tcp_rtt_us(const struct transport *transport);

#endif
