#include "tests/unit/test_main.h"

#include "lib/base/memory.h"
#include "proxy/config/cluster_config.h"
#include "proxy/config/config_limits.h"
#include "proxy/config/listener_config.h"

static struct xds_cluster cluster_named(const char *name)
{
    struct xds_cluster facts;
    xds_cluster_init(&facts);
    facts.name = span_of(name);
    return facts;
}

static void what_is_not_said_gets_the_documented_default(void **state)
{
    struct xds_cluster facts = cluster_named("c");
    struct xds_error error = {{0}};
    struct cluster_config *cluster = cluster_config_create(&facts, NULL, &error);
    assert_non_null(cluster);
    const struct xds_cluster *said = &cluster->facts;
    assert_int_equal(said->connect_timeout_ms, 1000);
    assert_int_equal(said->handshake_timeout_ms, 5000);
    assert_int_equal(said->http1_idle_ms, 3000);
    assert_int_equal(said->connection_idle_ms, 3600000);
    assert_int_equal(said->stream_idle_ms, 3600000);
    assert_int_equal(said->ewma_decay_ms, 10000);
    assert_int_equal(said->ewma_initial_ms, 30);
    assert_int_equal(said->queue_timeout_ms, 3000);
    assert_int_equal(said->max_age_ms, 1800000);
    assert_int_equal(said->max_connections, 1024);
    assert_int_equal(said->max_pending, 1024);
    assert_int_equal(said->max_requests, 100000);
    assert_int_equal(said->http2_per_endpoint, 4);
    assert_int_equal(said->http2_streams, 100);
    assert_int_equal(said->retry_budget_percent, 20);
    assert_int_equal(said->retry_budget_min_per_s, 10);
    assert_int_equal(said->retry_budget_window_ms, 10000);
    assert_false(cluster->endpoints_known);
    cluster_config_unref(cluster);
}

static void what_is_said_stays_also_where_it_is_zero(void **state)
{
    struct xds_cluster facts = cluster_named("c");
    facts.connect_timeout_ms = 250;
    facts.stream_idle_ms = 0;
    facts.max_age_ms = 0;
    facts.max_pending = 0;
    facts.retry_budget_percent = 0;
    facts.retry_budget_min_per_s = 0;
    facts.connection_idle_ms = INT64_MAX;
    struct xds_error error = {{0}};
    struct cluster_config *cluster = cluster_config_create(&facts, NULL, &error);
    assert_int_equal(cluster->facts.connect_timeout_ms, 250);
    assert_int_equal(cluster->facts.stream_idle_ms, 0);
    assert_int_equal(cluster->facts.max_age_ms, 0);
    assert_int_equal(cluster->facts.max_pending, 0);
    assert_int_equal(cluster->facts.retry_budget_percent, 0);
    assert_int_equal(cluster->facts.retry_budget_min_per_s, 0);
    /* Longer than any clock: it must fit into nanoseconds. */
    assert_int_equal(cluster->facts.connection_idle_ms, CONFIG_MS_MOST);
    cluster_config_unref(cluster);
}

static void a_cluster_that_cannot_work_is_refused(void **state)
{
    const struct xds_endpoint nowhere = {.weight = 1};
    const struct xds_locality locality = {.endpoints = &nowhere, .endpoint_count = 1};
    const struct xds_endpoints endpoints = {.localities = &locality, .locality_count = 1};
    struct xds_cluster rows[10];
    for (size_t i = 0; i < 10; i++) {
        rows[i] = cluster_named("c");
    }
    rows[0].name = SPAN_EMPTY;
    rows[1].lb = XDS_LB_MAGLEV + 1;
    rows[2].tls = XDS_TLS_ORIGINATE + 1;
    rows[3].type = XDS_CLUSTER_ORIGINAL_DST + 1;
    rows[4].protocol = XDS_PROTOCOL_OPAQUE + 1;
    rows[5].http2_per_endpoint = 0;
    rows[6].http2_streams = 0;
    rows[7].retry_budget_window_ms = 0;
    rows[8].ewma_decay_ms = 0;
    rows[9].inline_endpoints = &endpoints;
    for (size_t i = 0; i < 10; i++) {
        struct xds_error error = {{0}};
        assert_null(cluster_config_create(&rows[i], NULL, &error));
        assert_true(error.text[0] != '\0');
    }
    struct xds_cluster by_eds = cluster_named("c");
    struct xds_error error = {{0}};
    by_eds.type = XDS_CLUSTER_EDS;
    assert_null(cluster_config_create(&by_eds, &endpoints, &error));
    assert_string_equal(error.text, "cluster c has an endpoint without an address");
}

