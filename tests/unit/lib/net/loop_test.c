#include "lib/net/loop.h"

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "tests/unit/test_main.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct noted {
    struct turn_task task;
    struct timer timer;
    struct loop *loop;
    char *log;
    char letter;
    int again;
    int calls;
};

static void note(struct noted *noted)
{
    size_t length = strlen(noted->log);
    noted->log[length] = noted->letter;
    noted->log[length + 1] = '\0';
    noted->calls++;
}

static void run_note(struct turn_task *task)
{
    note(CONTAINER_OF(task, struct noted, task));
}

static void timer_note(struct timer *timer)
{
    note(CONTAINER_OF(timer, struct noted, timer));
}

static void run_ready_again(struct turn_task *task)
{
    struct noted *noted = CONTAINER_OF(task, struct noted, task);
    noted->calls++;
    loop_ready_later(noted->loop, task);
}

static void run_flush_again(struct turn_task *task)
{
    struct noted *noted = CONTAINER_OF(task, struct noted, task);
    noted->calls++;
    if (noted->again-- > 0) {
        loop_flush_later(noted->loop, task);
    }
}

static void a_turn_runs_its_phases_in_order(void **state)
{
    char log[16] = "";
    struct loop *loop = loop_create_simulated(5);
    struct noted free_it = {.task.run = run_note, .log = log, .letter = 'x'};
    struct noted flush = {.task.run = run_note, .log = log, .letter = 'f'};
    struct noted ready = {.task.run = run_note, .log = log, .letter = 'r'};
    struct noted timed = {.log = log, .letter = 't'};
    timer_init(&timed.timer, loop, timer_note);
    loop_free_later(loop, &free_it.task);
    loop_flush_later(loop, &flush.task);
    timer_start(&timed.timer, 0);
    loop_ready_later(loop, &ready.task);
    loop_turn(loop);
    assert_string_equal(log, "rtfx");
    assert_int_equal(loop_turns(loop), 1);
    loop_destroy(loop);
}

static void a_task_queued_twice_runs_once_and_a_cancelled_one_never(void **state)
{
    char log[16] = "";
    struct loop *loop = loop_create_simulated(0);
    struct noted twice = {.task.run = run_note, .log = log, .letter = 'a'};
    struct noted never = {.task.run = run_note, .log = log, .letter = 'b'};
    loop_flush_later(loop, &twice.task);
    loop_flush_later(loop, &twice.task);
    loop_flush_later(loop, &never.task);
    turn_task_cancel(&never.task);
    loop_turn(loop);
    assert_string_equal(log, "a");
    loop_destroy(loop);
}

static void a_flush_that_queues_flushes_stays_in_its_turn(void **state)
{
    struct loop *loop = loop_create_simulated(0);
    struct noted flush = {.task.run = run_flush_again, .loop = loop, .again = 9};
    loop_flush_later(loop, &flush.task);
    loop_turn(loop);
    assert_int_equal(flush.calls, 10);
    loop_destroy(loop);
}

static void a_flush_without_end_is_bounded_by_the_turn(void **state)
{
    struct loop *loop = loop_create_simulated(0);
    struct noted flush = {.task.run = run_flush_again, .loop = loop, .again = 2 * LOOP_FLUSHES};
    loop_flush_later(loop, &flush.task);
    loop_turn(loop);
    assert_int_equal(flush.calls, LOOP_FLUSHES);
    turn_task_cancel(&flush.task);
    loop_destroy(loop);
}

static void a_ready_task_that_queues_itself_runs_once_a_turn(void **state)
{
    struct loop *loop = loop_create();
    struct noted ready = {.task.run = run_ready_again, .loop = loop};
    loop_ready_later(loop, &ready.task);
    loop_turn(loop);
    loop_turn(loop);
    assert_int_equal(ready.calls, 2);
    turn_task_cancel(&ready.task);
    loop_destroy(loop);
}

