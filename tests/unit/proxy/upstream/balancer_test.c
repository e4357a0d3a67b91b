#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "proxy/upstream/balancer.h"
#include "tests/unit/proxy/upstream/upstream_rig.h"

#include <math.h>

static struct rig rig;
static const struct lease_wish plain = {.kind = LEASE_HTTP};

enum { MOST = 8 };

static struct cluster *open_cluster(uint8_t lb, const uint32_t *weights, uint32_t count)
{
    random_seed(42);
    rig_init(&rig);
    struct xds_cluster facts;
    xds_cluster_init(&facts);
    facts.name = SPAN("c");
    facts.tls = XDS_TLS_NONE;
    facts.lb = lb;
    struct xds_endpoint endpoints[MOST];
    for (uint32_t i = 0; i < count; i++) {
        endpoints[i] = rig_endpoint(i + 1);
        endpoints[i].weight = weights[i];
    }
    rig_cluster(&rig, &facts, endpoints, count);
    rig_apply(&rig);
    return cluster_find(rig.upstream, SPAN("c"));
}

static uint32_t index_of(const struct cluster *cluster, const struct endpoint *endpoint)
{
    for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
        if (cluster->endpoints[i] == endpoint) {
            return i;
        }
    }
    fail_msg("an endpoint of another cluster");
    return 0;
}

/* Picks with `in_flight` requests under way at any time, the oldest ending first. */
static void shares(struct cluster *cluster, uint32_t picks, uint32_t in_flight, double *ret)
{
    enum { WINDOW = 256 };
    struct endpoint *window[WINDOW] = {NULL};
    uint32_t counts[MOST] = {0};
    for (uint32_t i = 0; i < picks; i++) {
        struct endpoint *endpoint = balancer_pick(cluster->balancer, &plain);
        assert_non_null(endpoint);
        counts[index_of(cluster, endpoint)]++;
        if (in_flight > 0) {
            struct endpoint **oldest = &window[i % in_flight];
            if (*oldest != NULL) {
                (*oldest)->active--;
            }
            *oldest = endpoint;
            endpoint->active++;
        }
    }
    for (uint32_t i = 0; i < WINDOW; i++) {
        if (window[i] != NULL) {
            window[i]->active--;
        }
    }
    for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
        ret[i] = (double)counts[i] / picks;
    }
}

static void assert_shares_follow_weights(uint8_t lb, uint32_t picks, uint32_t in_flight)
{
    static const uint32_t sets[][4] = {{1, 1, 1, 1}, {1, 2, 3, 4}, {90, 10, 50, 50}, {1, 1, 1, 97}};
    for (size_t s = 0; s < sizeof(sets) / sizeof(sets[0]); s++) {
        struct cluster *cluster = open_cluster(lb, sets[s], 4);
        double got[MOST];
        shares(cluster, picks, in_flight, got);
        double total = sets[s][0] + sets[s][1] + sets[s][2] + sets[s][3];
        for (int i = 0; i < 4; i++) {
            if (fabs(got[i] - sets[s][i] / total) > 0.02) {
                fail_msg("set %zu endpoint %d: %.4f for a weight of %.4f", s, i, got[i],
                         sets[s][i] / total);
            }
        }
        rig_done(&rig);
    }
}

static void round_robin_follows_weights_to_within_two_percent(void **state)
{
    assert_shares_follow_weights(XDS_LB_ROUND_ROBIN, 1000, 0);
    assert_shares_follow_weights(XDS_LB_ROUND_ROBIN, 1000, 50);
}

static void random_follows_weights_to_within_two_percent(void **state)
{
    assert_shares_follow_weights(XDS_LB_RANDOM, 100000, 0);
}

static void least_request_follows_weights_idle_and_under_load(void **state)
{
    assert_shares_follow_weights(XDS_LB_LEAST_REQUEST, 100000, 0);
    assert_shares_follow_weights(XDS_LB_LEAST_REQUEST, 100000, 200);
}

static void a_new_endpoint_beside_fast_ones_gets_its_share(void **state)
{
    static const uint32_t weights[] = {1, 1};
    struct cluster *cluster = open_cluster(XDS_LB_PEAK_EWMA, weights, 2);
    endpoint_sample(cluster->endpoints[0], NS_PER_MS, loop_now_ns(rig.loop));
    double got[MOST];
    shares(cluster, 10000, 0, got);
    assert_true(fabs(got[1] - 0.5) < 0.02);
    /* Its own latency counts from the first answer on. */
    endpoint_sample(cluster->endpoints[1], 500 * NS_PER_MS, loop_now_ns(rig.loop));
    shares(cluster, 1000, 0, got);
    assert_true(got[1] < 0.01);
    rig_done(&rig);
}

