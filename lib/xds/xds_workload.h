#ifndef REMORA_XDS_XDS_WORKLOAD_H
#define REMORA_XDS_XDS_WORKLOAD_H

#include "lib/xds/xds_type.h"

/*
 * What one proxy must know of itself: remora.xds.v1.WorkloadConfig, one resource named "self".
 */
enum xds_mtls_mode { XDS_MTLS_STRICT, XDS_MTLS_PERMISSIVE, XDS_MTLS_PLAINTEXT };
enum xds_access_log { XDS_ACCESS_LOG_OFF, XDS_ACCESS_LOG_FAILURES, XDS_ACCESS_LOG_ALL };

struct xds_inbound_port {
    uint16_t port;       /* of the application; 0 = every port not listed */
    uint8_t protocol;    /* enum xds_protocol */
    uint8_t mode;        /* enum xds_mtls_mode */
    struct span service; /* that this port serves; for metrics */
};

struct xds_workload {
    struct span trust_domain;
    struct span namespace_name;
    struct span service_account;
    struct span workload;
    struct span version;
    struct span region, zone, node;
    const struct xds_inbound_port *ports;
    uint32_t port_count;
    uint8_t default_mode; /* enum xds_mtls_mode of ports not listed */
    bool egress_denied;
    uint8_t access_log; /* enum xds_access_log */
    bool access_log_text;
    uint32_t tracing_per_million; /* share of requests that start a trace here; 0 = carry only */
    double renew_from, renew_to;  /* part of a certificate's life, 0.5 and 0.7 */
    int64_t certificate_lifetime_s;
};

struct span xds_workload_encode(const struct xds_workload *workload, struct arena *arena);
bool xds_workload_decode(struct span bytes, struct arena *arena, struct xds_workload *ret,
                         struct xds_error *ret_error);

#endif
