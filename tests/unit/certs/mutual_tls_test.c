#include "tests/unit/certs/tls_fixture.h"

#include "certs/certificate_list.h"
#include "certs/key_pair.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "tests/unit/test_main.h"

#include <openssl/evp.h>

#define API "spiffe://td.test/ns/shop/sa/api"
#define WEB "spiffe://td.test/ns/shop/sa/web"

enum { TURNS = 64, BULK_BYTES = 3000000 };

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

static void a_byte_at_a_time_is_enough(void **state)
{
    struct tls_mesh *mesh = *state;
    mesh->client_pipe.deliver_bytes = 1;
    mesh->server_pipe.deliver_bytes = 1;
    mesh->server_pipe.accept_bytes = 1;
    tls_mesh_connect(mesh, API);
    tls_end_send(&mesh->client, "hello", 5);
    tls_end_send(&mesh->server, "welcome", 7);
    tls_mesh_run(mesh, 20000);
    assert_true(mesh->client.ready && mesh->server.ready);
    assert_int_equal(mesh->server.got.length, 5);
    assert_int_equal(mesh->client.got.length, 7);
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
    assert_int_equal(mesh->server.failure, FAILURE_TLS_HANDSHAKE);
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

static void fill(unsigned char *bytes, size_t length, unsigned seed)
{
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (unsigned char)(i * 31 + (i >> 8) * 7 + seed);
    }
}

static void megabytes_pass_both_ways_under_back_pressure(void **state)
{
    struct tls_mesh *mesh = *state;
    unsigned char *up = mem_alloc(BULK_BYTES), *down = mem_alloc(BULK_BYTES);
    fill(up, BULK_BYTES, 1);
    fill(down, BULK_BYTES, 2);
    mesh->client_pipe.accept_bytes = 10000;
    mesh->server_pipe.window_bytes = 5000;
    connect_well(mesh);
    mesh->server.paused = true;
    tls_end_watch(&mesh->server);
    tls_end_send(&mesh->client, up, BULK_BYTES);
    tls_end_send(&mesh->server, down, BULK_BYTES);
    tls_mesh_run(mesh, 200);
    /* The server reads nothing: 64 KiB here, 64 KiB in the pipe, and no more. */
    assert_true(mesh->client.to_send.length > BULK_BYTES - 300000);
    assert_true(transport_unsent(mesh->client.transport) <= 70000);
    assert_true(transport_unsent(mesh->client.transport) > 30000);
    mesh->server.paused = false;
    tls_end_watch(&mesh->server);
    for (int i = 0; i < 5000 && mesh->server.got.length + mesh->client.got.length < 2 * BULK_BYTES;
         i++) {
        tls_mesh_run(mesh, 1);
    }
    assert_int_equal(mesh->server.got.length, BULK_BYTES);
    assert_int_equal(mesh->client.got.length, BULK_BYTES);
    assert_memory_equal(mesh->server.got.bytes, up, BULK_BYTES);
    assert_memory_equal(mesh->client.got.bytes, down, BULK_BYTES);
    mem_free(up);
    mem_free(down);
}

static void small_writes_of_a_turn_become_one_record(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_well(mesh);
    uint64_t before = pipe_written(mesh->client.below);
    for (int i = 0; i < 50; i++) {
        struct iovec one = {"0123456789", 10};
        assert_int_equal(transport_write(mesh->client.transport, &one, 1), 10);
    }
    tls_mesh_run(mesh, 4);
    assert_int_equal(pipe_written(mesh->client.below) - before, 500 + 5 + 1 + 16);
    assert_int_equal(mesh->server.got.length, 500);
}

static void close_notify_is_a_clean_end_and_reading_goes_on(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_well(mesh);
    tls_end_send(&mesh->client, "last", 4);
    tls_mesh_run(mesh, 4);
    transport_shutdown(mesh->client.transport);
    tls_mesh_run(mesh, TURNS);
    assert_true(mesh->server.ended);
    assert_int_equal(mesh->server.got.length, 4);
    struct iovec word = {"answer", 6};
    assert_int_equal(transport_write(mesh->server.transport, &word, 1), 6);
    assert_int_equal(transport_write(mesh->client.transport, &word, 1), 0);
    tls_mesh_run(mesh, TURNS);
    assert_int_equal(mesh->client.got.length, 6);
    assert_false(mesh->client.ended);
}

