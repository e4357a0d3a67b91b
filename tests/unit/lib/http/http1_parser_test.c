#include "lib/http/http1_parser.h"

#include "lib/base/memory.h"
#include "tests/unit/test_main.h"

static struct http_limits limits;

/* Scans and parses; the result says what became of the bytes. */
static enum http1_result request(struct span bytes, struct http1_message *ret,
                                 struct http1_fault *fault)
{
    struct http1_scan scan = {0};
    size_t length = 0;
    enum http1_result result = http1_scan(&scan, bytes, &limits, HTTP1_REQUEST, &length, fault);
    if (result != HTTP1_DONE) {
        return result;
    }
    return http1_parse_request(span_make(bytes.at, length), &limits, ret, fault) ? HTTP1_DONE
                                                                                 : HTTP1_FAILED;
}

static void refused(struct span bytes, enum failure failure)
{
    struct http1_fault fault = {FAILURE_NONE, NULL};
    enum http1_result result = request(bytes, http1_message_scratch(), &fault);
    if (result != HTTP1_FAILED || fault.failure != failure || fault.detail == NULL) {
        fail_msg("result %d, %.*s, for: %.*s", (int)result, SPAN_ARG(failure_word(fault.failure)),
                 SPAN_ARG(bytes));
    }
}

static struct http1_message *accepted(struct span bytes)
{
    struct http1_fault fault = {FAILURE_NONE, "incomplete"};
    if (request(bytes, http1_message_scratch(), &fault) != HTTP1_DONE) {
        fail_msg("%s, for: %.*s", fault.detail, SPAN_ARG(bytes));
    }
    return http1_message_scratch();
}

#define LINE "GET / HTTP/1.1\r\n"

#define HOST "Host: a\r\n"

#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

