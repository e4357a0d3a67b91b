#include "tests/unit/certs/tls_fixture.h"

#include "certs/certificate_list.h"
#include "certs/key_pair.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "tests/unit/test_main.h"

#include <openssl/evp.h>

#define API "spiffe://td.test/ns/shop/sa/api"
#define WEB "spiffe://td.test/ns/shop/sa/web"

enum { TURNS = 64 };

static int set_up(void **state)
{
    *state = NEW(struct tls_mesh);
    tls_mesh_init(*state);
    return 0;
}

static int tear_down(void **state)
{
    tls_mesh_done(*state);
    mem_free(*state);
    return 0;
}

static const struct tls_facts *facts_of(const struct tls_end *end)
{
    return tls_transport_facts(end->transport);
}

static void connect_well(struct tls_mesh *mesh)
{
    tls_mesh_connect(mesh, API);
    tls_mesh_run(mesh, TURNS);
    assert_string_equal(mesh->client.detail, "");
    assert_string_equal(mesh->server.detail, "");
    assert_true(mesh->client.ready);
    assert_true(mesh->server.ready);
}

/* The ticket leaves with the first bytes that the server writes. */
static void connect_and_take_a_ticket(struct tls_mesh *mesh)
{
    connect_well(mesh);
    tls_end_send(&mesh->server, "ticket", 6);
    tls_mesh_run(mesh, TURNS);
    assert_int_equal(mesh->client.got.length, 6);
}

static void assert_span(struct span span, const char *text)
{
    assert_true(span_equal_text(span, text));
}

static void both_ends_learn_who_the_other_is(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_well(mesh);
    assert_span(facts_of(&mesh->client)->peer_identity, API);
    assert_span(facts_of(&mesh->server)->peer_identity, WEB);
    assert_span(facts_of(&mesh->client)->alpn, "h2");
    assert_span(facts_of(&mesh->server)->alpn, "h2");
    assert_span(facts_of(&mesh->server)->server_name, "api.shop");
    assert_int_equal(facts_of(&mesh->client)->group, 0x11ec);
    assert_int_equal(facts_of(&mesh->server)->group, 0x11ec);
    assert_int_equal(facts_of(&mesh->client)->cipher, 0x1301);
    assert_false(facts_of(&mesh->client)->resumed);
    assert_int_equal(facts_of(&mesh->client)->peer_not_after_ms, (1780000000LL + 3600) * 1000);
    tls_end_send(&mesh->client, "hello", 5);
    tls_end_send(&mesh->server, "welcome", 7);
    tls_mesh_run(mesh, TURNS);
    assert_string_equal(mesh->server.got.bytes, "hello");
    assert_string_equal(mesh->client.got.bytes, "welcome");
    assert_null(tls_transport_facts(mesh->client.below));
}

static void the_second_connection_resumes_and_is_judged_again(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_and_take_a_ticket(mesh);
    struct leaf_verify_counters before, after;
    leaf_verify_count(mesh->verify, &before);
    connect_well(mesh);
    leaf_verify_count(mesh->verify, &after);
    assert_true(facts_of(&mesh->client)->resumed);
    assert_true(facts_of(&mesh->server)->resumed);
    assert_span(facts_of(&mesh->client)->peer_identity, API);
    assert_span(facts_of(&mesh->server)->peer_identity, WEB);
    assert_int_equal(facts_of(&mesh->client)->group, 0x11ec);
    assert_true(after.accepted >= before.accepted + 2);
    tls_end_send(&mesh->client, "hello", 5);
    tls_mesh_run(mesh, TURNS);
    assert_int_equal(mesh->server.got.length, 5);
}

static void a_resumed_peer_is_refused_after_the_bundle_changed(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_and_take_a_ticket(mesh);
    const char *reason;
    EVP_PKEY *key = key_pair_make();
    struct text other = {0};
    authority_make_root(key, SPAN("td.test"), &other);
    struct trust_bundle *fresh = trust_bundle_create();
    assert_true(trust_bundle_add(fresh, SPAN("td.test"), text_span(&other), &reason));
    leaf_verify_set_bundle(mesh->verify, fresh);
    tls_mesh_connect(mesh, API);
    tls_mesh_run(mesh, TURNS);
    assert_false(mesh->client.ready);
    assert_true(mesh->client.failed);
    assert_int_equal(mesh->client.failure, FAILURE_TLS_HANDSHAKE);
    assert_non_null(strstr(mesh->client.reason, "no root"));
    trust_bundle_unref(fresh);
    text_done(&other);
    EVP_PKEY_free(key);
}

