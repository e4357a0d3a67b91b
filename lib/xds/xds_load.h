#ifndef REMORA_XDS_XDS_LOAD_H
#define REMORA_XDS_XDS_LOAD_H

#include "lib/stats/digest.h"
#include "lib/xds/xds_type.h"

/*
 * remora.xds.v1.LoadReport: what a proxy streams to the control plane about the services that it
 * serves and calls. All counts are since the report before, so that reports add up and one that is
 * lost costs only its own interval. The answer says how often to report.
 */
#define XDS_PATH_LOAD "/remora.xds.v1.LoadReportService/StreamLoad"

struct xds_service_load {
    struct span cluster; /* outbound: the cluster's name */
    struct span service;
    struct span namespace_name;
    struct span version; /* of the endpoints, or of this workload where inbound */
    bool inbound;        /* requests that came in, not those sent out */
    uint64_t requests;
    uint64_t failures;
    uint64_t latency_sum_us;
    const struct digest_entry *latency; /* for digest_decode, which checks it */
    uint32_t latency_count;
    uint64_t bytes_sent, bytes_received;
    uint64_t open_connections; /* now, not since */
};

struct xds_load_report {
    struct span node_id;
    uint64_t interval_ms;
    const struct xds_service_load *services;
    uint32_t service_count;
};

struct span xds_load_report_encode(const struct xds_load_report *report, struct arena *arena);
bool xds_load_report_decode(struct span bytes, struct arena *arena, struct xds_load_report *ret,
                            struct xds_error *ret_error);
struct span xds_load_answer_encode(uint64_t interval_ms, struct arena *arena);
bool xds_load_answer_decode(struct span bytes, uint64_t *ret_interval_ms,
                            struct xds_error *ret_error);

#endif
