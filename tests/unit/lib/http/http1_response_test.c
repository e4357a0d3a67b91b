#include "lib/http/http1_parser.h"
#include "tests/unit/test_main.h"

static struct http_limits limits;

static bool response(const char *text, enum http_method method, bool upgrade,
                     struct http1_fault *fault)
{
    struct span bytes = span_of(text);
    struct http1_scan scan = {0};
    size_t length = 0;
    return http1_scan(&scan, bytes, &limits, HTTP1_RESPONSE, &length, fault) == HTTP1_DONE &&
           http1_parse_response(span_make(bytes.at, length), &limits, method, upgrade,
                                http1_message_scratch(), fault);
}

static void responses_are_framed_by_the_rules_in_their_order(void **state)
{
    static const struct {
        const char *text;
        enum http_method method;
        bool upgrade;
        enum http1_framing framing;
        int64_t length;
        bool keep_alive;
    } table[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", HTTP_METHOD_GET, false,
         HTTP1_FRAMING_LENGTH, 5, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", HTTP_METHOD_GET, false, HTTP1_FRAMING_NONE,
         0, true},
        {"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_METHOD_POST, false,
         HTTP1_FRAMING_CHUNKED, -1, true},
        {"HTTP/1.1 200 \r\n\r\n", HTTP_METHOD_GET, false, HTTP1_FRAMING_CLOSE, -1, true},
        {"HTTP/1.0 200 OK\r\n\r\n", HTTP_METHOD_GET, false, HTTP1_FRAMING_CLOSE, -1, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n", HTTP_METHOD_GET,
         false, HTTP1_FRAMING_LENGTH, 1, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", HTTP_METHOD_HEAD,
         false, HTTP1_FRAMING_NONE, 5, false},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", HTTP_METHOD_GET, false,
         HTTP1_FRAMING_NONE, 5, true},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", HTTP_METHOD_GET, false,
         HTTP1_FRAMING_NONE, -1, true},
        {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_METHOD_GET, false,
         HTTP1_FRAMING_NONE, -1, true},
        {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", HTTP_METHOD_GET, false, HTTP1_FRAMING_NONE,
         -1, true},
        {"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", HTTP_METHOD_GET,
         true, HTTP1_FRAMING_TUNNEL, -1, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", HTTP_METHOD_CONNECT, false,
         HTTP1_FRAMING_TUNNEL, -1, true},
        {"HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n", HTTP_METHOD_CONNECT, false,
         HTTP1_FRAMING_LENGTH, 5, true},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct http1_fault fault = {FAILURE_NONE, "incomplete"};
        if (!response(table[i].text, table[i].method, table[i].upgrade, &fault)) {
            fail_msg("row %zu: %s", i, fault.detail);
        }
        const struct http1_message *message = http1_message_scratch();
        if (message->framing != table[i].framing ||
            message->head.content_length != table[i].length ||
            message->keep_alive != table[i].keep_alive) {
            fail_msg("row %zu: framing %d", i, message->framing);
        }
    }
}

static void broken_responses_are_the_upstreams_fault(void **state)
{
    static const char *const bad[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
        "HTTP/1.1 200 OK\nX: y\r\n\r\n",
        "HTTP/1.1 200 O\x01K\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 +20 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct http1_fault fault = {FAILURE_NONE, NULL};
        if (response(bad[i], HTTP_METHOD_GET, false, &fault) ||
            fault.failure != FAILURE_UPSTREAM_PROTOCOL) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
}

static void trailers_that_may_not_be_there_are_dropped(void **state)
{
    struct arena arena = {0};
    struct headers trailers;
    struct http1_fault fault;
    assert_true(http1_parse_trailers(
        SPAN("Host: a\r\nTE: b\r\nContent-Length: 5\r\nAuthorization: c\r\nX-Sum: 1\r\n"
             "Transfer-Encoding: chunked\r\nx_forwarded_client_cert: d\r\nGrpc-Status: 0\r\n"
             "Set-Cookie: e\r\nX-Forwarded-For: f\r\n\r\n"),
        &limits, &arena, true, &trailers, &fault));
    assert_int_equal(trailers.count, 2);
    assert_true(span_equal_text(trailers.items[0].name, "X-Sum"));
    assert_true(span_equal_text(trailers.items[1].name, "Grpc-Status"));
    assert_false(
        http1_parse_trailers(SPAN("a b\r\n\r\n"), &limits, &arena, true, &trailers, &fault));
    assert_int_equal(fault.failure, FAILURE_BAD_REQUEST);
    arena_done(&arena);
}

int main(int argc, char **argv)
{
    http_limits_default(&limits);
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(responses_are_framed_by_the_rules_in_their_order),
        cmocka_unit_test(broken_responses_are_the_upstreams_fault),
        cmocka_unit_test(trailers_that_may_not_be_there_are_dropped),
    };
    return TEST_MAIN(cases, argc, argv);
}
