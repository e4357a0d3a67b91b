#include "tests/unit/test_main.h"

#include "proxy/redirect/port_set.h"

static void expect_written(const struct port_set *set, const char *wanted)
{
    struct text written = {0};
    port_set_write(set, &written);
    assert_string_equal(written.bytes != NULL ? written.bytes : "", wanted);
    text_done(&written);
}

static void lists_of_ports_are_sorted_and_merged(void **state)
{
    static const struct {
        const char *list;
        const char *written;
    } cases[] = {
        {"80", "80"},
        {"443,80", "80, 443"},
        {" 80 , 443 ", "80, 443"},
        {"80,80", "80"},
        {"80,81", "80-81"},
        {"82,80,81", "80-82"},
        {"8000-8100,8050-8200", "8000-8200"},
        {"8000-8100,8101", "8000-8101"},
        {"8000-8100,8102", "8000-8100, 8102"},
        {"8050,8000-8100", "8000-8100"},
        {"8000-8100,8010-8020", "8000-8100"},
        {"1-10,30-40,5-35", "1-40"},
        {"1-65535", "1-65535"},
        {"65535,1,2-65534", "1-65535"},
        {"1,65535", "1, 65535"},
        {"10,20,30,40,15-35", "10, 15-35, 40"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct port_set set = {0};
        struct text problem = {0};
        assert_true(port_set_parse(&set, span_of(cases[i].list), &problem));
        expect_written(&set, cases[i].written);
        port_set_done(&set);
        text_done(&problem);
    }
}

static void lists_that_are_not_of_ports_are_refused_whole(void **state)
{
    static const char *const cases[] = {
        "",        "0",
        "65536",   "-1",
        "80,",     ",80",
        "80,,81",  "80-",
        "-80",     "90-80",
        "0-80",    "80-65536",
        "80-90-1", "80:90",
        "http",    "80 81",
        "8 0-90",  "+80",
        "0x50",    "80.5",
        "80;81",   "80-9999999999999999999999",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct port_set set = {0};
        struct text problem = {0};
        port_set_add(&set, 7, 9);
        if (port_set_parse(&set, span_of(cases[i]), &problem)) {
            fail_msg("'%s' was taken", cases[i]);
        }
        assert_true(problem.length > 0);
        expect_written(&set, "7-9");
        port_set_done(&set);
        text_done(&problem);
    }
}

static void a_list_has_at_most_1024_pieces(void **state)
{
    struct text list = {0};
    struct text problem = {0};
    struct port_set set = {0};
    for (unsigned i = 0; i < PORT_SET_RANGES; i++) {
        text_printf(&list, "%s%u", i > 0 ? "," : "", 1 + 2 * i);
    }
    assert_true(port_set_parse(&set, text_span(&list), &problem));
    assert_int_equal(set.count, PORT_SET_RANGES);
    text_add_text(&list, ",60000");
    assert_false(port_set_parse(&set, text_span(&list), &problem));
    assert_false(port_set_contains(&set, 60000));
    port_set_done(&set);
    text_done(&list);
    text_done(&problem);
}

static void a_set_contains_both_ends_of_its_ranges(void **state)
{
    struct port_set set = {0};
    port_set_add(&set, 10, 20);
    port_set_add(&set, 65535, 65535);
    assert_false(port_set_contains(&set, 9));
    assert_true(port_set_contains(&set, 10));
    assert_true(port_set_contains(&set, 20));
    assert_false(port_set_contains(&set, 21));
    assert_true(port_set_contains(&set, 65535));
    assert_false(port_set_contains(&set, 0));
    port_set_done(&set);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(lists_of_ports_are_sorted_and_merged),
        cmocka_unit_test(lists_that_are_not_of_ports_are_refused_whole),
        cmocka_unit_test(a_list_has_at_most_1024_pieces),
        cmocka_unit_test(a_set_contains_both_ends_of_its_ranges),
    };
    return TEST_MAIN(cases, argc, argv);
}
