/*
 * remora-floor LISTEN_PORT IP:PORT: relays bytes between loopback and IP:PORT and looks at none of
 * them. What a proxy in this place costs at least: per request and answer two recv and two send,
 * and the wake-ups. One thread, level-triggered epoll, EPOLLIN armed all the time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, RELAY_BYTES = 65536, BACKLOG = 4096 };

struct side {
    int fd; /* -1 = closed */
    struct side *other;
    char *kept; /* what this side would not take yet */
    size_t kept_length;
    bool waits_for_room;
    struct side *next_dead;
};

struct pair {
    struct side sides[2]; /* first member: freeing sides[0] frees the pair */
};

static int epoll_fd;
static struct side *dead;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void arm(struct side *side, int operation)
{
    bool full = side->other->kept_length > 0; /* what we would read has no place to go */
    struct epoll_event event = {.data.ptr = side};
    event.events =
        (full ? 0U : (unsigned)EPOLLIN) | (side->waits_for_room ? (unsigned)EPOLLOUT : 0U);
    epoll_ctl(epoll_fd, operation, side->fd, &event);
}

/* Freed after the turn: events of the other side may still be in the batch. */
static void close_pair(struct side *side)
{
    if (side->fd < 0) {
        return;
    }
    close(side->fd);
    close(side->other->fd);
    side->fd = side->other->fd = -1;
    side->next_dead = dead;
    dead = side;
}

static void free_dead(void)
{
    while (dead != NULL) {
        struct side *side = dead;
        struct side *first = side < side->other ? side : side->other;
        dead = side->next_dead;
        free(first->kept);
        free(first->other->kept);
        free(first);
    }
}

static void keep(struct side *to, const char *bytes, size_t length)
{
    to->kept = malloc(length);
    if (to->kept == NULL) {
        die("malloc");
    }
    memcpy(to->kept, bytes, length);
    to->kept_length = length;
    to->waits_for_room = true;
    arm(to, EPOLL_CTL_MOD);
    arm(to->other, EPOLL_CTL_MOD);
}

static void push(struct side *to, const char *bytes, size_t length)
{
    ssize_t put = send(to->fd, bytes, length, MSG_NOSIGNAL);
    if (put < 0 && errno != EAGAIN) {
        close_pair(to);
        return;
    }
    size_t done = put > 0 ? (size_t)put : 0;
    if (done < length) {
        keep(to, bytes + done, length - done);
    }
}

static void room(struct side *side)
{
    char *kept = side->kept;
    size_t length = side->kept_length;
    side->kept = NULL;
    side->kept_length = 0;
    side->waits_for_room = false;
    push(side, kept, length);
    free(kept);
    if (side->fd >= 0 && !side->waits_for_room) {
        arm(side, EPOLL_CTL_MOD);
        arm(side->other, EPOLL_CTL_MOD);
    }
}

static void readable(struct side *side)
{
    static char bytes[RELAY_BYTES];
    if (side->other->kept_length > 0) {
        /* Not asked for: the connection broke while the other side was full. */
        close_pair(side);
        return;
    }
    ssize_t got = recv(side->fd, bytes, sizeof(bytes), 0);
    if (got > 0) {
        push(side->other, bytes, (size_t)got);
    } else if (got == 0 || errno != EAGAIN) {
        close_pair(side);
    }
}

static int open_socket(void)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        die("socket");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    return fd;
}

static void accept_one(int listener, const struct sockaddr_in *target)
{
    int one = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct pair *pair = calloc(1, sizeof(*pair));
    if (pair == NULL) {
        die("calloc");
    }
    struct side *down = &pair->sides[0];
    struct side *up = &pair->sides[1];
    *down = (struct side){.fd = fd, .other = up};
    *up = (struct side){.fd = open_socket(), .other = down};
    if (connect(up->fd, (const struct sockaddr *)target, sizeof(*target)) < 0 &&
        errno != EINPROGRESS) {
        close_pair(down);
        return;
    }
    arm(up, EPOLL_CTL_ADD);
    arm(down, EPOLL_CTL_ADD);
}

static bool read_target(char *text, struct sockaddr_in *ret)
{
    char *colon = strchr(text, ':');
    if (colon == NULL) {
        return false;
    }
    *colon = '\0';
    ret->sin_family = AF_INET;
    ret->sin_port = htons((uint16_t)atoi(colon + 1));
    return inet_pton(AF_INET, text, &ret->sin_addr) == 1 && ret->sin_port != 0;
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in here = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = open_socket();
    if (bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 || listen(fd, BACKLOG) < 0) {
        die("listen");
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    return fd;
}

static void turn(int listener, const struct sockaddr_in *target)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll_fd, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
        struct side *side = events[i].data.ptr;
        if (side == NULL) {
            accept_one(listener, target);
            continue;
        }
        if (side->fd >= 0 && (events[i].events & EPOLLOUT) != 0 && side->waits_for_room) {
            room(side);
        }
        if (side->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
            readable(side);
        }
    }
    free_dead();
}

int main(int argc, char **argv)
{
    struct sockaddr_in target = {0};
    if (argc != 3 || atoi(argv[1]) <= 0 || !read_target(argv[2], &target)) {
        fputs("Usage: remora-floor LISTEN_PORT IP:PORT\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on((uint16_t)atoi(argv[1]));
    for (;;) {
        turn(listener, &target);
    }
}
