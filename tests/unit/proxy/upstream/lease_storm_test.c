#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "proxy/upstream/cluster_run.h"
#include "tests/unit/proxy/upstream/upstream_rig.h"

/*
 * Everything that may happen, in any order, from a seed: leases of both kinds come and go, dials
 * succeed, fail or hang, servers answer, leave or die, time passes, endpoints and whole clusters
 * change. After each step the counts must agree, and in the end everything must be back.
 */
enum { CALLERS = 48, STEPS = 1200, ENDPOINTS = 6 };

static struct rig rig;
static struct caller callers[CALLERS];
static bool live[CALLERS];

static void apply_something(void)
{
    struct xds_endpoint endpoints[ENDPOINTS];
    uint32_t count = 0;
    struct xds_cluster facts;
    xds_cluster_init(&facts);
    facts.name = SPAN("c");
    facts.tls = XDS_TLS_NONE;
    facts.lb = (uint8_t)random_below(XDS_LB_RANDOM + 1);
    facts.max_connections = (int32_t)random_below(4) + 1;
    facts.max_pending = (int32_t)random_below(10);
    facts.http2_streams = (int32_t)random_below(3) + 1;
    facts.http2_per_endpoint = (int32_t)random_below(3) + 1;
    facts.http1_idle_ms = (int64_t)random_below(3) * 1000;
    facts.queue_timeout_ms = (int64_t)random_below(3) * 1000;
    for (uint32_t i = 0; i < ENDPOINTS; i++) {
        if (random_below(3) > 0) {
            endpoints[count] = rig_endpoint(i + 1);
            endpoints[count].weight = (uint32_t)random_below(3) + 1;
            endpoints[count].health = (uint8_t)random_below(4);
            count++;
        }
    }
    if (random_below(12) > 0) {
        rig_cluster(&rig, &facts, endpoints, count);
    }
    rig_apply(&rig);
}

static void start_one(void)
{
    struct cluster *cluster = cluster_find(rig.upstream, SPAN("c"));
    size_t at = random_below(CALLERS);
    if (live[at] || cluster == NULL) {
        return;
    }
    struct lease_wish wish = {
        .kind = random_below(4) == 0 ? LEASE_TCP : LEASE_HTTP,
        .http2_cleartext = rig.codec == HTTP_CODEC_2,
    };
    if (random_below(4) == 0) {
        wish.deadline_ns = loop_now_ns(rig.loop) + (int64_t)random_below(3000) * NS_PER_MS;
    }
    if (cluster->endpoint_count > 0 && random_below(3) == 0) {
        wish.tried[wish.tried_count++] = cluster->endpoints[random_below(cluster->endpoint_count)];
    }
    memset(&callers[at], 0, sizeof(callers[at]));
    live[at] = true;
    caller_start(&callers[at], &rig, cluster, &wish);
}

static void end_one(size_t at)
{
    if (!live[at]) {
        return;
    }
    live[at] = false;
    if (random_below(2) == 0) {
        caller_end(&callers[at]);
    } else {
        caller_end_with(&callers[at], callers[at].reset, callers[at].head != NULL ? 200 : 0,
                        (int64_t)random_below(100) * NS_PER_MS);
    }
}

static void settle_a_dial(void)
{
    for (size_t i = 0; i < rig.dial_count; i++) {
        struct rig_dial *dial = &rig.dials[i];
        if (dial->settled || random_below(2) == 0) {
            continue;
        }
        if (pipe_other_end(dial->far) != PIPE_OPEN) {
            dial->settled = true;
        } else if (random_below(4) == 0) {
            rig_refuse(&rig, i, FAILURE_CONNECT_REFUSED);
        } else {
            rig_connect(&rig, i);
        }
        return;
    }
}

static void harm_a_server(void)
{
    size_t at = rig.dial_count > 0 ? random_below(rig.dial_count) : 0;
    if (at >= rig.dial_count || rig.dials[at].server == NULL) {
        return;
    }
    if (random_below(2) == 0) {
        http_conn_drain(rig.dials[at].server);
    } else {
        http_conn_close(rig.dials[at].server,
                        random_below(2) == 0 ? FAILURE_NONE : FAILURE_DOWNSTREAM_RESET);
    }
}

