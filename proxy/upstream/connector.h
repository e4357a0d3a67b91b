#ifndef REMORA_PROXY_UPSTREAM_CONNECTOR_H
#define REMORA_PROXY_UPSTREAM_CONNECTOR_H

#include "lib/net/transport.h"
#include "proxy/upstream/endpoint.h"

struct connector_tls;

/*
 * Endpoint -> connecting transport: TCP, and what goes over it.
 *
 *   sidecar, cluster in the mesh   mutual TLS with the endpoint's identity; without a certificate
 * of our own it stays closed, never plain text cluster that begins TLS        server TLS with the
 * cluster's name and roots else                           plain
 */
enum connector_kind {
    CONNECTOR_TCP,    /* bytes as they come */
    CONNECTOR_HTTP1,  /* HTTP/1 at the endpoint's port */
    CONNECTOR_HTTP2,  /* HTTP/2 at the endpoint's port (its mtls_port where it has one) */
    CONNECTOR_TUNNEL, /* HTTP/2 at its tunnel port, for CONNECT */
};

/*
 * source: to bind; family 0 = the leg's own default. NULL and *ret_failure when it fails before
 * anything was dialled (TLS_NO_CERTIFICATE, TLS_IDENTITY, INTERNAL).
 */
struct transport *connector_open(struct endpoint *endpoint, enum connector_kind kind,
                                 const struct address *source, enum failure *ret_failure);
/* HTTP/2 was asked for and the server's ALPN chose HTTP/1. */
bool connector_fell_to_http1(const struct transport *transport);
/* The other end understands the private fields between sidecars. */
bool connector_is_sidecar(const struct transport *transport);

/* The configs of a cluster that begins TLS, one each for TCP, HTTP/1 and HTTP/2. */
void connector_tls_destroy(struct connector_tls *tls);

#endif
