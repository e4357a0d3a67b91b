#include "tests/unit/lib/xds/samples.h"

#include "lib/base/random.h"

static bool coin(void)
{
    return random_below(2) == 0;
}

static struct span word(struct arena *arena)
{
    return span_of(arena_printf(arena, "w%u", (unsigned)random_below(1000000)));
}

static struct span maybe(struct arena *arena)
{
    return coin() ? word(arena) : SPAN_EMPTY;
}

static const struct span *words(struct arena *arena, uint32_t *ret_count)
{
    *ret_count = (uint32_t)random_below(4);
    struct span *list = ARENA_ARRAY(arena, struct span, *ret_count);
    for (uint32_t i = 0; i < *ret_count; i++) {
        list[i] = span_of(arena_printf(arena, "n%u-%u", i, (unsigned)random_below(1000)));
    }
    return list;
}

static struct address ip(uint16_t port)
{
    struct address address = {.family = coin() ? 4 : 6, .port = port};
    for (size_t i = 0; i < (address.family == 4 ? 4 : 16); i++) {
        address.bytes[i] = (uint8_t)random_below(256);
    }
    address.bytes[0] = address.family == 4 ? 10 : 0xfd;
    return address;
}

static void sample_endpoint(struct arena *arena, struct xds_endpoint *ret)
{
    *ret = (struct xds_endpoint){
        .address = ip((uint16_t)(1 + random_below(65535))),
        .hostname = maybe(arena),
        .workload = maybe(arena),
        .version = maybe(arena),
        .weight = 1 + (uint32_t)random_below(1000),
        .tunnel_port = coin() ? 15008 : 0,
        .mtls_port = coin() ? 15006 : 0,
        .health = (uint8_t)random_below(XDS_HEALTH_DRAINING + 1),
        .flags = (uint8_t)random_below(8),
        .protocol = (uint8_t)random_below(XDS_PROTOCOL_OPAQUE + 1),
    };
    if ((ret->flags & XDS_ENDPOINT_SIDECAR) != 0) {
        ret->identity = SPAN("spiffe://cluster.local/ns/shop/sa/api");
    }
}

void sample_endpoints(struct arena *arena, struct xds_endpoints *ret)
{
    ret->cluster = word(arena);
    ret->locality_count = (uint32_t)random_below(4);
    struct xds_locality *localities = ARENA_ARRAY(arena, struct xds_locality, ret->locality_count);
    for (uint32_t i = 0; i < ret->locality_count; i++) {
        uint32_t count = (uint32_t)random_below(5);
        struct xds_endpoint *endpoints = ARENA_ARRAY(arena, struct xds_endpoint, count);
        for (uint32_t j = 0; j < count; j++) {
            sample_endpoint(arena, &endpoints[j]);
        }
        localities[i] = (struct xds_locality){
            .region = SPAN("eu"),
            .zone = maybe(arena),
            .sub_zone = maybe(arena),
            .weight = 1 + (uint32_t)random_below(100),
            .priority = i,
            .endpoints = endpoints,
            .endpoint_count = count,
        };
    }
    ret->localities = localities;
}

static int64_t maybe_ms(int64_t least)
{
    return coin() ? -1 : least + (int64_t)random_below(100000);
}

static int32_t maybe_count(void)
{
    return coin() ? -1 : (int32_t)random_below(100);
}

static void sample_numbers(struct xds_cluster *ret)
{
    ret->connect_timeout_ms = maybe_ms(1);
    ret->handshake_timeout_ms = maybe_ms(0);
    ret->http1_idle_ms = maybe_ms(0);
    ret->connection_idle_ms = maybe_ms(0);
    ret->stream_idle_ms = maybe_ms(0);
    ret->ewma_decay_ms = maybe_ms(0);
    ret->ewma_initial_ms = maybe_ms(0);
    ret->queue_timeout_ms = maybe_ms(0);
    ret->max_age_ms = maybe_ms(0);
    ret->retry_budget_window_ms = maybe_ms(0);
    ret->max_connections = maybe_count();
    ret->max_pending = maybe_count();
    ret->max_requests = maybe_count();
    ret->http2_per_endpoint = maybe_count();
    ret->http2_streams = maybe_count();
    ret->retry_budget_percent = maybe_count();
    ret->retry_budget_min_per_s = maybe_count();
}

