#include "proxy/redirect/token_door.h"

#include "lib/base/random.h"
#include "lib/net/nat.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

enum { BACKLOG = 32, GREETINGS_AT_ONCE = 32 };

void token_make(char *into)
{
    uint64_t secret[2];
    random_secret(secret, sizeof(secret));
    snprintf(into, TOKEN_BYTES, "%016llx%016llx", (unsigned long long)secret[0],
             (unsigned long long)secret[1]);
}

static int listen_at(const struct address *at)
{
    struct sockaddr_storage storage;
    socklen_t length = address_to_sockaddr(at, false, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    int off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (at->family == 6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (bind(fd, (struct sockaddr *)&storage, length) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static bool is_family_off(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage storage;
    socklen_t length = sizeof(storage);
    struct address local = {0};
    if (getsockname(fd, (struct sockaddr *)&storage, &length) == 0) {
        address_from_sockaddr((const struct sockaddr *)&storage, &local);
    }
    return local.port;
}

bool token_door_open(struct token_door *door, const char *name, const struct address *at,
                     const char *token)
{
    *door = (struct token_door){.name = name, .token = token, .fd = -1, .port = at->port};
    door->fd = listen_at(at);
    if (door->fd < 0 && is_family_off(errno) && at->family == 6 && address_is_wildcard(at)) {
        struct address only4 = {.family = 4, .port = at->port};
        door->fd = listen_at(&only4);
    }
    if (door->fd >= 0) {
        door->state = TOKEN_DOOR_OURS;
        door->port = port_of(door->fd);
        return true;
    }
    door->state = errno == EADDRINUSE ? TOKEN_DOOR_TAKEN : TOKEN_DOOR_SHUT;
    return errno == EADDRINUSE || is_family_off(errno);
}

static void greet(const struct token_door *door, int visitor, const struct sockaddr_storage *from)
{
    struct address peer;
    struct address original;
    char shown[ADDRESS_TEXT_BYTES] = "untracked";
    int error;
    if (address_from_sockaddr((const struct sockaddr *)from, &peer) &&
        nat_original(visitor, &peer, &original, &error)) {
        address_format(&original, shown);
    }
    char line[TOKEN_BYTES + ADDRESS_TEXT_BYTES + 32];
    int length = snprintf(line, sizeof(line), "%s %s %s\n", door->token, door->name, shown);
    /* A fresh socket's buffer takes a line; a visitor that is gone already is no loss. */
    (void)!send(visitor, line, (size_t)length, MSG_NOSIGNAL);
}

static void keep(struct token_door *door, int visitor)
{
    int *place = &door->visitors[door->visitor_count % TOKEN_DOOR_VISITORS];
    if (door->visitor_count >= TOKEN_DOOR_VISITORS) {
        close(*place);
    }
    *place = visitor;
    door->visitor_count++;
}

void token_door_greet(struct token_door *door)
{
    for (int i = 0; i < GREETINGS_AT_ONCE; i++) {
        struct sockaddr_storage from;
        socklen_t length = sizeof(from);
        int visitor =
            accept4(door->fd, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (visitor < 0) {
            return;
        }
        greet(door, visitor, &from);
        keep(door, visitor);
    }
}

void token_door_close(struct token_door *door)
{
    for (size_t i = 0; i < door->visitor_count && i < TOKEN_DOOR_VISITORS; i++) {
        close(door->visitors[i]);
    }
    if (door->state == TOKEN_DOOR_OURS) {
        close(door->fd);
    }
    *door = (struct token_door){.fd = -1};
}
