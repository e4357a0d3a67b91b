#include "lib/xds/xds_listener.h"

#include "lib/xds/wire_parts.h"

#include "envoy/config/listener/v3/listener.pb-c.h"
#include "envoy/extensions/filters/http/router/v3/router.pb-c.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb-c.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb-c.h"

#include <string.h>

static Lis__ApiListener *api_write(struct arena *scratch, const struct xds_listener *listener)
{
    Hcm__HttpFilter *router = wire_new(scratch, &hcm__http_filter__descriptor);
    router->name = (char *)"envoy.filters.http.router";
    router->config_type_case = HCM__HTTP_FILTER__CONFIG_TYPE_TYPED_CONFIG;
    ProtobufCMessage *settings = wire_new(scratch, &router__router__descriptor);
    router->typed_config = wire_any(scratch, settings);

    Hcm__HttpConnectionManager *hcm = wire_new(scratch, &hcm__http_connection_manager__descriptor);
    hcm->stat_prefix = wire_string(scratch, listener->name);
    hcm->route_specifier_case = HCM__HTTP_CONNECTION_MANAGER__ROUTE_SPECIFIER_RDS;
    hcm->rds = wire_new(scratch, &hcm__rds__descriptor);
    hcm->rds->config_source = config_source_ads(scratch);
    hcm->rds->route_config_name = wire_string(scratch, listener->route_name);
    hcm->n_http_filters = 1;
    hcm->http_filters = ARENA_ARRAY(scratch, Hcm__HttpFilter *, 1);
    hcm->http_filters[0] = router;

    Lis__ApiListener *api = wire_new(scratch, &lis__api_listener__descriptor);
    api->api_listener = wire_any(scratch, &hcm->base);
    return api;
}

static Tcp__TcpProxy *tcp_write(struct arena *scratch, const struct xds_listener *listener)
{
    Tcp__TcpProxy *tcp = wire_new(scratch, &tcp__tcp_proxy__descriptor);
    Tcp__TcpProxy__WeightedCluster *weighted =
        wire_new(scratch, &tcp__tcp_proxy__weighted_cluster__descriptor);
    weighted->clusters = ARENA_ARRAY(scratch, Tcp__TcpProxy__WeightedCluster__ClusterWeight *,
                                     listener->tcp_cluster_count);
    for (uint32_t i = 0; i < listener->tcp_cluster_count; i++) {
        const struct xds_weighted_cluster *from = &listener->tcp_clusters[i];
        if (from->weight == 0) {
            continue; /* Envoy takes no weight 0 here */
        }
        Tcp__TcpProxy__WeightedCluster__ClusterWeight *cluster =
            wire_new(scratch, &tcp__tcp_proxy__weighted_cluster__cluster_weight__descriptor);
        cluster->name = backend_name_write(scratch, from->name);
        cluster->weight = from->weight;
        weighted->clusters[weighted->n_clusters++] = cluster;
    }
    tcp->stat_prefix = wire_string(scratch, listener->name);
    if (weighted->n_clusters > 1) {
        tcp->cluster_specifier_case = TCP__TCP_PROXY__CLUSTER_SPECIFIER_WEIGHTED_CLUSTERS;
        tcp->weighted_clusters = weighted;
    } else {
        tcp->cluster_specifier_case = TCP__TCP_PROXY__CLUSTER_SPECIFIER_CLUSTER;
        tcp->cluster = weighted->n_clusters == 1 ? weighted->clusters[0]->name
                                                 : backend_name_write(scratch, SPAN_EMPTY);
    }
    return tcp;
}

