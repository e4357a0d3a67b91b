#include "control/object/service_spec.h"

#include <stddef.h>

static const char *const ip_protocols[] = {"TCP", "UDP", "SCTP", NULL};
static const char *const service_types[] = {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName",
                                            NULL};
static const char *const traffic_policies[] = {"Cluster", "Local", NULL};
static const char *const address_types[] = {"IPv4", "IPv6", "FQDN", NULL};

static const char *check_cluster_ip(struct span text)
{
    struct address address;
    return text.length == 0 || span_equal_text(text, "None") || address_parse_ip(text, &address)
               ? NULL
               : "must be an IP address or None";
}

static const char *check_app_protocol(struct span text)
{
    return check_label_key(text) == NULL ? NULL : "must be a protocol name such as http";
}

static const struct field port_fields[] = {
    FIELD("name", FIELD_TEXT, struct service_port, name, .check = check_dns_label),
    FIELD("protocol", FIELD_WORD, struct service_port, protocol, .words = ip_protocols,
          .preset = "TCP"),
    FIELD("port", FIELD_INT, struct service_port, port, .flags = FIELD_REQUIRED, .least = 1,
          .most = 65535),
    FIELD("targetPort", FIELD_PORT_NAME, struct service_port, target_port),
    FIELD("appProtocol", FIELD_TEXT, struct service_port, app_protocol,
          .check = check_app_protocol),
    FIELD("nodePort", FIELD_INT, struct service_port, node_port, .least = 0, .most = 65535),
};
static const struct schema port_schema = {
    .name = "ServicePort", SCHEMA_FIELDS(port_fields), .bytes = sizeof(struct service_port)};

static bool ports_clash(const struct service_port *a, const struct service_port *b)
{
    int8_t protocol_a = a->protocol != 0 ? a->protocol : IP_PROTOCOL_TCP;
    int8_t protocol_b = b->protocol != 0 ? b->protocol : IP_PROTOCOL_TCP;
    return span_equal(a->name, b->name) || (a->port == b->port && protocol_a == protocol_b);
}

static const char *check_service(const void *decoded, const char **ret_field)
{
    const struct service_spec *spec = decoded;
    const struct service_port *ports = spec->ports.at;
    *ret_field = "ports";
    for (uint32_t i = 0; i < spec->ports.count; i++) {
        if (ports[i].name.length == 0 && spec->ports.count > 1) {
            return "each of several ports needs a name";
        }
        for (uint32_t j = 0; j < i; j++) {
            if (ports_clash(&ports[i], &ports[j])) {
                return "two ports have the same name or number";
            }
        }
    }
    if (spec->type == SERVICE_EXTERNAL_NAME && spec->external_name.length == 0) {
        *ret_field = "externalName";
        return "is required for type ExternalName";
    }
    if (spec->cluster_ip.length > 0 && spec->cluster_ips.count > 0 &&
        !span_equal(spec->cluster_ip, spec->cluster_ips.at[0])) {
        *ret_field = "clusterIPs";
        return "must begin with clusterIP";
    }
    return NULL;
}

static const struct field spec_fields[] = {
    FIELD("clusterIP", FIELD_TEXT, struct service_spec, cluster_ip, .check = check_cluster_ip),
    FIELD("clusterIPs", FIELD_TEXTS, struct service_spec, cluster_ips, .most = 2,
          .check = check_cluster_ip),
    FIELD("type", FIELD_WORD, struct service_spec, type, .words = service_types,
          .preset = "ClusterIP"),
    FIELD("ports", FIELD_LIST, struct service_spec, ports, .most = 100, .schema = &port_schema),
    FIELD("selector", FIELD_LABELS, struct service_spec, selector, .check = check_label_value),
    FIELD("externalName", FIELD_TEXT, struct service_spec, external_name, .check = check_dns_name),
    FIELD("publishNotReadyAddresses", FIELD_BOOL, struct service_spec, publish_not_ready),
    FIELD_IGNORED("allocateLoadBalancerNodePorts"),
    FIELD_IGNORED("externalIPs"),
    FIELD_IGNORED("externalTrafficPolicy"),
    FIELD_IGNORED("healthCheckNodePort"),
    FIELD("internalTrafficPolicy", FIELD_WORD, struct service_spec, internal_traffic_policy,
          .words = traffic_policies, .words_in_force = 1),
    FIELD_IGNORED("ipFamilies"),
    FIELD_IGNORED("ipFamilyPolicy"),
    FIELD_IGNORED("loadBalancerClass"),
    FIELD_IGNORED("loadBalancerIP"),
    FIELD_IGNORED("loadBalancerSourceRanges"),
    FIELD_IGNORED("sessionAffinity"),
    FIELD_IGNORED("sessionAffinityConfig"),
    FIELD_IGNORED("trafficDistribution", .flags = FIELD_NOT_IN_FORCE),
};
static const struct schema spec_schema = {.name = "ServiceSpec",
                                          SCHEMA_FIELDS(spec_fields),
                                          .bytes = sizeof(struct service_spec),
                                          .check = check_service};

