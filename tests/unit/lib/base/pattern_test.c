#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/pattern.h"
#include "lib/base/random.h"
#include "lib/base/text.h"

#include <regex.h>

static enum pattern_result result_of(const char *expression, const char *text)
{
    const char *reason = NULL;
    struct pattern *pattern = pattern_create(span_of(expression), &reason);
    if (pattern == NULL) {
        fail_msg("\"%s\" is refused: %s", expression, reason);
    }
    enum pattern_result result = pattern_match(pattern, span_of(text));
    pattern_destroy(pattern);
    return result;
}

static void expressions_match_whole_texts(void **state)
{
    static const struct {
        const char *expression;
        const char *yes; /* separated by blanks; "-" is the empty text */
        const char *no;
    } rows[] = {
        {"", "-", "a"},
        {"abc", "abc", "ab abcd xabc -"},
        {"a|bc|", "a bc -", "b abc ac"},
        {"a(b|c)d", "abd acd", "ad abcd"},
        {".", "a /", "ab -"},
        {".*", "- a abc", ""},
        {"a.c", "abc a.c", "ac abbc"},
        {"a*", "- a aaa", "b ab"},
        {"a+", "a aaa", "- b"},
        {"a?b", "b ab", "aab a"},
        {"a{3}", "aaa", "aa aaaa -"},
        {"a{2,}", "aa aaaaa", "a -"},
        {"a{1,3}", "a aa aaa", "- aaaa"},
        {"a{0}b", "b", "ab"},
        {"a{0,2}b", "b ab aab", "aaab"},
        {"(ab){2}", "abab", "ab ababab"},
        {"(a*)*", "- a aa", "b"},
        {"(a|b)*c", "c abac", "abad"},
        {"a*?b+?", "b aabb", "a"},
        {"[abc]+", "a cab", "d abd"},
        {"[a-c1-3]", "b 2", "d 4 -"},
        {"[^a-c]", "d x", "a b"},
        {"[]a]", "] a", "b"},
        {"[a-]", "a", "b"},
        {"[\\]\\-]", "] ", "a"},
        {"[\\d_]+", "12_3", "a1"},
        {"[[:alpha:]]+", "abZ", "a1"},
        {"[[:digit:][:upper:]]+", "A1", "a1"},
        {"\\d+\\.\\d", "12.3", "12x3"},
        {"\\w+", "ab_1", "a-b"},
        {"\\S\\D\\W", "xa-", "x1- xaa"},
        {"\\x41\\x{42}", "AB", "ab"},
        {"\\/\\.\\*\\\\", "/.*\\", "/a*\\"},
        {"(?:ab)+", "abab", "aba"},
        {"(?P<name>a)(?<other>b)", "ab", "a"},
        {"(?i)AbC[x-z]", "abcX ABCy", "abd"},
        {"(?i:a)b", "Ab ab", "AB"},
        {"^abc$", "abc", "ab"},
        {"^(a|b)$", "a b", "ab"},
        {"\\Aab\\z", "ab", "b"},
        {"a^b", "", "ab a b"},
        {"a$b", "", "ab"},
        {"(^a|b)c", "ac bc", "c"},
        {"x(^a|b)", "xb", "xa"},
        {"(a$|b)c", "bc", "ac"},
        {"(a$|b)", "a b", "c"},
        {"^*a", "a", "b"},
        {"(^|/)v1", "v1 /v1", "xv1"},
        {"v1($|/.*)", "v1 v1/ v1/a", "v1a"},
        {"a{,3}", "a{,3}", "aa"},
        {"a{x}", "a{x}", "a"},
        {"{", "{", "a"},
        {"caf\xc3\xa9", "caf\xc3\xa9", "cafe"},
        {"/api/v[0-9]+/(users|orders)(/.*)?", "/api/v1/users /api/v22/orders/7/x",
         "/api/v/users /api/v1/usersx"},
        {"^(.*?;)?(canary=always)(;.*)?$", "canary=always a=b;canary=always;c",
         "canary=never xcanary=always"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int wanted = 1; wanted >= 0; wanted--) {
            struct span texts = span_of(wanted ? rows[i].yes : rows[i].no);
            struct span text;
            while (texts.length > 0 && span_next(&texts, ' ', &text)) {
                char *whole = mem_text(text.at, span_equal_text(text, "-") ? 0 : text.length);
                enum pattern_result result = result_of(rows[i].expression, whole);
                if (result != (wanted ? PATTERN_YES : PATTERN_NO)) {
                    fail_msg("\"%s\" and \"%s\" give %d", rows[i].expression, whole, result);
                }
                mem_free(whole);
            }
        }
    }
}

