#ifndef REMORA_CONTROL_OBJECT_MESH_SPEC_H
#define REMORA_CONTROL_OBJECT_MESH_SPEC_H

#include "control/object/traffic_policy_spec.h"

/* Workload, ExternalService and MeshConfig. */
struct workload_locality {
    struct span region, zone, node;
};
struct workload_spec {
    struct addresses addresses; /* at most one of each family */
    struct named_ports ports;
    struct span service_account; /* empty = "default" */
    struct workload_locality locality;
    int64_t weight; /* FIELD_UNSET = 1; 0 takes no new work */
    int8_t sidecar; /* enum choice; unset = yes */
};
struct workload_body {
    struct workload_spec spec;
};

enum external_protocol {
    EXTERNAL_HTTP = 1,
    EXTERNAL_HTTP2,
    EXTERNAL_GRPC,
    EXTERNAL_TLS,
    EXTERNAL_HTTPS,
    EXTERNAL_TCP
};
struct external_port {
    int64_t port;
    int8_t protocol; /* enum external_protocol; 0 = by the first bytes */
};
enum external_resolution { RESOLUTION_DNS = 1, RESOLUTION_STATIC, RESOLUTION_NONE };
enum external_tls_mode { EXTERNAL_TLS_PASSTHROUGH = 1, EXTERNAL_TLS_ORIGINATE };
struct external_tls {
    int8_t mode; /* enum external_tls_mode; 0 = Passthrough */
    struct span ca_file, sni;
};
struct external_service_spec {
    struct texts hosts;
    struct items ports;         /* struct external_port */
    int8_t resolution;          /* enum external_resolution; 0 = DNS */
    struct addresses addresses; /* Static only */
    struct external_tls tls;
};
struct external_service_body {
    struct external_service_spec spec;
};

enum egress { EGRESS_ALLOW = 1, EGRESS_DENY };
enum log_style { LOG_STYLE_JSON = 1, LOG_STYLE_TEXT, LOG_STYLE_OFF };
enum log_only { LOG_ONLY_FAILURES = 1, LOG_ONLY_ALL };
struct mesh_certificates {
    int64_t lifetime_ms;
    struct span renew_at; /* "0.5..0.7" */
};
struct mesh_tracing {
    struct span otlp;
    double sampling; /* share of requests, 0 to 1 */
};
struct mesh_access_log {
    int8_t format, only;
};
struct mesh_config_spec {
    struct span trust_domain;
    int8_t egress;
    struct mesh_certificates certificates;
    struct mesh_tracing tracing;
    struct mesh_access_log access_log;
    struct ints exclude_outbound_ports, exclude_inbound_ports;
    struct traffic_policy_spec defaults;
};
struct mesh_config_body {
    struct mesh_config_spec spec;
};

extern const struct schema workload_schema, external_service_schema, mesh_config_schema;

#endif
