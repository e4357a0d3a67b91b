#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "proxy/discovery/xds_stream.h"
#include "tests/unit/proxy/discovery/ads_rig.h"

#include <string.h>

static void want(struct ads_rig *rig, enum xds_type type, const char *name)
{
    xds_client_want(rig->client, type, span_of(name));
}

static void delta_asks_once_acknowledges_and_keeps_versions_of_its_own(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, false, false);
    want(&rig, XDS_CLUSTER, "a");
    want(&rig, XDS_CLUSTER, "b");
    xds_client_want_all(rig.client, XDS_PHONE);
    ads_until_asked(&rig, "open delta");
    ads_until_asked(&rig, "PHONE names=* node=web-1,shop");
    ads_until_asked(&rig, "CDS names=a,b");
    assert_false(xds_client_connected(rig.client));
    const struct ads_item items[] = {{"a", "7"}, {"b", "8"}};
    ads_respond(&rig, XDS_CLUSTER, "sys", items, 2, NULL);
    ads_until_heard(&rig, "up");
    ads_until_heard(&rig, "CDS a=7");
    ads_until_heard(&rig, "CDS b=8");
    ads_until_heard(&rig, "CDS batch");
    ads_until_asked(&rig, "CDS nonce=n1");
    assert_true(xds_client_connected(rig.client));
    assert_int_equal(xds_client_counters(rig.client)->acks, 1);
    assert_int_equal(xds_client_counters(rig.client)->resources, 2);
    ads_done(&rig);
}

static void names_are_added_and_dropped_without_a_nonce(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, false, false);
    want(&rig, XDS_LISTENER, "a");
    ads_until_asked(&rig, "LDS names=a node=web-1,shop");
    want(&rig, XDS_LISTENER, "b");
    want(&rig, XDS_LISTENER, "b");
    xds_client_drop(rig.client, XDS_LISTENER, SPAN("a"));
    ads_until_asked(&rig, "LDS names=b gone=a");
    /* Dropped and wanted again before anything was sent: asked for anew. */
    xds_client_drop(rig.client, XDS_LISTENER, SPAN("b"));
    want(&rig, XDS_LISTENER, "b");
    ads_until_asked(&rig, "LDS names=b");
    xds_client_drop(rig.client, XDS_LISTENER, SPAN("never wanted"));
    want(&rig, XDS_LISTENER, "c");
    xds_client_drop(rig.client, XDS_LISTENER, SPAN("c"));
    want(&rig, XDS_LISTENER, "d");
    ads_until_asked(&rig, "LDS names=d");
    ads_done(&rig);
}

static void what_is_refused_is_named_and_the_rest_is_used(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, false, false);
    want(&rig, XDS_CLUSTER, "good");
    want(&rig, XDS_CLUSTER, "bad-1");
    ads_until_asked(&rig, "CDS names=bad-1,good node=web-1,shop");
    const struct ads_item items[] = {{"bad-1", "2"}, {"good", "2"}};
    ads_respond(&rig, XDS_CLUSTER, "", items, 2, NULL);
    ads_until_heard(&rig, "CDS good=2");
    ads_until_asked(&rig, "CDS nonce=n1 error=3:bad-1: field: wrong");
    assert_int_equal(xds_client_counters(rig.client)->nacks, 1);
    assert_string_equal(xds_client_counters(rig.client)->last_nack, "bad-1: field: wrong");
    ads_respond(&rig, XDS_CLUSTER, "", items + 1, 1, NULL);
    ads_until_asked(&rig, "CDS nonce=n2");
    ads_done(&rig);
}

static void the_same_name_twice_in_a_response_is_refused(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, false, false);
    want(&rig, XDS_CLUSTER, "a");
    ads_until_asked(&rig, "CDS names=a node=web-1,shop");
    const struct ads_item items[] = {{"a", "1"}, {"a", "2"}};
    ads_respond(&rig, XDS_CLUSTER, "", items, 2, NULL);
    ads_until_asked(&rig, "CDS nonce=n1 error=3:a: twice in one response");
    ads_done(&rig);
}

static void what_was_not_asked_for_is_left_alone(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, false, false);
    want(&rig, XDS_CLUSTER, "a");
    ads_until_asked(&rig, "CDS names=a node=web-1,shop");
    const struct ads_item other[] = {{"other", "1"}};
    ads_respond(&rig, XDS_CLUSTER, "", other, 1, "another");
    ads_until_asked(&rig, "CDS nonce=n1");
    ads_respond(&rig, XDS_ROUTE, "", other, 1, NULL); /* of a type never asked for: no answer */
    ads_respond(&rig, XDS_CLUSTER, "", other, 1, NULL);
    ads_until_asked(&rig, "CDS nonce=n3");
    ads_assert_not_asked(&rig, "RDS");
    ads_assert_not_heard(&rig, "other");
    ads_done(&rig);
}

