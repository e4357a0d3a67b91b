#include "ads_bench.h"
#include "tests/unit/test_main.h"

static void what_is_asked_for_is_told(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_CLUSTER, "a", "1");
    assert_int_equal(ads_send(&bench, XDS_CLUSTER, "+a +b"), GRPC_OK);
    assert_string_equal(ads_take(&bench), "CDS a@1 ~b");
    assert_string_equal(ads_take(&bench), "");
    ads_bench_done(&bench);
}

static void what_did_not_exist_is_told_when_it_appears(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    ads_send(&bench, XDS_CLUSTER, "+b");
    assert_string_equal(ads_take(&bench), "CDS ~b");
    ads_send(&bench, XDS_CLUSTER, "ack");
    ads_change(&bench, XDS_CLUSTER, "b", "1");
    assert_string_equal(ads_take(&bench), "CDS b@1");
    ads_bench_done(&bench);
}

static void only_what_changed_is_told(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_ROUTE, "a", "1");
    fake_supply_put(&bench.world, XDS_ROUTE, "b", "1");
    ads_send(&bench, XDS_ROUTE, "+a +b");
    assert_string_equal(ads_take(&bench), "RDS a@1 b@1");
    ads_send(&bench, XDS_ROUTE, "ack");
    ads_change(&bench, XDS_ROUTE, "b", "2");
    assert_string_equal(ads_take(&bench), "RDS b@2");
    ads_send(&bench, XDS_ROUTE, "ack");
    ads_change(&bench, XDS_ROUTE, "c", "1");
    assert_string_equal(ads_take(&bench), "");
    ads_change(&bench, XDS_ROUTE, "a", NULL);
    assert_string_equal(ads_take(&bench), "RDS ~a");
    ads_bench_done(&bench);
}

static void an_acknowledgement_is_not_answered(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_CLUSTER, "a", "1");
    ads_send(&bench, XDS_CLUSTER, "+a");
    assert_string_equal(ads_take(&bench), "CDS a@1");
    assert_false(subscriber_synced(bench.subscriber));
    ads_send(&bench, XDS_CLUSTER, "ack");
    assert_string_equal(ads_take(&bench), "");
    assert_true(subscriber_synced(bench.subscriber));
    ads_bench_done(&bench);
}

static void changes_wait_until_the_last_response_is_answered(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_ENDPOINTS, "a", "1");
    ads_send(&bench, XDS_ENDPOINTS, "+a");
    assert_string_equal(ads_take(&bench), "EDS a@1");
    ads_change(&bench, XDS_ENDPOINTS, "a", "2");
    ads_change(&bench, XDS_ENDPOINTS, "a", "3");
    assert_string_equal(ads_take(&bench), "");
    ads_send(&bench, XDS_ENDPOINTS, "ack");
    assert_string_equal(ads_take(&bench), "EDS a@3");
    ads_bench_done(&bench);
}

static void what_is_asked_for_does_not_wait(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_ENDPOINTS, "a", "1");
    fake_supply_put(&bench.world, XDS_ENDPOINTS, "b", "1");
    ads_send(&bench, XDS_ENDPOINTS, "+a");
    assert_string_equal(ads_take(&bench), "EDS a@1");
    ads_send(&bench, XDS_ENDPOINTS, "+b");
    assert_string_equal(ads_take(&bench), "EDS b@1");
    ads_bench_done(&bench);
}

static void a_slow_client_gets_the_last_state_only(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_ENDPOINTS, "a", "1");
    bench.full = true;
    ads_send(&bench, XDS_ENDPOINTS, "+a");
    ads_change(&bench, XDS_ENDPOINTS, "a", "2");
    ads_change(&bench, XDS_ENDPOINTS, "a", "3");
    assert_string_equal(ads_take(&bench), "");
    bench.full = false;
    subscriber_sync(bench.subscriber);
    assert_string_equal(ads_take(&bench), "EDS a@3");
    assert_string_equal(ads_take(&bench), "");
    ads_bench_done(&bench);
}

