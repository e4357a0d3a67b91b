#include "control/object/mesh_spec.h"

#include <stddef.h>

static const char *const external_protocols[] = {"HTTP",  "HTTP2", "GRPC", "TLS",
                                                 "HTTPS", "TCP",   NULL};
static const char *const resolutions[] = {"DNS", "Static", "None", NULL};
static const char *const tls_modes[] = {"Passthrough", "Originate", NULL};
static const char *const egress_words[] = {"Allow", "Deny", NULL};
static const char *const log_styles[] = {"json", "text", "off", NULL};
static const char *const log_onlys[] = {"failures", "all", NULL};

static const char *check_workload(const void *decoded, const char **ret_field)
{
    const struct workload_spec *spec = decoded;
    const struct address *addresses = spec->addresses.at;
    *ret_field = "addresses";
    return spec->addresses.count == 2 && addresses[0].family == addresses[1].family
               ? "may hold one address of each family"
               : NULL;
}

static const struct field locality_fields[] = {
    FIELD("region", FIELD_TEXT, struct workload_locality, region, .check = check_label_value),
    FIELD("zone", FIELD_TEXT, struct workload_locality, zone, .check = check_label_value),
    FIELD("node", FIELD_TEXT, struct workload_locality, node, .check = check_label_value),
};
static const struct schema locality_schema = {
    .name = "Locality", SCHEMA_FIELDS(locality_fields), .bytes = sizeof(struct workload_locality)};
static const struct field workload_spec_fields[] = {
    FIELD("addresses", FIELD_ADDRESSES, struct workload_spec, addresses, .flags = FIELD_REQUIRED,
          .least = 1, .most = 2),
    FIELD("ports", FIELD_NAMED_PORTS, struct workload_spec, ports,
          .help = "names that a Service's targetPort may use"),
    FIELD("serviceAccount", FIELD_TEXT, struct workload_spec, service_account,
          .check = check_dns_name, .preset = "default"),
    FIELD("locality", FIELD_STRUCT, struct workload_spec, locality, .schema = &locality_schema),
    FIELD("weight", FIELD_INT, struct workload_spec, weight, .least = 0, .most = 1000,
          .preset = "1", .help = "0 takes no new work"),
    FIELD("sidecar", FIELD_BOOL, struct workload_spec, sidecar, .preset = "true"),
};
static const struct schema workload_spec_schema = {.name = "WorkloadSpec",
                                                   SCHEMA_FIELDS(workload_spec_fields),
                                                   .bytes = sizeof(struct workload_spec),
                                                   .check = check_workload};
static const struct field workload_fields[] = {
    FIELD("spec", FIELD_STRUCT, struct workload_body, spec, .flags = FIELD_REQUIRED,
          .schema = &workload_spec_schema),
};
const struct schema workload_schema = {
    .name = "Workload", SCHEMA_FIELDS(workload_fields), .bytes = sizeof(struct workload_body)};

static const struct field external_port_fields[] = {
    FIELD("port", FIELD_INT, struct external_port, port, .flags = FIELD_REQUIRED, .least = 1,
          .most = 65535),
    FIELD("protocol", FIELD_WORD, struct external_port, protocol, .words = external_protocols),
};
static const struct schema external_port_schema = {.name = "ExternalPort",
                                                   SCHEMA_FIELDS(external_port_fields),
                                                   .bytes = sizeof(struct external_port)};
static const struct field external_tls_fields[] = {
    FIELD("mode", FIELD_WORD, struct external_tls, mode, .words = tls_modes,
          .preset = "Passthrough"),
    FIELD("caFile", FIELD_TEXT, struct external_tls, ca_file, .check = check_absolute_file,
          .help = "PEM roots on the control plane's machine; none = the system's"),
    FIELD("sni", FIELD_TEXT, struct external_tls, sni, .check = check_dns_name),
};
static const struct schema external_tls_schema = {.name = "ExternalTls",
                                                  SCHEMA_FIELDS(external_tls_fields),
                                                  .bytes = sizeof(struct external_tls)};

static bool has_wildcard(const struct texts *hosts)
{
    for (uint32_t i = 0; i < hosts->count; i++) {
        if (span_starts_with(hosts->at[i], SPAN("*"))) {
            return true;
        }
    }
    return false;
}

static bool ports_twice(const struct items *items)
{
    const struct external_port *ports = items->at;
    for (uint32_t i = 0; i < items->count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (ports[i].port == ports[j].port) {
                return true;
            }
        }
    }
    return false;
}

