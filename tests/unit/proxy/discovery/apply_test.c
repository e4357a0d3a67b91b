#include "proxy/discovery/apply.h"

#include "lib/xds/xds_cluster.h"
#include "lib/xds/xds_listener.h"
#include "lib/xds/xds_phone.h"
#include "tests/unit/proxy/discovery/ads_rig.h"
#include "tests/unit/test_main.h"

/* From a question of a worker to a snapshot, with a server that answers one thing at a time. */

#define HOST_PORT "api.shop:8080"
#define NAME "outbound|8080||api.shop"

struct proxy {
    struct ads_rig rig;
    struct apply *apply;
    struct snapshot *snapshot; /* the last one told */
    uint64_t dirty;
    bool (*condition)(const struct snapshot *snapshot);
};

static void on_snapshot(void *owner, struct snapshot *snapshot)
{
    struct proxy *proxy = owner;
    snapshot_unref(proxy->snapshot);
    proxy->snapshot = snapshot_ref(snapshot);
}

static void on_roots(void *owner, struct span roots_pem)
{
    (void)owner;
    (void)roots_pem;
}

static void on_state(void *owner, bool connected)
{
    (void)owner;
    (void)connected;
}

static void on_dirty(void *owner)
{
    struct proxy *proxy = owner;
    proxy->dirty++;
}

static const struct apply_events events = {on_snapshot, on_roots, on_state, on_dirty};

static void proxy_open(struct proxy *proxy)
{
    *proxy = (struct proxy){0};
    ads_open_bare(&proxy->rig);
    proxy->apply = apply_create(proxy->rig.loop, &events, proxy);
    const struct xds_client_options options = {
        .node = {.id = SPAN("web-1"), .namespace_name = SPAN("shop")}};
    apply_connect(proxy->apply, proxy->rig.channel, &options);
    ads_until_asked(&proxy->rig, "SDS names=ROOTCA node=web-1,shop");
    ads_until_asked(&proxy->rig, "WORKLOAD names=self");
    ads_until_asked(&proxy->rig, "PHONE names=*");
}

static void proxy_done(struct proxy *proxy)
{
    apply_destroy(proxy->apply);
    ads_done(&proxy->rig);
    snapshot_unref(proxy->snapshot);
}

static bool holds(void *owner)
{
    struct proxy *proxy = owner;
    return proxy->snapshot != NULL && proxy->condition(proxy->snapshot);
}

static void until(struct proxy *proxy, bool (*condition)(const struct snapshot *snapshot))
{
    proxy->condition = condition;
    assert_true(loop_run_until(proxy->rig.loop, holds, proxy, 10000));
}

static void send_listener(struct proxy *proxy)
{
    struct arena arena = {0};
    const struct xds_listener listener = {.name = SPAN(HOST_PORT), .route_name = SPAN(NAME)};
    ads_respond_with(&proxy->rig, XDS_LISTENER, HOST_PORT, "1",
                     xds_listener_encode(&listener, &arena));
    arena_done(&arena);
}

static void send_routes(struct proxy *proxy, const char *version, uint32_t path_kind)
{
    struct arena arena = {0};
    const struct xds_weighted_cluster cluster = {.name = SPAN(NAME), .weight = 1};
    const struct xds_route route = {.path_kind = (uint8_t)path_kind,
                                    .path = SPAN("(["),
                                    .clusters = &cluster,
                                    .cluster_count = 1,
                                    .retry_limit = -1};
    const struct span domain = SPAN("*");
    const struct xds_virtual_host host = {SPAN("all"), &domain, 1, &route, 1};
    const struct xds_route_config config = {SPAN(NAME), &host, 1};
    ads_respond_with(&proxy->rig, XDS_ROUTE, NAME, version,
                     xds_route_config_encode(&config, false, &arena));
    arena_done(&arena);
}

static void send_cluster(struct proxy *proxy)
{
    struct arena arena = {0};
    struct xds_cluster cluster;
    xds_cluster_init(&cluster);
    cluster.name = SPAN(NAME);
    cluster.type = XDS_CLUSTER_EDS;
    ads_respond_with(&proxy->rig, XDS_CLUSTER, NAME, "1", xds_cluster_encode(&cluster, &arena));
    arena_done(&arena);
}

static void send_endpoints(struct proxy *proxy)
{
    struct arena arena = {0};
    const struct xds_endpoint endpoint = {
        .address = {.family = 4, .port = 8080, .bytes = {10, 0, 0, 1}}, .weight = 1};
    const struct xds_locality locality = {.weight = 1, .endpoints = &endpoint, .endpoint_count = 1};
    const struct xds_endpoints endpoints = {SPAN(NAME), &locality, 1};
    ads_respond_with(&proxy->rig, XDS_ENDPOINTS, NAME, "1",
                     xds_endpoints_encode(&endpoints, &arena));
    arena_done(&arena);
}

static bool is_complete(const struct snapshot *snapshot)
{
    const struct cluster_config *cluster = snapshot_cluster(snapshot, SPAN(NAME));
    return snapshot_listener(snapshot, SPAN(HOST_PORT)) != NULL && cluster != NULL &&
           cluster->endpoints_known && cluster->endpoint_count == 1;
}