static const struct field service_fields[] = {
    FIELD("spec", FIELD_STRUCT, struct service_body, spec, .flags = FIELD_REQUIRED,
          .schema = &spec_schema),
};
const struct schema service_schema = {
    .name = "Service", SCHEMA_FIELDS(service_fields), .bytes = sizeof(struct service_body)};

static const struct field namespace_fields[] = {
    FIELD_IGNORED("spec"),
};
const struct schema namespace_schema = {
    .name = "Namespace", SCHEMA_FIELDS(namespace_fields), .bytes = sizeof(struct namespace_body)};

static const struct field conditions_fields[] = {
    FIELD("ready", FIELD_BOOL, struct slice_conditions, ready, .preset = "true"),
    FIELD("serving", FIELD_BOOL, struct slice_conditions, serving, .preset = "true"),
    FIELD("terminating", FIELD_BOOL, struct slice_conditions, terminating, .preset = "false"),
};
static const struct schema conditions_schema = {.name = "EndpointConditions",
                                                SCHEMA_FIELDS(conditions_fields),
                                                .bytes = sizeof(struct slice_conditions)};

static const struct field target_fields[] = {
    FIELD("kind", FIELD_TEXT, struct slice_target, kind),
    FIELD("namespace", FIELD_TEXT, struct slice_target, namespace_name),
    FIELD("name", FIELD_TEXT, struct slice_target, name),
    FIELD_IGNORED("apiVersion"),
    FIELD_IGNORED("fieldPath"),
    FIELD_IGNORED("resourceVersion"),
    FIELD_IGNORED("uid"),
};
static const struct schema target_schema = {
    .name = "ObjectReference", SCHEMA_FIELDS(target_fields), .bytes = sizeof(struct slice_target)};

static const struct field endpoint_fields[] = {
    FIELD("addresses", FIELD_ADDRESSES, struct slice_endpoint, addresses, .flags = FIELD_REQUIRED,
          .least = 1, .most = 100),
    FIELD("conditions", FIELD_STRUCT, struct slice_endpoint, conditions,
          .schema = &conditions_schema),
    FIELD("hostname", FIELD_TEXT, struct slice_endpoint, hostname),
    FIELD("nodeName", FIELD_TEXT, struct slice_endpoint, node_name),
    FIELD("zone", FIELD_TEXT, struct slice_endpoint, zone),
    FIELD("targetRef", FIELD_STRUCT, struct slice_endpoint, target, .schema = &target_schema),
    FIELD_IGNORED("deprecatedTopology"),
    FIELD_IGNORED("hints", .flags = FIELD_NOT_IN_FORCE),
};
static const struct schema endpoint_schema = {
    .name = "Endpoint", SCHEMA_FIELDS(endpoint_fields), .bytes = sizeof(struct slice_endpoint)};

static const struct field slice_port_fields[] = {
    FIELD("name", FIELD_TEXT, struct slice_port, name),
    FIELD("port", FIELD_INT, struct slice_port, port, .least = 1, .most = 65535),
    FIELD("protocol", FIELD_WORD, struct slice_port, protocol, .words = ip_protocols),
    FIELD("appProtocol", FIELD_TEXT, struct slice_port, app_protocol, .check = check_app_protocol),
};
static const struct schema slice_port_schema = {
    .name = "EndpointPort", SCHEMA_FIELDS(slice_port_fields), .bytes = sizeof(struct slice_port)};

static const struct field slice_fields[] = {
    FIELD("addressType", FIELD_WORD, struct endpoint_slice_body, address_type,
          .flags = FIELD_REQUIRED, .words = address_types, .words_in_force = 2),
    FIELD("endpoints", FIELD_LIST, struct endpoint_slice_body, endpoints, .most = 1000,
          .schema = &endpoint_schema),
    FIELD("ports", FIELD_LIST, struct endpoint_slice_body, ports, .most = 100,
          .schema = &slice_port_schema),
};
const struct schema endpoint_slice_schema = {.name = "EndpointSlice",
                                             SCHEMA_FIELDS(slice_fields),
                                             .bytes = sizeof(struct endpoint_slice_body)};
