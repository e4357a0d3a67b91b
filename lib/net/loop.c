#include "lib/net/loop_private.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/net/pipe_pool.h"

#include <pthread.h>
#include <signal.h>

/* A timer that starts itself anew for the same moment would keep loop_advance for ever. */
enum { MOST_STOPS = 10000000 };

struct signal_watch {
    ev_signal ev;
    struct link link;
    void (*on_signal)(void *owner, int signal_number);
    void *owner;
};

static pthread_once_t ignore_once = PTHREAD_ONCE_INIT;

static void ignore_sigpipe(void)
{
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

static struct loop *make(void)
{
    struct loop *loop = NEW(struct loop);
    list_init(&loop->ready);
    list_init(&loop->flush);
    list_init(&loop->free);
    list_init(&loop->at_destroy);
    list_init(&loop->signals);
    loop->wake_at_ns = INT64_MAX;
    return loop;
}

static void on_wake(struct ev_loop *ev, ev_timer *wake, int events)
{
    struct loop *loop = ev_userdata(ev);
    loop->wake_at_ns = INT64_MAX;
}

/* libev calls this between epoll_wait and the first callback: the one place where time moves. */
static void after_wait(struct ev_loop *ev) EV_NOEXCEPT
{
    struct loop *loop = ev_userdata(ev);
    loop->now_ns = clock_now_ns();
}

struct loop *loop_create(void)
{
    CHECK(pthread_once(&ignore_once, ignore_sigpipe) == 0);
    struct loop *loop = make();
    loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV | EVFLAG_NOINOTIFY | EVFLAG_NOTIMERFD);
    CHECK(loop->ev != NULL);
    ev_set_userdata(loop->ev, loop);
    ev_set_loop_release_cb(loop->ev, NULL, after_wait);
    ev_timer_init(&loop->wake, on_wake, 0, 0);
    /* Without an active watcher libev would not wait at all. */
    ev_ref(loop->ev);
    loop->now_ns = clock_now_ns();
    return loop;
}

struct loop *loop_create_simulated(int64_t now_ns)
{
    struct loop *loop = make();
    loop->now_ns = now_ns;
    return loop;
}

static void run_all(struct list *tasks)
{
    for (struct link *link = list_pop(tasks); link != NULL; link = list_pop(tasks)) {
        struct turn_task *task = CONTAINER_OF(link, struct turn_task, link);
        task->run(task);
    }
}

static void drop_signals(struct loop *loop)
{
    for (struct link *link = list_pop(&loop->signals); link != NULL;
         link = list_pop(&loop->signals)) {
        struct signal_watch *watch = CONTAINER_OF(link, struct signal_watch, link);
        ev_signal_stop(loop->ev, &watch->ev);
        mem_free(watch);
    }
}

void loop_destroy(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    CHECK(!loop->in_turn);
    run_all(&loop->at_destroy);
    run_all(&loop->free);
    CHECK(loop->heap_count == 0);
    CHECK(loop->watch_count == 0);
    drop_signals(loop);
    pipe_pool_clear();
    if (loop->ev != NULL) {
        ev_timer_stop(loop->ev, &loop->wake);
        ev_loop_destroy(loop->ev);
    }
    mem_free(loop->heap);
    mem_free(loop);
}

/* Only what was queued before: a task that queues itself again runs in the next turn. */
static void run_ready(struct loop *loop)
{
    if (list_empty(&loop->ready)) {
        return;
    }
    struct list due;
    list_init(&due);
    list_insert_before(loop->ready.head.next, &due.head);
    list_remove(&loop->ready.head);
    list_init(&loop->ready);
    run_all(&due);
}

static void run_flushes(struct loop *loop)
{
    for (int i = 0; i < LOOP_FLUSHES && !list_empty(&loop->flush); i++) {
        struct turn_task *task = CONTAINER_OF(list_pop(&loop->flush), struct turn_task, link);
        task->run(task);
    }
}

static void arm_wake(struct loop *loop)
{
    int64_t next_ns = timers_next_ns(loop);
    if (next_ns == loop->wake_at_ns) {
        return;
    }
    loop->wake_at_ns = next_ns;
    ev_timer_stop(loop->ev, &loop->wake);
    if (next_ns != INT64_MAX) {
        int64_t left_ns = next_ns > loop->now_ns ? next_ns - loop->now_ns : 0;
        ev_timer_set(&loop->wake, (double)left_ns / (double)NS_PER_S, 0.);
        ev_timer_start(loop->ev, &loop->wake);
    }
}

