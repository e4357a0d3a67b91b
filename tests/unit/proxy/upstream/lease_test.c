#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "tests/unit/proxy/upstream/upstream_rig.h"

static struct rig rig;

static void http2(struct xds_cluster *facts)
{
    facts->protocol = XDS_PROTOCOL_HTTP2;
}

static void two_streams_two_connections(struct xds_cluster *facts)
{
    facts->protocol = XDS_PROTOCOL_HTTP2;
    facts->http2_streams = 2;
    facts->http2_per_endpoint = 2;
}

static void one_connection(struct xds_cluster *facts)
{
    facts->max_connections = 1;
}

static void one_connection_two_pending(struct xds_cluster *facts)
{
    facts->max_connections = 1;
    facts->max_pending = 2;
}

static void no_reuse(struct xds_cluster *facts)
{
    facts->http1_idle_ms = 0;
}

static void everything_was_given_back(const struct cluster *cluster)
{
    assert_int_equal(cluster->leases, 0);
    assert_int_equal(cluster->requests, 0);
    assert_int_equal(cluster->pending, 0);
    assert_int_equal(cluster->queued, 0);
    assert_int_equal(cluster->upstream->requests, 0);
    for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
        assert_int_equal(cluster->endpoints[i]->active, 0);
    }
}

static void a_lease_waits_for_its_connection_and_gets_a_stream(void **state)
{
    rig_init(&rig);
    rig.answers = true;
    struct cluster *cluster = rig_plain(&rig, 1, NULL);
    struct caller a = {0};
    assert_int_equal(caller_start(&a, &rig, cluster, NULL), LEASE_WAIT);
    assert_int_equal(cluster->pending, 1);
    rig_go(&rig);
    assert_int_equal(a.readies, 0);
    rig_connect(&rig, 0);
    rig_go(&rig);
    assert_int_equal(a.readies, 1);
    assert_false(a.lease.reused);
    assert_string_equal(a.lease.endpoint->text, "10.0.0.1:80");
    assert_true(a.ended);
    assert_int_equal(a.head->status, 200);
    caller_end(&a);
    everything_was_given_back(cluster);
    assert_int_equal(cluster->counters.connects, 1);
    rig_done(&rig);
}

static void an_idle_connection_is_used_again_at_once(void **state)
{
    rig_init(&rig);
    rig.answers = rig.connects = true;
    struct cluster *cluster = rig_plain(&rig, 1, NULL);
    for (int i = 0; i < 5; i++) {
        struct caller a = {0};
        assert_int_equal(caller_start(&a, &rig, cluster, NULL), i == 0 ? LEASE_WAIT : LEASE_READY);
        rig_go(&rig);
        assert_true(a.ended);
        assert_int_equal(a.lease.reused, i > 0);
        caller_end(&a);
        rig_go(&rig);
    }
    assert_int_equal(rig.dial_count, 1);
    assert_int_equal(cluster->counters.connections_reused, 4);
    everything_was_given_back(cluster);
    rig_done(&rig);
}

static void an_http1_connection_that_was_idle_for_three_seconds_is_closed(void **state)
{
    rig_init(&rig);
    rig.answers = rig.connects = true;
    struct cluster *cluster = rig_plain(&rig, 1, NULL);
    struct caller a = {0};
    caller_start(&a, &rig, cluster, NULL);
    rig_go(&rig);
    caller_end(&a);
    rig_wait_ms(&rig, 2990);
    assert_int_equal(cluster->connections, 1);
    rig_wait_ms(&rig, 20);
    assert_int_equal(cluster->connections, 0);
    assert_int_equal(cluster->counters.connections_closed, 1);
    rig_done(&rig);
}

static void the_connection_used_last_is_used_next(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    struct cluster *cluster = rig_plain(&rig, 1, NULL);
    struct caller a = {0};
    struct caller b = {0};
    caller_start(&a, &rig, cluster, NULL);
    caller_start(&b, &rig, cluster, NULL);
    rig_go(&rig);
    struct pool_conn *of_a = a.lease.conn;
    struct pool_conn *of_b = b.lease.conn;
    assert_ptr_not_equal(of_a, of_b);
    rig_answer(&rig, 0, 200);
    caller_end(&a);
    rig_go(&rig);
    rig_answer(&rig, 1, 200);
    caller_end(&b);
    rig_go(&rig);
    struct caller c = {0};
    assert_int_equal(caller_start(&c, &rig, cluster, NULL), LEASE_READY);
    assert_ptr_equal(c.lease.conn, of_b);
    caller_end(&c);
    rig_done(&rig);
}