static void what_the_server_takes_away_or_does_not_have_is_told(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, false, false);
    want(&rig, XDS_ROUTE, "a");
    ads_until_asked(&rig, "RDS names=a node=web-1,shop");
    ads_respond(&rig, XDS_ROUTE, "", NULL, 0, "a");
    ads_until_heard(&rig, "RDS a gone");
    ads_until_heard(&rig, "RDS batch");
    ads_until_asked(&rig, "RDS nonce=n1");
    const struct ads_item items[] = {{"a", "1"}};
    ads_respond(&rig, XDS_ROUTE, "", items, 1, NULL);
    ads_until_heard(&rig, "RDS a=1");
    ads_done(&rig);
}

/* Another certificate needs another connection. With back-off forty of them would take 10 s on
 * average; without, nothing waits. */
static void a_change_of_connection_waits_for_no_back_off(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, false, false);
    want(&rig, XDS_CLUSTER, "a");
    ads_until_asked(&rig, "open delta");
    const struct ads_item items[] = {{"a", "7"}};
    int64_t took_ns = 0;
    for (unsigned i = 1; i <= 40; i++) {
        ads_respond(&rig, XDS_CLUSTER, "", items, 1, NULL);
        ads_until_heard(&rig, "up");
        assert_false(grpc_channel_moving(rig.channel));
        int64_t began_ns = clock_now_ns();
        grpc_channel_set_tls(rig.channel, NULL, true);
        assert_true(grpc_channel_moving(rig.channel));
        ads_until_heard(&rig, "down");
        ads_until_asked(&rig, "open delta");
        assert_int_equal(xds_client_counters(rig.client)->streams, i + 1);
        took_ns += clock_now_ns() - began_ns;
    }
    assert_true(took_ns < 4000 * NS_PER_MS);
    ads_done(&rig);
}

static void accept_anybody(void *owner, const struct span *chain, size_t count, bool resumed,
                           struct tls_verdict *ret_verdict)
{
}

/* TLS is spoken to a server that has none. */
static void a_change_that_fails_is_a_loss(void **state)
{
    (void)state;
    struct ads_rig rig;
    const char *reason = "";
    const struct tls_config_spec spec = {.verifier = {.verify = accept_anybody}};
    struct tls_config *tls = tls_config_create(&spec, &reason);
    assert_non_null(tls);
    ads_open(&rig, false, false);
    want(&rig, XDS_CLUSTER, "a");
    ads_until_asked(&rig, "open delta");
    grpc_channel_set_tls(rig.channel, tls, true);
    assert_true(grpc_channel_moving(rig.channel));
    while (grpc_channel_moving(rig.channel)) {
        loop_turn(rig.loop);
    }
    assert_null(grpc_channel_conn(rig.channel));
    assert_non_null(strstr(grpc_channel_error(rig.channel), "127.0.0.1:"));
    assert_non_null(strstr(grpc_channel_error(rig.channel), ": tls_handshake: "));
    grpc_channel_set_tls(rig.channel, NULL, true);
    ads_until_asked(&rig, "open delta");
    ads_done(&rig);
    tls_config_unref(tls);
}

static void a_new_stream_tells_all_names_and_versions_and_loses_nothing(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, false, false);
    ads_hold(&rig, XDS_PHONE, "shop/api", "41"); /* from before this process */
    xds_client_want_all(rig.client, XDS_PHONE);
    want(&rig, XDS_CLUSTER, "a");
    want(&rig, XDS_CLUSTER, "b");
    ads_until_asked(&rig, "PHONE names=* held=shop/api:41 node=web-1,shop");
    const struct ads_item items[] = {{"a", "7"}};
    ads_respond(&rig, XDS_CLUSTER, "", items, 1, NULL);
    ads_until_asked(&rig, "CDS nonce=n1");
    ads_end_stream(&rig, GRPC_UNAVAILABLE);
    ads_until_heard(&rig, "down");
    ads_assert_not_heard(&rig, "gone");
    want(&rig, XDS_CLUSTER, "c"); /* meanwhile */
    ads_until_asked(&rig, "open delta");
    ads_until_asked(&rig, "PHONE names=* held=shop/api:41 node=web-1,shop");
    ads_until_asked(&rig, "CDS names=a,b,c held=a:7");
    assert_int_equal(xds_client_counters(rig.client)->streams, 2);
    ads_done(&rig);
}

