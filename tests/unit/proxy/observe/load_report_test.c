#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/stats/writer.h"
#include "proxy/observe/load_report.h"
#include "proxy/observe/proxy_stats.h"
#include "tests/unit/test_main.h"

#include <stdlib.h>

/* A registry that a test writes to, and the report that is made of it, as sorted lines of text. */

enum { SECOND_MS = 1000 };

struct bed {
    struct stats_registry *registry;
    struct stats_writer *writer;
    struct load_report *report;
    int64_t now_ns;
    bool moved;
    uint64_t interval_ms;
    uint32_t services;
    char *lines;
};

static bool service_of(void *owner, struct span cluster, bool *ret_inbound,
                       struct span *ret_service, struct span *ret_namespace)
{
    (void)owner;
    *ret_inbound = span_starts_with(cluster, SPAN("inbound|"));
    *ret_service = *ret_inbound ? SPAN("web") : SPAN("api");
    *ret_namespace = SPAN("shop");
    return !span_starts_with(cluster, SPAN("passthrough|"));
}

static struct span version_of(void *owner, struct span namespace_name, struct span service,
                              struct span workload)
{
    (void)owner;
    (void)namespace_name;
    (void)service;
    return span_equal(workload, SPAN("api-v2")) ? SPAN("v2") : SPAN_EMPTY;
}

static const struct load_names names = {service_of, version_of};

static void bed_report(struct bed *bed)
{
    bed->report = load_report_create(bed->registry, SPAN("web-1.shop"), SPAN("v7"), &names, NULL,
                                     bed->now_ns);
}

static struct bed *bed_open(size_t series_limit)
{
    struct bed *bed = NEW(struct bed);
    bed->now_ns = 100 * NS_PER_S;
    bed->registry = stats_registry_create(proxy_stats, PROXY_STAT_COUNT, 2, series_limit);
    bed->writer = stats_writer_create(bed->registry);
    bed_report(bed);
    return bed;
}

static void bed_close(struct bed *bed)
{
    load_report_destroy(bed->report);
    stats_writer_destroy(bed->writer);
    stats_registry_destroy(bed->registry);
    mem_free(bed->lines);
    mem_free(bed);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *line_text(struct arena *arena, const struct xds_service_load *load)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < load->latency_count; i++) {
        count += load->latency[i].count;
    }
    return arena_printf(
        arena, "%s %.*s/%.*s@%.*s req=%llu fail=%llu lat=%llu/%llu tx=%llu rx=%llu conn=%llu\n",
        load->inbound ? "in" : "out", SPAN_ARG(load->namespace_name), SPAN_ARG(load->service),
        SPAN_ARG(load->version), (unsigned long long)load->requests,
        (unsigned long long)load->failures, (unsigned long long)count,
        (unsigned long long)load->latency_sum_us, (unsigned long long)load->bytes_sent,
        (unsigned long long)load->bytes_received, (unsigned long long)load->open_connections);
}

static void bed_look(struct bed *bed, int64_t after_ms)
{
    struct arena arena = {0};
    struct xds_load_report report;
    struct text text = {0};
    bed->now_ns += after_ms * NS_PER_MS;
    bed->moved = load_report_look(bed->report, bed->now_ns, &arena, &report);
    assert_true(span_equal(report.node_id, SPAN("web-1.shop")));
    bed->interval_ms = report.interval_ms;
    bed->services = report.service_count;
    char **lines = ARENA_ARRAY(&arena, char *, report.service_count + 1);
    for (uint32_t i = 0; i < report.service_count; i++) {
        lines[i] = line_text(&arena, &report.services[i]);
    }
    qsort(lines, report.service_count, sizeof(lines[0]), by_text);
    for (uint32_t i = 0; i < report.service_count; i++) {
        text_add_text(&text, lines[i]);
    }
    mem_free(bed->lines);
    bed->lines = text_take(&text);
    arena_done(&arena);
}

static void assert_look(struct bed *bed, const char *lines)
{
    bed_look(bed, SECOND_MS);
    assert_string_equal(bed->lines, lines);
}

struct traffic {
    const char *direction, *service, *namespace_name, *workload, *code, *reason;
};

static void count(struct bed *bed, const struct traffic *of, uint64_t amount)
{
    stats_add(STATS_FIND(bed->writer, bed->now_ns, PROXY_STAT_REQUESTS, span_of(of->direction),
                         SPAN("front"), SPAN("shop"), span_of(of->service),
                         span_of(of->namespace_name), span_of(of->workload), SPAN("route"),
                         span_of(of->code), span_of(of->reason), SPAN("true")),
              amount);
}

