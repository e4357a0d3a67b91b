#include "lib/base/refcount.h"

#include "tests/unit/lib/base/child.h"
#include "tests/unit/test_main.h"

#include <pthread.h>
#include <signal.h>

static void only_the_last_reference_says_so(void **state)
{
    struct refcount refcount;
    refcount_init(&refcount);
    refcount_up(&refcount);
    assert_false(refcount_down(&refcount));
    assert_true(refcount_down(&refcount));
}

static void *up_and_down(void *of)
{
    for (int i = 0; i < 100000; i++) {
        refcount_up(of);
        if (refcount_down(of)) {
            return NULL;
        }
    }
    return of;
}

static void threads_lose_no_count(void **state)
{
    struct refcount refcount;
    refcount_init(&refcount);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, up_and_down, &refcount), 0);
    }
    for (int i = 0; i < 3; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &refcount);
    }
    assert_true(refcount_down(&refcount));
}

static void use_what_is_gone(void)
{
    struct refcount refcount;
    refcount_init(&refcount);
    refcount_down(&refcount);
    refcount_up(&refcount);
}

static void a_reference_on_what_is_gone_stops_the_program(void **state)
{
    char output[1024];
    assert_int_equal(run_in_child(use_what_is_gone, output, sizeof(output)), SIGABRT);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(only_the_last_reference_says_so),
        cmocka_unit_test(threads_lose_no_count),
        cmocka_unit_test(a_reference_on_what_is_gone_stops_the_program),
    };
    return TEST_MAIN(cases, argc, argv);
}
