#include "lib/xds/xds_load.h"

#include "lib/xds/wire.h"

#include "remora/xds/v1/remora.pb-c.h"

/* One report may not make the control plane keep more than this. */
enum { SERVICES_MAX = 100000 };

static Remora__ServiceLoad *service_write(struct arena *scratch,
                                          const struct xds_service_load *from)
{
    Remora__ServiceLoad *message = wire_new(scratch, &remora__service_load__descriptor);
    message->cluster = wire_string(scratch, from->cluster);
    message->service = wire_string(scratch, from->service);
    message->namespace_name = wire_string(scratch, from->namespace_name);
    message->version = wire_string(scratch, from->version);
    message->inbound = from->inbound;
    message->requests = from->requests;
    message->failures = from->failures;
    message->latency_sum_us = from->latency_sum_us;
    message->bytes_sent = from->bytes_sent;
    message->bytes_received = from->bytes_received;
    message->open_connections = from->open_connections;
    message->n_bucket = from->latency_count;
    message->n_bucket_count = from->latency_count;
    message->bucket = ARENA_ARRAY(scratch, uint32_t, from->latency_count);
    message->bucket_count = ARENA_ARRAY(scratch, uint64_t, from->latency_count);
    for (uint32_t i = 0; i < from->latency_count; i++) {
        message->bucket[i] = from->latency[i].bucket;
        message->bucket_count[i] = from->latency[i].count;
    }
    return message;
}

struct span xds_load_report_encode(const struct xds_load_report *report, struct arena *arena)
{
    struct arena scratch = {0};
    Remora__LoadReport *message = wire_new(&scratch, &remora__load_report__descriptor);
    message->node_id = wire_string(&scratch, report->node_id);
    message->interval_ms = report->interval_ms;
    message->n_services = report->service_count;
    message->services = ARENA_ARRAY(&scratch, Remora__ServiceLoad *, report->service_count);
    for (uint32_t i = 0; i < report->service_count; i++) {
        message->services[i] = service_write(&scratch, &report->services[i]);
    }
    struct span bytes = wire_pack(arena, &message->base);
    arena_done(&scratch);
    return bytes;
}

static bool service_read(struct wire_reader *reader, const Remora__ServiceLoad *message,
                         struct xds_service_load *ret)
{
    if (message->n_bucket != message->n_bucket_count || message->n_bucket > STATS_BUCKETS) {
        return wire_fail(reader, "bucket: %zu indexes and %zu counts", message->n_bucket,
                         message->n_bucket_count);
    }
    struct digest_entry *latency =
        ARENA_ARRAY(reader->arena, struct digest_entry, message->n_bucket);
    for (size_t i = 0; i < message->n_bucket; i++) {
        latency[i] = (struct digest_entry){message->bucket[i], message->bucket_count[i]};
    }
    ret->cluster = wire_text(reader, message->cluster);
    ret->service = wire_text(reader, message->service);
    ret->namespace_name = wire_text(reader, message->namespace_name);
    ret->version = wire_text(reader, message->version);
    ret->inbound = message->inbound;
    ret->requests = message->requests;
    ret->failures = message->failures;
    ret->latency_sum_us = message->latency_sum_us;
    ret->latency = latency;
    ret->latency_count = wire_count(message->n_bucket);
    ret->bytes_sent = message->bytes_sent;
    ret->bytes_received = message->bytes_received;
    ret->open_connections = message->open_connections;
    return ret->failures <= ret->requests || wire_fail(reader, "more failures than requests");
}

static bool report_read(struct wire_reader *reader, const Remora__LoadReport *message,
                        struct xds_load_report *ret)
{
    if (message->n_services > SERVICES_MAX) {
        return wire_fail(reader, "services: more than %d", SERVICES_MAX);
    }
    struct xds_service_load *services =
        ARENA_ARRAY(reader->arena, struct xds_service_load, message->n_services);
    for (size_t i = 0; i < message->n_services; i++) {
        size_t path = wire_enter(reader, "services", (long)i);
        if (!service_read(reader, message->services[i], &services[i])) {
            return false;
        }
        wire_leave(reader, path);
    }
    ret->node_id = wire_text(reader, message->node_id);
    ret->interval_ms = message->interval_ms;
    ret->services = services;
    ret->service_count = wire_count(message->n_services);
    return true;
}

bool xds_load_report_decode(struct span bytes, struct arena *arena, struct xds_load_report *ret,
                            struct xds_error *ret_error)
{
    struct wire_reader reader;
    wire_reader_init(&reader, arena, ret_error);
    const Remora__LoadReport *message =
        wire_unpack(&reader, &remora__load_report__descriptor, bytes);
    struct xds_load_report report = {0};
    bool good = message != NULL && report_read(&reader, message, &report);
    wire_reader_done(&reader);
    if (good) {
        *ret = report;
    }
    return good;
}

struct span xds_load_answer_encode(uint64_t interval_ms, struct arena *arena)
{
    struct arena scratch = {0};
    Remora__LoadReportAnswer *message = wire_new(&scratch, &remora__load_report_answer__descriptor);
    message->interval_ms = interval_ms;
    struct span bytes = wire_pack(arena, &message->base);
    arena_done(&scratch);
    return bytes;
}

bool xds_load_answer_decode(struct span bytes, uint64_t *ret_interval_ms,
                            struct xds_error *ret_error)
{
    struct wire_reader reader;
    wire_reader_init(&reader, NULL, ret_error);
    const Remora__LoadReportAnswer *message =
        wire_unpack(&reader, &remora__load_report_answer__descriptor, bytes);
    if (message != NULL) {
        *ret_interval_ms = message->interval_ms;
    }
    wire_reader_done(&reader);
    return message != NULL;
}
