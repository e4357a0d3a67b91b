#include "tests/unit/test_main.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "proxy/admin/clusters.h"
#include "proxy/admin/explain.h"
#include "proxy/upstream/cluster.h"

#include <jansson.h>

/*
 * One service api.shop:8080 with two routes, one opaque port 6379, one external host. Its cluster
 * has a mesh endpoint and a plain one.
 */
#define HOST "api.shop.svc.cluster.local"
#define LISTENER HOST ":8080"
#define CLUSTER "outbound|8080||" HOST

struct place {
    struct loop *loop;
    struct worker_scope scope;
    struct text text;
    json_t *json;
    /* What the next snapshot has. */
    bool no_listener, no_cluster, endpoints_unknown, plain_endpoint, draining, egress_denied;
};

static struct phone_book *make_book(void)
{
    static struct address addresses[1];
    address_parse_ip(SPAN("10.96.0.10"), &addresses[0]);
    static const struct xds_phone_port ports[] = {{8080, XDS_PROTOCOL_AUTO, 0},
                                                  {6379, XDS_PROTOCOL_OPAQUE, 0}};
    static const struct xds_phone_entry api = {.name = {"shop/api", 8},
                                               .host = {HOST, sizeof(HOST) - 1},
                                               .namespace_name = {"shop", 4},
                                               .kind = XDS_PHONE_SERVICE,
                                               .addresses = addresses,
                                               .address_count = 1,
                                               .ports = ports,
                                               .port_count = 2};
    const struct xds_phone_entry *entries[] = {&api};
    size_t conflicts = 0;
    return phone_book_create(entries, 1, &conflicts);
}

static struct route_config *make_routes(void)
{
    struct xds_error error;
    struct xds_weighted_cluster forward = {.name = SPAN(CLUSTER), .weight = 1};
    struct xds_weighted_cluster invalid = {.weight = 1};
    struct xds_weighted_cluster split[] = {forward, invalid};
    struct xds_field_match header = {
        .name = SPAN("x-tester"), .kind = XDS_MATCH_EXACT, .value = SPAN("yes")};
    struct xds_route routes[] = {
        {.name = SPAN("shop/api/old"),
         .path_kind = XDS_PATH_EXACT,
         .path = SPAN("/old"),
         .action = XDS_ACTION_REDIRECT,
         .status = 301,
         .redirect_host = SPAN("new.example")},
        {.name = SPAN("shop/api/broken"),
         .path_kind = XDS_PATH_EXACT,
         .path = SPAN("/broken"),
         .clusters = &invalid,
         .cluster_count = 1,
         .retry_limit = -1},
        {.name = SPAN("shop/api/split"),
         .path_kind = XDS_PATH_EXACT,
         .path = SPAN("/split"),
         .clusters = split,
         .cluster_count = 2,
         .retry_limit = -1},
        {.name = SPAN("shop/api/test"),
         .path_kind = XDS_PATH_SEGMENTS,
         .path = SPAN("/v1"),
         .headers = &header,
         .header_count = 1,
         .clusters = &forward,
         .cluster_count = 1,
         .timeout_ms = 1500,
         .per_try_timeout_ms = 500,
         .retry_limit = 4,
         .retry_on = SPAN("5xx")},
        {.name = SPAN("shop/api/all"),
         .path_kind = XDS_PATH_SEGMENTS,
         .path = SPAN("/v1"),
         .clusters = &forward,
         .cluster_count = 1,
         .retry_limit = -1},
    };
    struct span any = SPAN("*");
    struct xds_virtual_host host = {.name = SPAN("api"),
                                    .domains = &any,
                                    .domain_count = 1,
                                    .routes = routes,
                                    .route_count = 5};
    struct xds_route_config facts = {
        .name = SPAN("outbound|8080||" HOST), .hosts = &host, .host_count = 1};
    struct route_config *made = route_config_create(&facts, &error);
    CHECK(made != NULL);
    return made;
}

