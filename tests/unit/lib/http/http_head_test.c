#include "lib/http/http_head.h"

#include "tests/unit/test_main.h"

static void authorities_are_split_strictly(void **state)
{
    static const struct {
        const char *text;
        const char *host; /* NULL: refused */
        unsigned port;
    } table[] = {
        {"a", "a", 0},
        {"a.example:80", "a.example", 80},
        {"127.0.0.1:65535", "127.0.0.1", 65535},
        {"[::1]", "[::1]", 0},
        {"[fd00::1]:8080", "[fd00::1]", 8080},
        {"my_service.ns~1", "my_service.ns~1", 0},
        {"", NULL, 0},
        {":80", NULL, 0},
        {"a:", NULL, 0},
        {"a:0", NULL, 0},
        {"a:65536", NULL, 0},
        {"a:080808", NULL, 0},
        {"a:+1", NULL, 0},
        {"a:8 ", NULL, 0},
        {"a b", NULL, 0},
        {"a,b", NULL, 0},
        {"u@a", NULL, 0},
        {"a/b", NULL, 0},
        {"a?b", NULL, 0},
        {"a#b", NULL, 0},
        {"a\\b", NULL, 0},
        {"a%00", NULL, 0},
        {"::1", NULL, 0},
        {"[::1", NULL, 0},
        {"[]", NULL, 0},
        {"[::1]a", NULL, 0},
        {"[::g]", NULL, 0},
        {"[1.2.3.4]", NULL, 0},
        {"\xc3\xa4.example", NULL, 0},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct span host = SPAN_EMPTY;
        uint16_t port = 1;
        bool split = http_authority_split(span_of(table[i].text), &host, &port);
        if (split != (table[i].host != NULL)) {
            fail_msg("%s", table[i].text);
        }
        if (split) {
            assert_true(span_equal_text(host, table[i].host));
            assert_int_equal(port, table[i].port);
        }
    }
}

static void request(struct http_head *head, struct arena *arena)
{
    http_head_init(head, arena);
    head->method = SPAN("GET");
    head->method_token = HTTP_METHOD_GET;
    head->scheme = SPAN("http");
    head->authority = SPAN("a");
    head->path = SPAN("/");
}

static void bad_targets_are_refused_in_every_codec(void **state)
{
    static const struct {
        const char *method, *authority, *path;
        enum failure failure;
    } table[] = {
        {"GET", "a", "/", FAILURE_NONE},
        {"GET", "", "/a?b=c|d{}%zz", FAILURE_NONE},
        {"OPTIONS", "a", "*", FAILURE_NONE},
        {"BREW", "a", "/pot", FAILURE_NONE},
        {"CONNECT", "a:443", "", FAILURE_NONE},
        {"CONNECT", "", "", FAILURE_BAD_REQUEST},
        {"CONNECT", "a:443", "/", FAILURE_BAD_REQUEST},
        {"GET", "a", "*", FAILURE_BAD_REQUEST},
        {"GET", "a", "", FAILURE_BAD_REQUEST},
        {"GET", "a", "a", FAILURE_BAD_REQUEST},
        {"GET", "a", "//a", FAILURE_BAD_REQUEST},
        {"GET", "a", "/a//b", FAILURE_NONE},
        {"GET", "a", "/a#b", FAILURE_BAD_REQUEST},
        {"GET", "a", "/a\\b", FAILURE_BAD_REQUEST},
        {"GET", "a", "/a b", FAILURE_BAD_REQUEST},
        {"GET", "a", "/a\r\nX: y", FAILURE_BAD_REQUEST},
        {"GET", "a", "/\xe4", FAILURE_BAD_REQUEST},
        {"GET", "a,b", "/", FAILURE_BAD_REQUEST},
        {"G T", "a", "/", FAILURE_BAD_REQUEST},
        {"", "a", "/", FAILURE_BAD_REQUEST},
        {"GET:", "a", "/", FAILURE_BAD_REQUEST},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct arena arena = {0};
        struct http_head head;
        request(&head, &arena);
        head.method = span_of(table[i].method);
        head.method_token = (uint8_t)http_method_of(head.method);
        head.authority = span_of(table[i].authority);
        head.path = span_of(table[i].path);
        const char *detail = NULL;
        enum failure failure = http_head_check(&head, &detail);
        if (failure != table[i].failure || (failure != FAILURE_NONE) != (detail != NULL)) {
            fail_msg("row %zu: %s %s", i, table[i].method, table[i].path);
        }
        arena_done(&arena);
    }
}