static const struct {
    struct span bytes;
    enum failure failure; /* NONE: bad_request */
} bad_heads[] = {
    /* 24, 25: two framings, framing of another version */
    {SPAN(POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"), 0},
    {SPAN(POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), 0},
    {SPAN("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 0},
    /* 31: empty name */
    {SPAN(LINE HOST ": x\r\n\r\n"), 0},
    /* 35: line ends */
    {SPAN("GET / HTTP/1.1\nHost: a\r\n\r\n"), 0},
    {SPAN(LINE "Host: a\n\r\n"), 0},
    {SPAN(LINE HOST "\n"), 0},
    {SPAN(LINE HOST "X: a\rY: b\r\n\r\n"), 0},
    {SPAN("\r\r\n\r\n"), 0},
    {SPAN("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    /* 36: control bytes in values */
    {SPAN(LINE HOST "X: a\0b\r\n\r\n"), 0},
    {SPAN(LINE HOST "X: \x0b\r\n\r\n"), 0},
    {SPAN(LINE HOST "X: \x7f\r\n\r\n"), 0},
    /* 37: names */
    {SPAN(LINE HOST "no colon\r\n\r\n"), 0},
    {SPAN(LINE HOST "X\xe4: a\r\n\r\n"), 0},
    {SPAN(LINE HOST "X(: a\r\n\r\n"), 0},
    /* 40, 41: folding, blank before the colon */
    {SPAN(LINE HOST "X: a\r\n b\r\n\r\n"), 0},
    {SPAN(LINE HOST "X: a\r\n\tb\r\n\r\n"), 0},
    {SPAN(LINE " Host: a\r\n\r\n"), 0},
    {SPAN(LINE "Host : a\r\n\r\n"), 0},
    {SPAN(POST "Transfer-Encoding:\r\n chunked\r\n\r\n"), 0},
    /* 46: hosts */
    {SPAN(LINE "\r\n"), 0},
    {SPAN(LINE HOST HOST "\r\n"), 0},
    {SPAN(LINE "Host: a, b\r\n\r\n"), 0},
    {SPAN(LINE "Host: a b\r\n\r\n"), 0},
    {SPAN(LINE "Host: u@a\r\n\r\n"), 0},
    {SPAN(LINE "Host: a/b\r\n\r\n"), 0},
    {SPAN(LINE "Host: a:99999\r\n\r\n"), 0},
    {SPAN("GET http://b/ HTTP/1.1\r\n\r\n"), 0},
    {SPAN("GET http://b/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 0},
    {SPAN("GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("GET http:/b HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    /* 47: targets */
    {SPAN("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("GET //b/c HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("OPTIONS *a HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("GET a HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"), 0},
    /* request lines */
    {SPAN("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), 0},
    {SPAN("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("GET /\r\nHost: a\r\n\r\n"), 0},
    {SPAN("GET / http/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("GET / HTTP/1.1x\r\nHost: a\r\n\r\n"), 0},
    {SPAN("G(T / HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {SPAN("\x16\x03\x01"), 0},
    {SPAN("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), FAILURE_UNSUPPORTED_VERSION},
    {SPAN("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), FAILURE_UNSUPPORTED_VERSION},
    {SPAN("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), FAILURE_UNSUPPORTED_VERSION},
    {SPAN("PRI * HTTP/2.0\r\n\r\n"), FAILURE_UNSUPPORTED_VERSION},
    {SPAN(LINE HOST "Connection: a b\r\n\r\n"), 0},
    {SPAN(LINE HOST "Connection: 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,"
                    "24,25,26,27,28,29,30,31,32,33\r\n\r\n"),
     0},
};

static void heads_that_are_not_plainly_right_are_refused(void **state)
{
    for (size_t i = 0; i < sizeof(bad_heads) / sizeof(bad_heads[0]); i++) {
        refused(bad_heads[i].bytes,
                bad_heads[i].failure == FAILURE_NONE ? FAILURE_BAD_REQUEST : bad_heads[i].failure);
    }
}

static void content_length_is_spelled_in_digits_once(void **state)
{
    static const struct {
        const char *spelling;
        int64_t length;      /* -1: refused */
        const char *written; /* on */
    } table[] = {
        {"0", 0, "0"},
        {"5", 5, "5"},
        {"5 ", 5, "5"},
        {" \t5\t", 5, "5"},
        {"005", 5, "5"},
        {"000", 0, "0"},
        {"9223372036854775807", INT64_MAX, "9223372036854775807"},
        {"9223372036854775808", -1, NULL},
        {"18446744073709551616", -1, NULL},
        {"99999999999999999999999", -1, NULL},
        {"", -1, NULL},
        {"0x10", -1, NULL},
        {"+5", -1, NULL},
        {"-5", -1, NULL},
        {"-0", -1, NULL},
        {"1_0", -1, NULL},
        {"5,5", -1, NULL},
        {"5, 5", -1, NULL},
        {"5 5", -1, NULL},
        {"5;", -1, NULL},
        {"5.0", -1, NULL},
        {"1e3", -1, NULL},
        {"\"5\"", -1, NULL},
        {"\xef\xbc\x95", -1, NULL},
        {"5\r\nContent-Length: 5", -1, NULL},
        {"5\r\nContent-Length: 6", -1, NULL},
        {"\r\nContent-Length: 5", -1, NULL},
        {"5\r\ncontent-length:", -1, NULL},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char bytes[256];
        int length =
            snprintf(bytes, sizeof(bytes), POST "Content-Length:%s\r\n\r\n", table[i].spelling);
        struct span span = span_make(bytes, (size_t)length);
        if (table[i].length < 0) {
            refused(span, FAILURE_BAD_REQUEST);
            continue;
        }
        const struct http1_message *message = accepted(span);
        assert_int_equal(message->head.content_length, table[i].length);
        assert_int_equal(message->head.has_body, table[i].length > 0);
        assert_true(span_equal_text(headers_value(&message->head.headers, HEADER_CONTENT_LENGTH),
                                    table[i].written));
    }
}

static void transfer_encoding_is_exactly_chunked(void **state)
{
    static const char *const bad[] = {
        ",chunked",
        "chunked,",
        "identity",
        "chunked, chunked",
        "xchunked",
        "chunkedx",
        "\vchunked",
        "chunked\v",
        "\fchunked",
        "chunk ed",
        "gzip",
        "gzip, chunked",
        "chunked, gzip",
        "",
        "\"chunked\"",
        "chunked;q=1",
        "\xc2\xa0"
        "chunked",
        "chunked\x01",
        "[chunked]",
        "cow",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: identity",
        "identity\r\nTransfer-Encoding: chunked",
        "chunked, identity",
    };
    char bytes[256];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int length = snprintf(bytes, sizeof(bytes), POST "Transfer-Encoding: %s\r\n\r\n", bad[i]);
        refused(span_make(bytes, (size_t)length), FAILURE_BAD_REQUEST);
    }
    static const char *const good[] = {"chunked", "\tchunked \t", "Chunked"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int length = snprintf(bytes, sizeof(bytes), POST "Transfer-Encoding:%s\r\n\r\n", good[i]);
        const struct http1_message *message = accepted(span_make(bytes, (size_t)length));
        assert_int_equal(message->framing, HTTP1_FRAMING_CHUNKED);
        assert_null(headers_find(&message->head.headers, HEADER_TRANSFER_ENCODING));
    }
}

static void a_usual_head_is_taken_apart(void **state)
{
    const struct http1_message *message = accepted(
        SPAN("GET /a/b?c=d HTTP/1.1\r\nHost: a.example:81\r\nUser-Agent: X\r\nx-EMPTY:\r\n"
             "Accept:  text/*;q=1 \t\r\nTE: trailers, deflate\r\nConnection: TE\r\n\r\nrest"));
    struct arena arena = {0};
    const struct http_head *head = http1_message_head(message, &arena);
    assert_true(http_head_is_request(head));
    assert_true(span_equal_text(head->method, "GET"));
    assert_int_equal(head->method_token, HTTP_METHOD_GET);
    assert_true(span_equal_text(head->path, "/a/b?c=d"));
    assert_true(span_equal_text(head->authority, "a.example:81"));
    assert_true(span_equal_text(head->scheme, "http"));
    assert_int_equal(head->version, 11);
    assert_int_equal(head->content_length, -1);
    assert_false(head->has_body);
    assert_true(head->accepts_trailers);
    assert_true(message->keep_alive);
    static const char *const left[] = {"User-Agent", "X", "x-EMPTY", "", "Accept", "text/*;q=1"};
    size_t seen = 0;
    HEADERS_EACH(&head->headers, field)
    {
        assert_true(span_equal_text(field->name, left[seen++]));
        assert_true(span_equal_text(field->value, left[seen++]));
    }
    assert_int_equal(seen, 6);
    arena_done(&arena);
}

static void connection_names_what_is_removed_but_nothing_protected(void **state)
{
    const struct http1_message *message = accepted(
        SPAN(LINE HOST "Connection: x-a, X-Forwarded-Client-Cert, host, content-length\r\n"
                       "X-A: 1\r\nx-b: 2\r\nX-Forwarded-Client-Cert: c\r\nContent-Length: 3\r\n"
                       "connection: authorization,x-b,, Cookie\r\nAuthorization: d\r\nCookie: e\r\n"
                       "Keep-Alive: 5\r\nProxy-Connection: close\r\n\r\n"));
    const struct headers *headers = &message->head.headers;
    assert_null(headers_find_name(headers, SPAN("x-a")));
    assert_null(headers_find_name(headers, SPAN("x-b")));
    assert_null(headers_find(headers, HEADER_KEEP_ALIVE));
    assert_null(headers_find(headers, HEADER_PROXY_CONNECTION));
    assert_null(headers_find(headers, HEADER_CONNECTION));
    assert_non_null(headers_find(headers, HEADER_X_FORWARDED_CLIENT_CERT));
    assert_non_null(headers_find(headers, HEADER_AUTHORIZATION));
    assert_non_null(headers_find(headers, HEADER_COOKIE));
    assert_int_equal(message->head.content_length, 3);
    assert_true(span_equal_text(message->head.authority, "a"));
    assert_true(message->keep_alive);
}

static void names_that_spell_a_protected_one_with_underscores_are_dropped(void **state)
{
    const struct http1_message *message = accepted(SPAN(
        LINE HOST "x_forwarded_client_cert: a\r\nX-Forwarded_Client-Cert: b\r\n"
                  "Content_Length: 5\r\ntransfer_encoding: chunked\r\nmy_field: kept\r\n\r\n"));
    assert_int_equal(message->underscored, 4);
    assert_int_equal(message->framing, HTTP1_FRAMING_NONE);
    size_t seen = 0;
    HEADERS_EACH(&message->head.headers, field)
    {
        assert_true(span_equal_text(field->name, "my_field"));
        seen++;
    }
    assert_int_equal(seen, 1);
}

static void the_absolute_form_beats_host(void **state)
{
    static const struct {
        const char *method, *target, *authority, *path, *scheme;
    } table[] = {
        {"GET", "http://b:8/c?d", "b:8", "/c?d", "http"},
        {"GET", "HTTPS://b", "b", "/", "https"},
        {"OPTIONS", "http://b", "b", "*", "http"},
        {"OPTIONS", "*", "a", "*", "http"},
        {"CONNECT", "b:443", "b:443", "", "http"},
        {"GET", "/http://b/", "a", "/http://b/", "http"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char bytes[256];
        int length = snprintf(bytes, sizeof(bytes), "%s %s HTTP/1.1\r\nHost: a\r\n\r\n",
                              table[i].method, table[i].target);
        const struct http_head *head = &accepted(span_make(bytes, (size_t)length))->head;
        assert_true(span_equal_text(head->authority, table[i].authority));
        assert_true(span_equal_text(head->path, table[i].path));
        assert_true(span_equal_text(head->scheme, table[i].scheme));
        assert_null(headers_find(&head->headers, HEADER_HOST));
    }
}

static void upgrades_are_told_apart(void **state)
{
    static const struct {
        const char *fields;
        const char *protocol; /* "" = none */
    } table[] = {
        {"Upgrade: websocket\r\nConnection: Upgrade\r\n", "websocket"},
        {"Upgrade: TLS/1.2\r\nConnection: keep-alive, upgrade\r\n", "TLS/1.2"},
        {"Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n", "websocket"},
        {"Upgrade: websocket\r\n", ""},
        {"Connection: Upgrade\r\n", ""},
        {"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nConnection: Upgrade, HTTP2-Settings\r\n", ""},
        {"Upgrade: H2C\r\nConnection: Upgrade\r\n", ""},
        {"Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n", ""},
        {"Upgrade: HTTP/2.0\r\nConnection: Upgrade\r\n", ""},
        {"Upgrade: a\r\nUpgrade: b\r\nConnection: Upgrade\r\n", ""},
        {"Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 3\r\n", ""},
        {"Upgrade: websocket\r\nConnection: Upgrade\r\nTransfer-Encoding: chunked\r\n", ""},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char bytes[512];
        int length = snprintf(bytes, sizeof(bytes), LINE HOST "%s\r\n", table[i].fields);
        const struct http1_message *message = accepted(span_make(bytes, (size_t)length));
        if (!span_equal_text(message->head.upgrade, table[i].protocol)) {
            fail_msg("row %zu", i);
        }
        bool upgrade = table[i].protocol[0] != '\0';
        assert_int_equal(message->framing == HTTP1_FRAMING_TUNNEL, upgrade);
        assert_null(headers_find(&message->head.headers, HEADER_UPGRADE));
        assert_null(headers_find(&message->head.headers, HEADER_HTTP2_SETTINGS));
        if (upgrade) {
            assert_int_equal(message->head.content_length, -1);
        }
    }
}

static void http_1_0_persists_only_when_asked(void **state)
{
    assert_false(accepted(SPAN("GET / HTTP/1.0\r\n\r\n"))->keep_alive);
    assert_true(accepted(SPAN("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"))->keep_alive);
    assert_false(accepted(SPAN(LINE HOST "Connection: close\r\n\r\n"))->keep_alive);
    assert_false(accepted(SPAN(LINE HOST "Connection: keep-alive, CLOSE\r\n\r\n"))->keep_alive);
    const struct http1_message *old =
        accepted(SPAN("GET / HTTP/1.0\r\nHost:\r\nUpgrade: x\r\nConnection: upgrade\r\n"
                      "Expect: 100-continue\r\n\r\n"));
    assert_int_equal(old->head.version, 10);
    assert_int_equal(old->head.upgrade.length, 0);
    assert_false(old->head.expects_continue);
    assert_true(accepted(SPAN(LINE HOST "Expect: 100-Continue\r\n\r\n"))->head.expects_continue);
    assert_false(
        accepted(SPAN(LINE HOST "Expect: 100-continue, x\r\n\r\n"))->head.expects_continue);
}

/* Bytes: the first line, then `count` fields of a name and a value of these lengths. */
static char *made_head(size_t name, size_t value, size_t count, size_t target, size_t *ret_length)
{
    char *bytes = mem_alloc(100 + target + count * (name + value + 4));
    size_t at = (size_t)sprintf(bytes, "GET /");
    memset(bytes + at, 'p', target - 1);
    at += target - 1;
    at += (size_t)sprintf(bytes + at, " HTTP/1.1\r\nHost: a\r\n");
    for (size_t i = 0; i < count; i++) {
        memset(bytes + at, 'n', name);
        memset(bytes + at + name, ':', 1);
        memset(bytes + at + name + 1, 'v', value);
        memcpy(bytes + at + name + 1 + value, "\r\n", 2);
        at += name + value + 3;
    }
    at += (size_t)sprintf(bytes + at, "\r\n");
    *ret_length = at;
    return bytes;
}

static void every_bound_is_kept_and_the_next_step_refused(void **state)
{
    static const struct {
        size_t name, value, count, target;
        enum failure failure;
    } table[] = {
        {255, 1, 1, 1, FAILURE_NONE},
        {256, 1, 1, 1, FAILURE_NONE},
        {257, 1, 1, 1, FAILURE_BAD_REQUEST},
        {270, 1, 1, 1, FAILURE_BAD_REQUEST},
        {65535, 1, 1, 1, FAILURE_BAD_REQUEST},
        {1, 1, 127, 1, FAILURE_NONE},
        {1, 1, 128, 1, FAILURE_HEADERS_TOO_LARGE},
        {1, 1, 5000, 1, FAILURE_HEADERS_TOO_LARGE},
        {1, 65536 - 6, 1, 1, FAILURE_NONE},
        {1, 65536 - 5, 1, 1, FAILURE_HEADERS_TOO_LARGE},
        {1, 80000, 1, 1, FAILURE_HEADERS_TOO_LARGE},
        {1, 1, 1, 8192, FAILURE_NONE},
        {1, 1, 1, 8193, FAILURE_URI_TOO_LONG},
        {1, 1, 1, 100000, FAILURE_URI_TOO_LONG},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        size_t length;
        char *bytes =
            made_head(table[i].name, table[i].value, table[i].count, table[i].target, &length);
        if (table[i].failure == FAILURE_NONE) {
            accepted(span_make(bytes, length));
        } else {
            refused(span_make(bytes, length), table[i].failure);
        }
        mem_free(bytes);
    }
}

static void a_head_without_end_is_refused_at_its_bound(void **state)
{
    static char bytes[128 * 1024];
    memset(bytes, 'a', sizeof(bytes));
    struct http1_fault fault;
    struct http1_scan scan = {0};
    size_t length;
    size_t fed = 0;
    while (http1_scan(&scan, span_make(bytes, fed), &limits, HTTP1_REQUEST, &length, &fault) ==
           HTTP1_MORE) {
        fed += 100;
        assert_true(fed < 10000);
    }
    assert_int_equal(fault.failure, FAILURE_URI_TOO_LONG);
    memcpy(bytes, LINE, strlen(LINE));
    scan = (struct http1_scan){0};
    fed = 0;
    while (http1_scan(&scan, span_make(bytes, fed), &limits, HTTP1_REQUEST, &length, &fault) ==
           HTTP1_MORE) {
        fed += 1000;
        assert_true(fed < 80000);
    }
    assert_int_equal(fault.failure, FAILURE_HEADERS_TOO_LARGE);
}

static void the_end_of_a_head_is_found_whatever_the_split(void **state)
{
    const struct span head = SPAN("\r\n" LINE HOST "X-Y: z\r\n\r\nGET");
    for (size_t split = 0; split < head.length - 3; split++) {
        struct http1_scan scan = {0};
        struct http1_fault fault;
        size_t length = 0;
        assert_int_equal(
            http1_scan(&scan, span_cut(head, 0, split), &limits, HTTP1_REQUEST, &length, &fault),
            HTTP1_MORE);
        assert_int_equal(http1_scan(&scan, head, &limits, HTTP1_REQUEST, &length, &fault),
                         HTTP1_DONE);
        assert_int_equal(length, head.length - 3);
    }
}

int main(int argc, char **argv)
{
    http_limits_default(&limits);
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(heads_that_are_not_plainly_right_are_refused),
        cmocka_unit_test(content_length_is_spelled_in_digits_once),
        cmocka_unit_test(transfer_encoding_is_exactly_chunked),
        cmocka_unit_test(a_usual_head_is_taken_apart),
        cmocka_unit_test(connection_names_what_is_removed_but_nothing_protected),
        cmocka_unit_test(names_that_spell_a_protected_one_with_underscores_are_dropped),
        cmocka_unit_test(the_absolute_form_beats_host),
        cmocka_unit_test(upgrades_are_told_apart),
        cmocka_unit_test(http_1_0_persists_only_when_asked),
        cmocka_unit_test(every_bound_is_kept_and_the_next_step_refused),
        cmocka_unit_test(a_head_without_end_is_refused_at_its_bound),
        cmocka_unit_test(the_end_of_a_head_is_found_whatever_the_split),
    };
    return TEST_MAIN(cases, argc, argv);
}
