#include "lib/grpc/grpc_status.h"

#include "tests/unit/test_main.h"

static const int64_t YEAR_MS = INT64_C(365) * 24 * 3600 * 1000;

static void timeouts_are_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* -1 = refused */
    } cases[] = {
        {"1n", 1},
        {"100u", 1},
        {"250m", 250},
        {"15S", 15000},
        {"2M", 120000},
        {"1H", 3600000},
        {"99999999S", 31536000000}, /* more than three years: one */
        {"99999999H", 31536000000}, /* would overflow nanoseconds */
        {"0S", 0},
        {"", -1},
        {"S", -1},
        {"15", -1},
        {"15s", -1},
        {"-1S", -1},
        {"1.5S", -1},
        {" 1S", -1},
        {"1S ", -1},
        {"123456789S", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = -1;
        assert_int_equal(grpc_timeout_parse(span_of(cases[i].text), &ms), cases[i].ms >= 0);
        assert_int_equal(ms, cases[i].ms);
    }
}

static void timeouts_are_written_so_that_they_read_as_no_less(void **state)
{
    (void)state;
    static const int64_t cases[] = {1, 999, 1000, 15000, 99999999, 100000001, 86400001};
    struct arena arena = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = 0;
        assert_true(grpc_timeout_parse(grpc_timeout_format(cases[i], &arena), &ms));
        assert_true(ms >= cases[i]);
        assert_true(ms <= YEAR_MS);
        assert_true(ms - cases[i] <= 1000);
    }
    arena_done(&arena);
}

static void messages_are_escaped_and_read_back(void **state)
{
    (void)state;
    struct arena arena = {0};
    const struct span plain = SPAN("50% \xc3\xa9\n\0~");
    struct span encoded = grpc_message_encode(plain, &arena);
    assert_true(span_equal(encoded, SPAN("50%25 %C3%A9%0A%00~")));
    assert_true(span_equal(grpc_message_decode(encoded, &arena), plain));
    assert_true(span_equal(grpc_message_decode(SPAN("%zz%4%"), &arena), SPAN("%zz%4%")));
    assert_true(span_equal(grpc_message_decode(SPAN("%4a%4A"), &arena), SPAN("JJ")));
    assert_int_equal(grpc_message_decode(SPAN_EMPTY, &arena).length, 0);
    arena_done(&arena);
}

static void codes_are_read_and_others_are_unknown(void **state)
{
    (void)state;
    assert_int_equal(grpc_code_read(SPAN("0")), GRPC_OK);
    assert_int_equal(grpc_code_read(SPAN("14")), GRPC_UNAVAILABLE);
    assert_int_equal(grpc_code_read(SPAN("16")), GRPC_UNAUTHENTICATED);
    assert_int_equal(grpc_code_read(SPAN("17")), GRPC_UNKNOWN);
    assert_int_equal(grpc_code_read(SPAN("-1")), GRPC_UNKNOWN);
    assert_int_equal(grpc_code_read(SPAN("OK")), GRPC_UNKNOWN);
    assert_int_equal(grpc_code_read(SPAN("99999999999999999999999")), GRPC_UNKNOWN);
    assert_string_equal(grpc_code_name(GRPC_UNAVAILABLE), "UNAVAILABLE");
    assert_int_equal(grpc_code_of_http(404), GRPC_UNIMPLEMENTED);
    assert_int_equal(grpc_code_of_http(503), GRPC_UNAVAILABLE);
    assert_int_equal(grpc_code_of_http(418), GRPC_UNKNOWN);
    for (unsigned failure = 1; failure < FAILURE_COUNT; failure++) {
        assert_int_not_equal(grpc_code_of_failure((enum failure)failure), GRPC_OK);
        assert_true(grpc_code_of_failure((enum failure)failure) < GRPC_CODES);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(timeouts_are_read_strictly),
        cmocka_unit_test(timeouts_are_written_so_that_they_read_as_no_less),
        cmocka_unit_test(messages_are_escaped_and_read_back),
        cmocka_unit_test(codes_are_read_and_others_are_unknown),
    };
    return TEST_MAIN(cases, argc, argv);
}
