#include "lib/net/tcp.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

_Static_assert((int)WATCH_READ == (int)TRANSPORT_READABLE, "events pass through");
_Static_assert((int)WATCH_WRITE == (int)TRANSPORT_WRITABLE, "events pass through");

enum {
    USER_TIMEOUT_MS = 10000, /* unacknowledged bytes: the peer is gone */
    KEEP_IDLE_S = 30,        /* silence: ask three times, five seconds apart */
    KEEP_INTERVAL_S = 5,
    KEEP_PROBES = 3,
};
#define LINGER_NS (5 * NS_PER_S)
/* What a peer may still send during a graceful close, thrown away without a copy. */
enum { DISCARD_BYTES = 1 << 20 };

enum tcp_state { TCP_STATE_CONNECTING, TCP_STATE_OPEN, TCP_STATE_FAILED, TCP_STATE_LINGERING };

struct tcp {
    struct transport transport;
    struct watch watch;
    struct timer timer;          /* the connect's deadline, then the linger's */
    struct turn_task ready_task; /* tells what no descriptor tells */
    struct turn_task free_task;
    struct turn_task destroy_task; /* while lingering */
    uint64_t drained_turn;         /* the turn in which a read gave less than asked */
    int fd;
    enum tcp_state state;
    bool dialled;
    bool shut; /* no more writes: told, or to be told when connected */
    bool at_end;
    bool write_failed;
};

static const struct transport_ops tcp_ops;

static struct tcp *tcp_of(struct transport *transport)
{
    return CONTAINER_OF(transport, struct tcp, transport);
}

static void set_option(int fd, int level, int name, int value)
{
    /* An option that the kernel does not know, or that a test's socket pair has not, is no failure.
     */
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

void tcp_set_options(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_PROBES);
}

static void run_free(struct turn_task *task)
{
    struct tcp *tcp = CONTAINER_OF(task, struct tcp, free_task);
    transport_done(&tcp->transport);
    mem_free(tcp);
}

/* The descriptor goes at once, the memory after the turn. */
static void dispose(struct tcp *tcp)
{
    watch_stop(&tcp->watch);
    timer_stop(&tcp->timer);
    turn_task_cancel(&tcp->ready_task);
    turn_task_cancel(&tcp->destroy_task);
    if (tcp->fd >= 0) {
        close(tcp->fd);
        tcp->fd = -1;
    }
    loop_free_later(tcp->transport.loop, &tcp->free_task);
}

static void run_destroy(struct turn_task *task)
{
    dispose(CONTAINER_OF(task, struct tcp, destroy_task));
}

static void fail_all(struct tcp *tcp, enum failure failure, const char *detail)
{
    transport_fail(&tcp->transport, failure, detail);
    tcp->state = TCP_STATE_FAILED;
    timer_stop(&tcp->timer);
    watch_stop(&tcp->watch);
    loop_ready_later(tcp->transport.loop, &tcp->ready_task);
}

static void fail_connect(struct tcp *tcp, int error)
{
    enum failure failure = FAILURE_CONNECT_FAILED;
    switch (error) {
    case ECONNREFUSED:
        failure = FAILURE_CONNECT_REFUSED;
        break;
    case ETIMEDOUT:
        failure = FAILURE_CONNECT_TIMEOUT;
        break;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
        failure = FAILURE_CONNECT_UNREACHABLE;
        break;
    case EMFILE:
    case ENFILE:
        failure = FAILURE_OVERLOAD;
        break;
    default:
        break;
    }
    fail_all(tcp, failure, strerrordesc_np(error));
}

static enum failure established_failure(const struct tcp *tcp, int error)
{
    if (error == ECONNRESET || error == EPIPE) {
        return tcp->dialled ? FAILURE_UPSTREAM_RESET : FAILURE_DOWNSTREAM_RESET;
    }
    return tcp->dialled ? FAILURE_UPSTREAM_CLOSED : FAILURE_DOWNSTREAM_CLOSED;
}

static void ask_address(int fd, int (*ask)(int, struct sockaddr *, socklen_t *),
                        struct address *into)
{
    struct sockaddr_storage storage;
    socklen_t length = sizeof(storage);
    if (ask(fd, (struct sockaddr *)&storage, &length) == 0) {
        address_from_sockaddr((struct sockaddr *)&storage, into);
    }
}