static void an_idle_time_of_zero_means_no_reuse(void **state)
{
    rig_init(&rig);
    rig.answers = rig.connects = true;
    struct cluster *cluster = rig_plain(&rig, 1, no_reuse);
    for (int i = 0; i < 3; i++) {
        struct caller a = {0};
        assert_int_equal(caller_start(&a, &rig, cluster, NULL), LEASE_WAIT);
        rig_go(&rig);
        assert_true(a.ended);
        caller_end(&a);
        rig_go(&rig);
        assert_int_equal(cluster->connections, 0);
    }
    assert_int_equal(rig.dial_count, 3);
    rig_done(&rig);
}

static void many_leases_share_one_http2_dial(void **state)
{
    rig_init(&rig);
    rig.answers = true;
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 1, http2);
    static struct caller callers[100];
    memset(callers, 0, sizeof(callers));
    for (int i = 0; i < 100; i++) {
        assert_int_equal(caller_start(&callers[i], &rig, cluster, NULL), LEASE_WAIT);
    }
    assert_int_equal(rig.dial_count, 1);
    rig_connect(&rig, 0);
    rig_go(&rig);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(callers[i].readies, 1);
        assert_true(callers[i].ended);
        caller_end(&callers[i]);
    }
    assert_int_equal(rig.dial_count, 1);
    everything_was_given_back(cluster);
    rig_done(&rig);
}

static void
another_http2_connection_is_made_only_when_all_are_full_and_up_to_the_limit(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 1, two_streams_two_connections);
    struct caller callers[6] = {0};
    static const size_t dials[] = {1, 1, 2, 2, 2, 2};
    for (int i = 0; i < 6; i++) {
        caller_start(&callers[i], &rig, cluster, NULL);
        rig_go(&rig);
        assert_int_equal(callers[i].readies +
                             (callers[i].status == LEASE_READY && i != 0 && i != 2),
                         i < 4 ? 1 : 0);
        assert_int_equal(rig.dial_count, dials[i]);
    }
    assert_int_equal(cluster->pending, 2);
    /* A stream that ends serves the one who has waited longest. */
    rig_answer(&rig, 0, 200);
    caller_end(&callers[0]);
    rig_go(&rig);
    assert_int_equal(callers[4].readies, 1);
    assert_int_equal(callers[5].readies, 0);
    for (int i = 1; i < 6; i++) {
        caller_end(&callers[i]);
    }
    everything_was_given_back(cluster);
    rig_done(&rig);
}

static void the_http2_connection_with_the_fewest_streams_is_taken(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 1, two_streams_two_connections);
    struct caller callers[4] = {0};
    for (int i = 0; i < 4; i++) {
        caller_start(&callers[i], &rig, cluster, NULL);
        rig_go(&rig);
    }
    struct pool_conn *first = callers[0].lease.conn;
    struct pool_conn *second = callers[2].lease.conn;
    assert_ptr_equal(callers[1].lease.conn, first);
    assert_ptr_not_equal(first, second);
    for (size_t i = 1; i < 4; i++) {
        rig_answer(&rig, i, 200);
        caller_end(&callers[i]);
    }
    rig_go(&rig);
    struct caller again[3] = {0};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(caller_start(&again[i], &rig, cluster, NULL), LEASE_READY);
    }
    assert_ptr_equal(again[0].lease.conn, second);
    /* One each: the tie goes to the oldest. */
    assert_ptr_equal(again[1].lease.conn, first);
    assert_ptr_equal(again[2].lease.conn, second);
    caller_end(&callers[0]);
    for (int i = 0; i < 3; i++) {
        caller_end(&again[i]);
    }
    rig_done(&rig);
}

static void an_aged_connection_takes_no_new_streams_and_ends_with_its_last(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 1, http2);
    struct caller old = {0};
    caller_start(&old, &rig, cluster, NULL);
    rig_go(&rig);
    struct caller middle = {0};
    rig_wait_ms(&rig, 26 * 60 * 1000);
    assert_int_equal(caller_start(&middle, &rig, cluster, NULL), LEASE_READY);
    caller_end(&middle);
    rig_wait_ms(&rig, 8 * 60 * 1000);
    struct caller young = {0};
    assert_int_equal(caller_start(&young, &rig, cluster, NULL), LEASE_WAIT);
    rig_go(&rig);
    assert_int_equal(young.readies, 1);
    assert_ptr_not_equal(young.lease.conn, old.lease.conn);
    assert_int_equal(old.reset, FAILURE_NONE);
    assert_int_equal(cluster->connections, 2);
    rig_answer(&rig, 0, 200);
    assert_true(old.ended);
    caller_end(&old);
    rig_go(&rig);
    assert_int_equal(cluster->connections, 1);
    caller_end(&young);
    rig_done(&rig);
}