void sample_cluster(struct arena *arena, struct xds_cluster *ret)
{
    xds_cluster_init(ret);
    ret->name = word(arena);
    ret->type = coin() ? XDS_CLUSTER_EDS : XDS_CLUSTER_STATIC;
    ret->lb = (uint8_t)random_below(XDS_LB_MAGLEV + 1);
    ret->tls = (uint8_t)random_below(XDS_TLS_ORIGINATE + 1);
    ret->protocol = (uint8_t)random_below(XDS_PROTOCOL_OPAQUE + 1);
    ret->service = maybe(arena);
    ret->namespace_name = maybe(arena);
    ret->host = maybe(arena);
    ret->port = (uint16_t)random_below(65536);
    if (ret->type == XDS_CLUSTER_STATIC) {
        struct xds_endpoints *endpoints = ARENA_NEW(arena, struct xds_endpoints);
        sample_endpoints(arena, endpoints);
        ret->inline_endpoints = endpoints;
    } else {
        ret->endpoints_name = maybe(arena);
    }
    if (ret->tls == XDS_TLS_MESH) {
        ret->identities = words(arena, &ret->identity_count);
    } else if (ret->tls == XDS_TLS_ORIGINATE) {
        ret->sni = maybe(arena);
        ret->ca_pem = maybe(arena);
    }
    sample_numbers(ret);
}

static void sample_changes(struct arena *arena, struct xds_header_changes *ret)
{
    ret->count = (uint32_t)random_below(3);
    struct xds_header_change *items = ARENA_ARRAY(arena, struct xds_header_change, ret->count);
    for (uint32_t i = 0; i < ret->count; i++) {
        /* Removals first: that is the order in which they come back. */
        items[i].action = i == 0 && coin() ? XDS_HEADER_REMOVE : XDS_HEADER_SET;
        items[i].name = SPAN("x-name");
        if (items[i].action == XDS_HEADER_SET) {
            items[i].action = coin() ? XDS_HEADER_ADD : XDS_HEADER_SET;
            items[i].value = coin() ? SPAN("100% of it") : SPAN_EMPTY;
        }
    }
    ret->items = items;
}

static const struct xds_field_match *sample_matches(struct arena *arena, bool headers,
                                                    uint32_t *ret_count)
{
    *ret_count = (uint32_t)random_below(3);
    struct xds_field_match *matches = ARENA_ARRAY(arena, struct xds_field_match, *ret_count);
    for (uint32_t i = 0; i < *ret_count; i++) {
        matches[i].name = word(arena);
        matches[i].kind = (uint8_t)random_below(XDS_MATCH_PRESENT + 1);
        matches[i].invert = headers && coin();
        if (matches[i].kind != XDS_MATCH_PRESENT) {
            matches[i].value = word(arena);
        }
    }
    return matches;
}

static void sample_forward(struct arena *arena, struct xds_route *ret)
{
    ret->cluster_count = 1 + (uint32_t)random_below(3);
    struct xds_weighted_cluster *clusters =
        ARENA_ARRAY(arena, struct xds_weighted_cluster, ret->cluster_count);
    for (uint32_t i = 0; i < ret->cluster_count; i++) {
        clusters[i].name = maybe(arena);
        clusters[i].weight = 1 + (uint32_t)random_below(100);
        sample_changes(arena, &clusters[i].request);
        sample_changes(arena, &clusters[i].response);
    }
    ret->clusters = clusters;
    ret->rewrite_host = maybe(arena);
    ret->timeout_ms = (int64_t)random_below(100000);
    ret->retry_limit = (int32_t)random_below(5) - 1;
    ret->per_try_timeout_ms = coin() ? 250 : 0;
    ret->retry_on = coin() ? SPAN("5xx,reset,503") : SPAN_EMPTY;
}