static void took_version(struct bed *bed, const char *direction, const char *service,
                         const char *version, uint64_t us)
{
    stats_record(STATS_FIND(bed->writer, bed->now_ns, PROXY_STAT_REQUEST_DURATION,
                            span_of(direction), SPAN("front"), span_of(service), SPAN("shop"),
                            span_of(version), SPAN("route")),
                 us);
}

static void took(struct bed *bed, const char *direction, const char *service, uint64_t us)
{
    took_version(bed, direction, service, "unknown", us);
}

static void carried(struct bed *bed, enum proxy_stat stat, const char *service, uint64_t bytes)
{
    stats_add(STATS_FIND(bed->writer, bed->now_ns, stat, SPAN("outbound"), SPAN("front"),
                         span_of(service), SPAN("shop")),
              bytes);
}

static void connected(struct bed *bed, const char *cluster, int64_t open)
{
    stats_set(
        STATS_FIND(bed->writer, bed->now_ns, PROXY_STAT_UPSTREAM_CONNECTIONS, span_of(cluster)),
        open);
}

static const struct traffic api = {"outbound", "api", "shop", "api-v1", "200", "none"};
static const struct traffic web = {"inbound", "web", "shop", "web", "200", "none"};

/* ---- Differences ----------------------------------------------------------------------------- */

static void what_was_there_before_the_first_look_is_not_told(void **state)
{
    struct bed *bed = bed_open(0);
    (void)state;
    count(bed, &api, 100);
    took(bed, "outbound", "api", 1000);
    load_report_destroy(bed->report);
    bed_report(bed);
    assert_look(bed, "");
    assert_false(bed->moved);
    count(bed, &api, 3);
    took(bed, "outbound", "api", 500);
    assert_look(bed, "out shop/api@ req=3 fail=0 lat=1/500 tx=0 rx=0 conn=0\n");
    assert_true(bed->moved);
    bed_close(bed);
}

static void a_look_tells_only_what_came_since_the_one_before(void **state)
{
    struct bed *bed = bed_open(0);
    (void)state;
    count(bed, &api, 5);
    took(bed, "outbound", "api", 1000);
    took(bed, "outbound", "api", 3000);
    assert_look(bed, "out shop/api@ req=5 fail=0 lat=2/4000 tx=0 rx=0 conn=0\n");
    count(bed, &api, 2);
    took(bed, "outbound", "api", 7000);
    bed_look(bed, 2500);
    assert_string_equal(bed->lines, "out shop/api@ req=2 fail=0 lat=1/7000 tx=0 rx=0 conn=0\n");
    assert_int_equal(bed->interval_ms, 2500);
    bed_close(bed);
}

static void series_that_begin_between_two_looks_count_from_zero(void **state)
{
    struct bed *bed = bed_open(0);
    const struct traffic other_code = {"outbound", "api", "shop", "api-v1", "503", "no_endpoint"};
    (void)state;
    count(bed, &api, 1);
    bed_look(bed, SECOND_MS);
    count(bed, &api, 1);
    count(bed, &other_code, 4);
    assert_look(bed, "out shop/api@ req=5 fail=4 lat=0/0 tx=0 rx=0 conn=0\n");
    bed_close(bed);
}

static void directions_and_versions_are_lines_of_their_own(void **state)
{
    struct bed *bed = bed_open(0);
    const struct traffic second = {"outbound", "api", "shop", "api-v2", "200", "none"};
    const struct traffic itself = {"outbound", "web", "shop", "web", "200", "none"};
    const struct traffic host = {"outbound", "example.org", "unknown", "unknown", "200", "none"};
    (void)state;
    count(bed, &web, 1);
    count(bed, &itself, 2);
    count(bed, &api, 3);
    count(bed, &second, 4);
    count(bed, &host, 5);
    took(bed, "inbound", "web", 10);
    took_version(bed, "outbound", "api", "v2", 20);
    assert_look(bed, "in shop/web@v7 req=1 fail=0 lat=1/10 tx=0 rx=0 conn=0\n"
                     "out /example.org@ req=5 fail=0 lat=0/0 tx=0 rx=0 conn=0\n"
                     "out shop/api@ req=3 fail=0 lat=0/0 tx=0 rx=0 conn=0\n"
                     "out shop/api@v2 req=4 fail=0 lat=1/20 tx=0 rx=0 conn=0\n"
                     "out shop/web@ req=2 fail=0 lat=0/0 tx=0 rx=0 conn=0\n");
    bed_close(bed);
}

