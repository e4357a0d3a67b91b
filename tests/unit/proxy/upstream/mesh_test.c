#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "proxy/config/mesh_alpn.h"
#include "tests/fakes/raw_peer.h"
#include "tests/unit/certs/tls_fixture.h"
#include "tests/unit/proxy/upstream/upstream_rig.h"

#include <openssl/base64.h>

static struct rig rig;
static struct tls_mesh mesh;
static const char *const sidecar_alpn[] = MESH_ALPN_LIST;

#define API "spiffe://td.test/ns/shop/sa/api"
#define OTHER "spiffe://td.test/ns/shop/sa/other"

static struct xds_endpoint sidecar(const char *identity)
{
    struct xds_endpoint endpoint = rig_endpoint(1);
    endpoint.identity = span_of(identity);
    endpoint.flags = XDS_ENDPOINT_SIDECAR | XDS_ENDPOINT_HBONE;
    return endpoint;
}

static struct cluster *use(const struct xds_cluster *facts, const struct xds_endpoint *endpoint)
{
    rig_cluster(&rig, facts, endpoint, 1);
    rig_apply(&rig);
    return cluster_find(rig.upstream, SPAN("c"));
}

/* A server that is "api"; our own certificate is "web". */
static struct cluster *begin(const struct xds_endpoint *endpoint)
{
    tls_mesh_init(&mesh);
    tls_config_unref(mesh.server_config);
    tls_config_unref(mesh.client_config);
    mesh.server_config = tls_mesh_config(&mesh, "api", true, sidecar_alpn, TLS_PEER_REQUIRED);
    mesh.client_config = tls_mesh_config(&mesh, "web", false, sidecar_alpn, TLS_PEER_REQUIRED);
    rig_init(&rig);
    rig.codec = HTTP_CODEC_2;
    rig.connects = rig.answers = true;
    rig.server_tls = mesh.server_config;
    upstream_set_tls(rig.upstream, mesh.client_config, false);
    struct xds_cluster facts;
    xds_cluster_init(&facts);
    facts.name = SPAN("c");
    facts.tls = XDS_TLS_MESH;
    return use(&facts, endpoint);
}

static void done(void)
{
    rig_done(&rig);
    tls_mesh_done(&mesh);
}

static void a_mesh_lease_is_a_stream_of_a_mutual_tls_session(void **state)
{
    struct xds_endpoint endpoint = sidecar(API);
    struct cluster *cluster = begin(&endpoint);
    struct caller a = {0};
    caller_start(&a, &rig, cluster, NULL);
    rig_go(&rig);
    assert_int_equal(a.readies, 1);
    assert_true(span_equal_text(a.lease.peer_identity, API));
    assert_true(a.ended);
    assert_int_equal(rig.dials[0].to.port, 80);
    caller_end(&a);
    assert_int_equal(cluster->counters.tls_full, 1);
    struct caller b = {0};
    assert_int_equal(caller_start(&b, &rig, cluster, NULL), LEASE_READY);
    assert_true(b.lease.reused);
    caller_end(&b);
    done();
}

static void without_a_certificate_mesh_endpoints_are_closed_never_plain(void **state)
{
    static const enum lease_kind kinds[] = {LEASE_HTTP, LEASE_TCP};
    for (size_t i = 0; i < 2; i++) {
        struct xds_endpoint endpoint = sidecar(API);
        struct cluster *cluster = begin(&endpoint);
        upstream_set_tls(rig.upstream, NULL, false);
        struct lease_wish wish = {.kind = kinds[i]};
        struct caller a = {0};
        assert_int_equal(caller_start(&a, &rig, cluster, &wish), LEASE_FAILED);
        assert_int_equal(a.failure, FAILURE_TLS_NO_CERTIFICATE);
        assert_string_equal(a.lease.endpoint->text, "10.0.0.1:80");
        assert_int_equal(rig.dial_count, 0);
        caller_end(&a);
        assert_int_equal(cluster->leases, 0);
        assert_int_equal(a.lease.endpoint->active, 0);
        done();
    }
}