static void a_name_subscribed_again_is_told_again(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_CLUSTER, "a", "1");
    ads_send(&bench, XDS_CLUSTER, "+a");
    ads_take(&bench);
    ads_send(&bench, XDS_CLUSTER, "ack");
    ads_send(&bench, XDS_CLUSTER, "+a");
    assert_string_equal(ads_take(&bench), "CDS a@1");
    ads_bench_done(&bench);
}

static void an_unsubscribed_name_is_not_told_any_more(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_CLUSTER, "a", "1");
    ads_send(&bench, XDS_CLUSTER, "+a");
    ads_take(&bench);
    ads_send(&bench, XDS_CLUSTER, "ack -a");
    ads_change(&bench, XDS_CLUSTER, "a", "2");
    assert_string_equal(ads_take(&bench), "");
    ads_bench_done(&bench);
}

static void subscriptions_of_a_stale_answer_hold(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_CLUSTER, "a", "1");
    fake_supply_put(&bench.world, XDS_CLUSTER, "b", "1");
    fake_supply_put(&bench.world, XDS_CLUSTER, "c", "1");
    ads_send(&bench, XDS_CLUSTER, "+a");
    ads_send(&bench, XDS_CLUSTER, "+b");
    ads_take(&bench);
    ads_take(&bench);
    ads_send(&bench, XDS_CLUSTER, "stale +c");
    assert_string_equal(ads_take(&bench), "CDS c@1");
    assert_int_equal(bench.subscriber->stale, 1);
    ads_bench_done(&bench);
}

static void a_refused_version_is_not_sent_again(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_CLUSTER, "a", "1");
    ads_send(&bench, XDS_CLUSTER, "+a");
    ads_take(&bench);
    ads_send(&bench, XDS_CLUSTER, "nack:bad");
    assert_string_equal(ads_take(&bench), "");
    assert_string_equal(bench.subscriber->types[XDS_CLUSTER].nack, "bad");
    assert_int_equal(bench.subscriber->nacks, 1);
    assert_false(subscriber_synced(bench.subscriber));
    ads_change(&bench, XDS_CLUSTER, "a", "2");
    assert_string_equal(ads_take(&bench), "CDS a@2");
    ads_send(&bench, XDS_CLUSTER, "ack");
    assert_null(bench.subscriber->types[XDS_CLUSTER].nack);
    assert_true(subscriber_synced(bench.subscriber));
    ads_bench_done(&bench);
}

static void nothing_named_at_first_is_everything(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_PHONE, "a", "1");
    fake_supply_put(&bench.world, XDS_PHONE, "b", "1");
    ads_send(&bench, XDS_PHONE, "");
    assert_string_equal(ads_take(&bench), "PHONE a@1 b@1");
    ads_send(&bench, XDS_PHONE, "ack");
    fake_supply_remove(&bench.world, XDS_PHONE, "b");
    ads_change(&bench, XDS_PHONE, "c", "1");
    assert_string_equal(ads_take(&bench), "PHONE c@1 ~b");
    ads_send(&bench, XDS_PHONE, "ack");
    ads_change(&bench, XDS_PHONE, "a", "2");
    assert_string_equal(ads_take(&bench), "PHONE a@2");
    ads_bench_done(&bench);
}

static void everything_and_a_name_of_its_own_are_told_once(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_PHONE, "a", "1");
    ads_send(&bench, XDS_PHONE, "");
    assert_string_equal(ads_take(&bench), "PHONE a@1");
    ads_send(&bench, XDS_PHONE, "ack");
    ads_send(&bench, XDS_PHONE, "+a +ip/10.0.0.1");
    assert_string_equal(ads_take(&bench), "PHONE a@1 ~ip/10.0.0.1");
    ads_send(&bench, XDS_PHONE, "ack");
    ads_change(&bench, XDS_PHONE, "a", "2");
    assert_string_equal(ads_take(&bench), "PHONE a@2");
    ads_send(&bench, XDS_PHONE, "ack");
    /* A name that everything covers: it is told again, as the client has forgotten it. */
    ads_send(&bench, XDS_PHONE, "-a");
    assert_string_equal(ads_take(&bench), "PHONE a@2");
    ads_bench_done(&bench);
}