static void answer_one(void)
{
    for (size_t i = 0; i < rig.stream_count; i++) {
        if (rig.streams[i]->stream != NULL && rig.streams[i]->head != NULL &&
            random_below(3) == 0) {
            rig_answer(&rig, i, 200);
            return;
        }
    }
}

static void step(void)
{
    uint64_t what = random_below(100);
    if (what < 35) {
        start_one();
    } else if (what < 60) {
        end_one(random_below(CALLERS));
    } else if (what < 75) {
        settle_a_dial();
    } else if (what < 87) {
        answer_one();
    } else if (what < 91) {
        harm_a_server();
    } else if (what < 96) {
        rig_wait_ms(&rig, (int64_t)random_below(1500));
    } else {
        apply_something();
    }
    if (random_below(3) > 0) {
        rig_go(&rig);
    }
}

static void the_counts_agree(void)
{
    struct cluster *cluster = cluster_find(rig.upstream, SPAN("c"));
    uint32_t leases = 0;
    uint32_t pending = 0;
    uint32_t requests = 0;
    uint32_t all_requests = 0;
    uint32_t active[ENDPOINTS] = {0};
    rig_go(&rig);
    for (size_t i = 0; i < CALLERS; i++) {
        if (!live[i] || callers[i].status == LEASE_FAILED) {
            continue;
        }
        const struct lease *lease = &callers[i].lease;
        assert_true(callers[i].readies + callers[i].fails <= 1);
        all_requests += lease->wish.kind == LEASE_HTTP;
        if (lease->cluster != cluster) {
            continue;
        }
        leases++;
        pending += callers[i].status == LEASE_WAIT;
        requests += lease->stream != NULL;
        for (uint32_t e = 0; e < cluster->endpoint_count; e++) {
            active[e] += lease->assigned && lease->endpoint == cluster->endpoints[e];
        }
    }
    assert_int_equal(rig.upstream->requests, all_requests);
    if (cluster == NULL) {
        return;
    }
    assert_int_equal(cluster->leases, leases);
    assert_int_equal(cluster->pending, pending);
    assert_int_equal(cluster->requests, requests);
    assert_true(cluster->queued <= cluster->pending);
    for (uint32_t e = 0; e < cluster->endpoint_count; e++) {
        assert_int_equal(cluster->endpoints[e]->active, active[e]);
    }
}

static void storm(uint64_t seed, enum http_codec codec)
{
    random_seed(seed);
    rig_init(&rig);
    rig.codec = codec;
    memset(live, 0, sizeof(live));
    apply_something();
    for (int i = 0; i < STEPS && rig.dial_count < RIG_DIALS - 64; i++) {
        step();
        if (i % 8 == 0) {
            the_counts_agree();
        }
    }
    for (size_t i = 0; i < CALLERS; i++) {
        end_one(i);
    }
    the_counts_agree();
    rig_wait_ms(&rig, 10000);
    while (rig.dial_count > 0 && !rig.dials[rig.dial_count - 1].settled) {
        settle_a_dial();
        rig_go(&rig);
    }
    rig_apply(&rig);
    rig_wait_ms(&rig, 400 * 1000);
    assert_int_equal(rig.upstream->requests, 0);
    rig_done(&rig);
}

static void no_order_of_events_over_http1_leaves_anything_behind(void **state)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        storm(seed, HTTP_CODEC_1);
    }
}

static void no_order_of_events_over_http2_leaves_anything_behind(void **state)
{
    for (uint64_t seed = 1001; seed <= 1040; seed++) {
        storm(seed, HTTP_CODEC_2);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(no_order_of_events_over_http1_leaves_anything_behind),
        cmocka_unit_test(no_order_of_events_over_http2_leaves_anything_behind),
    };
    return TEST_MAIN(cases, argc, argv);
}
