#include "lib/base/span.h"

#include "tests/unit/test_main.h"

static void assert_span(struct span got, const char *want)
{
    assert_int_equal(got.length, strlen(want));
    assert_true(span_equal_text(got, want));
}

static void a_null_text_is_the_empty_span(void **state)
{
    assert_int_equal(span_of(NULL).length, 0);
    assert_null(span_of(NULL).at);
    assert_true(span_equal(span_of(NULL), SPAN("")));
    assert_span(span_of("abc"), "abc");
    assert_span(span_make("abcdef", 2), "ab");
}

static void equality_is_of_bytes(void **state)
{
    static const struct {
        struct span a, b;
        bool equal, nocase;
    } cases[] = {
        {{"abc", 3}, {"abc", 3}, true, true},
        {{"abc", 3}, {"ABC", 3}, false, true},
        {{"abc", 3}, {"abcd", 4}, false, false},
        {{"a\0c", 3}, {"a\0c", 3}, true, true},
        {{"a\0c", 3}, {"a\0d", 3}, false, false},
        {{"", 0}, {NULL, 0}, true, true},
        /* Only letters fold: '@' and '`', '[' and '{' differ by the same bit. */
        {{"@", 1}, {"`", 1}, false, false},
        {{"[", 1}, {"{", 1}, false, false},
        {{"\xc4", 1}, {"\xe4", 1}, false, false},
        {{"Z", 1}, {"z", 1}, false, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(span_equal(cases[i].a, cases[i].b), cases[i].equal);
        assert_int_equal(span_equal_nocase(cases[i].a, cases[i].b), cases[i].nocase);
    }
}

/* Against the plain definition, at every length and place. */
static void every_byte_folds_or_differs_at_every_place(void **state)
{
    enum { LONGEST = 26 };
    for (size_t length = 1; length <= LONGEST; length++) {
        for (size_t place = 0; place < length; place++) {
            for (int byte = 0; byte < 256; byte++) {
                char a[LONGEST];
                char b[LONGEST];
                memset(a, 'k', sizeof(a));
                memset(b, 'K', sizeof(b));
                a[place] = (char)byte;
                b[place] = (char)(byte ^ 0x20);
                bool letter = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
                assert_int_equal(span_equal_nocase(span_make(a, length), span_make(b, length)),
                                 letter);
                b[place] = (char)byte;
                assert_true(span_equal_nocase(span_make(a, length), span_make(b, length)));
            }
        }
    }
}

static void a_number_is_its_digits(void **state)
{
    static const struct {
        uint64_t number;
        const char *digits;
    } cases[] = {
        {0, "0"}, {7, "7"}, {10, "10"}, {65535, "65535"}, {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char into[SPAN_U64_BYTES];
        assert_span(span_from_u64(cases[i].number, into), cases[i].digits);
    }
}

static void order_puts_a_beginning_first(void **state)
{
    assert_true(span_compare(SPAN("a"), SPAN("b")) < 0);
    assert_true(span_compare(SPAN("b"), SPAN("a")) > 0);
    assert_true(span_compare(SPAN("a"), SPAN("ab")) < 0);
    assert_true(span_compare(SPAN("ab"), SPAN("a")) > 0);
    assert_true(span_compare(SPAN("\x80"), SPAN("\x7f")) > 0);
    assert_int_equal(span_compare(SPAN_EMPTY, SPAN("")), 0);
    assert_true(span_compare(SPAN_EMPTY, SPAN("a")) < 0);
}

static void beginnings_and_ends_are_found(void **state)
{
    assert_true(span_starts_with(SPAN("/v1/items"), SPAN("/v1")));
    assert_true(span_starts_with(SPAN("/v1"), SPAN("/v1")));
    assert_false(span_starts_with(SPAN("/v"), SPAN("/v1")));
    assert_true(span_starts_with(SPAN_EMPTY, SPAN_EMPTY));
    assert_true(span_ends_with(SPAN("api.shop.svc"), SPAN(".svc")));
    assert_false(span_ends_with(SPAN("svc"), SPAN(".svc")));
    assert_true(span_ends_with(SPAN("x"), SPAN_EMPTY));
    assert_false(span_ends_with(SPAN_EMPTY, SPAN("x")));
}

static void finding_gives_the_length_when_there_is_none(void **state)
{
    assert_int_equal(span_find_byte(SPAN("a:b:c"), ':'), 1);
    assert_int_equal(span_find_byte(SPAN("abc"), ':'), 3);
    assert_int_equal(span_find_byte(SPAN_EMPTY, ':'), 0);
    assert_int_equal(span_find_byte(SPAN("a\0b"), '\0'), 1);
    assert_int_equal(span_find(SPAN("one\r\n\r\ntwo"), SPAN("\r\n\r\n")), 3);
    assert_int_equal(span_find(SPAN("abc"), SPAN("abcd")), 3);
    assert_int_equal(span_find(SPAN("abc"), SPAN("x")), 3);
    assert_int_equal(span_find(SPAN("abc"), SPAN_EMPTY), 0);
    assert_int_equal(span_find(SPAN_EMPTY, SPAN("x")), 0);
}

static void a_cut_is_clipped_to_what_is_there(void **state)
{
    assert_span(span_cut(SPAN("abcdef"), 1, 3), "bc");
    assert_span(span_cut(SPAN("abcdef"), 4, 100), "ef");
    assert_span(span_cut(SPAN("abcdef"), 6, 9), "");
    assert_span(span_cut(SPAN("abcdef"), 5, 2), "");
    assert_span(span_cut(SPAN("abcdef"), SIZE_MAX, SIZE_MAX), "");
    assert_span(span_cut(SPAN_EMPTY, 0, 1), "");
}

static void trimming_takes_blanks_and_nothing_else(void **state)
{
    assert_span(span_trim(SPAN(" \t a b \t")), "a b");
    assert_span(span_trim(SPAN("   ")), "");
    assert_span(span_trim(SPAN_EMPTY), "");
    assert_span(span_trim(SPAN("\r\nx\v")), "\r\nx\v");
}

static void pieces_between_separators_come_in_order(void **state)
{
    static const struct {
        const char *text;
        const char *pieces[5];
    } cases[] = {
        {"a,,b", {"a", "", "b"}}, {"a", {"a"}}, {"a,", {"a", ""}}, {",", {"", ""}}, {"", {""}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span rest = span_of(cases[i].text);
        struct span piece = SPAN_EMPTY;
        size_t n = 0;
        while (span_next(&rest, ',', &piece)) {
            assert_non_null(cases[i].pieces[n]);
            assert_span(piece, cases[i].pieces[n++]);
        }
        assert_null(cases[i].pieces[n]);
        struct span untouched = SPAN("same");
        assert_false(span_next(&rest, ',', &untouched));
        assert_span(untouched, "same");
    }
    struct span nothing = SPAN_EMPTY;
    struct span piece;
    assert_false(span_next(&nothing, ',', &piece));
}

static void only_whole_decimal_numbers_within_the_limit_pass(void **state)
{
    static const struct {
        const char *text;
        uint64_t limit;
        bool valid;
        uint64_t value;
    } cases[] = {
        {"0", UINT64_MAX, true, 0},
        {"65535", 65535, true, 65535},
        {"65536", 65535, false, 0},
        {"007", UINT64_MAX, true, 7},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, false, 0},
        {"99999999999999999999", UINT64_MAX, false, 0},
        {"000000000000000000001", UINT64_MAX, false, 0}, /* 21 digits */
        {"", UINT64_MAX, false, 0},
        {"+1", UINT64_MAX, false, 0},
        {"-1", UINT64_MAX, false, 0},
        {" 1", UINT64_MAX, false, 0},
        {"1 ", UINT64_MAX, false, 0},
        {"1x", UINT64_MAX, false, 0},
        {"0x10", UINT64_MAX, false, 0},
        {"1.0", UINT64_MAX, false, 0},
        {"\xb2", UINT64_MAX, false, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 12345;
        assert_int_equal(span_to_u64(span_of(cases[i].text), cases[i].limit, &value),
                         cases[i].valid);
        assert_int_equal(value, cases[i].valid ? cases[i].value : 12345);
    }
}

static void the_hash_is_xxh64(void **state)
{
    /* The published vectors: no bytes with seeds 0 and 1. */
    assert_int_equal(span_hash(SPAN_EMPTY, 0), 0xef46db3751d8e999U);
    assert_int_equal(span_hash(SPAN("a"), 0), 0xd24ec4f1a98c6e5bU);
    assert_int_not_equal(span_hash(SPAN("a"), 0), span_hash(SPAN("a"), 1));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_null_text_is_the_empty_span),
        cmocka_unit_test(equality_is_of_bytes),
        cmocka_unit_test(every_byte_folds_or_differs_at_every_place),
        cmocka_unit_test(a_number_is_its_digits),
        cmocka_unit_test(order_puts_a_beginning_first),
        cmocka_unit_test(beginnings_and_ends_are_found),
        cmocka_unit_test(finding_gives_the_length_when_there_is_none),
        cmocka_unit_test(a_cut_is_clipped_to_what_is_there),
        cmocka_unit_test(trimming_takes_blanks_and_nothing_else),
        cmocka_unit_test(pieces_between_separators_come_in_order),
        cmocka_unit_test(only_whole_decimal_numbers_within_the_limit_pass),
        cmocka_unit_test(the_hash_is_xxh64),
    };
    return TEST_MAIN(cases, argc, argv);
}
