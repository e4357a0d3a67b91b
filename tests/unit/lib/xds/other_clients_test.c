#include "lib/base/memory.h"
#include "lib/xds/xds_listener.h"
#include "tests/unit/test_main.h"

#include "lib/xds/xds_cluster.h"

#include "envoy/config/cluster/v3/cluster.pb-c.h"
#include "envoy/config/listener/v3/listener.pb-c.h"
#include "envoy/config/route/v3/route.pb-c.h"
#include "envoy/extensions/filters/http/router/v3/router.pb-c.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb-c.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb-c.h"

/* What gRPC clients and Envoy demand of the resources that we encode. */

#define UNPACK(type, bytes) type##__unpack(NULL, (bytes).length, (const uint8_t *)(bytes).at)
#define UNPACK_ANY(type, any) type##__unpack(NULL, (any)->value.len, (any)->value.data)

static void every_locality_and_endpoint_has_a_weight_of_one_or_more(void **state)
{
    (void)state;
    struct arena arena = {0};
    const struct xds_endpoint endpoints[] = {
        {.address = {.family = 4, .port = 80, .bytes = {10, 0, 0, 1}}, .weight = 0},
        {.address = {.family = 4, .port = 80, .bytes = {10, 0, 0, 2}}, .weight = 5},
    };
    const struct xds_locality locality = {.endpoints = endpoints, .endpoint_count = 2};
    const struct xds_endpoints plain = {SPAN("c"), &locality, 1};
    struct span bytes = xds_endpoints_encode(&plain, &arena);
    Ep__ClusterLoadAssignment *message = UNPACK(ep__cluster_load_assignment, bytes);
    assert_int_equal(message->endpoints[0]->load_balancing_weight->value, 1);
    const Ep__LbEndpoint *drained = message->endpoints[0]->lb_endpoints[0];
    assert_int_equal(drained->load_balancing_weight->value, 1);
    assert_int_equal(drained->health_status, CORE__HEALTH_STATUS__DRAINING);
    assert_int_equal(message->endpoints[0]->lb_endpoints[1]->load_balancing_weight->value, 5);
    assert_string_equal(drained->endpoint->address->socket_address->address, "10.0.0.1");
    assert_null(drained->metadata);
    ep__cluster_load_assignment__free_unpacked(message, NULL);
    arena_done(&arena);
}

static Clu__Cluster *cluster_message(struct arena *arena, const struct xds_cluster *cluster)
{
    struct span bytes = xds_cluster_encode(cluster, arena);
    Clu__Cluster *message = UNPACK(clu__cluster, bytes);
    assert_non_null(message);
    return message;
}

static void a_cluster_offers_its_own_balancer_first_and_round_robin_to_all(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct xds_cluster cluster;
    xds_cluster_init(&cluster);
    cluster.name = SPAN("c");
    cluster.type = XDS_CLUSTER_EDS;
    Clu__Cluster *message = cluster_message(&arena, &cluster);
    assert_int_equal(message->type, CLU__CLUSTER__DISCOVERY_TYPE__EDS);
    assert_int_equal(message->eds_cluster_config->eds_config->config_source_specifier_case,
                     CORE__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER_ADS);
    assert_int_equal(message->lb_policy, CLU__CLUSTER__LB_POLICY__ROUND_ROBIN);
    const Clu__LoadBalancingPolicy *list = message->load_balancing_policy;
    assert_int_equal(list->n_policies, 3);
    static const char *const types[] = {
        "type.googleapis.com/remora.xds.v1.PeakEwma",
        "type.googleapis.com/"
        "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest",
        "type.googleapis.com/envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin",
    };
    for (size_t i = 0; i < 3; i++) {
        const Core__TypedExtensionConfig *policy = list->policies[i]->typed_extension_config;
        assert_string_equal(policy->typed_config->type_url, types[i]);
    }
    assert_null(message->transport_socket);
    clu__cluster__free_unpacked(message, NULL);
    arena_done(&arena);
}

