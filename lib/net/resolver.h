#ifndef REMORA_NET_RESOLVER_H
#define REMORA_NET_RESOLVER_H

#include "lib/net/address.h"
#include "lib/net/loop.h"

/*
 * Names to addresses through c-ares, for one loop. A and AAAA are asked together; the result is
 * sorted for happy eyeballs (RFC 8305 section 4: families alternate, IPv6 first). At most
 * RESOLVER_ADDRESSES. Answers after a cancel are harmless.
 */
enum { RESOLVER_ADDRESSES = 32, RESOLVER_NAME_BYTES = 253 };

enum resolver_status {
    RESOLVER_OK,
    /*
     * The name does not exist, or has no address: authoritative for both families. Still no reason
     * to drop addresses that work: an empty answer has been a server's mistake before (AWS
     * 2025-10-20).
     */
    RESOLVER_NO_NAME,
    RESOLVER_TEMPORARY, /* SERVFAIL, timeout, no server: keep what was good before */
    RESOLVER_BAD_NAME,
};

struct resolver_answer {
    enum resolver_status status;
    const struct address *addresses; /* port 0; valid during the call */
    size_t count;
    int64_t ttl_ms; /* the smallest of the records, clamped to [1 s, 1 h]; 5 s for failures */
};

struct resolver;
struct resolver_query;

/*
 * servers: "10.0.0.10:53,..." (asked alone: no hosts file, no search domains) or NULL for what the
 * system uses. NULL when c-ares cannot start, and on a simulated loop.
 */
struct resolver *resolver_create(struct loop *loop, const char *servers);
void resolver_destroy(struct resolver *resolver);
/* Never calls back from inside; on_answer comes exactly once unless cancelled. timeout 5 s in all.
 */
struct resolver_query *
resolver_ask(struct resolver *resolver, struct span name,
             void (*on_answer)(void *owner, const struct resolver_answer *answer), void *owner);
void resolver_cancel(struct resolver_query *query);

#endif
