#include "ads_bench.h"
#include "tests/unit/test_main.h"

/* In the state of the world resources have no name around them: their bytes say it, "a@1". */

static void listeners_are_told_whole(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, false);
    fake_supply_put(&bench.world, XDS_LISTENER, "a", "a@1");
    fake_supply_put(&bench.world, XDS_LISTENER, "b", "b@1");
    ads_send(&bench, XDS_LISTENER, "+a +b");
    assert_string_equal(ads_take(&bench), "LDS a@1 b@1");
    ads_send(&bench, XDS_LISTENER, "ack +a +b");
    assert_string_equal(ads_take(&bench), "");
    ads_change(&bench, XDS_LISTENER, "b", "b@2");
    assert_string_equal(ads_take(&bench), "LDS a@1 b@2");
    ads_send(&bench, XDS_LISTENER, "ack +a +b");
    ads_change(&bench, XDS_LISTENER, "a", NULL);
    assert_string_equal(ads_take(&bench), "LDS b@2");
    ads_bench_done(&bench);
}

static void a_listener_that_does_not_exist_is_told_by_its_absence(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, false);
    ads_send(&bench, XDS_LISTENER, "+a");
    assert_string_equal(ads_take(&bench), "LDS");
    ads_send(&bench, XDS_LISTENER, "ack +a");
    ads_change(&bench, XDS_LISTENER, "a", "a@1");
    assert_string_equal(ads_take(&bench), "LDS a@1");
    ads_bench_done(&bench);
}

static void endpoints_that_do_not_exist_are_met_by_silence(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, false);
    ads_send(&bench, XDS_ENDPOINTS, "+a");
    assert_string_equal(ads_take(&bench), "");
    ads_change(&bench, XDS_ENDPOINTS, "a", "a@1");
    assert_string_equal(ads_take(&bench), "EDS a@1");
    ads_bench_done(&bench);
}

static void endpoints_are_told_where_they_changed(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, false);
    fake_supply_put(&bench.world, XDS_ENDPOINTS, "a", "a@1");
    fake_supply_put(&bench.world, XDS_ENDPOINTS, "b", "b@1");
    ads_send(&bench, XDS_ENDPOINTS, "+a +b");
    assert_string_equal(ads_take(&bench), "EDS a@1 b@1");
    ads_send(&bench, XDS_ENDPOINTS, "ack +a +b");
    ads_change(&bench, XDS_ENDPOINTS, "b", "b@2");
    assert_string_equal(ads_take(&bench), "EDS b@2");
    ads_bench_done(&bench);
}

static void added_names_are_answered(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, false);
    fake_supply_put(&bench.world, XDS_CLUSTER, "a", "a@1");
    fake_supply_put(&bench.world, XDS_CLUSTER, "b", "b@1");
    ads_send(&bench, XDS_CLUSTER, "+a");
    assert_string_equal(ads_take(&bench), "CDS a@1");
    ads_send(&bench, XDS_CLUSTER, "ack +a");
    ads_send(&bench, XDS_CLUSTER, "ack +a +b");
    assert_string_equal(ads_take(&bench), "CDS a@1 b@1");
    ads_bench_done(&bench);
}

static void fewer_names_are_not_answered(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, false);
    fake_supply_put(&bench.world, XDS_CLUSTER, "a", "a@1");
    fake_supply_put(&bench.world, XDS_CLUSTER, "b", "b@1");
    ads_send(&bench, XDS_CLUSTER, "+a +b");
    ads_take(&bench);
    ads_send(&bench, XDS_CLUSTER, "ack +a");
    assert_string_equal(ads_take(&bench), "");
    ads_change(&bench, XDS_CLUSTER, "b", "b@2");
    ads_change(&bench, XDS_CLUSTER, "a", "a@2");
    const char *line = "";
    for (const char *next = ads_take(&bench); next[0] != '\0'; next = ads_take(&bench)) {
        line = next;
        assert_string_not_equal(next, "CDS b@2");
        ads_send(&bench, XDS_CLUSTER, "ack +a");
    }
    assert_string_equal(line, "CDS a@2");
    ads_bench_done(&bench);
}

static void stale_requests_are_ignored(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, false);
    fake_supply_put(&bench.world, XDS_ENDPOINTS, "a", "a@1");
    fake_supply_put(&bench.world, XDS_ENDPOINTS, "b", "b@1");
    ads_send(&bench, XDS_ENDPOINTS, "+a");
    assert_string_equal(ads_take(&bench), "EDS a@1");
    ads_send(&bench, XDS_ENDPOINTS, "ack +a");
    ads_change(&bench, XDS_ENDPOINTS, "a", "a@2");
    assert_string_equal(ads_take(&bench), "EDS a@2");
    ads_send(&bench, XDS_ENDPOINTS, "stale +a +b");
    assert_string_equal(ads_take(&bench), "");
    assert_true(bench.subscriber->types[XDS_ENDPOINTS].waits);
    ads_send(&bench, XDS_ENDPOINTS, "ack +a +b");
    assert_string_equal(ads_take(&bench), "EDS b@1");
    ads_bench_done(&bench);
}