static void a_mesh_cluster_names_its_identities_in_both_fields(void **state)
{
    (void)state;
    struct arena arena = {0};
    const struct span identity = SPAN("spiffe://cluster.local/ns/shop/sa/api");
    struct xds_cluster cluster;
    xds_cluster_init(&cluster);
    cluster.name = SPAN("c");
    cluster.type = XDS_CLUSTER_EDS;
    cluster.identities = &identity;
    cluster.identity_count = 1;
    Clu__Cluster *message = cluster_message(&arena, &cluster);
    assert_string_equal(message->transport_socket->name, "envoy.transport_sockets.tls");
    Tls__UpstreamTlsContext *tls =
        UNPACK_ANY(tls__upstream_tls_context, message->transport_socket->typed_config);
    const Tls__CommonTlsContext *common = tls->common_tls_context;
    assert_non_null(common->tls_certificate_provider_instance);
    assert_int_equal(common->n_tls_certificates, 0);
    const Tls__CommonTlsContext__CombinedCertificateValidationContext *combined =
        common->combined_validation_context;
    assert_string_equal(combined->validation_context_sds_secret_config->name, "ROOTCA");
    const Tls__CertificateValidationContext *validation = combined->default_validation_context;
    assert_non_null(validation->ca_certificate_provider_instance);
    assert_string_equal(validation->match_subject_alt_names[0]->exact, identity.at);
    assert_int_equal(validation->match_typed_subject_alt_names[0]->san_type,
                     TLS__SUBJECT_ALT_NAME_MATCHER__SAN_TYPE__URI);
    assert_string_equal(validation->match_typed_subject_alt_names[0]->matcher->exact, identity.at);
    tls__upstream_tls_context__free_unpacked(tls, NULL);
    clu__cluster__free_unpacked(message, NULL);
    arena_done(&arena);
}

static void an_api_listener_has_the_router_and_asks_for_routes_over_the_same_stream(void **state)
{
    (void)state;
    struct arena arena = {0};
    const struct xds_listener listener = {
        .name = SPAN("api.shop.svc.cluster.local:8080"),
        .route_name = SPAN("outbound|8080||api.shop.svc.cluster.local"),
        .protocol = XDS_PROTOCOL_HTTP1,
    };
    struct span bytes = xds_listener_encode(&listener, &arena);
    Lis__Listener *message = UNPACK(lis__listener, bytes);
    assert_string_equal(message->name, listener.name.at);
    Hcm__HttpConnectionManager *hcm =
        UNPACK_ANY(hcm__http_connection_manager, message->api_listener->api_listener);
    assert_string_equal(hcm->rds->route_config_name, listener.route_name.at);
    assert_int_equal(hcm->rds->config_source->config_source_specifier_case,
                     CORE__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER_ADS);
    assert_int_equal(hcm->n_http_filters, 1);
    assert_string_equal(hcm->http_filters[0]->typed_config->type_url,
                        "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router");
    hcm__http_connection_manager__free_unpacked(hcm, NULL);
    lis__listener__free_unpacked(message, NULL);
    arena_done(&arena);
}

static Rt__RouteConfiguration *routes_for_grpc(struct arena *arena, const struct xds_route *routes,
                                               uint32_t count)
{
    const struct span domain = SPAN("*");
    const struct xds_virtual_host host = {SPAN("h"), &domain, 1, routes, count};
    const struct xds_route_config config = {SPAN("r"), &host, 1};
    struct span bytes = xds_route_config_encode(&config, true, arena);
    Rt__RouteConfiguration *message = UNPACK(rt__route_configuration, bytes);
    assert_non_null(message);
    return message;
}

static void grpc_clients_get_a_prefix_of_segments_as_two_routes(void **state)
{
    (void)state;
    struct arena arena = {0};
    const struct xds_weighted_cluster cluster = {.name = SPAN("c"), .weight = 1};
    const struct xds_route routes[] = {
        {.path_kind = XDS_PATH_SEGMENTS,
         .path = SPAN("/a/"),
         .clusters = &cluster,
         .cluster_count = 1,
         .retry_limit = 0,
         .timeout_ms = 1500},
        {.path_kind = XDS_PATH_SEGMENTS,
         .path = SPAN("/"),
         .clusters = &cluster,
         .cluster_count = 1,
         .retry_limit = -1},
    };
    Rt__RouteConfiguration *message = routes_for_grpc(&arena, routes, 2);
    const Rt__VirtualHost *host = message->virtual_hosts[0];
    assert_int_equal(host->n_routes, 3);
    assert_string_equal(host->routes[0]->match->path, "/a");
    assert_string_equal(host->routes[1]->match->prefix, "/a/");
    assert_string_equal(host->routes[2]->match->prefix, "/");
    /* num_retries 0 would be refused, timeout is not read. */
    const Rt__RouteAction *action = host->routes[0]->route;
    assert_null(action->retry_policy);
    assert_int_equal(action->max_stream_duration->max_stream_duration->seconds, 1);
    assert_int_equal(action->max_stream_duration->max_stream_duration->nanos, 500000000);
    rt__route_configuration__free_unpacked(message, NULL);
    arena_done(&arena);
}

