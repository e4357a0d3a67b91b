#include "tests/unit/test_main.h"

#include "proxy/redirect/cidr_set.h"

static void expect_written(const struct cidr_set *set, uint8_t family, const char *wanted)
{
    struct text written = {0};
    cidr_set_write(set, family, &written);
    assert_string_equal(written.bytes != NULL ? written.bytes : "", wanted);
    text_done(&written);
}

static void blocks_inside_others_are_left_out(void **state)
{
    static const struct {
        const char *list;
        const char *written4;
        const char *written6;
    } cases[] = {
        {"10.0.0.0/8", "10.0.0.0/8", ""},
        {"10.1.2.3", "10.1.2.3/32", ""},
        {"fd00::/8", "", "fd00::/8"},
        {"10.1.0.0/16,10.0.0.0/8", "10.0.0.0/8", ""},
        {"10.0.0.0/8,10.1.0.0/16", "10.0.0.0/8", ""},
        {"10.0.0.0/8, 10.0.0.0/8", "10.0.0.0/8", ""},
        {"0.0.0.0/0,10.1.2.3,192.168.0.0/16", "0.0.0.0/0", ""},
        {"10.1.2.3,192.168.0.0/16,0.0.0.0/0", "0.0.0.0/0", ""},
        {"0.0.0.0/0,fd00::/8", "0.0.0.0/0", "fd00::/8"},
        {"::/0,fd00::/8,10.0.0.0/8", "10.0.0.0/8", "::/0"},
        {"10.0.0.0/9,10.128.0.0/9", "10.0.0.0/9, 10.128.0.0/9", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cidr_set set = {0};
        struct text problem = {0};
        assert_true(cidr_set_parse(&set, span_of(cases[i].list), &problem));
        expect_written(&set, 4, cases[i].written4);
        expect_written(&set, 6, cases[i].written6);
        assert_int_equal(cidr_set_has_family(&set, 4), cases[i].written4[0] != '\0');
        assert_int_equal(cidr_set_has_family(&set, 6), cases[i].written6[0] != '\0');
        cidr_set_done(&set);
        text_done(&problem);
    }
}

static void what_is_no_block_is_refused_and_changes_nothing(void **state)
{
    static const char *const cases[] = {
        "",
        "10.0.0.0/33",
        "10.0.0.1/8",
        "fd00::1/8",
        "fd00::/129",
        "10.0.0.0/",
        "10.0.0.0/x",
        "10.0.0",
        "example.com",
        "10.0.0.0/8,",
        "10.0.0.0/-1",
        "fd00::%eth0/64",
        "10.0.0.0/8;11.0.0.0/8",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cidr_set set = {0};
        struct text problem = {0};
        assert_true(cidr_set_parse(&set, SPAN("172.16.0.0/12"), &problem));
        if (cidr_set_parse(&set, span_of(cases[i]), &problem)) {
            fail_msg("'%s' was taken", cases[i]);
        }
        assert_true(problem.length > 0);
        expect_written(&set, 4, "172.16.0.0/12");
        cidr_set_done(&set);
        text_done(&problem);
    }
}

static void a_set_contains_what_its_blocks_do(void **state)
{
    static const struct {
        const char *address;
        bool inside;
    } cases[] = {
        {"10.0.0.0", true},       {"10.255.255.255", true}, {"11.0.0.0", false},
        {"9.255.255.255", false}, {"fd00::1", true},        {"fe00::1", false},
        {"::10.0.0.1", false},
    };
    struct cidr_set set = {0};
    struct text problem = {0};
    assert_true(cidr_set_parse(&set, SPAN("10.0.0.0/8,fd00::/8"), &problem));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address;
        assert_true(address_parse_ip(span_of(cases[i].address), &address));
        assert_int_equal(cidr_set_contains(&set, &address), cases[i].inside);
    }
    cidr_set_done(&set);
    text_done(&problem);
}

static void a_list_has_at_most_1024_blocks(void **state)
{
    struct text list = {0};
    struct text problem = {0};
    struct cidr_set set = {0};
    for (unsigned i = 0; i < CIDR_SET_BLOCKS; i++) {
        text_printf(&list, "%s10.%u.%u.1", i > 0 ? "," : "", i / 256, i % 256);
    }
    assert_true(cidr_set_parse(&set, text_span(&list), &problem));
    assert_int_equal(set.count, CIDR_SET_BLOCKS);
    text_add_text(&list, ",11.0.0.1");
    assert_false(cidr_set_parse(&set, text_span(&list), &problem));
    assert_int_equal(set.count, CIDR_SET_BLOCKS);
    cidr_set_done(&set);
    text_done(&list);
    text_done(&problem);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(blocks_inside_others_are_left_out),
        cmocka_unit_test(what_is_no_block_is_refused_and_changes_nothing),
        cmocka_unit_test(a_set_contains_what_its_blocks_do),
        cmocka_unit_test(a_list_has_at_most_1024_blocks),
    };
    return TEST_MAIN(cases, argc, argv);
}
