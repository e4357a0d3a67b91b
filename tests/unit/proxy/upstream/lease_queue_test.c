#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "tests/unit/proxy/upstream/upstream_rig.h"

static struct rig rig;

static void one_connection_two_pending(struct xds_cluster *facts)
{
    facts->max_connections = 1;
    facts->max_pending = 2;
}

static void beyond_the_connection_limit_leases_wait_in_order(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    struct cluster *cluster = rig_plain(&rig, 1, rig_one_connection);
    struct caller callers[4] = {0};
    for (int i = 0; i < 4; i++) {
        caller_start(&callers[i], &rig, cluster, NULL);
    }
    rig_go(&rig);
    assert_int_equal(rig.dial_count, 1);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(callers[i].readies, 1);
        assert_int_equal(cluster->pending, 3 - i);
        rig_answer(&rig, i, 200);
        caller_end(&callers[i]);
        rig_go(&rig);
    }
    assert_int_equal(rig.dial_count, 1);
    rig_all_given_back(cluster);
    rig_done(&rig);
}

static void a_full_endpoint_is_passed_over_for_one_with_room(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    struct cluster *cluster = rig_plain(&rig, 3, rig_one_connection);
    struct caller callers[4] = {0};
    for (int i = 0; i < 4; i++) {
        caller_start(&callers[i], &rig, cluster, NULL);
        rig_go(&rig);
    }
    assert_int_equal(rig.dial_count, 3);
    assert_int_equal(callers[3].status, LEASE_WAIT);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(cluster->endpoints[i]->connections, 1);
    }
    for (int i = 0; i < 4; i++) {
        caller_end(&callers[i]);
    }
    rig_done(&rig);
}

static void beyond_the_pending_limit_a_lease_fails_at_once(void **state)
{
    rig_init(&rig);
    struct cluster *cluster = rig_plain(&rig, 1, one_connection_two_pending);
    struct caller callers[4] = {0};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(caller_start(&callers[i], &rig, cluster, NULL), LEASE_WAIT);
    }
    assert_int_equal(caller_start(&callers[3], &rig, cluster, NULL), LEASE_FAILED);
    assert_int_equal(callers[3].failure, FAILURE_OVERFLOW_PENDING);
    assert_int_equal(cluster->counters.pending_overflow, 1);
    for (int i = 0; i < 4; i++) {
        caller_end(&callers[i]);
    }
    rig_all_given_back(cluster);
    rig_done(&rig);
}

static void who_waits_longer_than_the_queue_timeout_fails(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    struct cluster *cluster = rig_plain(&rig, 1, rig_one_connection);
    struct caller a = {0};
    struct caller b = {0};
    caller_start(&a, &rig, cluster, NULL);
    rig_go(&rig);
    caller_start(&b, &rig, cluster, NULL);
    rig_wait_ms(&rig, 2999);
    assert_int_equal(b.fails, 0);
    rig_wait_ms(&rig, 2);
    assert_int_equal(b.fails, 1);
    assert_int_equal(b.failure, FAILURE_OVERFLOW_CONNECTIONS);
    assert_int_equal(cluster->counters.connection_overflow, 1);
    caller_end(&a);
    caller_end(&b);
    rig_all_given_back(cluster);
    rig_done(&rig);
}

static void the_lease_s_own_deadline_ends_the_wait(void **state)
{
    rig_init(&rig);
    struct cluster *cluster = rig_plain(&rig, 1, NULL);
    struct lease_wish wish = {.kind = LEASE_HTTP,
                              .deadline_ns = loop_now_ns(rig.loop) + 50 * NS_PER_MS};
    struct caller slow = {0};
    struct caller a = {0};
    caller_start(&slow, &rig, cluster, NULL);
    caller_start(&a, &rig, cluster, &wish);
    rig_wait_ms(&rig, 51);
    assert_int_equal(a.failure, FAILURE_REQUEST_TIMEOUT);
    assert_int_equal(slow.fails, 0);
    rig_wait_ms(&rig, 3000);
    assert_int_equal(slow.failure, FAILURE_CONNECT_TIMEOUT);
    assert_non_null(slow.lease.endpoint);
    rig_all_given_back(cluster);
    rig_refuse(&rig, 0, FAILURE_CONNECT_TIMEOUT);
    rig_refuse(&rig, 1, FAILURE_CONNECT_TIMEOUT);
    rig_done(&rig);
}

static void without_an_endpoint_leases_wait_once_and_then_fail_at_once(void **state)
{
    rig_init(&rig);
    struct xds_cluster facts;
    xds_cluster_init(&facts);
    facts.name = SPAN("c");
    facts.tls = XDS_TLS_NONE;
    struct xds_endpoint endpoint = rig_endpoint(1);
    rig_cluster(&rig, &facts, &endpoint, 0);
    rig_apply(&rig);
    struct cluster *cluster = cluster_find(rig.upstream, SPAN("c"));
    struct caller a = {0};
    assert_int_equal(caller_start(&a, &rig, cluster, NULL), LEASE_WAIT);
    rig_wait_ms(&rig, 3001);
    assert_int_equal(a.failure, FAILURE_NO_ENDPOINT);
    assert_null(a.lease.endpoint);
    struct caller b = {0};
    assert_int_equal(caller_start(&b, &rig, cluster, NULL), LEASE_FAILED);
    assert_int_equal(b.failure, FAILURE_NO_ENDPOINT);
    /* Until one appears. */
    rig_cluster(&rig, &facts, &endpoint, 1);
    rig_apply(&rig);
    struct caller c = {0};
    assert_int_equal(caller_start(&c, &rig, cluster, NULL), LEASE_WAIT);
    caller_end(&c);
    rig_all_given_back(cluster);
    rig_done(&rig);
}