static void connected(struct tcp *tcp)
{
    tcp->state = TCP_STATE_OPEN;
    timer_stop(&tcp->timer);
    ask_address(tcp->fd, getsockname, &tcp->transport.local);
    watch_want(&tcp->watch, tcp->transport.wanted);
    if (tcp->shut) {
        shutdown(tcp->fd, SHUT_WR);
    }
    transport_notify(&tcp->transport, TRANSPORT_READY | TRANSPORT_WRITABLE);
}

static void on_connect_done(struct tcp *tcp)
{
    int error = 0;
    socklen_t length = sizeof(error);
    if (getsockopt(tcp->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
        error = errno;
    }
    if (error != 0) {
        fail_connect(tcp, error);
    } else {
        connected(tcp);
    }
}

static void linger_on(struct tcp *tcp)
{
    for (;;) {
        ssize_t got = recv(tcp->fd, NULL, DISCARD_BYTES, MSG_TRUNC);
        if (got == DISCARD_BYTES || (got < 0 && errno == EINTR)) {
            continue;
        }
        if (got > 0 || (got < 0 && errno == EAGAIN)) {
            return;
        }
        break;
    }
    dispose(tcp);
}

static void on_watch(struct watch *watch, unsigned events)
{
    struct tcp *tcp = CONTAINER_OF(watch, struct tcp, watch);
    switch (tcp->state) {
    case TCP_STATE_CONNECTING:
        on_connect_done(tcp);
        break;
    case TCP_STATE_LINGERING:
        linger_on(tcp);
        break;
    default:
        transport_notify(&tcp->transport, events);
    }
}

/* A failure stays readable and writable; a connect that was done at once becomes READY. */
static void run_ready(struct turn_task *task)
{
    struct tcp *tcp = CONTAINER_OF(task, struct tcp, ready_task);
    if (tcp->state == TCP_STATE_CONNECTING) {
        connected(tcp);
        return;
    }
    if (tcp->transport.wanted != 0) {
        loop_ready_later(tcp->transport.loop, task);
        transport_notify(&tcp->transport, TRANSPORT_READABLE | TRANSPORT_WRITABLE);
    }
}

static void on_timer(struct timer *timer)
{
    struct tcp *tcp = CONTAINER_OF(timer, struct tcp, timer);
    if (tcp->state == TCP_STATE_LINGERING) {
        dispose(tcp);
    } else {
        fail_connect(tcp, ETIMEDOUT);
    }
}

static struct tcp *make(struct loop *loop, int fd)
{
    struct tcp *tcp = NEW(struct tcp);
    transport_init(&tcp->transport, &tcp_ops, loop);
    tcp->fd = fd;
    tcp->ready_task.run = run_ready;
    tcp->free_task.run = run_free;
    tcp->destroy_task.run = run_destroy;
    watch_init(&tcp->watch, loop, fd, on_watch);
    timer_init(&tcp->timer, loop, on_timer);
    return tcp;
}

static int bind_from(int fd, const struct address *from)
{
    struct sockaddr_storage storage;
    socklen_t length = address_to_sockaddr(from, false, &storage);
    if (from->port == 0) {
        /* The port is chosen at connect, when the whole four-tuple counts: no 28 000 limit. */
        set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    } else {
        set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    }
    return bind(fd, (struct sockaddr *)&storage, length);
}

/* 0 = connected at once, EINPROGRESS, or what went wrong. */
static int begin_connect(int fd, const struct tcp_connect *how)
{
    tcp_set_options(fd);
    if (how->from.family != 0 && bind_from(fd, &how->from) != 0) {
        return errno;
    }
    struct sockaddr_storage storage;
    socklen_t length = address_to_sockaddr(&how->to, false, &storage);
    return connect(fd, (struct sockaddr *)&storage, length) == 0 ? 0 : errno;
}

/* The kernel gives the lowest number that is free: a high one says how many are taken. */
static int open_socket(const struct tcp_connect *how)
{
    int family = how->to.family == 6 ? AF_INET6 : AF_INET;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && how->descriptors > 0 && fd >= how->descriptors) {
        close(fd);
        errno = EMFILE;
        return -1;
    }
    return fd;
}