static void sample_route(struct arena *arena, struct xds_route *ret)
{
    static const uint16_t redirects[] = {301, 302, 303, 307, 308};
    ret->name = maybe(arena);
    ret->path_kind = (uint8_t)random_below(XDS_PATH_REGEX + 1);
    ret->path = ret->path_kind == XDS_PATH_ANY ? SPAN_EMPTY : SPAN("/a.b/c");
    ret->headers = sample_matches(arena, true, &ret->header_count);
    ret->queries = sample_matches(arena, false, &ret->query_count);
    ret->action = (uint8_t)random_below(XDS_ACTION_DIRECT + 1);
    sample_changes(arena, &ret->request);
    sample_changes(arena, &ret->response);
    ret->retry_limit = -1;
    if (ret->action != XDS_ACTION_DIRECT) {
        ret->rewrite = (uint8_t)random_below(XDS_REWRITE_PREFIX + 1);
        ret->rewrite_path = ret->rewrite == XDS_REWRITE_NONE ? SPAN_EMPTY
                            : coin()                         ? SPAN("/")
                                                             : SPAN("/to\\1");
    }
    if (ret->action == XDS_ACTION_FORWARD) {
        sample_forward(arena, ret);
    } else if (ret->action == XDS_ACTION_REDIRECT) {
        ret->redirect_scheme = coin() ? SPAN("https") : SPAN_EMPTY;
        ret->redirect_host = maybe(arena);
        ret->redirect_port = (uint16_t)random_below(65536);
        ret->status = redirects[random_below(5)];
    } else {
        ret->status = (uint16_t)(200 + random_below(400));
        ret->body = maybe(arena);
    }
}

void sample_route_config(struct arena *arena, struct xds_route_config *ret)
{
    ret->name = word(arena);
    ret->host_count = (uint32_t)random_below(3);
    struct xds_virtual_host *hosts = ARENA_ARRAY(arena, struct xds_virtual_host, ret->host_count);
    for (uint32_t i = 0; i < ret->host_count; i++) {
        struct span *domains = ARENA_ARRAY(arena, struct span, 1);
        domains[0] = span_of(arena_printf(arena, "d%u", i));
        hosts[i].name = maybe(arena);
        hosts[i].domains = domains;
        hosts[i].domain_count = 1;
        hosts[i].route_count = (uint32_t)random_below(4);
        struct xds_route *routes = ARENA_ARRAY(arena, struct xds_route, hosts[i].route_count);
        for (uint32_t j = 0; j < hosts[i].route_count; j++) {
            sample_route(arena, &routes[j]);
        }
        hosts[i].routes = routes;
    }
    ret->hosts = hosts;
}

void sample_listener(struct arena *arena, struct xds_listener *ret)
{
    *ret = (struct xds_listener){.name = word(arena)};
    if (coin()) {
        ret->address = ip(8080);
    }
    ret->protocol = (uint8_t)random_below(XDS_PROTOCOL_OPAQUE + 1);
    ret->tcp_cluster_count = (uint32_t)random_below(3);
    struct xds_weighted_cluster *clusters =
        ARENA_ARRAY(arena, struct xds_weighted_cluster, ret->tcp_cluster_count);
    for (uint32_t i = 0; i < ret->tcp_cluster_count; i++) {
        clusters[i].name = maybe(arena);
        clusters[i].weight = ret->tcp_cluster_count == 1 ? 1 : 1 + (uint32_t)random_below(9);
    }
    ret->tcp_clusters = clusters;
    if (ret->tcp_cluster_count == 0 || coin()) {
        ret->route_name = word(arena);
    }
}

