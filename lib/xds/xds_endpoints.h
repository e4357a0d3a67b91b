#ifndef REMORA_XDS_XDS_ENDPOINTS_H
#define REMORA_XDS_XDS_ENDPOINTS_H

#include "lib/xds/xds_type.h"

/*
 * The endpoints of a cluster: envoy.config.endpoint.v3.ClusterLoadAssignment. What Envoy has no
 * field for (identity, sidecar, workload) travels in
 * LbEndpoint.metadata.typed_filter_metadata["remora.dev"] as remora.xds.v1.EndpointFacts; Envoy and
 * gRPC clients ignore it.
 */
enum xds_health {
    XDS_HEALTH_UNKNOWN,
    XDS_HEALTH_HEALTHY,
    XDS_HEALTH_UNHEALTHY,
    XDS_HEALTH_DRAINING
};

enum xds_endpoint_flag {
    XDS_ENDPOINT_SIDECAR = 1,    /* speaks mutual TLS: HTTP/2 at its own port */
    XDS_ENDPOINT_HBONE = 2,      /* takes CONNECT tunnels at 15008 (or tunnel_port) */
    XDS_ENDPOINT_PERMISSIVE = 4, /* its sidecar also takes plain text at this port */
};

struct xds_endpoint {
    struct address address;
    struct span hostname;
    struct span identity; /* SPIFFE id it must show; empty without a sidecar */
    struct span workload; /* "api-v2-1" for people and metrics */
    struct span version;  /* label version, for people */
    uint32_t weight;      /* >= 1; endpoints of weight 0 are sent as DRAINING */
    uint16_t tunnel_port; /* 0 = 15008 */
    uint16_t mtls_port;   /* explicit mode: where the sidecar listens; 0 = the address's own port */
    uint8_t health;       /* enum xds_health */
    uint8_t flags;
    uint8_t protocol; /* enum xds_protocol of the application at this port */
};

struct xds_locality {
    struct span region, zone, sub_zone;
    uint32_t weight;
    uint32_t priority;
    const struct xds_endpoint *endpoints;
    uint32_t endpoint_count;
};

struct xds_endpoints {
    struct span cluster;
    const struct xds_locality *localities;
    uint32_t locality_count;
};

struct span xds_endpoints_encode(const struct xds_endpoints *endpoints, struct arena *arena);
bool xds_endpoints_decode(struct span bytes, struct arena *arena, struct xds_endpoints *ret,
                          struct xds_error *ret_error);

#endif
