#include "proxy/upstream/connector.h"

#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/net/tcp.h"
#include "lib/tls/tls_transport.h"
#include "proxy/config/mesh_alpn.h"
#include "proxy/upstream/cluster_run.h"

#include <stdio.h>
#include <string.h>

enum { HBONE_PORT = 15008, CONNECT_MS = 1000, HANDSHAKE_MS = 5000, HOST_BYTES = 255 };

struct connector_tls {
    struct tls_config *configs[CONNECTOR_HTTP2 + 1];
};

void connector_tls_destroy(struct connector_tls *tls)
{
    if (tls == NULL) {
        return;
    }
    for (size_t i = 0; i < sizeof(tls->configs) / sizeof(tls->configs[0]); i++) {
        tls_config_unref(tls->configs[i]);
    }
    mem_free(tls);
}

static struct address target(const struct endpoint *endpoint, enum connector_kind kind)
{
    const struct xds_endpoint *facts = &endpoint->config.facts;
    struct address to = facts->address;
    if (kind == CONNECTOR_TUNNEL) {
        to.port = facts->tunnel_port != 0 ? facts->tunnel_port : HBONE_PORT;
    } else if (kind == CONNECTOR_HTTP2 && endpoint_is_mesh(endpoint) && facts->mtls_port != 0) {
        to.port = facts->mtls_port;
    }
    return to;
}

/* The leg to the local application has an address of its own, so that interception lets it by. */
static struct address source_of(const struct endpoint *endpoint, const struct address *wished)
{
    const struct upstream *upstream = endpoint->cluster->upstream;
    if (wished->family != 0) {
        return *wished;
    }
    if (!endpoint->cluster->is_local) {
        return (struct address){0};
    }
    return endpoint->config.facts.address.family == 6 ? upstream->local_source6
                                                      : upstream->local_source4;
}

static struct transport *dial(const struct endpoint *endpoint, enum connector_kind kind,
                              const struct address *source)
{
    const struct xds_cluster *facts = &endpoint->cluster->config->facts;
    const struct upstream *upstream = endpoint->cluster->upstream;
    struct tcp_connect how = {
        .to = target(endpoint, kind),
        .from = source_of(endpoint, source),
        .timeout_ms = facts->connect_timeout_ms > 0 ? facts->connect_timeout_ms : CONNECT_MS,
        .descriptors = upstream->descriptors,
    };
    return upstream->net->dial(upstream->loop, &how);
}

/* Address, port and whom we expect there: a session never serves another identity. */
static struct span session_key(const struct address *to, struct span expected, char *into,
                               size_t room)
{
    char address[ADDRESS_TEXT_BYTES];
    address_format(to, address);
    int length = snprintf(into, room, "%s|%.*s", address, SPAN_ARG(expected));
    return length > 0 && (size_t)length < room ? span_make(into, (size_t)length) : SPAN_EMPTY;
}

static bool allowed(const struct xds_cluster *facts, struct span identity)
{
    for (uint32_t i = 0; i < facts->identity_count; i++) {
        if (span_equal(facts->identities[i], identity)) {
            return true;
        }
    }
    return facts->identity_count == 0;
}

static struct transport *open_mesh(struct endpoint *endpoint, enum connector_kind kind,
                                   const struct address *source, enum failure *ret_failure)
{
    const struct upstream *upstream = endpoint->cluster->upstream;
    const struct xds_cluster *facts = &endpoint->cluster->config->facts;
    const struct span *identity = &endpoint->config.facts.identity;
    bool own = identity->length > 0;
    if (upstream->client_tls == NULL) {
        *ret_failure = FAILURE_TLS_NO_CERTIFICATE;
        return NULL;
    }
    /* An endpoint of which nobody says who it is is not believed, whoever it is. */
    if (own ? !allowed(facts, *identity) : facts->identity_count == 0) {
        *ret_failure = FAILURE_TLS_IDENTITY;
        return NULL;
    }
    struct address to = target(endpoint, kind);
    char key[ADDRESS_TEXT_BYTES + TLS_IDENTITY_BYTES + 2];
    struct tls_transport_options options = {
        .config = upstream->client_tls,
        .handshake_timeout_ms =
            facts->handshake_timeout_ms > 0 ? facts->handshake_timeout_ms : HANDSHAKE_MS,
        .expected = own ? identity : facts->identities,
        .expected_count = own ? 1 : facts->identity_count,
        .sessions = upstream->sessions,
        .session_key = session_key(&to, own ? *identity : facts->identities[0], key, sizeof(key)),
    };
    if (options.session_key.length == 0) {
        options.sessions = NULL;
    }
    return tls_transport_create(dial(endpoint, kind, source), &options);
}

