#include "lib/base/arena.h"

#include "lib/base/memory.h"
#include "lib/base/poison.h"
#include "tests/unit/lib/base/child.h"
#include "tests/unit/test_main.h"

#include <signal.h>

static void an_arena_of_zero_bytes_works(void **state)
{
    struct arena arena = {0};
    arena_done(&arena);
    assert_non_null(arena_alloc(&arena, 0));
    assert_non_null(arena_alloc(&arena, 10));
    arena_done(&arena);
    arena_done(&arena);
}

static void memory_is_aligned_and_does_not_overlap(void **state)
{
    struct arena arena;
    arena_init(&arena);
    unsigned char *parts[300];
    for (size_t i = 0; i < 300; i++) {
        parts[i] = arena_alloc(&arena, i);
        assert_int_equal((uintptr_t)parts[i] % 16, 0);
        memset(parts[i], (int)(i & 0xff), i);
    }
    for (size_t i = 0; i < 300; i++) {
        for (size_t at = 0; at < i; at++) {
            assert_int_equal(parts[i][at], i & 0xff);
        }
    }
    assert_int_equal(arena.bytes, 300 * 299 / 2);
    arena_done(&arena);
    assert_int_equal(arena.bytes, 0);
}

static void requests_of_every_size_are_served(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 4000, 4064, 4080, 4096, 16368, 16384, 1 << 20};
    struct arena arena;
    arena_init(&arena);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            unsigned char *memory = arena_alloc(&arena, sizes[i]);
            assert_int_equal((uintptr_t)memory % 16, 0);
            memset(memory, 0x5a, sizes[i]);
        }
    }
    arena_done(&arena);
}

static void a_large_request_leaves_the_current_block_in_use(void **state)
{
    struct arena arena;
    arena_init(&arena);
    char *first = arena_alloc(&arena, 16);
    arena_alloc(&arena, 100000);
    char *second = arena_alloc(&arena, 16);
    assert_true(second > first && second - first <= 64);
    arena_done(&arena);
}

static void zeroed_requests_are_zero_also_from_used_blocks(void **state)
{
    static const unsigned char zero[2000];
    struct arena arena;
    arena_init(&arena);
    memset(arena_alloc(&arena, 2000), 0xff, 2000);
    arena_done(&arena);
    assert_memory_equal(arena_zalloc(&arena, 2000), zero, 2000);
    struct pair {
        int a, b;
    };
    struct pair *pairs = ARENA_ARRAY(&arena, struct pair, 100);
    assert_memory_equal(pairs, zero, sizeof(struct pair) * 100);
    assert_int_equal(ARENA_NEW(&arena, struct pair)->b, 0);
    arena_done(&arena);
}

static void copies_are_equal_and_texts_end_with_nul(void **state)
{
    struct arena arena;
    arena_init(&arena);
    assert_memory_equal(arena_dup(&arena, "abc", 3), "abc", 3);
    assert_non_null(arena_dup(&arena, NULL, 0));
    assert_true(span_equal_text(arena_span(&arena, SPAN("span")), "span"));
    assert_int_equal(arena_span(&arena, SPAN_EMPTY).length, 0);
    assert_string_equal(arena_text(&arena, span_make("textual", 4)), "text");
    assert_string_equal(arena_text(&arena, SPAN_EMPTY), "");
    assert_string_equal(arena_printf(&arena, "%s:%d", "10.0.0.1", 8080), "10.0.0.1:8080");
    char *wide = arena_printf(&arena, "%9000d", 7);
    assert_int_equal(strlen(wide), 9000);
    arena_done(&arena);
}

static void parts_are_joined_in_order(void **state)
{
    struct arena arena = {0};
    struct span joined = ARENA_JOIN(&arena, SPAN("By="), SPAN_EMPTY, SPAN("a;"), SPAN("b"));
    assert_true(span_equal(joined, SPAN("By=a;b")));
    assert_int_equal(ARENA_JOIN(&arena, SPAN_EMPTY, SPAN_EMPTY).length, 0);
    arena_done(&arena);
}

static void a_small_arena_takes_its_block_from_the_thread(void **state)
{
    struct arena arena = {0};
    void *first = arena_alloc(&arena, 100);
    arena_done(&arena);
    uint64_t before = mem_allocations();
    void *again = arena_alloc(&arena, 100);
    arena_done(&arena);
    assert_ptr_equal(first, again);
    assert_int_equal(mem_allocations(), before);
}

#ifdef REMORA_POISON
/* Of sanitizer/allocator_interface.h, which GCC does not install: is it allocated now? */
int __sanitizer_get_ownership(const volatile void *memory);
#endif

static void spare_blocks_can_be_given_back(void **state)
{
#ifdef REMORA_POISON
    struct arena arena = {0};
    /* Each begins a block, behind its 16 bytes of head: two small ones and a large one. */
    const char *first = (char *)arena_alloc(&arena, 3900) - 16;
    arena_alloc(&arena, 3900);
    const char *third = (char *)arena_alloc(&arena, 3900) - 16;
    arena_done(&arena);
    assert_true(__sanitizer_get_ownership(first));
    assert_true(__sanitizer_get_ownership(third));
    arena_release_spare();
    assert_false(__sanitizer_get_ownership(first));
    assert_false(__sanitizer_get_ownership(third));
#else
    skip(); /* only AddressSanitizer can tell */
#endif
}

static volatile size_t too_many = SIZE_MAX / 4;

static void overflow_an_array(void)
{
    struct arena arena = {0};
    ARENA_ARRAY(&arena, uint64_t, too_many);
}

static void an_array_whose_size_overflows_stops_the_program(void **state)
{
    char output[1024];
    assert_int_equal(run_in_child(overflow_an_array, output, sizeof(output)), SIGABRT);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(an_arena_of_zero_bytes_works),
        cmocka_unit_test(memory_is_aligned_and_does_not_overlap),
        cmocka_unit_test(requests_of_every_size_are_served),
        cmocka_unit_test(a_large_request_leaves_the_current_block_in_use),
        cmocka_unit_test(zeroed_requests_are_zero_also_from_used_blocks),
        cmocka_unit_test(copies_are_equal_and_texts_end_with_nul),
        cmocka_unit_test(parts_are_joined_in_order),
        cmocka_unit_test(a_small_arena_takes_its_block_from_the_thread),
        cmocka_unit_test(spare_blocks_can_be_given_back),
        cmocka_unit_test(an_array_whose_size_overflows_stops_the_program),
    };
    return TEST_MAIN(cases, argc, argv);
}
