#include "tests/unit/test_main.h"

#include "proxy/redirect/verify_report.h"

#include <jansson.h>

static void only_a_failed_check_fails_the_report(void **state)
{
    struct verify_report report = {.count = 0};
    assert_false(verify_report_failed(&report));
    verify_report_add(&report, VERIFY_PASSED, "a", 4, "", "%s", "");
    verify_report_add(&report, VERIFY_SKIPPED, "b", 6, "", "no address");
    verify_report_add(&report, VERIFY_WARNED, "c", 0, "", "odd");
    assert_false(verify_report_failed(&report));
    verify_report_add(&report, VERIFY_FAILED, "d", 6, "self-call-ip6", "refused");
    assert_true(verify_report_failed(&report));
}

static void people_read_family_rule_and_reason(void **state)
{
    struct verify_report report = {.count = 0};
    struct text shown = {0};
    verify_report_add(&report, VERIFY_FAILED, "self-call", 6, "self-call-ip6", "port %d: %s", 20002,
                      "refused");
    verify_report_write(&report, &shown);
    assert_string_equal(
        shown.bytes, "FAILED   self-call            IPv6  [self-call-ip6] port 20002: refused\n");
    text_done(&shown);
}

static void scripts_read_valid_json_whatever_the_words_are(void **state)
{
    struct verify_report report = {.count = 0};
    struct text shown = {0};
    char long_words[2 * VERIFY_WORDS_BYTES];
    memset(long_words, 'x', sizeof(long_words) - 1);
    long_words[sizeof(long_words) - 1] = '\0';
    verify_report_add(&report, VERIFY_PASSED, "outbound", 4, "outbound", "%s", "");
    verify_report_add(&report, VERIFY_FAILED, "rules", 0, "a\"b",
                      "quote \" newline \n byte \x01\xff");
    verify_report_add(&report, VERIFY_SKIPPED, "long", 6, "", "%s", long_words);
    verify_report_write_json(&report, &shown);
    json_t *root = json_loadb(shown.bytes, shown.length, 0, NULL);
    assert_non_null(root);
    assert_true(json_is_false(json_object_get(root, "ok")));
    json_t *checks = json_object_get(root, "checks");
    assert_int_equal(json_array_size(checks), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(checks, 0), "result")),
                        "passed");
    assert_string_equal(json_string_value(json_object_get(json_array_get(checks, 1), "rule")),
                        "a\"b");
    assert_int_equal(json_string_length(json_object_get(json_array_get(checks, 2), "detail")),
                     VERIFY_WORDS_BYTES - 1);
    json_decref(root);
    text_done(&shown);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(only_a_failed_check_fails_the_report),
        cmocka_unit_test(people_read_family_rule_and_reason),
        cmocka_unit_test(scripts_read_valid_json_whatever_the_words_are),
    };
    return TEST_MAIN(cases, argc, argv);
}
