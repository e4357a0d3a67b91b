#ifndef REMORA_NET_LOOP_H
#define REMORA_NET_LOOP_H

#include "lib/base/list.h"

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One event loop a thread, over libev. A turn has four phases, always in this order:
 *
 *   1. ready    watches whose descriptor is ready are called, then tasks queued with
 *               loop_ready_later in the turn before: drain sockets, act on what came
 *   2. timers   that are due
 *   3. flush    tasks queued with loop_flush_later: produce and send output, once a connection a
 * turn. A flush may queue further flushes; they run in the same turn, bounded by LOOP_FLUSHES
 *   4. free     tasks queued with loop_free_later: give memory back. Nothing is freed in its own
 * callback
 *
 * Only the thread of the loop may call anything here; other threads use a mailbox. The simulated
 * loop has no descriptors and a clock that stands still until loop_advance; it serves deterministic
 * tests.
 *
 * A turn costs one epoll_wait and no other system call; clocks are read through the vDSO, ours
 * once.
 */
struct loop;

/* Ignores SIGPIPE for the process: splice(2) has no flag that keeps it away. */
struct loop *loop_create(void);
struct loop *loop_create_simulated(int64_t now_ns);
/* Runs what is queued to be freed, then frees the loop. Watches and timers must be stopped. */
void loop_destroy(struct loop *loop);

/* Turns until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* One turn without waiting. Simulated: phases 3 and 4, and timers that are due. */
void loop_turn(struct loop *loop);
/* Real loop: turns until condition(owner) or deadline; returns what condition last said. For tests.
 */
bool loop_run_until(struct loop *loop, bool (*condition)(void *owner), void *owner,
                    int64_t timeout_ms);
/* Turns until no ready and no flush task is queued, at most LOOP_SETTLE turns. Returns how many. */
enum { LOOP_SETTLE = 1000 };
unsigned loop_settle(struct loop *loop);
/* Simulated only: moves the clock to each due timer in turn, then to now + ns; settles at every
 * stop. */
void loop_advance(struct loop *loop, int64_t ns);

/* Monotonic time of this turn's start, after the wait, in nanoseconds. Costs nothing. */
int64_t loop_now_ns(const struct loop *loop);
/* The number of turns so far. */
uint64_t loop_turns(const struct loop *loop);
bool loop_is_simulated(const struct loop *loop);
/* True while one of the four phases runs. */
bool loop_in_turn(const struct loop *loop);

/* Work for a later phase. Embedded in its owner; queued at most once (again is no error). */
struct turn_task {
    struct link link;
    void (*run)(struct turn_task *task);
};
enum { LOOP_FLUSHES = 1000000 };
/* For the ready phase of the next turn, which then does not wait: readiness that no descriptor
 * tells. */
void loop_ready_later(struct loop *loop, struct turn_task *task);
void loop_flush_later(struct loop *loop, struct turn_task *task);
void loop_free_later(struct loop *loop, struct turn_task *task);
/* Runs when the loop is destroyed: for what its owner has left to the background. */
void loop_at_destroy(struct loop *loop, struct turn_task *task);
void turn_task_cancel(struct turn_task *task);

/*
 * A descriptor that is watched. Reading and writing are switched apart; a switch that changes
 * nothing costs nothing, and changes reach the kernel once, before the next wait.
 */
enum { WATCH_READ = EV_READ, WATCH_WRITE = EV_WRITE };
struct watch {
    ev_io io;
    struct loop *loop;
    void (*on_ready)(struct watch *watch, unsigned events);
    unsigned wanted;
};
void watch_init(struct watch *watch, struct loop *loop, int fd,
                void (*on_ready)(struct watch *watch, unsigned events));
/* Replaces the set of wanted events; 0 stops. */
void watch_want(struct watch *watch, unsigned events);
void watch_stop(struct watch *watch);

/*
 * A timer, kept in one heap a loop. Moving a running timer to a later time is one store: the heap
 * is put right when the old time comes. Fires at most once per start.
 */
struct timer {
    struct loop *loop;
    void (*on_timer)(struct timer *timer);
    int64_t at_ns;      /* wanted time */
    int64_t heap_at_ns; /* time it is sorted by; <= at_ns */
    uint32_t place;     /* 1-based index in the heap; 0 = stopped */
};
void timer_init(struct timer *timer, struct loop *loop, void (*on_timer)(struct timer *timer));
void timer_start(struct timer *timer, int64_t after_ns);
void timer_start_at(struct timer *timer, int64_t at_ns);
void timer_stop(struct timer *timer);
static inline bool timer_running(const struct timer *timer)
{
    return timer->place != 0;
}

/* Signals become callbacks of this loop; at most one loop of the process may use these. */
void loop_on_signal(struct loop *loop, int signal_number,
                    void (*on_signal)(void *owner, int signal_number), void *owner);

#endif