static void closing_sends_what_was_accepted_and_a_clean_end(void **state)
{
    struct tls_mesh *mesh = *state;
    mesh->client_pipe.accept_bytes = 700;
    connect_well(mesh);
    unsigned char bytes[20000];
    fill(bytes, sizeof(bytes), 3);
    struct iovec word = {bytes, sizeof(bytes)};
    assert_int_equal(transport_write(mesh->client.transport, &word, 1), sizeof(bytes));
    transport_close(mesh->client.transport);
    mesh->client.transport = NULL;
    tls_mesh_run(mesh, 500);
    assert_true(mesh->server.ended);
    assert_int_equal(mesh->server.got.length, sizeof(bytes));
    assert_memory_equal(mesh->server.got.bytes, bytes, sizeof(bytes));
    assert_int_equal(pipe_other_end(mesh->server.below), PIPE_CLOSED);
}

static void closing_gives_up_after_five_seconds(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_well(mesh);
    *pipe_options_of(mesh->client.below) = (struct pipe_options){.stall = true};
    pipe_options_of(mesh->client.below)->stall_after = (size_t)pipe_written(mesh->client.below);
    struct iovec word = {"lost", 4};
    assert_int_equal(transport_write(mesh->client.transport, &word, 1), 4);
    transport_close(mesh->client.transport);
    mesh->client.transport = NULL;
    tls_mesh_run(mesh, TURNS);
    assert_int_equal(pipe_other_end(mesh->server.below), PIPE_OPEN);
    loop_advance(mesh->loop, 5001 * NS_PER_MS);
    assert_int_equal(pipe_other_end(mesh->server.below), PIPE_ABORTED);
}

static void an_end_without_close_notify_is_a_failure(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_well(mesh);
    tls_end_send(&mesh->client, "half", 4);
    tls_mesh_run(mesh, 4);
    pipe_options_of(mesh->client.below)->fault = PIPE_FAULT_END;
    struct iovec word = {"x", 1};
    (void)transport_write(mesh->client.transport, &word, 1);
    tls_mesh_run(mesh, TURNS);
    assert_int_equal(mesh->server.got.length, 4);
    assert_true(mesh->server.failed);
    assert_int_equal(mesh->server.failure, FAILURE_UPSTREAM_CLOSED);
    assert_non_null(strstr(mesh->server.detail, "close_notify"));
}

static void a_reset_at_any_byte_of_the_handshake_ends_both(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_well(mesh);
    size_t length = (size_t)pipe_written(mesh->client.below);
    for (size_t at = 1; at < length; at += 97) {
        for (int fault = PIPE_FAULT_END; fault <= PIPE_FAULT_RESET; fault++) {
            tls_session_cache_clear(mesh->sessions);
            mesh->client_pipe.fault = (enum pipe_fault)fault;
            mesh->client_pipe.fault_at = at;
            tls_mesh_connect(mesh, API);
            tls_mesh_run(mesh, TURNS);
            assert_false(mesh->server.ready);
            assert_true(mesh->server.failed);
            assert_int_not_equal(mesh->server.failure, FAILURE_NONE);
        }
    }
}

