#ifndef REMORA_TESTS_UNIT_BENCH_LOAD_SERVER_H
#define REMORA_TESTS_UNIT_BENCH_LOAD_SERVER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * An HTTP/1.1 server in a child process on loopback, single-threaded, that answers 200 with
 * body_bytes and misbehaves at one request of all, counted from 1 (0 = never).
 */
struct load_server_faults {
    uint32_t body_bytes;
    uint32_t stall_at; /* sleeps stall_ms before it answers, and so stalls everybody */
    uint32_t stall_ms;
    uint32_t refuse_at; /* answers 503 */
    uint32_t close_at;  /* closes instead of answering */
    uint32_t silent_at; /* never answers, and keeps the connection */
    uint32_t pieces;    /* answers byte by byte */
};

struct load_server {
    pid_t pid;
    struct sockaddr_in address;
};

void load_server_start(struct load_server *server, const struct load_server_faults *faults);
void load_server_stop(struct load_server *server);

#endif
