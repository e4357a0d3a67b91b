#include "lib/base/text.h"

#include "lib/base/memory.h"
#include "tests/unit/test_main.h"

#include <jansson.h>

static void an_empty_text_is_no_bytes(void **state)
{
    struct text text = {0};
    assert_int_equal(text_span(&text).length, 0);
    text_clear(&text);
    char *taken = text_take(&text);
    assert_string_equal(taken, "");
    mem_free(taken);
    text_add(&text, SPAN_EMPTY);
    assert_string_equal(text.bytes, "");
    text_done(&text);
    text_done(&text);
}

static void all_kinds_of_additions_follow_each_other(void **state)
{
    struct text text;
    text_init(&text);
    text_add(&text, SPAN("span "));
    text_add_text(&text, "text ");
    text_add_byte(&text, '#');
    text_add_u64(&text, 0);
    text_add_byte(&text, ' ');
    text_add_u64(&text, UINT64_MAX);
    text_add_byte(&text, ' ');
    text_add_i64(&text, INT64_MIN);
    text_printf(&text, " %05d %s", 42, "end");
    assert_string_equal(text.bytes,
                        "span text #0 18446744073709551615 -9223372036854775808 00042 end");
    assert_int_equal(text.length, strlen(text.bytes));
    text_clear(&text);
    assert_string_equal(text.bytes, "");
    text_add_text(&text, "again");
    char *taken = text_take(&text);
    assert_string_equal(taken, "again");
    assert_int_equal(text.length, 0);
    mem_free(taken);
}

static void a_long_text_grows(void **state)
{
    struct text text = {0};
    for (int i = 0; i < 100000; i++) {
        text_add_byte(&text, (char)('a' + i % 26));
    }
    text_printf(&text, "%5000d", 1);
    assert_int_equal(text.length, 105000);
    assert_int_equal(text.bytes[99999], 'a' + 99999 % 26);
    assert_int_equal(strlen(text.bytes), 105000);
    text_done(&text);
}

static void what_goes_beyond_the_limit_is_left_out_whole(void **state)
{
    struct text text = {.limit = 10};
    text_add_text(&text, "12345");
    text_add_text(&text, "67890");
    assert_false(text.truncated);
    text_add_byte(&text, 'x');
    assert_true(text.truncated);
    assert_string_equal(text.bytes, "1234567890");

    text_clear(&text);
    text_add_text(&text, "1234");
    text_printf(&text, "%s", "1234567");
    assert_true(text.truncated);
    assert_string_equal(text.bytes, "1234");
    /* Nothing follows a gap. */
    text_add_byte(&text, 'x');
    assert_string_equal(text.bytes, "1234");

    text_clear(&text);
    text_add_text(&text, "1234");
    text_add_json(&text, SPAN("a\nb\nc"));
    assert_true(text.truncated);
    assert_string_equal(text.bytes, "1234");

    text_clear(&text);
    text_add_json(&text, SPAN("12345678"));
    assert_false(text.truncated);
    text_clear(&text);
    text_add_label(&text, SPAN("123456789"));
    assert_true(text.truncated);
    assert_int_equal(text.length, 0);
    text_done(&text);
}

static void json_strings_are_escaped(void **state)
{
    static const struct {
        struct span in;
        const char *out;
    } cases[] = {
        {{"", 0}, "\"\""},
        {{"plain", 5}, "\"plain\""},
        {{"a\"b\\c", 5}, "\"a\\\"b\\\\c\""},
        {{"\n\r\t", 3}, "\"\\n\\r\\t\""},
        {{"\0\x01\x1f\x7f", 4}, "\"\\u0000\\u0001\\u001f\\u007f\""},
        {{"\x1b[31m", 5}, "\"\\u001b[31m\""},
        {{"\xc2\x9b"
          "31m",
          5},
         "\"\\u009b31m\""},
        {{"gr\xc3\xbc\xc3\x9f", 6}, "\"gr\xc3\xbc\xc3\x9f\""},
        {{"\xf0\x9f\x9a\x80", 4}, "\"\xf0\x9f\x9a\x80\""},
        {{"a\xff"
          "b",
          3},
         "\"a\xef\xbf\xbd"
         "b\""},
        {{"\xc3", 1}, "\"\xef\xbf\xbd\""},
        {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"/", 1}, "\"/\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text text = {0};
        text_add_json(&text, cases[i].in);
        assert_string_equal(text.bytes, cases[i].out);
        text_done(&text);
    }
}

