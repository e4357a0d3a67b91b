#ifndef REMORA_TESTS_UNIT_CERTS_TLS_FIXTURE_H
#define REMORA_TESTS_UNIT_CERTS_TLS_FIXTURE_H

#include "certs/authority.h"
#include "certs/leaf_verify.h"
#include "lib/tls/tls_transport.h"
#include "tests/fakes/pipe_transport.h"

#include <openssl/base.h>

/*
 * A small mesh in memory: an authority, identities, and two ends that talk TLS over a pipe in a
 * simulated loop. Each end collects what it reads and sends what it was given.
 */
struct tls_end {
    struct transport *transport;
    struct transport *below; /* the pipe's side */
    struct byte_queue to_send;
    struct text got;
    bool ready;
    bool ended;
    bool paused; /* reads nothing */
    bool failed;
    enum failure failure;
    char detail[128];
    char reason[TLS_REASON_BYTES];
    unsigned reads;
};

struct tls_mesh {
    struct loop *loop;
    EVP_PKEY *root_key;
    struct text root;
    struct authority *authority;
    struct trust_bundle *bundle;
    struct leaf_verify *verify;
    struct tls_session_cache *sessions;
    struct tls_config *server_config;
    struct tls_config *client_config;
    const char *server_name; /* of connections, and in new certificates; "api.shop" at first */
    const char *session_key;
    struct pipe_options client_pipe, server_pipe;
    struct tls_end client, server;
};

extern const char *const mesh_alpn[];

/* web calls api; both of td.test. */
void tls_mesh_init(struct tls_mesh *mesh);
void tls_mesh_done(struct tls_mesh *mesh);
/* A config whose certificate is for the service account; NULL = no certificate. */
struct tls_config *tls_mesh_config(struct tls_mesh *mesh, const char *account, bool is_server,
                                   const char *const *alpn, enum tls_peer_demand demand);
/* Connects both ends; expected NULL = anyone. Runs nothing yet. */
void tls_mesh_connect(struct tls_mesh *mesh, const char *expected);
void tls_mesh_hang_up(struct tls_mesh *mesh);
/* Turns of the loop. */
void tls_mesh_run(struct tls_mesh *mesh, int turns);
void tls_end_send(struct tls_end *end, const void *bytes, size_t length);
void tls_end_watch(struct tls_end *end);

#endif
