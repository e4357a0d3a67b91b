#include "lib/stats/registry.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/stats/writer.h"
#include "tests/unit/lib/stats/example.h"
#include "tests/unit/test_main.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MINUTES(n) ((n)*60 * NS_PER_S)

static struct stats_registry *registry;
static struct stats_writer *writer;

static int make(void **state)
{
    registry = stats_registry_create(example_stats, EXAMPLE_COUNT, 3, 0);
    writer = stats_writer_create(registry);
    return 0;
}

static int destroy(void **state)
{
    stats_writer_destroy(writer);
    stats_registry_destroy(registry);
    return 0;
}

static size_t count_series(unsigned stat)
{
    size_t count = 0;
    for (struct stats_series *series = stats_first(registry, stat); series != NULL;
         series = stats_next(series)) {
        count++;
    }
    return count;
}

static struct stats_series *look(unsigned stat, const char *a, const char *b)
{
    struct span labels[] = {span_of(a), span_of(b)};
    return stats_lookup(registry, stat, labels, b == NULL ? 1 : 2);
}

static void a_statistic_without_labels_is_there_from_the_start(void **state)
{
    assert_int_equal(stats_series_count(registry), 3);
    assert_int_equal(count_series(EXAMPLE_STARTS), 1);
    assert_int_equal(stats_counter_value(stats_first(registry, EXAMPLE_STARTS)), 0);
    assert_null(stats_first(registry, EXAMPLE_REQUESTS));
    stats_expire(registry, MINUTES(1000000));
    assert_int_equal(count_series(EXAMPLE_STARTS), 1);
}

static void the_same_labels_give_the_same_cell(void **state)
{
    struct stats_cell *a = STATS_HOLD(writer, EXAMPLE_REQUESTS, SPAN("api"), SPAN("200"));
    struct stats_cell *b = STATS_HOLD(writer, EXAMPLE_REQUESTS, SPAN("api"), SPAN("200"));
    struct stats_cell *c = STATS_FIND(writer, 0, EXAMPLE_REQUESTS, SPAN("api"), SPAN("200"));
    struct stats_cell *d = STATS_HOLD(writer, EXAMPLE_REQUESTS, SPAN("api"), SPAN("404"));
    struct stats_cell *e = STATS_HOLD(writer, EXAMPLE_REQUESTS, SPAN("api2"), SPAN("00"));
    assert_ptr_equal(a, b);
    assert_ptr_equal(a, c);
    assert_ptr_not_equal(a, d);
    assert_ptr_not_equal(a, e);
    stats_add(a, 2);
    stats_add(b, 3);
    stats_add(d, 1);
    assert_int_equal(stats_counter_value(look(EXAMPLE_REQUESTS, "api", "200")), 5);
    assert_int_equal(stats_counter_value(look(EXAMPLE_REQUESTS, "api", "404")), 1);
    assert_int_equal(stats_counter_value(look(EXAMPLE_REQUESTS, "api2", "00")), 0);
    assert_null(look(EXAMPLE_REQUESTS, "api", "500"));
    assert_int_equal((uintptr_t)a % STATS_CACHE_LINE_BYTES, 0);
}

static void label_values_are_told_apart_at_their_borders(void **state)
{
    struct stats_cell *a = STATS_HOLD(writer, EXAMPLE_REQUESTS, SPAN("ab"), SPAN("c"));
    struct stats_cell *b = STATS_HOLD(writer, EXAMPLE_REQUESTS, SPAN("a"), SPAN("bc"));
    struct stats_cell *c = STATS_HOLD(writer, EXAMPLE_REQUESTS, SPAN("abc"), SPAN_EMPTY);
    assert_true(a != b && b != c && a != c);
    struct stats_series *series = look(EXAMPLE_REQUESTS, "a", "bc");
    assert_true(span_equal_text(stats_label_value(series, 0), "a"));
    assert_true(span_equal_text(stats_label_value(series, 1), "bc"));
    assert_true(span_equal_text(stats_label_name(registry, EXAMPLE_REQUESTS, 1), "code"));
    assert_int_equal(stats_label_count(registry, EXAMPLE_REQUESTS), 2);
}