static void the_same_holds_when_the_whole_server_goes_and_comes_back(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, false, false);
    want(&rig, XDS_CLUSTER, "a");
    ads_until_asked(&rig, "CDS names=a node=web-1,shop");
    const struct ads_item items[] = {{"a", "7"}};
    ads_respond(&rig, XDS_CLUSTER, "", items, 1, NULL);
    ads_until_asked(&rig, "CDS nonce=n1");
    ads_server_close(&rig);
    ads_until_heard(&rig, "down");
    assert_false(xds_client_connected(rig.client));
    ads_server_open(&rig);
    ads_until_asked(&rig, "CDS names=a held=a:7 node=web-1,shop");
    ads_respond(&rig, XDS_CLUSTER, "", items, 1, NULL);
    ads_until_heard(&rig, "up");
    ads_done(&rig);
}

static void a_server_without_delta_is_asked_for_the_state_of_the_world(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, true, false);
    want(&rig, XDS_CLUSTER, "a");
    want(&rig, XDS_CLUSTER, "b");
    ads_until_asked(&rig, "open sotw");
    ads_until_asked(&rig, "CDS names=a,b node=web-1,shop");
    const struct ads_item items[] = {{"a", NULL}, {"b", NULL}};
    ads_respond(&rig, XDS_CLUSTER, "v1", items, 2, NULL);
    ads_until_heard(&rig, "CDS a=v1");
    ads_until_heard(&rig, "CDS b=v1");
    ads_until_asked(&rig, "CDS names=a,b nonce=n1 version=v1");
    /* A change of names repeats nonce and version. */
    want(&rig, XDS_CLUSTER, "c");
    ads_until_asked(&rig, "CDS names=a,b,c nonce=n1 version=v1");
    ads_done(&rig);
}

static void a_refusal_in_the_state_of_the_world_keeps_the_version(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, false, true);
    want(&rig, XDS_CLUSTER, "a");
    want(&rig, XDS_CLUSTER, "bad");
    ads_until_asked(&rig, "CDS names=a,bad node=web-1,shop");
    const struct ads_item items[] = {{"a", NULL}, {"bad", NULL}};
    ads_respond(&rig, XDS_CLUSTER, "v1", items, 1, NULL);
    ads_until_asked(&rig, "CDS names=a,bad nonce=n1 version=v1");
    ads_respond(&rig, XDS_CLUSTER, "v2", items, 2, NULL);
    ads_until_asked(&rig, "CDS names=a,bad nonce=n2 version=v1 error=3:bad: field: wrong");
    ads_until_heard(&rig, "CDS a=v2"); /* the good part is used */
    want(&rig, XDS_CLUSTER, "c");      /* and the refusal is not said twice */
    ads_until_asked(&rig, "CDS names=a,bad,c nonce=n2 version=v1");
    /* The version survives the stream, the nonce does not. */
    ads_end_stream(&rig, GRPC_UNAVAILABLE);
    ads_until_asked(&rig, "CDS names=a,bad,c version=v1 node=web-1,shop");
    ads_done(&rig);
}

static void what_is_missing_in_the_state_of_the_world_has_gone(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, false, true);
    want(&rig, XDS_CLUSTER, "a");
    want(&rig, XDS_CLUSTER, "b");
    want(&rig, XDS_ENDPOINTS, "a");
    want(&rig, XDS_ENDPOINTS, "b");
    ads_until_asked(&rig, "EDS names=a,b");
    const struct ads_item items[] = {{"a", NULL}, {"b", NULL}};
    ads_respond(&rig, XDS_CLUSTER, "1", items, 2, NULL);
    ads_respond(&rig, XDS_ENDPOINTS, "1", items, 2, NULL);
    ads_until_heard(&rig, "EDS batch");
    ads_respond(&rig, XDS_CLUSTER, "2", items + 1, 1, NULL);
    ads_until_heard(&rig, "CDS a gone");
    /* Of endpoints a response may be a part. */
    ads_respond(&rig, XDS_ENDPOINTS, "2", items + 1, 1, NULL);
    ads_until_heard(&rig, "EDS b=2");
    ads_until_heard(&rig, "EDS batch");
    ads_assert_not_heard(&rig, "gone");
    ads_done(&rig);
}