static void a_long_target_is_told_apart(void **state)
{
    static char path[8193];
    memset(path, '/', 1);
    memset(path + 1, 'a', sizeof(path) - 1);
    struct arena arena = {0};
    struct http_head head;
    request(&head, &arena);
    const char *detail;
    head.path = span_make(path, 8192);
    assert_int_equal(http_head_check(&head, &detail), FAILURE_NONE);
    head.path = span_make(path, 8193);
    assert_int_equal(http_head_check(&head, &detail), FAILURE_URI_TOO_LONG);
    arena_done(&arena);
}

static void bad_fields_are_refused_with_the_failure_of_their_side(void **state)
{
    static const struct {
        struct span name, value;
        int64_t length;
        bool good;
    } table[] = {
        {SPAN("X-A"), SPAN("v"), -1, true},
        {SPAN("content-length"), SPAN("5"), 5, true},
        {SPAN("content-length"), SPAN("5"), 6, false},
        {SPAN("content-length"), SPAN("5,5"), 5, false},
        {SPAN("content-length"), SPAN(""), 0, false},
        {SPAN("content-length"), SPAN("9223372036854775808"), -1, false},
        {SPAN("X A"), SPAN("v"), -1, false},
        {SPAN(""), SPAN("v"), -1, false},
        {SPAN("X:"), SPAN("v"), -1, false},
        {SPAN("x"), SPAN("v\r\ny: z"), -1, false},
        {SPAN("x"), SPAN("v\0"), -1, false},
        {SPAN("x"), SPAN("v\n"), -1, false},
        {SPAN("host"), SPAN("a"), -1, false},
        {SPAN("Connection"), SPAN("close"), -1, false},
        {SPAN("transfer-encoding"), SPAN("chunked"), -1, false},
        {SPAN("upgrade"), SPAN("h2c"), -1, false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (int response = 0; response < 2; response++) {
            struct arena arena = {0};
            struct http_head head;
            request(&head, &arena);
            head.status = response != 0 ? 200 : 0;
            head.content_length = table[i].length;
            headers_add(&head.headers, table[i].name, table[i].value);
            const char *detail = NULL;
            enum failure bad = response != 0 ? FAILURE_UPSTREAM_PROTOCOL : FAILURE_BAD_REQUEST;
            if (http_head_check(&head, &detail) != (table[i].good ? FAILURE_NONE : bad)) {
                fail_msg("row %zu", i);
            }
            arena_done(&arena);
        }
    }
}

static void methods_are_known_by_their_exact_spelling(void **state)
{
    assert_int_equal(http_method_of(SPAN("PATCH")), HTTP_METHOD_PATCH);
    assert_int_equal(http_method_of(SPAN("get")), HTTP_METHOD_OTHER);
    assert_int_equal(http_method_of(SPAN_EMPTY), HTTP_METHOD_OTHER);
    assert_true(http_method_idempotent(HTTP_METHOD_PUT));
    assert_false(http_method_safe(HTTP_METHOD_PUT));
    assert_false(http_method_idempotent(HTTP_METHOD_POST));
    assert_false(http_method_idempotent(HTTP_METHOD_OTHER));
    assert_false(http_method_idempotent(HTTP_METHOD_CONNECT));
}

static void grpc_is_known_by_its_content_type(void **state)
{
    static const struct {
        const char *type;
        bool grpc;
    } table[] = {{"application/grpc", true},      {"application/grpc+proto", true},
                 {"Application/gRPC", true},      {"application/grpc;x=y", true},
                 {"application/grpc-web", false}, {"application/json", false},
                 {"application/grp", false}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct arena arena = {0};
        struct http_head head;
        request(&head, &arena);
        assert_false(http_head_is_grpc(&head));
        headers_add(&head.headers, SPAN("content-type"), span_of(table[i].type));
        assert_int_equal(http_head_is_grpc(&head), table[i].grpc);
        arena_done(&arena);
    }
}

static void statuses_have_their_reason_phrase(void **state)
{
    assert_true(span_equal_text(http_status_text(100), "Continue"));
    assert_true(span_equal_text(http_status_text(418), "I'm a teapot"));
    assert_true(span_equal_text(http_status_text(511), "Network Authentication Required"));
    assert_int_equal(http_status_text(599).length, 0);
    assert_int_equal(http_status_text(0).length, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(authorities_are_split_strictly),
        cmocka_unit_test(bad_targets_are_refused_in_every_codec),
        cmocka_unit_test(a_long_target_is_told_apart),
        cmocka_unit_test(bad_fields_are_refused_with_the_failure_of_their_side),
        cmocka_unit_test(methods_are_known_by_their_exact_spelling),
        cmocka_unit_test(grpc_is_known_by_its_content_type),
        cmocka_unit_test(statuses_have_their_reason_phrase),
    };
    return TEST_MAIN(cases, argc, argv);
}
