#include "lib/base/text.h"
#include "lib/xds/wire_parts.h"
#include "lib/xds/xds_listener.h"
#include "tests/unit/lib/xds/samples.h"
#include "tests/unit/test_main.h"

#include "envoy/config/listener/v3/listener.pb-c.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb-c.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb-c.h"

/* Each rule that a resource can break, one at a time: refused, with a text that names the field. */

static struct arena arena;
enum { UNPACKED = 3 };
static struct arena unpacked[UNPACKED]; /* clusters that a case looks into */
static size_t unpacked_count;

static void *new_message(const ProtobufCMessageDescriptor *type)
{
    return wire_new(&arena, type);
}

static char *text(const char *from)
{
    return arena_text(&arena, span_of(from));
}

#define ONE(type, item) one((item), sizeof(type *))
static void *one(void *item, size_t bytes)
{
    void **list = arena_zalloc(&arena, bytes);
    list[0] = item;
    return list;
}

static void assert_mentions(const struct xds_error *error, const char *wanted)
{
    if (strstr(error->text, wanted) == NULL) {
        fail_msg("\"%s\" does not mention \"%s\"", error->text, wanted);
    }
}

/* A good assignment of one endpoint. */
static Ep__ClusterLoadAssignment *good_endpoints(void)
{
    const struct xds_endpoint endpoint = {
        .address = {.family = 4, .port = 80, .bytes = {10, 0, 0, 1}},
        .weight = 1,
        .identity = SPAN("spiffe://t/ns/a/sa/b"),
        .flags = XDS_ENDPOINT_SIDECAR,
    };
    const struct xds_locality locality = {.weight = 1, .endpoints = &endpoint, .endpoint_count = 1};
    const struct xds_endpoints plain = {SPAN("c"), &locality, 1};
    return endpoints_write(&arena, &plain);
}

static void endpoints_refused(Ep__ClusterLoadAssignment *message, const char *wanted)
{
    struct xds_endpoints ret = {.cluster = SPAN("untouched")};
    struct xds_error error = {""};
    assert_false(xds_endpoints_decode(wire_pack(&arena, &message->base), &arena, &ret, &error));
    assert_mentions(&error, wanted);
    assert_true(span_equal(ret.cluster, SPAN("untouched")));
}

static Core__SocketAddress *socket_of(Ep__ClusterLoadAssignment *message)
{
    return message->endpoints[0]->lb_endpoints[0]->endpoint->address->socket_address;
}

static void twice(Ep__ClusterLoadAssignment *message)
{
    Ep__LocalityLbEndpoints **list = arena_zalloc(&arena, 2 * sizeof *list);
    list[0] = list[1] = message->endpoints[0];
    message->endpoints = list;
    message->n_endpoints = 2;
}

static void bad_endpoints_are_refused(void **state)
{
    (void)state;
    Ep__ClusterLoadAssignment *message = good_endpoints();
    message->cluster_name = text("");
    endpoints_refused(message, "cluster_name");

    message = good_endpoints();
    message->endpoints[0]->load_balancing_weight->value = 0;
    endpoints_refused(message, "endpoints[0]: load_balancing_weight");

    message = good_endpoints();
    message->endpoints[0]->lb_endpoints[0]->load_balancing_weight->value = 0;
    endpoints_refused(message, "endpoints[0].lb_endpoints[0]: load_balancing_weight");

    message = good_endpoints();
    message->endpoints[0]->priority = 1;
    endpoints_refused(message, "priority");

    message = good_endpoints();
    message->endpoints[0]->priority = UINT32_MAX;
    endpoints_refused(message, "priority");

    message = good_endpoints();
    twice(message);
    endpoints_refused(message, "locality and priority twice");

    message = good_endpoints();
    socket_of(message)->address = text("api.example");
    endpoints_refused(message, "not an IP address");

    message = good_endpoints();
    socket_of(message)->port_value = 65536;
    endpoints_refused(message, "port_value");

    message = good_endpoints();
    socket_of(message)->port_value = 0;
    endpoints_refused(message, "port_value");

    message = good_endpoints();
    socket_of(message)->protocol = CORE__SOCKET_ADDRESS__PROTOCOL__UDP;
    endpoints_refused(message, "protocol");

    message = good_endpoints();
    message->endpoints[0]->lb_endpoints[0]->endpoint->address = NULL;
    endpoints_refused(message, "address");

    message = good_endpoints();
    message->endpoints[0]->lb_endpoints[0]->health_status = (Core__HealthStatus)17;
    endpoints_refused(message, "health_status");

    message = good_endpoints();
    message->policy = new_message(&ep__cluster_load_assignment__policy__descriptor);
    message->policy->n_drop_overloads = 1;
    message->policy->drop_overloads =
        ONE(void, new_message(&ep__cluster_load_assignment__policy__drop_overload__descriptor));
    endpoints_refused(message, "drop_overloads");
}

