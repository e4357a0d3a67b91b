#ifndef REMORA_XDS_XDS_CLUSTER_H
#define REMORA_XDS_XDS_CLUSTER_H

#include "lib/xds/xds_endpoints.h"

/*
 * envoy.config.cluster.v3.Cluster. Envoy's own fields carry what they can (connect_timeout,
 * circuit_breakers, lb policy, TLS context with both SAN fields); remora.xds.v1.ClusterPolicy in
 * metadata.typed_filter_metadata["remora.dev"] carries the rest.
 */
enum xds_cluster_type {
    XDS_CLUSTER_STATIC,
    XDS_CLUSTER_STRICT_DNS,
    XDS_CLUSTER_LOGICAL_DNS,
    XDS_CLUSTER_EDS,
    XDS_CLUSTER_ORIGINAL_DST
};

enum xds_lb {
    XDS_LB_PEAK_EWMA,
    XDS_LB_LEAST_REQUEST,
    XDS_LB_ROUND_ROBIN,
    XDS_LB_RANDOM,
    XDS_LB_RING_HASH,
    XDS_LB_MAGLEV
};

enum xds_tls_mode {
    XDS_TLS_MESH,      /* per endpoint: mutual TLS where it has a sidecar, else plain */
    XDS_TLS_NONE,      /* plain, or the application's own TLS passed through */
    XDS_TLS_ORIGINATE, /* ExternalService: TLS begun here */
};

/* Times in milliseconds; 0 = none, -1 = not said (the default holds). */
struct xds_cluster {
    struct span name;
    uint8_t type;               /* enum xds_cluster_type */
    uint8_t lb;                 /* enum xds_lb */
    uint8_t tls;                /* enum xds_tls_mode */
    uint8_t protocol;           /* enum xds_protocol of the application */
    struct span endpoints_name; /* EDS: empty = name */
    struct span service;        /* "api" for metrics */
    struct span namespace_name;
    struct span host;
    uint16_t port;
    struct span sni;               /* ORIGINATE */
    struct span ca_pem;            /* ORIGINATE: empty = the system's roots */
    const struct span *identities; /* SANs allowed for the whole cluster; empty = per endpoint */
    uint32_t identity_count;
    const struct xds_endpoints
        *inline_endpoints; /* STATIC, DNS (hostname + port in address.port) */

    int64_t connect_timeout_ms, handshake_timeout_ms, http1_idle_ms, connection_idle_ms;
    int64_t stream_idle_ms;
    int64_t ewma_decay_ms, ewma_initial_ms, queue_timeout_ms, max_age_ms;
    int32_t max_connections, max_pending, max_requests; /* -1 = not said */
    int32_t http2_per_endpoint, http2_streams;
    int32_t retry_budget_percent, retry_budget_min_per_s;
    int64_t retry_budget_window_ms;
};

/* All numbers "not said", the rest zero. */
void xds_cluster_init(struct xds_cluster *ret);
struct span xds_cluster_encode(const struct xds_cluster *cluster, struct arena *arena);
bool xds_cluster_decode(struct span bytes, struct arena *arena, struct xds_cluster *ret,
                        struct xds_error *ret_error);

#endif
