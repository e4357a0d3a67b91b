#include "tests/unit/lib/net/socket_fakes.h"

#include "lib/base/check.h"

#include <unistd.h>

static void on_accept(void *owner, int fd, const struct address *local, const struct address *peer)
{
    struct accepting *accepting = owner;
    CHECK(accepting->count < FAKE_MOST_ACCEPTED);
    accepting->fds[accepting->count++] = fd;
    accepting->local = *local;
    accepting->peer = *peer;
}

static void on_exhausted(void *owner)
{
    ((struct accepting *)owner)->exhausted++;
}

static const struct acceptor_events events = {on_accept, on_exhausted};

void accepting_open(struct accepting *accepting, struct loop *loop, const char *at)
{
    struct acceptor_options options = {0};
    int error = 0;
    *accepting = (struct accepting){0};
    CHECK(address_parse(span_of(at), &options.at));
    accepting->acceptor = acceptor_open(loop, &options, &events, accepting, &error);
    CHECK(accepting->acceptor != NULL);
}

void accepting_close(struct accepting *accepting)
{
    for (int i = 0; i < accepting->count; i++) {
        if (accepting->fds[i] >= 0) {
            close(accepting->fds[i]);
        }
    }
    acceptor_close(accepting->acceptor);
}

struct opening {
    struct accepting accepting;
    struct transport *dialled;
};

static bool is_open(void *owner)
{
    struct opening *opening = owner;
    return opening->dialled->is_ready && opening->accepting.count == 1;
}

void tcp_pair_open(struct tcp_pair *pair, struct loop *loop)
{
    static struct opening opening;
    accepting_open(&opening.accepting, loop, "127.0.0.1:0");
    struct tcp_connect connect = {.to = *acceptor_address(opening.accepting.acceptor),
                                  .timeout_ms = 5000};
    opening.dialled = tcp_connect(loop, &connect);
    CHECK(loop_run_until(loop, is_open, &opening, 5000));
    *pair = (struct tcp_pair){.loop = loop, .dialled = opening.dialled};
    pair->accepted = tcp_adopt(loop, opening.accepting.fds[0], NULL, NULL);
    opening.accepting.fds[0] = -1;
    accepting_close(&opening.accepting);
}