/* The client still trusts, the server no longer does: its ticket must not get the client in. */
static bool deny_web(void *owner, const struct spiffe_id *id, struct span serial)
{
    return *(bool *)owner && span_equal_text(id->text, WEB);
}

static void a_ticket_does_not_get_a_denied_client_in(void **state)
{
    struct tls_mesh *mesh = *state;
    bool denied = false;
    leaf_verify_set_deny(mesh->verify, deny_web, &denied);
    connect_and_take_a_ticket(mesh);
    denied = true;
    tls_mesh_connect(mesh, API);
    tls_mesh_run(mesh, TURNS);
    assert_false(mesh->server.ready);
    assert_int_equal(mesh->server.failure, FAILURE_PEER_UNVERIFIED);
    assert_non_null(strstr(mesh->server.reason, "deny list"));
    assert_true(mesh->client.failed);
    assert_int_equal(mesh->client.failure, FAILURE_TLS_HANDSHAKE);
}

static void a_ticket_of_an_old_config_means_a_full_handshake(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_and_take_a_ticket(mesh);
    tls_config_unref(mesh->server_config);
    mesh->server_config = tls_mesh_config(mesh, "api", true, mesh_alpn, TLS_PEER_REQUIRED);
    connect_and_take_a_ticket(mesh);
    assert_false(facts_of(&mesh->client)->resumed);
    assert_false(facts_of(&mesh->server)->resumed);
    /* And a new client config has no session of the old one. */
    tls_config_unref(mesh->client_config);
    mesh->client_config = tls_mesh_config(mesh, "web", false, mesh_alpn, TLS_PEER_REQUIRED);
    connect_and_take_a_ticket(mesh);
    assert_false(facts_of(&mesh->server)->resumed);
    connect_and_take_a_ticket(mesh);
    assert_true(facts_of(&mesh->server)->resumed);
}

static void tickets_open_for_two_key_lives_at_most(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_and_take_a_ticket(mesh);
    clock_fake_advance(3599 * NS_PER_S);
    connect_well(mesh);
    assert_true(facts_of(&mesh->server)->resumed);
    clock_fake_advance(2 * NS_PER_S);
    tls_mesh_connect(mesh, API);
    tls_mesh_run(mesh, TURNS);
    assert_false(mesh->client.ready); /* the leaves have ended, whatever a ticket says */
}

static void the_wrong_identity_is_refused_and_both_are_named(void **state)
{
    struct tls_mesh *mesh = *state;
    tls_mesh_connect(mesh, "spiffe://td.test/ns/shop/sa/db");
    tls_mesh_run(mesh, TURNS);
    assert_false(mesh->client.ready || mesh->server.ready);
    assert_int_equal(mesh->client.failure, FAILURE_TLS_IDENTITY);
    assert_non_null(strstr(mesh->client.reason, "sa/db"));
    assert_non_null(strstr(mesh->client.reason, "sa/api"));
    assert_int_equal(mesh->server.failure, FAILURE_TLS_HANDSHAKE);
    assert_non_null(strstr(mesh->server.detail, "ACCESS_DENIED"));
}

static void the_wrong_identity_is_refused_on_resumption_too(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_and_take_a_ticket(mesh);
    tls_mesh_connect(mesh, "spiffe://td.test/ns/shop/sa/db");
    tls_mesh_run(mesh, TURNS);
    assert_int_equal(mesh->client.failure, FAILURE_TLS_IDENTITY);
}

static void a_client_without_certificate_is_refused(void **state)
{
    struct tls_mesh *mesh = *state;
    tls_config_unref(mesh->client_config);
    mesh->client_config = tls_mesh_config(mesh, NULL, false, mesh_alpn, TLS_PEER_REQUIRED);
    tls_mesh_connect(mesh, API);
    tls_mesh_run(mesh, TURNS);
    assert_false(mesh->server.ready);
    assert_int_equal(mesh->server.failure, FAILURE_PEER_UNVERIFIED);
    assert_true(mesh->client.failed);
    assert_int_equal(mesh->client.failure, FAILURE_TLS_HANDSHAKE);
    assert_non_null(strstr(mesh->client.detail, "CERTIFICATE_REQUIRED"));
}