void sample_phone(struct arena *arena, struct xds_phone_entry *ret)
{
    *ret = (struct xds_phone_entry){
        .name = word(arena),
        .host = word(arena),
        .namespace_name = maybe(arena),
        .kind = (uint8_t)random_below(XDS_PHONE_WORKLOAD + 1),
        .address_count = (uint32_t)random_below(3),
        .port_count = (uint32_t)random_below(3),
    };
    struct address *addresses = ARENA_ARRAY(arena, struct address, ret->address_count);
    for (uint32_t i = 0; i < ret->address_count; i++) {
        addresses[i] = ip(0);
    }
    ret->addresses = addresses;
    ret->hosts = words(arena, &ret->host_count);
    struct xds_phone_port *ports = ARENA_ARRAY(arena, struct xds_phone_port, ret->port_count);
    for (uint32_t i = 0; i < ret->port_count; i++) {
        ports[i].port = (uint16_t)(1 + random_below(65535));
        ports[i].protocol = (uint8_t)random_below(XDS_PROTOCOL_OPAQUE + 1);
        ports[i].local_port = (uint16_t)random_below(65536);
    }
    ret->ports = ports;
    if (ret->kind == XDS_PHONE_WORKLOAD) {
        sample_endpoint(arena, &ret->workload);
        ret->workload.hostname = SPAN_EMPTY;
        ret->workload.weight = 1;
        ret->workload.health = XDS_HEALTH_UNKNOWN;
    }
}

void sample_workload(struct arena *arena, struct xds_workload *ret)
{
    *ret = (struct xds_workload){
        .trust_domain = word(arena),
        .namespace_name = word(arena),
        .service_account = word(arena),
        .workload = maybe(arena),
        .version = maybe(arena),
        .region = maybe(arena),
        .zone = maybe(arena),
        .node = maybe(arena),
        .port_count = (uint32_t)random_below(4),
        .default_mode = (uint8_t)random_below(XDS_MTLS_PLAINTEXT + 1),
        .egress_denied = coin(),
        .access_log = (uint8_t)random_below(XDS_ACCESS_LOG_ALL + 1),
        .access_log_text = coin(),
        .tracing_per_million = (uint32_t)random_below(1000001),
        .renew_from = 0.5,
        .renew_to = 0.7,
        .certificate_lifetime_s = 1 + (int64_t)random_below(86400),
    };
    struct xds_inbound_port *ports = ARENA_ARRAY(arena, struct xds_inbound_port, ret->port_count);
    for (uint32_t i = 0; i < ret->port_count; i++) {
        ports[i].port = (uint16_t)(i * 1000);
        ports[i].protocol = (uint8_t)random_below(XDS_PROTOCOL_OPAQUE + 1);
        ports[i].mode = (uint8_t)random_below(XDS_MTLS_PLAINTEXT + 1);
        ports[i].service = maybe(arena);
    }
    ret->ports = ports;
}

static const struct xds_pair *pairs(struct arena *arena, uint32_t *ret_count)
{
    *ret_count = (uint32_t)random_below(4);
    struct xds_pair *list = ARENA_ARRAY(arena, struct xds_pair, *ret_count);
    for (uint32_t i = 0; i < *ret_count; i++) {
        list[i] = (struct xds_pair){word(arena), maybe(arena)};
    }
    return list;
}

void sample_request(struct arena *arena, bool delta, struct xds_request *ret)
{
    *ret = (struct xds_request){.type_url = span_of(xds_type_url(XDS_CLUSTER))};
    if (coin()) {
        struct xds_caller *node = ARENA_NEW(arena, struct xds_caller);
        node->id = word(arena);
        node->cluster = maybe(arena);
        node->region = maybe(arena);
        node->zone = maybe(arena);
        node->sub_zone = maybe(arena);
        node->agent = maybe(arena);
        node->agent_version = maybe(arena);
        node->metadata = pairs(arena, &node->metadata_count);
        node->features = words(arena, &node->feature_count);
        ret->caller = node;
    }
    ret->nonce = maybe(arena);
    ret->names = words(arena, &ret->name_count);
    if (delta) {
        ret->unsubscribed = words(arena, &ret->unsubscribed_count);
        ret->versions = pairs(arena, &ret->version_count);
    } else {
        ret->version = maybe(arena);
    }
    if (coin()) {
        ret->refused = true;
        ret->error_code = 3;
        ret->error_message = maybe(arena);
    }
}

