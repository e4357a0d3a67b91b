#include "tests/unit/test_main.h"

#include "bench/load/load_plan.h"
#include "lib/base/clock.h"
#include "tests/unit/bench/load/load_server.h"

#include <unistd.h>

static struct load_report run(struct load_plan plan, struct load_server_faults faults)
{
    struct load_server server;
    struct load_report report;
    faults.body_bytes = 1024;
    load_server_start(&server, &faults);
    plan.target = server.address;
    plan.host = "localhost";
    plan.path = "/";
    plan.body_bytes = 1024;
    plan.seed = 7;
    assert_true(plan.rate > 0 ? open_loop_run(&plan, &report) : closed_loop_run(&plan, &report));
    load_server_stop(&server);
    return report;
}

static const struct load_plan closed = {.connections = 4, .requests = 200, .warmup = 10};
static const struct load_plan open = {
    .connections = 4, .rate = 1000, .duration_ns = 400 * NS_PER_MS};

static void a_closed_loop_answers_all_and_counts_none_of_the_warm_up(void **state)
{
    struct load_report report = run(closed, (struct load_server_faults){0});
    assert_int_equal(report.sent, 210);
    assert_int_equal(report.measured, 200);
    assert_int_equal(report.errors, 0);
    assert_int_equal(report.reconnects, 0);
    assert_true(report.measured_ns > 0);
}

static void answers_may_come_byte_by_byte(void **state)
{
    struct load_report report = run(closed, (struct load_server_faults){.pieces = 1});
    assert_int_equal(report.measured, 200);
    assert_int_equal(report.errors, 0);
}

static void a_wrong_status_is_an_error_and_costs_the_connection(void **state)
{
    struct load_report report = run(closed, (struct load_server_faults){.refuse_at = 50});
    assert_int_equal(report.errors, 1);
    assert_int_equal(report.measured, 199);
    assert_int_equal(report.reconnects, 1);
}

static void a_wrong_length_is_an_error(void **state)
{
    struct load_server server;
    struct load_report report;
    struct load_plan plan = closed;
    load_server_start(&server, &(struct load_server_faults){.body_bytes = 1023});
    plan.target = server.address;
    plan.host = "localhost";
    plan.path = "/";
    plan.body_bytes = 1024;
    assert_true(closed_loop_run(&plan, &report));
    load_server_stop(&server);
    assert_int_equal(report.errors, 210);
    assert_int_equal(report.measured, 0);
}

static void a_connection_closed_under_a_request_is_an_error_and_opened_again(void **state)
{
    struct load_report report = run(closed, (struct load_server_faults){.close_at = 20});
    assert_int_equal(report.errors, 1);
    assert_int_equal(report.reconnects, 1);
    assert_int_equal(report.measured, 199);
}

static void the_cpu_time_of_a_process_is_watched(void **state)
{
    struct load_plan plan = closed;
    plan.requests = 20000;
    plan.pids[0] = getpid();
    plan.pid_count = 1;
    struct load_report report = run(plan, (struct load_server_faults){0});
    assert_true(report.cpu_ns > 0);
    assert_true(report.cpu_ns <= 2 * report.measured_ns);
}

static void an_open_loop_sends_at_its_rate_and_discards_the_beginning(void **state)
{
    struct load_plan plan = open;
    plan.discard_ns = 100 * NS_PER_MS;
    struct load_report report = run(plan, (struct load_server_faults){0});
    assert_in_range(report.sent, 300, 500);
    assert_int_equal(report.errors, 0);
    assert_in_range(report.latencies.count, 200, report.sent - 50);
    samples_done(&report.latencies);
}

/* All requests that were due in the 200 ms wait for it, not only the four that were in flight. */
static void a_stall_is_charged_to_every_request_that_was_due_meanwhile(void **state)
{
    struct load_report report =
        run(open, (struct load_server_faults){.stall_at = 100, .stall_ms = 200});
    size_t late = 0;
    for (size_t i = 0; i < report.latencies.count; i++) {
        late += report.latencies.values[i] > 50 * NS_PER_MS;
    }
    assert_int_equal(report.errors, 0);
    assert_true(late > 100);
    assert_true(report.longest_queue > 100);
    assert_true(samples_quantile(&report.latencies, 1) > 150 * NS_PER_MS);
    samples_done(&report.latencies);
}

/* This one waits the five seconds that the loop grants. */
static void a_request_that_is_never_answered_is_an_error(void **state)
{
    struct load_report report = run(open, (struct load_server_faults){.silent_at = 100});
    assert_int_equal(report.errors, 1);
    assert_int_equal(report.latencies.count, report.sent - 1);
    samples_done(&report.latencies);
}

static void nobody_listening_is_told_not_measured(void **state)
{
    struct load_server server;
    struct load_report report;
    struct load_plan plan = closed;
    load_server_start(&server, &(struct load_server_faults){0});
    load_server_stop(&server);
    plan.target = server.address;
    plan.host = "localhost";
    plan.path = "/";
    assert_false(closed_loop_run(&plan, &report));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_closed_loop_answers_all_and_counts_none_of_the_warm_up),
        cmocka_unit_test(answers_may_come_byte_by_byte),
        cmocka_unit_test(a_wrong_status_is_an_error_and_costs_the_connection),
        cmocka_unit_test(a_wrong_length_is_an_error),
        cmocka_unit_test(a_connection_closed_under_a_request_is_an_error_and_opened_again),
        cmocka_unit_test(the_cpu_time_of_a_process_is_watched),
        cmocka_unit_test(an_open_loop_sends_at_its_rate_and_discards_the_beginning),
        cmocka_unit_test(a_stall_is_charged_to_every_request_that_was_due_meanwhile),
        cmocka_unit_test(a_request_that_is_never_answered_is_an_error),
        cmocka_unit_test(nobody_listening_is_told_not_measured),
    };
    return TEST_MAIN(cases, argc, argv);
}
