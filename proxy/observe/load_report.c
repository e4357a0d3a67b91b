#include "proxy/observe/load_report.h"

#include "lib/base/clock.h"
#include "lib/base/failure.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"
#include "lib/grpc/grpc_status.h"
#include "proxy/observe/proxy_stats.h"

/* What a series said at the last look. */
struct seen {
    uint64_t number;
    uint64_t look;
    struct distribution *distribution; /* histograms */
};

/* One line of the report: whom, which way, which version. Texts follow the struct. */
struct load_line {
    struct span service, namespace_name, version;
    bool inbound;
    uint64_t requests, failures, grpc_failures, bytes_sent, bytes_received, connections;
    struct distribution latency;
    int64_t moved_ns; /* when it last had traffic */
};

struct load_report {
    const struct stats_registry *registry;
    struct span node_id, version;
    const struct load_names *names;
    void *owner;
    struct map seen;  /* series key -> struct seen */
    struct map lines; /* -> struct load_line */
    uint64_t looks;
    int64_t looked_ns;
    int64_t now_ns; /* of this look */
};

/* ---- Series ---------------------------------------------------------------------------------- */

static struct seen *seen_of(struct load_report *report, const struct stats_series *series)
{
    struct span key = stats_series_key(series);
    struct seen *seen = map_get(&report->seen, key);
    if (seen == NULL) {
        seen = NEW(struct seen);
        map_put(&report->seen, key, seen);
    }
    seen->look = report->looks;
    return seen;
}

static uint64_t counter_grown(struct load_report *report, const struct stats_series *series)
{
    struct seen *seen = seen_of(report, series);
    uint64_t number = stats_counter_value(series);
    uint64_t grown = number >= seen->number ? number - seen->number : number;
    seen->number = number;
    return grown;
}

/* False when nothing came. */
static bool histogram_grown(struct load_report *report, const struct stats_series *series,
                            struct distribution *ret)
{
    struct seen *seen = seen_of(report, series);
    struct distribution now = {0};
    stats_histogram_value(series, &now);
    if (seen->distribution == NULL) {
        seen->distribution = NEW(struct distribution);
    }
    *ret = now;
    if (now.count >= seen->distribution->count) {
        distribution_subtract(ret, seen->distribution);
    }
    *seen->distribution = now;
    return ret->count > 0;
}

static void seen_free(struct seen *seen)
{
    mem_free(seen->distribution);
    mem_free(seen);
}

static void forget_gone(struct load_report *report)
{
    struct span key;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&report->seen, &at, &key, &value)) {
        struct seen *seen = value;
        if (seen->look != report->looks) {
            map_remove(&report->seen, key);
            seen_free(seen);
        }
    }
}

/* The value of the label with this name; every statistic read here has it. */
static struct span label(const struct load_report *report, const struct stats_series *series,
                         unsigned stat, const char *name)
{
    size_t count = stats_label_count(report->registry, stat);
    for (size_t i = 0; i < count; i++) {
        if (span_equal_text(stats_label_name(report->registry, stat, i), name)) {
            return stats_label_value(series, i);
        }
    }
    return SPAN_EMPTY;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static struct span put_text(char **at, struct span text)
{
    struct span kept = {*at, text.length};
    for (size_t i = 0; i < text.length; i++) {
        (*at)[i] = text.at[i];
    }
    *at += text.length;
    return kept;
}

static struct load_line *line_new(const struct load_line *from)
{
    size_t texts = from->service.length + from->namespace_name.length + from->version.length;
    struct load_line *line = mem_zalloc(sizeof(*line) + texts);
    char *at = (char *)(line + 1);
    line->inbound = from->inbound;
    line->moved_ns = INT64_MIN;
    line->service = put_text(&at, from->service);
    line->namespace_name = put_text(&at, from->namespace_name);
    line->version = put_text(&at, from->version);
    return line;
}

static struct load_line *line_of(struct load_report *report, const struct load_line *wanted)
{
    static const struct load_line other = {.service = {"other", 5}};
    struct arena arena = {0};
    struct span key = span_of(
        arena_printf(&arena, "%d\n%.*s\n%.*s\n%.*s", wanted->inbound, SPAN_ARG(wanted->service),
                     SPAN_ARG(wanted->namespace_name), SPAN_ARG(wanted->version)));
    struct load_line *line = map_get(&report->lines, key);
    if (line == NULL && report->lines.count >= LOAD_REPORT_SERVICES - 1) {
        /* The last place is for all others. */
        wanted = &other;
        key = SPAN("0\nother\n\n");
        line = map_get(&report->lines, key);
    }
    if (line == NULL) {
        line = line_new(wanted);
        map_put(&report->lines, key, line);
    }
    arena_done(&arena);
    return line;
}

static struct span unless_unknown(struct span name)
{
    return span_equal(name, SPAN("unknown")) ? SPAN_EMPTY : name;
}

/* Some statistics say the version, some only the workload, some neither. */
static struct span version_called(const struct load_report *report,
                                  const struct stats_series *series, unsigned stat,
                                  const struct load_line *line)
{
    struct span version = label(report, series, stat, "destination_version");
    struct span workload = label(report, series, stat, "destination_workload");
    if (version.length > 0 || workload.length == 0) {
        return unless_unknown(version);
    }
    return report->names->version_of(report->owner, line->namespace_name, line->service, workload);
}

/* Who it was for, by the labels that all statistics of traffic have. */
static struct load_line *line_of_series(struct load_report *report,
                                        const struct stats_series *series, unsigned stat)
{
    struct span direction = label(report, series, stat, "direction");
    struct load_line line = {.service = label(report, series, stat, "destination_service")};
    if (!span_equal(direction, SPAN("inbound")) && !span_equal(direction, SPAN("outbound"))) {
        return line_of(report, &(struct load_line){.service = SPAN("other")});
    }
    line.inbound = span_equal(direction, SPAN("inbound"));
    line.namespace_name = label(report, series, stat, "destination_namespace");
    line.version = line.inbound ? report->version : version_called(report, series, stat, &line);
    line.namespace_name = unless_unknown(line.namespace_name);
    return line_of(report, &line);
}

static void line_moved(const struct load_report *report, struct load_line *line)
{
    line->moved_ns = report->now_ns;
}

static void forget_quiet(struct load_report *report)
{
    struct span key;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&report->lines, &at, &key, &value)) {
        struct load_line *line = value;
        if (line->connections == 0 &&
            line->moved_ns < report->now_ns - LOAD_REPORT_WINDOW_MS * NS_PER_MS) {
            map_remove(&report->lines, key);
            mem_free(line);
        }
    }
}