static void settling_ends_when_work_does_not(void **state)
{
    struct loop *loop = loop_create_simulated(0);
    struct noted ready = {.task.run = run_ready_again, .loop = loop};
    loop_ready_later(loop, &ready.task);
    assert_int_equal(loop_settle(loop), LOOP_SETTLE);
    turn_task_cancel(&ready.task);
    assert_int_equal(loop_settle(loop), 1);
    loop_destroy(loop);
}

static void what_is_queued_to_be_freed_is_freed_by_destroy(void **state)
{
    char log[16] = "";
    struct loop *loop = loop_create_simulated(0);
    struct noted last = {.task.run = run_note, .log = log, .letter = 'd'};
    struct noted free_it = {.task.run = run_note, .log = log, .letter = 'x'};
    loop_at_destroy(loop, &last.task);
    loop_free_later(loop, &free_it.task);
    loop_destroy(loop);
    assert_string_equal(log, "dx");
}

struct many {
    struct timer timer;
    int64_t due_ns;
    int64_t fired_ns;
    int64_t *last_ns;
};

static void on_many(struct timer *timer)
{
    struct many *one = CONTAINER_OF(timer, struct many, timer);
    one->fired_ns = loop_now_ns(timer->loop);
    assert_true(one->fired_ns >= *one->last_ns);
    *one->last_ns = one->fired_ns;
}

static void timers_fire_in_order_at_their_exact_time(void **state)
{
    enum { COUNT = 3000 };
    random_seed(7);
    struct loop *loop = loop_create_simulated(1000);
    static struct many timers[COUNT];
    int64_t last_ns = 0;
    for (int i = 0; i < COUNT; i++) {
        timers[i] = (struct many){.last_ns = &last_ns};
        timer_init(&timers[i].timer, loop, on_many);
        timer_start(&timers[i].timer, (int64_t)random_below(50000));
    }
    for (int i = 0; i < COUNT; i++) {
        timers[i].due_ns = 1000 + (int64_t)random_below(100000);
        if (i % 5 == 0) {
            timer_stop(&timers[i].timer);
            timers[i].due_ns = 0;
        } else {
            timer_start_at(&timers[i].timer, timers[i].due_ns);
        }
    }
    loop_advance(loop, 200000);
    for (int i = 0; i < COUNT; i++) {
        assert_false(timer_running(&timers[i].timer));
        assert_int_equal(timers[i].fired_ns, timers[i].due_ns);
    }
    assert_int_equal(loop_now_ns(loop), 201000);
    loop_destroy(loop);
}

static void a_timer_moved_later_fires_once_and_later(void **state)
{
    char log[16] = "";
    struct loop *loop = loop_create_simulated(0);
    struct noted timed = {.log = log, .letter = 't'};
    timer_init(&timed.timer, loop, timer_note);
    timer_start(&timed.timer, 10);
    timer_start(&timed.timer, 30);
    loop_advance(loop, 29);
    assert_int_equal(timed.calls, 0);
    loop_advance(loop, 1);
    assert_int_equal(timed.calls, 1);
    loop_advance(loop, 100);
    assert_int_equal(timed.calls, 1);
    loop_destroy(loop);
}

static void on_timer_again(struct timer *timer)
{
    struct noted *noted = CONTAINER_OF(timer, struct noted, timer);
    noted->calls++;
    timer_start(timer, 0);
}

static void a_timer_that_starts_for_now_fires_once_a_turn(void **state)
{
    struct loop *loop = loop_create();
    struct noted timed = {0};
    timer_init(&timed.timer, loop, on_timer_again);
    timer_start(&timed.timer, 0);
    loop_turn(loop);
    loop_turn(loop);
    assert_int_equal(timed.calls, 2);
    timer_stop(&timed.timer);
    loop_destroy(loop);
}

static void a_far_timer_does_not_overflow(void **state)
{
    struct loop *loop = loop_create();
    struct noted timed = {0};
    timer_init(&timed.timer, loop, on_timer_again);
    timer_start(&timed.timer, INT64_MAX);
    loop_turn(loop);
    assert_true(timer_running(&timed.timer));
    timer_stop(&timed.timer);
    loop_destroy(loop);
}

