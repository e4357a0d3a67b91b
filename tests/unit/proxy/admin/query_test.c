#include "tests/unit/test_main.h"

#include "proxy/admin/query.h"

static void values_are_found_and_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *target, *name;
        size_t n;
        const char *value; /* NULL = none */
    } cases[] = {
        {"/x?a=1&b=2", "a", 0, "1"},
        {"/x?a=1&b=2", "b", 0, "2"},
        {"/x?a=1&b=2", "c", 0, NULL},
        {"/x?a=1&a=2", "a", 1, "2"},
        {"/x?a=1&a=2", "a", 2, NULL},
        {"/x?a", "a", 0, ""},
        {"/x?a=", "a", 0, ""},
        {"/x", "a", 0, NULL},
        {"/x?", "a", 0, NULL},
        {"/x?a=b=c", "a", 0, "b=c"},
        {"/x?a=%41%2f+%2B", "a", 0, "A/ +"},
        {"/x?aa=1", "a", 0, NULL},
        {"/x?a=%", "a", 0, NULL},
        {"/x?a=%4", "a", 0, NULL},
        {"/x?a=%4g", "a", 0, NULL},
        {"/x?a=%00", "a", 0, NULL},
        {"/x?a=%0d%0a", "a", 0, NULL},
        {"/x?a=%7f", "a", 0, NULL},
        {"/x?a=%c3%a9", "a", 0, "\xc3\xa9"},
        {"/x?a=%e", "a", 0, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena = {0};
        struct span query;
        struct span value = SPAN("untouched");
        assert_true(span_equal(query_split(span_of(cases[i].target), &query), SPAN("/x")));
        bool found = query_value(query, span_of(cases[i].name), cases[i].n, &arena, &value);
        assert_int_equal(found, cases[i].value != NULL);
        assert_true(span_equal_text(value, found ? cases[i].value : "untouched"));
        arena_done(&arena);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(values_are_found_and_decoded),
    };
    return TEST_MAIN(cases, argc, argv);
}