static struct tls_config *originate_config(struct cluster *cluster, enum connector_kind kind)
{
    static const char *const http1[] = {"http/1.1", NULL};
    static const char *const http2[] = {"h2", NULL};
    static const char *const either[] = {"h2", "http/1.1", NULL};
    if (cluster->originate == NULL) {
        cluster->originate = NEW(struct connector_tls);
    }
    struct tls_config **config = &cluster->originate->configs[kind];
    if (*config != NULL) {
        return *config;
    }
    const struct xds_cluster *facts = &cluster->config->facts;
    char *roots =
        facts->ca_pem.length > 0 ? mem_text(facts->ca_pem.at, facts->ca_pem.length) : NULL;
    struct tls_config_spec spec = {
        .alpn = kind == CONNECTOR_TCP                   ? NULL
                : kind == CONNECTOR_HTTP1               ? http1
                : facts->protocol == XDS_PROTOCOL_HTTP2 ? http2
                                                        : either,
        .demand = TLS_PEER_SERVER_NAME,
        .roots_pem = roots,
        .tickets = true,
        .ticket_lifetime_s = 3600,
        .allow_tls12 = true,
    };
    const char *reason = "";
    *config = tls_config_create(&spec, &reason);
    mem_free(roots);
    if (*config == NULL) {
        LOG_WARN_LIMITED("upstream", "TLS towards the outside cannot be set up",
                         LOG_SPAN("cluster", cluster->name), LOG_TEXT("reason", reason));
    }
    return *config;
}

static struct transport *open_originate(struct endpoint *endpoint, enum connector_kind kind,
                                        const struct address *source, enum failure *ret_failure)
{
    struct cluster *cluster = endpoint->cluster;
    const struct xds_cluster *facts = &cluster->config->facts;
    struct tls_config *config = originate_config(cluster, kind);
    struct span name = facts->sni.length > 0 ? facts->sni
                       : endpoint->config.facts.hostname.length > 0
                           ? endpoint->config.facts.hostname
                           : facts->host;
    if (config == NULL || name.length == 0 || name.length > HOST_BYTES) {
        *ret_failure = FAILURE_TLS_HANDSHAKE;
        return NULL;
    }
    char server_name[HOST_BYTES + 1];
    memcpy(server_name, name.at, name.length);
    server_name[name.length] = '\0';
    struct address to = target(endpoint, kind);
    char key[ADDRESS_TEXT_BYTES + HOST_BYTES + 2];
    struct tls_transport_options options = {
        .config = config,
        .handshake_timeout_ms =
            facts->handshake_timeout_ms > 0 ? facts->handshake_timeout_ms : HANDSHAKE_MS,
        .server_name = server_name,
        .sessions = cluster->upstream->sessions,
        .session_key = session_key(&to, name, key, sizeof(key)),
    };
    return tls_transport_create(dial(endpoint, kind, source), &options);
}

struct transport *connector_open(struct endpoint *endpoint, enum connector_kind kind,
                                 const struct address *source, enum failure *ret_failure)
{
    bool mesh = endpoint_is_mesh(endpoint) && kind != CONNECTOR_TCP;
    if (mesh) {
        return open_mesh(endpoint, kind, source, ret_failure);
    }
    if (endpoint->cluster->config->facts.tls == XDS_TLS_ORIGINATE) {
        return open_originate(endpoint, kind, source, ret_failure);
    }
    return dial(endpoint, kind, source);
}

bool connector_fell_to_http1(const struct transport *transport)
{
    const struct tls_facts *facts = tls_transport_facts(transport);
    return facts != NULL && facts->peer_identity.length == 0 && !span_equal_text(facts->alpn, "h2");
}

bool connector_is_sidecar(const struct transport *transport)
{
    const struct tls_facts *facts = tls_transport_facts(transport);
    return facts != NULL && facts->peer_identity.length > 0 &&
           span_equal_text(facts->alpn, MESH_ALPN);
}
