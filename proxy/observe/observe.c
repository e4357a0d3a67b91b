#include "proxy/observe/observe.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/stats/writer.h"
#include "proxy/observe/access_log.h"
#include "proxy/observe/flight_recorder.h"
#include "proxy/observe/proxy_stats.h"
#include "proxy/observe/series_cache.h"

#include <stdio.h>
#include <unistd.h>

enum { EXPIRE_MS = 60000 };

struct observe {
    struct loop *loop;
    struct stats_writer *writer;
    struct access_log *log;
    struct flight_recorder recorder;
    struct series_cache cache;
    struct timer expire;
    uint64_t log_dropped_told;
    uint8_t log_mode; /* enum xds_access_log */
};

static int64_t now_of(const struct observe *observe)
{
    return loop_now_ns(observe->loop);
}

static void on_expire(struct timer *timer)
{
    struct observe *observe = CONTAINER_OF(timer, struct observe, expire);
    series_cache_clear(&observe->cache);
    stats_writer_expire(observe->writer, now_of(observe));
    timer_start(timer, EXPIRE_MS * NS_PER_MS);
}

struct observe *observe_create(struct loop *loop, struct stats_registry *registry, uint32_t worker)
{
    struct observe *observe = NEW(struct observe);
    observe->loop = loop;
    observe->writer = stats_writer_create(registry);
    observe->log = access_log_create(loop, STDOUT_FILENO);
    observe->log_mode = XDS_ACCESS_LOG_FAILURES;
    timer_init(&observe->expire, loop, on_expire);
    timer_start(&observe->expire, EXPIRE_MS * NS_PER_MS);
    return observe;
}

void observe_destroy(struct observe *observe)
{
    if (observe != NULL) {
        timer_stop(&observe->expire);
        access_log_destroy(observe->log);
        flight_recorder_done(&observe->recorder);
        stats_writer_destroy(observe->writer);
        mem_free(observe);
    }
}

void observe_configure(struct observe *observe, const struct workload_config *workload)
{
    observe->log_mode = workload->facts.access_log;
    access_log_form(observe->log, workload->facts.access_log_text);
}

static struct span direction_of(uint8_t direction)
{
    return direction == RECORD_INBOUND ? SPAN("inbound") : SPAN("outbound");
}

static struct span or_unknown(struct span name)
{
    return name.length > 0 ? name : SPAN("unknown");
}

static struct span mtls_of(const struct request_record *record)
{
    bool mtls =
        record->direction == RECORD_INBOUND ? record->mtls_downstream : record->mtls_upstream;
    return mtls ? SPAN("true") : SPAN("false");
}

static bool is_failure(const struct request_record *record)
{
    return record->failure != FAILURE_NONE || record->status >= 500;
}

static void log_record(struct observe *observe, const struct request_record *record)
{
    if (observe->log_mode == XDS_ACCESS_LOG_ALL ||
        (observe->log_mode == XDS_ACCESS_LOG_FAILURES && is_failure(record))) {
        access_log_write(observe->log, record);
    }
    uint64_t dropped = access_log_dropped(observe->log);
    if (dropped != observe->log_dropped_told) {
        struct stats_cell *cell =
            stats_find(observe->writer, PROXY_STAT_ACCESS_LOG_DROPPED, NULL, 0, now_of(observe));
        stats_add(cell, dropped - observe->log_dropped_told);
        observe->log_dropped_told = dropped;
    }
    flight_recorder_note(&observe->recorder, record);
}

static uint64_t micros(int64_t from_ns, int64_t to_ns)
{
    return from_ns > 0 && to_ns > from_ns ? (uint64_t)(to_ns - from_ns) / 1000 : 0;
}

/* What these three take from the record is in the key of series_cache.c. */
static struct stats_cell *find_requests(struct observe *observe,
                                        const struct request_record *record)
{
    char code[SPAN_U64_BYTES];
    return STATS_FIND(
        observe->writer, now_of(observe), PROXY_STAT_REQUESTS, direction_of(record->direction),
        or_unknown(record->source_workload), or_unknown(record->source_namespace),
        or_unknown(record->destination_service), or_unknown(record->destination_namespace),
        or_unknown(record->destination_workload), record->route,
        span_from_u64(record->status, code), failure_word(record->failure), mtls_of(record));
}

static struct stats_cell *find_duration(struct observe *observe,
                                        const struct request_record *record)
{
    return STATS_FIND(observe->writer, now_of(observe), PROXY_STAT_REQUEST_DURATION,
                      direction_of(record->direction), or_unknown(record->source_workload),
                      or_unknown(record->destination_service),
                      or_unknown(record->destination_namespace),
                      or_unknown(record->destination_version), record->route);
}

static struct stats_cell *find_latency(struct observe *observe, const struct request_record *record)
{
    return STATS_FIND(observe->writer, now_of(observe), PROXY_STAT_RESPONSE_LATENCY,
                      direction_of(record->direction), or_unknown(record->destination_service),
                      or_unknown(record->destination_namespace), record->route);
}