static void a_peer_with_another_identity_is_refused(void **state)
{
    struct xds_endpoint endpoint = sidecar(OTHER);
    struct cluster *cluster = begin(&endpoint);
    struct caller a = {0};
    caller_start(&a, &rig, cluster, NULL);
    rig_go(&rig);
    assert_int_equal(a.readies, 0);
    assert_int_equal(a.failure, FAILURE_TLS_IDENTITY);
    assert_int_equal(rig.stream_count, 0);
    assert_int_equal(cluster->endpoints[0]->failures, 1);
    assert_int_equal(cluster->connections, 0);
    caller_end(&a);
    done();
}

/* Whoever ends it and however: the application has seen nothing, so others may be tried. */
static void a_handshake_that_is_cut_is_a_connection_never_made(void **state)
{
    static const enum pipe_fault faults[] = {PIPE_FAULT_END, PIPE_FAULT_RESET};
    static const size_t after[] = {0, 1, 100, 1000};
    for (size_t i = 0; i < 8; i++) {
        struct xds_endpoint endpoint = sidecar(API);
        struct cluster *cluster = begin(&endpoint);
        rig.connects = false;
        struct caller a = {0};
        caller_start(&a, &rig, cluster, NULL);
        rig_go(&rig);
        struct pipe_options *far = pipe_options_of(rig.dials[0].far);
        far->fault = faults[i % 2];
        far->fault_at = after[i / 2];
        rig_connect(&rig, 0);
        rig_go(&rig);
        assert_int_equal(a.fails, 1);
        assert_int_equal(a.failure, FAILURE_TLS_HANDSHAKE);
        caller_end(&a);
        rig_all_given_back(cluster);
        done();
    }
}

static void a_mesh_endpoint_of_which_nobody_says_who_it_is_is_not_believed(void **state)
{
    struct xds_endpoint endpoint = sidecar("");
    struct cluster *cluster = begin(&endpoint);
    struct caller a = {0};
    assert_int_equal(caller_start(&a, &rig, cluster, NULL), LEASE_FAILED);
    assert_int_equal(a.failure, FAILURE_TLS_IDENTITY);
    assert_int_equal(rig.dial_count, 0);
    done();
}

static void the_cluster_s_identities_hold_for_endpoints(void **state)
{
    static const struct {
        const char *endpoint, *cluster;
        enum failure failure;
    } rows[] = {
        {"", API, FAILURE_NONE},
        {API, API, FAILURE_NONE},
        {API, OTHER, FAILURE_TLS_IDENTITY},
        {"", OTHER, FAILURE_TLS_IDENTITY},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct xds_endpoint endpoint = sidecar(rows[i].endpoint);
        begin(&endpoint);
        struct span identities[] = {span_of(rows[i].cluster)};
        struct xds_cluster facts;
        xds_cluster_init(&facts);
        facts.name = SPAN("c");
        facts.tls = XDS_TLS_MESH;
        facts.identities = identities;
        facts.identity_count = 1;
        struct cluster *cluster = use(&facts, &endpoint);
        struct caller a = {0};
        caller_start(&a, &rig, cluster, NULL);
        rig_go(&rig);
        assert_int_equal(a.failure, rows[i].failure);
        if (rows[i].failure == FAILURE_NONE) {
            assert_true(span_equal_text(a.lease.peer_identity, API));
        }
        caller_end(&a);
        done();
    }
}

static void two_identities_at_one_address_never_share_a_connection(void **state)
{
    struct xds_endpoint endpoints[] = {sidecar(API), sidecar(OTHER)};
    begin(&endpoints[0]);
    struct xds_cluster facts;
    xds_cluster_init(&facts);
    facts.name = SPAN("c");
    facts.tls = XDS_TLS_MESH;
    rig_cluster(&rig, &facts, endpoints, 2);
    rig_apply(&rig);
    struct cluster *cluster = cluster_find(rig.upstream, SPAN("c"));
    assert_int_equal(cluster->endpoint_count, 2);
    for (int i = 0; i < 2; i++) {
        struct lease_wish wish = {
            .kind = LEASE_HTTP, .tried = {cluster->endpoints[1 - i]}, .tried_count = 1};
        struct caller a = {0};
        caller_start(&a, &rig, cluster, &wish);
        rig_go(&rig);
        assert_ptr_equal(a.lease.endpoint, cluster->endpoints[i]);
        assert_int_equal(a.failure, i == 0 ? FAILURE_NONE : FAILURE_TLS_IDENTITY);
        caller_end(&a);
    }
    assert_int_equal(rig.dial_count, 2);
    done();
}

