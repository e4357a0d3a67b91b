#include "lib/xds/xds_cluster.h"

#include "lib/xds/cluster_policy.h"

#include "envoy/extensions/upstreams/http/v3/http.pb-c.h"

#include <math.h>
#include <string.h>

#define HTTP_OPTIONS "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

void xds_cluster_init(struct xds_cluster *ret)
{
    *ret = (struct xds_cluster){
        .connect_timeout_ms = -1,
        .handshake_timeout_ms = -1,
        .http1_idle_ms = -1,
        .connection_idle_ms = -1,
        .stream_idle_ms = -1,
        .ewma_decay_ms = -1,
        .ewma_initial_ms = -1,
        .queue_timeout_ms = -1,
        .max_age_ms = -1,
        .max_connections = -1,
        .max_pending = -1,
        .max_requests = -1,
        .http2_per_endpoint = -1,
        .http2_streams = -1,
        .retry_budget_percent = -1,
        .retry_budget_min_per_s = -1,
        .retry_budget_window_ms = -1,
    };
}

static Pb__UInt32Value *limit_write(struct arena *scratch, int32_t limit)
{
    return limit < 0 ? NULL : wire_u32(scratch, (uint32_t)limit);
}

static Clu__CircuitBreakers *breakers_write(struct arena *scratch,
                                            const struct xds_cluster *cluster)
{
    if (cluster->max_connections < 0 && cluster->max_pending < 0 && cluster->max_requests < 0 &&
        cluster->retry_budget_percent < 0) {
        return NULL;
    }
    Clu__CircuitBreakers__Thresholds *limits =
        wire_new(scratch, &clu__circuit_breakers__thresholds__descriptor);
    limits->max_connections = limit_write(scratch, cluster->max_connections);
    limits->max_pending_requests = limit_write(scratch, cluster->max_pending);
    limits->max_requests = limit_write(scratch, cluster->max_requests);
    if (cluster->retry_budget_percent >= 0) {
        limits->retry_budget =
            wire_new(scratch, &clu__circuit_breakers__thresholds__retry_budget__descriptor);
        limits->retry_budget->budget_percent = wire_new(scratch, &ty__percent__descriptor);
        limits->retry_budget->budget_percent->value = cluster->retry_budget_percent;
    }
    Clu__CircuitBreakers *breakers = wire_new(scratch, &clu__circuit_breakers__descriptor);
    breakers->n_thresholds = 1;
    breakers->thresholds = ARENA_ARRAY(scratch, Clu__CircuitBreakers__Thresholds *, 1);
    breakers->thresholds[0] = limits;
    return breakers;
}

/* Tells Envoy to speak HTTP/2 to the endpoints. */
static void http2_write(struct arena *scratch, Clu__Cluster *message)
{
    Uph__HttpProtocolOptions__ExplicitHttpConfig *http2 =
        wire_new(scratch, &uph__http_protocol_options__explicit_http_config__descriptor);
    http2->protocol_config_case =
        UPH__HTTP_PROTOCOL_OPTIONS__EXPLICIT_HTTP_CONFIG__PROTOCOL_CONFIG_HTTP2_PROTOCOL_OPTIONS;
    http2->http2_protocol_options = wire_new(scratch, &core__http2_protocol_options__descriptor);
    Uph__HttpProtocolOptions *options = wire_new(scratch, &uph__http_protocol_options__descriptor);
    options->upstream_protocol_options_case =
        UPH__HTTP_PROTOCOL_OPTIONS__UPSTREAM_PROTOCOL_OPTIONS_EXPLICIT_HTTP_CONFIG;
    options->explicit_http_config = http2;
    Clu__Cluster__TypedExtensionProtocolOptionsEntry *entry =
        wire_new(scratch, &clu__cluster__typed_extension_protocol_options_entry__descriptor);
    entry->key = (char *)HTTP_OPTIONS;
    entry->value = wire_any(scratch, &options->base);
    message->n_typed_extension_protocol_options = 1;
    message->typed_extension_protocol_options =
        ARENA_ARRAY(scratch, Clu__Cluster__TypedExtensionProtocolOptionsEntry *, 1);
    message->typed_extension_protocol_options[0] = entry;
}

