#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "proxy/upstream/cluster_dns.h"
#include "tests/unit/proxy/upstream/upstream_rig.h"

static struct rig rig;

static const struct lease_wish tcp = {.kind = LEASE_TCP};

static struct cluster *begin_as(uint8_t type, const char *const *hosts, uint32_t count)
{
    struct xds_cluster facts;
    struct xds_endpoint endpoints[4];
    xds_cluster_init(&facts);
    facts.name = SPAN("c");
    facts.tls = XDS_TLS_NONE;
    facts.type = type;
    for (uint32_t i = 0; i < count; i++) {
        endpoints[i] = (struct xds_endpoint){
            .hostname = span_of(hosts[i]), .address = {.port = 443}, .weight = 1};
    }
    rig_cluster(&rig, &facts, endpoints, count);
    rig_apply(&rig);
    return cluster_find(rig.upstream, SPAN("c"));
}

static struct cluster *begin(void)
{
    static const char *const hosts[] = {"id.example"};
    rig_init(&rig);
    rig.raw = true;
    return begin_as(XDS_CLUSTER_STRICT_DNS, hosts, 1);
}

static bool has(const struct cluster *cluster, const char *text)
{
    for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
        if (strcmp(cluster->endpoints[i]->text, text) == 0) {
            return true;
        }
    }
    return false;
}

static void a_lease_waits_for_the_first_answer(void **state)
{
    struct cluster *cluster = begin();
    struct caller a = {0};
    assert_int_equal(caller_start(&a, &rig, cluster, &tcp), LEASE_WAIT);
    assert_int_equal(rig.query_count, 1);
    assert_string_equal(rig.queries[0].host, "id.example");
    rig_resolve(&rig, 0, RESOLVER_OK, "192.0.2.1 2001:db8::1", 60000);
    assert_int_equal(a.readies, 0);
    rig_go(&rig);
    assert_int_equal(rig.dial_count, 1);
    assert_int_equal(rig.dials[0].to.port, 443);
    assert_int_equal(cluster->endpoint_count, 2);
    assert_true(has(cluster, "192.0.2.1:443"));
    assert_true(has(cluster, "[2001:db8::1]:443"));
    rig_connect(&rig, 0);
    rig_go(&rig);
    assert_int_equal(a.readies, 1);
    caller_end(&a);
    rig_done(&rig);
}

static void a_name_without_an_answer_fails_who_waits_and_who_comes(void **state)
{
    static const enum resolver_status statuses[] = {RESOLVER_NO_NAME, RESOLVER_TEMPORARY,
                                                    RESOLVER_BAD_NAME, RESOLVER_OK};
    for (size_t i = 0; i < 4; i++) {
        struct cluster *cluster = begin();
        struct caller a = {0};
        struct caller b = {0};
        caller_start(&a, &rig, cluster, &tcp);
        rig_resolve(&rig, 0, statuses[i], "", 5000);
        rig_go(&rig);
        assert_int_equal(a.failure, FAILURE_DNS_FAILED);
        assert_int_equal(caller_start(&b, &rig, cluster, &tcp), LEASE_FAILED);
        assert_int_equal(b.failure, FAILURE_DNS_FAILED);
        /* It is asked again, and then serves. */
        rig_wait_ms(&rig, 5001);
        assert_int_equal(rig.query_count, 2);
        rig_resolve(&rig, 1, RESOLVER_OK, "192.0.2.1", 60000);
        struct caller c = {0};
        assert_int_equal(caller_start(&c, &rig, cluster, &tcp), LEASE_WAIT);
        assert_int_equal(rig.dial_count, 1);
        caller_end(&c);
        rig_done(&rig);
    }
}

static void an_answer_that_never_comes_ends_the_wait_in_time(void **state)
{
    struct cluster *cluster = begin();
    struct caller a = {0};
    caller_start(&a, &rig, cluster, &tcp);
    rig_wait_ms(&rig, 3001);
    assert_int_equal(a.failure, FAILURE_DNS_FAILED);
    /* A late answer serves those who come then. */
    rig_resolve(&rig, 0, RESOLVER_OK, "192.0.2.1", 60000);
    struct caller b = {0};
    assert_int_equal(caller_start(&b, &rig, cluster, &tcp), LEASE_WAIT);
    caller_end(&b);
    rig_done(&rig);
}