static void only_a_cluster_that_resolves_may_have_names(void **state)
{
    const struct xds_endpoint named = {.hostname = SPAN("db.example"), .weight = 1};
    const struct xds_locality locality = {.endpoints = &named, .endpoint_count = 1};
    const struct xds_endpoints endpoints = {.localities = &locality, .locality_count = 1};
    static const uint8_t types[] = {XDS_CLUSTER_STATIC, XDS_CLUSTER_EDS, XDS_CLUSTER_STRICT_DNS,
                                    XDS_CLUSTER_LOGICAL_DNS};
    for (size_t i = 0; i < sizeof(types); i++) {
        struct xds_cluster facts = cluster_named("c");
        facts.type = types[i];
        facts.inline_endpoints = &endpoints;
        struct xds_error error = {{0}};
        struct cluster_config *cluster = cluster_config_create(&facts, NULL, &error);
        assert_int_equal(cluster != NULL, i >= 2);
        cluster_config_unref(cluster);
    }
}

/* Two zones, the second with two endpoints, one of them with weight 0 by mistake. */
static struct cluster_config *with_endpoints(struct arena *arena, uint32_t weight,
                                             const char *identity)
{
    struct xds_cluster facts = cluster_named(arena_text(arena, SPAN("c")));
    facts.type = XDS_CLUSTER_EDS;
    struct xds_endpoint *endpoints = ARENA_ARRAY(arena, struct xds_endpoint, 3);
    address_parse(SPAN("10.0.0.1:80"), &endpoints[0].address);
    address_parse(SPAN("10.0.0.2:80"), &endpoints[1].address);
    address_parse(SPAN("[fd00::3]:80"), &endpoints[2].address);
    for (size_t i = 0; i < 3; i++) {
        endpoints[i].weight = i == 1 ? weight : 1;
        endpoints[i].identity = i == 1 ? arena_span(arena, span_of(identity)) : SPAN_EMPTY;
        endpoints[i].workload = arena_span(arena, SPAN("api-1"));
    }
    struct xds_locality *localities = ARENA_ARRAY(arena, struct xds_locality, 2);
    localities[0] = (struct xds_locality){
        .zone = arena_span(arena, SPAN("a")), .endpoints = endpoints, .endpoint_count = 1};
    localities[1] = (struct xds_locality){.zone = arena_span(arena, SPAN("b")),
                                          .priority = 1,
                                          .endpoints = endpoints + 1,
                                          .endpoint_count = 2};
    const struct xds_endpoints all = {.localities = localities, .locality_count = 2};
    struct xds_error error = {{0}};
    struct cluster_config *cluster = cluster_config_create(&facts, &all, &error);
    assert_non_null(cluster);
    return cluster;
}

static void endpoints_are_kept_with_their_locality_after_the_facts_are_gone(void **state)
{
    struct arena arena = {0};
    struct cluster_config *cluster = with_endpoints(&arena, 0, "spiffe://td/a");
    arena_done(&arena);
    assert_true(cluster->endpoints_known);
    assert_int_equal(cluster->endpoint_count, 3);
    assert_true(span_equal_text(cluster->endpoints[0].zone, "a"));
    assert_true(span_equal_text(cluster->endpoints[2].zone, "b"));
    assert_int_equal(cluster->endpoints[0].priority, 0);
    assert_int_equal(cluster->endpoints[1].priority, 1);
    assert_int_equal(cluster->endpoints[1].facts.weight, 1);
    assert_true(span_equal_text(cluster->endpoints[1].facts.identity, "spiffe://td/a"));
    assert_true(span_equal_text(cluster->endpoints[2].facts.workload, "api-1"));
    cluster_config_unref(cluster_config_ref(cluster));
    cluster_config_unref(cluster);
}

static void an_endpoint_keeps_its_key_unless_it_becomes_somebody_else(void **state)
{
    struct arena arena = {0};
    struct cluster_config *before = with_endpoints(&arena, 1, "spiffe://td/a");
    struct cluster_config *heavier = with_endpoints(&arena, 7, "spiffe://td/a");
    struct cluster_config *other = with_endpoints(&arena, 1, "spiffe://td/b");
    for (size_t i = 0; i < 3; i++) {
        assert_true(before->endpoints[i].key == heavier->endpoints[i].key);
        assert_int_equal(before->endpoints[i].key == other->endpoints[i].key, i != 1);
    }
    assert_true(before->endpoints[0].key != before->endpoints[1].key);
    cluster_config_unref(before);
    cluster_config_unref(heavier);
    cluster_config_unref(other);
    arena_done(&arena);
}

static void no_endpoints_are_known_as_none(void **state)
{
    struct xds_cluster facts = cluster_named("c");
    const struct xds_endpoints none = {.cluster = SPAN("c")};
    struct xds_error error = {{0}};
    struct cluster_config *cluster = cluster_config_create(&facts, &none, &error);
    assert_true(cluster->endpoints_known);
    assert_int_equal(cluster->endpoint_count, 0);
    cluster_config_unref(cluster);
}

