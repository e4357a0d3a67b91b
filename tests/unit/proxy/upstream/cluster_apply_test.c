#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "proxy/upstream/cluster_run.h"
#include "tests/unit/proxy/upstream/upstream_rig.h"

#include <jansson.h>

static struct rig rig;

static void facts_init(struct xds_cluster *facts)
{
    xds_cluster_init(facts);
    facts->name = SPAN("c");
    facts->tls = XDS_TLS_NONE;
    facts->protocol = XDS_PROTOCOL_HTTP2;
}

/* The next snapshot: cluster "c" with these last bytes as endpoints. */
static void apply(const struct xds_cluster *facts, const uint8_t *bytes, uint32_t count)
{
    struct xds_endpoint endpoints[16];
    for (uint32_t i = 0; i < count; i++) {
        endpoints[i] = rig_endpoint(bytes[i]);
    }
    rig_cluster(&rig, facts, endpoints, count);
    rig_apply(&rig);
}

static struct cluster *begin(uint32_t count)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    rig_init(&rig);
    rig.codec = HTTP_CODEC_2;
    rig.connects = true;
    struct xds_cluster facts;
    facts_init(&facts);
    apply(&facts, bytes, count);
    return cluster_find(rig.upstream, SPAN("c"));
}

static void a_cluster_is_found_when_the_snapshot_has_it(void **state)
{
    struct cluster *cluster = begin(1);
    assert_non_null(cluster);
    assert_ptr_equal(cluster_find(rig.upstream, SPAN("c")), cluster);
    assert_null(cluster_find(rig.upstream, SPAN("other")));
    size_t at = 0;
    assert_ptr_equal(cluster_next(rig.upstream, &at), cluster);
    assert_null(cluster_next(rig.upstream, &at));
    rig_done(&rig);
}

static void endpoints_that_stay_keep_everything(void **state)
{
    /* Below and beyond the size from which a map is used. */
    static const uint32_t sizes[] = {3, 12};
    for (size_t s = 0; s < 2; s++) {
        struct cluster *cluster = begin(sizes[s]);
        struct endpoint *second = cluster->endpoints[1];
        struct endpoint *third = cluster->endpoints[2];
        endpoint_sample(third, 77 * NS_PER_MS, loop_now_ns(rig.loop));
        static const uint8_t bytes[] = {3, 200, 2};
        struct xds_cluster facts;
        facts_init(&facts);
        apply(&facts, bytes, 3);
        assert_int_equal(cluster->endpoint_count, 3);
        assert_ptr_equal(cluster->endpoints[0], third);
        assert_ptr_equal(cluster->endpoints[2], second);
        assert_float_equal(cluster->endpoints[0]->rtt_ns, 77e6, 1);
        assert_string_equal(cluster->endpoints[1]->text, "10.0.0.200:80");
        assert_int_equal(cluster->rotation_count, 3);
        rig_done(&rig);
    }
}

static void an_endpoint_that_left_closes_its_idle_connections_at_once(void **state)
{
    struct cluster *cluster = begin(1);
    rig.answers = true;
    struct caller a = {0};
    caller_start(&a, &rig, cluster, NULL);
    rig_go(&rig);
    caller_end(&a);
    rig_go(&rig);
    assert_int_equal(cluster->connections, 1);
    struct xds_cluster facts;
    facts_init(&facts);
    apply(&facts, (const uint8_t[]){9}, 1);
    rig_go(&rig);
    assert_int_equal(cluster->connections, 0);
    rig_done(&rig);
}

