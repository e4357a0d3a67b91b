#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "proxy/upstream/balancer.h"
#include "tests/unit/proxy/upstream/upstream_rig.h"

static struct rig rig;

static int64_t ms(double value)
{
    return (int64_t)(value * (double)NS_PER_MS);
}

static double rtt_ms(const struct endpoint *endpoint, int64_t now_ns)
{
    return endpoint_rtt_ns(endpoint, now_ns) / (double)NS_PER_MS;
}

static struct endpoint *open_endpoint(void)
{
    rig_init(&rig);
    return rig_plain(&rig, 1, NULL)->endpoints[0];
}

static void the_numbers_of_lb1_hold(void **state)
{
    struct endpoint *endpoint = open_endpoint();
    assert_float_equal(rtt_ms(endpoint, 0), 30.0, 1e-9);
    endpoint_sample(endpoint, ms(100), 0);
    assert_float_equal(rtt_ms(endpoint, 0), 100.0, 1e-9);
    assert_float_equal(rtt_ms(endpoint, 10 * NS_PER_S), 36.788, 0.0005);
    /* Reading changes nothing. */
    assert_float_equal(rtt_ms(endpoint, 10 * NS_PER_S), 36.788, 0.0005);
    endpoint_sample(endpoint, ms(20), 10 * NS_PER_S);
    assert_float_equal(rtt_ms(endpoint, 10 * NS_PER_S), 49.430, 0.0005);
    rig_done(&rig);
}

static void a_sample_above_the_decayed_value_replaces_it(void **state)
{
    struct endpoint *endpoint = open_endpoint();
    endpoint_sample(endpoint, ms(100), 0);
    endpoint_sample(endpoint, ms(40), 10 * NS_PER_S);
    assert_float_equal(rtt_ms(endpoint, 10 * NS_PER_S), 40.0, 1e-6);
    rig_done(&rig);
}

static void a_read_never_falls_below_a_millisecond(void **state)
{
    struct endpoint *endpoint = open_endpoint();
    endpoint_sample(endpoint, 0, 0);
    assert_float_equal(rtt_ms(endpoint, 0), 1.0, 1e-9);
    assert_float_equal(rtt_ms(endpoint, 3600 * NS_PER_S), 1.0, 1e-9);
    rig_done(&rig);
}

static void a_clock_that_stands_still_decays_nothing(void **state)
{
    struct endpoint *endpoint = open_endpoint();
    endpoint_sample(endpoint, ms(50), 5);
    endpoint_sample(endpoint, ms(10), 5);
    assert_float_equal(rtt_ms(endpoint, 5), 50.0, 1e-6);
    assert_float_equal(rtt_ms(endpoint, 1), 50.0, 1e-6);
    rig_done(&rig);
}

static void a_failure_counts_as_five_seconds_and_decays_to_the_start_in_51_2_seconds(void **state)
{
    struct endpoint *endpoint = open_endpoint();
    struct lease_outcome outcome = {.status = 503, .grpc_status = -1, .latency_ns = ms(2)};
    endpoint_record(endpoint, &outcome, 0);
    assert_float_equal(rtt_ms(endpoint, 0), 5000.0, 1e-6);
    assert_float_equal(rtt_ms(endpoint, ms(51160)), 30.0, 0.01);
    rig_done(&rig);
}

