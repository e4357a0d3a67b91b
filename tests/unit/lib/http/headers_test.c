#include "lib/http/headers.h"

#include "tests/unit/test_main.h"

static void every_known_name_is_found_in_any_case(void **state)
{
    for (unsigned token = 1; token < HEADER_TOKENS; token++) {
        struct span name = header_token_name((enum header_token)token);
        char upper[64];
        assert_true(name.length < sizeof(upper));
        for (size_t i = 0; i < name.length; i++) {
            upper[i] =
                (char)(name.at[i] >= 'a' && name.at[i] <= 'z' ? name.at[i] & ~0x20 : name.at[i]);
        }
        assert_int_equal(header_token_of(name), token);
        assert_int_equal(header_token_of(span_make(upper, name.length)), token);
        assert_int_equal(header_token_of(span_cut(name, 0, name.length - 1)) == token, 0);
    }
}

static void unknown_and_empty_names_have_no_token(void **state)
{
    assert_int_equal(header_token_of(SPAN_EMPTY), HEADER_UNKNOWN);
    assert_int_equal(header_token_of(SPAN("x-something")), HEADER_UNKNOWN);
    assert_int_equal(header_token_of(SPAN("content\rlength")), HEADER_UNKNOWN);
    assert_int_equal(header_token_of(SPAN("content_length")), HEADER_UNKNOWN);
}

static void fields_keep_their_order_and_spelling_while_the_list_grows(void **state)
{
    struct arena arena = {0};
    struct headers headers;
    headers_init(&headers, &arena);
    char name[16];
    for (int i = 0; i < 100; i++) {
        int length = snprintf(name, sizeof(name), "X-Name-%d", i);
        headers_add_copy(&headers, span_make(name, (size_t)length), span_of(name));
    }
    int seen = 0;
    HEADERS_EACH(&headers, field)
    {
        snprintf(name, sizeof(name), "X-Name-%d", seen++);
        assert_true(span_equal_text(field->name, name));
        assert_true(span_equal_text(field->value, name));
    }
    assert_int_equal(seen, 100);
    arena_done(&arena);
}

static void removing_marks_all_fields_of_a_name_and_setting_leaves_one(void **state)
{
    struct arena arena = {0};
    struct headers headers;
    headers_init(&headers, &arena);
    headers_add(&headers, SPAN("Via"), SPAN("a"));
    headers_add(&headers, SPAN("Cookie"), SPAN("a=b"));
    headers_add(&headers, SPAN("via"), SPAN("b"));
    assert_true(headers_find(&headers, HEADER_COOKIE)->sensitive);
    assert_int_equal(headers_remove_name(&headers, SPAN("VIA")), 2);
    assert_null(headers_find_name(&headers, SPAN("via")));
    headers_set_name(&headers, SPAN("via"), SPAN("c"));
    headers_set_token(&headers, HEADER_COOKIE, SPAN("c=d"));
    int seen = 0;
    HEADERS_EACH(&headers, field)
    {
        seen++;
    }
    assert_int_equal(seen, 2);
    assert_true(span_equal_text(headers_value(&headers, HEADER_COOKIE), "c=d"));
    assert_null(headers_value(&headers, HEADER_HOST).at);
    headers_add(&headers, SPAN("accept"), SPAN_EMPTY);
    assert_non_null(headers_value(&headers, HEADER_ACCEPT).at);
    struct headers copy;
    headers_init(&copy, &arena);
    headers_append_all(&copy, &headers);
    assert_int_equal(copy.count, 3);
    arena_done(&arena);
}