static void an_endpoint_without_sidecar_is_reached_in_plain_text(void **state)
{
    struct xds_endpoint endpoint = rig_endpoint(1);
    struct cluster *cluster = begin(&endpoint);
    rig.server_tls = NULL;
    rig.codec = HTTP_CODEC_1;
    struct caller a = {0};
    caller_start(&a, &rig, cluster, NULL);
    rig_go(&rig);
    assert_true(a.ended);
    assert_int_equal(a.lease.peer_identity.length, 0);
    caller_end(&a);
    done();
}

static void explicit_ports_of_sidecars_are_dialled(void **state)
{
    struct xds_endpoint endpoint = sidecar(API);
    endpoint.mtls_port = 9443;
    endpoint.tunnel_port = 9008;
    struct cluster *cluster = begin(&endpoint);
    struct caller a = {0};
    struct caller b = {0};
    struct lease_wish tcp = {.kind = LEASE_TCP};
    caller_start(&a, &rig, cluster, NULL);
    caller_start(&b, &rig, cluster, &tcp);
    assert_int_equal(rig.dials[0].to.port, 9443);
    assert_int_equal(rig.dials[1].to.port, 9008);
    caller_end(&a);
    caller_end(&b);
    done();
}

static void the_next_session_is_resumed(void **state)
{
    struct xds_endpoint endpoint = sidecar(API);
    struct cluster *cluster = begin(&endpoint);
    for (int i = 0; i < 2; i++) {
        struct caller a = {0};
        caller_start(&a, &rig, cluster, NULL);
        rig_go(&rig);
        assert_true(a.ended);
        caller_end(&a);
        http_conn_close(rig.dials[i].server, FAILURE_NONE);
        rig_go(&rig);
        assert_int_equal(cluster->connections, 0);
    }
    assert_int_equal(cluster->counters.tls_full, 1);
    assert_int_equal(cluster->counters.tls_resumed, 1);
    done();
}

static void a_new_certificate_drains_old_sessions_when_told(void **state)
{
    struct xds_endpoint endpoint = sidecar(API);
    struct cluster *cluster = begin(&endpoint);
    rig.answers = false;
    struct caller old = {0};
    caller_start(&old, &rig, cluster, NULL);
    rig_go(&rig);
    upstream_set_tls(rig.upstream, mesh.client_config, false);
    struct caller same = {0};
    assert_int_equal(caller_start(&same, &rig, cluster, NULL), LEASE_READY);
    upstream_set_tls(rig.upstream, mesh.client_config, true);
    struct caller young = {0};
    assert_int_equal(caller_start(&young, &rig, cluster, NULL), LEASE_WAIT);
    rig_go(&rig);
    assert_ptr_not_equal(young.lease.conn, old.lease.conn);
    rig_answer(&rig, 0, 200);
    assert_true(old.ended);
    caller_end(&old);
    caller_end(&same);
    caller_end(&young);
    done();
}

/* ---- HBONE ---- */

static void a_tcp_lease_is_a_connect_stream_of_a_pooled_session(void **state)
{
    struct xds_endpoint endpoint = sidecar(API);
    struct cluster *cluster = begin(&endpoint);
    rig.answers = false;
    struct lease_wish tcp = {.kind = LEASE_TCP};
    struct caller a = {0};
    struct caller b = {0};
    assert_int_equal(caller_start(&a, &rig, cluster, &tcp), LEASE_WAIT);
    assert_int_equal(caller_start(&b, &rig, cluster, &tcp), LEASE_WAIT);
    rig_go(&rig);
    assert_int_equal(rig.dial_count, 1);
    assert_int_equal(rig.dials[0].to.port, 15008);
    assert_int_equal(rig.stream_count, 2);
    assert_int_equal(rig.streams[0]->head->method_token, HTTP_METHOD_CONNECT);
    assert_true(span_equal_text(rig.streams[0]->head->authority, "10.0.0.1:80"));
    assert_int_equal(a.readies, 0);
    struct http_head head;
    http_head_init(&head, &rig.streams[0]->arena);
    head.status = 200;
    head.version = 20;
    head.content_length = -1;
    head.has_body = true;
    http_stream_send_head(rig.streams[0]->stream, &head, false);
    rig_go(&rig);
    assert_int_equal(a.readies, 1);
    assert_int_equal(b.readies, 0);
    assert_true(span_equal_text(a.lease.peer_identity, API));
    struct raw_peer peer = {0};
    raw_peer_own(&peer, a.lease.transport);
    a.lease.transport = NULL;
    struct byte_queue body;
    byte_queue_init(&body);
    byte_queue_copy(&body, "hello", 5);
    http_stream_send_body(rig.streams[0]->stream, &body, 5);
    rig_go(&rig);
    assert_int_equal(peer.received_length, 5);
    raw_peer_done(&peer);
    caller_end(&a);
    caller_end(&b);
    rig_go(&rig);
    assert_int_equal(cluster->leases, 0);
    /* The session stays for the next. */
    assert_int_equal(cluster->connections, 1);
    done();
}