static void what_is_no_expression_is_refused_with_a_reason(void **state)
{
    static const char *const rows[] = {
        "(",       "(a",     ")",         "a)",         "[",         "[a",        "[z-a]",
        "*",       "+a",     "a|*",       "a**",        "a+*",       "a{2}{3}?*", "\\",
        "\\q",     "\\b",    "\\pL",      "\\1",        "\\x4",      "\\x{4",     "\\xzz",
        "(?=a)",   "(?!a)",  "(?<=a)b",   "(?<!a)b",    "(?P>a)",    "(?#a)",     "(?<>a)",
        "a{1001}", "a{2,1}", "[[:foo:]]", "[\xc3\xa9]", "a{1,1001}", "(?x)a",     "(?i",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *reason = NULL;
        struct pattern *pattern = pattern_create(span_of(rows[i]), &reason);
        if (pattern != NULL || reason == NULL) {
            fail_msg("\"%s\" is taken", rows[i]);
        }
    }
}

static void any_byte_may_stand_in_an_expression(void **state)
{
    /* Every string of two bytes, one of them any: refused or made, never more. */
    for (unsigned byte = 0; byte < 256; byte++) {
        static const char others[] = "a([\\|*{?^-";
        for (size_t i = 0; i < sizeof(others) - 1; i++) {
            for (int order = 0; order < 2; order++) {
                char text[2];
                text[order] = (char)byte;
                text[1 - order] = others[i];
                const char *reason = NULL;
                struct pattern *pattern = pattern_create(span_make(text, 2), &reason);
                assert_true(pattern != NULL || reason != NULL);
                pattern_destroy(pattern);
            }
        }
    }
}

static void what_is_too_large_is_refused(void **state)
{
    char longest[PATTERN_BYTES + 1];
    memset(longest, 'a', sizeof(longest));
    const char *reason = NULL;
    struct pattern *pattern = pattern_create(span_make(longest, PATTERN_BYTES), &reason);
    assert_non_null(pattern);
    assert_int_equal(pattern_match(pattern, span_make(longest, PATTERN_BYTES)), PATTERN_YES);
    assert_int_equal(pattern_match(pattern, span_make(longest, PATTERN_BYTES - 1)), PATTERN_NO);
    pattern_destroy(pattern);
    assert_null(pattern_create(span_make(longest, PATTERN_BYTES + 1), &reason));
    assert_null(pattern_create(SPAN("(a{100}){100}"), &reason));
    assert_null(pattern_create(SPAN("((((){1000}){1000}){1000}){1000}"), &reason));
    assert_null(pattern_create(SPAN("(^{1000}){1000}"), &reason));
    memset(longest, '(', sizeof(longest));
    assert_null(pattern_create(span_make(longest, PATTERN_BYTES), &reason));
    assert_string_equal(reason, "groups are nested too deep");
}

static void a_text_beyond_10_KiB_is_not_judged(void **state)
{
    char *text = mem_alloc(PATTERN_TEXT_BYTES + 1);
    memset(text, 'a', PATTERN_TEXT_BYTES + 1);
    const char *reason = NULL;
    struct pattern *pattern = pattern_create(SPAN("a*"), &reason);
    assert_int_equal(pattern_match(pattern, span_make(text, PATTERN_TEXT_BYTES)), PATTERN_YES);
    assert_int_equal(pattern_match(pattern, span_make(text, PATTERN_TEXT_BYTES + 1)),
                     PATTERN_UNKNOWN);
    pattern_destroy(pattern);
    mem_free(text);
}

/*
 * The usual ways to make an engine backtrack, on 10 KiB that almost match. The bound is ten times
 * what a release build takes, because this one has sanitizers.
 */