static const char *check_external(const void *decoded, const char **ret_field)
{
    const struct external_service_spec *spec = decoded;
    int8_t resolution = spec->resolution != 0 ? spec->resolution : RESOLUTION_DNS;
    *ret_field = "ports";
    if (ports_twice(&spec->ports)) {
        return "names one port twice";
    }
    *ret_field = "addresses";
    if ((resolution == RESOLUTION_STATIC) != (spec->addresses.count > 0)) {
        return "goes with resolution Static, and only with it";
    }
    *ret_field = "hosts";
    return resolution == RESOLUTION_DNS && has_wildcard(&spec->hosts)
               ? "a wildcard cannot be looked up: use resolution None"
               : NULL;
}
static const struct field external_spec_fields[] = {
    FIELD("hosts", FIELD_TEXTS, struct external_service_spec, hosts, .flags = FIELD_REQUIRED,
          .least = 1, .most = 64, .check = check_host),
    FIELD("ports", FIELD_LIST, struct external_service_spec, ports, .flags = FIELD_REQUIRED,
          .least = 1, .most = 16, .schema = &external_port_schema),
    FIELD("resolution", FIELD_WORD, struct external_service_spec, resolution, .words = resolutions,
          .preset = "DNS"),
    FIELD("addresses", FIELD_ADDRESSES, struct external_service_spec, addresses, .most = 64),
    FIELD("tls", FIELD_STRUCT, struct external_service_spec, tls, .schema = &external_tls_schema),
};
static const struct schema external_spec_schema = {.name = "ExternalServiceSpec",
                                                   SCHEMA_FIELDS(external_spec_fields),
                                                   .bytes = sizeof(struct external_service_spec),
                                                   .check = check_external};
static const struct field external_fields[] = {
    FIELD("spec", FIELD_STRUCT, struct external_service_body, spec, .flags = FIELD_REQUIRED,
          .schema = &external_spec_schema),
};
const struct schema external_service_schema = {.name = "ExternalService",
                                               SCHEMA_FIELDS(external_fields),
                                               .bytes = sizeof(struct external_service_body)};

static const struct field certificate_fields[] = {
    FIELD("lifetime", FIELD_DURATION, struct mesh_certificates, lifetime_ms, .least = 10000,
          .most = 90LL * 86400000, .preset = "24h"),
    FIELD("renewAt", FIELD_TEXT, struct mesh_certificates, renew_at, .check = check_fraction_range,
          .preset = "0.5..0.7"),
};
static const struct schema certificate_schema = {.name = "MeshCertificates",
                                                 SCHEMA_FIELDS(certificate_fields),
                                                 .bytes = sizeof(struct mesh_certificates)};
static const struct field tracing_fields[] = {
    FIELD("otlp", FIELD_TEXT, struct mesh_tracing, otlp, .flags = FIELD_NOT_IN_FORCE, .most = 2048),
    FIELD("sampling", FIELD_NUMBER, struct mesh_tracing, sampling, .least = 0, .most = 1000,
          .preset = "0"),
};
static const struct schema tracing_schema = {
    .name = "MeshTracing", SCHEMA_FIELDS(tracing_fields), .bytes = sizeof(struct mesh_tracing)};
static const struct field access_log_fields[] = {
    FIELD("format", FIELD_WORD, struct mesh_access_log, format, .words = log_styles,
          .preset = "json"),
    FIELD("only", FIELD_WORD, struct mesh_access_log, only, .words = log_onlys,
          .preset = "failures"),
};
static const struct schema access_log_schema = {.name = "MeshAccessLog",
                                                SCHEMA_FIELDS(access_log_fields),
                                                .bytes = sizeof(struct mesh_access_log)};
static const struct field mesh_spec_fields[] = {
    FIELD("trustDomain", FIELD_TEXT, struct mesh_config_spec, trust_domain,
          .check = check_trust_domain, .preset = "cluster.local"),
    FIELD("egress", FIELD_WORD, struct mesh_config_spec, egress, .words = egress_words,
          .preset = "Allow"),
    FIELD("certificates", FIELD_STRUCT, struct mesh_config_spec, certificates,
          .schema = &certificate_schema),
    FIELD("tracing", FIELD_STRUCT, struct mesh_config_spec, tracing, .schema = &tracing_schema),
    FIELD("accessLog", FIELD_STRUCT, struct mesh_config_spec, access_log,
          .schema = &access_log_schema),
    FIELD("excludeOutboundPorts", FIELD_INTS, struct mesh_config_spec, exclude_outbound_ports,
          .flags = FIELD_NOT_IN_FORCE, .least = 1, .most = 65535),
    FIELD("excludeInboundPorts", FIELD_INTS, struct mesh_config_spec, exclude_inbound_ports,
          .flags = FIELD_NOT_IN_FORCE, .least = 1, .most = 65535),
    FIELD("defaults", FIELD_STRUCT, struct mesh_config_spec, defaults,
          .schema = &traffic_defaults_schema),
};
static const struct schema mesh_spec_schema = {.name = "MeshConfigSpec",
                                               SCHEMA_FIELDS(mesh_spec_fields),
                                               .bytes = sizeof(struct mesh_config_spec)};
static const struct field mesh_fields[] = {
    FIELD("spec", FIELD_STRUCT, struct mesh_config_body, spec, .flags = FIELD_REQUIRED,
          .schema = &mesh_spec_schema),
};
const struct schema mesh_config_schema = {
    .name = "MeshConfig", SCHEMA_FIELDS(mesh_fields), .bytes = sizeof(struct mesh_config_body)};