static void an_endpoint_that_left_finishes_what_it_has_and_takes_nothing_new(void **state)
{
    struct cluster *cluster = begin(1);
    struct caller old = {0};
    caller_start(&old, &rig, cluster, NULL);
    rig_go(&rig);
    struct endpoint *left = old.lease.endpoint;
    struct xds_cluster facts;
    facts_init(&facts);
    apply(&facts, (const uint8_t[]){9}, 1);
    struct caller young = {0};
    caller_start(&young, &rig, cluster, NULL);
    rig_go(&rig);
    assert_ptr_not_equal(young.lease.endpoint, left);
    assert_true(left->leaving);
    assert_int_equal(left->active, 1);
    assert_int_equal(old.reset, FAILURE_NONE);
    rig_answer(&rig, 0, 200);
    assert_true(old.ended);
    caller_end(&old);
    rig_go(&rig);
    assert_int_equal(left->connections, 0);
    /* Its name can still be read for two minutes, and then it is gone. */
    rig_wait_ms(&rig, 60 * 1000);
    assert_string_equal(left->text, "10.0.0.1:80");
    assert_int_equal(cluster->held_endpoints, 2);
    rig_wait_ms(&rig, 150 * 1000);
    assert_int_equal(cluster->held_endpoints, 1);
    caller_end(&young);
    rig_done(&rig);
}

static void who_waits_for_an_endpoint_that_leaves_looks_elsewhere(void **state)
{
    struct cluster *cluster = begin(1);
    rig.connects = false;
    struct caller callers[3] = {0};
    for (int i = 0; i < 3; i++) {
        caller_start(&callers[i], &rig, cluster, NULL);
    }
    struct lease_wish tcp = {.kind = LEASE_TCP};
    struct caller single = {0};
    caller_start(&single, &rig, cluster, &tcp);
    struct xds_cluster facts;
    facts_init(&facts);
    apply(&facts, (const uint8_t[]){9}, 1);
    rig_go(&rig);
    assert_int_equal(rig.dial_count, 4);
    assert_int_equal(pipe_other_end(rig.dials[0].far), PIPE_ABORTED);
    assert_int_equal(pipe_other_end(rig.dials[1].far), PIPE_ABORTED);
    assert_int_equal(rig.dials[2].to.bytes[3], 9);
    assert_int_equal(rig.dials[3].to.bytes[3], 9);
    rig_connect(&rig, 2);
    rig_connect(&rig, 3);
    rig_go(&rig);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(callers[i].readies, 1);
        caller_end(&callers[i]);
    }
    assert_int_equal(single.readies, 1);
    caller_end(&single);
    rig_done(&rig);
}

static void a_draining_endpoint_finishes_and_takes_nothing_new(void **state)
{
    struct cluster *cluster = begin(2);
    struct xds_cluster facts;
    facts_init(&facts);
    struct xds_endpoint endpoints[] = {rig_endpoint(1), rig_endpoint(2)};
    endpoints[0].health = XDS_HEALTH_DRAINING;
    struct endpoint *first = cluster->endpoints[0];
    rig_cluster(&rig, &facts, endpoints, 2);
    rig_apply(&rig);
    assert_ptr_equal(cluster->endpoints[0], first);
    for (int i = 0; i < 20; i++) {
        struct caller a = {0};
        caller_start(&a, &rig, cluster, NULL);
        assert_ptr_equal(a.lease.endpoint, cluster->endpoints[1]);
        caller_end(&a);
    }
    rig_done(&rig);
}

static void a_cluster_that_left_lives_until_its_last_lease_ends(void **state)
{
    struct cluster *cluster = begin(1);
    struct caller held = {0};
    caller_start(&held, &rig, cluster, NULL);
    rig_go(&rig);
    rig_apply(&rig);
    assert_null(cluster_find(rig.upstream, SPAN("c")));
    assert_true(cluster->leaving);
    struct caller late = {0};
    assert_int_equal(caller_start(&late, &rig, cluster, NULL), LEASE_FAILED);
    assert_int_equal(late.failure, FAILURE_NO_ENDPOINT);
    rig_wait_ms(&rig, 200 * 1000);
    assert_int_equal(held.reset, FAILURE_NONE);
    rig_answer(&rig, 0, 200);
    assert_true(held.ended);
    caller_end(&held);
    assert_int_equal(rig.upstream->clusters->count, 1);
    rig_wait_ms(&rig, 60 * 1000);
    assert_int_equal(rig.upstream->clusters->count, 1);
    rig_wait_ms(&rig, 120 * 1000);
    assert_int_equal(rig.upstream->clusters->count, 0);
    rig_done(&rig);
}

