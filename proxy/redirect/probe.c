#include "proxy/redirect/probe.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool become(uint32_t uid, uint32_t gid)
{
    if (geteuid() == uid && getegid() == gid) {
        return true;
    }
    return setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 &&
           setresuid(uid, uid, uid) == 0;
}

static bool wait_for(int fd, short events, int64_t deadline_ns)
{
    struct pollfd poller = {.fd = fd, .events = events};
    for (;;) {
        int64_t left_ms = (deadline_ns - clock_now_ns() + NS_PER_MS - 1) / NS_PER_MS;
        int ready = left_ms > 0 ? poll(&poller, 1, (int)left_ms) : 0;
        if (ready > 0) {
            return true;
        }
        if (ready == 0 || errno != EINTR) {
            errno = ready == 0 ? ETIMEDOUT : errno;
            return false;
        }
    }
}

static bool connect_by(int fd, const struct address *to, int64_t deadline_ns)
{
    struct sockaddr_storage storage;
    socklen_t length = address_to_sockaddr(to, false, &storage);
    if (connect(fd, (struct sockaddr *)&storage, length) == 0) {
        return true;
    }
    if (errno != EINPROGRESS || !wait_for(fd, POLLOUT, deadline_ns)) {
        return false;
    }
    int error = 0;
    socklen_t error_bytes = sizeof(error);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes);
    errno = error;
    return error == 0;
}

static bool bind_from(int fd, const struct address *from)
{
    struct sockaddr_storage storage;
    socklen_t length = address_to_sockaddr(from, false, &storage);
    return bind(fd, (struct sockaddr *)&storage, length) == 0;
}

/* Until the newline, the end, or a full line. */
static bool read_line(int fd, int64_t deadline_ns, char *line)
{
    size_t length = 0;
    while (length < PROBE_LINE_BYTES - 1) {
        if (!wait_for(fd, POLLIN, deadline_ns)) {
            return false;
        }
        ssize_t got = read(fd, line + length, PROBE_LINE_BYTES - 1 - length);
        if (got < 0) {
            return false;
        }
        length += (size_t)got;
        char *newline = memchr(line, '\n', length);
        if (newline != NULL) {
            *newline = '\0';
            return true;
        }
        if (got == 0) {
            break;
        }
    }
    line[length] = '\0';
    return true;
}

/* In the child. Stops at the first step that fails, with errno saying why. */
static enum probe_step try_steps(const struct probe_wish *wish, char *line)
{
    int64_t deadline_ns = clock_now_ns() + wish->timeout_ms * NS_PER_MS;
    if (!become(wish->uid, wish->gid)) {
        return PROBE_BECOME;
    }
    int family = wish->to.family == 4 ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return PROBE_CONNECT;
    }
    if (wish->from.family != 0 && !bind_from(fd, &wish->from)) {
        return PROBE_BIND;
    }
    if (!connect_by(fd, &wish->to, deadline_ns)) {
        return PROBE_CONNECT;
    }
    if (wish->reads_line && !read_line(fd, deadline_ns, line)) {
        return PROBE_READ;
    }
    return PROBE_DONE;
}

static _Noreturn void run_child(const struct probe_wish *wish, int result)
{
    struct probe_outcome outcome = {.failed_at = PROBE_DONE};
    outcome.failed_at = try_steps(wish, outcome.line);
    outcome.error = outcome.failed_at != PROBE_DONE ? errno : 0;
    /* Less than PIPE_BUF into an empty pipe: whole, or not at all. */
    ssize_t written = write(result, &outcome, sizeof(outcome));
    _exit(written == (ssize_t)sizeof(outcome) ? 0 : 1);
}

bool probe_start(struct probe *probe, const struct probe_wish *wish)
{
    int ends[2];
    *probe = (struct probe){.result = -1};
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        run_child(wish, ends[1]);
    }
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return false;
    }
    probe->child = child;
    probe->result = ends[0];
    return true;
}

void probe_collect(struct probe *probe)
{
    ssize_t got = read(probe->result, &probe->outcome, sizeof(probe->outcome));
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got != (ssize_t)sizeof(probe->outcome)) {
        probe->outcome = (struct probe_outcome){.failed_at = PROBE_BECOME, .error = ECHILD};
    }
    probe->is_done = true;
    close(probe->result);
    probe->result = -1;
}

void probe_stop(struct probe *probe)
{
    if (probe->child == 0) {
        return;
    }
    kill(probe->child, SIGKILL);
    while (waitpid(probe->child, NULL, 0) < 0 && errno == EINTR) {
    }
    if (probe->result >= 0) {
        close(probe->result);
    }
    probe->child = 0;
    probe->result = -1;
}