static void who_waits_for_an_endpoint_gets_the_one_that_appears(void **state)
{
    rig_init(&rig);
    rig.answers = rig.connects = true;
    struct xds_cluster facts;
    xds_cluster_init(&facts);
    facts.name = SPAN("c");
    facts.tls = XDS_TLS_NONE;
    rig_cluster(&rig, &facts, NULL, 0);
    rig_apply(&rig);
    struct cluster *cluster = cluster_find(rig.upstream, SPAN("c"));
    struct caller a = {0};
    assert_int_equal(caller_start(&a, &rig, cluster, NULL), LEASE_WAIT);
    rig_wait_ms(&rig, 100);
    struct xds_endpoint endpoint = rig_endpoint(1);
    rig_cluster(&rig, &facts, &endpoint, 1);
    rig_apply(&rig);
    assert_int_equal(a.readies, 0);
    rig_go(&rig);
    assert_true(a.ended);
    caller_end(&a);
    rig_all_given_back(cluster);
    rig_done(&rig);
}

static void endpoints_that_never_came_are_a_failure_of_configuration(void **state)
{
    rig_init(&rig);
    struct xds_cluster facts;
    xds_cluster_init(&facts);
    facts.name = SPAN("c");
    rig_cluster(&rig, &facts, NULL, 0);
    rig_apply(&rig);
    struct caller a = {0};
    caller_start(&a, &rig, cluster_find(rig.upstream, SPAN("c")), NULL);
    rig_wait_ms(&rig, 3001);
    assert_int_equal(a.failure, FAILURE_CONFIG_TIMEOUT);
    rig_done(&rig);
}

static void two_requests(struct xds_cluster *facts)
{
    facts->protocol = XDS_PROTOCOL_HTTP2;
    facts->max_requests = 2;
}

static void beyond_the_cluster_s_request_limit_a_lease_fails_at_once(void **state)
{
    rig_init(&rig);
    rig.codec = HTTP_CODEC_2;
    rig.connects = true;
    struct cluster *cluster = rig_plain(&rig, 1, two_requests);
    struct caller callers[3] = {0};
    for (int i = 0; i < 2; i++) {
        caller_start(&callers[i], &rig, cluster, NULL);
        rig_go(&rig);
    }
    assert_int_equal(caller_start(&callers[2], &rig, cluster, NULL), LEASE_FAILED);
    assert_int_equal(callers[2].failure, FAILURE_OVERFLOW_REQUESTS);
    caller_end(&callers[0]);
    memset(&callers[2], 0, sizeof(callers[2]));
    assert_int_equal(caller_start(&callers[2], &rig, cluster, NULL), LEASE_READY);
    caller_end(&callers[1]);
    caller_end(&callers[2]);
    rig_all_given_back(cluster);
    rig_done(&rig);
}

static void tcp_leases_keep_to_the_connection_limit(void **state)
{
    rig_init(&rig);
    rig.raw = true;
    rig.connects = true;
    struct cluster *cluster = rig_plain(&rig, 1, rig_one_connection);
    struct lease_wish wish = {.kind = LEASE_TCP};
    struct caller a = {0};
    struct caller b = {0};
    caller_start(&a, &rig, cluster, &wish);
    caller_start(&b, &rig, cluster, &wish);
    rig_go(&rig);
    assert_int_equal(a.readies, 1);
    assert_int_equal(b.readies, 0);
    caller_end(&a);
    rig_go(&rig);
    assert_int_equal(b.readies, 1);
    caller_end(&b);
    rig_all_given_back(cluster);
    rig_done(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(beyond_the_connection_limit_leases_wait_in_order),
        cmocka_unit_test(a_full_endpoint_is_passed_over_for_one_with_room),
        cmocka_unit_test(beyond_the_pending_limit_a_lease_fails_at_once),
        cmocka_unit_test(who_waits_longer_than_the_queue_timeout_fails),
        cmocka_unit_test(the_lease_s_own_deadline_ends_the_wait),
        cmocka_unit_test(without_an_endpoint_leases_wait_once_and_then_fail_at_once),
        cmocka_unit_test(who_waits_for_an_endpoint_gets_the_one_that_appears),
        cmocka_unit_test(endpoints_that_never_came_are_a_failure_of_configuration),
        cmocka_unit_test(beyond_the_cluster_s_request_limit_a_lease_fails_at_once),
        cmocka_unit_test(tcp_leases_keep_to_the_connection_limit),
    };
    return TEST_MAIN(cases, argc, argv);
}