static struct cluster_config *make_cluster(const struct place *place)
{
    struct xds_error error;
    struct xds_cluster facts;
    xds_cluster_init(&facts);
    facts.name = SPAN(CLUSTER);
    facts.type = XDS_CLUSTER_EDS;
    facts.tls = XDS_TLS_MESH;
    facts.service = SPAN("api");
    facts.namespace_name = SPAN("shop");
    struct xds_endpoint endpoint = {.identity = SPAN("spiffe://td.test/ns/shop/sa/api"),
                                    .workload = SPAN("api-1"),
                                    .weight = 1,
                                    .health = XDS_HEALTH_HEALTHY,
                                    .flags = XDS_ENDPOINT_SIDECAR | XDS_ENDPOINT_HBONE};
    if (place->plain_endpoint) {
        endpoint.identity = SPAN_EMPTY;
        endpoint.flags = 0;
    }
    if (place->draining) {
        endpoint.health = XDS_HEALTH_DRAINING;
    }
    address_parse(SPAN("10.0.0.1:8080"), &endpoint.address);
    struct xds_locality locality = {.weight = 1, .endpoints = &endpoint, .endpoint_count = 1};
    struct xds_endpoints endpoints = {
        .cluster = SPAN(CLUSTER), .localities = &locality, .locality_count = 1};
    struct cluster_config *made =
        cluster_config_create(&facts, place->endpoints_unknown ? NULL : &endpoints, &error);
    CHECK(made != NULL);
    return made;
}

static struct listener_config *make_listener(const char *name, uint8_t protocol,
                                             struct route_config *routes)
{
    struct xds_error error;
    struct xds_weighted_cluster tcp = {.name = SPAN(CLUSTER), .weight = 1};
    struct xds_listener facts = {.name = span_of(name),
                                 .protocol = protocol,
                                 .tcp_clusters = &tcp,
                                 .tcp_cluster_count = 1,
                                 .route_name =
                                     routes != NULL ? SPAN("outbound|8080||" HOST) : SPAN_EMPTY};
    struct listener_config *made = listener_config_create(&facts, routes, &error);
    CHECK(made != NULL);
    return made;
}

static void set_snapshot(struct place *place)
{
    struct xds_error error;
    struct xds_workload self = {.trust_domain = SPAN("td.test"),
                                .egress_denied = place->egress_denied,
                                .renew_from = 0.5,
                                .renew_to = 0.7};
    struct route_config *routes = make_routes();
    struct listener_config *listeners[] = {make_listener(LISTENER, XDS_PROTOCOL_AUTO, routes),
                                           make_listener(HOST ":6379", XDS_PROTOCOL_OPAQUE, NULL)};
    struct cluster_config *clusters[] = {make_cluster(place)};
    struct span absent = SPAN("ip/192.0.2.9");
    struct snapshot_parts parts = {.phone_book = make_book(),
                                   .workload = workload_config_create(&self, &error),
                                   .listeners = listeners,
                                   .listener_count = place->no_listener ? 0 : 2,
                                   .clusters = clusters,
                                   .cluster_count = place->no_cluster ? 0 : 1,
                                   .absent = &absent,
                                   .absent_count = 1};
    CHECK(parts.workload != NULL);
    snapshot_unref(place->scope.snapshot);
    place->scope.snapshot = snapshot_create(7, &parts);
    upstream_apply(place->scope.upstream, place->scope.snapshot);
    phone_book_unref(parts.phone_book);
    workload_config_unref(parts.workload);
    route_config_unref(routes);
    listener_config_unref(listeners[0]);
    listener_config_unref(listeners[1]);
    cluster_config_unref(clusters[0]);
}

static void place_init(struct place *place)
{
    *place = (struct place){0};
    place->loop = loop_create_simulated(NS_PER_S);
    place->scope.loop = place->loop;
    place->scope.upstream = upstream_create(place->loop, NULL);
    set_snapshot(place);
}

