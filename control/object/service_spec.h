#ifndef REMORA_CONTROL_OBJECT_SERVICE_SPEC_H
#define REMORA_CONTROL_OBJECT_SERVICE_SPEC_H

#include "control/object/field.h"

/* v1/Service, v1/Namespace and discovery.k8s.io/v1 EndpointSlice, as far as a mesh needs them. */
enum ip_protocol { IP_PROTOCOL_TCP = 1, IP_PROTOCOL_UDP, IP_PROTOCOL_SCTP };

struct service_port {
    struct span name;
    int8_t protocol; /* enum ip_protocol; 0 = TCP */
    int64_t port;
    struct port_name target_port;
    struct span app_protocol;
    int64_t node_port;
};

enum service_type {
    SERVICE_CLUSTER_IP = 1,
    SERVICE_NODE_PORT,
    SERVICE_LOAD_BALANCER,
    SERVICE_EXTERNAL_NAME
};

struct service_spec {
    struct span cluster_ip;   /* "None" = headless; empty = no virtual address */
    struct texts cluster_ips; /* each an IP address, or "None" alone */
    int8_t type;              /* enum service_type; 0 = ClusterIP */
    struct items ports;       /* struct service_port */
    struct labels selector;
    struct span external_name;
    int8_t publish_not_ready; /* enum choice */
    int8_t internal_traffic_policy;
};
struct service_body {
    struct service_spec spec;
};
struct namespace_body {
    char unused;
};

struct slice_conditions {
    int8_t ready, serving, terminating; /* enum choice; unset = yes, yes, no */
};
struct slice_target {
    struct span kind, namespace_name, name;
};
struct slice_endpoint {
    struct addresses addresses;
    struct slice_conditions conditions;
    struct span hostname;
    struct span node_name;
    struct span zone;
    struct slice_target target;
};
struct slice_port {
    struct span name;
    int64_t port; /* FIELD_UNSET = all ports */
    int8_t protocol;
    struct span app_protocol;
};
struct endpoint_slice_body {
    int8_t address_type;    /* 1 IPv4, 2 IPv6, 3 FQDN */
    struct items endpoints; /* struct slice_endpoint */
    struct items ports;     /* struct slice_port */
};

extern const struct schema service_schema, namespace_schema, endpoint_slice_schema;

#endif