static void values_of_all_writers_are_summed(void **state)
{
    struct stats_writer *second = stats_writer_create(registry);
    struct stats_cell *a = STATS_HOLD(writer, EXAMPLE_OPEN, SPAN("api"));
    struct stats_cell *b = STATS_HOLD(second, EXAMPLE_OPEN, SPAN("api"));
    assert_ptr_not_equal(a, b);
    stats_change(a, 5);
    stats_change(b, 1);
    stats_change(b, -3);
    assert_int_equal(stats_gauge_value(look(EXAMPLE_OPEN, "api", NULL)), 3);
    stats_set(a, -10);
    assert_int_equal(stats_gauge_value(look(EXAMPLE_OPEN, "api", NULL)), -12);

    struct stats_cell *fast = STATS_HOLD(writer, EXAMPLE_LATENCY, SPAN("api"));
    struct stats_cell *slow = STATS_HOLD(second, EXAMPLE_LATENCY, SPAN("api"));
    stats_record(fast, 1500);
    stats_record(slow, 90000);
    struct distribution distribution = {0};
    stats_histogram_value(look(EXAMPLE_LATENCY, "api", NULL), &distribution);
    assert_int_equal(distribution.count, 2);
    assert_int_equal(distribution.sum_us, 91500);
    stats_writer_destroy(second);
}

static void counts_of_a_writer_that_left_stay(void **state)
{
    for (int i = 0; i < 10; i++) {
        struct stats_writer *short_lived = stats_writer_create(registry);
        stats_add(STATS_HOLD(short_lived, EXAMPLE_REQUESTS, SPAN("api"), SPAN("200")), 1);
        stats_add(STATS_FIND(short_lived, 0, EXAMPLE_REQUESTS, SPAN("api"), SPAN("404")), 1);
        stats_writer_destroy(short_lived);
    }
    assert_int_equal(stats_counter_value(look(EXAMPLE_REQUESTS, "api", "200")), 10);
    assert_int_equal(stats_counter_value(look(EXAMPLE_REQUESTS, "api", "404")), 10);
}

static void series_beyond_the_limit_of_a_name_fold_into_other(void **state)
{
    char destination[32];
    enum { SETS = 100000 };
    for (int i = 0; i < SETS; i++) {
        snprintf(destination, sizeof(destination), "service-%d", i);
        struct stats_cell *cell =
            STATS_FIND(writer, 0, EXAMPLE_REQUESTS, span_of(destination), SPAN("200"));
        stats_add(cell, 1);
    }
    assert_int_equal(count_series(EXAMPLE_REQUESTS), STATS_SERIES_PER_NAME + 1);
    assert_int_equal(stats_folded(registry), SETS - STATS_SERIES_PER_NAME);
    assert_int_equal(stats_counter_value(look(EXAMPLE_REQUESTS, "other", "other")),
                     SETS - STATS_SERIES_PER_NAME);
    assert_int_equal(stats_counter_value(look(EXAMPLE_REQUESTS, "service-999", "200")), 1);
    assert_null(look(EXAMPLE_REQUESTS, "service-1000", "200"));
    /* Other statistics still have room. */
    struct stats_cell *open = STATS_HOLD(writer, EXAMPLE_OPEN, SPAN("api"));
    assert_non_null(look(EXAMPLE_OPEN, "api", NULL));
    stats_release(writer, open, 0);
}

static void series_beyond_the_limit_of_all_fold_into_other(void **state)
{
    struct stats_registry *small = stats_registry_create(example_stats, EXAMPLE_COUNT, 1, 10);
    struct stats_writer *one = stats_writer_create(small);
    char name[32];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        STATS_FIND(one, 0, EXAMPLE_OPEN, span_of(name));
        STATS_FIND(one, 0, EXAMPLE_LATENCY, span_of(name));
    }
    /* Three without labels, seven with, and "other" twice beyond the limit. */
    assert_int_equal(stats_series_count(small), 10);
    assert_non_null(stats_lookup(small, EXAMPLE_OPEN, (struct span[]){SPAN("other")}, 1));
    assert_non_null(stats_lookup(small, EXAMPLE_LATENCY, (struct span[]){SPAN("other")}, 1));
    stats_writer_destroy(one);
    stats_registry_destroy(small);
}

static void held_folded_cells_are_given_back_each(void **state)
{
    struct stats_registry *small = stats_registry_create(example_stats, EXAMPLE_COUNT, 1, 3);
    struct stats_writer *one = stats_writer_create(small);
    struct stats_cell *a = STATS_HOLD(one, EXAMPLE_OPEN, SPAN("a"));
    struct stats_cell *b = STATS_HOLD(one, EXAMPLE_OPEN, SPAN("b"));
    assert_ptr_equal(a, b);
    stats_release(one, a, 0);
    stats_expire(small, MINUTES(100));
    stats_change(b, 1);
    assert_non_null(stats_first(small, EXAMPLE_OPEN));
    stats_release(one, b, 0);
    stats_expire(small, MINUTES(100));
    assert_null(stats_first(small, EXAMPLE_OPEN));
    stats_writer_destroy(one);
    stats_registry_destroy(small);
}