static void clusters_that_no_control_plane_names_have_one_endpoint(void **state)
{
    struct address to;
    address_parse(SPAN("10.0.0.9:8080"), &to);
    char *name = mem_strdup("passthrough|10.0.0.9:8080");
    struct cluster_config *outside = cluster_config_passthrough(span_of(name), &to);
    struct cluster_config *local = cluster_config_local(span_of(name), &to, XDS_PROTOCOL_HTTP2);
    const struct xds_endpoint pod = {.address = to,
                                     .identity = SPAN("spiffe://td/ns/a/sa/b"),
                                     .workload = SPAN("db-0"),
                                     .flags = XDS_ENDPOINT_SIDECAR,
                                     .protocol = XDS_PROTOCOL_OPAQUE};
    struct cluster_config *workload =
        cluster_config_workload(span_of(name), &pod, SPAN("db-0.example"));
    mem_free(name);
    struct cluster_config *const all[] = {outside, local, workload};
    for (size_t i = 0; i < 3; i++) {
        assert_true(span_equal_text(all[i]->facts.name, "passthrough|10.0.0.9:8080"));
        assert_true(all[i]->endpoints_known);
        assert_int_equal(all[i]->endpoint_count, 1);
        assert_true(address_equal(&all[i]->endpoints[0].facts.address, &to));
        assert_true(all[i]->facts.max_pending > 0);
    }
    assert_int_equal(outside->facts.tls, XDS_TLS_NONE);
    assert_int_equal(local->facts.tls, XDS_TLS_NONE);
    assert_int_equal(local->facts.connect_timeout_ms, 300);
    assert_int_equal(local->facts.protocol, XDS_PROTOCOL_HTTP2);
    assert_int_equal(workload->facts.tls, XDS_TLS_MESH);
    assert_int_equal(workload->facts.protocol, XDS_PROTOCOL_OPAQUE);
    assert_true(span_equal_text(workload->endpoints[0].facts.identity, "spiffe://td/ns/a/sa/b"));
    for (size_t i = 0; i < 3; i++) {
        cluster_config_unref(all[i]);
    }
}

static void opaque_connections_are_split_by_weight(void **state)
{
    const struct xds_weighted_cluster clusters[] = {{.name = SPAN("a"), .weight = 1},
                                                    {.name = SPAN_EMPTY, .weight = 1},
                                                    {.name = SPAN("c"), .weight = 2}};
    const struct xds_listener facts = {
        .name = SPAN("redis:6379"), .tcp_clusters = clusters, .tcp_cluster_count = 3};
    struct xds_error error = {{0}};
    struct listener_config *listener = listener_config_create(&facts, NULL, &error);
    static const struct {
        double draw;
        const char *wanted;
    } rows[] = {{0, "a"}, {0.2499, "a"}, {0.25, ""}, {0.4999, ""}, {0.5, "c"}, {0.9999, "c"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(
            span_equal_text(listener_config_tcp_cluster(listener, rows[i].draw), rows[i].wanted));
    }
    listener_config_unref(listener);
    const struct xds_listener none = {.name = SPAN("redis:6379")};
    listener = listener_config_create(&none, NULL, &error);
    assert_int_equal(listener_config_tcp_cluster(listener, 0.5).length, 0);
    listener_config_unref(listener);
}

static void a_listener_without_a_name_or_with_a_strange_protocol_is_refused(void **state)
{
    const struct xds_listener rows[] = {
        {.protocol = XDS_PROTOCOL_HTTP1},
        {.name = SPAN("a:80"), .protocol = XDS_PROTOCOL_OPAQUE + 1}};
    for (size_t i = 0; i < 2; i++) {
        struct xds_error error = {{0}};
        assert_null(listener_config_create(&rows[i], NULL, &error));
        assert_true(error.text[0] != '\0');
    }
}

static void use_of_a_listener_is_said_once(void **state)
{
    const struct xds_listener facts = {.name = SPAN("a:80")};
    struct xds_error error = {{0}};
    struct listener_config *listener = listener_config_create(&facts, NULL, &error);
    assert_false(atomic_load(&listener->used));
    listener_config_use(listener);
    listener_config_use(listener);
    assert_true(atomic_exchange(&listener->used, false));
    assert_false(atomic_load(&listener->used));
    listener_config_unref(listener_config_ref(listener));
    listener_config_unref(listener);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(what_is_not_said_gets_the_documented_default),
        cmocka_unit_test(what_is_said_stays_also_where_it_is_zero),
        cmocka_unit_test(a_cluster_that_cannot_work_is_refused),
        cmocka_unit_test(only_a_cluster_that_resolves_may_have_names),
        cmocka_unit_test(endpoints_are_kept_with_their_locality_after_the_facts_are_gone),
        cmocka_unit_test(an_endpoint_keeps_its_key_unless_it_becomes_somebody_else),
        cmocka_unit_test(no_endpoints_are_known_as_none),
        cmocka_unit_test(clusters_that_no_control_plane_names_have_one_endpoint),
        cmocka_unit_test(opaque_connections_are_split_by_weight),
        cmocka_unit_test(a_listener_without_a_name_or_with_a_strange_protocol_is_refused),
        cmocka_unit_test(use_of_a_listener_is_said_once),
    };
    return TEST_MAIN(cases, argc, argv);
}
