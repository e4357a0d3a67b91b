#ifndef REMORA_PROXY_FRONT_SERVER_FIRST_H
#define REMORA_PROXY_FRONT_SERVER_FIRST_H

#include "lib/net/address.h"

/*
 * Destinations whose server speaks first (MySQL, SMTP ...), learned by watching: the next
 * connection there is relayed at once. 256 entries of one worker, the least recently confirmed goes
 * first, 24 h of life; forgotten when two connections in a row open with bytes of a client that
 * speaks HTTP or TLS.
 */
enum { SERVER_FIRST_ENTRIES = 256 };

struct server_first_entry {
    struct address to;
    int64_t confirmed_ns;
    uint8_t doubts;
};

struct server_first {
    struct server_first_entry entries[SERVER_FIRST_ENTRIES];
    uint32_t count;
};

bool server_first_known(const struct server_first *table, const struct address *to, int64_t now_ns);
void server_first_learn(struct server_first *table, const struct address *to, int64_t now_ns);
/* A client of this destination spoke HTTP or TLS first. */
void server_first_doubt(struct server_first *table, const struct address *to);

#endif
