#include "lib/base/memory.h"

#include "tests/unit/lib/base/child.h"
#include "tests/unit/test_main.h"

#include <signal.h>
#include <sys/resource.h>

static void zero_bytes_are_still_an_address(void **state)
{
    void *parts[] = {mem_alloc(0), mem_zalloc(0), mem_array(0, 8), mem_realloc(NULL, 0),
                     mem_dup("", 0)};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        assert_non_null(parts[i]);
        mem_free(parts[i]);
    }
    mem_free(NULL);
}

static void zeroed_memory_is_zero(void **state)
{
    static const unsigned char zero[64];
    unsigned char *one = mem_zalloc(64);
    unsigned char *many = mem_array(8, 8);
    assert_memory_equal(one, zero, 64);
    assert_memory_equal(many, zero, 64);
    mem_free(one);
    mem_free(many);
}

static void aligned_memory_is_aligned_and_zero(void **state)
{
    static const unsigned char zero[100];
    unsigned char *line = mem_aligned(64, 100);
    assert_int_equal((uintptr_t)line % 64, 0);
    assert_memory_equal(line, zero, 100);
    mem_free(line);
}

static void copies_are_equal_and_separate(void **state)
{
    char from[] = "sidecar";
    char *all = mem_strdup(from);
    char *part = mem_text(from, 4);
    char *bytes = mem_dup(from, 3);
    char *none = mem_text(NULL, 0);
    from[0] = 'X';
    assert_string_equal(all, "sidecar");
    assert_string_equal(part, "side");
    assert_memory_equal(bytes, "sid", 3);
    assert_string_equal(none, "");
    mem_free(all);
    mem_free(part);
    mem_free(bytes);
    mem_free(none);
}

static void an_array_grows_by_doubling_and_keeps_its_items(void **state)
{
    int *items = NULL;
    size_t capacity = 0;
    size_t grown = 0;
    for (int i = 0; i < 1000; i++) {
        size_t before = capacity;
        mem_grow(&items, &capacity, (size_t)i + 1, sizeof(*items));
        grown += capacity != before;
        items[i] = i;
    }
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(items[i], i);
    }
    assert_int_equal(capacity, 1024);
    assert_int_equal(grown, 9);
    mem_free(items);
}

static volatile size_t too_many = SIZE_MAX / 2;

static void overflow_a_product(void)
{
    mem_free(mem_array(too_many, 16));
}

static void overflow_a_growth(void)
{
    void *array = NULL;
    size_t capacity = 0;
    mem_grow(&array, &capacity, too_many, 16);
}

static void overflow_a_text(void)
{
    mem_free(mem_text("x", SIZE_MAX));
}

static void sizes_that_overflow_stop_the_program(void **state)
{
    void (*const bodies[])(void) = {overflow_a_product, overflow_a_growth, overflow_a_text};
    char output[4096];
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_equal(run_in_child(bodies[i], output, sizeof(output)), SIGABRT);
        assert_true(strlen(output) > 0);
    }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void use_all_memory(void)
{
    const struct rlimit little = {64 << 20, 64 << 20};
    setrlimit(RLIMIT_AS, &little);
    for (;;) {
        mem_alloc(1 << 20);
    }
}
#endif

static void memory_that_is_gone_stops_the_program_with_a_word(void **state)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    char output[1024];
    assert_int_equal(run_in_child(use_all_memory, output, sizeof(output)), SIGABRT);
    assert_string_equal(output, "out of memory\n");
#else
    skip(); /* A sanitizer's own memory does not fit under a limit. */
#endif
}

static void allocations_are_counted(void **state)
{
    uint64_t before = mem_allocations();
    mem_free(mem_alloc(8));
    mem_free(mem_zalloc(8));
    mem_free(mem_strdup("x"));
    assert_int_equal(mem_allocations() - before, 3);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(zero_bytes_are_still_an_address),
        cmocka_unit_test(zeroed_memory_is_zero),
        cmocka_unit_test(aligned_memory_is_aligned_and_zero),
        cmocka_unit_test(copies_are_equal_and_separate),
        cmocka_unit_test(an_array_grows_by_doubling_and_keeps_its_items),
        cmocka_unit_test(sizes_that_overflow_stop_the_program),
        cmocka_unit_test(memory_that_is_gone_stops_the_program_with_a_word),
        cmocka_unit_test(allocations_are_counted),
    };
    return TEST_MAIN(cases, argc, argv);
}
