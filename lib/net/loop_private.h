#ifndef REMORA_NET_LOOP_PRIVATE_H
#define REMORA_NET_LOOP_PRIVATE_H

#include "lib/net/loop.h"

/* What loop.c, timer.c and watch.c share. Nobody else includes this. */

struct timer_slot {
    int64_t at_ns;
    struct timer *timer;
};

struct loop {
    struct ev_loop *ev; /* NULL = simulated */
    int64_t now_ns;
    uint64_t turns;
    bool in_turn;
    bool stopped;
    struct list ready;
    struct list flush;
    struct list free;
    struct list at_destroy;
    struct list signals;
    struct timer_slot *heap; /* 4-ary; the earliest is heap[0] */
    uint32_t heap_count;
    size_t heap_capacity;
    ev_timer wake;      /* makes the wait end when heap[0] is due */
    int64_t wake_at_ns; /* INT64_MAX = not set */
    size_t watch_count;
};

/* INT64_MAX when no timer runs. May be earlier than any wanted time (see struct timer). */
int64_t timers_next_ns(const struct loop *loop);
/* Calls the timers that are due, each at most once. */
void timers_run(struct loop *loop);

#endif