static void chain_write(struct arena *scratch, Lis__Listener *message,
                        const struct xds_listener *listener)
{
    Lis__Filter *filter = wire_new(scratch, &lis__filter__descriptor);
    filter->name = (char *)"envoy.filters.network.tcp_proxy";
    filter->config_type_case = LIS__FILTER__CONFIG_TYPE_TYPED_CONFIG;
    filter->typed_config = wire_any(scratch, &tcp_write(scratch, listener)->base);
    Lis__FilterChain *chain = wire_new(scratch, &lis__filter_chain__descriptor);
    chain->name = (char *)"tcp";
    chain->n_filters = 1;
    chain->filters = ARENA_ARRAY(scratch, Lis__Filter *, 1);
    chain->filters[0] = filter;
    message->n_filter_chains = 1;
    message->filter_chains = ARENA_ARRAY(scratch, Lis__FilterChain *, 1);
    message->filter_chains[0] = chain;
}

struct span xds_listener_encode(const struct xds_listener *listener, struct arena *arena)
{
    struct arena scratch = {0};
    Lis__Listener *message = wire_new(&scratch, &lis__listener__descriptor);
    message->name = wire_string(&scratch, listener->name);
    if (listener->address.family != 0) {
        message->address = address_write(&scratch, &listener->address, SPAN_EMPTY);
    }
    if (listener->route_name.length > 0) {
        message->api_listener = api_write(&scratch, listener);
    }
    if (listener->tcp_cluster_count > 0) {
        chain_write(&scratch, message, listener);
    }
    if (listener->protocol != XDS_PROTOCOL_AUTO) {
        Remora__ListenerFacts *facts = wire_new(&scratch, &remora__listener_facts__descriptor);
        facts->protocol = (Remora__Protocol)listener->protocol;
        message->metadata = metadata_write(&scratch, &facts->base);
    }
    struct span bytes = wire_pack(arena, &message->base);
    arena_done(&scratch);
    return bytes;
}

/* The router must be last and alone: a filter that we do not have may be a check. */
static bool filters_read(struct wire_reader *reader, const Hcm__HttpConnectionManager *hcm)
{
    bool routed = false;
    for (size_t i = 0; i < hcm->n_http_filters; i++) {
        const Hcm__HttpFilter *filter = hcm->http_filters[i];
        bool router = filter->config_type_case == HCM__HTTP_FILTER__CONFIG_TYPE_TYPED_CONFIG &&
                      wire_any_is(filter->typed_config, &router__router__descriptor);
        if (router && i + 1 == hcm->n_http_filters) {
            routed = true;
        } else if (router || (!filter->is_optional && !filter->disabled)) {
            return wire_fail(reader, "http_filters[%zu]: \"%s\" is not supported here", i,
                             filter->name);
        }
    }
    return routed || wire_fail(reader, "http_filters: the router is missing");
}

static bool api_read(struct wire_reader *reader, const Lis__ApiListener *api,
                     struct xds_listener *ret)
{
    size_t path = wire_enter(reader, "api_listener", -1);
    const Hcm__HttpConnectionManager *hcm =
        wire_unpack_any(reader, &hcm__http_connection_manager__descriptor, api->api_listener);
    if (hcm == NULL) {
        return false;
    }
    if (hcm->route_specifier_case != HCM__HTTP_CONNECTION_MANAGER__ROUTE_SPECIFIER_RDS) {
        return wire_fail(reader, "route_specifier: only rds is supported");
    }
    const Core__ConfigSource *source = hcm->rds->config_source;
    if (source == NULL || source->config_source_specifier_case ==
                              CORE__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER__NOT_SET) {
        return wire_fail(reader, "rds.config_source: only ads and self are supported");
    }
    if (hcm->rds->route_config_name[0] == '\0') {
        return wire_fail(reader, "rds.route_config_name: empty");
    }
    ret->route_name = wire_text(reader, hcm->rds->route_config_name);
    if (!filters_read(reader, hcm)) {
        return false;
    }
    wire_leave(reader, path);
    return true;
}