static void a_refused_tunnel_is_a_connect_failure(void **state)
{
    struct xds_endpoint endpoint = sidecar(API);
    struct cluster *cluster = begin(&endpoint);
    rig.answers = false;
    struct lease_wish tcp = {.kind = LEASE_TCP, .tunnel_authority = SPAN("10.9.9.9:6379")};
    struct caller a = {0};
    caller_start(&a, &rig, cluster, &tcp);
    rig_go(&rig);
    assert_true(span_equal_text(rig.streams[0]->head->authority, "10.9.9.9:6379"));
    rig_answer(&rig, 0, 503);
    assert_int_equal(a.readies, 0);
    assert_int_equal(a.failure, FAILURE_CONNECT_REFUSED);
    caller_end(&a);
    assert_int_equal(cluster->leases, 0);
    done();
}

static void a_tunnel_that_is_never_answered_ends_in_time(void **state)
{
    struct xds_endpoint endpoint = sidecar(API);
    struct cluster *cluster = begin(&endpoint);
    rig.answers = false;
    struct lease_wish tcp = {.kind = LEASE_TCP};
    struct caller a = {0};
    caller_start(&a, &rig, cluster, &tcp);
    rig_go(&rig);
    rig_wait_ms(&rig, 3001);
    assert_int_equal(a.failure, FAILURE_CONNECT_TIMEOUT);
    assert_int_equal(cluster->leases, 0);
    done();
}

static void a_session_that_dies_fails_the_tunnels_that_wait_on_it(void **state)
{
    struct xds_endpoint endpoint = sidecar(API);
    struct cluster *cluster = begin(&endpoint);
    rig.answers = false;
    struct lease_wish tcp = {.kind = LEASE_TCP};
    struct caller a = {0};
    struct caller b = {0};
    caller_start(&a, &rig, cluster, &tcp);
    caller_start(&b, &rig, cluster, &tcp);
    rig_go(&rig);
    pipe_fail(rig.dials[0].near, FAILURE_UPSTREAM_RESET);
    rig_go(&rig);
    assert_int_equal(a.fails, 1);
    assert_int_equal(b.fails, 1);
    assert_int_equal(cluster->leases, 0);
    assert_int_equal(cluster->connections, 0);
    done();
}

static void without_hbone_a_tcp_lease_is_plain(void **state)
{
    struct xds_endpoint endpoint = sidecar(API);
    endpoint.flags = XDS_ENDPOINT_SIDECAR;
    struct cluster *cluster = begin(&endpoint);
    rig.raw = true;
    struct lease_wish tcp = {.kind = LEASE_TCP};
    struct caller a = {0};
    caller_start(&a, &rig, cluster, &tcp);
    rig_go(&rig);
    assert_int_equal(a.readies, 1);
    assert_int_equal(rig.dials[0].to.port, 80);
    assert_int_equal(a.lease.peer_identity.length, 0);
    caller_end(&a);
    done();
}