static void grpc_clients_get_neither_redirects_nor_the_newer_header_matchers(void **state)
{
    (void)state;
    struct arena arena = {0};
    const struct xds_field_match matches[] = {
        {.name = SPAN("a"), .kind = XDS_MATCH_EXACT, .value = SPAN("1")},
        {.name = SPAN("b"), .kind = XDS_MATCH_REGEX, .value = SPAN("2+")},
        {.name = SPAN("c"), .kind = XDS_MATCH_PRESENT, .invert = true},
    };
    const struct xds_route route = {
        .action = XDS_ACTION_REDIRECT, .status = 302, .headers = matches, .header_count = 3};
    Rt__RouteConfiguration *message = routes_for_grpc(&arena, &route, 1);
    const Rt__Route *only = message->virtual_hosts[0]->routes[0];
    assert_int_equal(only->action_case, RT__ROUTE__ACTION_ROUTE);
    assert_string_equal(only->match->headers[0]->exact_match, "1");
    assert_string_equal(only->match->headers[1]->safe_regex_match->regex, "2+");
    assert_true(only->match->headers[2]->present_match);
    assert_true(only->match->headers[2]->invert_match);
    rt__route_configuration__free_unpacked(message, NULL);
    arena_done(&arena);
}

/* C-core 1.51 refuses weights that do not sum to 100 unless the sum is said; seen. */
static void grpc_clients_are_told_the_sum_of_the_weights(void **state)
{
    (void)state;
    struct arena arena = {0};
    const struct xds_weighted_cluster clusters[] = {{.name = SPAN("c"), .weight = 90},
                                                    {.weight = 7}};
    const struct xds_route route = {.clusters = clusters, .cluster_count = 2, .retry_limit = -1};
    Rt__RouteConfiguration *message = routes_for_grpc(&arena, &route, 1);
    const Rt__WeightedCluster *weighted =
        message->virtual_hosts[0]->routes[0]->route->weighted_clusters;
    assert_int_equal(weighted->total_weight->value, 97);
    assert_string_equal(weighted->clusters[1]->name, XDS_NO_CLUSTER);
    rt__route_configuration__free_unpacked(message, NULL);
    arena_done(&arena);
}

static void weights_that_sum_to_nothing_become_one_backend_that_is_not_there(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct xds_error error;
    const struct xds_weighted_cluster clusters[] = {{.name = SPAN("c")}, {.name = SPAN("d")}};
    const struct xds_route route = {.clusters = clusters, .cluster_count = 2, .retry_limit = -1};
    const struct span domain = SPAN("*");
    const struct xds_virtual_host host = {SPAN("h"), &domain, 1, &route, 1};
    const struct xds_route_config config = {SPAN("r"), &host, 1};
    struct xds_route_config back;
    assert_true(xds_route_config_decode(xds_route_config_encode(&config, false, &arena), &arena,
                                        &back, &error));
    const struct xds_route *only = &back.hosts[0].routes[0];
    assert_int_equal(only->cluster_count, 1);
    assert_int_equal(only->clusters[0].name.length, 0);
    assert_int_equal(only->clusters[0].weight, 1);
    arena_done(&arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(every_locality_and_endpoint_has_a_weight_of_one_or_more),
        cmocka_unit_test(a_cluster_offers_its_own_balancer_first_and_round_robin_to_all),
        cmocka_unit_test(a_mesh_cluster_names_its_identities_in_both_fields),
        cmocka_unit_test(an_api_listener_has_the_router_and_asks_for_routes_over_the_same_stream),
        cmocka_unit_test(grpc_clients_get_a_prefix_of_segments_as_two_routes),
        cmocka_unit_test(grpc_clients_get_neither_redirects_nor_the_newer_header_matchers),
        cmocka_unit_test(grpc_clients_are_told_the_sum_of_the_weights),
        cmocka_unit_test(weights_that_sum_to_nothing_become_one_backend_that_is_not_there),
    };
    return TEST_MAIN(cases, argc, argv);
}
