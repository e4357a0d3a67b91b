#include "lib/base/free_list.h"

#include "tests/unit/test_main.h"

#include <pthread.h>

static void a_block_given_back_is_the_next_one_taken(void **state)
{
    struct free_list list = FREE_LIST(64, 2);
    list.armed = true; /* a list of this test, not of the thread */
    void *a = free_list_take(&list);
    void *b = free_list_take(&list);
    memset(a, 1, 64);
    memset(b, 2, 64);
    free_list_give(&list, a);
    free_list_give(&list, b);
    assert_ptr_equal(free_list_take(&list), b);
    assert_ptr_equal(free_list_take(&list), a);
    memset(a, 3, 64);
    free_list_give(&list, a);
    free_list_give(&list, b);
    free_list_trim(&list, 0);
    assert_int_equal(list.count, 0);
}

static void no_more_are_kept_than_said(void **state)
{
    struct free_list list = FREE_LIST(64, 3);
    list.armed = true;
    void *blocks[10];
    for (int i = 0; i < 10; i++) {
        blocks[i] = free_list_take(&list);
    }
    for (int i = 0; i < 10; i++) {
        free_list_give(&list, blocks[i]);
    }
    assert_int_equal(list.count, 3);
    free_list_trim(&list, 1);
    assert_int_equal(list.count, 1);
    free_list_trim(&list, 5);
    assert_int_equal(list.count, 1);
    free_list_trim(&list, 0);
}

static _Thread_local struct free_list of_thread = FREE_LIST(32, 8);
static _Thread_local struct free_list second_of_thread = FREE_LIST(48, 8);

static void *use_lists(void *unused)
{
    free_list_give(&of_thread, free_list_take(&of_thread));
    free_list_give(&second_of_thread, free_list_take(&second_of_thread));
    return of_thread.count + second_of_thread.count == 2 ? unused : NULL;
}

/* Were the blocks lost with the thread, LeakSanitizer would fail this case. */
static void a_thread_that_ends_frees_what_it_kept(void **state)
{
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        int mark = 0;
        void *result = NULL;
        assert_int_equal(pthread_create(&thread, NULL, use_lists, &mark), 0);
        assert_int_equal(pthread_join(thread, &result), 0);
        assert_ptr_equal(result, &mark);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_block_given_back_is_the_next_one_taken),
        cmocka_unit_test(no_more_are_kept_than_said),
        cmocka_unit_test(a_thread_that_ends_frees_what_it_kept),
    };
    return TEST_MAIN(cases, argc, argv);
}