struct transport *tcp_connect(struct loop *loop, const struct tcp_connect *how)
{
    CHECK(how->timeout_ms > 0);
    int fd = open_socket(how);
    int error = fd < 0 ? errno : begin_connect(fd, how);
    struct tcp *tcp = make(loop, fd);
    tcp->dialled = true;
    tcp->state = TCP_STATE_CONNECTING;
    tcp->transport.peer = how->to;
    if (error == 0) {
        loop_ready_later(loop, &tcp->ready_task);
    } else if (error == EINPROGRESS || error == EINTR) {
        watch_want(&tcp->watch, WATCH_WRITE);
        timer_start(&tcp->timer, how->timeout_ms * NS_PER_MS);
    } else {
        fail_connect(tcp, error);
    }
    return &tcp->transport;
}

struct transport *tcp_adopt(struct loop *loop, int fd, const struct address *local,
                            const struct address *peer)
{
    struct tcp *tcp = make(loop, fd);
    tcp->state = TCP_STATE_OPEN;
    tcp->transport.is_ready = true;
    if (local != NULL) {
        tcp->transport.local = *local;
    } else {
        ask_address(fd, getsockname, &tcp->transport.local);
    }
    if (peer != NULL) {
        tcp->transport.peer = *peer;
    } else {
        ask_address(fd, getpeername, &tcp->transport.peer);
    }
    return &tcp->transport;
}

/* True when this turn's readiness has been used up: another read would only fetch EAGAIN. */
static bool is_drained(const struct tcp *tcp)
{
    const struct loop *loop = tcp->transport.loop;
    return loop_in_turn(loop) && tcp->drained_turn == loop_turns(loop);
}

static ssize_t read_result(struct tcp *tcp, ssize_t got, int error)
{
    if (got > 0) {
        return got;
    }
    if (got < 0 && error == EAGAIN) {
        tcp->drained_turn = loop_turns(tcp->transport.loop);
        return TRANSPORT_AGAIN;
    }
    if (got == 0 && !tcp->write_failed) {
        tcp->at_end = true;
        return TRANSPORT_END;
    }
    /* The write's failure may have taken the error away, and left what looks like a clean end. */
    fail_all(tcp, established_failure(tcp, got == 0 ? ECONNRESET : error),
             strerrordesc_np(got == 0 ? ECONNRESET : error));
    return TRANSPORT_FAILED;
}

static bool may_read(const struct tcp *tcp, ssize_t *ret_instead)
{
    if (tcp->state == TCP_STATE_FAILED) {
        *ret_instead = TRANSPORT_FAILED;
        return false;
    }
    if (tcp->at_end) {
        *ret_instead = TRANSPORT_END;
        return false;
    }
    if (tcp->state == TCP_STATE_CONNECTING || is_drained(tcp)) {
        *ret_instead = TRANSPORT_AGAIN;
        return false;
    }
    return true;
}

static ssize_t tcp_read(struct transport *transport, void *into, size_t room)
{
    struct tcp *tcp = tcp_of(transport);
    ssize_t got;
    if (!may_read(tcp, &got)) {
        return got;
    }
    do {
        got = recv(tcp->fd, into, room, 0);
    } while (got < 0 && errno == EINTR);
    if (got > 0 && (size_t)got < room) {
        tcp->drained_turn = loop_turns(transport->loop);
    }
    return read_result(tcp, got, errno);
}

static bool may_write(const struct tcp *tcp, ssize_t *ret_instead)
{
    if (tcp->state == TCP_STATE_FAILED || tcp->write_failed) {
        *ret_instead = TRANSPORT_FAILED;
        return false;
    }
    if (tcp->state == TCP_STATE_CONNECTING) {
        *ret_instead = 0;
        return false;
    }
    return true;
}

static ssize_t write_result(struct tcp *tcp, ssize_t sent, int error)
{
    if (sent >= 0) {
        return sent;
    }
    if (error == EAGAIN) {
        return 0;
    }
    /* Only this direction: the peer's last words may still be readable. */
    tcp->write_failed = true;
    return transport_fail(&tcp->transport, established_failure(tcp, error), strerrordesc_np(error));
}