static bool has_work(const struct loop *loop)
{
    return !list_empty(&loop->ready) || !list_empty(&loop->flush);
}

static void turn(struct loop *loop, bool may_wait)
{
    CHECK(!loop->in_turn);
    loop->in_turn = true;
    loop->turns++;
    if (loop->ev != NULL) {
        arm_wake(loop);
        ev_run(loop->ev, may_wait && !has_work(loop) ? EVRUN_ONCE : EVRUN_NOWAIT);
    }
    run_ready(loop);
    timers_run(loop);
    run_flushes(loop);
    run_all(&loop->free);
    loop->in_turn = false;
}

void loop_run(struct loop *loop)
{
    CHECK(loop->ev != NULL);
    loop->stopped = false;
    while (!loop->stopped) {
        turn(loop, true);
    }
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

void loop_turn(struct loop *loop)
{
    turn(loop, false);
}

static void on_deadline(struct timer *timer)
{
    /* It has ended the wait, which is all that it is for. */
}

bool loop_run_until(struct loop *loop, bool (*condition)(void *owner), void *owner,
                    int64_t timeout_ms)
{
    CHECK(loop->ev != NULL);
    struct timer deadline;
    timer_init(&deadline, loop, on_deadline);
    timer_start(&deadline, timeout_ms * NS_PER_MS);
    bool met = condition(owner);
    while (!met && timer_running(&deadline)) {
        turn(loop, true);
        met = condition(owner);
    }
    timer_stop(&deadline);
    return met;
}

unsigned loop_settle(struct loop *loop)
{
    unsigned turns = 0;
    do {
        turn(loop, false);
        turns++;
    } while (has_work(loop) && turns < LOOP_SETTLE);
    return turns;
}

void loop_advance(struct loop *loop, int64_t ns)
{
    CHECK(loop->ev == NULL && ns >= 0);
    int64_t end_ns = loop->now_ns + ns;
    for (int stops = 0; timers_next_ns(loop) <= end_ns; stops++) {
        CHECK(stops < MOST_STOPS);
        if (timers_next_ns(loop) > loop->now_ns) {
            loop->now_ns = timers_next_ns(loop);
        }
        loop_settle(loop);
    }
    loop->now_ns = end_ns;
    loop_settle(loop);
}

int64_t loop_now_ns(const struct loop *loop)
{
    return loop->now_ns;
}

uint64_t loop_turns(const struct loop *loop)
{
    return loop->turns;
}

bool loop_is_simulated(const struct loop *loop)
{
    return loop->ev == NULL;
}

bool loop_in_turn(const struct loop *loop)
{
    return loop->in_turn;
}

static void queue(struct list *list, struct turn_task *task)
{
    if (!link_linked(&task->link)) {
        list_push_back(list, &task->link);
    }
}

void loop_ready_later(struct loop *loop, struct turn_task *task)
{
    queue(&loop->ready, task);
}

void loop_flush_later(struct loop *loop, struct turn_task *task)
{
    queue(&loop->flush, task);
}

void loop_free_later(struct loop *loop, struct turn_task *task)
{
    queue(&loop->free, task);
}

void loop_at_destroy(struct loop *loop, struct turn_task *task)
{
    queue(&loop->at_destroy, task);
}

void turn_task_cancel(struct turn_task *task)
{
    list_remove(&task->link);
}

static void on_signal_event(struct ev_loop *ev, ev_signal *signal_event, int events)
{
    struct signal_watch *watch = CONTAINER_OF(signal_event, struct signal_watch, ev);
    watch->on_signal(watch->owner, signal_event->signum);
}

void loop_on_signal(struct loop *loop, int signal_number,
                    void (*on_signal)(void *owner, int signal_number), void *owner)
{
    CHECK(loop->ev != NULL);
    struct signal_watch *watch = NEW(struct signal_watch);
    watch->on_signal = on_signal;
    watch->owner = owner;
    ev_signal_init(&watch->ev, on_signal_event, signal_number);
    ev_signal_start(loop->ev, &watch->ev);
    list_push_back(&loop->signals, &watch->link);
}