static void the_star_comes_and_goes(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_LISTENER, "a", "1");
    ads_send(&bench, XDS_LISTENER, "+b");
    assert_string_equal(ads_take(&bench), "LDS ~b");
    ads_send(&bench, XDS_LISTENER, "ack");
    ads_send(&bench, XDS_LISTENER, "+*");
    assert_string_equal(ads_take(&bench), "LDS a@1");
    ads_send(&bench, XDS_LISTENER, "ack");
    ads_send(&bench, XDS_LISTENER, "-*");
    ads_change(&bench, XDS_LISTENER, "a", "2");
    assert_string_equal(ads_take(&bench), "");
    ads_change(&bench, XDS_LISTENER, "b", "1");
    assert_string_equal(ads_take(&bench), "LDS b@1");
    ads_bench_done(&bench);
}

static void types_without_wildcard_have_none(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_ROUTE, "a", "1");
    ads_send(&bench, XDS_ROUTE, "");
    assert_string_equal(ads_take(&bench), "RDS");
    ads_send(&bench, XDS_ROUTE, "ack");
    ads_change(&bench, XDS_ROUTE, "b", "1");
    assert_string_equal(ads_take(&bench), "");
    ads_bench_done(&bench);
}

static void what_is_held_from_before_is_not_sent_again(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_CLUSTER, "a", "1");
    fake_supply_put(&bench.world, XDS_CLUSTER, "b", "2");
    ads_send(&bench, XDS_CLUSTER, "+a +b +c =a@1 =b@1 =c@1");
    assert_string_equal(ads_take(&bench), "CDS b@2 ~c");
    ads_send(&bench, XDS_CLUSTER, "ack");
    ads_change(&bench, XDS_CLUSTER, "a", "2");
    assert_string_equal(ads_take(&bench), "CDS a@2");
    ads_bench_done(&bench);
}

static void everything_held_from_before_is_compared(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_PHONE, "a", "1");
    fake_supply_put(&bench.world, XDS_PHONE, "b", "2");
    fake_supply_put(&bench.world, XDS_PHONE, "d", "1");
    ads_send(&bench, XDS_PHONE, "=a@1 =b@1 =c@1");
    assert_string_equal(ads_take(&bench), "PHONE b@2 d@1 ~c");
    ads_bench_done(&bench);
}

static void an_empty_answer_says_that_nothing_is_new(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_PHONE, "a", "1");
    ads_send(&bench, XDS_PHONE, "=a@1");
    assert_string_equal(ads_take(&bench), "PHONE");
    assert_string_equal(ads_take(&bench), "");
    ads_bench_done(&bench);
}

/* Clusters are told before the routes that lead to them, and go after them. */
static void changes_come_in_make_before_break_order(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_ROUTE, "r", "to old");
    fake_supply_put(&bench.world, XDS_CLUSTER, "old", "1");
    ads_send(&bench, XDS_ROUTE, "+r");
    ads_send(&bench, XDS_CLUSTER, "+old +new");
    assert_string_equal(ads_take(&bench), "RDS r@to old");
    assert_string_equal(ads_take(&bench), "CDS old@1 ~new");
    ads_send(&bench, XDS_ROUTE, "ack");
    ads_send(&bench, XDS_CLUSTER, "ack");
    fake_supply_put(&bench.world, XDS_ROUTE, "r", "to new");
    fake_supply_put(&bench.world, XDS_CLUSTER, "new", "1");
    fake_supply_remove(&bench.world, XDS_CLUSTER, "old");
    subscriber_mark(bench.subscriber, 1U << XDS_ROUTE | 1U << XDS_CLUSTER);
    subscriber_sync(bench.subscriber);
    assert_string_equal(ads_take(&bench), "CDS new@1");
    assert_string_equal(ads_take(&bench), "RDS r@to new");
    ads_send(&bench, XDS_CLUSTER, "ack");
    assert_string_equal(ads_take(&bench), "");
    ads_send(&bench, XDS_ROUTE, "ack");
    assert_string_equal(ads_take(&bench), "CDS ~old");
    ads_bench_done(&bench);
}