/* Every pair of bytes, read back by another program's parser. */
static void any_bytes_give_valid_json(void **state)
{
    for (unsigned pair = 0; pair < 65536; pair++) {
        char bytes[2] = {(char)(pair >> 8), (char)(pair & 0xff)};
        struct text text = {0};
        text_add_byte(&text, '[');
        text_add_json(&text, span_make(bytes, 2));
        text_add_byte(&text, ']');
        json_t *value = json_loadb(text.bytes, text.length, JSON_ALLOW_NUL, NULL);
        assert_non_null(value);
        if (utf8_valid(span_make(bytes, 2))) {
            const json_t *string = json_array_get(value, 0);
            assert_int_equal(json_string_length(string), 2);
            assert_memory_equal(json_string_value(string), bytes, 2);
        }
        json_decref(value);
        text_done(&text);
    }
}

static void label_values_are_escaped(void **state)
{
    static const struct {
        struct span in;
        const char *out;
    } cases[] = {
        {{"", 0}, "\"\""},
        {{"api.shop", 8}, "\"api.shop\""},
        {{"a\"} 1\n", 6}, "\"a\\\"} 1\\n\""},
        {{"\\", 1}, "\"\\\\\""},
        {{"\\n", 2}, "\"\\\\n\""},
        {{"\xc3\xbc\xff", 3}, "\"\xc3\xbc\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text text = {0};
        text_add_label(&text, cases[i].in);
        assert_string_equal(text.bytes, cases[i].out);
        text_done(&text);
    }
}

static void only_real_utf8_is_valid(void **state)
{
    static const struct {
        struct span bytes;
        bool valid;
    } cases[] = {
        {{"", 0}, true},
        {{NULL, 0}, true},
        {{"ascii only, long enough to run", 30}, true},
        {{"a\tb\r\n\x7f", 6}, true},
        {{"a\0b", 3}, false},
        {{"\xc2\x80", 2}, true},
        {{"\xdf\xbf", 2}, true},
        {{"\xe0\xa0\x80", 3}, true},
        {{"\xed\x9f\xbf", 3}, true},
        {{"\xee\x80\x80", 3}, true},
        {{"\xef\xbf\xbf", 3}, true},
        {{"\xf0\x90\x80\x80", 4}, true},
        {{"\xf4\x8f\xbf\xbf", 4}, true},
        {{"\x80", 1}, false},
        {{"\xbf", 1}, false},
        {{"\xc0\x80", 2}, false}, /* overlong NUL */
        {{"\xc1\xbf", 2}, false},
        {{"\xe0\x9f\xbf", 3}, false},
        {{"\xf0\x8f\xbf\xbf", 4}, false},
        {{"\xed\xa0\x80", 3}, false}, /* surrogates */
        {{"\xed\xbf\xbf", 3}, false},
        {{"\xf4\x90\x80\x80", 4}, false}, /* beyond U+10FFFF */
        {{"\xf5\x80\x80\x80", 4}, false},
        {{"\xff", 1}, false},
        {{"\xc3", 1}, false}, /* cut short */
        {{"\xe2\x82", 2}, false},
        {{"\xf0\x9f\x9a", 3}, false},
        {{"\xe2\x82x", 3}, false},
        {{"\xf0\x9f\x9ax", 4}, false},
        {{"good\xc3", 5}, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(utf8_valid(cases[i].bytes), cases[i].valid);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(an_empty_text_is_no_bytes),
        cmocka_unit_test(all_kinds_of_additions_follow_each_other),
        cmocka_unit_test(a_long_text_grows),
        cmocka_unit_test(what_goes_beyond_the_limit_is_left_out_whole),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(any_bytes_give_valid_json),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(only_real_utf8_is_valid),
    };
    return TEST_MAIN(cases, argc, argv);
}