static void place_done(struct place *place)
{
    json_decref(place->json);
    text_done(&place->text);
    upstream_destroy(place->scope.upstream);
    loop_advance(place->loop, NS_PER_S);
    snapshot_unref(place->scope.snapshot);
    loop_destroy(place->loop);
}

static void explain(struct place *place, const char *url, const char *to, const char *field)
{
    struct arena arena = {0};
    const char *reason = NULL;
    struct span fields = span_of(field);
    struct explain_question question;
    struct explain_wish wish = {.url = span_of(url),
                                .to = span_of(to),
                                .fields = &fields,
                                .field_count = field != NULL ? 1 : 0};
    assert_true(explain_question_read(&wish, &arena, &question, &reason));
    text_clear(&place->text);
    explain_write(&question, &place->scope, &place->text);
    json_decref(place->json);
    place->json = json_loadb(place->text.bytes, place->text.length, JSON_REJECT_DUPLICATES, NULL);
    if (place->json == NULL) {
        fail_msg("no JSON: %s", place->text.bytes);
    }
    arena_done(&arena);
}

static const char *said(const struct place *place, const char *name)
{
    const char *text = json_string_value(json_object_get(place->json, name));
    return text != NULL ? text : "";
}

static void every_end_has_its_word(void **state)
{
    (void)state;
    static const struct {
        struct place with;
        const char *url, *to, *outcome;
    } cases[] = {
        {{.plain_endpoint = true}, "http://api.shop:8080/v1/x", NULL, "forward"},
        {{.plain_endpoint = true}, "http://10.96.0.10:8080/v1", NULL, "forward"},
        {{.plain_endpoint = true}, NULL, HOST ":6379", "forward"},
        {{.plain_endpoint = true}, "http://api.shop:8080/split", NULL, "forward"},
        {{0}, "http://api.shop:8080/v1", NULL, "tls_no_certificate"},
        {{.draining = true}, "http://api.shop:8080/v1", NULL, "no_endpoint"},
        {{.no_listener = true}, "http://api.shop:8080/v1", NULL, "not_loaded"},
        {{.no_cluster = true}, "http://api.shop:8080/v1", NULL, "not_loaded"},
        {{.endpoints_unknown = true}, "http://api.shop:8080/v1", NULL, "not_loaded"},
        {{0}, "http://api.shop:8080/v2", NULL, "no_route"},
        {{0}, "http://api.shop:8080/v1x", NULL, "no_route"},
        {{0}, "http://api.shop:8080/old", NULL, "redirect"},
        {{0}, "http://api.shop:8080/broken", NULL, "invalid_backend"},
        {{0}, NULL, "192.0.2.9:443", "pass_through"},
        {{0}, NULL, "192.0.2.10:443", "not_loaded"},
        {{.egress_denied = true}, NULL, "192.0.2.9:443", "egress_denied"},
        {{0}, "https://example.org/", NULL, "pass_through"},
        {{.egress_denied = true}, "https://example.org/", NULL, "egress_denied"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct place place;
        place_init(&place);
        place.plain_endpoint = cases[i].with.plain_endpoint;
        place.draining = cases[i].with.draining;
        place.no_listener = cases[i].with.no_listener;
        place.no_cluster = cases[i].with.no_cluster;
        place.endpoints_unknown = cases[i].with.endpoints_unknown;
        place.egress_denied = cases[i].with.egress_denied;
        set_snapshot(&place);
        explain(&place, cases[i].url, cases[i].to, NULL);
        if (strcmp(said(&place, "outcome"), cases[i].outcome) != 0) {
            fail_msg("case %zu, not %s: %s", i, cases[i].outcome, place.text.bytes);
        }
        place_done(&place);
    }
}

static void a_route_tells_why_it_was_taken_and_what_holds_on_it(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    explain(&place, "http://api.shop:8080/v1/items?q=1", NULL, "X-Tester: yes");
    assert_string_equal(said(&place, "route"), "shop/api/test");
    assert_string_equal(said(&place, "listener"), LISTENER);
    assert_int_equal(json_integer_value(json_object_get(place.json, "request_timeout_ms")), 1500);
    json_t *retry = json_object_get(place.json, "retry");
    assert_int_equal(json_integer_value(json_object_get(retry, "limit")), 4);
    assert_string_equal(json_string_value(json_object_get(retry, "on")), "5xx");
    json_t *matched = json_object_get(place.json, "matched");
    assert_int_equal(json_array_size(json_object_get(matched, "headers")), 1);
    explain(&place, "http://api.shop:8080/v1/items", NULL, NULL);
    assert_string_equal(said(&place, "route"), "shop/api/all");
    place_done(&place);
}

static void endpoints_are_told_before_and_after_the_first_use(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    for (int used = 0; used < 2; used++) {
        explain(&place, "http://api.shop:8080/v1", NULL, NULL);
        json_t *cluster = json_array_get(json_object_get(place.json, "clusters"), 0);
        assert_string_equal(json_string_value(json_object_get(cluster, "mtls")), "mutual");
        json_t *endpoint = json_array_get(json_object_get(cluster, "configured"), 0);
        assert_string_equal(json_string_value(json_object_get(endpoint, "identity")),
                            "spiffe://td.test/ns/shop/sa/api");
        json_t *now = json_object_get(cluster, "now");
        assert_int_equal(now != NULL, used);
        if (used) {
            endpoint = json_array_get(json_object_get(now, "endpoints"), 0);
            assert_true(json_is_number(json_object_get(endpoint, "cost")));
            assert_string_equal(json_string_value(json_object_get(endpoint, "state")),
                                "in_rotation");
        }
        assert_non_null(cluster_find(place.scope.upstream, SPAN(CLUSTER)));
    }
    place_done(&place);
}

static void clusters_are_a_json_list(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    for (size_t count = 0; count < 2; count++) {
        text_clear(&place.text);
        clusters_write(&place.scope, &place.text);
        json_t *json = json_loadb(place.text.bytes, place.text.length, 0, NULL);
        assert_non_null(json);
        assert_int_equal(json_array_size(json), count);
        json_decref(json);
        assert_non_null(cluster_find(place.scope.upstream, SPAN(CLUSTER)));
    }
    place_done(&place);
}

static void questions_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *url, *to, *method, *field;
    } cases[] = {
        {"ftp://api/", NULL, NULL, NULL},
        {"http:///x", NULL, NULL, NULL},
        {"http://a b/", NULL, NULL, NULL},
        {"http://api:99999/", NULL, NULL, NULL},
        {"http://api/x y", NULL, NULL, NULL},
        {NULL, "api", NULL, NULL},
        {NULL, "", NULL, NULL},
        {"http://api/", NULL, "G T", NULL},
        {"http://api/", NULL, NULL, "no colon"},
        {"http://api/", NULL, NULL, ": value"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena = {0};
        const char *reason = NULL;
        struct span field = span_of(cases[i].field);
        struct explain_question question;
        struct explain_wish wish = {.url = span_of(cases[i].url),
                                    .to = span_of(cases[i].to),
                                    .method = span_of(cases[i].method),
                                    .fields = &field,
                                    .field_count = cases[i].field != NULL ? 1 : 0};
        if (explain_question_read(&wish, &arena, &question, &reason)) {
            fail_msg("case %zu was taken", i);
        }
        assert_non_null(reason);
        arena_done(&arena);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(every_end_has_its_word),
        cmocka_unit_test(a_route_tells_why_it_was_taken_and_what_holds_on_it),
        cmocka_unit_test(endpoints_are_told_before_and_after_the_first_use),
        cmocka_unit_test(clusters_are_a_json_list),
        cmocka_unit_test(questions_that_make_no_sense_are_refused),
    };
    return TEST_MAIN(cases, argc, argv);
}