enum { LARGE = 20, LARGE_BYTES = 60000 };

/* name, and LARGE_BYTES of one letter. */
static void put_large(struct ads_bench *bench, int number, char letter)
{
    static char bytes[LARGE_BYTES + 1];
    char name[16];
    memset(bytes, letter, LARGE_BYTES);
    snprintf(name, sizeof(name), "n%02d", number);
    fake_supply_put(&bench->world, XDS_PHONE, name, bytes);
}

static void a_large_answer_is_cut(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    for (int i = 0; i < LARGE; i++) {
        put_large(&bench, i, 'x');
    }
    ads_send(&bench, XDS_PHONE, "");
    assert_int_equal(bench.told[XDS_PHONE], LARGE);
    assert_true(bench.count >= LARGE / 3);
    assert_true(bench.largest < REPLY_BYTES + 2 * LARGE_BYTES);
    /* Answers to the first parts leave it waiting; the last one does not. */
    ads_send(&bench, XDS_PHONE, "stale");
    assert_true(bench.subscriber->types[XDS_PHONE].waits);
    ads_send(&bench, XDS_PHONE, "ack");
    assert_false(bench.subscriber->types[XDS_PHONE].waits);
    ads_bench_done(&bench);
}

static void parts_come_as_there_is_room_and_newer_ones_after_them(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    for (int i = 0; i < LARGE; i++) {
        put_large(&bench, i, 'x');
    }
    bench.room = 1;
    ads_send(&bench, XDS_PHONE, "");
    assert_int_equal(bench.count, 1);
    size_t first = bench.told[XDS_PHONE];
    assert_in_range(first, 1, LARGE - 1);
    /* The world moves while half of it is told: what was told changes, what was not goes. */
    put_large(&bench, 0, 'y');
    fake_supply_remove(&bench.world, XDS_PHONE, "n19");
    subscriber_mark(bench.subscriber, 1U << XDS_PHONE);
    for (int i = 0; i < LARGE && bench.told[XDS_PHONE] < LARGE; i++) {
        bench.room = 1;
        subscriber_sync(bench.subscriber);
    }
    assert_int_equal(bench.told[XDS_PHONE], LARGE);
    size_t before = bench.count;
    bench.room = 10;
    ads_send(&bench, XDS_PHONE, "ack");
    assert_int_equal(bench.count, before + 1);
    assert_int_equal(bench.told[XDS_PHONE], LARGE + 1);
    assert_int_equal(bench.gone[XDS_PHONE], 1);
    ads_send(&bench, XDS_PHONE, "ack");
    assert_true(subscriber_synced(bench.subscriber));
    ads_bench_done(&bench);
}

static void a_part_that_was_refused_is_not_lost(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    fake_supply_put(&bench.world, XDS_CLUSTER, "a", "1");
    fake_supply_put(&bench.world, XDS_CLUSTER, "b", "1");
    ads_send(&bench, XDS_CLUSTER, "+a");
    ads_send(&bench, XDS_CLUSTER, "nack:first +b");
    assert_string_equal(bench.subscriber->types[XDS_CLUSTER].nack, "first");
    assert_int_equal(bench.subscriber->nacks, 1);
    ads_bench_done(&bench);
}

static void names_are_bounded(void **unused)
{
    struct ads_bench bench;
    char word[SUBSCRIPTION_NAME_BYTES + 8] = "+";
    ads_bench_init(&bench, true);
    memset(word + 1, 'n', SUBSCRIPTION_NAME_BYTES);
    assert_int_equal(ads_send(&bench, XDS_CLUSTER, word), GRPC_OK);
    word[SUBSCRIPTION_NAME_BYTES + 1] = 'n';
    assert_int_equal(ads_send(&bench, XDS_CLUSTER, word), GRPC_RESOURCE_EXHAUSTED);
    ads_bench_done(&bench);
}

