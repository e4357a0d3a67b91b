#include "lib/http/header_case.h"

#include "tests/unit/test_main.h"

#include <ctype.h>

static void add_names(struct headers *headers, const char *const *names, size_t count, bool fold)
{
    for (size_t i = 0; i < count; i++) {
        char name[64];
        size_t length = strlen(names[i]);
        assert_true(length < sizeof(name));
        for (size_t j = 0; j < length; j++) {
            name[j] = (char)(fold ? tolower(names[i][j]) : names[i][j]);
        }
        headers_add_copy(headers, span_make(name, length), SPAN("v"));
    }
}

static void expect_round_trip(const char *const *names, size_t count, const char *value)
{
    struct arena arena = {0};
    struct headers written;
    struct headers folded;
    headers_init(&written, &arena);
    headers_init(&folded, &arena);
    add_names(&written, names, count, false);
    add_names(&folded, names, count, true);
    struct span encoded = SPAN_EMPTY;
    assert_int_equal(header_case_encode(&written, &arena, &encoded), value != NULL);
    if (value != NULL) {
        assert_true(span_equal_text(encoded, value));
    }
    header_case_apply(&folded, &arena, encoded);
    for (size_t i = 0; i < count; i++) {
        assert_true(span_equal_text(folded.items[i].name, names[i]));
    }
    arena_done(&arena);
}

#define ROUND_TRIP(value, ...)                                                                     \
    do {                                                                                           \
        const char *const names[] = {__VA_ARGS__};                                                 \
        expect_round_trip(names, sizeof(names) / sizeof(names[0]), value);                         \
    } while (0)

static void names_come_back_as_they_were_written(void **state)
{
    ROUND_TRIP(NULL, "accept", "x-a", "123");
    ROUND_TRIP("t3", "Accept", "Content-Type", "X-Forwarded-For");
    ROUND_TRIP("t2.l.t", "Accept", "User-Agent", "x-lower", "Via");
    ROUND_TRIP("u.t", "TE", "Te");
    ROUND_TRIP("t.xb", "Etag", "ETaG");
    ROUND_TRIP("xb.xb.l12", "ETaG", "ETaG", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a",
               "a");
    ROUND_TRIP("x101", "Www-authEnticate");
    ROUND_TRIP("l.x02", "x", "abcdeF");
    ROUND_TRIP("t2", "X", "X-1-B3");
}

static void a_value_that_does_not_fit_changes_nothing(void **state)
{
    const char *const bad[] = {"",    "t",     "t3",     "l.l.l",   "t.q",      "t0.t2",
                               "t.",  ".t.t",  "t.x",    "t.xg",    "t.x0000f", "t.x8",
                               "t-2", "t2.l0", "t99999", "t999999", "T2",       "x1.t2",
                               "t 2", "t2.",   "u1.xB",  "t2x1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct arena arena = {0};
        struct headers headers;
        headers_init(&headers, &arena);
        headers_add(&headers, SPAN("accept"), SPAN("v"));
        headers_add(&headers, SPAN("a-1-"), SPAN("v"));
        header_case_apply(&headers, &arena, span_of(bad[i]));
        assert_true(span_equal_text(headers.items[0].name, "accept"));
        assert_true(span_equal_text(headers.items[1].name, "a-1-"));
        arena_done(&arena);
    }
}

static void removed_fields_take_no_part(void **state)
{
    struct arena arena = {0};
    struct headers headers;
    headers_init(&headers, &arena);
    headers_add(&headers, SPAN("Accept"), SPAN("v"));
    headers_add(&headers, SPAN("ETAG-x"), SPAN("v"))->removed = true;
    headers_add(&headers, SPAN("DNT"), SPAN("v"));
    struct span value;
    assert_true(header_case_encode(&headers, &arena, &value));
    assert_true(span_equal_text(value, "t.u"));
    arena_done(&arena);
}

static void a_pattern_beyond_its_bound_is_not_made(void **state)
{
    struct arena arena = {0};
    struct headers headers;
    headers_init(&headers, &arena);
    for (int i = 0; i < 128; i++) {
        headers_add(&headers, SPAN("aBcDeF"), SPAN("v"));
    }
    struct span value;
    assert_true(header_case_encode(&headers, &arena, &value) == (128 * 4 - 1 <= HEADER_CASE_BYTES));
    for (int i = 0; i < 128; i++) {
        headers_add(&headers, SPAN("aBcDeF"), SPAN("v"));
    }
    assert_false(header_case_encode(&headers, &arena, &value));
    arena_done(&arena);
}

static void every_short_name_of_two_letters_and_a_dash_round_trips(void **state)
{
    static const char bytes[] = "aB-1Z";
    for (int i = 0; i < 625; i++) {
        char name[5] = {bytes[i % 5], bytes[i / 5 % 5], bytes[i / 25 % 5], bytes[i / 125], '\0'};
        struct arena arena = {0};
        struct headers headers;
        headers_init(&headers, &arena);
        headers_add_copy(&headers, span_of(name), SPAN("v"));
        struct span value = SPAN_EMPTY;
        header_case_encode(&headers, &arena, &value);
        char folded[5];
        for (int j = 0; j < 5; j++) {
            folded[j] = (char)tolower(name[j]);
        }
        headers.items[0].name = span_of(folded);
        header_case_apply(&headers, &arena, value);
        assert_true(span_equal_text(headers.items[0].name, name));
        arena_done(&arena);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(names_come_back_as_they_were_written),
        cmocka_unit_test(a_value_that_does_not_fit_changes_nothing),
        cmocka_unit_test(removed_fields_take_no_part),
        cmocka_unit_test(a_pattern_beyond_its_bound_is_not_made),
        cmocka_unit_test(every_short_name_of_two_letters_and_a_dash_round_trips),
    };
    return TEST_MAIN(cases, argc, argv);
}
