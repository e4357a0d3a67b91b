#ifndef REMORA_CONTROL_SERVE_XDS_SERVER_H
#define REMORA_CONTROL_SERVE_XDS_SERVER_H

/*
 * control/serve: what proxies talk to, on one TLS port (15012).
 *
 *   xds_server ─┬─ http_server, grpc: the port
 *               ├─ ads_service ─┬─ ads_stream* ── subscriber ── subscription
 *               │               └─ push_queue               when changes are told
 *               ├─ supply ──> control/model                 what there is
 *               ├─ certificate_service ─┬─ join_tokens
 *               │                       └─ mesh_ca          keys, authority, own certificate
 *               └─ load_service ── load_table               what proxies report
 *
 * Callers are proven by a client certificate of the mesh, or by a join token. A port without TLS is
 * there for gRPC libraries that cannot do it (C-core): on loopback, discovery only. One thread.
 */

#include "control/serve/ads_service.h"
#include "control/serve/certificate_service.h"
#include "control/serve/load_table.h"

struct xds_server;

struct xds_server_options {
    struct address at;
    struct address plain_at; /* ADS without TLS and identity, loopback only; family 0 = nowhere */
    struct mesh_ca *ca;
    struct join_tokens *tokens;
    struct control_stats *stats;
    struct supply *supply;
    struct load_table *load;
    size_t connections; /* 0 = 20000 */
};

struct xds_server_events {
    /* Changes are to be compiled into what supply gives. Returns the types that differ. */
    unsigned (*on_gathered)(void *owner);
};

/* What the options point at outlives the server. NULL and a text (MESH_CA_REASON_BYTES). */
struct xds_server *xds_server_open(struct loop *loop, const struct xds_server_options *options,
                                   const struct xds_server_events *events, void *owner,
                                   char *reason);
const struct address *xds_server_address(const struct xds_server *server);
/* NULL when there is none. */
const struct address *xds_server_plain_address(const struct xds_server *server);
/* The world changed: batched, then compiled and pushed. */
void xds_server_changed(struct xds_server *server);
/* The most that certificates given from now on live, as the mesh's configuration says. */
void xds_server_set_lifetime(struct xds_server *server, int64_t longest_s);
/* Refuses new connections and ends the streams that are there. */
void xds_server_drain(struct xds_server *server);
/* Frees after the turn, when the last stream is gone. Takes NULL. */
void xds_server_close(struct xds_server *server);

size_t xds_server_connections(const struct xds_server *server);
/* Wall clock: end of the certificate that the port shows. */
int64_t xds_server_not_after_s(const struct xds_server *server);

/* For status: its streams. */
const struct ads_service *xds_server_ads(const struct xds_server *server);

#endif
