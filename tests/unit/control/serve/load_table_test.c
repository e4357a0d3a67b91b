#include "control/serve/load_table.h"

#include "lib/base/clock.h"
#include "lib/stats/bucket.h"
#include "tests/unit/test_main.h"

#define SECOND NS_PER_S

static const struct digest_entry fast[] = {{10, 90}, {60, 10}};

static struct load_facts facts_of(const char *node, const char *service)
{
    return (struct load_facts){
        .source = SPAN("shop/web"),
        .node = span_of(node),
        .service = span_of(service),
        .interval_ms = 1000,
        .requests = 100,
        .failures = 10,
        .connections = 3,
        .latency = fast,
        .latency_count = 2,
    };
}

static const struct load_row *row_of(struct load_table *table, int64_t now_ns, struct arena *arena,
                                     const char *service)
{
    size_t count;
    struct load_row *rows = load_table_rows(table, now_ns, arena, &count);
    for (size_t i = 0; i < count; i++) {
        if (span_equal_text(rows[i].service, service)) {
            return &rows[i];
        }
    }
    return NULL;
}

static void assert_near(double value, double wanted)
{
    assert_true(value > wanted - 0.001 && value < wanted + 0.001);
}

static void reports_of_one_proxy_are_a_rate_over_their_time(void **unused)
{
    struct load_table *table = load_table_create();
    struct arena arena = {0};
    struct load_facts facts = facts_of("web-1", "shop/api");
    for (int i = 0; i < 5; i++) {
        assert_true(load_table_add(table, i * SECOND, &facts));
    }
    const struct load_row *row = row_of(table, 5 * SECOND, &arena, "shop/api");
    assert_near(row->sum.requests_per_s, 100);
    assert_near(row->sum.failures_per_s, 10);
    assert_int_equal(row->sum.connections, 3);
    assert_int_equal(row->sum.latency.count, 500);
    assert_int_equal(row->source_count, 1);
    arena_done(&arena);
    load_table_destroy(table);
}

static void reports_of_several_proxies_add_up(void **unused)
{
    struct load_table *table = load_table_create();
    struct arena arena = {0};
    struct load_facts a = facts_of("web-1", "shop/api");
    struct load_facts b = facts_of("web-2", "shop/api");
    b.interval_ms = 2000;
    b.source = SPAN("shop/shopper");
    load_table_add(table, SECOND, &a);
    load_table_add(table, SECOND, &b);
    const struct load_row *row = row_of(table, SECOND, &arena, "shop/api");
    assert_near(row->sum.requests_per_s, 150);
    assert_int_equal(row->sum.connections, 6);
    assert_int_equal(row->source_count, 2);
    assert_true(span_equal_text(row->sources[0].name, "shop/shopper"));
    assert_near(row->sources[0].sum.requests_per_s, 50);
    arena_done(&arena);
    load_table_destroy(table);
}

static void versions_are_told_apart(void **unused)
{
    struct load_table *table = load_table_create();
    struct arena arena = {0};
    struct load_facts v1 = facts_of("web-1", "shop/api");
    struct load_facts v2 = v1;
    v1.version = SPAN("v1");
    v2.version = SPAN("v2");
    v2.requests = 300;
    load_table_add(table, SECOND, &v1);
    load_table_add(table, SECOND, &v2);
    const struct load_row *row = row_of(table, SECOND, &arena, "shop/api");
    assert_near(row->sum.requests_per_s, 400);
    assert_int_equal(row->version_count, 2);
    assert_near(row->versions[1].sum.requests_per_s, 300);
    arena_done(&arena);
    load_table_destroy(table);
}

static void callers_are_believed_before_the_service_itself(void **unused)
{
    struct load_table *table = load_table_create();
    struct arena arena = {0};
    struct load_facts inbound = facts_of("api-1", "shop/api");
    struct load_facts alone = facts_of("db-1", "shop/db");
    struct load_facts outbound = facts_of("web-1", "shop/api");
    size_t count;
    inbound.inbound = alone.inbound = true;
    inbound.requests = 999;
    load_table_add(table, SECOND, &inbound);
    load_table_add(table, SECOND, &alone);
    load_table_add(table, SECOND, &outbound);
    struct load_row *rows = load_table_rows(table, SECOND, &arena, &count);
    assert_int_equal(count, 2);
    assert_near(rows[0].sum.requests_per_s, 100);
    assert_false(rows[0].inbound);
    assert_true(rows[1].inbound);
    arena_done(&arena);
    load_table_destroy(table);
}

static void what_is_older_than_the_window_is_gone(void **unused)
{
    struct load_table *table = load_table_create();
    struct arena arena = {0};
    struct load_facts facts = facts_of("web-1", "shop/api");
    load_table_add(table, 0, &facts);
    assert_non_null(row_of(table, LOAD_WINDOW_MS * NS_PER_MS, &arena, "shop/api"));
    assert_null(row_of(table, LOAD_WINDOW_MS * NS_PER_MS + 1, &arena, "shop/api"));
    assert_int_equal(load_table_bytes(table), 0);
    arena_done(&arena);
    load_table_destroy(table);
}

static void memory_is_bounded(void **unused)
{
    struct load_table *table = load_table_create();
    static char name[60000];
    memset(name, 'x', sizeof(name) - 1);
    struct load_facts facts = facts_of("web-1", name);
    for (int i = 0; i < 1300; i++) {
        load_table_add(table, 0, &facts);
        assert_true(load_table_bytes(table) <= LOAD_BYTES);
    }
    assert_true(load_table_bytes(table) > LOAD_BYTES / 2);
    load_table_destroy(table);
}

static void malformed_reports_are_not_taken(void **unused)
{
    static const struct digest_entry unknown[] = {{STATS_BUCKETS, 1}};
    static const struct digest_entry falling[] = {{5, 1}, {5, 1}};
    static const struct digest_entry empty[] = {{5, 0}};
    static const struct digest_entry huge[] = {{5, UINT64_MAX}};
    struct load_table *table = load_table_create();
    struct load_facts good = facts_of("web-1", "shop/api");
    struct load_facts cases[] = {good, good, good, good, good, good, good, good, good};
    cases[0].service = SPAN_EMPTY;
    cases[1].interval_ms = 0;
    cases[2].interval_ms = UINT64_MAX;
    cases[3].failures = 101;
    cases[4].requests = UINT64_MAX;
    cases[5].latency = unknown;
    cases[6].latency = falling;
    cases[7].latency = empty;
    cases[8].latency = huge;
    cases[5].latency_count = cases[7].latency_count = cases[8].latency_count = 1;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(load_table_add(table, 0, &cases[i]));
    }
    assert_int_equal(load_table_bytes(table), 0);
    load_table_destroy(table);
}

static void many_proxies_report_less_often(void **unused)
{
    assert_int_equal(load_interval_ms(0), 1000);
    assert_int_equal(load_interval_ms(200), 1000);
    assert_int_equal(load_interval_ms(600), 3000);
    assert_int_equal(load_interval_ms(100000), 10000);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(reports_of_one_proxy_are_a_rate_over_their_time),
        cmocka_unit_test(reports_of_several_proxies_add_up),
        cmocka_unit_test(versions_are_told_apart),
        cmocka_unit_test(callers_are_believed_before_the_service_itself),
        cmocka_unit_test(what_is_older_than_the_window_is_gone),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(malformed_reports_are_not_taken),
        cmocka_unit_test(many_proxies_report_less_often),
    };
    return TEST_MAIN(cases, argc, argv);
}