void sample_response(struct arena *arena, bool delta, struct xds_response *ret)
{
    *ret = (struct xds_response){
        .type_url = span_of(xds_type_url(XDS_CLUSTER)),
        .nonce = word(arena),
        .version = maybe(arena),
        .control_plane = maybe(arena),
        .resource_count = (uint32_t)random_below(4),
        .error_count = (uint32_t)random_below(2),
    };
    struct xds_resource *resources = ARENA_ARRAY(arena, struct xds_resource, ret->resource_count);
    for (uint32_t i = 0; i < ret->resource_count; i++) {
        resources[i].type_url = ret->type_url;
        resources[i].value = maybe(arena);
        if (delta) {
            resources[i].name = word(arena);
            resources[i].version = maybe(arena);
        }
    }
    ret->resources = resources;
    struct xds_resource_error *errors =
        ARENA_ARRAY(arena, struct xds_resource_error, ret->error_count);
    for (uint32_t i = 0; i < ret->error_count; i++) {
        errors[i] = (struct xds_resource_error){word(arena), 5, maybe(arena)};
    }
    ret->errors = errors;
    if (delta) {
        ret->removed = words(arena, &ret->removed_count);
    }
}

void sample_load_report(struct arena *arena, struct xds_load_report *ret)
{
    *ret = (struct xds_load_report){.node_id = word(arena), .interval_ms = 1000};
    ret->service_count = (uint32_t)random_below(3);
    struct xds_service_load *services =
        ARENA_ARRAY(arena, struct xds_service_load, ret->service_count);
    for (uint32_t i = 0; i < ret->service_count; i++) {
        struct xds_service_load *load = &services[i];
        load->cluster = maybe(arena);
        load->service = maybe(arena);
        load->namespace_name = maybe(arena);
        load->version = maybe(arena);
        load->inbound = coin();
        load->requests = 100 + random_below(100);
        load->failures = random_below(100);
        load->latency_sum_us = random_u64();
        load->bytes_sent = random_u64();
        load->bytes_received = random_u64();
        load->open_connections = random_below(100);
        load->latency_count = (uint32_t)random_below(5);
        struct digest_entry *latency = ARENA_ARRAY(arena, struct digest_entry, load->latency_count);
        for (uint32_t j = 0; j < load->latency_count; j++) {
            latency[j] = (struct digest_entry){j * 7, 1 + random_below(50)};
        }
        load->latency = latency;
    }
    ret->services = services;
}

#define CODEC(kind, type)                                                                          \
    static struct span kind##_sample(struct arena *arena)                                          \
    {                                                                                              \
        struct type plain;                                                                         \
        sample_##kind(arena, &plain);                                                              \
        return xds_##kind##_encode(&plain, arena);                                                 \
    }                                                                                              \
    static bool kind##_again(struct span bytes, struct arena *arena, struct span *ret_bytes,       \
                             struct xds_error *ret_error)                                          \
    {                                                                                              \
        struct type plain;                                                                         \
        if (!xds_##kind##_decode(bytes, arena, &plain, ret_error)) {                               \
            return false;                                                                          \
        }                                                                                          \
        *ret_bytes = xds_##kind##_encode(&plain, arena);                                           \
        return true;                                                                               \
    }
CODEC(endpoints, xds_endpoints)
CODEC(cluster, xds_cluster)
CODEC(listener, xds_listener)
CODEC(phone, xds_phone_entry)
CODEC(workload, xds_workload)
CODEC(load_report, xds_load_report)

static struct span route_sample(struct arena *arena)
{
    struct xds_route_config config;
    sample_route_config(arena, &config);
    return xds_route_config_encode(&config, false, arena);
}

