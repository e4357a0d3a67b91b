#include "lib/stats/histogram.h"

#include "lib/base/memory.h"
#include "tests/unit/test_main.h"

#include <pthread.h>

static void an_unused_histogram_is_small_and_empty(void **state)
{
    assert_true(sizeof(struct histogram) <= 72);
    struct histogram histogram = {0};
    struct distribution distribution = {0};
    histogram_read(&histogram, &distribution);
    assert_int_equal(distribution.count, 0);
    histogram_done(&histogram);
}

static void what_is_recorded_is_read(void **state)
{
    struct histogram histogram;
    histogram_init(&histogram);
    struct distribution want = {0};
    struct distribution got = {0};
    for (uint64_t us = 0; us < 10000000000U; us = us * 2 + 1) {
        histogram_record(&histogram, us);
        distribution_add(&want, us);
    }
    histogram_read(&histogram, &got);
    assert_memory_equal(&want, &got, sizeof(want));
    /* Reading adds. */
    histogram_read(&histogram, &got);
    assert_int_equal(got.count, want.count * 2);
    histogram_done(&histogram);
    distribution_clear(&got);
    histogram_read(&histogram, &got);
    assert_int_equal(got.count, 0);
}

static void steady_recording_allocates_nothing(void **state)
{
    struct histogram histogram = {0};
    for (uint64_t us = 900; us < 12000; us += 7) {
        histogram_record(&histogram, us);
    }
    uint64_t before = mem_allocations();
    for (uint64_t us = 900; us < 12000; us++) {
        histogram_record(&histogram, us);
    }
    assert_int_equal(mem_allocations(), before);
    histogram_done(&histogram);
}

enum { RECORDS = 200000 };

static void *record_many(void *of)
{
    for (uint64_t i = 0; i < RECORDS; i++) {
        histogram_record(of, i * 37 % 100000);
    }
    return of;
}

static void a_reader_beside_the_writer_sees_counts_rise(void **state)
{
    struct histogram histogram = {0};
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, record_many, &histogram), 0);
    uint64_t before = 0;
    while (before < RECORDS) {
        struct distribution distribution = {0};
        histogram_read(&histogram, &distribution);
        assert_true(distribution.count >= before && distribution.count <= RECORDS);
        before = distribution.count;
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    struct distribution end = {0};
    histogram_read(&histogram, &end);
    uint64_t sum_us = 0;
    for (uint64_t i = 0; i < RECORDS; i++) {
        sum_us += i * 37 % 100000;
    }
    assert_int_equal(end.sum_us, sum_us);
    histogram_done(&histogram);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(an_unused_histogram_is_small_and_empty),
        cmocka_unit_test(what_is_recorded_is_read),
        cmocka_unit_test(steady_recording_allocates_nothing),
        cmocka_unit_test(a_reader_beside_the_writer_sees_counts_rise),
    };
    return TEST_MAIN(cases, argc, argv);
}