static void a_refused_connection_fails_the_leases_that_waited_for_it(void **state)
{
    rig_init(&rig);
    struct cluster *cluster = rig_plain(&rig, 1, NULL);
    struct caller a = {0};
    struct caller b = {0};
    caller_start(&a, &rig, cluster, NULL);
    caller_start(&b, &rig, cluster, NULL);
    assert_int_equal(rig.dial_count, 2);
    rig_refuse(&rig, 0, FAILURE_CONNECT_REFUSED);
    rig_go(&rig);
    assert_int_equal(a.fails, 1);
    assert_int_equal(a.failure, FAILURE_CONNECT_REFUSED);
    assert_string_equal(a.lease.endpoint->text, "10.0.0.1:80");
    assert_int_equal(b.fails, 0);
    assert_int_equal(cluster->endpoints[0]->failures, 1);
    caller_end(&a);
    rig_connect(&rig, 1);
    rig_go(&rig);
    assert_int_equal(b.readies, 1);
    caller_end(&b);
    everything_was_given_back(cluster);
    rig_done(&rig);
}

static void a_refused_http2_dial_fails_all_whom_it_would_have_carried(void **state)
{
    rig_init(&rig);
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 1, two_streams_two_connections);
    struct caller callers[4] = {0};
    for (int i = 0; i < 4; i++) {
        caller_start(&callers[i], &rig, cluster, NULL);
    }
    assert_int_equal(rig.dial_count, 2);
    rig_refuse(&rig, 0, FAILURE_CONNECT_UNREACHABLE);
    rig_go(&rig);
    assert_int_equal(callers[0].fails + callers[1].fails, 2);
    assert_int_equal(callers[2].fails + callers[3].fails, 0);
    rig_connect(&rig, 1);
    rig_go(&rig);
    assert_int_equal(callers[2].readies + callers[3].readies, 2);
    for (int i = 0; i < 4; i++) {
        caller_end(&callers[i]);
    }
    /* Once for the connection, not for each lease. */
    assert_int_equal(cluster->endpoints[0]->failures, 1);
    everything_was_given_back(cluster);
    rig_done(&rig);
}

static void a_tried_endpoint_is_avoided_while_another_is_in_rotation(void **state)
{
    rig_init(&rig);
    struct cluster *cluster = rig_plain(&rig, 2, NULL);
    for (int i = 0; i < 50; i++) {
        struct lease_wish wish = {
            .kind = LEASE_HTTP, .tried = {cluster->endpoints[i % 2]}, .tried_count = 1};
        struct caller a = {0};
        caller_start(&a, &rig, cluster, &wish);
        assert_ptr_equal(a.lease.endpoint, cluster->endpoints[1 - i % 2]);
        caller_end(&a);
    }
    struct lease_wish both = {.kind = LEASE_HTTP,
                              .tried = {cluster->endpoints[0], cluster->endpoints[1]},
                              .tried_count = 2};
    struct caller b = {0};
    assert_int_equal(caller_start(&b, &rig, cluster, &both), LEASE_WAIT);
    assert_non_null(b.lease.endpoint);
    caller_end(&b);
    rig_done(&rig);
}

static void an_abandoned_dial_goes_to_the_pool_when_it_completes(void **state)
{
    rig_init(&rig);
    rig.answers = true;
    struct cluster *cluster = rig_plain(&rig, 1, NULL);
    struct caller a = {0};
    caller_start(&a, &rig, cluster, NULL);
    caller_end(&a);
    everything_was_given_back(cluster);
    assert_int_equal(cluster->connections, 1);
    rig_connect(&rig, 0);
    rig_go(&rig);
    assert_int_equal(a.readies + a.fails, 0);
    struct caller b = {0};
    assert_int_equal(caller_start(&b, &rig, cluster, NULL), LEASE_READY);
    rig_go(&rig);
    assert_true(b.ended);
    caller_end(&b);
    assert_int_equal(rig.dial_count, 1);
    rig_done(&rig);
}

