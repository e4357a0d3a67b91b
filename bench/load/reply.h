#ifndef REMORA_BENCH_REPLY_H
#define REMORA_BENCH_REPLY_H

#include "lib/base/span.h"

/*
 * Reads one HTTP/1.1 answer with a Content-Length, fed in pieces of any size. Only as strict as a
 * generator of load needs: status 200, the body as long as expected, nothing behind it.
 */
enum { REPLY_HEAD_BYTES = 4096 };
enum reply_state { REPLY_HEAD, REPLY_BODY, REPLY_DONE, REPLY_BAD };

struct reply {
    enum reply_state state;
    int status; /* once the head is read */
    uint64_t body_left;
    size_t head_length;
    char head[REPLY_HEAD_BYTES];
};

/* Before each answer. */
void reply_init(struct reply *reply);
/* REPLY_BAD: another status or length than expected, no length, a head too long, or bytes behind.
 */
enum reply_state reply_feed(struct reply *reply, struct span bytes, uint64_t expected_bytes);

#endif
