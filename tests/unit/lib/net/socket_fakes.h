#ifndef REMORA_TESTS_UNIT_LIB_NET_SOCKET_FAKES_H
#define REMORA_TESTS_UNIT_LIB_NET_SOCKET_FAKES_H

#include "lib/net/acceptor.h"
#include "lib/net/tcp.h"

/* A listening acceptor on a loopback port of the kernel's choice, and what it has taken. */
enum { FAKE_MOST_ACCEPTED = 512 };

struct accepting {
    struct acceptor *acceptor;
    int fds[FAKE_MOST_ACCEPTED];
    struct address local;
    struct address peer;
    int count;
    int exhausted;
};

void accepting_open(struct accepting *accepting, struct loop *loop, const char *at);
void accepting_close(struct accepting *accepting);

/* Two ends of one TCP connection over loopback. */
struct tcp_pair {
    struct loop *loop;
    struct transport *dialled;
    struct transport *accepted;
};
void tcp_pair_open(struct tcp_pair *pair, struct loop *loop);

#endif
