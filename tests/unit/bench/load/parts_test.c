#include "tests/unit/test_main.h"

#include "bench/load/reply.h"
#include "bench/load/request_text.h"
#include "bench/load/samples.h"
#include "bench/load/schedule.h"
#include "lib/base/clock.h"

static void quantiles_are_values_that_were_measured(void **state)
{
    struct samples samples = {0};
    assert_int_equal(samples_quantile(&samples, 0.5), 0);
    for (int64_t value = 1000; value > 0; value--) {
        samples_add(&samples, value);
    }
    samples_sort(&samples);
    static const struct {
        double q;
        int64_t value;
    } cases[] = {{0, 1}, {0.5, 500}, {0.9, 900}, {0.99, 990}, {0.999, 999}, {1, 1000}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(samples_quantile(&samples, cases[i].q), cases[i].value);
    }
    assert_true(samples_mean(&samples) > 500.4 && samples_mean(&samples) < 500.6);
    samples_done(&samples);
}

static void arrivals_are_poisson_at_the_rate_and_repeat_with_the_seed(void **state)
{
    struct schedule first;
    struct schedule second;
    schedule_init(&first, 10000, 10 * NS_PER_S, 3, 1000000);
    schedule_init(&second, 10000, 10 * NS_PER_S, 3, 1000000);
    /* 100 000 on average; the standard deviation is 316. */
    assert_in_range(first.count, 98500, 101500);
    assert_int_equal(first.count, second.count);
    assert_memory_equal(first.due_ns, second.due_ns, first.count * sizeof(int64_t));
    /* Of exponential gaps a part 1/e is longer than the mean. */
    size_t longer = 0;
    for (size_t i = 1; i < first.count; i++) {
        assert_true(first.due_ns[i] >= first.due_ns[i - 1]);
        longer += first.due_ns[i] - first.due_ns[i - 1] > 100000;
    }
    assert_in_range(longer * 1000 / first.count, 360, 376);
    schedule_done(&first);
    schedule_init(&first, 10000, 10 * NS_PER_S, 4, 1000000);
    assert_true(first.due_ns[0] != second.due_ns[0]);
    schedule_done(&first);
    schedule_init(&first, 10000, 10 * NS_PER_S, 4, 10);
    assert_int_equal(first.count, 10);
    schedule_done(&first);
    schedule_done(&second);
}

static enum reply_state feed(const char *text, size_t piece)
{
    static struct reply reply;
    enum reply_state seen = REPLY_HEAD;
    reply_init(&reply);
    for (size_t at = 0; at < strlen(text) && seen != REPLY_BAD; at += piece) {
        size_t left = strlen(text) - at;
        seen = reply_feed(&reply, span_make(text + at, left < piece ? left : piece), 5);
    }
    return seen;
}

static void an_answer_is_read_in_pieces_of_any_size(void **state)
{
    static const struct {
        const char *text;
        enum reply_state end;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", REPLY_DONE},
        {"HTTP/1.1 200 OK\r\nserver: x\r\ncontent-length:5\r\nx: y\r\n\r\nhello", REPLY_DONE},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", REPLY_BODY},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", REPLY_HEAD},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!", REPLY_BAD},
        {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!", REPLY_BAD},
        {"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello", REPLY_BAD},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello", REPLY_BAD},
        {"HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nhello", REPLY_BAD},
        {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", REPLY_BAD},
        {"SSH-2.0-server\r\n\r\n", REPLY_BAD},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(feed(cases[i].text, 1), cases[i].end);
        assert_int_equal(feed(cases[i].text, 7), cases[i].end);
        assert_int_equal(feed(cases[i].text, 1000), cases[i].end);
    }
}

static void a_head_without_end_is_bad(void **state)
{
    static char text[REPLY_HEAD_BYTES + 2];
    memset(text, 'x', REPLY_HEAD_BYTES + 1);
    assert_int_equal(feed(text, 100), REPLY_BAD);
    assert_int_equal(feed(text, sizeof(text)), REPLY_BAD);
}

static void only_the_ids_of_a_request_change(void **state)
{
    struct request_text request;
    request_text_init(&request, "api.shop", "/v1");
    size_t length = request.bytes.length;
    request_text_number(&request, 0x123456789abcULL);
    struct span whole = text_span(&request.bytes);
    assert_int_equal(whole.length, length);
    assert_true(span_starts_with(whole, SPAN("GET /v1 HTTP/1.1\r\nHost: api.shop\r\n")));
    assert_true(span_find(whole, SPAN("-8a44-123456789abc\r\n")) < length);
    assert_true(span_find(whole, SPAN("a3ce123456789abc-00f067aa0ba902b7-00\r\n")) < length);
    assert_true(span_ends_with(whole, SPAN("\r\n\r\n")));
    request_text_done(&request);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(quantiles_are_values_that_were_measured),
        cmocka_unit_test(arrivals_are_poisson_at_the_rate_and_repeat_with_the_seed),
        cmocka_unit_test(an_answer_is_read_in_pieces_of_any_size),
        cmocka_unit_test(a_head_without_end_is_bad),
        cmocka_unit_test(only_the_ids_of_a_request_change),
    };
    return TEST_MAIN(cases, argc, argv);
}