static void an_empty_or_failed_answer_keeps_the_last_good_set(void **state)
{
    static const enum resolver_status statuses[] = {RESOLVER_OK, RESOLVER_NO_NAME,
                                                    RESOLVER_TEMPORARY};
    struct cluster *cluster = begin();
    rig_resolve(&rig, 0, RESOLVER_OK, "192.0.2.1 192.0.2.2", 10000);
    struct endpoint *first = cluster->endpoints[0];
    rig.connects = true;
    struct caller held = {0};
    caller_start(&held, &rig, cluster, &tcp);
    for (size_t i = 0; i < 3; i++) {
        rig_wait_ms(&rig, 10000);
        assert_int_equal(rig.query_count, i + 2);
        rig_resolve(&rig, i + 1, statuses[i], "", 5000);
        rig_go(&rig);
        assert_int_equal(cluster->endpoint_count, 2);
        assert_ptr_equal(cluster->endpoints[0], first);
        struct caller a = {0};
        assert_int_equal(caller_start(&a, &rig, cluster, &tcp), LEASE_WAIT);
        caller_end(&a);
    }
    caller_end(&held);
    rig_done(&rig);
}

static void a_used_name_is_asked_again_before_its_time_is_over(void **state)
{
    struct cluster *cluster = begin();
    rig_resolve(&rig, 0, RESOLVER_OK, "192.0.2.1", 10000);
    struct caller a = {0};
    caller_start(&a, &rig, cluster, &tcp);
    caller_end(&a);
    rig_wait_ms(&rig, 8900);
    assert_int_equal(rig.query_count, 1);
    rig_wait_ms(&rig, 200);
    assert_int_equal(rig.query_count, 2);
    rig_resolve(&rig, 1, RESOLVER_OK, "192.0.2.1", 10000);
    rig_done(&rig);
}

static void an_unused_name_is_asked_again_with_its_next_use(void **state)
{
    struct cluster *cluster = begin();
    rig_resolve(&rig, 0, RESOLVER_OK, "192.0.2.1", 10000);
    rig_wait_ms(&rig, 3600 * 1000);
    assert_int_equal(rig.query_count, 1);
    /* The last good answer serves meanwhile. */
    struct caller a = {0};
    assert_int_equal(caller_start(&a, &rig, cluster, &tcp), LEASE_WAIT);
    assert_int_equal(rig.dial_count, 1);
    assert_int_equal(rig.query_count, 2);
    caller_end(&a);
    rig_resolve(&rig, 1, RESOLVER_OK, "192.0.2.7", 10000);
    assert_true(has(cluster, "192.0.2.7:443"));
    rig_done(&rig);
}

static void an_address_that_stays_keeps_its_endpoint(void **state)
{
    struct cluster *cluster = begin();
    rig_resolve(&rig, 0, RESOLVER_OK, "192.0.2.1 192.0.2.2", 10000);
    struct endpoint *second = cluster->endpoints[1];
    rig.connects = true;
    struct caller held = {0};
    caller_start(&held, &rig, cluster, &tcp);
    rig_wait_ms(&rig, 9001);
    rig_resolve(&rig, 1, RESOLVER_OK, "192.0.2.2 192.0.2.3", 10000);
    assert_int_equal(cluster->endpoint_count, 2);
    assert_ptr_equal(cluster->endpoints[0], second);
    /* The same in another order is no change. */
    struct endpoint *third = cluster->endpoints[1];
    rig_wait_ms(&rig, 9001);
    rig_resolve(&rig, 2, RESOLVER_OK, "192.0.2.3 192.0.2.2", 10000);
    assert_ptr_equal(cluster->endpoints[0], second);
    assert_ptr_equal(cluster->endpoints[1], third);
    caller_end(&held);
    rig_done(&rig);
}