static void changes_wait_for_the_answer(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, false);
    fake_supply_put(&bench.world, XDS_LISTENER, "a", "a@1");
    ads_send(&bench, XDS_LISTENER, "+a");
    ads_take(&bench);
    ads_change(&bench, XDS_LISTENER, "a", "a@2");
    ads_change(&bench, XDS_LISTENER, "a", "a@3");
    assert_string_equal(ads_take(&bench), "");
    ads_send(&bench, XDS_LISTENER, "ack +a");
    assert_string_equal(ads_take(&bench), "LDS a@3");
    ads_bench_done(&bench);
}

static void a_refusal_keeps_what_was_told(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, false);
    fake_supply_put(&bench.world, XDS_CLUSTER, "a", "a@1");
    ads_send(&bench, XDS_CLUSTER, "+a");
    ads_take(&bench);
    ads_send(&bench, XDS_CLUSTER, "nack:bad +a");
    assert_string_equal(ads_take(&bench), "");
    assert_string_equal(bench.subscriber->types[XDS_CLUSTER].nack, "bad");
    ads_change(&bench, XDS_CLUSTER, "a", "a@2");
    assert_string_equal(ads_take(&bench), "CDS a@2");
    ads_bench_done(&bench);
}

static void no_name_ever_is_everything(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, false);
    fake_supply_put(&bench.world, XDS_CLUSTER, "a", "a@1");
    fake_supply_put(&bench.world, XDS_CLUSTER, "b", "b@1");
    ads_send(&bench, XDS_CLUSTER, "");
    assert_string_equal(ads_take(&bench), "CDS a@1 b@1");
    ads_send(&bench, XDS_CLUSTER, "ack");
    ads_change(&bench, XDS_CLUSTER, "b", NULL);
    assert_string_equal(ads_take(&bench), "CDS a@1");
    ads_bench_done(&bench);
}

static void an_empty_list_after_a_name_is_nothing(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, false);
    fake_supply_put(&bench.world, XDS_CLUSTER, "a", "a@1");
    fake_supply_put(&bench.world, XDS_CLUSTER, "b", "b@1");
    ads_send(&bench, XDS_CLUSTER, "+a");
    assert_string_equal(ads_take(&bench), "CDS a@1");
    ads_send(&bench, XDS_CLUSTER, "ack");
    assert_string_equal(ads_take(&bench), "");
    assert_false(bench.subscriber->types[XDS_CLUSTER].all);
    assert_int_equal(bench.subscriber->types[XDS_CLUSTER].names.count, 0);
    ads_bench_done(&bench);
}

static void the_star_is_everything(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, false);
    fake_supply_put(&bench.world, XDS_PHONE, "a", "a@1");
    ads_send(&bench, XDS_PHONE, "+*");
    assert_string_equal(ads_take(&bench), "PHONE a@1");
    ads_send(&bench, XDS_PHONE, "ack +* +ip/10.0.0.1");
    assert_string_equal(ads_take(&bench), "PHONE a@1");
    ads_bench_done(&bench);
}

static void versions_are_of_the_content(void **unused)
{
    struct ads_bench first;
    struct ads_bench second;
    ads_bench_init(&first, false);
    ads_bench_init(&second, false);
    fake_supply_put(&first.world, XDS_CLUSTER, "a", "a@1");
    fake_supply_put(&first.world, XDS_CLUSTER, "b", "b@1");
    fake_supply_put(&second.world, XDS_CLUSTER, "b", "b@1");
    fake_supply_put(&second.world, XDS_CLUSTER, "a", "a@1");
    ads_send(&first, XDS_CLUSTER, "+a +b");
    ads_send(&second, XDS_CLUSTER, "+b +a");
    assert_true(span_equal(first.versions[XDS_CLUSTER], second.versions[XDS_CLUSTER]));
    struct span before = first.versions[XDS_CLUSTER];
    ads_send(&first, XDS_CLUSTER, "ack +a +b");
    ads_change(&first, XDS_CLUSTER, "a", "a@2");
    assert_false(span_equal(first.versions[XDS_CLUSTER], before));
    ads_bench_done(&first);
    ads_bench_done(&second);
}

