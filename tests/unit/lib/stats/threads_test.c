#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/stats/exposition.h"
#include "lib/stats/writer.h"
#include "tests/unit/lib/stats/example.h"
#include "tests/unit/lib/stats/prometheus_text.h"
#include "tests/unit/test_main.h"

#include <pthread.h>
#include <stdatomic.h>

/*
 * Workers that count, hold, release and find, beside a reader that writes out and expires. What
 * they do is checked by the sums; that they may do it at once, by ThreadSanitizer in a build with
 * it.
 */
enum { WORKERS = 2, ROUNDS = 20000, NAMES = 50 };

static struct stats_registry *registry;
static atomic_int working;
/* Time runs as the workers go: an hour a thousand rounds, so that series expire all the while. */
static _Atomic int64_t now_ns;

static void *work(void *writer)
{
    struct stats_cell *total = stats_hold(writer, EXAMPLE_STARTS, NULL, 0);
    struct stats_cell *held = NULL;
    char name[32];
    for (int i = 0; i < ROUNDS; i++) {
        int64_t now = atomic_fetch_add(&now_ns, 3600 * NS_PER_S / 1000);
        snprintf(name, sizeof(name), "s%d", (int)random_below(NAMES));
        stats_add(total, 1);
        stats_add(STATS_FIND(writer, now, EXAMPLE_REQUESTS, span_of(name), SPAN("200")), 1);
        stats_record(STATS_FIND(writer, now, EXAMPLE_LATENCY, span_of(name)),
                     random_below(20000000));
        if (i % 7 == 0) {
            stats_release(writer, held, now);
            held = STATS_HOLD(writer, EXAMPLE_OPEN, span_of(name));
        }
        stats_change(held, 1);
        if (i % 50 == 0) {
            stats_writer_expire(writer, now);
        }
    }
    stats_release(writer, held, atomic_load(&now_ns));
    stats_release(writer, total, atomic_load(&now_ns));
    stats_writer_destroy(writer);
    atomic_fetch_sub(&working, 1);
    return NULL;
}

static void read_all(void)
{
    struct text text = {0};
    stats_write_prometheus(registry, &text);
    stats_write_listing(registry, SPAN_EMPTY, &text);
    text_done(&text);
}

static void writers_and_the_reader_work_at_once(void **state)
{
    registry = stats_registry_create(example_stats, EXAMPLE_COUNT, WORKERS, 0);
    pthread_t threads[WORKERS];
    atomic_store(&working, WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, stats_writer_create(registry)), 0);
    }
    uint64_t before = 0;
    size_t turns = 0;
    while (atomic_load(&working) > 0) {
        read_all();
        stats_expire(registry, atomic_load(&now_ns));
        uint64_t count = stats_counter_value(stats_first(registry, EXAMPLE_STARTS));
        assert_true(count >= before);
        before = count;
        turns++;
    }
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_true(turns > 0);
    assert_int_equal(stats_counter_value(stats_first(registry, EXAMPLE_STARTS)), WORKERS * ROUNDS);
    struct text text = {0};
    stats_write_prometheus(registry, &text);
    assert_true(prometheus_text_check(text.bytes) > 0);
    text_done(&text);
    stats_registry_destroy(registry);
}

static void *count_only(void *writer)
{
    struct stats_cell *cell = STATS_HOLD(writer, EXAMPLE_REQUESTS, SPAN("api"), SPAN("200"));
    struct stats_cell *latency = STATS_HOLD(writer, EXAMPLE_LATENCY, SPAN("api"));
    for (uint64_t i = 0; i < 100000; i++) {
        stats_add(cell, 1);
        stats_record(latency, i);
    }
    stats_writer_destroy(writer);
    atomic_fetch_sub(&working, 1);
    return NULL;
}

static void no_count_of_any_thread_is_lost(void **state)
{
    registry = stats_registry_create(example_stats, EXAMPLE_COUNT, WORKERS, 0);
    pthread_t threads[WORKERS];
    atomic_store(&working, WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, count_only, stats_writer_create(registry)), 0);
    }
    while (atomic_load(&working) > 0) {
        read_all();
    }
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    struct distribution distribution = {0};
    assert_int_equal(stats_counter_value(stats_first(registry, EXAMPLE_REQUESTS)),
                     WORKERS * 100000);
    stats_histogram_value(stats_first(registry, EXAMPLE_LATENCY), &distribution);
    assert_int_equal(distribution.count, WORKERS * 100000);
    assert_int_equal(distribution.sum_us, WORKERS * (100000ULL * 99999 / 2));
    stats_registry_destroy(registry);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(writers_and_the_reader_work_at_once),
        cmocka_unit_test(no_count_of_any_thread_is_lost),
    };
    return TEST_MAIN(cases, argc, argv);
}