/* The registry forgets a series after ten minutes without a holder; it may come again with less. */
static void expire(struct bed *bed)
{
    bed->now_ns += 2 * (int64_t)STATS_IDLE_S * NS_PER_S;
    stats_writer_expire(bed->writer, bed->now_ns);
    bed->now_ns += 2 * (int64_t)STATS_IDLE_S * NS_PER_S;
    stats_expire(bed->registry, bed->now_ns);
    assert_null(stats_first(bed->registry, PROXY_STAT_REQUESTS));
    assert_null(stats_first(bed->registry, PROXY_STAT_REQUEST_DURATION));
}

static void a_series_that_expired_and_came_again_counts_from_zero(void **state)
{
    static const struct {
        const char *name;
        bool looked_meanwhile;
        uint64_t before, after;
    } cases[] = {
        {"less than before, not seen to be gone", false, 100, 7},
        {"less than before, seen to be gone", true, 100, 7},
        {"more than before, seen to be gone", true, 5, 7},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bed *bed = bed_open(0);
        count(bed, &api, cases[i].before);
        for (uint64_t j = 0; j < cases[i].before; j++) {
            took(bed, "outbound", "api", 100);
        }
        bed_look(bed, SECOND_MS);
        expire(bed);
        if (cases[i].looked_meanwhile) {
            assert_look(bed, "");
        }
        count(bed, &api, cases[i].after);
        took(bed, "outbound", "api", 300);
        bed_look(bed, SECOND_MS);
        if (strcmp(bed->lines, "out shop/api@ req=7 fail=0 lat=1/300 tx=0 rx=0 conn=0\n") != 0) {
            fail_msg("%s: %s", cases[i].name, bed->lines);
        }
        bed_close(bed);
    }
}

/* ---- Bounds ---------------------------------------------------------------------------------- */

static void what_the_registry_folded_is_one_service_named_other(void **state)
{
    struct bed *bed = bed_open(0);
    size_t without_labels = stats_series_count(bed->registry);
    bed_close(bed);
    bed = bed_open(without_labels + 1);
    const struct traffic folded = {"inbound", "web", "shop", "web", "200", "none"};
    (void)state;
    count(bed, &api, 1);
    count(bed, &folded, 6);
    took(bed, "inbound", "web", 900);
    took(bed, "inbound", "web", 100);
    assert_look(bed, "out /other@ req=6 fail=0 lat=2/1000 tx=0 rx=0 conn=0\n"
                     "out shop/api@ req=1 fail=0 lat=0/0 tx=0 rx=0 conn=0\n");
    bed_close(bed);
}

static void services_beyond_the_limit_are_one_named_other(void **state)
{
    enum { BEYOND = 20, MOST = LOAD_REPORT_SERVICES - 1 };
    struct bed *bed = bed_open(0);
    char name[32];
    (void)state;
    for (unsigned i = 0; i < MOST; i++) {
        snprintf(name, sizeof(name), "service-%u", i);
        carried(bed, PROXY_STAT_TCP_SENT, name, 1);
    }
    bed_look(bed, SECOND_MS);
    assert_int_equal(bed->services, MOST);
    for (unsigned i = 0; i < BEYOND; i++) {
        snprintf(name, sizeof(name), "late-%u", i);
        carried(bed, PROXY_STAT_TCP_RECEIVED, name, 3);
    }
    bed_look(bed, SECOND_MS);
    assert_int_equal(bed->services, LOAD_REPORT_SERVICES);
    assert_non_null(strstr(bed->lines, "out /other@ req=0 fail=0 lat=0/0 tx=0 rx=60 conn=0\n"));
    bed_close(bed);
}

/* ---- Quiet and connections ------------------------------------------------------------------- */

static void a_quiet_service_is_told_with_zeros_for_a_window_and_then_forgotten(void **state)
{
    struct bed *bed = bed_open(0);
    (void)state;
    count(bed, &api, 1);
    bed_look(bed, SECOND_MS);
    for (unsigned i = 0; i < LOAD_REPORT_WINDOW_MS / SECOND_MS; i++) {
        assert_look(bed, "out shop/api@ req=0 fail=0 lat=0/0 tx=0 rx=0 conn=0\n");
        assert_true(bed->moved);
    }
    assert_look(bed, "");
    assert_false(bed->moved);
    bed_close(bed);
}

