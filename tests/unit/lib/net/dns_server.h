#ifndef REMORA_TESTS_UNIT_LIB_NET_DNS_SERVER_H
#define REMORA_TESTS_UNIT_LIB_NET_DNS_SERVER_H

#include "lib/net/loop.h"

#include <netinet/in.h>

/*
 * A DNS server on a UDP port of loopback, with the faults of servers and the tricks of attackers.
 * The first label of the name that is asked says what it does; see dns_server.c.
 */
struct dns_server {
    struct watch watch;
    int fd;
    uint16_t port;
    int questions;
    /* The last question, for dns_server_answer_late. */
    unsigned char question[512];
    size_t question_length;
    struct sockaddr_in client;
};

void dns_server_open(struct dns_server *server, struct loop *loop);
void dns_server_close(struct dns_server *server);
/* Answers the last question again, now. */
void dns_server_answer_late(struct dns_server *server);

#endif