static void where_it_is_optional_a_client_without_certificate_is_nobody(void **state)
{
    struct tls_mesh *mesh = *state;
    tls_config_unref(mesh->client_config);
    tls_config_unref(mesh->server_config);
    mesh->client_config = tls_mesh_config(mesh, NULL, false, mesh_alpn, TLS_PEER_REQUIRED);
    mesh->server_config = tls_mesh_config(mesh, "api", true, mesh_alpn, TLS_PEER_OPTIONAL);
    connect_and_take_a_ticket(mesh);
    assert_int_equal(facts_of(&mesh->server)->peer_identity.length, 0);
    connect_well(mesh);
    assert_true(facts_of(&mesh->server)->resumed);
    assert_int_equal(facts_of(&mesh->server)->peer_identity.length, 0);
}

static void an_expired_peer_is_refused(void **state)
{
    struct tls_mesh *mesh = *state;
    clock_fake_advance(3601 * NS_PER_S);
    tls_mesh_connect(mesh, API);
    tls_mesh_run(mesh, TURNS);
    assert_int_equal(mesh->client.failure, FAILURE_TLS_HANDSHAKE);
    assert_non_null(strstr(mesh->client.reason, "expired"));
}

static void the_server_chooses_among_the_protocols(void **state)
{
    struct tls_mesh *mesh = *state;
    static const char *const only_http1[] = {"http/1.1", NULL};
    static const char *const other[] = {"other", NULL};
    tls_config_unref(mesh->client_config);
    mesh->client_config = tls_mesh_config(mesh, "web", false, only_http1, TLS_PEER_REQUIRED);
    connect_well(mesh);
    assert_span(facts_of(&mesh->client)->alpn, "http/1.1");
    tls_config_unref(mesh->client_config);
    mesh->client_config = tls_mesh_config(mesh, "web", false, other, TLS_PEER_REQUIRED);
    tls_mesh_connect(mesh, API);
    tls_mesh_run(mesh, TURNS);
    assert_int_equal(mesh->client.failure, FAILURE_TLS_HANDSHAKE);
    assert_non_null(strstr(mesh->client.detail, "NO_APPLICATION_PROTOCOL"));
    tls_config_unref(mesh->client_config);
    mesh->client_config = tls_mesh_config(mesh, "web", false, NULL, TLS_PEER_REQUIRED);
    connect_well(mesh);
    assert_int_equal(facts_of(&mesh->server)->alpn.length, 0);
}

static void plain_text_is_no_handshake(void **state)
{
    struct tls_mesh *mesh = *state;
    static const struct span garbage[] = {
        SPAN("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        SPAN("HTTP/1.1 200 OK\r\n\r\n"),
        SPAN("\x16\x03\x01\xff\xff junk"),
        SPAN("\x17\x03\x03\x00\x04junk"),
        SPAN("\x16\x03\x03\x00\x04\x0e\x00\x00\x00"),
    };
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        for (int server = 0; server < 2; server++) {
            struct transport *near, *far;
            pipe_transports(mesh->loop, NULL, NULL, &near, &far);
            struct iovec word = {(void *)(uintptr_t)garbage[i].at, garbage[i].length};
            (void)transport_write(far, &word, 1);
            struct tls_transport_options options = {.config = server ? mesh->server_config
                                                                     : mesh->client_config,
                                                    .handshake_timeout_ms = 1000};
            struct transport *tls = tls_transport_create(near, &options);
            tls_mesh_run(mesh, 8);
            char byte;
            assert_int_equal(transport_read(tls, &byte, 1), TRANSPORT_FAILED);
            assert_int_equal(tls->failure, FAILURE_TLS_HANDSHAKE);
            assert_non_null(tls->failure_detail);
            transport_close(tls);
            transport_close(far);
            tls_mesh_run(mesh, 8);
        }
    }
}

/* A client towards the outside: roots and a name, no identity. */
static struct tls_config *web_client(struct tls_mesh *mesh, const struct text *root)
{
    struct text pem = {0};
    certificate_to_pem(text_span(root), &pem);
    struct tls_config_spec spec = {.demand = TLS_PEER_SERVER_NAME,
                                   .roots_pem = pem.bytes,
                                   .allow_tls12 = true,
                                   .alpn = mesh_alpn};
    const char *reason = "";
    struct tls_config *config = tls_config_create(&spec, &reason);
    assert_non_null(config);
    text_done(&pem);
    return config;
}