static void the_next_tunnel_takes_a_stream_of_the_same_session(void **state)
{
    struct xds_endpoint endpoint = sidecar(API);
    struct cluster *cluster = begin(&endpoint);
    struct lease_wish tcp = {.kind = LEASE_TCP};
    rig.answers = false;
    for (size_t i = 0; i < 3; i++) {
        struct caller a = {0};
        assert_int_equal(caller_start(&a, &rig, cluster, &tcp), LEASE_WAIT);
        rig_go(&rig);
        rig_answer(&rig, i, 200);
        assert_int_equal(a.readies, 1);
        assert_int_equal(a.lease.reused, i > 0);
        caller_end(&a);
        rig_go(&rig);
    }
    assert_int_equal(rig.dial_count, 1);
    assert_int_equal(cluster->leases, 0);
    done();
}

/* ---- TLS towards the outside ---- */

static char *pem_of(struct span der)
{
    struct text pem = {0};
    uint8_t *encoded = mem_alloc(der.length * 4 / 3 + 4);
    size_t length = EVP_EncodeBlock(encoded, (const uint8_t *)der.at, der.length);
    text_add_text(&pem, "-----BEGIN CERTIFICATE-----\n");
    for (size_t i = 0; i < length; i += 64) {
        text_add(&pem, span_cut(span_make(encoded, length), i, i + 64));
        text_add_byte(&pem, '\n');
    }
    text_add_text(&pem, "-----END CERTIFICATE-----\n");
    mem_free(encoded);
    return text_take(&pem);
}

/* A server "api.shop" of the mesh's authority. */
static struct cluster *outside(const char *const *server_alpn, uint8_t protocol, const char *sni,
                               bool roots_known)
{
    struct xds_endpoint endpoint = rig_endpoint(1);
    begin(&endpoint);
    rig.server_tls = tls_mesh_config(&mesh, "api", true, server_alpn, TLS_PEER_OPTIONAL);
    char *pem = pem_of(text_span(&mesh.root));
    struct xds_cluster facts;
    xds_cluster_init(&facts);
    facts.name = SPAN("c");
    facts.tls = XDS_TLS_ORIGINATE;
    facts.protocol = protocol;
    facts.sni = span_of(sni);
    facts.ca_pem = roots_known ? span_of(pem) : SPAN_EMPTY;
    struct cluster *cluster = use(&facts, &endpoint);
    mem_free(pem);
    return cluster;
}

static void outside_done(void)
{
    tls_config_unref(rig.server_tls);
    done();
}

static void tls_begun_here_speaks_what_both_sides_can(void **state)
{
    static const char *const http1[] = {"http/1.1", NULL};
    static const char *const both[] = {"h2", "http/1.1", NULL};
    static const struct {
        const char *const *server;
        uint8_t protocol;
        bool client_http2;
        enum http_codec codec;
        size_t dials;
    } rows[] = {
        {http1, XDS_PROTOCOL_AUTO, false, HTTP_CODEC_1, 3},
        {both, XDS_PROTOCOL_AUTO, false, HTTP_CODEC_1, 3},
        {both, XDS_PROTOCOL_AUTO, true, HTTP_CODEC_2, 1},
        {both, XDS_PROTOCOL_HTTP2, false, HTTP_CODEC_2, 1},
        /* HTTP/2 was hoped for: whom the one dial was to carry get dials of their own. */
        {http1, XDS_PROTOCOL_AUTO, true, HTTP_CODEC_1, 3},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cluster *cluster = outside(rows[i].server, rows[i].protocol, "api.shop", true);
        rig.codec = rows[i].codec;
        rig.answers = false;
        struct lease_wish wish = {.kind = LEASE_HTTP, .http2_cleartext = rows[i].client_http2};
        struct caller callers[3] = {0};
        for (int j = 0; j < 3; j++) {
            caller_start(&callers[j], &rig, cluster, &wish);
        }
        rig_go(&rig);
        assert_int_equal(rig.dial_count, rows[i].dials);
        for (size_t j = 0; j < 3; j++) {
            assert_int_equal(callers[j].readies, 1);
            assert_int_equal(callers[j].lease.peer_identity.length, 0);
            rig_answer(&rig, j, 200);
        }
        for (int j = 0; j < 3; j++) {
            assert_true(callers[j].ended);
            assert_int_equal(callers[j].head->version, rows[i].codec == HTTP_CODEC_2 ? 20 : 11);
            caller_end(&callers[j]);
        }
        assert_int_equal(cluster->leases, 0);
        outside_done();
    }
}