static void clusters_go_after_the_routes_that_lead_to_them(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, false);
    fake_supply_put(&bench.world, XDS_ROUTE, "r", "r@1");
    fake_supply_put(&bench.world, XDS_CLUSTER, "a", "a@1");
    fake_supply_put(&bench.world, XDS_CLUSTER, "b", "b@1");
    ads_send(&bench, XDS_ROUTE, "+r");
    ads_send(&bench, XDS_CLUSTER, "+a +b");
    ads_take(&bench);
    ads_take(&bench);
    ads_send(&bench, XDS_ROUTE, "ack +r");
    ads_send(&bench, XDS_CLUSTER, "ack +a +b");
    fake_supply_remove(&bench.world, XDS_CLUSTER, "a");
    fake_supply_put(&bench.world, XDS_ROUTE, "r", "r@2");
    subscriber_mark(bench.subscriber, 1U << XDS_ROUTE | 1U << XDS_CLUSTER);
    subscriber_sync(bench.subscriber);
    assert_string_equal(ads_take(&bench), "RDS r@2");
    assert_string_equal(ads_take(&bench), "");
    ads_send(&bench, XDS_ROUTE, "ack +r");
    assert_string_equal(ads_take(&bench), "CDS b@1");
    ads_bench_done(&bench);
}

static void a_reconnect_begins_anew(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, false);
    fake_supply_put(&bench.world, XDS_CLUSTER, "a", "a@1");
    /* A nonce of another stream is no answer on this one. */
    bench.nonces[XDS_CLUSTER] = SPAN("0000000000000107");
    bench.versions[XDS_CLUSTER] = SPAN("0000000000000001");
    ads_send(&bench, XDS_CLUSTER, "ack +a");
    assert_string_equal(ads_take(&bench), "CDS a@1");
    ads_bench_done(&bench);
}

static void the_node_must_be_there_and_be_who_it_is(void **unused)
{
    const struct {
        struct xds_pair metadata;
        struct span id;
        enum grpc_code code;
    } cases[] = {
        {{SPAN("NAMESPACE"), SPAN("shop")}, SPAN("x"), GRPC_OK},
        {{SPAN("SERVICE_ACCOUNT"), SPAN("web")}, SPAN("x"), GRPC_OK},
        {{SPAN("NAMESPACE"), SPAN("kube-system")}, SPAN("x"), GRPC_PERMISSION_DENIED},
        {{SPAN("SERVICE_ACCOUNT"), SPAN("api")}, SPAN("x"), GRPC_PERMISSION_DENIED},
        {{SPAN("LABEL"), SPAN("x")}, SPAN_EMPTY, GRPC_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ads_bench bench;
        struct xds_caller caller = {
            .id = cases[i].id, .metadata = &cases[i].metadata, .metadata_count = 1};
        struct xds_request request = {.caller = &caller,
                                      .type_url = span_of(xds_type_url(XDS_CLUSTER))};
        ads_bench_init(&bench, false);
        assert_int_equal(subscriber_receive(bench.subscriber,
                                            xds_request_encode(&request, false, &bench.arena),
                                            &bench.error),
                         cases[i].code);
        ads_bench_done(&bench);
    }
}

static void the_first_request_needs_a_node(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, false);
    bench.sent_node = true;
    assert_int_equal(ads_send(&bench, XDS_CLUSTER, "+a"), GRPC_INVALID_ARGUMENT);
    ads_bench_done(&bench);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(listeners_are_told_whole),
        cmocka_unit_test(a_listener_that_does_not_exist_is_told_by_its_absence),
        cmocka_unit_test(endpoints_that_do_not_exist_are_met_by_silence),
        cmocka_unit_test(endpoints_are_told_where_they_changed),
        cmocka_unit_test(added_names_are_answered),
        cmocka_unit_test(fewer_names_are_not_answered),
        cmocka_unit_test(stale_requests_are_ignored),
        cmocka_unit_test(changes_wait_for_the_answer),
        cmocka_unit_test(a_refusal_keeps_what_was_told),
        cmocka_unit_test(no_name_ever_is_everything),
        cmocka_unit_test(an_empty_list_after_a_name_is_nothing),
        cmocka_unit_test(the_star_is_everything),
        cmocka_unit_test(versions_are_of_the_content),
        cmocka_unit_test(clusters_go_after_the_routes_that_lead_to_them),
        cmocka_unit_test(a_reconnect_begins_anew),
        cmocka_unit_test(the_node_must_be_there_and_be_who_it_is),
        cmocka_unit_test(the_first_request_needs_a_node),
    };
    return TEST_MAIN(cases, argc, argv);
}