static ssize_t tcp_write(struct transport *transport, const struct iovec *vectors, int count)
{
    struct tcp *tcp = tcp_of(transport);
    ssize_t sent;
    if (!may_write(tcp, &sent)) {
        return sent;
    }
    struct msghdr message = {
        .msg_iov = (struct iovec *)(uintptr_t)vectors,
        .msg_iovlen = (size_t)(count < IOV_MAX ? count : IOV_MAX),
    };
    do {
        sent = sendmsg(tcp->fd, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return write_result(tcp, sent, errno);
}

ssize_t tcp_splice_in(struct transport *from, int pipe_end, size_t limit)
{
    struct tcp *tcp = tcp_of(from);
    CHECK(from->unread.length == 0);
    ssize_t got;
    if (!may_read(tcp, &got)) {
        return got;
    }
    do {
        got = splice(tcp->fd, NULL, pipe_end, NULL, limit, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN) {
        /* The pipe may be what is full: this says nothing about the socket. */
        return TRANSPORT_AGAIN;
    }
    return read_result(tcp, got, errno);
}

ssize_t tcp_splice_out(struct transport *to, int pipe_end, size_t limit)
{
    struct tcp *tcp = tcp_of(to);
    ssize_t sent;
    if (!may_write(tcp, &sent)) {
        return sent;
    }
    do {
        sent = splice(pipe_end, NULL, tcp->fd, NULL, limit, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    } while (sent < 0 && errno == EINTR);
    return write_result(tcp, sent, errno);
}

static void tcp_shutdown(struct transport *transport)
{
    struct tcp *tcp = tcp_of(transport);
    if (!tcp->shut && tcp->state == TCP_STATE_OPEN) {
        shutdown(tcp->fd, SHUT_WR);
    }
    tcp->shut = true;
}

static void tcp_want(struct transport *transport, unsigned events)
{
    struct tcp *tcp = tcp_of(transport);
    if (tcp->state == TCP_STATE_OPEN) {
        watch_want(&tcp->watch, events);
    } else if (tcp->state == TCP_STATE_FAILED && events != 0) {
        loop_ready_later(transport->loop, &tcp->ready_task);
    }
}

/* True when a close(2) now can take nothing from the peer. */
static bool is_settled(const struct tcp *tcp)
{
    int unacknowledged = 0;
    int unread = 0;
    return ioctl(tcp->fd, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0 &&
           (tcp->at_end || (ioctl(tcp->fd, FIONREAD, &unread) == 0 && unread == 0));
}

static void tcp_close(struct transport *transport, bool graceful)
{
    struct tcp *tcp = tcp_of(transport);
    bool open = tcp->state == TCP_STATE_OPEN && !tcp->write_failed;
    if (open && graceful && !tcp->at_end && !is_settled(tcp)) {
        tcp->state = TCP_STATE_LINGERING;
        if (!tcp->shut) {
            shutdown(tcp->fd, SHUT_WR);
        }
        timer_start(&tcp->timer, LINGER_NS);
        watch_want(&tcp->watch, WATCH_READ);
        loop_at_destroy(transport->loop, &tcp->destroy_task);
        return;
    }
    if (tcp->fd >= 0 && !graceful) {
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(tcp->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    }
    dispose(tcp);
}

static size_t tcp_unsent(const struct transport *transport)
{
    return 0;
}

static const struct transport_ops tcp_ops = {
    .name = "tcp",
    .read = tcp_read,
    .write = tcp_write,
    .shutdown = tcp_shutdown,
    .want = tcp_want,
    .close = tcp_close,
    .unsent = tcp_unsent,
};

int tcp_descriptor(const struct transport *transport)
{
    if (transport->ops != &tcp_ops) {
        return -1;
    }
    return CONTAINER_OF(transport, const struct tcp, transport)->fd;
}

uint32_t tcp_rtt_us(const struct transport *transport)
{
    struct tcp_info facts = {0};
    socklen_t length = sizeof(facts);
    int fd = tcp_descriptor(transport);
    if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &facts, &length) != 0) {
        return 0;
    }
    return facts.tcpi_rtt;
}