static void outcomes_are_judged(void **state)
{
    static const struct {
        struct lease_outcome outcome;
        uint64_t successes, failures;
        bool sampled;
    } rows[] = {
        {{.status = 200, .grpc_status = -1, .latency_ns = 1}, 1, 0, true},
        {{.status = 404, .grpc_status = -1, .latency_ns = 1}, 1, 0, true},
        {{.status = 429, .grpc_status = -1, .latency_ns = 1}, 0, 1, true},
        {{.status = 500, .grpc_status = -1, .latency_ns = 1}, 0, 1, true},
        {{.status = 200, .grpc_status = 0, .latency_ns = 1}, 1, 0, true},
        {{.status = 200, .grpc_status = 5, .latency_ns = 1}, 1, 0, true},
        {{.status = 200, .grpc_status = 7, .latency_ns = 1}, 1, 0, true},
        {{.status = 200, .grpc_status = 2, .latency_ns = 1}, 0, 1, true},
        {{.status = 200, .grpc_status = 4, .latency_ns = 1}, 0, 1, true},
        {{.status = 200, .grpc_status = 8, .latency_ns = 1}, 0, 1, true},
        {{.status = 200, .grpc_status = 13, .latency_ns = 1}, 0, 1, true},
        {{.status = 200, .grpc_status = 14, .latency_ns = 1}, 0, 1, true},
        {{.status = 200, .grpc_status = 15, .latency_ns = 1}, 0, 1, true},
        {{.failure = FAILURE_UPSTREAM_RESET, .grpc_status = -1, .latency_ns = -1}, 0, 1, true},
        {{.failure = FAILURE_PER_TRY_TIMEOUT, .grpc_status = -1, .latency_ns = -1}, 0, 1, true},
        {{.failure = FAILURE_PING_TIMEOUT, .grpc_status = -1, .latency_ns = -1}, 0, 1, true},
        /* It left in good order, or nobody of the endpoint's side is to blame. */
        {{.failure = FAILURE_UPSTREAM_GOAWAY, .grpc_status = -1, .latency_ns = -1}, 0, 0, false},
        {{.failure = FAILURE_UPSTREAM_UNSENT, .grpc_status = -1, .latency_ns = -1}, 0, 0, false},
        {{.failure = FAILURE_DOWNSTREAM_RESET, .grpc_status = -1, .latency_ns = -1}, 0, 0, false},
        {{.failure = FAILURE_LOCAL_SHUTDOWN, .grpc_status = -1, .latency_ns = -1}, 0, 0, false},
        {{.failure = FAILURE_UPSTREAM_RESET, .grpc_status = -1, .latency_ns = 7, .cancelled = true},
         0,
         0,
         true},
        {{.status = 200, .grpc_status = -1, .latency_ns = -1}, 1, 0, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct endpoint *endpoint = open_endpoint();
        endpoint_record(endpoint, &rows[i].outcome, NS_PER_S);
        assert_int_equal(endpoint->successes, rows[i].successes);
        assert_int_equal(endpoint->failures, rows[i].failures);
        assert_int_equal(endpoint->consecutive_failures, rows[i].failures);
        assert_int_equal(endpoint->rtt_ns > 0, rows[i].sampled);
        rig_done(&rig);
    }
}

static void a_success_ends_a_row_of_failures(void **state)
{
    struct endpoint *endpoint = open_endpoint();
    struct lease_outcome bad = {.status = 500, .grpc_status = -1, .latency_ns = -1};
    struct lease_outcome good = {.status = 200, .grpc_status = -1, .latency_ns = -1};
    for (int i = 0; i < 3; i++) {
        endpoint_record(endpoint, &bad, 0);
    }
    assert_int_equal(endpoint->consecutive_failures, 3);
    endpoint_record(endpoint, &good, 0);
    assert_int_equal(endpoint->consecutive_failures, 0);
    assert_int_equal(endpoint->failures, 3);
    rig_done(&rig);
}

static void cost_is_rtt_times_pending_and_one(void **state)
{
    struct endpoint *endpoint = open_endpoint();
    const struct balancer *balancer = endpoint->cluster->balancer;
    endpoint_sample(endpoint, ms(10), 0);
    assert_float_equal(balancer_cost(balancer, endpoint, 0), 10e6, 1);
    endpoint->active = 4;
    assert_float_equal(balancer_cost(balancer, endpoint, 0), 50e6, 1);
    endpoint->active = 0;
    rig_done(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_numbers_of_lb1_hold),
        cmocka_unit_test(a_sample_above_the_decayed_value_replaces_it),
        cmocka_unit_test(a_read_never_falls_below_a_millisecond),
        cmocka_unit_test(a_clock_that_stands_still_decays_nothing),
        cmocka_unit_test(a_failure_counts_as_five_seconds_and_decays_to_the_start_in_51_2_seconds),
        cmocka_unit_test(outcomes_are_judged),
        cmocka_unit_test(a_success_ends_a_row_of_failures),
        cmocka_unit_test(cost_is_rtt_times_pending_and_one),
    };
    return TEST_MAIN(cases, argc, argv);
}
