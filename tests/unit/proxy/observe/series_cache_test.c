#include "tests/unit/test_main.h"

#include "lib/base/memory.h"
#include "proxy/observe/series_cache.h"

static const struct request_record usual = {
    .direction = RECORD_OUTBOUND,
    .mtls_upstream = true,
    .status = 200,
    .source_workload = {"web", 3},
    .source_namespace = {"shop", 4},
    .destination_service = {"api", 3},
    .destination_namespace = {"shop", 4},
    .destination_workload = {"api-1", 5},
    .destination_version = {"v1", 2},
    .route = {"default", 7},
};

static void the_same_labels_find_the_same_cells(void **state)
{
    struct series_cache *cache = NEW(struct series_cache);
    struct stats_cell *cell = (struct stats_cell *)(void *)cache; /* any pointer that is not NULL */
    bool hit = true;
    struct request_cells *cells = series_cache_slot(cache, &usual, &hit);
    assert_false(hit);
    assert_null(cells->requests);
    cells->requests = cell;
    /* The same words from another place. */
    char name[] = "api";
    struct request_record same = usual;
    same.destination_service = span_make(name, 3);
    same.opened_ns = 5;
    assert_ptr_equal(series_cache_slot(cache, &same, &hit)->requests, cell);
    assert_true(hit);
    series_cache_clear(cache);
    assert_null(series_cache_slot(cache, &usual, &hit)->requests);
    assert_false(hit);
    mem_free(cache);
}

static void every_label_tells_records_apart(void **state)
{
    struct request_record others[12];
    size_t count = sizeof(others) / sizeof(others[0]);
    for (size_t i = 0; i < count; i++) {
        others[i] = usual;
    }
    others[0].direction = RECORD_INBOUND;
    others[1].mtls_upstream = false;
    others[2].mtls_downstream = true;
    others[3].status = 503;
    others[4].failure = FAILURE_NO_ROUTE;
    others[5].source_workload = SPAN("wab");
    others[6].source_namespace = SPAN("shoq");
    others[7].destination_service = SPAN("app");
    others[8].destination_workload = SPAN("api-2");
    others[9].destination_version = SPAN("v2");
    others[10].route = SPAN("defaulu");
    /* The same bytes in a row, otherwise cut. */
    others[11].source_workload = SPAN("webs");
    others[11].source_namespace = SPAN("hop");
    for (size_t i = 0; i < count; i++) {
        struct series_cache *cache = NEW(struct series_cache);
        bool hit = true;
        series_cache_slot(cache, &usual, &hit);
        series_cache_slot(cache, &others[i], &hit);
        assert_false(hit);
        mem_free(cache);
    }
}

static void names_too_long_are_not_kept(void **state)
{
    static const char letters[SERIES_CACHE_KEY_BYTES] = {'x'};
    struct series_cache *cache = NEW(struct series_cache);
    struct request_record record = usual;
    bool hit = true;
    for (size_t length = 0; length <= sizeof(letters); length++) {
        record.route = span_make(letters, length);
        struct request_cells *cells = series_cache_slot(cache, &record, &hit);
        /* 16 bytes that are no text, and 21 of the other texts. */
        assert_int_equal(cells != NULL, length + 37 <= SERIES_CACHE_KEY_BYTES);
    }
    mem_free(cache);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_same_labels_find_the_same_cells),
        cmocka_unit_test(every_label_tells_records_apart),
        cmocka_unit_test(names_too_long_are_not_kept),
    };
    return TEST_MAIN(cases, argc, argv);
}
