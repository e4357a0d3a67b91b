#include "tests/unit/certs/tls_fixture.h"

#include "certs/csr.h"
#include "certs/key_pair.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>

enum { READ_BYTES = 16384, TIMEOUT_MS = 5000 };

const char *const mesh_alpn[] = {"h2", "http/1.1", NULL};

void tls_mesh_init(struct tls_mesh *mesh)
{
    const char *reason = "";
    memset(mesh, 0, sizeof(*mesh));
    mesh->server_name = "api.shop";
    mesh->session_key = "api";
    clock_fake(NS_PER_S, 1780000000 * NS_PER_S);
    mesh->loop = loop_create_simulated(clock_now_ns());
    mesh->root_key = key_pair_make();
    authority_make_root(mesh->root_key, SPAN("td.test"), &mesh->root);
    struct text signer = {0};
    EVP_PKEY *signer_key = key_pair_make();
    CHECK(authority_make_intermediate(mesh->root_key, text_span(&mesh->root), signer_key,
                                      SPAN("td.test"), &signer, &reason));
    struct span chain[] = {text_span(&signer)};
    struct authority_spec spec = {SPAN("td.test"), chain, 1, signer_key};
    mesh->authority = authority_create(&spec, &reason);
    CHECK(mesh->authority != NULL);
    EVP_PKEY_free(signer_key);
    text_done(&signer);
    mesh->bundle = trust_bundle_create();
    CHECK(trust_bundle_add(mesh->bundle, SPAN("td.test"), text_span(&mesh->root), &reason));
    mesh->verify = leaf_verify_create(mesh->bundle);
    mesh->sessions = tls_session_cache_create(4);
    mesh->server_config = tls_mesh_config(mesh, "api", true, mesh_alpn, TLS_PEER_REQUIRED);
    mesh->client_config = tls_mesh_config(mesh, "web", false, mesh_alpn, TLS_PEER_REQUIRED);
}

static void free_end(struct tls_end *end)
{
    byte_queue_done(&end->to_send);
    text_done(&end->got);
    *end = (struct tls_end){0};
}

void tls_mesh_done(struct tls_mesh *mesh)
{
    tls_mesh_hang_up(mesh);
    loop_destroy(mesh->loop);
    tls_session_cache_destroy(mesh->sessions);
    tls_config_unref(mesh->server_config);
    tls_config_unref(mesh->client_config);
    leaf_verify_destroy(mesh->verify);
    trust_bundle_unref(mesh->bundle);
    authority_destroy(mesh->authority);
    EVP_PKEY_free(mesh->root_key);
    text_done(&mesh->root);
    clock_real();
}

struct tls_config *tls_mesh_config(struct tls_mesh *mesh, const char *account, bool is_server,
                                   const char *const *alpn, enum tls_peer_demand demand)
{
    struct certificate_list chain = {0};
    struct text csr = {0};
    EVP_PKEY *key = key_pair_make();
    if (account != NULL) {
        char text[SPIFFE_ID_BYTES + 1];
        char why[AUTHORITY_REASON_BYTES];
        struct authority_wish wish = {.lifetime_s = 3600};
        int64_t not_after_s;
        CHECK(spiffe_id_make(SPAN("td.test"), SPAN("shop"), span_of(account), text, &wish.id));
        csr_make(key, wish.id.text, &csr);
        struct span dns_name = span_of(mesh->server_name);
        wish.dns_names = &dns_name;
        wish.dns_count = 1;
        wish.csr = text_span(&csr);
        CHECK(authority_sign(mesh->authority, &wish, &chain, &not_after_s, why));
    }
    struct tls_config_spec spec = {.is_server = is_server,
                                   .chain = chain.ders,
                                   .chain_count = chain.count,
                                   .key = account != NULL ? key : NULL,
                                   .alpn = alpn,
                                   .verifier = leaf_verify_tls(mesh->verify),
                                   .demand = demand,
                                   .tickets = true,
                                   .ticket_lifetime_s = 3600};
    const char *reason = "";
    struct tls_config *config = tls_config_create(&spec, &reason);
    CHECK(config != NULL);
    EVP_PKEY_free(key);
    text_done(&csr);
    certificate_list_done(&chain);
    return config;
}

static void read_some(struct tls_end *end)
{
    char bytes[READ_BYTES];
    ssize_t got;
    while ((got = transport_read(end->transport, bytes, sizeof(bytes))) > 0) {
        text_add(&end->got, span_make(bytes, (size_t)got));
        end->reads++;
    }
    if (got == TRANSPORT_END) {
        end->ended = true;
    } else if (got == TRANSPORT_FAILED) {
        end->failed = true;
        end->failure = end->transport->failure;
        snprintf(end->detail, sizeof(end->detail), "%s",
                 end->transport->failure_detail != NULL ? end->transport->failure_detail : "");
        memcpy(end->reason, tls_transport_facts(end->transport)->reason, TLS_REASON_BYTES);
    }
    if (got != TRANSPORT_AGAIN) {
        transport_want(end->transport, 0);
    }
}

static void on_ready(void *owner, unsigned events)
{
    struct tls_end *end = owner;
    if (events & TRANSPORT_READY) {
        end->ready = true;
    }
    if (end->ready && end->to_send.length > 0) {
        (void)transport_write_queue(end->transport, &end->to_send);
    }
    if ((events & TRANSPORT_READABLE) && !end->paused) {
        read_some(end);
    }
}

void tls_end_watch(struct tls_end *end)
{
    unsigned wanted = end->paused ? 0 : TRANSPORT_READABLE;
    transport_want(end->transport, wanted | (end->to_send.length > 0 ? TRANSPORT_WRITABLE : 0));
}

void tls_end_send(struct tls_end *end, const void *bytes, size_t length)
{
    byte_queue_copy(&end->to_send, bytes, length);
    tls_end_watch(end);
}

void tls_mesh_connect(struct tls_mesh *mesh, const char *expected)
{
    tls_mesh_hang_up(mesh);
    struct span identity = span_of(expected);
    struct tls_transport_options client = {.config = mesh->client_config,
                                           .handshake_timeout_ms = TIMEOUT_MS,
                                           .expected = &identity,
                                           .expected_count = expected != NULL,
                                           .server_name = mesh->server_name,
                                           .sessions = mesh->sessions,
                                           .session_key = span_of(mesh->session_key)};
    struct tls_transport_options server = {.config = mesh->server_config,
                                           .handshake_timeout_ms = TIMEOUT_MS};
    pipe_transports(mesh->loop, &mesh->client_pipe, &mesh->server_pipe, &mesh->client.below,
                    &mesh->server.below);
    mesh->client.transport = tls_transport_create(mesh->client.below, &client);
    mesh->server.transport = tls_transport_create(mesh->server.below, &server);
    transport_own(mesh->client.transport, on_ready, &mesh->client);
    transport_own(mesh->server.transport, on_ready, &mesh->server);
    tls_end_watch(&mesh->client);
    tls_end_watch(&mesh->server);
}

void tls_mesh_hang_up(struct tls_mesh *mesh)
{
    if (mesh->client.transport != NULL) {
        transport_abort(mesh->client.transport);
    }
    if (mesh->server.transport != NULL) {
        transport_abort(mesh->server.transport);
    }
    loop_turn(mesh->loop);
    free_end(&mesh->client);
    free_end(&mesh->server);
}

void tls_mesh_run(struct tls_mesh *mesh, int turns)
{
    for (int i = 0; i < turns; i++) {
        loop_turn(mesh->loop);
    }
}
