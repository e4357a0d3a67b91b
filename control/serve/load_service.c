#include "control/serve/load_service.h"

#include "control/serve/message.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/xds/xds_load.h"

#include "envoy/service/load_stats/v3/lrs.pb-c.h"

/* ---- Reports --------------------------------------------------------------------------------- */

/* "shop/api" where the service is one of the mesh, else the host. */
static struct span service_name(const struct xds_service_load *load, struct arena *arena)
{
    if (load->namespace_name.length == 0 ||
        span_find_byte(load->service, '/') < load->service.length) {
        return load->service.length > 0 ? load->service : load->cluster;
    }
    return span_of(
        arena_printf(arena, "%.*s/%.*s", SPAN_ARG(load->namespace_name), SPAN_ARG(load->service)));
}

static bool take_own(struct load_service *service, struct span source, struct span node,
                     const struct xds_load_report *report, struct arena *arena,
                     struct xds_error *ret_error)
{
    if (report->service_count > LOAD_SERVICES) {
        *ret_error = (struct xds_error){"a load report has at most 4096 services"};
        return false;
    }
    for (uint32_t i = 0; i < report->service_count; i++) {
        const struct xds_service_load *load = &report->services[i];
        struct load_facts facts = {
            .source = source,
            .node = node,
            .service = service_name(load, arena),
            .version = load->version,
            .inbound = load->inbound,
            .interval_ms = report->interval_ms,
            .requests = load->requests,
            .failures = load->failures,
            .latency_sum_us = load->latency_sum_us,
            .bytes_sent = load->bytes_sent,
            .bytes_received = load->bytes_received,
            .connections = load->open_connections,
            .latency = load->latency,
            .latency_count = load->latency_count,
        };
        if (!load_table_add(service->table, loop_now_ns(service->loop), &facts)) {
            *ret_error = (struct xds_error){"a service of the load report is malformed"};
            return false;
        }
    }
    return true;
}

/* "outbound|8080||HOST" is HOST. */
static struct span host_of(struct span cluster)
{
    size_t bar = cluster.length;
    while (bar > 0 && cluster.at[bar - 1] != '|') {
        bar--;
    }
    return span_cut(cluster, bar, cluster.length);
}

static void take_cluster(struct load_service *service, struct span source, struct span node,
                         const Ep__ClusterStats *stats)
{
    struct load_facts facts = {
        .source = source,
        .node = node,
        .service = host_of(span_of(stats->cluster_name)),
        .interval_ms = LOAD_INTERVAL_MS,
    };
    const Pb__Duration *interval = stats->load_report_interval;
    if (interval != NULL && interval->seconds >= 0 && interval->seconds < 100 &&
        interval->nanos >= 0) {
        facts.interval_ms =
            (uint64_t)interval->seconds * 1000 + (uint64_t)interval->nanos / (uint64_t)NS_PER_MS;
    }
    for (size_t i = 0; i < stats->n_upstream_locality_stats; i++) {
        const Ep__UpstreamLocalityStats *locality = stats->upstream_locality_stats[i];
        facts.requests += locality->total_successful_requests + locality->total_error_requests;
        facts.failures += locality->total_error_requests;
    }
    facts.requests += stats->total_dropped_requests;
    facts.failures += stats->total_dropped_requests;
    (void)load_table_add(service->table, loop_now_ns(service->loop), &facts);
}

bool load_service_take(struct load_service *service, bool lrs, struct span source,
                       struct span *node, struct arena *node_arena, struct span message,
                       struct xds_error *ret_error)
{
    struct arena arena = {0};
    bool good = false;
    if (lrs) {
        const Lrs__LoadStatsRequest *request =
            message_unpack(&arena, &lrs__load_stats_request__descriptor, message, ret_error);
        good = request != NULL;
        if (good && request->node != NULL && node->length == 0) {
            *node = arena_span(node_arena, span_of(request->node->id));
        }
        for (size_t i = 0; good && i < request->n_cluster_stats && i < LOAD_SERVICES; i++) {
            take_cluster(service, source, *node, request->cluster_stats[i]);
        }
    } else {
        struct xds_load_report report;
        good = xds_load_report_decode(message, &arena, &report, ret_error);
        if (good && node->length == 0) {
            *node = arena_span(node_arena, report.node_id);
        }
        good = good && take_own(service, source, *node, &report, &arena, ret_error);
    }
    arena_done(&arena);
    control_stats_add(service->stats, CONTROL_STAT_LOAD_REPORTS, 1);
    return good;
}