static void peak_ewma_follows_weights_where_all_are_equally_fast(void **state)
{
    assert_shares_follow_weights(XDS_LB_PEAK_EWMA, 100000, 0);
    assert_shares_follow_weights(XDS_LB_PEAK_EWMA, 100000, 200);
}

static void equal_round_robin_takes_one_after_the_other(void **state)
{
    static const uint32_t weights[] = {1, 1, 1};
    struct cluster *cluster = open_cluster(XDS_LB_ROUND_ROBIN, weights, 3);
    for (uint32_t i = 0; i < 9; i++) {
        assert_ptr_equal(balancer_pick(cluster->balancer, &plain), cluster->endpoints[i % 3]);
    }
    rig_done(&rig);
}

static void weighted_round_robin_does_not_clump(void **state)
{
    static const uint32_t weights[] = {1, 1};
    static const uint32_t heavy[] = {3, 1};
    struct cluster *cluster = open_cluster(XDS_LB_ROUND_ROBIN, weights, 2);
    rig_done(&rig);
    cluster = open_cluster(XDS_LB_ROUND_ROBIN, heavy, 2);
    uint32_t run = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        run = balancer_pick(cluster->balancer, &plain) == cluster->endpoints[0] ? run + 1 : 0;
        assert_true(run <= 5);
    }
    rig_done(&rig);
}

static void of_two_draws_the_less_loaded_wins(void **state)
{
    static const uint32_t weights[] = {1, 1};
    struct cluster *cluster = open_cluster(XDS_LB_LEAST_REQUEST, weights, 2);
    cluster->endpoints[0]->active = 3;
    cluster->endpoints[1]->active = 2;
    for (int i = 0; i < 100; i++) {
        assert_ptr_equal(balancer_pick(cluster->balancer, &plain), cluster->endpoints[1]);
    }
    cluster->endpoints[0]->active = cluster->endpoints[1]->active = 0;
    rig_done(&rig);
}

static void peak_ewma_sees_a_slow_endpoint(void **state)
{
    static const uint32_t weights[] = {1, 1, 1, 1};
    struct cluster *cluster = open_cluster(XDS_LB_PEAK_EWMA, weights, 4);
    int64_t now = loop_now_ns(rig.loop);
    for (uint32_t i = 0; i < 4; i++) {
        endpoint_sample(cluster->endpoints[i], (i == 2 ? 200 : 10) * NS_PER_MS, now);
    }
    double got[MOST];
    shares(cluster, 20000, 8, got);
    /* Only where both draws were busy enough. */
    assert_true(got[2] < 0.02);
    rig_done(&rig);
}

static void a_failing_endpoint_does_not_attract_traffic_by_failing_fast(void **state)
{
    static const uint32_t weights[] = {1, 1};
    struct cluster *cluster = open_cluster(XDS_LB_PEAK_EWMA, weights, 2);
    int64_t now = loop_now_ns(rig.loop);
    struct lease_outcome fast = {.status = 503, .grpc_status = -1, .latency_ns = NS_PER_MS};
    struct lease_outcome good = {.status = 200, .grpc_status = -1, .latency_ns = 20 * NS_PER_MS};
    endpoint_record(cluster->endpoints[0], &fast, now);
    endpoint_record(cluster->endpoints[1], &good, now);
    double got[MOST];
    shares(cluster, 1000, 4, got);
    assert_true(got[0] == 0);
    rig_done(&rig);
}

static void one_endpoint_is_taken_even_after_it_was_tried(void **state)
{
    static const uint32_t weights[] = {1};
    struct cluster *cluster = open_cluster(XDS_LB_PEAK_EWMA, weights, 1);
    struct lease_wish wish = {
        .kind = LEASE_HTTP, .tried = {cluster->endpoints[0]}, .tried_count = 1};
    assert_ptr_equal(balancer_pick(cluster->balancer, &wish), cluster->endpoints[0]);
    rig_done(&rig);
}