static void lines_clear(struct load_report *report)
{
    struct span key;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&report->lines, &at, &key, &value)) {
        struct load_line *line = value;
        line->requests = line->failures = line->grpc_failures = 0;
        line->bytes_sent = line->bytes_received = line->connections = 0;
        distribution_clear(&line->latency);
    }
}

/* ---- Looking --------------------------------------------------------------------------------- */

static bool is_failure(struct span code, struct span reason)
{
    uint64_t status = 0;
    if (span_to_u64(code, 999, &status) && status >= 500) {
        return true;
    }
    for (int i = FAILURE_NONE + 1; i < FAILURE_COUNT; i++) {
        if (span_equal(failure_word((enum failure)i), reason)) {
            return failure_facts((enum failure)i)->http_status >= 500;
        }
    }
    return false;
}

/* The server's fault, as an HTTP status of 500 and above is. */
static bool is_grpc_failure(struct span status)
{
    switch (grpc_code_read(status)) {
    case GRPC_UNKNOWN:
    case GRPC_DEADLINE_EXCEEDED:
    case GRPC_UNIMPLEMENTED:
    case GRPC_INTERNAL:
    case GRPC_UNAVAILABLE:
    case GRPC_DATA_LOSS:
        return true;
    default:
        return false;
    }
}

static void take_requests(struct load_report *report, const struct stats_series *series,
                          uint64_t grown)
{
    struct load_line *line = line_of_series(report, series, PROXY_STAT_REQUESTS);
    struct span code = label(report, series, PROXY_STAT_REQUESTS, "code");
    struct span reason = label(report, series, PROXY_STAT_REQUESTS, "reason");
    line->requests += grown;
    line->failures += is_failure(code, reason) ? grown : 0;
    line_moved(report, line);
}

static void take_grpc(struct load_report *report, const struct stats_series *series, uint64_t grown)
{
    if (is_grpc_failure(label(report, series, PROXY_STAT_GRPC, "status"))) {
        line_of_series(report, series, PROXY_STAT_GRPC)->grpc_failures += grown;
    }
}

static void take_received(struct load_report *report, const struct stats_series *series,
                          uint64_t grown)
{
    struct load_line *line = line_of_series(report, series, PROXY_STAT_TCP_RECEIVED);
    line->bytes_received += grown;
    line_moved(report, line);
}

static void take_sent(struct load_report *report, const struct stats_series *series, uint64_t grown)
{
    struct load_line *line = line_of_series(report, series, PROXY_STAT_TCP_SENT);
    line->bytes_sent += grown;
    line_moved(report, line);
}

static void look_at_counters(struct load_report *report, unsigned stat,
                             void (*take)(struct load_report *report,
                                          const struct stats_series *series, uint64_t grown))
{
    for (const struct stats_series *series = stats_first(report->registry, stat); series != NULL;
         series = stats_next(series)) {
        uint64_t grown = counter_grown(report, series);
        if (grown > 0) {
            take(report, series, grown);
        }
    }
}