static void discovery_write(struct arena *scratch, Clu__Cluster *message,
                            const struct xds_cluster *cluster)
{
    message->cluster_discovery_type_case = CLU__CLUSTER__CLUSTER_DISCOVERY_TYPE_TYPE;
    message->type = (Clu__Cluster__DiscoveryType)cluster->type;
    if (cluster->type == XDS_CLUSTER_EDS) {
        message->eds_cluster_config =
            wire_new(scratch, &clu__cluster__eds_cluster_config__descriptor);
        message->eds_cluster_config->eds_config = config_source_ads(scratch);
        message->eds_cluster_config->service_name = wire_string(scratch, cluster->endpoints_name);
    } else if (cluster->inline_endpoints != NULL) {
        message->load_assignment = endpoints_write(scratch, cluster->inline_endpoints);
    }
    if (cluster->type == XDS_CLUSTER_ORIGINAL_DST) {
        message->lb_policy = CLU__CLUSTER__LB_POLICY__CLUSTER_PROVIDED;
    } else {
        /* The list rules; who does not read it takes this one, which every client has. */
        message->lb_policy = CLU__CLUSTER__LB_POLICY__ROUND_ROBIN;
        message->load_balancing_policy = cluster_lb_write(scratch, (enum xds_lb)cluster->lb);
    }
}

struct span xds_cluster_encode(const struct xds_cluster *cluster, struct arena *arena)
{
    struct arena scratch = {0};
    Clu__Cluster *message = wire_new(&scratch, &clu__cluster__descriptor);
    message->name = wire_string(&scratch, cluster->name);
    discovery_write(&scratch, message, cluster);
    if (cluster->connect_timeout_ms > 0) {
        message->connect_timeout = wire_duration(&scratch, cluster->connect_timeout_ms);
    }
    message->circuit_breakers = breakers_write(&scratch, cluster);
    message->transport_socket = cluster_tls_write(&scratch, cluster);
    message->metadata = cluster_policy_write(&scratch, cluster);
    if (cluster->protocol == XDS_PROTOCOL_HTTP2) {
        http2_write(&scratch, message);
    }
    struct span bytes = wire_pack(arena, &message->base);
    arena_done(&scratch);
    return bytes;
}

static bool inline_read(struct wire_reader *reader, const Clu__Cluster *message,
                        struct xds_cluster *ret)
{
    size_t path = wire_enter(reader, "load_assignment", -1);
    if (message->load_assignment == NULL) {
        return wire_fail(reader, "missing, and the cluster's type needs it");
    }
    struct xds_endpoints *endpoints = ARENA_NEW(reader->arena, struct xds_endpoints);
    if (!endpoints_read(reader, message->load_assignment, ret->type != XDS_CLUSTER_STATIC,
                        endpoints)) {
        return false;
    }
    if (ret->type == XDS_CLUSTER_LOGICAL_DNS &&
        (endpoints->locality_count != 1 || endpoints->localities[0].endpoint_count != 1)) {
        return wire_fail(reader, "a LOGICAL_DNS cluster has exactly one endpoint");
    }
    ret->inline_endpoints = endpoints;
    wire_leave(reader, path);
    return true;
}

static bool eds_read(struct wire_reader *reader, const Clu__Cluster__EdsClusterConfig *eds,
                     struct xds_cluster *ret)
{
    const Core__ConfigSource *source = eds == NULL ? NULL : eds->eds_config;
    if (source == NULL || source->config_source_specifier_case ==
                              CORE__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER__NOT_SET) {
        return wire_fail(reader, "eds_cluster_config.eds_config: only ads and self are supported");
    }
    ret->endpoints_name = wire_text(reader, eds->service_name);
    return true;
}

static bool discovery_read(struct wire_reader *reader, const Clu__Cluster *message,
                           struct xds_cluster *ret)
{
    if (message->cluster_discovery_type_case == CLU__CLUSTER__CLUSTER_DISCOVERY_TYPE_CLUSTER_TYPE) {
        return wire_fail(reader, "cluster_type: \"%s\" is not supported",
                         message->cluster_type->name);
    }
    if (message->n_transport_socket_matches > 0) {
        return wire_fail(reader, "transport_socket_matches: not supported");
    }
    int type = message->cluster_discovery_type_case == CLU__CLUSTER__CLUSTER_DISCOVERY_TYPE_TYPE
                   ? (int)message->type
                   : XDS_CLUSTER_STATIC;
    if (!wire_in_range(reader, "type", type, 0, XDS_CLUSTER_ORIGINAL_DST)) {
        return false;
    }
    ret->type = (uint8_t)type;
    if (ret->type == XDS_CLUSTER_EDS) {
        return eds_read(reader, message->eds_cluster_config, ret);
    }
    return ret->type == XDS_CLUSTER_ORIGINAL_DST || inline_read(reader, message, ret);
}

