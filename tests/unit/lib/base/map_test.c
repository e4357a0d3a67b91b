#include "lib/base/map.h"

#include "lib/base/random.h"
#include "tests/unit/test_main.h"

#include <pthread.h>

static int a, b;

static void an_empty_map_has_nothing(void **state)
{
    struct map map = {0};
    size_t at = 0;
    struct span key;
    void *value;
    assert_null(map_get(&map, SPAN("a")));
    assert_null(map_remove(&map, SPAN("a")));
    assert_false(map_next(&map, &at, &key, &value));
    map_done(&map);
    map_done(&map);
}

static void what_was_put_is_found_and_replaced(void **state)
{
    struct map map;
    map_init(&map);
    assert_null(map_put(&map, SPAN("key"), &a));
    assert_ptr_equal(map_get(&map, SPAN("key")), &a);
    assert_null(map_get(&map, SPAN("ke")));
    assert_null(map_get(&map, SPAN("KEY")));
    assert_ptr_equal(map_put(&map, SPAN("key"), &b), &a);
    assert_ptr_equal(map_get(&map, SPAN("key")), &b);
    assert_int_equal(map.count, 1);
    assert_ptr_equal(map_remove(&map, SPAN("key")), &b);
    assert_null(map_get(&map, SPAN("key")));
    assert_int_equal(map.count, 0);
    map_done(&map);
}

static void keys_may_hold_any_bytes_and_none(void **state)
{
    struct map map = {0};
    map_put(&map, SPAN("a\0b"), &a);
    map_put(&map, SPAN_EMPTY, &b);
    assert_ptr_equal(map_get(&map, SPAN("a\0b")), &a);
    assert_null(map_get(&map, SPAN("a\0c")));
    assert_null(map_get(&map, SPAN("a")));
    assert_ptr_equal(map_get(&map, SPAN("")), &b);
    map_done(&map);
}

static void keys_are_copied(void **state)
{
    struct map map = {0};
    char key[] = "mine";
    map_put(&map, span_of(key), &a);
    key[0] = 'X';
    assert_ptr_equal(map_get(&map, SPAN("mine")), &a);
    map_done(&map);
}

static void borrowed_keys_follow_the_value(void **state)
{
    struct map map;
    map_init_borrowed(&map);
    char first[] = "name";
    char second[] = "name";
    map_put(&map, span_of(first), &a);
    map_put(&map, span_of(second), &b);
    memset(first, 0, sizeof(first));
    assert_ptr_equal(map_get(&map, SPAN("name")), &b);
    size_t at = 0;
    struct span key;
    void *value;
    assert_true(map_next(&map, &at, &key, &value));
    assert_ptr_equal(key.at, second);
    map_done(&map);
    assert_true(map.borrows_keys);
}

static void the_current_entry_may_go_while_walking(void **state)
{
    struct map map = {0};
    static int values[1000];
    char key[20];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        map_put(&map, span_of(key), &values[i]);
    }
    size_t at = 0;
    struct span name;
    void *value;
    int seen = 0;
    while (map_next(&map, &at, &name, &value)) {
        *(int *)value += 1;
        seen++;
        if (seen % 2 == 0) {
            assert_ptr_equal(map_remove(&map, name), value);
        }
    }
    assert_int_equal(seen, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(values[i], 1);
    }
    assert_int_equal(map.count, 500);
    map_done(&map);
}

static void churn_does_not_grow_the_table(void **state)
{
    struct map map = {0};
    char key[20];
    for (int i = 0; i < 100000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        map_put(&map, span_of(key), &a);
        if (i >= 10) {
            snprintf(key, sizeof(key), "%d", i - 10);
            assert_ptr_equal(map_remove(&map, span_of(key)), &a);
        }
    }
    assert_int_equal(map.count, 10);
    assert_true(map.capacity <= 64);
    map_done(&map);
}

/* The map against a plain table of flags, with random steps. */
static void random_steps_agree_with_a_plain_table(void **state)
{
    enum { KEYS = 500 };
    static void *model[KEYS];
    static int values[2];
    struct map map = {0};
    size_t count = 0;
    random_seed(11);
    for (int step = 0; step < 200000; step++) {
        uint32_t number = (uint32_t)random_below(KEYS);
        struct span key = span_make(&number, sizeof(number));
        void *before = model[number];
        assert_ptr_equal(map_get(&map, key), before);
        if (random_below(2) == 0) {
            void *value = &values[random_below(2)];
            assert_ptr_equal(map_put(&map, key, value), before);
            count += before == NULL;
            model[number] = value;
        } else {
            assert_ptr_equal(map_remove(&map, key), before);
            count -= before != NULL;
            model[number] = NULL;
        }
        assert_int_equal(map.count, count);
    }
    map_done(&map);
}

static void *read_all(void *of)
{
    const struct map *map = of;
    for (int i = 0; i < 1000; i++) {
        char key[20];
        snprintf(key, sizeof(key), "%d", i);
        if (map_get(map, span_of(key)) == NULL) {
            return NULL;
        }
    }
    return of;
}

static void many_threads_may_read(void **state)
{
    struct map map = {0};
    char key[20];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        map_put(&map, span_of(key), &a);
    }
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &map), 0);
    }
    for (int i = 0; i < 3; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &map);
    }
    map_done(&map);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(what_was_put_is_found_and_replaced),
        cmocka_unit_test(keys_may_hold_any_bytes_and_none),
        cmocka_unit_test(keys_are_copied),
        cmocka_unit_test(borrowed_keys_follow_the_value),
        cmocka_unit_test(the_current_entry_may_go_while_walking),
        cmocka_unit_test(churn_does_not_grow_the_table),
        cmocka_unit_test(random_steps_agree_with_a_plain_table),
        cmocka_unit_test(many_threads_may_read),
    };
    return TEST_MAIN(cases, argc, argv);
}