static void silence_ends_at_the_deadline(void **state)
{
    struct tls_mesh *mesh = *state;
    mesh->server_pipe.stall = true;
    tls_mesh_connect(mesh, API);
    tls_mesh_run(mesh, TURNS);
    loop_advance(mesh->loop, 4999 * NS_PER_MS);
    assert_false(mesh->client.failed);
    loop_advance(mesh->loop, 2 * NS_PER_MS);
    assert_true(mesh->client.failed);
    assert_int_equal(mesh->client.failure, FAILURE_TLS_HANDSHAKE);
    assert_non_null(strstr(mesh->client.detail, "in time"));
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

static void a_lower_layer_that_fails_to_connect_says_why(void **state)
{
    struct tls_mesh *mesh = *state;
    mesh->client_pipe.connecting = true;
    tls_mesh_connect(mesh, API);
    tls_mesh_run(mesh, 8);
    assert_false(mesh->client.failed);
    pipe_fail(mesh->client.below, FAILURE_CONNECT_REFUSED);
    tls_mesh_run(mesh, 8);
    assert_true(mesh->client.failed);
    assert_int_equal(mesh->client.failure, FAILURE_CONNECT_REFUSED);
}

static void a_lower_layer_that_connects_late_is_waited_for(void **state)
{
    struct tls_mesh *mesh = *state;
    mesh->client_pipe.connecting = true;
    tls_mesh_connect(mesh, API);
    tls_mesh_run(mesh, 8);
    assert_false(mesh->client.ready);
    pipe_connected(mesh->client.below);
    tls_mesh_run(mesh, TURNS);
    assert_true(mesh->client.ready && mesh->server.ready);
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

/* Three connections of a thread read by turns a few bytes: what each left in the scratch is kept.
 */
static void connections_that_share_the_scratch_keep_their_bytes(void **state)
{
    struct tls_mesh *mesh = *state;
    unsigned char bytes[60000];
    fill(bytes, sizeof(bytes), 5);
    connect_well(mesh);
    mesh->server.paused = mesh->client.paused = true;
    tls_end_watch(&mesh->server);
    tls_end_watch(&mesh->client);
    tls_end_send(&mesh->client, bytes, sizeof(bytes));
    tls_end_send(&mesh->server, bytes, sizeof(bytes));
    tls_mesh_run(mesh, TURNS);
    for (size_t at = 0; at < sizeof(bytes); at += 1000) {
        char part[1000];
        assert_int_equal(transport_read(mesh->server.transport, part, sizeof(part)), sizeof(part));
        assert_memory_equal(part, bytes + at, sizeof(part));
        assert_int_equal(transport_read(mesh->client.transport, part, sizeof(part)), sizeof(part));
        assert_memory_equal(part, bytes + at, sizeof(part));
        tls_mesh_run(mesh, 2);
    }
    assert_int_equal(chunk_in_use(), 0);
}

static void an_idle_connection_holds_no_chunks(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_well(mesh);
    tls_end_send(&mesh->client, "hello", 5);
    tls_mesh_run(mesh, TURNS);
    assert_int_equal(mesh->server.got.length, 5);
    assert_int_equal(chunk_in_use(), 0);
}

static void unread_bytes_come_first(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_well(mesh);
    tls_end_send(&mesh->client, "world", 5);
    mesh->server.paused = true;
    tls_end_watch(&mesh->server);
    tls_mesh_run(mesh, 8);
    transport_unread(mesh->server.transport, SPAN("hello "));
    mesh->server.paused = false;
    tls_end_watch(&mesh->server);
    tls_mesh_run(mesh, 8);
    assert_string_equal(mesh->server.got.bytes, "hello world");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(both_ends_learn_who_the_other_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_byte_at_a_time_is_enough, set_up, tear_down),
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
        cmocka_unit_test_setup_teardown(megabytes_pass_both_ways_under_back_pressure, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(small_writes_of_a_turn_become_one_record, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(close_notify_is_a_clean_end_and_reading_goes_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(closing_sends_what_was_accepted_and_a_clean_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(closing_gives_up_after_five_seconds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_end_without_close_notify_is_a_failure, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_reset_at_any_byte_of_the_handshake_ends_both, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(silence_ends_at_the_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plain_text_is_no_handshake, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lower_layer_that_fails_to_connect_says_why, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_lower_layer_that_connects_late_is_waited_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(outside_the_mesh_the_server_name_is_checked, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_config_that_cannot_work_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_session_cache_forgets_the_oldest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connections_that_share_the_scratch_keep_their_bytes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_idle_connection_holds_no_chunks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unread_bytes_come_first, set_up, tear_down),
    };
    return TEST_MAIN(cases, argc, argv);
}