static bool listener_is_absent(const struct snapshot *snapshot)
{
    return snapshot_is_absent(snapshot, SPAN(HOST_PORT));
}

static bool has_refused(void *owner)
{
    struct proxy *proxy = owner;
    return xds_client_counters(apply_client(proxy->apply))->nacks > 0;
}

static void a_question_leads_from_listener_to_endpoints_and_into_a_snapshot(void **state)
{
    (void)state;
    struct proxy proxy;
    proxy_open(&proxy);
    apply_ask(proxy.apply, SPAN(HOST_PORT));
    ads_until_asked(&proxy.rig, "LDS names=" HOST_PORT);
    send_listener(&proxy);
    ads_until_asked(&proxy.rig, "RDS names=" NAME);
    send_routes(&proxy, "1", XDS_PATH_ANY);
    ads_until_asked(&proxy.rig, "CDS names=" NAME);
    send_cluster(&proxy);
    ads_until_asked(&proxy.rig, "EDS names=" NAME);
    assert_true(proxy.snapshot == NULL || !is_complete(proxy.snapshot));
    send_endpoints(&proxy);
    until(&proxy, is_complete);
    ads_until_asked(&proxy.rig, "EDS nonce=n4");
    assert_int_equal(xds_client_counters(apply_client(proxy.apply))->acks, 4);
    assert_true(proxy.dirty >= 4);
    proxy_done(&proxy);
}

static void a_resource_that_cannot_be_used_is_refused_and_the_one_before_stays(void **state)
{
    (void)state;
    struct proxy proxy;
    proxy_open(&proxy);
    apply_ask(proxy.apply, SPAN(HOST_PORT));
    ads_until_asked(&proxy.rig, "LDS names=" HOST_PORT);
    send_listener(&proxy);
    ads_until_asked(&proxy.rig, "RDS names=" NAME);
    send_routes(&proxy, "1", XDS_PATH_ANY);
    ads_until_asked(&proxy.rig, "CDS names=" NAME);
    send_cluster(&proxy);
    ads_until_asked(&proxy.rig, "EDS names=" NAME);
    send_endpoints(&proxy);
    until(&proxy, is_complete);
    const struct listener_config *before = snapshot_listener(proxy.snapshot, SPAN(HOST_PORT));
    send_routes(&proxy, "2", XDS_PATH_REGEX); /* "([" is no expression */
    ads_until_asked(&proxy.rig, "EDS nonce=n4");
    assert_true(loop_run_until(proxy.rig.loop, has_refused, &proxy, 10000));
    assert_non_null(strstr(xds_client_counters(apply_client(proxy.apply))->last_nack, NAME));
    assert_true(is_complete(proxy.snapshot));
    assert_ptr_equal(snapshot_listener(proxy.snapshot, SPAN(HOST_PORT)), before);
    proxy_done(&proxy);
}

static void what_does_not_exist_is_known_as_absent_until_it_comes(void **state)
{
    (void)state;
    struct proxy proxy;
    proxy_open(&proxy);
    apply_ask(proxy.apply, SPAN(HOST_PORT));
    ads_until_asked(&proxy.rig, "LDS names=" HOST_PORT);
    ads_respond(&proxy.rig, XDS_LISTENER, "", NULL, 0, HOST_PORT);
    until(&proxy, listener_is_absent);
    send_listener(&proxy);
    ads_until_asked(&proxy.rig, "RDS names=" NAME);
    proxy_done(&proxy);
}

static void what_was_held_before_is_told_with_its_version(void **state)
{
    (void)state;
    struct proxy proxy = {0};
    struct arena arena = {0};
    struct xds_error error;
    ads_open_bare(&proxy.rig);
    proxy.apply = apply_create(proxy.rig.loop, &events, &proxy);
    const struct xds_phone_entry entry = {.name = SPAN("shop/api"), .host = SPAN("api.shop")};
    const struct xds_listener listener = {.name = SPAN(HOST_PORT), .route_name = SPAN(NAME)};
    assert_true(apply_restore(proxy.apply, XDS_PHONE, entry.name, SPAN("41"),
                              xds_phone_encode(&entry, &arena), &error));
    assert_true(apply_restore(proxy.apply, XDS_LISTENER, listener.name, SPAN("42"),
                              xds_listener_encode(&listener, &arena), &error));
    const struct xds_client_options options = {.node = {.id = SPAN("web-1")}};
    apply_connect(proxy.apply, proxy.rig.channel, &options);
    ads_until_asked(&proxy.rig, "PHONE names=* held=shop/api:41");
    ads_until_asked(&proxy.rig, "LDS names=" HOST_PORT " held=" HOST_PORT ":42");
    ads_until_asked(&proxy.rig, "RDS names=" NAME);
    arena_done(&arena);
    proxy_done(&proxy);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_question_leads_from_listener_to_endpoints_and_into_a_snapshot),
        cmocka_unit_test(a_resource_that_cannot_be_used_is_refused_and_the_one_before_stays),
        cmocka_unit_test(what_does_not_exist_is_known_as_absent_until_it_comes),
        cmocka_unit_test(what_was_held_before_is_told_with_its_version),
    };
    return TEST_MAIN(cases, argc, argv);
}