static void who_waits_for_a_cluster_that_leaves_is_told(void **state)
{
    struct cluster *cluster = begin(0);
    struct caller a = {0};
    assert_int_equal(caller_start(&a, &rig, cluster, NULL), LEASE_WAIT);
    rig_apply(&rig);
    rig_go(&rig);
    assert_int_equal(a.failure, FAILURE_NO_ENDPOINT);
    rig_done(&rig);
}

static void a_cluster_that_comes_back_is_a_new_one(void **state)
{
    struct cluster *cluster = begin(1);
    struct caller held = {0};
    caller_start(&held, &rig, cluster, NULL);
    rig_go(&rig);
    rig_apply(&rig);
    struct xds_cluster facts;
    facts_init(&facts);
    apply(&facts, (const uint8_t[]){1}, 1);
    struct cluster *again = cluster_find(rig.upstream, SPAN("c"));
    assert_non_null(again);
    assert_ptr_not_equal(again, cluster);
    caller_end(&held);
    rig_done(&rig);
}

static void other_tls_rules_make_every_endpoint_another(void **state)
{
    struct cluster *cluster = begin(1);
    rig.answers = true;
    struct caller a = {0};
    caller_start(&a, &rig, cluster, NULL);
    rig_go(&rig);
    struct endpoint *before = a.lease.endpoint;
    caller_end(&a);
    struct xds_cluster facts;
    facts_init(&facts);
    static const struct span identities[] = {{"spiffe://td.test/ns/shop/sa/api", 31}};
    facts.identities = identities;
    facts.identity_count = 1;
    apply(&facts, (const uint8_t[]){1}, 1);
    assert_ptr_not_equal(cluster->endpoints[0], before);
    rig_go(&rig);
    assert_int_equal(before->connections, 0);
    rig_done(&rig);
}

static void an_endpoint_with_another_identity_is_another(void **state)
{
    struct cluster *cluster = begin(0);
    struct xds_cluster facts;
    facts_init(&facts);
    struct xds_endpoint endpoint = rig_endpoint(1);
    endpoint.identity = SPAN("spiffe://td.test/ns/shop/sa/a");
    rig_cluster(&rig, &facts, &endpoint, 1);
    rig_apply(&rig);
    struct endpoint *before = cluster->endpoints[0];
    endpoint.identity = SPAN("spiffe://td.test/ns/shop/sa/b");
    rig_cluster(&rig, &facts, &endpoint, 1);
    rig_apply(&rig);
    assert_ptr_not_equal(cluster->endpoints[0], before);
    assert_true(before->leaving);
    rig_done(&rig);
}

static void a_change_of_limits_holds_for_what_comes(void **state)
{
    struct cluster *cluster = begin(1);
    struct endpoint *endpoint = cluster->endpoints[0];
    struct xds_cluster facts;
    facts_init(&facts);
    facts.lb = XDS_LB_ROUND_ROBIN;
    facts.http2_streams = 1;
    facts.http2_per_endpoint = 1;
    apply(&facts, (const uint8_t[]){1}, 1);
    assert_ptr_equal(cluster->endpoints[0], endpoint);
    struct caller a = {0};
    struct caller b = {0};
    caller_start(&a, &rig, cluster, NULL);
    caller_start(&b, &rig, cluster, NULL);
    rig_go(&rig);
    assert_int_equal(a.readies, 1);
    assert_int_equal(b.readies, 0);
    caller_end(&a);
    caller_end(&b);
    rig_done(&rig);
}

static struct cluster *adopt(uint32_t n)
{
    char name[64];
    struct address to = {.family = 4, .port = 1};
    memcpy(to.bytes, &n, sizeof(n));
    snprintf(name, sizeof(name), "passthrough|%u", n);
    struct cluster *cluster = cluster_find(rig.upstream, span_of(name));
    return cluster != NULL
               ? cluster
               : cluster_adopt(rig.upstream, cluster_config_passthrough(span_of(name), &to));
}

