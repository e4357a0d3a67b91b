#include "bench/load/crowd.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OPEN_SECONDS = 5, RECONNECTS = 1000, EVENTS = 256, READ_BYTES = 65536 };

static void push_idle(struct crowd *crowd, struct caller *caller)
{
    size_t at = (crowd->idle_head + crowd->idle_count) % crowd->plan->connections;
    caller->state = CALLER_IDLE;
    crowd->idle[at] = caller;
    crowd->idle_count++;
}

static struct caller *pop_idle(struct crowd *crowd)
{
    CHECK(crowd->idle_count > 0);
    struct caller *caller = crowd->idle[crowd->idle_head];
    crowd->idle_head = (crowd->idle_head + 1) % crowd->plan->connections;
    crowd->idle_count--;
    return caller;
}

/* A caller that broke while idle leaves the ring from its middle. */
static void remove_idle(struct crowd *crowd, const struct caller *caller)
{
    for (size_t left = crowd->idle_count; left > 0; left--) {
        struct caller *next = pop_idle(crowd);
        if (next != caller) {
            push_idle(crowd, next);
        }
    }
}

static bool start_connect(struct crowd *crowd, struct caller *caller)
{
    const struct sockaddr_in *to = &crowd->plan->target;
    int one = 1;
    caller->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (caller->fd < 0) {
        return false;
    }
    setsockopt(caller->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(caller->fd, (const struct sockaddr *)to, sizeof(*to)) < 0 && errno != EINPROGRESS) {
        return false;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = caller};
    caller->state = CALLER_CONNECTING;
    crowd->connecting++;
    return epoll_ctl(crowd->epoll_fd, EPOLL_CTL_ADD, caller->fd, &event) == 0;
}

static void reconnect(struct crowd *crowd, struct caller *caller)
{
    close(caller->fd);
    caller->fd = -1;
    crowd->reconnects++;
    if (crowd->reconnects > RECONNECTS || !start_connect(crowd, caller)) {
        crowd->gave_up = true;
    }
}

static void fail(struct crowd *crowd, struct caller *caller)
{
    bool waiting = caller->state == CALLER_WAITING;
    if (caller->state == CALLER_IDLE) {
        remove_idle(crowd, caller);
    } else if (caller->state == CALLER_CONNECTING) {
        crowd->connecting--;
    }
    reconnect(crowd, caller);
    if (waiting) {
        crowd->answered(crowd->owner, caller->due_ns, false);
    }
}

void crowd_send(struct crowd *crowd, int64_t due_ns)
{
    struct caller *caller = pop_idle(crowd);
    struct text *request = &crowd->request.bytes;
    if (crowd->plan->vary_ids) {
        request_text_number(&crowd->request, crowd->sent);
    }
    caller->state = CALLER_WAITING;
    caller->due_ns = due_ns;
    reply_init(&caller->reply);
    crowd->sent++;
    /* A request of some hundred bytes always fits into the buffer of an idle connection. */
    ssize_t put = send(caller->fd, request->bytes, request->length, MSG_NOSIGNAL);
    if (put != (ssize_t)request->length) {
        fail(crowd, caller);
    }
}

static void connected(struct crowd *crowd, struct caller *caller)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = caller};
    epoll_ctl(crowd->epoll_fd, EPOLL_CTL_MOD, caller->fd, &event);
    crowd->connecting--;
    push_idle(crowd, caller);
}

static void receive(struct crowd *crowd, struct caller *caller)
{
    static char bytes[READ_BYTES];
    ssize_t got = recv(caller->fd, bytes, sizeof(bytes), 0);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0 || caller->state != CALLER_WAITING) {
        fail(crowd, caller);
        return;
    }
    enum reply_state state =
        reply_feed(&caller->reply, span_make(bytes, (size_t)got), crowd->plan->body_bytes);
    if (state == REPLY_BAD) {
        fail(crowd, caller);
    } else if (state == REPLY_DONE) {
        push_idle(crowd, caller);
        crowd->answered(crowd->owner, caller->due_ns, true);
    }
}

void crowd_wait(struct crowd *crowd, int64_t timeout_ns)
{
    struct epoll_event events[EVENTS];
    if (timeout_ns < 0) {
        timeout_ns = 0;
    }
    struct timespec timeout = {.tv_sec = timeout_ns / NS_PER_S, .tv_nsec = timeout_ns % NS_PER_S};
    int count = epoll_pwait2(crowd->epoll_fd, events, EVENTS, &timeout, NULL);
    for (int i = 0; i < count && !crowd->gave_up; i++) {
        struct caller *caller = events[i].data.ptr;
        if (caller->state != CALLER_CONNECTING) {
            receive(crowd, caller);
        } else if ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0) {
            fail(crowd, caller);
        } else {
            connected(crowd, caller);
        }
    }
}

bool crowd_open(struct crowd *crowd, const struct load_plan *plan, crowd_answered *answered,
                void *owner)
{
    memset(crowd, 0, sizeof(*crowd));
    crowd->plan = plan;
    crowd->answered = answered;
    crowd->owner = owner;
    crowd->callers = mem_array(plan->connections, sizeof(struct caller));
    crowd->idle = mem_array(plan->connections, sizeof(struct caller *));
    crowd->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    CHECK(crowd->epoll_fd >= 0);
    request_text_init(&crowd->request, plan->host, plan->path);
    for (uint32_t i = 0; i < plan->connections; i++) {
        crowd->callers[i].fd = -1;
    }
    for (uint32_t i = 0; i < plan->connections; i++) {
        if (!start_connect(crowd, &crowd->callers[i])) {
            return false;
        }
    }
    int64_t end = clock_now_ns() + OPEN_SECONDS * NS_PER_S;
    while (crowd->connecting > 0 && !crowd->gave_up && clock_now_ns() < end) {
        crowd_wait(crowd, 100 * NS_PER_MS);
    }
    return crowd->connecting == 0 && !crowd->gave_up;
}

void crowd_done(struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->plan->connections; i++) {
        if (crowd->callers[i].fd >= 0) {
            close(crowd->callers[i].fd);
        }
    }
    close(crowd->epoll_fd);
    mem_free(crowd->callers);
    mem_free(crowd->idle);
    request_text_done(&crowd->request);
}