static void hostile_texts_take_no_time(void **state)
{
    static const char *const expressions[] = {
        "(a+)+$",           "(a|aa)+",       "(.*)*x",    "(.*?,){11}P",
        "^(a|a)*b",         ".*.*.*.*y",     ".*?[^y]*y", "(?:.*a){12}",
        "([a-z]+)*1",       "(a?){40}a{40}", "(?:a*)*?b", "[^y]*?.*?[^z]*y",
        "(a|b)*a(a|b){20}", ".{0,1000}",     "(.?){500}", "((a*)*)*b",
        "(.*a){30}",        "(x+x+)+y",      "(a*a*)*b",  "^(.*?;)?(canary=always)(;.*)?$",
    };
    char *text = mem_alloc(PATTERN_TEXT_BYTES);
    for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
        for (int form = 0; form < 3; form++) {
            memset(text, form == 2 ? 'x' : 'a', PATTERN_TEXT_BYTES);
            for (size_t at = 0; form == 1 && at < PATTERN_TEXT_BYTES; at += 7) {
                text[at] = at % 2 == 0 ? ';' : ',';
            }
            text[PATTERN_TEXT_BYTES - 1] = '!';
            const char *reason = NULL;
            struct pattern *pattern = pattern_create(span_of(expressions[i]), &reason);
            assert_non_null(pattern);
            int64_t best = INT64_MAX;
            for (int run = 0; run < 5; run++) {
                int64_t before = clock_now_ns();
                pattern_match(pattern, span_make(text, PATTERN_TEXT_BYTES));
                int64_t took = clock_now_ns() - before;
                best = took < best ? took : best;
            }
            if (best > 10 * NS_PER_MS) {
                fail_msg("%s took %lld us", expressions[i], (long long)best / 1000);
            }
            pattern_destroy(pattern);
        }
    }
    mem_free(text);
}

/* A random expression of the syntax that POSIX has too; without anchors, whose repetition the C
 * library gets wrong. */
static void add_random(struct text *to, unsigned depth)
{
    static const char *const atoms[] = {"a", "b", "c", ".", "[ab]", "[^a]"};
    static const char *const times[] = {"", "", "", "*", "+", "?", "{2}", "{1,2}", "{2,}"};
    uint64_t terms = random_below(3) + 1;
    for (uint64_t i = 0; i < terms; i++) {
        if (depth > 0 && random_below(3) == 0) {
            text_add_byte(to, '(');
            add_random(to, depth - 1);
            text_add_byte(to, ')');
        } else {
            text_add_text(to, atoms[random_below(sizeof(atoms) / sizeof(atoms[0]))]);
        }
        text_add_text(to, times[random_below(sizeof(times) / sizeof(times[0]))]);
        if (i + 1 < terms && random_below(4) == 0) {
            text_add_byte(to, '|');
        }
    }
}

static void agree(const char *expression)
{
    struct text whole = {0};
    text_printf(&whole, "^(%s)$", expression);
    regex_t reference;
    const char *reason = NULL;
    struct pattern *pattern = pattern_create(span_of(expression), &reason);
    if (pattern == NULL) {
        fail_msg("\"%s\" is refused: %s", expression, reason);
    }
    assert_int_equal(regcomp(&reference, whole.bytes, REG_EXTENDED | REG_NOSUB), 0);
    for (int i = 0; i < 30; i++) {
        char text[9] = "";
        uint64_t length = random_below(sizeof(text) - 1);
        for (uint64_t at = 0; at < length; at++) {
            text[at] = (char)('a' + random_below(3));
        }
        bool wanted = regexec(&reference, text, 0, NULL, 0) == 0;
        enum pattern_result result = pattern_match(pattern, span_of(text));
        if (result != (wanted ? PATTERN_YES : PATTERN_NO)) {
            fail_msg("\"%s\" and \"%s\": %d, but %d", expression, text, result, wanted);
        }
    }
    regfree(&reference);
    pattern_destroy(pattern);
    text_done(&whole);
}

static void random_expressions_agree_with_another_engine(void **state)
{
    random_seed(20260921);
    for (int i = 0; i < 5000; i++) {
        struct text expression = {0};
        add_random(&expression, 3);
        agree(expression.bytes);
        text_done(&expression);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(expressions_match_whole_texts),
        cmocka_unit_test(what_is_no_expression_is_refused_with_a_reason),
        cmocka_unit_test(any_byte_may_stand_in_an_expression),
        cmocka_unit_test(what_is_too_large_is_refused),
        cmocka_unit_test(a_text_beyond_10_KiB_is_not_judged),
        cmocka_unit_test(hostile_texts_take_no_time),
        cmocka_unit_test(random_expressions_agree_with_another_engine),
    };
    return TEST_MAIN(cases, argc, argv);
}