static void look_at_durations(struct load_report *report)
{
    enum { STAT = PROXY_STAT_REQUEST_DURATION };
    for (const struct stats_series *series = stats_first(report->registry, STAT); series != NULL;
         series = stats_next(series)) {
        struct distribution grown;
        if (histogram_grown(report, series, &grown)) {
            struct load_line *line = line_of_series(report, series, STAT);
            distribution_merge(&line->latency, &grown);
            line_moved(report, line);
        }
    }
}

static void look_at_connections(struct load_report *report)
{
    enum { STAT = PROXY_STAT_UPSTREAM_CONNECTIONS };
    for (const struct stats_series *series = stats_first(report->registry, STAT); series != NULL;
         series = stats_next(series)) {
        struct load_line line = {0};
        int64_t open = stats_gauge_value(series);
        if (open > 0 &&
            report->names->service_of(report->owner, stats_label_value(series, 0), &line.inbound,
                                      &line.service, &line.namespace_name)) {
            line.version = line.inbound ? report->version : SPAN_EMPTY;
            line_of(report, &line)->connections += (uint64_t)open;
        }
    }
}

static void look(struct load_report *report, int64_t now_ns)
{
    report->looks++;
    report->now_ns = now_ns;
    lines_clear(report);
    look_at_counters(report, PROXY_STAT_REQUESTS, take_requests);
    look_at_counters(report, PROXY_STAT_GRPC, take_grpc);
    look_at_counters(report, PROXY_STAT_TCP_RECEIVED, take_received);
    look_at_counters(report, PROXY_STAT_TCP_SENT, take_sent);
    look_at_durations(report);
    look_at_connections(report);
    forget_gone(report);
    forget_quiet(report);
}

/* ---- As a message ---------------------------------------------------------------------------- */

static void line_write(const struct load_line *line, struct arena *arena,
                       struct xds_service_load *ret)
{
    /* gRPC statuses are counted without Remora's own word, so the two may mean the same ends. */
    uint64_t failures = line->failures > line->grpc_failures ? line->failures : line->grpc_failures;
    size_t filled = digest_encode(&line->latency, NULL, 0);
    struct digest_entry *entries = ARENA_ARRAY(arena, struct digest_entry, filled);
    digest_encode(&line->latency, entries, filled);
    *ret = (struct xds_service_load){
        .service = arena_span(arena, line->service),
        .namespace_name = arena_span(arena, line->namespace_name),
        .version = arena_span(arena, line->version),
        .inbound = line->inbound,
        .requests = line->requests,
        .failures = failures < line->requests ? failures : line->requests,
        .latency_sum_us = line->latency.sum_us,
        .latency = entries,
        .latency_count = (uint32_t)filled,
        .bytes_sent = line->bytes_sent,
        .bytes_received = line->bytes_received,
        .open_connections = line->connections,
    };
}

bool load_report_look(struct load_report *report, int64_t now_ns, struct arena *arena,
                      struct xds_load_report *ret)
{
    int64_t passed_ms = (now_ns - report->looked_ns) / NS_PER_MS;
    look(report, now_ns);
    report->looked_ns = now_ns;
    struct xds_service_load *services =
        ARENA_ARRAY(arena, struct xds_service_load, report->lines.count);
    struct span key;
    void *value = NULL;
    size_t at = 0;
    uint32_t count = 0;
    bool moved = false;
    while (map_next(&report->lines, &at, &key, &value)) {
        const struct load_line *line = value;
        moved = moved || line->moved_ns >= now_ns - LOAD_REPORT_WINDOW_MS * NS_PER_MS;
        line_write(line, arena, &services[count++]);
    }
    *ret = (struct xds_load_report){
        .node_id = report->node_id,
        .interval_ms = passed_ms > 0 ? (uint64_t)passed_ms : 1,
        .services = services,
        .service_count = count,
    };
    return moved;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void forget_lines(struct load_report *report)
{
    struct span key;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&report->lines, &at, &key, &value)) {
        mem_free(value);
    }
    map_done(&report->lines);
}

struct load_report *load_report_create(const struct stats_registry *registry, struct span node_id,
                                       struct span version, const struct load_names *names,
                                       void *owner, int64_t now_ns)
{
    struct load_report *report = NEW(struct load_report);
    report->registry = registry;
    report->node_id = node_id;
    report->version = version;
    report->names = names;
    report->owner = owner;
    report->looked_ns = now_ns;
    look(report, now_ns);
    forget_lines(report);
    return report;
}

void load_report_destroy(struct load_report *report)
{
    if (report == NULL) {
        return;
    }
    struct span key;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&report->seen, &at, &key, &value)) {
        seen_free(value);
    }
    map_done(&report->seen);
    forget_lines(report);
    mem_free(report);
}
