#include "lib/base/chunk.h"

#include "lib/base/memory.h"
#include "tests/unit/lib/base/child.h"
#include "tests/unit/test_main.h"

#include <pthread.h>
#include <signal.h>

static void a_chunk_starts_empty_with_one_reference(void **state)
{
    struct chunk *chunk = chunk_take();
    assert_int_equal(chunk->references, 1);
    assert_int_equal(chunk->used, 0);
    assert_int_equal(chunk_room(chunk), CHUNK_BYTES);
    assert_int_equal(chunk_in_use(), 1);
    memset(chunk->bytes, 0xff, CHUNK_BYTES);
    chunk->used = CHUNK_BYTES;
    assert_int_equal(chunk_room(chunk), 0);
    chunk_unref(chunk);
    chunk_unref(NULL);
    assert_int_equal(chunk_in_use(), 0);
}

static void the_last_reference_gives_it_back(void **state)
{
    struct chunk *chunk = chunk_take();
    assert_ptr_equal(chunk_ref(chunk), chunk);
    chunk_unref(chunk);
    assert_int_equal(chunk_in_use(), 1);
    size_t pooled = chunk_pool_bytes();
    chunk_unref(chunk);
    assert_int_equal(chunk_in_use(), 0);
    assert_int_equal(chunk_pool_bytes(), pooled + sizeof(struct chunk));
}

static void steady_use_takes_from_the_pool_only(void **state)
{
    chunk_unref(chunk_take());
    uint64_t before = mem_allocations();
    for (int i = 0; i < 1000; i++) {
        chunk_unref(chunk_take());
    }
    assert_int_equal(mem_allocations(), before);
    assert_int_equal(chunk_pool_bytes(), sizeof(struct chunk));
}

static void the_pool_is_bounded_and_can_be_trimmed(void **state)
{
    struct chunk *chunks[300];
    for (int i = 0; i < 300; i++) {
        chunks[i] = chunk_take();
    }
    assert_int_equal(chunk_in_use(), 300);
    for (int i = 0; i < 300; i++) {
        chunk_unref(chunks[i]);
    }
    assert_int_equal(chunk_pool_bytes(), 256 * sizeof(struct chunk));
    chunk_pool_trim(10);
    assert_int_equal(chunk_pool_bytes(), 10 * sizeof(struct chunk));
    chunk_pool_trim(0);
    assert_int_equal(chunk_pool_bytes(), 0);
}

static void small_copies_share_a_chunk(void **state)
{
    struct piece a = chunk_copy("first", 5);
    struct piece b = chunk_copy("second", 6);
    assert_ptr_equal(a.chunk, b.chunk);
    assert_int_equal(chunk_in_use(), 1);
    assert_int_equal(a.chunk->references, 2);
    assert_memory_equal(piece_bytes(&a), "first", 5);
    assert_memory_equal(piece_bytes(&b), "second", 6);
    chunk_unref(a.chunk);
    chunk_unref(b.chunk);
    assert_int_equal(chunk_in_use(), 0);
}

static void a_full_shared_chunk_makes_way_for_another(void **state)
{
    static const char bytes[CHUNK_SMALL_BYTES];
    struct piece pieces[20];
    for (int i = 0; i < 20; i++) {
        pieces[i] = chunk_copy(bytes, sizeof(bytes));
        assert_true(pieces[i].at + pieces[i].length <= CHUNK_BYTES);
    }
    assert_int_equal(chunk_in_use(), 3);
    for (int i = 0; i < 20; i++) {
        chunk_unref(pieces[i].chunk);
    }
    assert_int_equal(chunk_in_use(), 0);
}

static void a_shared_chunk_that_nobody_holds_is_forgotten(void **state)
{
    struct piece piece = chunk_copy("x", 1);
    chunk_unref(piece.chunk);
    struct chunk *taken = chunk_take();
    struct piece other = chunk_copy("y", 1);
    assert_ptr_not_equal(taken, other.chunk);
    chunk_unref(taken);
    chunk_unref(other.chunk);
}

static void unref_once_too_often(void)
{
    struct chunk *chunk = chunk_take();
    struct chunk *keeps_the_memory = chunk_take();
    keeps_the_memory->references = 0;
    chunk_unref(chunk);
    chunk_unref(keeps_the_memory);
}

static void a_reference_too_few_stops_the_program(void **state)
{
    char output[4096];
    assert_int_equal(run_in_child(unref_once_too_often, output, sizeof(output)), SIGABRT);
    assert_non_null(strstr(output, "references"));
}

static void *fill_pool(void *unused)
{
    struct chunk *a = chunk_take();
    struct chunk *b = chunk_take();
    chunk_unref(a);
    chunk_unref(b);
    return chunk_pool_bytes() == 2 * sizeof(struct chunk) ? unused : NULL;
}

static void each_thread_has_its_own_pool(void **state)
{
    chunk_pool_trim(0);
    pthread_t thread;
    int mark = 0;
    void *result = NULL;
    assert_int_equal(pthread_create(&thread, NULL, fill_pool, &mark), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &mark);
    assert_int_equal(chunk_pool_bytes(), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_chunk_starts_empty_with_one_reference),
        cmocka_unit_test(the_last_reference_gives_it_back),
        cmocka_unit_test(steady_use_takes_from_the_pool_only),
        cmocka_unit_test(the_pool_is_bounded_and_can_be_trimmed),
        cmocka_unit_test(small_copies_share_a_chunk),
        cmocka_unit_test(a_full_shared_chunk_makes_way_for_another),
        cmocka_unit_test(a_shared_chunk_that_nobody_holds_is_forgotten),
        cmocka_unit_test(a_reference_too_few_stops_the_program),
        cmocka_unit_test(each_thread_has_its_own_pool),
    };
    return TEST_MAIN(cases, argc, argv);
}