static void beyond_the_connection_limit_leases_wait_in_order(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    struct cluster *cluster = rig_plain(&rig, 1, one_connection);
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
    everything_was_given_back(cluster);
    rig_done(&rig);
}

static void a_full_endpoint_is_passed_over_for_one_with_room(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    struct cluster *cluster = rig_plain(&rig, 3, one_connection);
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
    everything_was_given_back(cluster);
    rig_done(&rig);
}

static void who_waits_longer_than_the_queue_timeout_fails(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    struct cluster *cluster = rig_plain(&rig, 1, one_connection);
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
    everything_was_given_back(cluster);
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
    everything_was_given_back(cluster);
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
    everything_was_given_back(cluster);
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
    everything_was_given_back(cluster);
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

static void start_another(struct caller *caller)
{
    static struct caller next;
    memset(&next, 0, sizeof(next));
    caller->then = NULL;
    lease_end(&caller->lease, NULL);
    caller_start(&next, caller->rig, cluster_find(caller->rig->upstream, SPAN("c")), NULL);
    caller_end(&next);
}

static void callbacks_may_end_and_start_leases(void **state)
{
    rig_init(&rig);
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 1, http2);
    struct caller callers[3] = {0};
    for (int i = 0; i < 3; i++) {
        callers[i].mute = true;
        callers[i].then = start_another;
        caller_start(&callers[i], &rig, cluster, NULL);
    }
    rig_connect(&rig, 0);
    rig_go(&rig);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(callers[i].readies, 1);
    }
    everything_was_given_back(cluster);
    rig_done(&rig);
}

static struct caller *victim;

static void end_the_victim(struct caller *caller)
{
    caller->then = NULL;
    caller_end(victim);
}

static void a_callback_may_end_another_lease_whose_turn_is_next(void **state)
{
    for (int ready = 0; ready < 2; ready++) {
        rig_init(&rig);
        rig.codec = HTTP_CODEC_2;
        struct cluster *cluster = rig_plain(&rig, 1, http2);
        struct caller a = {.then = end_the_victim};
        struct caller b = {0};
        victim = &b;
        caller_start(&a, &rig, cluster, NULL);
        caller_start(&b, &rig, cluster, NULL);
        if (ready == 1) {
            rig_connect(&rig, 0);
        } else {
            rig_refuse(&rig, 0, FAILURE_CONNECT_REFUSED);
        }
        rig_go(&rig);
        assert_int_equal(a.readies + a.fails, 1);
        assert_int_equal(b.readies + b.fails, 0);
        caller_end(&a);
        everything_was_given_back(cluster);
        rig_done(&rig);
    }
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
    everything_was_given_back(cluster);
    rig_done(&rig);
}

static void a_connection_bound_to_one_source_serves_no_other(void **state)
{
    rig_init(&rig);
    rig.connects = rig.answers = true;
    struct cluster *cluster = rig_plain(&rig, 1, NULL);
    static const char *const sources[] = {"192.0.2.1", "192.0.2.2", "192.0.2.1"};
    for (int i = 0; i < 3; i++) {
        struct lease_wish wish = {.kind = LEASE_HTTP};
        assert_true(address_parse_ip(span_of(sources[i]), &wish.source));
        struct caller a = {0};
        caller_start(&a, &rig, cluster, &wish);
        rig_go(&rig);
        assert_true(a.ended);
        assert_int_equal(a.lease.reused, i == 2);
        caller_end(&a);
        rig_go(&rig);
    }
    assert_int_equal(rig.dial_count, 2);
    assert_int_equal(rig.dials[1].from.bytes[3], 2);
    rig_done(&rig);
}

static void ending_a_lease_in_any_state_gives_everything_back(void **state)
{
    /* 0: queued; 1: waits for a dial; 2: decided, not told; 3: held; 4: held, connection gone. */
    for (int when = 0; when <= 4; when++) {
        rig_init(&rig);
        rig.codec = HTTP_CODEC_2;
        struct cluster *cluster = rig_plain(&rig, 1, http2);
        struct caller a = {0};
        caller_start(&a, &rig, cluster, NULL);
        if (when == 0) {
            rig_wait_ms(&rig, 10);
        } else if (when >= 2) {
            rig_connect(&rig, 0);
            if (when == 2) {
                loop_turn(rig.loop);
            } else {
                rig_go(&rig);
            }
        }
        if (when == 4) {
            http_conn_close(rig.dials[0].server, FAILURE_DOWNSTREAM_ABUSE);
            rig_go(&rig);
            assert_int_not_equal(a.reset, FAILURE_NONE);
        }
        caller_end(&a);
        caller_end(&a);
        everything_was_given_back(cluster);
        rig_go(&rig);
        everything_was_given_back(cluster);
        assert_int_equal(a.fails, 0);
        rig_done(&rig);
    }
}

