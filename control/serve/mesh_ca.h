#ifndef REMORA_CONTROL_SERVE_MESH_CA_H
#define REMORA_CONTROL_SERVE_MESH_CA_H

#include "certs/authority.h"
#include "certs/keystore.h"
#include "certs/trust_bundle.h"
#include "lib/tls/tls_config.h"

/*
 * The mesh's certificate authority as it lies in the state folder: a root and an intermediate (EC
 * P-256), made at the first start; or one brought along (--ca-cert, --ca-key). Signing is done by
 * authority; here is where its keys come from and when its intermediate is renewed. Main thread.
 *
 * Files of the keystore: root.key, root.crt, intermediate.key, intermediate.crt (PEM).
 */
enum {
    MESH_CA_REASON_BYTES = 320,
    MESH_CA_RENEW_S = 30 * 24 * 3600, /* an intermediate nearer to its end is made anew */
    MESH_CA_OWN_LEAF_S = 12 * 3600,   /* the control plane's own certificate */
};

/* Identity of the control plane: proxies expect it behind their --control address. */
#define MESH_CA_OWN_NAMESPACE "remora-system"
#define MESH_CA_OWN_ACCOUNT "remora-control"

struct mesh_ca_spec {
    struct keystore *store; /* outlives the authority */
    struct span trust_domain;
    const char
        *cert_file; /* NULL = own root; PEM: signer first, its issuers behind it, root last */
    const char *key_file;
    const char
        *export_file; /* where the roots are written for proxies, mode 0644; NULL = nowhere */
};

struct mesh_ca;

/* NULL and a text (MESH_CA_REASON_BYTES). */
struct mesh_ca *mesh_ca_open(const struct mesh_ca_spec *spec, char *reason);
void mesh_ca_close(struct mesh_ca *ca);

struct span mesh_ca_trust_domain(const struct mesh_ca *ca);
/* Valid until the next mesh_ca_renew. */
const struct authority *mesh_ca_authority(const struct mesh_ca *ca);
struct trust_bundle *mesh_ca_bundle(const struct mesh_ca *ca);
struct span mesh_ca_roots_pem(const struct mesh_ca *ca);
/* Wall clock: ends of root and signer. */
int64_t mesh_ca_root_not_after_s(const struct mesh_ca *ca);
int64_t mesh_ca_signer_not_after_s(const struct mesh_ca *ca);
bool mesh_ca_is_own(const struct mesh_ca *ca);

/* Makes a new intermediate where the old one is near its end. True when there is a new one. */
bool mesh_ca_renew(struct mesh_ca *ca, char *reason);

/*
 * A configuration for the control plane's own port: a fresh key and certificate of its identity;
 * clients may show a certificate, which verifier then judges. NULL and a text.
 */
struct tls_config *mesh_ca_server_tls(const struct mesh_ca *ca, struct tls_verifier verifier,
                                      int64_t *ret_not_after_s, char *reason);
/* Whether that certificate is to be made anew: half of its life is over, or the clock went back, so
 * that to others it begins in the future. */
bool mesh_ca_server_is_due(int64_t made_s, int64_t not_after_s, int64_t now_s);

#endif