static void tls_begun_here_carries_opaque_bytes_too(void **state)
{
    struct cluster *cluster = outside(NULL, XDS_PROTOCOL_OPAQUE, "api.shop", true);
    struct lease_wish tcp = {.kind = LEASE_TCP};
    struct caller a = {0};
    caller_start(&a, &rig, cluster, &tcp);
    rig_go(&rig);
    assert_int_equal(a.readies, 1);
    assert_string_equal(a.lease.transport->ops->name, "tls");
    assert_int_equal(cluster->counters.tls_full, 1);
    caller_end(&a);
    outside_done();
}

static void a_server_of_another_name_is_refused(void **state)
{
    static const char *const http1[] = {"http/1.1", NULL};
    struct cluster *cluster = outside(http1, XDS_PROTOCOL_HTTP1, "other.shop", true);
    struct caller a = {0};
    caller_start(&a, &rig, cluster, NULL);
    rig_go(&rig);
    assert_int_equal(a.readies, 0);
    assert_int_equal(a.fails, 1);
    assert_int_equal(rig.stream_count, 0);
    outside_done();
}

static void without_a_name_to_check_no_tls_is_begun(void **state)
{
    static const char *const http1[] = {"http/1.1", NULL};
    struct cluster *cluster = outside(http1, XDS_PROTOCOL_HTTP1, "", true);
    struct caller a = {0};
    assert_int_equal(caller_start(&a, &rig, cluster, NULL), LEASE_FAILED);
    assert_int_equal(a.failure, FAILURE_TLS_HANDSHAKE);
    assert_int_equal(rig.dial_count, 0);
    outside_done();
}

static void a_server_whose_roots_are_unknown_is_refused(void **state)
{
    static const char *const http1[] = {"http/1.1", NULL};
    struct cluster *cluster = outside(http1, XDS_PROTOCOL_HTTP1, "api.shop", false);
    rig.codec = HTTP_CODEC_1;
    struct caller a = {0};
    caller_start(&a, &rig, cluster, NULL);
    rig_go(&rig);
    assert_int_equal(a.readies, 0);
    assert_true(a.failure == FAILURE_PEER_UNVERIFIED || a.failure == FAILURE_TLS_HANDSHAKE ||
                a.failure == FAILURE_TLS_IDENTITY);
    assert_int_equal(rig.stream_count, 0);
    caller_end(&a);
    outside_done();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_mesh_lease_is_a_stream_of_a_mutual_tls_session),
        cmocka_unit_test(without_a_certificate_mesh_endpoints_are_closed_never_plain),
        cmocka_unit_test(a_peer_with_another_identity_is_refused),
        cmocka_unit_test(a_handshake_that_is_cut_is_a_connection_never_made),
        cmocka_unit_test(a_mesh_endpoint_of_which_nobody_says_who_it_is_is_not_believed),
        cmocka_unit_test(the_cluster_s_identities_hold_for_endpoints),
        cmocka_unit_test(two_identities_at_one_address_never_share_a_connection),
        cmocka_unit_test(an_endpoint_without_sidecar_is_reached_in_plain_text),
        cmocka_unit_test(explicit_ports_of_sidecars_are_dialled),
        cmocka_unit_test(the_next_session_is_resumed),
        cmocka_unit_test(a_new_certificate_drains_old_sessions_when_told),
        cmocka_unit_test(a_tcp_lease_is_a_connect_stream_of_a_pooled_session),
        cmocka_unit_test(a_refused_tunnel_is_a_connect_failure),
        cmocka_unit_test(a_tunnel_that_is_never_answered_ends_in_time),
        cmocka_unit_test(a_session_that_dies_fails_the_tunnels_that_wait_on_it),
        cmocka_unit_test(without_hbone_a_tcp_lease_is_plain),
        cmocka_unit_test(the_next_tunnel_takes_a_stream_of_the_same_session),
        cmocka_unit_test(tls_begun_here_speaks_what_both_sides_can),
        cmocka_unit_test(tls_begun_here_carries_opaque_bytes_too),
        cmocka_unit_test(a_server_of_another_name_is_refused),
        cmocka_unit_test(without_a_name_to_check_no_tls_is_begun),
        cmocka_unit_test(a_server_whose_roots_are_unknown_is_refused),
    };
    return TEST_MAIN(cases, argc, argv);
}