static void a_held_series_stays_and_a_released_one_goes(void **state)
{
    struct stats_cell *held = STATS_HOLD(writer, EXAMPLE_OPEN, SPAN("held"));
    struct stats_cell *twice = STATS_HOLD(writer, EXAMPLE_OPEN, SPAN("twice"));
    STATS_HOLD(writer, EXAMPLE_OPEN, SPAN("twice"));
    struct stats_cell *released = STATS_HOLD(writer, EXAMPLE_OPEN, SPAN("released"));
    stats_release(writer, twice, MINUTES(5));
    stats_release(writer, released, MINUTES(5));
    stats_release(writer, NULL, MINUTES(5));
    stats_expire(registry, MINUTES(15) - 1);
    assert_int_equal(count_series(EXAMPLE_OPEN), 3);
    stats_expire(registry, MINUTES(15));
    assert_int_equal(count_series(EXAMPLE_OPEN), 2);
    assert_null(look(EXAMPLE_OPEN, "released", NULL));
    stats_release(writer, twice, MINUTES(15));
    stats_expire(registry, MINUTES(1000));
    assert_int_equal(count_series(EXAMPLE_OPEN), 1);
    stats_set(held, 1);
    /* A series that comes back starts anew. */
    STATS_HOLD(writer, EXAMPLE_OPEN, SPAN("released"));
    assert_int_equal(stats_gauge_value(look(EXAMPLE_OPEN, "released", NULL)), 0);
}

static void a_found_series_goes_after_its_last_use(void **state)
{
    STATS_FIND(writer, MINUTES(1), EXAMPLE_OPEN, SPAN("old"));
    STATS_FIND(writer, MINUTES(1), EXAMPLE_OPEN, SPAN("used"));
    STATS_FIND(writer, MINUTES(9), EXAMPLE_OPEN, SPAN("used"));
    stats_writer_expire(writer, MINUTES(11));
    stats_expire(registry, MINUTES(11));
    assert_null(look(EXAMPLE_OPEN, "old", NULL));
    assert_non_null(look(EXAMPLE_OPEN, "used", NULL));
    stats_expire(registry, MINUTES(100));
    assert_non_null(look(EXAMPLE_OPEN, "used", NULL));
    stats_writer_expire(writer, MINUTES(100));
    stats_expire(registry, MINUTES(100));
    assert_null(look(EXAMPLE_OPEN, "used", NULL));
}

static void expiry_makes_room_under_the_limit(void **state)
{
    char name[32];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < STATS_SERIES_PER_NAME; i++) {
            snprintf(name, sizeof(name), "r%d-%d", round, i);
            STATS_FIND(writer, MINUTES(20 * round), EXAMPLE_OPEN, span_of(name));
        }
        assert_int_equal(stats_folded(registry), 0);
        assert_int_equal(count_series(EXAMPLE_OPEN), STATS_SERIES_PER_NAME);
        stats_writer_expire(writer, MINUTES(20 * round + 10));
        stats_expire(registry, MINUTES(20 * round + 10));
        assert_int_equal(count_series(EXAMPLE_OPEN), 0);
    }
}

static void what_looks_the_same_is_the_same_series(void **state)
{
    static char long_a[1000], long_b[1000];
    memset(long_a, 'x', sizeof(long_a));
    memset(long_b, 'x', sizeof(long_b));
    long_b[999] = 'y';
    assert_ptr_equal(STATS_HOLD(writer, EXAMPLE_OPEN, SPAN("a\xff")),
                     STATS_HOLD(writer, EXAMPLE_OPEN, SPAN("a\xfe")));
    assert_ptr_equal(STATS_HOLD(writer, EXAMPLE_OPEN, SPAN("a\n")),
                     STATS_HOLD(writer, EXAMPLE_OPEN, SPAN("a\x1b")));
    assert_ptr_equal(STATS_HOLD(writer, EXAMPLE_OPEN, span_make(long_a, sizeof(long_a))),
                     STATS_HOLD(writer, EXAMPLE_OPEN, span_make(long_b, sizeof(long_b))));
    assert_non_null(look(EXAMPLE_OPEN, "a\xef\xbf\xbd", NULL));
    /* Not UTF-8 and not printable ASCII are different things. */
    STATS_HOLD(writer, EXAMPLE_OPEN, SPAN("gr\xc3\xbcn"));
    assert_non_null(look(EXAMPLE_OPEN, "gr\xc3\xbcn", NULL));
    for (struct stats_series *series = stats_first(registry, EXAMPLE_OPEN); series != NULL;
         series = stats_next(series)) {
        assert_true(stats_label_value(series, 0).length <= STATS_LABEL_BYTES);
        assert_true(utf8_valid(stats_label_value(series, 0)));
    }
}