static void an_empty_phone_book_after_a_full_one_is_not_believed(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, false, true);
    xds_client_want_all(rig.client, XDS_PHONE);
    ads_until_asked(&rig, "PHONE names=* node=web-1,shop");
    const struct ads_item items[] = {{"shop/a", NULL}, {"shop/b", NULL}};
    ads_respond(&rig, XDS_PHONE, "1", items, 2, NULL);
    ads_until_heard(&rig, "PHONE batch");
    ads_respond(&rig, XDS_PHONE, "2", NULL, 0, NULL);
    ads_until_heard(&rig, "PHONE batch");
    ads_assert_not_heard(&rig, "gone");
    ads_respond(&rig, XDS_PHONE, "3", items, 1, NULL);
    ads_until_heard(&rig, "PHONE shop/b gone");
    ads_done(&rig);
}

static void a_name_that_nobody_answers_does_not_exist_after_15_seconds(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, false, true);
    want(&rig, XDS_ROUTE, "a");
    want(&rig, XDS_ROUTE, "b");
    ads_until_asked(&rig, "RDS names=a,b node=web-1,shop");
    const struct ads_item items[] = {{"a", NULL}};
    ads_respond(&rig, XDS_ROUTE, "1", items, 1, NULL);
    ads_until_asked(&rig, "RDS names=a,b nonce=n1 version=1");
    int64_t now_ns = loop_now_ns(rig.loop);
    assert_true(xds_receive_absent(rig.client, now_ns + 14 * NS_PER_S) > now_ns);
    ads_assert_not_heard(&rig, "gone");
    assert_int_equal(xds_receive_absent(rig.client, now_ns + 16 * NS_PER_S), 0);
    ads_until_heard(&rig, "RDS b gone");
    ads_assert_not_heard(&rig, "RDS a gone");
    ads_done(&rig);
}

static void in_delta_no_such_time_runs(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, false, false);
    want(&rig, XDS_ROUTE, "a");
    ads_until_asked(&rig, "RDS names=a node=web-1,shop");
    assert_int_equal(xds_receive_absent(rig.client, loop_now_ns(rig.loop) + 60 * NS_PER_S), 0);
    ads_assert_not_heard(&rig, "gone");
    ads_done(&rig);
}

static void a_response_that_is_no_message_changes_nothing(void **state)
{
    (void)state;
    struct ads_rig rig;
    ads_open(&rig, false, false);
    want(&rig, XDS_CLUSTER, "a");
    ads_until_asked(&rig, "CDS names=a node=web-1,shop");
    grpc_served_send(rig.stream, SPAN("\xff\xff\xff"));
    const struct ads_item items[] = {{"a", "1"}};
    ads_respond(&rig, XDS_CLUSTER, "", items, 1, NULL);
    ads_until_asked(&rig, "CDS nonce=n1");
    assert_int_equal(xds_client_counters(rig.client)->nacks, 1);
    ads_done(&rig);
}

static void a_client_may_end_at_any_moment(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 8; turns++) {
        struct ads_rig rig;
        ads_open(&rig, turns % 2 == 0, false);
        want(&rig, XDS_CLUSTER, "a");
        for (unsigned i = 0; i < turns; i++) {
            loop_turn(rig.loop);
        }
        ads_done(&rig);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(delta_asks_once_acknowledges_and_keeps_versions_of_its_own),
        cmocka_unit_test(names_are_added_and_dropped_without_a_nonce),
        cmocka_unit_test(what_is_refused_is_named_and_the_rest_is_used),
        cmocka_unit_test(the_same_name_twice_in_a_response_is_refused),
        cmocka_unit_test(what_was_not_asked_for_is_left_alone),
        cmocka_unit_test(what_the_server_takes_away_or_does_not_have_is_told),
        cmocka_unit_test(a_change_of_connection_waits_for_no_back_off),
        cmocka_unit_test(a_change_that_fails_is_a_loss),
        cmocka_unit_test(a_new_stream_tells_all_names_and_versions_and_loses_nothing),
        cmocka_unit_test(the_same_holds_when_the_whole_server_goes_and_comes_back),
        cmocka_unit_test(a_server_without_delta_is_asked_for_the_state_of_the_world),
        cmocka_unit_test(a_refusal_in_the_state_of_the_world_keeps_the_version),
        cmocka_unit_test(what_is_missing_in_the_state_of_the_world_has_gone),
        cmocka_unit_test(an_empty_phone_book_after_a_full_one_is_not_believed),
        cmocka_unit_test(a_name_that_nobody_answers_does_not_exist_after_15_seconds),
        cmocka_unit_test(in_delta_no_such_time_runs),
        cmocka_unit_test(a_response_that_is_no_message_changes_nothing),
        cmocka_unit_test(a_client_may_end_at_any_moment),
    };
    return TEST_MAIN(cases, argc, argv);
}
