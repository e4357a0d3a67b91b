#include "tests/unit/test_main.h"

#include "proxy/request/local_reply.h"
#include "tests/unit/proxy/request/fake_stream.h"

struct bench {
    struct arena arena;
    struct http_head request;
    struct fake_stream stream;
};

static void bench_open(struct bench *bench, const char *method, const char *type)
{
    *bench = (struct bench){.arena = {0}};
    http_head_init(&bench->request, &bench->arena);
    bench->request.method = span_of(method);
    bench->request.method_token = (uint8_t)http_method_of(span_of(method));
    bench->request.path = SPAN("/");
    if (type != NULL) {
        headers_add_token(&bench->request.headers, HEADER_CONTENT_TYPE, span_of(type));
    }
    fake_stream_init(&bench->stream, 65536);
}

static void bench_close(struct bench *bench)
{
    fake_stream_done(&bench->stream);
    arena_done(&bench->arena);
    assert_int_equal(chunk_in_use(), 0);
}

static void each_failure_that_can_be_said_is_said_with_its_reason(void **state)
{
    for (unsigned failure = 1; failure < FAILURE_COUNT; failure++) {
        const struct failure_facts *facts = failure_facts((enum failure)failure);
        if (facts->http_status == 0) {
            continue;
        }
        struct bench bench;
        bench_open(&bench, "GET", NULL);
        uint16_t status = local_reply_send(&bench.stream.stream, &bench.request,
                                           (enum failure)failure, SPAN_EMPTY, false, &bench.arena);
        assert_int_equal(status, facts->http_status);
        char head[256];
        char body[256];
        snprintf(body, sizeof(body), "remora: %s\n", facts->explanation);
        snprintf(head, sizeof(head),
                 "%u content-type=text/plain; charset=utf-8;x-remora-reason=%.*s;"
                 "content-length=%zu;\n",
                 status, SPAN_ARG(facts->word), strlen(body));
        assert_string_equal(bench.stream.heads.bytes, head);
        assert_string_equal(bench.stream.body.bytes, body);
        assert_true(bench.stream.ended);
        bench_close(&bench);
    }
}

static void details_and_the_mark_are_added(void **state)
{
    struct bench bench;
    bench_open(&bench, "POST", "application/json");
    local_reply_send(&bench.stream.stream, &bench.request, FAILURE_CONNECT_REFUSED,
                     SPAN("10.0.0.1:80"), true, &bench.arena);
    assert_string_equal(bench.stream.body.bytes,
                        "remora: the endpoint refused the connection (10.0.0.1:80)\n");
    assert_non_null(strstr(bench.stream.heads.bytes, "x-remora-retry=no;"));
    bench_close(&bench);
}

static void the_answer_to_head_has_the_length_and_no_body(void **state)
{
    struct bench bench;
    bench_open(&bench, "HEAD", NULL);
    local_reply_send(&bench.stream.stream, &bench.request, FAILURE_NO_ROUTE, SPAN_EMPTY, false,
                     &bench.arena);
    assert_non_null(strstr(bench.stream.heads.bytes, "content-length=37;"));
    assert_int_equal(bench.stream.body.length, 0);
    assert_true(bench.stream.ended);
    bench_close(&bench);
}

static void a_grpc_client_gets_trailers_only(void **state)
{
    struct bench bench;
    bench_open(&bench, "POST", "application/grpc+proto");
    uint16_t status = local_reply_send(&bench.stream.stream, &bench.request, FAILURE_NO_ENDPOINT,
                                       SPAN("a%b\n\xc3\xa9"), true, &bench.arena);
    assert_int_equal(status, 200);
    assert_string_equal(
        bench.stream.heads.bytes,
        "200 content-type=application/grpc;grpc-status=14;grpc-message=remora: the "
        "service has no endpoint in rotation (a%25b%0A%C3%A9);"
        "grpc-retry-pushback-ms=-1;x-remora-reason=no_endpoint;x-remora-retry=no;\n");
    assert_true(bench.stream.ended);
    bench_close(&bench);
}

static void a_route_answers_by_itself(void **state)
{
    static const struct {
        const char *method;
        uint16_t status;
        const char *location, *body;
        const char *head, *sent;
    } rows[] = {
        {"GET", 302, "http://a/b", "", "302 location=http://a/b;content-length=0;\n", ""},
        {"GET", 200, "", "ok", "200 content-type=text/plain; charset=utf-8;content-length=2;\n",
         "ok"},
        {"HEAD", 200, "", "ok", "200 content-type=text/plain; charset=utf-8;content-length=2;\n",
         ""},
        {"GET", 204, "", "ok", "204 \n", ""},
        {"GET", 205, "", "ok", "205 content-length=0;\n", ""},
        {"GET", 304, "", "ok", "304 \n", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench bench;
        bench_open(&bench, rows[i].method, NULL);
        local_reply_plain(&bench.stream.stream, rows[i].status, span_of(rows[i].location),
                          span_of(rows[i].body), &bench.request, &bench.arena);
        assert_string_equal(bench.stream.heads.bytes, rows[i].head);
        assert_true(span_equal_text(text_span(&bench.stream.body), rows[i].sent));
        assert_true(bench.stream.ended);
        bench_close(&bench);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(each_failure_that_can_be_said_is_said_with_its_reason),
        cmocka_unit_test(details_and_the_mark_are_added),
        cmocka_unit_test(the_answer_to_head_has_the_length_and_no_body),
        cmocka_unit_test(a_grpc_client_gets_trailers_only),
        cmocka_unit_test(a_route_answers_by_itself),
    };
    return TEST_MAIN(cases, argc, argv);
}
