#ifndef REMORA_CONTROL_SERVE_PUSH_QUEUE_H
#define REMORA_CONTROL_SERVE_PUSH_QUEUE_H

#include "lib/net/loop.h"

/*
 * When what changed is told. Changes are gathered until 100 ms of quiet, or for 1 s at most; then
 * the owner takes them over, and every member is visited, PUSH_VISITS a turn, so that a thousand
 * members do not hold up the ports. A visit only queues bytes: a slow member delays nobody.
 */
enum { PUSH_QUIET_MS = 100, PUSH_MOST_MS = 1000, PUSH_VISITS = 32 };

struct push_member {
    struct link member;  /* of the queue */
    struct link waiting; /* to be visited */
    unsigned types;      /* what changed since its last visit: bits of enum xds_type */
};

struct push_events {
    /* The changes are to be taken over. Returns which types of resources are others now. */
    unsigned (*on_gathered)(void *owner);
    void (*on_visit)(void *owner, struct push_member *member, unsigned types);
};

struct push_queue {
    struct loop *loop;
    const struct push_events *events;
    void *owner;
    struct timer timer;
    int64_t first_ns; /* when the first change of this batch came; 0 = none is gathered */
    struct list members;
    struct list waiting;
    struct turn_task visit_task;
    uint64_t pushes, notes;
    int64_t begun_ns;         /* of the batch that is being visited */
    int64_t last_duration_ns; /* from its first change to its last visit */
};

void push_queue_init(struct push_queue *queue, struct loop *loop, const struct push_events *events,
                     void *owner);
/* Members must be gone. */
void push_queue_done(struct push_queue *queue);
/* Something changed. */
void push_queue_note(struct push_queue *queue);
void push_queue_join(struct push_queue *queue, struct push_member *member);
void push_queue_leave(struct push_member *member);

#endif