static void a_connection_that_dies_takes_its_streams_and_leaves_the_pool(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 1, http2);
    struct caller a = {0};
    caller_start(&a, &rig, cluster, NULL);
    rig_go(&rig);
    pipe_fail(rig.dials[0].near, FAILURE_UPSTREAM_RESET);
    rig_go(&rig);
    assert_int_not_equal(a.reset, FAILURE_NONE);
    assert_int_equal(cluster->connections, 0);
    assert_int_equal(cluster->leases, 1);
    struct caller b = {0};
    assert_int_equal(caller_start(&b, &rig, cluster, NULL), LEASE_WAIT);
    rig_go(&rig);
    assert_int_equal(b.readies, 1);
    caller_end_with(&a, a.reset, 0, -1);
    caller_end(&b);
    everything_was_given_back(cluster);
    rig_done(&rig);
}

static void the_server_s_goaway_moves_new_streams_to_another_connection(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 1, http2);
    struct caller a = {0};
    caller_start(&a, &rig, cluster, NULL);
    rig_go(&rig);
    http_conn_drain(rig.dials[0].server);
    rig_go(&rig);
    struct caller b = {0};
    assert_int_equal(caller_start(&b, &rig, cluster, NULL), LEASE_WAIT);
    rig_go(&rig);
    assert_int_equal(rig.dial_count, 2);
    assert_int_equal(a.reset, FAILURE_NONE);
    rig_answer(&rig, 0, 200);
    assert_true(a.ended);
    caller_end(&a);
    caller_end(&b);
    rig_done(&rig);
}

static void a_tcp_lease_has_a_connection_of_its_own(void **state)
{
    rig_init(&rig);
    rig.raw = true;
    struct cluster *cluster = rig_plain(&rig, 1, NULL);
    struct lease_wish wish = {.kind = LEASE_TCP};
    struct caller a = {0};
    assert_int_equal(caller_start(&a, &rig, cluster, &wish), LEASE_WAIT);
    assert_int_equal(rig.dials[0].timeout_ms, 1000);
    rig_connect(&rig, 0);
    rig_go(&rig);
    assert_int_equal(a.readies, 1);
    assert_non_null(a.lease.transport);
    assert_true(a.lease.transport->is_ready);
    assert_int_equal(cluster->connections, 1);
    struct transport *taken = a.lease.transport;
    a.lease.transport = NULL;
    caller_end(&a);
    assert_int_equal(cluster->connections, 0);
    everything_was_given_back(cluster);
    assert_int_equal(pipe_other_end(rig.dials[0].far), PIPE_OPEN);
    transport_close(taken);
    rig_go(&rig);
    rig_done(&rig);
}

static void a_tcp_lease_that_is_not_taken_is_closed_with_its_end(void **state)
{
    rig_init(&rig);
    rig.raw = true;
    rig.connects = true;
    struct cluster *cluster = rig_plain(&rig, 1, NULL);
    struct lease_wish wish = {.kind = LEASE_TCP};
    struct caller a = {0};
    caller_start(&a, &rig, cluster, &wish);
    rig_go(&rig);
    caller_end(&a);
    assert_int_equal(pipe_other_end(rig.dials[0].far), PIPE_CLOSED);
    rig_done(&rig);
}

static void a_tcp_lease_ended_while_dialling_hangs_up(void **state)
{
    rig_init(&rig);
    rig.raw = true;
    struct cluster *cluster = rig_plain(&rig, 1, NULL);
    struct lease_wish wish = {.kind = LEASE_TCP};
    struct caller a = {0};
    caller_start(&a, &rig, cluster, &wish);
    caller_end(&a);
    assert_int_equal(cluster->connections, 0);
    assert_int_equal(pipe_other_end(rig.dials[0].far), PIPE_ABORTED);
    everything_was_given_back(cluster);
    rig_done(&rig);
}