static void the_only_untried_of_many_is_always_found(void **state)
{
    static const uint8_t all[] = {XDS_LB_PEAK_EWMA, XDS_LB_LEAST_REQUEST, XDS_LB_ROUND_ROBIN,
                                  XDS_LB_RANDOM, XDS_LB_MAGLEV};
    static const uint32_t weights[] = {1000, 1000, 1000, 1000, 1000, 1000, 1000, 1};
    for (size_t a = 0; a < sizeof(all); a++) {
        struct cluster *cluster = open_cluster(all[a], weights, 8);
        struct lease_wish wish = {.kind = LEASE_HTTP, .tried_count = 7};
        for (int i = 0; i < 7; i++) {
            wish.tried[i] = cluster->endpoints[i];
        }
        for (int i = 0; i < 100; i++) {
            assert_ptr_equal(balancer_pick(cluster->balancer, &wish), cluster->endpoints[7]);
        }
        rig_done(&rig);
    }
}

static void open_with_health(const uint8_t *health, const uint32_t *priority, uint32_t count)
{
    rig_init(&rig);
    struct xds_cluster facts;
    xds_cluster_init(&facts);
    facts.name = SPAN("c");
    facts.tls = XDS_TLS_NONE;
    struct xds_endpoint endpoints[MOST];
    struct xds_locality localities[MOST];
    for (uint32_t i = 0; i < count; i++) {
        endpoints[i] = rig_endpoint(i + 1);
        endpoints[i].health = health[i];
        localities[i] = (struct xds_locality){
            .weight = 1, .priority = priority[i], .endpoints = &endpoints[i], .endpoint_count = 1};
    }
    struct xds_endpoints all = {.localities = localities, .locality_count = count};
    struct xds_error error = {{0}};
    rig.configs[rig.config_count++] = cluster_config_create(&facts, &all, &error);
    rig_apply(&rig);
}

static void draining_and_unhealthy_endpoints_get_nothing(void **state)
{
    static const uint8_t health[] = {XDS_HEALTH_HEALTHY, XDS_HEALTH_DRAINING, XDS_HEALTH_UNHEALTHY,
                                     XDS_HEALTH_UNKNOWN};
    static const uint32_t priority[4] = {0};
    open_with_health(health, priority, 4);
    struct cluster *cluster = cluster_find(rig.upstream, SPAN("c"));
    assert_int_equal(cluster->rotation_count, 2);
    for (int i = 0; i < 200; i++) {
        uint32_t at = index_of(cluster, balancer_pick(cluster->balancer, &plain));
        assert_true(at == 0 || at == 3);
    }
    rig_done(&rig);
}

static void a_lower_priority_serves_only_when_the_higher_is_gone(void **state)
{
    static const uint8_t one_up[] = {XDS_HEALTH_UNHEALTHY, XDS_HEALTH_HEALTHY, XDS_HEALTH_HEALTHY};
    static const uint8_t all_down[] = {XDS_HEALTH_UNHEALTHY, XDS_HEALTH_DRAINING,
                                       XDS_HEALTH_HEALTHY};
    static const uint32_t priority[] = {0, 0, 1};
    open_with_health(one_up, priority, 3);
    struct cluster *cluster = cluster_find(rig.upstream, SPAN("c"));
    assert_int_equal(cluster->rotation_count, 1);
    assert_ptr_equal(cluster->rotation[0], cluster->endpoints[1]);
    rig_done(&rig);
    open_with_health(all_down, priority, 3);
    cluster = cluster_find(rig.upstream, SPAN("c"));
    assert_int_equal(cluster->rotation_count, 1);
    assert_ptr_equal(cluster->rotation[0], cluster->endpoints[2]);
    rig_done(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(round_robin_follows_weights_to_within_two_percent),
        cmocka_unit_test(random_follows_weights_to_within_two_percent),
        cmocka_unit_test(least_request_follows_weights_idle_and_under_load),
        cmocka_unit_test(a_new_endpoint_beside_fast_ones_gets_its_share),
        cmocka_unit_test(peak_ewma_follows_weights_where_all_are_equally_fast),
        cmocka_unit_test(equal_round_robin_takes_one_after_the_other),
        cmocka_unit_test(weighted_round_robin_does_not_clump),
        cmocka_unit_test(of_two_draws_the_less_loaded_wins),
        cmocka_unit_test(peak_ewma_sees_a_slow_endpoint),
        cmocka_unit_test(a_failing_endpoint_does_not_attract_traffic_by_failing_fast),
        cmocka_unit_test(one_endpoint_is_taken_even_after_it_was_tried),
        cmocka_unit_test(the_only_untried_of_many_is_always_found),
        cmocka_unit_test(draining_and_unhealthy_endpoints_get_nothing),
        cmocka_unit_test(a_lower_priority_serves_only_when_the_higher_is_gone),
    };
    return TEST_MAIN(cases, argc, argv);
}