static void count_request(struct observe *observe, const struct request_record *record)
{
    struct request_cells unkept = {0};
    bool hit = false;
    struct request_cells *cells = series_cache_slot(&observe->cache, record, &hit);
    if (cells == NULL) {
        cells = &unkept;
    }
    if (!hit) {
        cells->requests = find_requests(observe, record);
        cells->duration = find_duration(observe, record);
    }
    int64_t now = now_of(observe);
    stats_used(cells->requests, now);
    stats_add(cells->requests, 1);
    stats_used(cells->duration, now);
    stats_record(cells->duration, micros(record->opened_ns, record->done_ns));
    if (record->first_byte_ns > 0) {
        if (cells->latency == NULL) {
            cells->latency = find_latency(observe, record);
        }
        stats_used(cells->latency, now);
        stats_record(cells->latency, micros(record->upstream_ns, record->first_byte_ns));
    }
}

static void count_grpc(struct observe *observe, const struct request_record *record)
{
    char status[8];
    snprintf(status, sizeof(status), "%d", record->grpc_status);
    struct stats_cell *grpc =
        STATS_FIND(observe->writer, now_of(observe), PROXY_STAT_GRPC,
                   direction_of(record->direction), or_unknown(record->destination_service),
                   or_unknown(record->destination_namespace), span_of(status));
    stats_add(grpc, 1);
}

void observe_request(struct observe *observe, const struct request_record *record)
{
    count_request(observe, record);
    if (record->grpc_status >= 0) {
        count_grpc(observe, record);
    }
    if (record->retry_denied != NULL && is_failure(record)) {
        observe_retry(observe, NULL, record->retry_denied);
    }
    log_record(observe, record);
}

static struct stats_cell *hold_bytes(struct observe *observe, const struct request_record *record,
                                     enum proxy_stat stat)
{
    return STATS_HOLD(observe->writer, stat, direction_of(record->direction),
                      or_unknown(record->source_workload), or_unknown(record->destination_service),
                      or_unknown(record->destination_namespace));
}

void observe_tcp_opened(struct observe *observe, const struct request_record *record,
                        struct tcp_cells *ret_cells)
{
    struct stats_cell *cell = STATS_FIND(
        observe->writer, now_of(observe), PROXY_STAT_TCP_OPENED, direction_of(record->direction),
        or_unknown(record->source_workload), or_unknown(record->destination_service),
        or_unknown(record->destination_namespace), mtls_of(record));
    stats_add(cell, 1);
    ret_cells->received = hold_bytes(observe, record, PROXY_STAT_TCP_RECEIVED);
    ret_cells->sent = hold_bytes(observe, record, PROXY_STAT_TCP_SENT);
}

void observe_tcp_moved(const struct tcp_cells *cells, uint64_t received_bytes, uint64_t sent_bytes)
{
    stats_add(cells->received, received_bytes);
    stats_add(cells->sent, sent_bytes);
}

void observe_tcp_closed(struct observe *observe, const struct request_record *record,
                        struct tcp_cells *cells)
{
    struct stats_cell *cell = STATS_FIND(
        observe->writer, now_of(observe), PROXY_STAT_TCP_CLOSED, direction_of(record->direction),
        or_unknown(record->source_workload), or_unknown(record->destination_service),
        or_unknown(record->destination_namespace), failure_word(record->failure));
    stats_add(cell, 1);
    stats_release(observe->writer, cells->received, now_of(observe));
    stats_release(observe->writer, cells->sent, now_of(observe));
    *cells = (struct tcp_cells){NULL, NULL};
    log_record(observe, record);
}

void observe_refused(struct observe *observe, uint8_t direction, enum failure failure,
                     const struct address *from, uint16_t port)
{
    char text[8];
    snprintf(text, sizeof(text), "%u", port);
    struct stats_cell *cell =
        STATS_FIND(observe->writer, now_of(observe), PROXY_STAT_REFUSED, direction_of(direction),
                   failure_word(failure), span_of(text));
    stats_add(cell, 1);
    struct request_record record = {
        .direction = direction,
        .protocol = RECORD_TCP,
        .failure = failure,
        .grpc_status = -1,
        .downstream = *from,
        .opened_ns = now_of(observe),
        .done_ns = now_of(observe),
    };
    log_record(observe, &record);
}

void observe_plaintext(struct observe *observe, const struct address *from, uint16_t port)
{
    char source[ADDRESS_TEXT_BYTES];
    char text[8];
    address_format_ip(from, source);
    snprintf(text, sizeof(text), "%u", port);
    struct stats_cell *cell = STATS_FIND(observe->writer, now_of(observe), PROXY_STAT_PLAINTEXT,
                                         span_of(source), span_of(text));
    stats_add(cell, 1);
}

void observe_detected(struct observe *observe, const char *result, int64_t took_ns)
{
    int64_t now = now_of(observe);
    stats_add(STATS_FIND(observe->writer, now, PROXY_STAT_DETECTED, span_of(result)), 1);
    stats_record(STATS_FIND(observe->writer, now, PROXY_STAT_DETECT_TIME, span_of(result)),
                 (uint64_t)(took_ns > 0 ? took_ns : 0) / 1000);
}

void observe_retry(struct observe *observe, const char *kind, const char *denied)
{
    int64_t now = now_of(observe);
    if (denied != NULL) {
        stats_add(STATS_FIND(observe->writer, now, PROXY_STAT_RETRY_DENIED, span_of(denied)), 1);
    } else {
        stats_add(STATS_FIND(observe->writer, now, PROXY_STAT_RETRIES, span_of(kind)), 1);
    }
}

void observe_recorded(const struct observe *observe, struct text *ret_json)
{
    flight_recorder_write(&observe->recorder, ret_json);
}

struct stats_writer *observe_writer(struct observe *observe)
{
    return observe->writer;
}