static void an_unnamed_cluster_is_kept_while_used_and_dropped_after_a_minute(void **state)
{
    rig_init(&rig);
    struct cluster *cluster = adopt(1);
    assert_ptr_equal(adopt(1), cluster);
    rig_apply(&rig);
    assert_ptr_equal(adopt(1), cluster);
    struct caller a = {0};
    struct lease_wish tcp = {.kind = LEASE_TCP};
    caller_start(&a, &rig, cluster, &tcp);
    rig_connect(&rig, 0);
    rig_wait_ms(&rig, 300 * 1000);
    assert_ptr_equal(adopt(1), cluster);
    caller_end(&a);
    rig_wait_ms(&rig, 100 * 1000);
    assert_int_equal(rig.upstream->clusters->adopted_count, 0);
    rig_wait_ms(&rig, 300 * 1000);
    assert_int_equal(rig.upstream->clusters->count, 0);
    rig_done(&rig);
}

static void an_application_that_scans_costs_no_more_than_a_thousand_clusters(void **state)
{
    rig_init(&rig);
    struct cluster *busy = adopt(0);
    struct caller a = {0};
    struct lease_wish tcp = {.kind = LEASE_TCP};
    caller_start(&a, &rig, busy, &tcp);
    for (uint32_t i = 1; i < 3000; i++) {
        adopt(i);
        assert_true(rig.upstream->clusters->adopted_count <= CLUSTERS_ADOPTED);
    }
    assert_ptr_equal(adopt(0), busy);
    caller_end(&a);
    rig_done(&rig);
}

static void ten_thousand_clusters_leave_at_once(void **state)
{
    enum { CLUSTERS = 10000 };
    static struct cluster_config *configs[CLUSTERS];
    static char names[CLUSTERS][16];
    rig_init(&rig);
    rig.codec = HTTP_CODEC_2;
    rig.connects = rig.answers = true;
    struct xds_endpoint endpoint = rig_endpoint(1);
    struct xds_locality locality = {.weight = 1, .endpoints = &endpoint, .endpoint_count = 1};
    struct xds_endpoints all = {.localities = &locality, .locality_count = 1};
    struct snapshot *empty = snapshot_empty();
    struct snapshot_parts parts = {.phone_book = empty->phone_book,
                                   .workload = empty->workload,
                                   .clusters = configs,
                                   .cluster_count = CLUSTERS};
    for (int i = 0; i < CLUSTERS; i++) {
        struct xds_cluster facts;
        struct xds_error error;
        facts_init(&facts);
        snprintf(names[i], sizeof(names[i]), "c%d", i);
        facts.name = span_of(names[i]);
        configs[i] = cluster_config_create(&facts, &all, &error);
    }
    struct snapshot *snapshot = snapshot_create(1, &parts);
    upstream_apply(rig.upstream, snapshot);
    for (int i = 0; i < CLUSTERS; i++) {
        struct cluster *cluster = cluster_find(rig.upstream, span_of(names[i]));
        assert_non_null(cluster);
        if (i % 10 == 0) {
            struct caller a = {0};
            caller_start(&a, &rig, cluster, NULL);
            rig_go(&rig);
            caller_end(&a);
        }
        cluster_config_unref(configs[i]);
    }
    snapshot_unref(snapshot);
    upstream_apply(rig.upstream, empty);
    snapshot_unref(empty);
    rig_wait_ms(&rig, 200 * 1000);
    assert_int_equal(rig.upstream->clusters->count, 0);
    rig_done(&rig);
}

