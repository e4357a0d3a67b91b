#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "tests/unit/proxy/upstream/upstream_rig.h"

static struct rig rig;

static void no_reuse(struct xds_cluster *facts)
{
    facts->http1_idle_ms = 0;
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
    rig_all_given_back(cluster);
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
    struct cluster *cluster = rig_plain(&rig, 1, rig_http2);
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
    rig_all_given_back(cluster);
    rig_done(&rig);
}

static void
another_http2_connection_is_made_only_when_all_are_full_and_up_to_the_limit(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 1, rig_two_by_two);
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
    rig_all_given_back(cluster);
    rig_done(&rig);
}

static void the_http2_connection_with_the_fewest_streams_is_taken(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 1, rig_two_by_two);
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
    struct cluster *cluster = rig_plain(&rig, 1, rig_http2);
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
    rig_all_given_back(cluster);
    rig_done(&rig);
}

static void a_refused_http2_dial_fails_all_whom_it_would_have_carried(void **state)
{
    rig_init(&rig);
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 1, rig_two_by_two);
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
    rig_all_given_back(cluster);
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
    rig_all_given_back(cluster);
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

static void a_connection_that_dies_takes_its_streams_and_leaves_the_pool(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 1, rig_http2);
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
    rig_all_given_back(cluster);
    rig_done(&rig);
}

/* Accepts and is gone before it carried anybody: as good as refused, not a reason to dial again. */
static void a_connection_that_dies_unused_is_a_failed_dial(void **state)
{
    static void (*const codecs[])(struct xds_cluster *) = {NULL, rig_http2};
    for (size_t i = 0; i < 2; i++) {
        rig_init(&rig);
        rig.raw = true;
        struct cluster *cluster = rig_plain(&rig, 1, codecs[i]);
        struct caller a = {0};
        caller_start(&a, &rig, cluster, NULL);
        for (size_t at = 0; at < rig.dial_count && at < 10; at++) {
            rig_connect(&rig, at);
            transport_close(rig.dials[at].far);
            rig.dials[at].far = NULL;
            rig_go(&rig);
        }
        assert_int_equal(rig.dial_count, 1);
        assert_int_equal(a.readies + a.fails, 1);
        enum failure failure = a.fails > 0 ? a.failure : a.reset;
        assert_int_equal(failure_facts(failure)->retry_class, RETRY_CLASS_NEVER_PROCESSED);
        caller_end(&a);
        rig_all_given_back(cluster);
        rig_done(&rig);
    }
}

static void the_server_s_goaway_moves_new_streams_to_another_connection(void **state)
{
    rig_init(&rig);
    rig.connects = true;
    rig.codec = HTTP_CODEC_2;
    struct cluster *cluster = rig_plain(&rig, 1, rig_http2);
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

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
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
        cmocka_unit_test(an_abandoned_dial_goes_to_the_pool_when_it_completes),
        cmocka_unit_test(a_connection_bound_to_one_source_serves_no_other),
        cmocka_unit_test(a_connection_that_dies_takes_its_streams_and_leaves_the_pool),
        cmocka_unit_test(a_connection_that_dies_unused_is_a_failed_dial),
        cmocka_unit_test(the_server_s_goaway_moves_new_streams_to_another_connection),
        cmocka_unit_test(the_codec_is_the_declared_one_else_what_the_client_spoke),
    };
    return TEST_MAIN(cases, argc, argv);
}