static void tcp_leases_keep_to_the_connection_limit(void **state)
{
    rig_init(&rig);
    rig.raw = true;
    rig.connects = true;
    struct cluster *cluster = rig_plain(&rig, 1, one_connection);
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
    everything_was_given_back(cluster);
    rig_done(&rig);
}

static void the_local_leg_is_bound_to_its_own_source(void **state)
{
    rig_init(&rig);
    rig.raw = true;
    assert_true(address_parse_ip(SPAN("127.0.0.6"), &rig.upstream->local_source4));
    assert_true(address_parse_ip(SPAN("::6"), &rig.upstream->local_source6));
    struct address to;
    struct caller callers[3] = {0};
    struct lease_wish tcp = {.kind = LEASE_TCP};
    assert_true(address_parse(SPAN("10.1.0.1:8080"), &to));
    struct cluster *local4 =
        cluster_adopt(rig.upstream, cluster_config_local(SPAN("inbound|10.1.0.1:8080"), &to, 0));
    caller_start(&callers[0], &rig, local4, &tcp);
    assert_true(address_equal(&rig.dials[0].from, &rig.upstream->local_source4));
    assert_int_equal(rig.dials[0].timeout_ms, 300);
    struct cluster *elsewhere = cluster_adopt(
        rig.upstream, cluster_config_passthrough(SPAN("passthrough|10.1.0.1:8080"), &to));
    caller_start(&callers[1], &rig, elsewhere, &tcp);
    assert_int_equal(rig.dials[1].from.family, 0);
    assert_true(address_parse(SPAN("[fd00::1]:8080"), &to));
    struct cluster *local6 =
        cluster_adopt(rig.upstream, cluster_config_local(SPAN("inbound|[fd00::1]:8080"), &to, 0));
    caller_start(&callers[2], &rig, local6, &tcp);
    assert_true(address_equal(&rig.dials[2].from, &rig.upstream->local_source6));
    for (int i = 0; i < 3; i++) {
        caller_end(&callers[i]);
    }
    rig_done(&rig);
}

static void the_codec_is_the_declared_one_else_what_the_client_spoke(void **state)
{
    static const struct {
        uint8_t protocol;
        bool client_http2;
        enum http_codec codec;
    } rows[] = {
        {XDS_PROTOCOL_AUTO, false, HTTP_CODEC_1},  {XDS_PROTOCOL_AUTO, true, HTTP_CODEC_2},
        {XDS_PROTOCOL_HTTP1, true, HTTP_CODEC_1},  {XDS_PROTOCOL_HTTP2, false, HTTP_CODEC_2},
        {XDS_PROTOCOL_HTTP1, false, HTTP_CODEC_1}, {XDS_PROTOCOL_HTTP2, true, HTTP_CODEC_2},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rig_init(&rig);
        rig.connects = rig.answers = true;
        rig.codec = rows[i].codec;
        struct address to;
        assert_true(address_parse(SPAN("10.1.0.1:8080"), &to));
        struct cluster *cluster =
            cluster_adopt(rig.upstream, cluster_config_local(SPAN("inbound|10.1.0.1:8080"), &to,
                                                             rows[i].protocol));
        struct lease_wish wish = {.kind = LEASE_HTTP, .http2_cleartext = rows[i].client_http2};
        struct caller a = {0};
        caller_start(&a, &rig, cluster, &wish);
        rig_go(&rig);
        assert_true(a.ended);
        assert_int_equal(a.head->version, rows[i].codec == HTTP_CODEC_2 ? 20 : 11);
        caller_end(&a);
        rig_done(&rig);
    }
}

static void ten_thousand_leases_of_two_kinds_leave_nothing_behind(void **state)
{
    rig_init(&rig);
    rig.connects = rig.answers = true;
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 5, two_streams_two_connections);
    for (int round = 0; round < 60; round++) {
        static struct caller callers[40];
        memset(callers, 0, sizeof(callers));
        for (int i = 0; i < 40; i++) {
            caller_start(&callers[i], &rig, cluster, NULL);
            if (i % 7 == 3) {
                caller_end(&callers[i]);
            }
        }
        rig_go(&rig);
        for (int i = 0; i < 40; i++) {
            if (i % 7 != 3 && callers[i].status == LEASE_READY) {
                assert_true(callers[i].ended);
            }
            caller_end(&callers[i]);
        }
        rig_go(&rig);
        everything_was_given_back(cluster);
        assert_true(cluster->connections <= 10);
    }
    rig_done(&rig);
}