static void a_cluster_is_described_in_json(void **state)
{
    struct cluster *cluster = begin(2);
    struct caller a = {0};
    caller_start(&a, &rig, cluster, NULL);
    rig_go(&rig);
    struct text json = {0};
    cluster_describe(cluster, &json);
    json_t *root = json_loadb(json.bytes, json.length, 0, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "name")), "c");
    assert_int_equal(json_integer_value(json_object_get(root, "leases")), 1);
    json_t *endpoints = json_object_get(root, "endpoints");
    assert_int_equal(json_array_size(endpoints), 2);
    int active = 0;
    for (size_t i = 0; i < 2; i++) {
        json_t *endpoint = json_array_get(endpoints, i);
        active += (int)json_integer_value(json_object_get(endpoint, "active"));
        assert_string_equal(json_string_value(json_object_get(endpoint, "state")), "in_rotation");
        assert_true(json_is_true(json_object_get(endpoint, "candidate")));
        assert_true(json_number_value(json_object_get(endpoint, "cost")) >= 30.0);
    }
    assert_int_equal(active, 1);
    json_decref(root);
    text_done(&json);
    caller_end(&a);
    rig_done(&rig);
}

static void the_description_says_who_is_no_candidate_and_why(void **state)
{
    static const char *const states[] = {"in_rotation", "draining", "unhealthy"};
    static const uint8_t health[] = {XDS_HEALTH_HEALTHY, XDS_HEALTH_DRAINING, XDS_HEALTH_UNHEALTHY};
    struct cluster *cluster = begin(0);
    struct xds_cluster facts;
    struct xds_endpoint endpoints[3];
    facts_init(&facts);
    facts.lb = XDS_LB_ROUND_ROBIN;
    for (uint32_t i = 0; i < 3; i++) {
        endpoints[i] = rig_endpoint(i + 1);
        endpoints[i].health = health[i];
        endpoints[i].workload = SPAN("a \"quoted\" name");
    }
    rig_cluster(&rig, &facts, endpoints, 3);
    rig_apply(&rig);
    struct text json = {0};
    cluster_describe(cluster, &json);
    json_t *root = json_loadb(json.bytes, json.length, 0, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "balancer")), "round_robin");
    for (size_t i = 0; i < 3; i++) {
        json_t *endpoint = json_array_get(json_object_get(root, "endpoints"), i);
        assert_string_equal(json_string_value(json_object_get(endpoint, "state")), states[i]);
        assert_int_equal(json_is_true(json_object_get(endpoint, "candidate")), i == 0);
        assert_string_equal(json_string_value(json_object_get(endpoint, "workload")),
                            "a \"quoted\" name");
    }
    json_decref(root);
    text_done(&json);
    rig_done(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_cluster_is_found_when_the_snapshot_has_it),
        cmocka_unit_test(endpoints_that_stay_keep_everything),
        cmocka_unit_test(an_endpoint_that_left_closes_its_idle_connections_at_once),
        cmocka_unit_test(an_endpoint_that_left_finishes_what_it_has_and_takes_nothing_new),
        cmocka_unit_test(who_waits_for_an_endpoint_that_leaves_looks_elsewhere),
        cmocka_unit_test(a_draining_endpoint_finishes_and_takes_nothing_new),
        cmocka_unit_test(a_cluster_that_left_lives_until_its_last_lease_ends),
        cmocka_unit_test(who_waits_for_a_cluster_that_leaves_is_told),
        cmocka_unit_test(a_cluster_that_comes_back_is_a_new_one),
        cmocka_unit_test(other_tls_rules_make_every_endpoint_another),
        cmocka_unit_test(an_endpoint_with_another_identity_is_another),
        cmocka_unit_test(a_change_of_limits_holds_for_what_comes),
        cmocka_unit_test(an_unnamed_cluster_is_kept_while_used_and_dropped_after_a_minute),
        cmocka_unit_test(an_application_that_scans_costs_no_more_than_a_thousand_clusters),
        cmocka_unit_test(ten_thousand_clusters_leave_at_once),
        cmocka_unit_test(a_cluster_is_described_in_json),
        cmocka_unit_test(the_description_says_who_is_no_candidate_and_why),
    };
    return TEST_MAIN(cases, argc, argv);
}
