#ifndef REMORA_PROXY_REDIRECT_PROBE_H
#define REMORA_PROXY_REDIRECT_PROBE_H

#include "lib/net/address.h"

#include <sys/types.h>

/*
 * One connection, made by a child process as another user, because the rules look at the user that
 * made the socket. The child ends by itself when its time is over; the parent only reads a pipe.
 */
struct probe_wish {
    uint32_t uid;
    uint32_t gid;
    struct address to;
    struct address from; /* family 0 = any */
    int64_t timeout_ms;
    bool reads_line; /* wait for a line from the other end, not only for the connection */
};

enum { PROBE_LINE_BYTES = 192 };

enum probe_step { PROBE_BECOME, PROBE_BIND, PROBE_CONNECT, PROBE_READ, PROBE_DONE };

struct probe_outcome {
    enum probe_step failed_at;   /* PROBE_DONE: nothing failed */
    int error;                   /* errno of that step; ETIMEDOUT when time was over */
    char line[PROBE_LINE_BYTES]; /* without its newline; "" = none came */
};

struct probe {
    pid_t child; /* 0 = not running */
    int result;  /* to be polled for reading until probe_collect; -1 = none */
    bool is_done;
    struct probe_outcome outcome; /* when is_done */
};

/* False and errno when no child can be made. */
bool probe_start(struct probe *probe, const struct probe_wish *wish);
/* Reads what the child has to say; call when the result is readable. */
void probe_collect(struct probe *probe);
/* Ends the child when it is still there, and reaps it. Takes a probe that is all zero. */
void probe_stop(struct probe *probe);

#endif
