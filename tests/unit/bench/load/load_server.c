#include "tests/unit/bench/load/load_server.h"

#include "lib/base/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 64, BODY_BYTES = 65536 };

static void put(int fd, const char *bytes, size_t length, bool in_pieces)
{
    while (length > 0) {
        ssize_t done = send(fd, bytes, in_pieces ? 1 : length, MSG_NOSIGNAL);
        if (done <= 0) {
            return;
        }
        bytes += done;
        length -= (size_t)done;
    }
}

static void answer(int fd, const struct load_server_faults *faults, int status)
{
    static char bytes[BODY_BYTES + 256];
    int length = snprintf(bytes, sizeof(bytes),
                          "HTTP/1.1 %d Said\r\nServer: test\r\nContent-Length: %u\r\n\r\n", status,
                          faults->body_bytes);
    memset(bytes + length, 'x', faults->body_bytes);
    put(fd, bytes, (size_t)length + faults->body_bytes, faults->pieces != 0);
}

/* False = the connection is to be closed. Requests come in one piece and never two at once. */
static bool serve(int fd, const struct load_server_faults *faults, uint32_t *count)
{
    char request[4096];
    if (recv(fd, request, sizeof(request), 0) <= 0) {
        return false;
    }
    uint32_t number = ++*count;
    if (number == faults->close_at) {
        return false;
    }
    if (number == faults->silent_at) {
        return true;
    }
    if (number == faults->stall_at) {
        struct timespec stall = {.tv_sec = faults->stall_ms / 1000,
                                 .tv_nsec = (long)(faults->stall_ms % 1000) * 1000000};
        nanosleep(&stall, NULL);
    }
    answer(fd, faults, number == faults->refuse_at ? 503 : 200);
    return true;
}

static _Noreturn void run(int listener, const struct load_server_faults *faults)
{
    struct pollfd polled[CLIENTS + 1] = {{.fd = listener, .events = POLLIN}};
    nfds_t used = 1;
    uint32_t count = 0;
    for (;;) {
        poll(polled, used, -1);
        for (nfds_t i = 1; i < used; i++) {
            if (polled[i].revents != 0 && !serve(polled[i].fd, faults, &count)) {
                close(polled[i].fd);
                polled[i] = polled[--used];
                i--;
            }
        }
        if (polled[0].revents != 0 && used <= CLIENTS) {
            int one = 1;
            int fd = accept(listener, NULL, NULL);
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
            polled[used++] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
    }
}

void load_server_start(struct load_server *server, const struct load_server_faults *faults)
{
    CHECK(faults->body_bytes <= BODY_BYTES);
    server->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(server->address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(listener, (struct sockaddr *)&server->address, length) == 0);
    CHECK(listen(listener, CLIENTS) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&server->address, &length) == 0);
    server->pid = fork();
    CHECK(server->pid >= 0);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(listener, faults);
    }
    close(listener);
}

void load_server_stop(struct load_server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}
