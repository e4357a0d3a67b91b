#ifndef REMORA_XDS_XDS_LISTENER_H
#define REMORA_XDS_XDS_LISTENER_H

#include "lib/xds/xds_route.h"

/*
 * envoy.config.listener.v3.Listener for one service port: an api_listener whose HTTP connection
 * manager names the route configuration (what gRPC clients read), and one filter chain with a
 * tcp_proxy for what is not HTTP. Remora's metadata says how the port is spoken.
 */
struct xds_listener {
    struct span name;
    struct address address; /* first virtual address and port */
    struct span route_name;
    uint8_t protocol; /* enum xds_protocol */
    const struct xds_weighted_cluster *tcp_clusters;
    uint32_t tcp_cluster_count;
};

struct span xds_listener_encode(const struct xds_listener *listener, struct arena *arena);
bool xds_listener_decode(struct span bytes, struct arena *arena, struct xds_listener *ret,
                         struct xds_error *ret_error);

/* envoy.extensions.transport_sockets.tls.v3.Secret with a validation context: PEM roots. */
struct xds_secret {
    struct span name;
    struct span roots_pem;
};
struct span xds_secret_encode(const struct xds_secret *secret, struct arena *arena);
bool xds_secret_decode(struct span bytes, struct arena *arena, struct xds_secret *ret,
                       struct xds_error *ret_error);

#endif
