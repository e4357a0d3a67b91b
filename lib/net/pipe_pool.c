#include "lib/net/pipe_pool.h"

#include <fcntl.h>
#include <unistd.h>

/* Few are in use at one time: a pipe is held from one turn to another only when the reader is slow.
 */
enum { KEEP_PIPES = 16 };

static _Thread_local struct pipe_ends kept[KEEP_PIPES];
static _Thread_local size_t count;

static void close_both(struct pipe_ends pipe)
{
    close(pipe.read_end);
    close(pipe.write_end);
}

bool pipe_pool_take(struct pipe_ends *ret_pipe)
{
    if (count > 0) {
        *ret_pipe = kept[--count];
        return true;
    }
    int fds[2];
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) {
        return false;
    }
    struct pipe_ends pipe = {fds[0], fds[1]};
    /* Refused beyond the user's share of pipe memory (pipe-user-pages-soft). */
    if (fcntl(pipe.write_end, F_SETPIPE_SZ, PIPE_BYTES) < PIPE_BYTES) {
        close_both(pipe);
        return false;
    }
    *ret_pipe = pipe;
    return true;
}

void pipe_pool_give(struct pipe_ends pipe, bool is_empty)
{
    if (is_empty && count < KEEP_PIPES) {
        kept[count++] = pipe;
    } else {
        close_both(pipe);
    }
}

void pipe_pool_clear(void)
{
    while (count > 0) {
        close_both(kept[--count]);
    }
}

size_t pipe_pool_count(void)
{
    return count;
}
