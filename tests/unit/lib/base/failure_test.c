#include "lib/base/failure.h"

#include "tests/unit/test_main.h"

static void every_failure_has_a_word_of_its_own(void **state)
{
    for (int i = 0; i < FAILURE_COUNT; i++) {
        struct span word = failure_word((enum failure)i);
        assert_true(word.length > 0);
        for (size_t at = 0; at < word.length; at++) {
            assert_true((word.at[at] >= 'a' && word.at[at] <= 'z') || word.at[at] == '_' ||
                        (word.at[at] >= '0' && word.at[at] <= '9'));
        }
        for (int other = 0; other < i; other++) {
            assert_false(span_equal(word, failure_word((enum failure)other)));
        }
    }
}

static void every_fact_is_in_its_range(void **state)
{
    for (int i = 0; i < FAILURE_COUNT; i++) {
        const struct failure_facts *facts = failure_facts((enum failure)i);
        assert_true(facts->http_status == 0 ||
                    (facts->http_status >= 400 && facts->http_status <= 599));
        assert_true(facts->grpc_code <= 16);
        assert_true(facts->retry_class <= RETRY_CLASS_NEVER_PROCESSED);
        assert_true(strlen(facts->flag) > 0);
        assert_true(strlen(facts->explanation) > 0);
        /* Only OK means that nothing failed. */
        assert_int_equal(facts->grpc_code == 0, i == FAILURE_NONE);
    }
}

static void the_table_is_in_the_order_of_the_enum(void **state)
{
    assert_true(span_equal_text(failure_word(FAILURE_NONE), "none"));
    assert_true(span_equal_text(failure_word(FAILURE_NO_ROUTE), "no_route"));
    assert_int_equal(failure_facts(FAILURE_NO_ROUTE)->http_status, 404);
    assert_int_equal(failure_facts(FAILURE_REQUEST_TIMEOUT)->grpc_code, 4);
    assert_int_equal(failure_facts(FAILURE_CONNECT_REFUSED)->retry_class,
                     RETRY_CLASS_NEVER_PROCESSED);
    assert_true(span_equal_text(failure_word(FAILURE_INTERNAL), "internal"));
}

static void a_word_names_its_failure_and_no_other_text_does(void **state)
{
    for (int i = 0; i < FAILURE_COUNT; i++) {
        assert_int_equal(failure_of_word(failure_word((enum failure)i)), i);
    }
    assert_int_equal(failure_of_word(SPAN_EMPTY), FAILURE_NONE);
    assert_int_equal(failure_of_word(SPAN("connect_refuse")), FAILURE_NONE);
    assert_int_equal(failure_of_word(SPAN("connect_refused ")), FAILURE_NONE);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(every_failure_has_a_word_of_its_own),
        cmocka_unit_test(every_fact_is_in_its_range),
        cmocka_unit_test(a_word_names_its_failure_and_no_other_text_does),
        cmocka_unit_test(the_table_is_in_the_order_of_the_enum),
    };
    return TEST_MAIN(cases, argc, argv);
}
