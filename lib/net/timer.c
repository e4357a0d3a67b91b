#include "lib/net/loop_private.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

/* Four children a node: half the depth of a binary heap, and the children share a cache line. */
enum { CHILDREN = 4 };

static void put(struct loop *loop, uint32_t at, struct timer_slot slot)
{
    loop->heap[at] = slot;
    slot.timer->place = at + 1;
}

static void sift_up(struct loop *loop, uint32_t at, struct timer_slot slot)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / CHILDREN;
        if (loop->heap[parent].at_ns <= slot.at_ns) {
            break;
        }
        put(loop, at, loop->heap[parent]);
        at = parent;
    }
    put(loop, at, slot);
}

static void sift_down(struct loop *loop, uint32_t at, struct timer_slot slot)
{
    for (;;) {
        uint64_t first = (uint64_t)at * CHILDREN + 1;
        if (first >= loop->heap_count) {
            break;
        }
        uint64_t end = first + CHILDREN < loop->heap_count ? first + CHILDREN : loop->heap_count;
        uint64_t least = first;
        for (uint64_t child = first + 1; child < end; child++) {
            if (loop->heap[child].at_ns < loop->heap[least].at_ns) {
                least = child;
            }
        }
        if (loop->heap[least].at_ns >= slot.at_ns) {
            break;
        }
        put(loop, at, loop->heap[least]);
        at = (uint32_t)least;
    }
    put(loop, at, slot);
}

static void take_out(struct timer *timer)
{
    struct loop *loop = timer->loop;
    uint32_t at = timer->place - 1;
    timer->place = 0;
    struct timer_slot last = loop->heap[--loop->heap_count];
    if (at == loop->heap_count) {
        return;
    }
    if (at > 0 && loop->heap[(at - 1) / CHILDREN].at_ns > last.at_ns) {
        sift_up(loop, at, last);
    } else {
        sift_down(loop, at, last);
    }
}

void timer_init(struct timer *timer, struct loop *loop, void (*on_timer)(struct timer *timer))
{
    *timer = (struct timer){.loop = loop, .on_timer = on_timer};
}

void timer_start_at(struct timer *timer, int64_t at_ns)
{
    struct loop *loop = timer->loop;
    timer->at_ns = at_ns;
    if (timer->place != 0) {
        if (at_ns < timer->heap_at_ns) {
            timer->heap_at_ns = at_ns;
            sift_up(loop, timer->place - 1, (struct timer_slot){at_ns, timer});
        }
        return;
    }
    CHECK(loop->heap_count < UINT32_MAX - 1);
    mem_grow(&loop->heap, &loop->heap_capacity, loop->heap_count + 1, sizeof(struct timer_slot));
    timer->heap_at_ns = at_ns;
    sift_up(loop, loop->heap_count++, (struct timer_slot){at_ns, timer});
}

void timer_start(struct timer *timer, int64_t after_ns)
{
    struct loop *loop = timer->loop;
    if (!loop->in_turn && loop->ev != NULL) {
        /* Between turns the time of the last one may be long ago. */
        loop->now_ns = clock_now_ns();
    }
    int64_t at_ns;
    if (__builtin_add_overflow(loop->now_ns, after_ns, &at_ns)) {
        at_ns = INT64_MAX - 1;
    }
    timer_start_at(timer, at_ns);
}

void timer_stop(struct timer *timer)
{
    if (timer->place != 0) {
        take_out(timer);
    }
}

int64_t timers_next_ns(const struct loop *loop)
{
    return loop->heap_count > 0 ? loop->heap[0].at_ns : INT64_MAX;
}

void timers_run(struct loop *loop)
{
    /* A timer that starts itself for now must not keep the turn: no more calls than timers. */
    uint32_t left = loop->heap_count;
    while (left > 0 && timers_next_ns(loop) <= loop->now_ns) {
        struct timer *timer = loop->heap[0].timer;
        if (timer->at_ns > timer->heap_at_ns) {
            timer->heap_at_ns = timer->at_ns;
            sift_down(loop, 0, (struct timer_slot){timer->at_ns, timer});
            continue;
        }
        left--;
        take_out(timer);
        timer->on_timer(timer);
    }
}