static void bad_endpoint_facts_are_refused(void **state)
{
    (void)state;
    static const struct {
        Remora__EndpointFacts facts;
        const char *wanted;
    } cases[] = {
#define FACTS .base = PROTOBUF_C_MESSAGE_INIT(&remora__endpoint_facts__descriptor)
        {{FACTS, .flags = 8, .identity = (char *)"i"}, "flags"},
        {{FACTS, .flags = 1}, "identity"},
        {{FACTS, .tunnel_port = 70000}, "tunnel_port"},
        {{FACTS, .mtls_port = 70000}, "mtls_port"},
        {{FACTS, .protocol = (Remora__Protocol)99}, "protocol"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Ep__ClusterLoadAssignment *message = good_endpoints();
        message->endpoints[0]->lb_endpoints[0]->metadata =
            metadata_write(&arena, &cases[i].facts.base);
        endpoints_refused(message, cases[i].wanted);
    }
    Ep__ClusterLoadAssignment *message = good_endpoints();
    message->endpoints[0]->lb_endpoints[0]->metadata->typed_filter_metadata[0]->value->type_url =
        text("type.googleapis.com/other.Thing");
    endpoints_refused(message, "other.Thing");
}

static void no_endpoints_and_an_empty_list_are_the_same(void **state)
{
    (void)state;
    struct xds_endpoints ret;
    struct xds_error error;
    Ep__ClusterLoadAssignment *message = good_endpoints();
    message->n_endpoints = 0;
    assert_true(xds_endpoints_decode(wire_pack(&arena, &message->base), &arena, &ret, &error));
    assert_int_equal(ret.locality_count, 0);
    message = good_endpoints();
    message->endpoints[0]->n_lb_endpoints = 0;
    assert_true(xds_endpoints_decode(wire_pack(&arena, &message->base), &arena, &ret, &error));
    assert_int_equal(ret.localities[0].endpoint_count, 0);
}

static Clu__Cluster *good_cluster(uint8_t tls)
{
    static const struct span identity = SPAN("spiffe://t/ns/a/sa/b");
    struct xds_cluster cluster;
    xds_cluster_init(&cluster);
    cluster.name = SPAN("c");
    cluster.type = XDS_CLUSTER_EDS;
    cluster.tls = tls;
    cluster.sni = SPAN("id.example");
    cluster.identities = &identity;
    cluster.identity_count = tls == XDS_TLS_MESH ? 1 : 0;
    struct span bytes = xds_cluster_encode(&cluster, &arena);
    struct wire_reader reader;
    struct xds_error error;
    wire_reader_init(&reader, &arena, &error);
    Clu__Cluster *message = wire_unpack(&reader, &clu__cluster__descriptor, bytes);
    assert_non_null(message);
    assert_true(unpacked_count < UNPACKED);
    unpacked[unpacked_count++] = reader.scratch;
    return message;
}

static void cluster_refused(Clu__Cluster *message, const char *wanted)
{
    struct xds_cluster ret;
    struct xds_error error = {""};
    assert_false(xds_cluster_decode(wire_pack(&arena, &message->base), &arena, &ret, &error));
    assert_mentions(&error, wanted);
}

/* A cluster built field by field, as another control plane would send it. */
static Clu__Cluster *foreign_cluster(void)
{
    Clu__Cluster *message = new_message(&clu__cluster__descriptor);
    message->name = text("c");
    message->cluster_discovery_type_case = CLU__CLUSTER__CLUSTER_DISCOVERY_TYPE_TYPE;
    message->type = CLU__CLUSTER__DISCOVERY_TYPE__EDS;
    message->eds_cluster_config = new_message(&clu__cluster__eds_cluster_config__descriptor);
    message->eds_cluster_config->eds_config = config_source_ads(&arena);
    return message;
}

static void bad_clusters_are_refused(void **state)
{
    (void)state;
    Clu__Cluster *message = foreign_cluster();
    message->name = text("");
    cluster_refused(message, "name");

    message = foreign_cluster();
    message->eds_cluster_config = NULL;
    cluster_refused(message, "eds_config");

    message = foreign_cluster();
    message->eds_cluster_config->eds_config->config_source_specifier_case = 0;
    cluster_refused(message, "eds_config");

    message = foreign_cluster();
    message->type = CLU__CLUSTER__DISCOVERY_TYPE__STATIC;
    cluster_refused(message, "load_assignment");

    message = foreign_cluster();
    message->type = (Clu__Cluster__DiscoveryType)9;
    cluster_refused(message, "type");

    message = foreign_cluster();
    message->cluster_discovery_type_case = CLU__CLUSTER__CLUSTER_DISCOVERY_TYPE_CLUSTER_TYPE;
    message->cluster_type = new_message(&clu__cluster__custom_cluster_type__descriptor);
    message->cluster_type->name = text("envoy.clusters.aggregate");
    cluster_refused(message, "envoy.clusters.aggregate");

    message = foreign_cluster();
    message->n_transport_socket_matches = 1;
    message->transport_socket_matches =
        ONE(void, new_message(&clu__cluster__transport_socket_match__descriptor));
    cluster_refused(message, "transport_socket_matches");

    message = foreign_cluster();
    message->lb_policy = CLU__CLUSTER__LB_POLICY__CLUSTER_PROVIDED;
    cluster_refused(message, "lb_policy");

    message = foreign_cluster();
    message->load_balancing_policy = new_message(&clu__load_balancing_policy__descriptor);
    cluster_refused(message, "load_balancing_policy");

    message = foreign_cluster();
    message->connect_timeout = wire_duration(&arena, 1);
    message->connect_timeout->seconds = -1;
    cluster_refused(message, "connect_timeout");

    message = foreign_cluster();
    message->connect_timeout = wire_duration(&arena, 0);
    cluster_refused(message, "connect_timeout");

    message = foreign_cluster();
    message->transport_socket = new_message(&core__transport_socket__descriptor);
    message->transport_socket->name = text("envoy.transport_sockets.alts");
    cluster_refused(message, "envoy.transport_sockets.alts");

    message = foreign_cluster();
    message->transport_socket = new_message(&core__transport_socket__descriptor);
    message->transport_socket->name = text("envoy.transport_sockets.tls");
    cluster_refused(message, "transport_socket: missing");
}

/* Sets the TLS part of a cluster and expects a refusal. */
static void tls_refused(const Tls__UpstreamTlsContext *tls, const char *wanted)
{
    Clu__Cluster *message = foreign_cluster();
    message->transport_socket = new_message(&core__transport_socket__descriptor);
    message->transport_socket->name = text("envoy.transport_sockets.tls");
    message->transport_socket->config_type_case = CORE__TRANSPORT_SOCKET__CONFIG_TYPE_TYPED_CONFIG;
    message->transport_socket->typed_config = wire_any(&arena, &tls->base);
    cluster_refused(message, wanted);
}

static Tls__UpstreamTlsContext *good_tls(void)
{
    Tls__UpstreamTlsContext *tls = new_message(&tls__upstream_tls_context__descriptor);
    tls->common_tls_context = new_message(&tls__common_tls_context__descriptor);
    tls->common_tls_context->validation_context_type_case =
        TLS__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_VALIDATION_CONTEXT;
    tls->common_tls_context->validation_context =
        new_message(&tls__certificate_validation_context__descriptor);
    return tls;
}

static void tls_that_would_not_verify_or_carries_keys_is_refused(void **state)
{
    (void)state;
    Tls__UpstreamTlsContext *tls = good_tls();
    tls_refused(tls, "no roots");

    tls = good_tls();
    tls->common_tls_context = NULL;
    tls_refused(tls, "common_tls_context");

    tls = good_tls();
    tls->common_tls_context->validation_context_type_case = 0;
    tls_refused(tls, "would not be verified");

    tls = good_tls();
    tls->common_tls_context->n_tls_certificates = 1;
    tls->common_tls_context->tls_certificates =
        ONE(void, new_message(&tls__tls_certificate__descriptor));
    tls_refused(tls, "tls_certificates");

    tls = good_tls();
    Tls__CertificateValidationContext *validation = tls->common_tls_context->validation_context;
    validation->trusted_ca = new_message(&core__data_source__descriptor);
    validation->trusted_ca->specifier_case = CORE__DATA_SOURCE__SPECIFIER_FILENAME;
    validation->trusted_ca->filename = text("/etc/ca.pem");
    tls_refused(tls, "trusted_ca");

    /* A prefix would let in more than one identity says. */
    tls = good_tls();
    validation = tls->common_tls_context->validation_context;
    validation->ca_certificate_provider_instance =
        new_message(&tls__certificate_provider_plugin_instance__descriptor);
    Mt__StringMatcher *matcher = new_message(&mt__string_matcher__descriptor);
    matcher->match_pattern_case = MT__STRING_MATCHER__MATCH_PATTERN_PREFIX;
    matcher->prefix = text("spiffe://");
    validation->n_match_subject_alt_names = 1;
    validation->match_subject_alt_names = ONE(Mt__StringMatcher, matcher);
    tls_refused(tls, "match_subject_alt_names[0]");
}

static void a_policy_at_odds_with_the_transport_socket_is_refused(void **state)
{
    (void)state;
    Clu__Cluster *message = good_cluster(XDS_TLS_ORIGINATE);
    message->transport_socket = NULL;
    cluster_refused(message, "tls");
    message = good_cluster(XDS_TLS_MESH);
    Clu__Cluster *other = good_cluster(XDS_TLS_NONE);
    message->metadata = other->metadata;
    cluster_refused(message, "tls");
}

static void listeners_with_filters_that_we_do_not_have_are_refused(void **state)
{
    (void)state;
    struct xds_listener ret;
    struct xds_error error = {""};
    Hcm__HttpConnectionManager *hcm = new_message(&hcm__http_connection_manager__descriptor);
    hcm->route_specifier_case = HCM__HTTP_CONNECTION_MANAGER__ROUTE_SPECIFIER_RDS;
    hcm->rds = new_message(&hcm__rds__descriptor);
    hcm->rds->config_source = config_source_ads(&arena);
    hcm->rds->route_config_name = text("r");
    Hcm__HttpFilter *filter = new_message(&hcm__http_filter__descriptor);
    filter->name = text("envoy.filters.http.rbac");
    hcm->n_http_filters = 1;
    hcm->http_filters = ONE(Hcm__HttpFilter, filter);
    Lis__Listener *message = new_message(&lis__listener__descriptor);
    message->name = text("l");
    message->api_listener = new_message(&lis__api_listener__descriptor);
    message->api_listener->api_listener = wire_any(&arena, &hcm->base);
    assert_false(xds_listener_decode(wire_pack(&arena, &message->base), &arena, &ret, &error));
    assert_mentions(&error, "envoy.filters.http.rbac");

    filter->is_optional = true;
    message->api_listener->api_listener = wire_any(&arena, &hcm->base);
    assert_false(xds_listener_decode(wire_pack(&arena, &message->base), &arena, &ret, &error));
    assert_mentions(&error, "router");

    message->api_listener = NULL;
    assert_false(xds_listener_decode(wire_pack(&arena, &message->base), &arena, &ret, &error));
    assert_mentions(&error, "neither");
}

static void a_secret_with_a_key_is_refused(void **state)
{
    (void)state;
    struct xds_secret ret;
    struct xds_error error = {""};
    Tls__Secret *message = new_message(&tls__secret__descriptor);
    message->name = text("default");
    message->type_case = TLS__SECRET__TYPE_TLS_CERTIFICATE;
    message->tls_certificate = new_message(&tls__tls_certificate__descriptor);
    assert_false(xds_secret_decode(wire_pack(&arena, &message->base), &arena, &ret, &error));
    assert_mentions(&error, "tls_certificate");
    message->type_case = TLS__SECRET__TYPE_VALIDATION_CONTEXT;
    message->validation_context = new_message(&tls__certificate_validation_context__descriptor);
    assert_false(xds_secret_decode(wire_pack(&arena, &message->base), &arena, &ret, &error));
    assert_mentions(&error, "trusted_ca");
}

static void an_error_about_long_names_is_cut_between_characters(void **state)
{
    (void)state;
    struct text name = {0};
    for (size_t i = 0; i < 200; i++) {
        text_add_text(&name, "\xe2\x82\xac");
    }
    Ep__ClusterLoadAssignment *message = good_endpoints();
    socket_of(message)->address = wire_string(&arena, text_span(&name));
    struct xds_endpoints ret;
    struct xds_error error = {""};
    assert_false(xds_endpoints_decode(wire_pack(&arena, &message->base), &arena, &ret, &error));
    assert_true(utf8_valid(span_of(error.text)));
    assert_true(strlen(error.text) > 200);
    text_done(&name);
}

static int empty_arena(void **state)
{
    (void)state;
    arena_done(&arena);
    while (unpacked_count > 0) {
        arena_done(&unpacked[--unpacked_count]);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_teardown(bad_endpoints_are_refused, empty_arena),
        cmocka_unit_test_teardown(bad_endpoint_facts_are_refused, empty_arena),
        cmocka_unit_test_teardown(no_endpoints_and_an_empty_list_are_the_same, empty_arena),
        cmocka_unit_test_teardown(bad_clusters_are_refused, empty_arena),
        cmocka_unit_test_teardown(tls_that_would_not_verify_or_carries_keys_is_refused,
                                  empty_arena),
        cmocka_unit_test_teardown(a_policy_at_odds_with_the_transport_socket_is_refused,
                                  empty_arena),
        cmocka_unit_test_teardown(listeners_with_filters_that_we_do_not_have_are_refused,
                                  empty_arena),
        cmocka_unit_test_teardown(a_secret_with_a_key_is_refused, empty_arena),
        cmocka_unit_test_teardown(an_error_about_long_names_is_cut_between_characters, empty_arena),
    };
    return TEST_MAIN(cases, argc, argv);
}