/* ---- As gRPC methods ------------------------------------------------------------------------- */

struct reporter {
    struct load_service *service;
    bool lrs;
    bool counted;
    struct arena arena;
    struct span source; /* "shop/web" */
    struct span node;
    uint64_t told_ms;
};

static void tell_interval(struct reporter *reporter, struct grpc_served *served)
{
    uint64_t interval_ms = load_interval_ms(reporter->service->reporters);
    if (interval_ms == reporter->told_ms || grpc_served_queued(served) > 0) {
        return;
    }
    struct arena arena = {0};
    reporter->told_ms = interval_ms;
    if (reporter->lrs) {
        Lrs__LoadStatsResponse *answer = message_new(&arena, &lrs__load_stats_response__descriptor);
        Pb__Duration *duration = message_new(&arena, &pb__duration__descriptor);
        duration->seconds = (int64_t)(interval_ms / 1000);
        duration->nanos = (int32_t)((int64_t)(interval_ms % 1000) * NS_PER_MS);
        answer->load_reporting_interval = duration;
        answer->send_all_clusters = true;
        grpc_served_send(served, message_pack(&arena, &answer->base));
    } else {
        grpc_served_send(served, xds_load_answer_encode(interval_ms, &arena));
    }
    arena_done(&arena);
}

static struct reporter *begin(struct load_service *service, bool lrs, struct grpc_served *served,
                              const struct http_head *head, const struct grpc_peer *peer)
{
    struct reporter *reporter = NEW(struct reporter);
    struct caller_evidence evidence = {peer->identity, grpc_bearer(head)};
    struct caller caller;
    struct caller_refusal refusal;
    reporter->service = service;
    reporter->lrs = lrs;
    live_calls_enter(service->calls);
    if (!caller_prove(service->tokens, service->trust_domain, &evidence, NULL, false, &caller,
                      &refusal)) {
        control_stats_add_for(service->stats, CONTROL_STAT_REFUSED, refusal.word, 1);
        grpc_served_finish(served, refusal.code, span_of(refusal.text));
        return reporter;
    }
    reporter->source =
        span_of(arena_printf(&reporter->arena, "%.*s/%.*s", SPAN_ARG(caller.namespace_name),
                             SPAN_ARG(caller.service_account)));
    reporter->counted = true;
    service->reporters++;
    return reporter;
}

static void *on_own_call(void *service, struct grpc_served *served, const struct http_head *head,
                         const struct grpc_peer *peer)
{
    return begin(service, false, served, head, peer);
}

static void *on_lrs_call(void *service, struct grpc_served *served, const struct http_head *head,
                         const struct grpc_peer *peer)
{
    return begin(service, true, served, head, peer);
}

static void on_message(void *owner, struct grpc_served *served, struct span message)
{
    struct reporter *reporter = owner;
    struct xds_error error;
    if (!load_service_take(reporter->service, reporter->lrs, reporter->source, &reporter->node,
                           &reporter->arena, message, &error)) {
        grpc_served_finish(served, GRPC_INVALID_ARGUMENT, span_of(error.text));
        return;
    }
    tell_interval(reporter, served);
}

static void on_half_close(void *owner, struct grpc_served *served)
{
    grpc_served_finish(served, GRPC_OK, SPAN_EMPTY);
}

static void on_gone(void *owner, struct grpc_served *served)
{
    struct reporter *reporter = owner;
    reporter->service->reporters -= reporter->counted;
    live_calls_leave(reporter->service->calls);
    arena_done(&reporter->arena);
    mem_free(reporter);
}

static struct grpc_method method_of(struct load_service *service, const char *path)
{
    return (struct grpc_method){
        .path = path,
        .message_limit = LOAD_REPORT_BYTES,
        .on_message = on_message,
        .on_half_close = on_half_close,
        .on_gone = on_gone,
        .service = service,
    };
}

struct grpc_method load_service_method(struct load_service *service)
{
    struct grpc_method method = method_of(service, XDS_PATH_LOAD);
    method.on_call = on_own_call;
    return method;
}

struct grpc_method load_service_lrs_method(struct load_service *service)
{
    struct grpc_method method = method_of(service, LRS_PATH);
    method.on_call = on_lrs_call;
    return method;
}