static void too_many_names_end_the_stream(void **unused)
{
    struct ads_bench bench;
    enum grpc_code code = GRPC_OK;
    ads_bench_init(&bench, true);
    bench.full = true;
    for (int i = 0; i <= SUBSCRIPTION_NAMES / 20 && code == GRPC_OK; i++) {
        struct text words = {0};
        for (int j = 0; j < 20; j++) {
            text_printf(&words, "%s+n%d", j > 0 ? " " : "", i * 20 + j);
        }
        code = ads_send(&bench, XDS_CLUSTER, words.bytes);
        text_done(&words);
    }
    assert_int_equal(code, GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(bench.subscriber->types[XDS_CLUSTER].names.count, SUBSCRIPTION_NAMES);
    ads_bench_done(&bench);
}

static void bytes_that_are_no_request_end_the_stream(void **unused)
{
    struct ads_bench bench;
    ads_bench_init(&bench, true);
    assert_int_equal(subscriber_receive(bench.subscriber, SPAN("\xff\xff"), &bench.error),
                     GRPC_INVALID_ARGUMENT);
    assert_int_equal(subscriber_receive(bench.subscriber, SPAN_EMPTY, &bench.error),
                     GRPC_INVALID_ARGUMENT);
    ads_bench_done(&bench);
}

static void types_that_are_not_known_are_met_by_silence(void **unused)
{
    struct ads_bench bench;
    struct xds_caller caller = {.id = SPAN("x")};
    struct xds_request request = {.caller = &caller,
                                  .type_url = SPAN("type.googleapis.com/some.Thing")};
    ads_bench_init(&bench, true);
    assert_int_equal(subscriber_receive(bench.subscriber,
                                        xds_request_encode(&request, true, &bench.arena),
                                        &bench.error),
                     GRPC_OK);
    assert_string_equal(ads_take(&bench), "");
    ads_bench_done(&bench);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(what_is_asked_for_is_told),
        cmocka_unit_test(what_did_not_exist_is_told_when_it_appears),
        cmocka_unit_test(only_what_changed_is_told),
        cmocka_unit_test(an_acknowledgement_is_not_answered),
        cmocka_unit_test(changes_wait_until_the_last_response_is_answered),
        cmocka_unit_test(what_is_asked_for_does_not_wait),
        cmocka_unit_test(a_slow_client_gets_the_last_state_only),
        cmocka_unit_test(a_name_subscribed_again_is_told_again),
        cmocka_unit_test(an_unsubscribed_name_is_not_told_any_more),
        cmocka_unit_test(subscriptions_of_a_stale_answer_hold),
        cmocka_unit_test(a_refused_version_is_not_sent_again),
        cmocka_unit_test(nothing_named_at_first_is_everything),
        cmocka_unit_test(everything_and_a_name_of_its_own_are_told_once),
        cmocka_unit_test(the_star_comes_and_goes),
        cmocka_unit_test(types_without_wildcard_have_none),
        cmocka_unit_test(what_is_held_from_before_is_not_sent_again),
        cmocka_unit_test(everything_held_from_before_is_compared),
        cmocka_unit_test(an_empty_answer_says_that_nothing_is_new),
        cmocka_unit_test(changes_come_in_make_before_break_order),
        cmocka_unit_test(a_large_answer_is_cut),
        cmocka_unit_test(parts_come_as_there_is_room_and_newer_ones_after_them),
        cmocka_unit_test(a_part_that_was_refused_is_not_lost),
        cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(too_many_names_end_the_stream),
        cmocka_unit_test(bytes_that_are_no_request_end_the_stream),
        cmocka_unit_test(types_that_are_not_known_are_met_by_silence),
    };
    return TEST_MAIN(cases, argc, argv);
}