static void outside_the_mesh_the_server_name_is_checked(void **state)
{
    struct tls_mesh *mesh = *state;
    struct text other = {0};
    EVP_PKEY *key = key_pair_make();
    authority_make_root(key, SPAN("td.test"), &other);
    tls_config_unref(mesh->client_config);
    tls_config_unref(mesh->server_config);
    mesh->server_config = tls_mesh_config(mesh, "api", true, mesh_alpn, TLS_PEER_OPTIONAL);
    mesh->client_config = web_client(mesh, &mesh->root);
    tls_mesh_connect(mesh, NULL);
    tls_mesh_run(mesh, TURNS);
    assert_true(mesh->client.ready && mesh->server.ready);
    assert_int_equal(facts_of(&mesh->client)->peer_identity.length, 0);

    mesh->server_name = "other.shop";
    tls_mesh_connect(mesh, NULL);
    tls_mesh_run(mesh, TURNS);
    assert_int_equal(mesh->client.failure, FAILURE_TLS_IDENTITY);
    assert_non_null(strstr(mesh->client.reason, "other.shop"));

    mesh->server_name = "api.shop";
    tls_config_unref(mesh->client_config);
    mesh->client_config = web_client(mesh, &other);
    tls_mesh_connect(mesh, NULL);
    tls_mesh_run(mesh, TURNS);
    assert_int_equal(mesh->client.failure, FAILURE_TLS_IDENTITY);
    text_done(&other);
    EVP_PKEY_free(key);
}

static void a_config_that_cannot_work_is_refused(void **state)
{
    struct tls_mesh *mesh = *state;
    static const char *const empty[] = {"", NULL};
    EVP_PKEY *key = key_pair_make();
    struct span root = text_span(&mesh->root);
    struct tls_verifier verifier = leaf_verify_tls(mesh->verify);
    const struct tls_config_spec specs[] = {
        {.is_server = true, .verifier = verifier},
        {.is_server = true, .verifier = verifier, .chain = &root, .chain_count = 1},
        {.is_server = true, .verifier = verifier, .chain = &root, .chain_count = 1, .key = key},
        {.is_server = true, .chain = &root, .chain_count = 1, .key = mesh->root_key},
        {.is_server = true, .demand = TLS_PEER_SERVER_NAME},
        {.verifier = verifier, .alpn = empty},
        {.demand = TLS_PEER_SERVER_NAME, .roots_pem = "junk"},
    };
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        const char *reason = NULL;
        assert_null(tls_config_create(&specs[i], &reason));
        assert_non_null(reason);
    }
    EVP_PKEY_free(key);
}

static void the_session_cache_forgets_the_oldest(void **state)
{
    struct tls_mesh *mesh = *state;
    static const char *const keys[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < 5; i++) {
        mesh->session_key = keys[i];
        connect_and_take_a_ticket(mesh);
        assert_false(facts_of(&mesh->client)->resumed);
    }
    mesh->session_key = "e";
    connect_well(mesh);
    assert_true(facts_of(&mesh->client)->resumed);
    mesh->session_key = "a";
    connect_well(mesh);
    assert_false(facts_of(&mesh->client)->resumed);
    tls_session_cache_clear(mesh->sessions);
    mesh->session_key = "e";
    connect_well(mesh);
    assert_false(facts_of(&mesh->client)->resumed);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(both_ends_learn_who_the_other_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_second_connection_resumes_and_is_judged_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_resumed_peer_is_refused_after_the_bundle_changed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_ticket_does_not_get_a_denied_client_in, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_ticket_of_an_old_config_means_a_full_handshake, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(tickets_open_for_two_key_lives_at_most, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_wrong_identity_is_refused_and_both_are_named, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_wrong_identity_is_refused_on_resumption_too, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_client_without_certificate_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(where_it_is_optional_a_client_without_certificate_is_nobody,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_expired_peer_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_server_chooses_among_the_protocols, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plain_text_is_no_handshake, set_up, tear_down),
        cmocka_unit_test_setup_teardown(outside_the_mesh_the_server_name_is_checked, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_config_that_cannot_work_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_session_cache_forgets_the_oldest, set_up, tear_down),
    };
    return TEST_MAIN(cases, argc, argv);
}