static bool route_again(struct span bytes, struct arena *arena, struct span *ret_bytes,
                        struct xds_error *ret_error)
{
    struct xds_route_config config;
    if (!xds_route_config_decode(bytes, arena, &config, ret_error)) {
        return false;
    }
    *ret_bytes = xds_route_config_encode(&config, false, arena);
    return true;
}

static struct span secret_sample(struct arena *arena)
{
    struct xds_secret secret = {SPAN("ROOTCA"), word(arena)};
    return xds_secret_encode(&secret, arena);
}

static bool secret_again(struct span bytes, struct arena *arena, struct span *ret_bytes,
                         struct xds_error *ret_error)
{
    struct xds_secret secret;
    if (!xds_secret_decode(bytes, arena, &secret, ret_error)) {
        return false;
    }
    *ret_bytes = xds_secret_encode(&secret, arena);
    return true;
}

#define STREAM_CODEC(kind, form, delta)                                                            \
    static struct span kind##_##form##_sample(struct arena *arena)                                 \
    {                                                                                              \
        struct xds_##kind plain;                                                                   \
        sample_##kind(arena, delta, &plain);                                                       \
        return xds_##kind##_encode(&plain, delta, arena);                                          \
    }                                                                                              \
    static bool kind##_##form##_again(struct span bytes, struct arena *arena,                      \
                                      struct span *ret_bytes, struct xds_error *ret_error)         \
    {                                                                                              \
        struct xds_##kind plain;                                                                   \
        if (!xds_##kind##_decode(bytes, delta, arena, &plain, ret_error)) {                        \
            return false;                                                                          \
        }                                                                                          \
        *ret_bytes = xds_##kind##_encode(&plain, delta, arena);                                    \
        return true;                                                                               \
    }
STREAM_CODEC(request, delta, true)
STREAM_CODEC(request, sotw, false)
STREAM_CODEC(response, delta, true)
STREAM_CODEC(response, sotw, false)

static struct span csr_sample(struct arena *arena)
{
    struct xds_certificate_request request = {word(arena), 3600};
    return xds_certificate_request_encode(&request, arena);
}

static bool csr_again(struct span bytes, struct arena *arena, struct span *ret_bytes,
                      struct xds_error *ret_error)
{
    struct xds_certificate_request request;
    if (!xds_certificate_request_decode(bytes, arena, &request, ret_error)) {
        return false;
    }
    *ret_bytes = xds_certificate_request_encode(&request, arena);
    return true;
}

static struct span chain_sample(struct arena *arena)
{
    struct span chain[] = {word(arena), word(arena)};
    struct xds_certificate_response response = {chain, 2};
    return xds_certificate_response_encode(&response, arena);
}

static bool chain_again(struct span bytes, struct arena *arena, struct span *ret_bytes,
                        struct xds_error *ret_error)
{
    struct xds_certificate_response response;
    if (!xds_certificate_response_decode(bytes, arena, &response, ret_error)) {
        return false;
    }
    *ret_bytes = xds_certificate_response_encode(&response, arena);
    return true;
}

const struct codec codecs[] = {
    {"endpoints", endpoints_sample, endpoints_again},
    {"cluster", cluster_sample, cluster_again},
    {"route", route_sample, route_again},
    {"listener", listener_sample, listener_again},
    {"secret", secret_sample, secret_again},
    {"phone", phone_sample, phone_again},
    {"workload", workload_sample, workload_again},
    {"load report", load_report_sample, load_report_again},
    {"delta request", request_delta_sample, request_delta_again},
    {"SotW request", request_sotw_sample, request_sotw_again},
    {"delta response", response_delta_sample, response_delta_again},
    {"SotW response", response_sotw_sample, response_sotw_again},
    {"certificate request", csr_sample, csr_again},
    {"certificate response", chain_sample, chain_again},
};
const size_t codec_count = sizeof codecs / sizeof codecs[0];
