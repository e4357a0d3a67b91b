#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "tests/unit/proxy/upstream/upstream_rig.h"

static struct rig rig;

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
    rig_all_given_back(cluster);
    assert_int_equal(cluster->counters.connects, 1);
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
    struct cluster *cluster = rig_plain(&rig, 1, rig_http2);
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
    rig_all_given_back(cluster);
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
        struct cluster *cluster = rig_plain(&rig, 1, rig_http2);
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
        rig_all_given_back(cluster);
        rig_done(&rig);
    }
}

static void ending_a_lease_in_any_state_gives_everything_back(void **state)
{
    /* 0: queued; 1: waits for a dial; 2: decided, not told; 3: held; 4: held, connection gone. */
    for (int when = 0; when <= 4; when++) {
        rig_init(&rig);
        rig.codec = HTTP_CODEC_2;
        struct cluster *cluster = rig_plain(&rig, 1, rig_http2);
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
        rig_all_given_back(cluster);
        rig_go(&rig);
        rig_all_given_back(cluster);
        assert_int_equal(a.fails, 0);
        rig_done(&rig);
    }
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
    rig_all_given_back(cluster);
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
    rig_all_given_back(cluster);
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

static void ten_thousand_leases_of_two_kinds_leave_nothing_behind(void **state)
{
    rig_init(&rig);
    rig.connects = rig.answers = true;
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 5, rig_two_by_two);
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
        rig_all_given_back(cluster);
        assert_true(cluster->connections <= 10);
    }
    rig_done(&rig);
}

static void destroying_the_upstream_fails_who_waits_and_resets_who_runs(void **state)
{
    rig_init(&rig);
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 2, rig_http2);
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
        cmocka_unit_test(a_tried_endpoint_is_avoided_while_another_is_in_rotation),
        cmocka_unit_test(callbacks_may_end_and_start_leases),
        cmocka_unit_test(a_callback_may_end_another_lease_whose_turn_is_next),
        cmocka_unit_test(ending_a_lease_in_any_state_gives_everything_back),
        cmocka_unit_test(a_tcp_lease_has_a_connection_of_its_own),
        cmocka_unit_test(a_tcp_lease_that_is_not_taken_is_closed_with_its_end),
        cmocka_unit_test(a_tcp_lease_ended_while_dialling_hangs_up),
        cmocka_unit_test(the_local_leg_is_bound_to_its_own_source),
        cmocka_unit_test(ten_thousand_leases_of_two_kinds_leave_nothing_behind),
        cmocka_unit_test(destroying_the_upstream_fails_who_waits_and_resets_who_runs),
    };
    return TEST_MAIN(cases, argc, argv);
}