static void destroying_the_upstream_fails_who_waits_and_resets_who_runs(void **state)
{
    rig_init(&rig);
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 2, http2);
    struct caller runs = {0};
    struct caller waits = {0};
    struct lease_wish first = {
        .kind = LEASE_HTTP, .tried = {cluster->endpoints[1]}, .tried_count = 1};
    struct lease_wish second = {
        .kind = LEASE_HTTP, .tried = {cluster->endpoints[0]}, .tried_count = 1};
    caller_start(&runs, &rig, cluster, &first);
    rig_connect(&rig, 0);
    rig_go(&rig);
    caller_start(&waits, &rig, cluster, &second);
    upstream_destroy(rig.upstream);
    assert_int_equal(waits.failure, FAILURE_LOCAL_SHUTDOWN);
    rig_go(&rig);
    assert_int_equal(runs.reset, FAILURE_LOCAL_SHUTDOWN);
    caller_end(&runs);
    caller_end(&waits);
    rig_go(&rig);
    rig.upstream = NULL;
    rig_done(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_lease_waits_for_its_connection_and_gets_a_stream),
        cmocka_unit_test(an_idle_connection_is_used_again_at_once),
        cmocka_unit_test(an_http1_connection_that_was_idle_for_three_seconds_is_closed),
        cmocka_unit_test(the_connection_used_last_is_used_next),
        cmocka_unit_test(an_idle_time_of_zero_means_no_reuse),
        cmocka_unit_test(many_leases_share_one_http2_dial),
        cmocka_unit_test(
            another_http2_connection_is_made_only_when_all_are_full_and_up_to_the_limit),
        cmocka_unit_test(the_http2_connection_with_the_fewest_streams_is_taken),
        cmocka_unit_test(an_aged_connection_takes_no_new_streams_and_ends_with_its_last),
        cmocka_unit_test(a_refused_connection_fails_the_leases_that_waited_for_it),
        cmocka_unit_test(a_refused_http2_dial_fails_all_whom_it_would_have_carried),
        cmocka_unit_test(a_tried_endpoint_is_avoided_while_another_is_in_rotation),
        cmocka_unit_test(an_abandoned_dial_goes_to_the_pool_when_it_completes),
        cmocka_unit_test(beyond_the_connection_limit_leases_wait_in_order),
        cmocka_unit_test(a_full_endpoint_is_passed_over_for_one_with_room),
        cmocka_unit_test(beyond_the_pending_limit_a_lease_fails_at_once),
        cmocka_unit_test(who_waits_longer_than_the_queue_timeout_fails),
        cmocka_unit_test(the_lease_s_own_deadline_ends_the_wait),
        cmocka_unit_test(without_an_endpoint_leases_wait_once_and_then_fail_at_once),
        cmocka_unit_test(who_waits_for_an_endpoint_gets_the_one_that_appears),
        cmocka_unit_test(endpoints_that_never_came_are_a_failure_of_configuration),
        cmocka_unit_test(callbacks_may_end_and_start_leases),
        cmocka_unit_test(a_callback_may_end_another_lease_whose_turn_is_next),
        cmocka_unit_test(beyond_the_cluster_s_request_limit_a_lease_fails_at_once),
        cmocka_unit_test(a_connection_bound_to_one_source_serves_no_other),
        cmocka_unit_test(ending_a_lease_in_any_state_gives_everything_back),
        cmocka_unit_test(a_connection_that_dies_takes_its_streams_and_leaves_the_pool),
        cmocka_unit_test(the_server_s_goaway_moves_new_streams_to_another_connection),
        cmocka_unit_test(a_tcp_lease_has_a_connection_of_its_own),
        cmocka_unit_test(a_tcp_lease_that_is_not_taken_is_closed_with_its_end),
        cmocka_unit_test(a_tcp_lease_ended_while_dialling_hangs_up),
        cmocka_unit_test(tcp_leases_keep_to_the_connection_limit),
        cmocka_unit_test(the_local_leg_is_bound_to_its_own_source),
        cmocka_unit_test(the_codec_is_the_declared_one_else_what_the_client_spoke),
        cmocka_unit_test(ten_thousand_leases_of_two_kinds_leave_nothing_behind),
        cmocka_unit_test(destroying_the_upstream_fails_who_waits_and_resets_who_runs),
    };
    return TEST_MAIN(cases, argc, argv);
}
