#include "lib/net/acceptor.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/net/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

enum { DEFAULT_BACKLOG = 4096 };
#define REST_NS (100 * NS_PER_MS)

struct acceptor {
    struct loop *loop;
    struct watch watch;
    struct timer rest;
    struct turn_task free_task;
    const struct acceptor_events *events;
    void *owner;
    struct address at;
    int fd;    /* -1 = closed */
    int spare; /* a descriptor to give up when none are left; -1 = lost */
    bool paused;
};

static void rearm(struct acceptor *acceptor)
{
    bool take = acceptor->fd >= 0 && !acceptor->paused && !timer_running(&acceptor->rest);
    watch_want(&acceptor->watch, take ? WATCH_READ : 0);
}

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_rested(struct timer *timer)
{
    struct acceptor *acceptor = CONTAINER_OF(timer, struct acceptor, rest);
    if (acceptor->spare < 0) {
        acceptor->spare = open_spare();
    }
    rearm(acceptor);
}

/*
 * Without descriptors the connection would stay in the backlog and keep the socket readable for
 * ever. The spare one is used to take it and close it, so that the client is told now.
 */
static void refuse_one(struct acceptor *acceptor)
{
    if (acceptor->spare >= 0) {
        close(acceptor->spare);
        int fd = accept4(acceptor->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            close(fd);
        }
        acceptor->spare = open_spare();
    }
    timer_start(&acceptor->rest, REST_NS);
    rearm(acceptor);
    if (acceptor->events->on_exhausted != NULL) {
        acceptor->events->on_exhausted(acceptor->owner);
    }
}

static void ask_local(int fd, struct address *ret)
{
    struct sockaddr_storage storage;
    socklen_t length = sizeof(storage);
    if (getsockname(fd, (struct sockaddr *)&storage, &length) == 0) {
        address_from_sockaddr((struct sockaddr *)&storage, ret);
    }
}

/* False when there is nothing more to take now. */
static bool take_one(struct acceptor *acceptor)
{
    struct sockaddr_storage storage;
    socklen_t length = sizeof(storage);
    int fd =
        accept4(acceptor->fd, (struct sockaddr *)&storage, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        switch (errno) {
        case EAGAIN:
            return false;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            refuse_one(acceptor);
            return false;
        default:
            /* accept(2): errors of the connection that was to be taken; the next may be well. */
            return true;
        }
    }
    struct address local = {0};
    struct address peer = {0};
    address_from_sockaddr((struct sockaddr *)&storage, &peer);
    ask_local(fd, &local);
    acceptor->events->on_accept(acceptor->owner, fd, &local, &peer);
    return true;
}

static void on_ready(struct watch *watch, unsigned events)
{
    struct acceptor *acceptor = CONTAINER_OF(watch, struct acceptor, watch);
    for (int i = 0; i < ACCEPTS_PER_TURN && acceptor->fd >= 0 && !acceptor->paused; i++) {
        if (!take_one(acceptor)) {
            break;
        }
    }
}

static void run_free(struct turn_task *task)
{
    mem_free(CONTAINER_OF(task, struct acceptor, free_task));
}

struct acceptor *acceptor_adopt(struct loop *loop, int fd, const struct acceptor_events *events,
                                void *owner)
{
    struct acceptor *acceptor = NEW(struct acceptor);
    acceptor->loop = loop;
    acceptor->events = events;
    acceptor->owner = owner;
    acceptor->fd = fd;
    acceptor->spare = open_spare();
    acceptor->free_task.run = run_free;
    int flags = fcntl(fd, F_GETFL);
    (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    /* Accepted sockets get these from the listener. */
    tcp_set_options(fd);
    ask_local(fd, &acceptor->at);
    watch_init(&acceptor->watch, loop, fd, on_ready);
    timer_init(&acceptor->rest, loop, on_rested);
    rearm(acceptor);
    return acceptor;
}

static void set_flag(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* 0 or the error. */
static int listen_at(int fd, const struct acceptor_options *options, bool v6)
{
    set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (options->reuse_port) {
        set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (v6) {
        set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->v6_only);
    }
    struct sockaddr_storage storage;
    socklen_t length = address_to_sockaddr(&options->at, false, &storage);
    if (bind(fd, (struct sockaddr *)&storage, length) != 0 ||
        listen(fd, options->backlog > 0 ? options->backlog : DEFAULT_BACKLOG) != 0) {
        return errno;
    }
    return 0;
}

struct acceptor *acceptor_open(struct loop *loop, const struct acceptor_options *options,
                               const struct acceptor_events *events, void *owner, int *ret_errno)
{
    bool v6 = options->at.family == 6;
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 && errno == EAFNOSUPPORT && v6 && address_is_wildcard(&options->at) &&
        !options->v6_only) {
        /* A system without IPv6: the wildcard still means every address that there is. */
        struct acceptor_options v4 = *options;
        v4.at = (struct address){.family = 4, .port = options->at.port};
        return acceptor_open(loop, &v4, events, owner, ret_errno);
    }
    int error = fd < 0 ? errno : listen_at(fd, options, v6);
    if (error != 0) {
        if (fd >= 0) {
            close(fd);
        }
        *ret_errno = error;
        return NULL;
    }
    return acceptor_adopt(loop, fd, events, owner);
}

const struct address *acceptor_address(const struct acceptor *acceptor)
{
    return &acceptor->at;
}

void acceptor_pause(struct acceptor *acceptor)
{
    acceptor->paused = true;
    rearm(acceptor);
}

void acceptor_resume(struct acceptor *acceptor)
{
    acceptor->paused = false;
    rearm(acceptor);
}

void acceptor_close(struct acceptor *acceptor)
{
    if (acceptor == NULL) {
        return;
    }
    watch_stop(&acceptor->watch);
    timer_stop(&acceptor->rest);
    close(acceptor->fd);
    acceptor->fd = -1;
    if (acceptor->spare >= 0) {
        close(acceptor->spare);
    }
    loop_free_later(acceptor->loop, &acceptor->free_task);
}