static void what_was_never_put_in_is_not_found_and_what_was_is(void **state)
{
    struct arena arena = {0};
    struct headers first;
    struct headers second;
    headers_init(&first, &arena);
    headers_init(&second, &arena);
    headers_add(&first, SPAN("Accept"), SPAN("a"));
    headers_add_token(&first, HEADER_COOKIE, SPAN("b"));
    headers_add_found(&first, HEADER_DATE, SPAN("DATE"), SPAN("c"));
    headers_add_copy(&first, SPAN("Te"), SPAN("d"));
    headers_append_all(&second, &first);
    for (unsigned token = 1; token < HEADER_TOKENS; token++) {
        bool put = token == HEADER_ACCEPT || token == HEADER_COOKIE || token == HEADER_DATE ||
                   token == HEADER_TE;
        assert_int_equal(headers_find(&first, (enum header_token)token) != NULL, put);
        assert_int_equal(headers_remove(&second, (enum header_token)token), put);
    }
    assert_null(headers_find(&second, HEADER_ACCEPT));
    assert_true(span_equal(headers_value(&first, HEADER_DATE), SPAN("c")));
    arena_done(&arena);
}

static void a_known_name_has_a_title(void **state)
{
    assert_true(span_equal(header_token_title(HEADER_CONTENT_TYPE), SPAN("Content-Type")));
    assert_true(span_equal(header_token_title(HEADER_B3), SPAN("B3")));
    for (unsigned token = 1; token < HEADER_TOKENS; token++) {
        assert_int_equal(header_token_of(header_token_title((enum header_token)token)), token);
    }
}

/* Also where the name was not looked at, because it has a token. */
static void a_field_is_valid_when_name_and_value_are(void **state)
{
    struct arena arena = {0};
    struct headers headers;
    headers_init(&headers, &arena);
    assert_true(header_valid(headers_add(&headers, SPAN("Accept"), SPAN("*"))));
    assert_true(header_valid(headers_add(&headers, SPAN("x-any"), SPAN(""))));
    assert_false(header_valid(headers_add(&headers, SPAN("x any"), SPAN("v"))));
    assert_false(header_valid(headers_add(&headers, SPAN("x-any"), SPAN("a\nb"))));
    assert_false(header_valid(headers_add(&headers, SPAN("Accept"), SPAN("a\nb"))));
    assert_false(header_valid(headers_add(&headers, SPAN("Accept\r"), SPAN("v"))));
    arena_done(&arena);
}

static void every_byte_is_judged_in_names_and_at_every_place_of_values(void **state)
{
    for (int byte = 0; byte < 256; byte++) {
        char one = (char)byte;
        bool token = byte < 0x80 && byte > ' ' && byte != 0x7f &&
                     strchr("\"(),/:;<=>?@[\\]{}", byte) == NULL;
        assert_int_equal(header_name_valid(span_make(&one, 1)), token);
        bool clean = byte == '\t' || (byte >= ' ' && byte != 0x7f);
        for (size_t length = 3; length < 21; length++) {
            for (size_t place = 1; place + 1 < length; place++) {
                char value[20];
                memset(value, 'v', sizeof(value));
                value[place] = one;
                assert_int_equal(header_value_valid(span_make(value, length)), clean);
            }
        }
    }
    assert_false(header_name_valid(SPAN_EMPTY));
    assert_true(header_value_valid(SPAN_EMPTY));
    assert_false(header_value_valid(SPAN(" v")));
    assert_false(header_value_valid(SPAN("v\t")));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(every_known_name_is_found_in_any_case),
        cmocka_unit_test(unknown_and_empty_names_have_no_token),
        cmocka_unit_test(fields_keep_their_order_and_spelling_while_the_list_grows),
        cmocka_unit_test(removing_marks_all_fields_of_a_name_and_setting_leaves_one),
        cmocka_unit_test(what_was_never_put_in_is_not_found_and_what_was_is),
        cmocka_unit_test(a_known_name_has_a_title),
        cmocka_unit_test(a_field_is_valid_when_name_and_value_are),
        cmocka_unit_test(every_byte_is_judged_in_names_and_at_every_place_of_values),
    };
    return TEST_MAIN(cases, argc, argv);
}