static void open_connections_keep_a_service_but_are_no_traffic(void **state)
{
    struct bed *bed = bed_open(0);
    (void)state;
    connected(bed, "outbound|80||api.shop.svc.cluster.local", 2);
    connected(bed, "outbound|81||api.shop.svc.cluster.local", 1);
    connected(bed, "inbound|10.0.0.1:8080", 4);
    connected(bed, "passthrough|10.0.0.9:80", 8);
    assert_look(bed, "in shop/web@v7 req=0 fail=0 lat=0/0 tx=0 rx=0 conn=4\n"
                     "out shop/api@ req=0 fail=0 lat=0/0 tx=0 rx=0 conn=3\n");
    assert_false(bed->moved);
    connected(bed, "inbound|10.0.0.1:8080", 0);
    connected(bed, "outbound|80||api.shop.svc.cluster.local", 0);
    assert_look(bed, "out shop/api@ req=0 fail=0 lat=0/0 tx=0 rx=0 conn=1\n");
    bed_close(bed);
}

static void bytes_of_opaque_connections_are_told(void **state)
{
    struct bed *bed = bed_open(0);
    (void)state;
    carried(bed, PROXY_STAT_TCP_SENT, "db", 700);
    carried(bed, PROXY_STAT_TCP_RECEIVED, "db", 30);
    assert_look(bed, "out shop/db@ req=0 fail=0 lat=0/0 tx=700 rx=30 conn=0\n");
    bed_close(bed);
}

/* ---- Failures -------------------------------------------------------------------------------- */

static void failures_are_what_the_server_or_the_mesh_is_to_blame_for(void **state)
{
    static const struct {
        const char *code, *reason;
        bool failure;
    } cases[] = {
        {"200", "none", false},
        {"404", "none", false},
        {"499", "none", false},
        {"500", "none", true},
        {"599", "none", true},
        {"503", "no_endpoint", true},
        {"504", "request_timeout", true},
        {"404", "no_route", false},
        {"403", "denied", false},
        {"429", "rate_limited", false},
        {"200", "upstream_reset", true},
        {"200", "downstream_reset", false},
        {"0", "downstream_closed", false},
        {"0", "connect_refused", true},
        {"other", "other", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bed *bed = bed_open(0);
        struct traffic traffic = api;
        traffic.code = cases[i].code;
        traffic.reason = cases[i].reason;
        count(bed, &traffic, 3);
        bed_look(bed, SECOND_MS);
        if (strstr(bed->lines, cases[i].failure ? "req=3 fail=3 " : "req=3 fail=0 ") == NULL) {
            fail_msg("%s %s: %s", cases[i].code, cases[i].reason, bed->lines);
        }
        bed_close(bed);
    }
}

static void grpc_statuses_count_where_they_tell_of_more_failures(void **state)
{
    static const struct {
        const char *status;
        uint64_t http, grpc, failures;
    } cases[] = {
        {"0", 0, 9, 0}, {"5", 0, 9, 0},  {"14", 0, 4, 4},
        {"2", 1, 4, 4}, {"14", 6, 4, 6}, {"13", 0, 50, 9}, /* never more than requests */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bed *bed = bed_open(0);
        struct traffic failed = api;
        char wanted[40];
        failed.reason = "upstream_reset";
        count(bed, &api, 9 - cases[i].http);
        count(bed, &failed, cases[i].http);
        stats_add(STATS_FIND(bed->writer, bed->now_ns, PROXY_STAT_GRPC, SPAN("outbound"),
                             SPAN("api"), SPAN("shop"), span_of(cases[i].status)),
                  cases[i].grpc);
        bed_look(bed, SECOND_MS);
        snprintf(wanted, sizeof(wanted), "req=9 fail=%llu ", (unsigned long long)cases[i].failures);
        if (strstr(bed->lines, wanted) == NULL) {
            fail_msg("case %zu: %s", i, bed->lines);
        }
        bed_close(bed);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(what_was_there_before_the_first_look_is_not_told),
        cmocka_unit_test(a_look_tells_only_what_came_since_the_one_before),
        cmocka_unit_test(series_that_begin_between_two_looks_count_from_zero),
        cmocka_unit_test(directions_and_versions_are_lines_of_their_own),
        cmocka_unit_test(a_series_that_expired_and_came_again_counts_from_zero),
        cmocka_unit_test(what_the_registry_folded_is_one_service_named_other),
        cmocka_unit_test(services_beyond_the_limit_are_one_named_other),
        cmocka_unit_test(a_quiet_service_is_told_with_zeros_for_a_window_and_then_forgotten),
        cmocka_unit_test(open_connections_keep_a_service_but_are_no_traffic),
        cmocka_unit_test(bytes_of_opaque_connections_are_told),
        cmocka_unit_test(failures_are_what_the_server_or_the_mesh_is_to_blame_for),
        cmocka_unit_test(grpc_statuses_count_where_they_tell_of_more_failures),
    };
    return TEST_MAIN(cases, argc, argv);
}