static bool was_called(void *owner)
{
    return ((struct noted *)owner)->calls > 0;
}

static void a_real_timer_ends_the_wait_when_it_is_due(void **state)
{
    char log[16] = "";
    struct loop *loop = loop_create();
    struct noted timed = {.log = log, .letter = 't'};
    timer_init(&timed.timer, loop, timer_note);
    int64_t begin_ns = clock_now_ns();
    timer_start(&timed.timer, 20 * NS_PER_MS);
    assert_true(loop_run_until(loop, was_called, &timed, 10000));
    assert_true(clock_now_ns() - begin_ns >= 20 * NS_PER_MS);
    /* It waited; it did not spin. */
    assert_true(loop_turns(loop) < 10);
    loop_destroy(loop);
}

static void waiting_for_what_never_comes_ends_at_the_deadline(void **state)
{
    struct loop *loop = loop_create();
    struct noted never = {0};
    assert_false(loop_run_until(loop, was_called, &never, 10));
    assert_true(loop_turns(loop) < 10);
    loop_destroy(loop);
}

struct watched {
    struct watch watch;
    unsigned events;
    int calls;
};

static void on_watched(struct watch *watch, unsigned events)
{
    struct watched *watched = CONTAINER_OF(watch, struct watched, watch);
    watched->events |= events;
    watched->calls++;
}

static void a_watch_tells_only_what_is_wanted_and_tells_it_each_turn(void **state)
{
    struct loop *loop = loop_create();
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    struct watched watched = {0};
    watch_init(&watched.watch, loop, pair[0], on_watched);
    loop_turn(loop);
    assert_int_equal(watched.calls, 0);
    watch_want(&watched.watch, WATCH_READ);
    loop_turn(loop);
    loop_turn(loop);
    assert_int_equal(watched.calls, 2);
    assert_int_equal(watched.events, WATCH_READ);
    watch_want(&watched.watch, WATCH_WRITE);
    loop_turn(loop);
    assert_int_equal(watched.events, WATCH_READ | WATCH_WRITE);
    watch_stop(&watched.watch);
    loop_turn(loop);
    assert_int_equal(watched.calls, 3);
    close(pair[0]);
    close(pair[1]);
    loop_destroy(loop);
}

static int signal_seen;

static void on_signal(void *owner, int signal_number)
{
    signal_seen = signal_number;
    loop_stop(owner);
}

static void a_signal_becomes_a_call(void **state)
{
    struct loop *loop = loop_create();
    loop_on_signal(loop, SIGUSR1, on_signal, loop);
    raise(SIGUSR1);
    loop_run(loop);
    assert_int_equal(signal_seen, SIGUSR1);
    loop_destroy(loop);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_turn_runs_its_phases_in_order),
        cmocka_unit_test(a_task_queued_twice_runs_once_and_a_cancelled_one_never),
        cmocka_unit_test(a_flush_that_queues_flushes_stays_in_its_turn),
        cmocka_unit_test(a_flush_without_end_is_bounded_by_the_turn),
        cmocka_unit_test(a_ready_task_that_queues_itself_runs_once_a_turn),
        cmocka_unit_test(settling_ends_when_work_does_not),
        cmocka_unit_test(what_is_queued_to_be_freed_is_freed_by_destroy),
        cmocka_unit_test(timers_fire_in_order_at_their_exact_time),
        cmocka_unit_test(a_timer_moved_later_fires_once_and_later),
        cmocka_unit_test(a_timer_that_starts_for_now_fires_once_a_turn),
        cmocka_unit_test(a_far_timer_does_not_overflow),
        cmocka_unit_test(a_real_timer_ends_the_wait_when_it_is_due),
        cmocka_unit_test(waiting_for_what_never_comes_ends_at_the_deadline),
        cmocka_unit_test(a_watch_tells_only_what_is_wanted_and_tells_it_each_turn),
        cmocka_unit_test(a_signal_becomes_a_call),
    };
    return TEST_MAIN(cases, argc, argv);
}