static bool breakers_read(struct wire_reader *reader, const Clu__CircuitBreakers *breakers,
                          struct xds_cluster *ret)
{
    for (size_t i = 0; breakers != NULL && i < breakers->n_thresholds; i++) {
        const Clu__CircuitBreakers__Thresholds *limits = breakers->thresholds[i];
        if (limits->priority != CORE__ROUTING_PRIORITY__DEFAULT) {
            continue; /* for requests of priority HIGH, which no route of ours makes */
        }
        wire_limit(limits->max_connections, &ret->max_connections);
        wire_limit(limits->max_pending_requests, &ret->max_pending);
        wire_limit(limits->max_requests, &ret->max_requests);
        if (limits->retry_budget == NULL || limits->retry_budget->budget_percent == NULL) {
            continue;
        }
        double percent = limits->retry_budget->budget_percent->value;
        if (!(percent >= 0 && percent <= 100)) {
            return wire_fail(reader, "circuit_breakers.retry_budget: %g is no percentage", percent);
        }
        ret->retry_budget_percent = (int32_t)lround(percent);
    }
    return true;
}

static bool protocol_read(struct wire_reader *reader, const Clu__Cluster *message,
                          struct xds_cluster *ret)
{
    if (message->http2_protocol_options != NULL) {
        ret->protocol = XDS_PROTOCOL_HTTP2;
    }
    for (size_t i = 0; i < message->n_typed_extension_protocol_options; i++) {
        const Clu__Cluster__TypedExtensionProtocolOptionsEntry *entry =
            message->typed_extension_protocol_options[i];
        if (strcmp(entry->key, HTTP_OPTIONS) != 0) {
            continue;
        }
        size_t path = wire_enter(reader, "typed_extension_protocol_options", -1);
        const Uph__HttpProtocolOptions *options =
            wire_unpack_any(reader, &uph__http_protocol_options__descriptor, entry->value);
        if (options == NULL) {
            return false;
        }
        wire_leave(reader, path);
        if (options->upstream_protocol_options_case ==
            UPH__HTTP_PROTOCOL_OPTIONS__UPSTREAM_PROTOCOL_OPTIONS_EXPLICIT_HTTP_CONFIG) {
            ret->protocol =
                options->explicit_http_config->protocol_config_case ==
                        UPH__HTTP_PROTOCOL_OPTIONS__EXPLICIT_HTTP_CONFIG__PROTOCOL_CONFIG_HTTP2_PROTOCOL_OPTIONS
                    ? XDS_PROTOCOL_HTTP2
                    : XDS_PROTOCOL_HTTP1;
        }
    }
    return true;
}

static bool cluster_read(struct wire_reader *reader, const Clu__Cluster *message,
                         struct xds_cluster *ret)
{
    if (message->name[0] == '\0') {
        return wire_fail(reader, "name: empty");
    }
    ret->name = wire_text(reader, message->name);
    if (!discovery_read(reader, message, ret) || !cluster_lb_read(reader, message, &ret->lb) ||
        !wire_ms(reader, "connect_timeout", message->connect_timeout, &ret->connect_timeout_ms) ||
        !breakers_read(reader, message->circuit_breakers, ret) ||
        !protocol_read(reader, message, ret) ||
        !cluster_tls_read(reader, message->transport_socket, ret) ||
        !cluster_policy_read(reader, message->metadata, ret)) {
        return false;
    }
    return ret->connect_timeout_ms != 0 || wire_fail(reader, "connect_timeout: 0");
}

bool xds_cluster_decode(struct span bytes, struct arena *arena, struct xds_cluster *ret,
                        struct xds_error *ret_error)
{
    struct wire_reader reader;
    wire_reader_init(&reader, arena, ret_error);
    const Clu__Cluster *message = wire_unpack(&reader, &clu__cluster__descriptor, bytes);
    struct xds_cluster cluster;
    xds_cluster_init(&cluster);
    bool good = message != NULL && cluster_read(&reader, message, &cluster);
    wire_reader_done(&reader);
    if (good) {
        *ret = cluster;
    }
    return good;
}