static void steady_counting_allocates_nothing(void **state)
{
    struct stats_cell *latency = STATS_HOLD(writer, EXAMPLE_LATENCY, SPAN("api"));
    stats_record(latency, 1000);
    STATS_FIND(writer, 0, EXAMPLE_REQUESTS, SPAN("api"), SPAN("200"));
    uint64_t before = mem_allocations();
    for (int i = 0; i < 1000; i++) {
        stats_record(latency, 1000);
        stats_add(STATS_FIND(writer, i, EXAMPLE_REQUESTS, SPAN("api"), SPAN("200")), 1);
    }
    assert_int_equal(mem_allocations(), before);
}

/* The child's CHECK message goes nowhere; what counts is that it ends by abort. */
static int signal_of_create(const struct stats_declaration *declarations, size_t count)
{
    pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        stats_registry_destroy(stats_registry_create(declarations, count, 1, 0));
        _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void a_faulty_declaration_stops_the_program(void **state)
{
    static const struct stats_declaration faulty[] = {
        STATS_DECLARE("no_suffix", COUNTER, NONE, "", ""),
        STATS_DECLARE("9digit_total", COUNTER, NONE, "", ""),
        STATS_DECLARE("da-sh_total", COUNTER, NONE, "", ""),
        STATS_DECLARE("empty_label_total", COUNTER, NONE, "a,,b", ""),
        STATS_DECLARE("twice_label_total", COUNTER, NONE, "a,a", ""),
        STATS_DECLARE("reserved", GAUGE, NONE, "le", ""),
        STATS_DECLARE("reserved", GAUGE, NONE, "__name__", ""),
        STATS_DECLARE("no_unit", HISTOGRAM, NONE, "", ""),
        STATS_DECLARE("many", GAUGE, NONE, "a,b,c,d,e,f,g,h,i,j,k", ""),
    };
    for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++) {
        assert_int_equal(signal_of_create(&faulty[i], 1), SIGABRT);
    }
    const struct stats_declaration twice[] = {example_stats[0], example_stats[0]};
    assert_int_equal(signal_of_create(twice, 2), SIGABRT);
    assert_int_equal(signal_of_create(example_stats, EXAMPLE_COUNT), 0);
}

static void declarations_make_a_table(void **state)
{
    struct text text = {0};
    stats_declaration_table(example_stats, 3, &text);
    assert_string_equal(text.bytes,
                        "| name | kind | unit | labels | meaning |\n|---|---|---|---|---|\n"
                        "| `test_requests_total` | counter |  | destination, code | requests "
                        "answered |\n"
                        "| `test_starts_total` | counter |  |  | how often it started |\n"
                        "| `test_open` | gauge |  | destination | open now |\n");
    text_done(&text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(a_statistic_without_labels_is_there_from_the_start, make,
                                        destroy),
        cmocka_unit_test_setup_teardown(the_same_labels_give_the_same_cell, make, destroy),
        cmocka_unit_test_setup_teardown(label_values_are_told_apart_at_their_borders, make,
                                        destroy),
        cmocka_unit_test_setup_teardown(values_of_all_writers_are_summed, make, destroy),
        cmocka_unit_test_setup_teardown(counts_of_a_writer_that_left_stay, make, destroy),
        cmocka_unit_test_setup_teardown(series_beyond_the_limit_of_a_name_fold_into_other, make,
                                        destroy),
        cmocka_unit_test(series_beyond_the_limit_of_all_fold_into_other),
        cmocka_unit_test(held_folded_cells_are_given_back_each),
        cmocka_unit_test_setup_teardown(a_held_series_stays_and_a_released_one_goes, make, destroy),
        cmocka_unit_test_setup_teardown(a_found_series_goes_after_its_last_use, make, destroy),
        cmocka_unit_test_setup_teardown(expiry_makes_room_under_the_limit, make, destroy),
        cmocka_unit_test_setup_teardown(what_looks_the_same_is_the_same_series, make, destroy),
        cmocka_unit_test_setup_teardown(steady_counting_allocates_nothing, make, destroy),
        cmocka_unit_test(a_faulty_declaration_stops_the_program),
        cmocka_unit_test(declarations_make_a_table),
    };
    return TEST_MAIN(cases, argc, argv);
}
