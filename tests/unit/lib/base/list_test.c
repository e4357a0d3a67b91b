#include "lib/base/list.h"

#include "tests/unit/test_main.h"

struct item {
    int number;
    struct link link;
};

static int number_of(struct link *link)
{
    return CONTAINER_OF(link, struct item, link)->number;
}

static void links_keep_their_order(void **state)
{
    struct list list;
    struct item items[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    list_init(&list);
    assert_true(list_empty(&list));
    assert_null(list_first(&list));
    assert_null(list_pop(&list));
    list_push_back(&list, &items[1].link);
    list_push_back(&list, &items[3].link);
    list_push_front(&list, &items[0].link);
    list_insert_before(&items[3].link, &items[2].link);
    for (int want = 1; want <= 4; want++) {
        assert_int_equal(number_of(list_pop(&list)), want);
    }
    assert_true(list_empty(&list));
}

static void a_removed_link_knows_it(void **state)
{
    struct list list;
    struct item item = {0};
    list_init(&list);
    assert_false(link_linked(&item.link));
    list_remove(&item.link);
    list_push_back(&list, &item.link);
    assert_true(link_linked(&item.link));
    list_remove(&item.link);
    assert_false(link_linked(&item.link));
    assert_true(list_empty(&list));
}

static void a_walk_survives_removal_of_the_current_link(void **state)
{
    struct list list;
    struct item items[5] = {
        {.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}, {.number = 5}};
    list_init(&list);
    for (int i = 0; i < 5; i++) {
        list_push_back(&list, &items[i].link);
    }
    int sum = 0;
    LIST_EACH(&list, link)
    {
        sum += number_of(link);
        if (number_of(link) % 2 == 1) {
            list_remove(link);
        }
    }
    assert_int_equal(sum, 15);
    assert_int_equal(number_of(list_pop(&list)), 2);
    assert_int_equal(number_of(list_pop(&list)), 4);
    assert_true(list_empty(&list));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(links_keep_their_order),
        cmocka_unit_test(a_removed_link_knows_it),
        cmocka_unit_test(a_walk_survives_removal_of_the_current_link),
    };
    return TEST_MAIN(cases, argc, argv);
}