static void a_logical_name_is_one_endpoint(void **state)
{
    static const char *const hosts[] = {"cdn.example"};
    rig_init(&rig);
    rig.raw = true;
    struct cluster *cluster = begin_as(XDS_CLUSTER_LOGICAL_DNS, hosts, 1);
    rig_resolve(&rig, 0, RESOLVER_OK, "192.0.2.1 192.0.2.2 192.0.2.3", 10000);
    assert_int_equal(cluster->endpoint_count, 1);
    assert_true(has(cluster, "192.0.2.1:443"));
    rig_done(&rig);
}

static void a_name_that_is_an_address_needs_no_question(void **state)
{
    static const char *const hosts[] = {"192.0.2.9", "id.example"};
    rig_init(&rig);
    rig.raw = true;
    struct cluster *cluster = begin_as(XDS_CLUSTER_STRICT_DNS, hosts, 2);
    assert_int_equal(rig.query_count, 1);
    assert_string_equal(rig.queries[0].host, "id.example");
    assert_true(has(cluster, "192.0.2.9:443"));
    rig_done(&rig);
}

static void a_new_configuration_keeps_the_answers_of_names_that_stay(void **state)
{
    static const char *const before[] = {"a.example", "b.example"};
    static const char *const after[] = {"b.example", "c.example"};
    rig_init(&rig);
    rig.raw = true;
    struct cluster *cluster = begin_as(XDS_CLUSTER_STRICT_DNS, before, 2);
    rig_resolve(&rig, 0, RESOLVER_OK, "192.0.2.1", 10000);
    rig_resolve(&rig, 1, RESOLVER_OK, "192.0.2.2", 10000);
    begin_as(XDS_CLUSTER_STRICT_DNS, after, 2);
    assert_int_equal(cluster->endpoint_count, 1);
    assert_true(has(cluster, "192.0.2.2:443"));
    rig_done(&rig);
    assert_true(rig.queries[2].cancelled && rig.queries[3].cancelled);
}

static void a_cluster_that_leaves_cancels_its_questions(void **state)
{
    begin();
    rig_apply(&rig);
    assert_true(rig.queries[0].cancelled);
    rig_done(&rig);
}

static void a_shorter_life_of_failures_does_not_hammer_the_resolver(void **state)
{
    struct cluster *cluster = begin();
    for (size_t i = 0; i < 3; i++) {
        struct caller a = {0};
        caller_start(&a, &rig, cluster, &tcp);
        caller_end(&a);
        rig_resolve(&rig, i, RESOLVER_TEMPORARY, "", 5000);
        for (int j = 0; j < 100; j++) {
            struct caller b = {0};
            caller_start(&b, &rig, cluster, &tcp);
            caller_end(&b);
        }
        assert_int_equal(rig.query_count, i + 1);
        rig_wait_ms(&rig, 5000);
        assert_int_equal(rig.query_count, i + 2);
    }
    rig_done(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_lease_waits_for_the_first_answer),
        cmocka_unit_test(a_name_without_an_answer_fails_who_waits_and_who_comes),
        cmocka_unit_test(an_answer_that_never_comes_ends_the_wait_in_time),
        cmocka_unit_test(an_empty_or_failed_answer_keeps_the_last_good_set),
        cmocka_unit_test(a_used_name_is_asked_again_before_its_time_is_over),
        cmocka_unit_test(an_unused_name_is_asked_again_with_its_next_use),
        cmocka_unit_test(an_address_that_stays_keeps_its_endpoint),
        cmocka_unit_test(a_logical_name_is_one_endpoint),
        cmocka_unit_test(a_name_that_is_an_address_needs_no_question),
        cmocka_unit_test(a_new_configuration_keeps_the_answers_of_names_that_stay),
        cmocka_unit_test(a_cluster_that_leaves_cancels_its_questions),
        cmocka_unit_test(a_shorter_life_of_failures_does_not_hammer_the_resolver),
    };
    return TEST_MAIN(cases, argc, argv);
}
