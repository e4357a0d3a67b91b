#ifndef REMORA_TESTS_UNIT_LIB_HTTP_WIRE_H
#define REMORA_TESTS_UNIT_LIB_HTTP_WIRE_H

#include "lib/net/transport.h"

/*
 * A transport whose far end is the test, or another wire. Level-triggered like the real ones. A
 * limit makes the socket full: what goes beyond it is not accepted until the test makes room.
 */
struct wire {
    struct transport base;
    struct byte_queue in;  /* to be read by the owner */
    struct byte_queue out; /* written by the owner */
    struct wire *other;    /* out goes there instead */
    size_t out_limit;      /* SIZE_MAX at first */
    bool ended;            /* the far end has closed its side */
    bool failed;
    bool closed; /* by the owner */
    bool aborted;
    bool shut; /* the owner has shut its writing side */
    size_t writes;
    struct turn_task task;
};

struct wire *wire_create(struct loop *loop, bool is_ready);
void wire_pair(struct wire *a, struct wire *b);
/* The far end sends. */
void wire_push(struct wire *wire, const void *bytes, size_t length);
void wire_end(struct wire *wire);
/* The connection attempt succeeds. */
void wire_ready(struct wire *wire);
/* Everything between the far end and the owner breaks. */
void wire_fail(struct wire *wire, enum failure failure);
/* After a change of out_limit. */
void wire_room(struct wire *wire, size_t limit);
void wire_destroy(struct wire *wire);

#endif
