#include "control/serve/push_queue.h"

#include "lib/base/clock.h"
#include "tests/unit/test_main.h"

#define MS NS_PER_MS

enum { MEMBERS = 100 };

struct bench {
    struct loop *loop;
    struct push_queue queue;
    struct push_member members[MEMBERS];
    unsigned visits[MEMBERS];
    unsigned last_types;
    unsigned gathered;
    unsigned answer; /* types of the next on_gathered */
};

static unsigned on_gathered(void *owner)
{
    struct bench *bench = owner;
    bench->gathered++;
    return bench->answer;
}

static void on_visit(void *owner, struct push_member *member, unsigned types)
{
    struct bench *bench = owner;
    bench->visits[member - bench->members]++;
    bench->last_types = types;
}

static const struct push_events events = {on_gathered, on_visit};

static void bench_init(struct bench *bench, size_t members)
{
    *bench = (struct bench){.answer = 1};
    bench->loop = loop_create_simulated(NS_PER_S);
    push_queue_init(&bench->queue, bench->loop, &events, bench);
    for (size_t i = 0; i < members; i++) {
        push_queue_join(&bench->queue, &bench->members[i]);
    }
}

static void bench_done(struct bench *bench)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        push_queue_leave(&bench->members[i]);
    }
    push_queue_done(&bench->queue);
    loop_destroy(bench->loop);
}

static void a_change_is_told_after_the_quiet(void **unused)
{
    struct bench bench;
    bench_init(&bench, 1);
    push_queue_note(&bench.queue);
    loop_advance(bench.loop, 99 * MS);
    assert_int_equal(bench.gathered, 0);
    loop_advance(bench.loop, 2 * MS);
    assert_int_equal(bench.gathered, 1);
    assert_int_equal(bench.visits[0], 1);
    loop_advance(bench.loop, 5000 * MS);
    assert_int_equal(bench.gathered, 1);
    bench_done(&bench);
}

static void many_changes_are_one_push(void **unused)
{
    struct bench bench;
    bench_init(&bench, 1);
    for (int i = 0; i < 9; i++) {
        push_queue_note(&bench.queue);
        loop_advance(bench.loop, 50 * MS);
    }
    assert_int_equal(bench.gathered, 0);
    loop_advance(bench.loop, 60 * MS);
    assert_int_equal(bench.gathered, 1);
    bench_done(&bench);
}

static void changes_without_end_are_told_each_second(void **unused)
{
    struct bench bench;
    bench_init(&bench, 1);
    for (int i = 0; i < 100; i++) {
        push_queue_note(&bench.queue);
        loop_advance(bench.loop, 50 * MS);
    }
    assert_in_range(bench.gathered, 4, 5);
    bench_done(&bench);
}

static void every_member_is_visited_once(void **unused)
{
    struct bench bench;
    bench_init(&bench, MEMBERS);
    push_queue_note(&bench.queue);
    loop_advance(bench.loop, 200 * MS);
    for (size_t i = 0; i < MEMBERS; i++) {
        assert_int_equal(bench.visits[i], 1);
    }
    bench_done(&bench);
}

static void a_turn_visits_a_bounded_number(void **unused)
{
    struct bench bench;
    bench_init(&bench, MEMBERS);
    push_queue_note(&bench.queue);
    timer_stop(&bench.queue.timer);
    bench.queue.timer.on_timer(&bench.queue.timer);
    loop_turn(bench.loop);
    size_t visited = 0;
    for (size_t i = 0; i < MEMBERS; i++) {
        visited += bench.visits[i];
    }
    assert_int_equal(visited, PUSH_VISITS);
    loop_settle(bench.loop);
    assert_int_equal(bench.visits[MEMBERS - 1], 1);
    bench_done(&bench);
}

static void nothing_changed_visits_nobody(void **unused)
{
    struct bench bench;
    bench_init(&bench, 3);
    bench.answer = 0;
    push_queue_note(&bench.queue);
    loop_advance(bench.loop, 200 * MS);
    assert_int_equal(bench.gathered, 1);
    assert_int_equal(bench.visits[0], 0);
    bench_done(&bench);
}

static void types_of_two_pushes_add_up_for_who_waits(void **unused)
{
    struct bench bench;
    bench_init(&bench, 1);
    bench.answer = 1;
    bench.queue.timer.on_timer(&bench.queue.timer);
    bench.answer = 4;
    bench.queue.timer.on_timer(&bench.queue.timer);
    loop_settle(bench.loop);
    assert_int_equal(bench.visits[0], 1);
    assert_int_equal(bench.last_types, 5);
    bench_done(&bench);
}

static void who_left_is_not_visited(void **unused)
{
    struct bench bench;
    bench_init(&bench, 2);
    bench.queue.timer.on_timer(&bench.queue.timer);
    push_queue_leave(&bench.members[0]);
    loop_settle(bench.loop);
    assert_int_equal(bench.visits[0], 0);
    assert_int_equal(bench.visits[1], 1);
    bench_done(&bench);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_change_is_told_after_the_quiet),
        cmocka_unit_test(many_changes_are_one_push),
        cmocka_unit_test(changes_without_end_are_told_each_second),
        cmocka_unit_test(every_member_is_visited_once),
        cmocka_unit_test(a_turn_visits_a_bounded_number),
        cmocka_unit_test(nothing_changed_visits_nobody),
        cmocka_unit_test(types_of_two_pushes_add_up_for_who_waits),
        cmocka_unit_test(who_left_is_not_visited),
    };
    return TEST_MAIN(cases, argc, argv);
}
