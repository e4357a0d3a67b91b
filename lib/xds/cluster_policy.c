#include "lib/xds/cluster_policy.h"

#include "remora/xds/v1/cluster_policy.pb-c.h"

#include <stddef.h>

/* The numbers of a ClusterPolicy and where they are in the plain struct: -1 there = not sent. */
static const struct {
    const char *name;
    size_t wire, has; /* in Remora__ClusterPolicy */
    size_t plain;     /* in struct xds_cluster */
} times[] =
    {
#define TIME(wire_name, plain_name)                                                                \
    {                                                                                              \
#wire_name, offsetof(Remora__ClusterPolicy, wire_name),                                    \
            offsetof(Remora__ClusterPolicy, has_##wire_name),                                      \
            offsetof(struct xds_cluster, plain_name)                                               \
    }
        TIME(handshake_timeout_ms, handshake_timeout_ms),
        TIME(http1_idle_ms, http1_idle_ms),
        TIME(connection_idle_ms, connection_idle_ms),
        TIME(stream_idle_ms, stream_idle_ms),
        TIME(ewma_decay_ms, ewma_decay_ms),
        TIME(ewma_initial_ms, ewma_initial_ms),
        TIME(queue_timeout_ms, queue_timeout_ms),
        TIME(max_age_ms, max_age_ms),
        TIME(retry_budget_window_ms, retry_budget_window_ms),
},
  counts[] = {
      TIME(http2_per_endpoint, http2_per_endpoint),
      TIME(http2_streams, http2_streams),
      TIME(retry_budget_min_per_s, retry_budget_min_per_s),
#undef TIME
};
enum { TIMES = sizeof times / sizeof times[0], COUNTS = sizeof counts / sizeof counts[0] };

/* Ten years: what is longer is a mistake. */
static const int64_t TIME_MAX_MS = INT64_C(10) * 365 * 24 * 3600 * 1000;

#define AT(base, offset, type) (*(type *)(void *)((char *)(base) + (offset)))
#define AT_CONST(base, offset, type)                                                               \
    (*(const type *)(const void *)((const char *)(base) + (offset)))

static void numbers_write(Remora__ClusterPolicy *policy, const struct xds_cluster *cluster)
{
    for (size_t i = 0; i < TIMES; i++) {
        int64_t ms = AT_CONST(cluster, times[i].plain, int64_t);
        AT(policy, times[i].has, protobuf_c_boolean) = ms >= 0;
        AT(policy, times[i].wire, int64_t) = ms >= 0 ? ms : 0;
    }
    for (size_t i = 0; i < COUNTS; i++) {
        int32_t count = AT_CONST(cluster, counts[i].plain, int32_t);
        AT(policy, counts[i].has, protobuf_c_boolean) = count >= 0;
        AT(policy, counts[i].wire, int32_t) = count >= 0 ? count : 0;
    }
}

/* proto2: a string that is not there is NULL. */
static char *text_write(struct arena *scratch, struct span text)
{
    return text.length == 0 ? NULL : wire_string(scratch, text);
}

Core__Metadata *cluster_policy_write(struct arena *scratch, const struct xds_cluster *cluster)
{
    Remora__ClusterPolicy *policy = wire_new(scratch, &remora__cluster_policy__descriptor);
    policy->has_tls = true;
    policy->tls = (Remora__ClusterPolicy__TlsMode)cluster->tls;
    policy->has_protocol = cluster->protocol != XDS_PROTOCOL_AUTO;
    policy->protocol = cluster->protocol;
    policy->service = text_write(scratch, cluster->service);
    policy->namespace_name = text_write(scratch, cluster->namespace_name);
    policy->host = text_write(scratch, cluster->host);
    policy->has_port = cluster->port != 0;
    policy->port = cluster->port;
    numbers_write(policy, cluster);
    return metadata_write(scratch, &policy->base);
}

static bool numbers_read(struct wire_reader *reader, const Remora__ClusterPolicy *policy,
                         struct xds_cluster *ret)
{
    for (size_t i = 0; i < TIMES; i++) {
        int64_t ms = AT_CONST(policy, times[i].wire, int64_t);
        if (!AT_CONST(policy, times[i].has, protobuf_c_boolean)) {
            continue;
        }
        if (!wire_in_range(reader, times[i].name, ms, 0, TIME_MAX_MS)) {
            return false;
        }
        AT(ret, times[i].plain, int64_t) = ms;
    }
    for (size_t i = 0; i < COUNTS; i++) {
        int32_t count = AT_CONST(policy, counts[i].wire, int32_t);
        if (!AT_CONST(policy, counts[i].has, protobuf_c_boolean)) {
            continue;
        }
        if (!wire_in_range(reader, counts[i].name, count, 0, INT32_MAX)) {
            return false;
        }
        AT(ret, counts[i].plain, int32_t) = count;
    }
    return true;
}

static bool tls_mode_read(struct wire_reader *reader, const Remora__ClusterPolicy *policy,
                          struct xds_cluster *ret)
{
    if (!policy->has_tls) {
        return true;
    }
    if (!wire_in_range(reader, "tls", policy->tls, 0, XDS_TLS_ORIGINATE)) {
        return false;
    }
    uint8_t said = (uint8_t)policy->tls;
    bool agrees = said == ret->tls || (said == XDS_TLS_MESH && ret->tls == XDS_TLS_NONE);
    ret->tls = said;
    return agrees || wire_fail(reader, "tls: does not agree with transport_socket");
}

bool cluster_policy_read(struct wire_reader *reader, const Core__Metadata *metadata,
                         struct xds_cluster *ret)
{
    Remora__ClusterPolicy *policy;
    if (!metadata_read(reader, metadata, &remora__cluster_policy__descriptor, &policy)) {
        return false;
    }
    if (policy == NULL) {
        return true;
    }
    size_t path = wire_enter(reader, "metadata." REMORA_METADATA, -1);
    if (!tls_mode_read(reader, policy, ret) || !numbers_read(reader, policy, ret) ||
        !wire_in_range(reader, "protocol", policy->protocol, 0, XDS_PROTOCOL_OPAQUE) ||
        !wire_in_range(reader, "port", policy->port, 0, UINT16_MAX)) {
        return false;
    }
    if (policy->has_protocol) {
        ret->protocol = (uint8_t)policy->protocol;
    }
    ret->service = wire_text(reader, policy->service);
    ret->namespace_name = wire_text(reader, policy->namespace_name);
    ret->host = wire_text(reader, policy->host);
    ret->port = (uint16_t)policy->port;
    wire_leave(reader, path);
    return true;
}