static bool tcp_clusters_read(struct wire_reader *reader, const Tcp__TcpProxy *tcp,
                              struct xds_listener *ret)
{
    const Tcp__TcpProxy__WeightedCluster *weighted = tcp->weighted_clusters;
    size_t count = 1;
    if (tcp->cluster_specifier_case == TCP__TCP_PROXY__CLUSTER_SPECIFIER_WEIGHTED_CLUSTERS) {
        count = weighted->n_clusters;
    } else if (tcp->cluster_specifier_case != TCP__TCP_PROXY__CLUSTER_SPECIFIER_CLUSTER) {
        return wire_fail(reader, "cluster: missing");
    } else {
        weighted = NULL;
    }
    struct xds_weighted_cluster *clusters =
        ARENA_ARRAY(reader->arena, struct xds_weighted_cluster, count);
    uint64_t weights = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = weighted == NULL ? tcp->cluster : weighted->clusters[i]->name;
        clusters[i].weight = weighted == NULL ? 1 : weighted->clusters[i]->weight;
        if (name[0] == '\0' || clusters[i].weight == 0) {
            return wire_fail(reader, "weighted_clusters[%zu]: no name or weight 0", i);
        }
        clusters[i].name = backend_name_read(reader, name);
        weights += clusters[i].weight;
    }
    if (weights == 0 || weights > UINT32_MAX) {
        return wire_fail(reader, "weighted_clusters: sum of weights not in 1 to 2^32-1");
    }
    ret->tcp_clusters = clusters;
    ret->tcp_cluster_count = wire_count(count);
    return true;
}

static bool chains_read(struct wire_reader *reader, const Lis__Listener *message,
                        struct xds_listener *ret)
{
    if (message->n_filter_chains == 0) {
        return true;
    }
    const Lis__FilterChain *chain = message->filter_chains[0];
    size_t path = wire_enter(reader, "filter_chains", 0);
    if (message->n_filter_chains > 1 || chain->n_filters != 1) {
        return wire_fail(reader, "only one chain with one filter is supported");
    }
    /* An unknown field may be a filter_chain_match: the chain would take what it must not. */
    if (!wire_all_known(reader, &chain->base)) {
        return false;
    }
    if (chain->transport_socket != NULL) {
        return wire_fail(reader, "transport_socket: not supported");
    }
    const Lis__Filter *filter = chain->filters[0];
    const Tcp__TcpProxy *tcp = wire_unpack_any(
        reader, &tcp__tcp_proxy__descriptor,
        filter->config_type_case == LIS__FILTER__CONFIG_TYPE_TYPED_CONFIG ? filter->typed_config
                                                                          : NULL);
    if (tcp == NULL || !tcp_clusters_read(reader, tcp, ret)) {
        return false;
    }
    wire_leave(reader, path);
    return true;
}

static bool listener_read(struct wire_reader *reader, const Lis__Listener *message,
                          struct xds_listener *ret)
{
    Remora__ListenerFacts *facts;
    if (message->name[0] == '\0') {
        return wire_fail(reader, "name: empty");
    }
    ret->name = wire_text(reader, message->name);
    if (message->address != NULL && !address_read(reader, message->address, &ret->address, NULL)) {
        return false;
    }
    if (message->api_listener != NULL && !api_read(reader, message->api_listener, ret)) {
        return false;
    }
    if (!chains_read(reader, message, ret) ||
        !metadata_read(reader, message->metadata, &remora__listener_facts__descriptor, &facts)) {
        return false;
    }
    if (facts != NULL) {
        if (!wire_in_range(reader, "protocol", facts->protocol, 0, XDS_PROTOCOL_OPAQUE)) {
            return false;
        }
        ret->protocol = (uint8_t)facts->protocol;
    }
    return message->api_listener != NULL || ret->tcp_cluster_count > 0 ||
           wire_fail(reader, "neither an api_listener nor a filter chain");
}

bool xds_listener_decode(struct span bytes, struct arena *arena, struct xds_listener *ret,
                         struct xds_error *ret_error)
{
    struct wire_reader reader;
    wire_reader_init(&reader, arena, ret_error);
    const Lis__Listener *message = wire_unpack(&reader, &lis__listener__descriptor, bytes);
    struct xds_listener listener = {0};
    bool good = message != NULL && listener_read(&reader, message, &listener);
    wire_reader_done(&reader);
    if (good) {
        *ret = listener;
    }
    return good;
}
