#ifndef REMORA_PROXY_REDIRECT_TOKEN_DOOR_H
#define REMORA_PROXY_REDIRECT_TOKEN_DOOR_H

#include "lib/net/address.h"

/*
 * A listener that stands where the proxy will, for the time of a check. To whoever comes in it says
 * one line: "TOKEN NAME ORIGINAL", where TOKEN is of this run only and ORIGINAL is the destination
 * before the redirect. Connections are kept open for a while, so that the one who dialled ends
 * first and no TIME-WAIT is left on the port that the proxy is about to take.
 */
enum { TOKEN_BYTES = 33, TOKEN_DOOR_VISITORS = 32 };

enum token_door_state {
    TOKEN_DOOR_SHUT,  /* the family is off on this machine */
    TOKEN_DOOR_OURS,  /* listening */
    TOKEN_DOOR_TAKEN, /* somebody listens there already: the proxy, most likely */
};

struct token_door {
    enum token_door_state state;
    const char *name;  /* static */
    const char *token; /* the caller's; outlives the door */
    int fd;            /* non-blocking, to be polled for reading; -1 = none */
    uint16_t port;
    int visitors[TOKEN_DOOR_VISITORS];
    size_t visitor_count; /* that ever came; the ring holds the last ones */
};

/* into: TOKEN_BYTES. 128 random bits in hexadecimal. */
void token_make(char *into);

/* A wildcard IPv6 address also takes IPv4, or becomes the IPv4 wildcard where IPv6 is off. False
 * and errno otherwise. */
bool token_door_open(struct token_door *door, const char *name, const struct address *at,
                     const char *token);
/* Greets those who wait. Who came first leaves when there are more than TOKEN_DOOR_VISITORS. */
void token_door_greet(struct token_door *door);
/* Takes a door that is all zero. */
void token_door_close(struct token_door *door);

#endif
