#ifndef REMORA_NET_PIPE_POOL_H
#define REMORA_NET_PIPE_POOL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Pipes for splice(2), kept per thread: making one costs two descriptors and three system calls. A
 * relay holds one only while bytes are in it, so that idle tunnels share what is here.
 */
enum { PIPE_BYTES = 262144 };

struct pipe_ends {
    int read_end;
    int write_end;
};

/* An empty non-blocking pipe. False when the system gives none of PIPE_BYTES: then copy. */
bool pipe_pool_take(struct pipe_ends *ret_pipe);
/* is_empty: nothing is in it, so that another may use it; else it is closed. */
void pipe_pool_give(struct pipe_ends pipe, bool is_empty);
/* Closes what this thread keeps. */
void pipe_pool_clear(void);
size_t pipe_pool_count(void);

#endif
