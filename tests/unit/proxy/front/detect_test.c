#include "tests/unit/test_main.h"

#include "lib/base/random.h"
#include "proxy/front/detect.h"

#define SPAN_ROW(text) text, sizeof(text) - 1

struct row {
    const char *bytes;
    size_t length;
    enum detected wanted, full;
};

static const struct row rows[] = {
    {SPAN_ROW(""), DETECT_MORE, DETECT_OPAQUE},
    {SPAN_ROW("\x16"), DETECT_MORE, DETECT_OPAQUE},
    {SPAN_ROW("\x16\x03"), DETECT_TLS, DETECT_TLS},
    {SPAN_ROW("\x16\x03\x01\x02\x00\x01"), DETECT_TLS, DETECT_TLS},
    {SPAN_ROW("\x16\x02"), DETECT_OPAQUE, DETECT_OPAQUE},
    {SPAN_ROW("\x17\x03\x03"), DETECT_OPAQUE, DETECT_OPAQUE},
    {SPAN_ROW("P"), DETECT_MORE, DETECT_OPAQUE},
    {SPAN_ROW("PRI"), DETECT_MORE, DETECT_OPAQUE},
    {SPAN_ROW("PRI * HTTP/2."), DETECT_MORE, DETECT_OPAQUE},
    {SPAN_ROW("PRI * HTTP/2.0"), DETECT_HTTP2, DETECT_HTTP2},
    {SPAN_ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), DETECT_HTTP2, DETECT_HTTP2},
    {SPAN_ROW("PRI * HTTP/2.1\r\n"), DETECT_OPAQUE, DETECT_OPAQUE},
    {SPAN_ROW("PRI * HTTP/1.1\r\n"), DETECT_HTTP1, DETECT_HTTP1},
    {SPAN_ROW("GET"), DETECT_MORE, DETECT_OPAQUE},
    {SPAN_ROW("GET "), DETECT_MORE, DETECT_HTTP1},
    {SPAN_ROW("GET /a"), DETECT_MORE, DETECT_HTTP1},
    {SPAN_ROW("PURGE /a"), DETECT_MORE, DETECT_OPAQUE},
    {SPAN_ROW("GET / HTTP/1."), DETECT_MORE, DETECT_OPAQUE},
    {SPAN_ROW("GET / HTTP/1.1"), DETECT_MORE, DETECT_OPAQUE},
    {SPAN_ROW("GET / HTTP/1.1\r"), DETECT_MORE, DETECT_OPAQUE},
    {SPAN_ROW("GET / HTTP/1.1\r\n"), DETECT_HTTP1, DETECT_HTTP1},
    {SPAN_ROW("GET / HTTP/1.1\n"), DETECT_HTTP1, DETECT_HTTP1},
    {SPAN_ROW("GET / HTTP/1.0\r\nhost: a"), DETECT_HTTP1, DETECT_HTTP1},
    {SPAN_ROW("PURGE /a HTTP/1.1\r\n"), DETECT_HTTP1, DETECT_HTTP1},
    {SPAN_ROW("M-SEARCH * HTTP/1.1\r\n"), DETECT_HTTP1, DETECT_HTTP1},
    {SPAN_ROW("GET / HTTP/2.0\r\n"), DETECT_OPAQUE, DETECT_OPAQUE},
    {SPAN_ROW("GET / HTTP/1.x\r\n"), DETECT_OPAQUE, DETECT_OPAQUE},
    {SPAN_ROW("GET / HTTP/1.11\r\n"), DETECT_OPAQUE, DETECT_OPAQUE},
    {SPAN_ROW("GET / HTTP/1.1\rX"), DETECT_OPAQUE, DETECT_OPAQUE},
    {SPAN_ROW("GET  / HTTP/1.1\r\n"), DETECT_OPAQUE, DETECT_OPAQUE},
    {SPAN_ROW("GET\t/ HTTP/1.1\r\n"), DETECT_OPAQUE, DETECT_OPAQUE},
    {SPAN_ROW(" GET / HTTP/1.1\r\n"), DETECT_OPAQUE, DETECT_OPAQUE},
    {SPAN_ROW("GET /a\0b HTTP/1.1\r\n"), DETECT_OPAQUE, DETECT_OPAQUE},
    {SPAN_ROW("HELO a\r\n"), DETECT_OPAQUE, DETECT_OPAQUE},
    {SPAN_ROW("*1\r\n$4\r\nPING\r\n"), DETECT_OPAQUE, DETECT_OPAQUE},
    {SPAN_ROW("SSH-2.0-x\r\n"), DETECT_OPAQUE, DETECT_OPAQUE},
    {SPAN_ROW("\0\0\0\x08"), DETECT_OPAQUE, DETECT_OPAQUE},
    {SPAN_ROW("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), DETECT_MORE, DETECT_OPAQUE},
    {SPAN_ROW("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), DETECT_OPAQUE, DETECT_OPAQUE},
};

static void first_bytes_say_what_they_are(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span bytes = span_make(rows[i].bytes, rows[i].length);
        enum detected found = detect_first_bytes(bytes, false);
        enum detected full = detect_first_bytes(bytes, true);
        if (found != rows[i].wanted || full != rows[i].full) {
            fail_msg("\"%.*s\": %d and, when that is all, %d", SPAN_ARG(bytes), found, full);
        }
    }
}

/* Else it would depend on how a network cuts the bytes. */
static void a_word_once_given_stays_whatever_follows(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum detected before = DETECT_MORE;
        for (size_t length = 0; length <= rows[i].length; length++) {
            enum detected now = detect_first_bytes(span_make(rows[i].bytes, length), false);
            if (before != DETECT_MORE && now != before) {
                fail_msg("row %zu at %zu: %d after %d", i, length, now, before);
            }
            before = now;
        }
    }
}

static void a_target_longer_than_is_looked_at_is_believed_of_known_methods(void **state)
{
    static char bytes[DETECT_BYTES];
    static const struct {
        const char *start;
        enum detected full;
    } starts[] = {{"GET /", DETECT_HTTP1}, {"XYZ /", DETECT_OPAQUE}};
    for (size_t i = 0; i < 2; i++) {
        memset(bytes, 'a', sizeof(bytes));
        memcpy(bytes, starts[i].start, strlen(starts[i].start));
        struct span all = span_make(bytes, sizeof(bytes));
        assert_int_equal(detect_first_bytes(all, false), DETECT_MORE);
        assert_int_equal(detect_first_bytes(all, true), starts[i].full);
    }
}

static void whatever_comes_full_is_never_more(void **state)
{
    random_seed(7);
    for (int round = 0; round < 20000; round++) {
        /* Of the exact size, so that a look beyond the end is seen by the sanitizer. */
        size_t length = (size_t)random_below(64);
        char *bytes = test_malloc(length + 1);
        size_t from = (size_t)random_below(sizeof(rows) / sizeof(rows[0]));
        for (size_t i = 0; i < length; i++) {
            bool of_row = i < rows[from].length && random_below(20) > 0;
            bytes[i] = of_row ? rows[from].bytes[i] : (char)random_below(256);
        }
        assert_int_not_equal(detect_first_bytes(span_make(bytes, length), true), DETECT_MORE);
        test_free(bytes);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(first_bytes_say_what_they_are),
        cmocka_unit_test(a_word_once_given_stays_whatever_follows),
        cmocka_unit_test(a_target_longer_than_is_looked_at_is_believed_of_known_methods),
        cmocka_unit_test(whatever_comes_full_is_never_more),
    };
    return TEST_MAIN(cases, argc, argv);
}
