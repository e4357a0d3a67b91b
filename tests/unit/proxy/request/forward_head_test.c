#include "tests/unit/test_main.h"

#include "lib/base/text.h"
#include "proxy/request/forward_head.h"

#define TRACEPARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

struct made {
    struct arena arena;
    struct http_head head;
    struct request_wishes wishes;
    struct trace_ids trace;
    struct address downstream, original_dst;
    struct forward_facts facts;
};

/* A request "GET http://api/a" with these "name: value" fields, outbound, first attempt. */
static void make(struct made *made, const char *const *fields)
{
    memset(made, 0, sizeof(*made));
    http_head_init(&made->head, &made->arena);
    made->head.method = SPAN("GET");
    made->head.method_token = HTTP_METHOD_GET;
    made->head.scheme = SPAN("http");
    made->head.authority = SPAN("api");
    made->head.path = SPAN("/a");
    made->head.version = 11;
    for (size_t i = 0; fields != NULL && fields[i] != NULL; i++) {
        struct span field = span_of(fields[i]);
        size_t colon = span_find_byte(field, ':');
        headers_add(&made->head.headers, span_cut(field, 0, colon),
                    span_trim(span_cut(field, colon + 1, field.length)));
    }
    address_parse(SPAN("10.0.0.7:40000"), &made->downstream);
    address_parse(SPAN("10.0.0.8:8080"), &made->original_dst);
    made->facts = (struct forward_facts){.direction = RECORD_OUTBOUND,
                                         .wishes = &made->wishes,
                                         .attempt = 1,
                                         .trace = &made->trace,
                                         .downstream = &made->downstream,
                                         .original_dst = &made->original_dst};
    made->wishes.attempt_in = 1;
}

static void expect_head(const struct http_head *head, const char *wanted)
{
    struct text text = {0};
    HEADERS_EACH(&head->headers, field)
    {
        text_printf(&text, "%.*s=%.*s;", SPAN_ARG(field->name), SPAN_ARG(field->value));
    }
    if (!span_equal_text(text_span(&text), wanted)) {
        fail_msg("%s\ninstead of %s", text.length > 0 ? text.bytes : "", wanted);
    }
    text_done(&text);
}

/* What is written of a made request. */
static void expect(struct made *made, const char *wanted)
{
    expect_head(forward_request(&made->head, &made->facts, &made->arena), wanted);
    arena_done(&made->arena);
}

static void the_attempt_count_is_the_largest_that_is_said(void **state)
{
    static const struct {
        const char *fields[4];
        uint8_t direction;
        bool from_mesh;
        uint32_t wanted;
    } rows[] = {
        {{NULL}, RECORD_OUTBOUND, false, 1},
        {{"x-remora-attempt-count: 2"}, RECORD_OUTBOUND, false, 2},
        {{"x-remora-attempt-count: 2"}, RECORD_INBOUND, true, 2},
        {{"x-remora-attempt-count: 2"}, RECORD_INBOUND, false, 1},
        {{"x-remora-attempt-count: 0"}, RECORD_OUTBOUND, false, 1},
        {{"x-remora-attempt-count: 255"}, RECORD_OUTBOUND, false, 255},
        {{"x-remora-attempt-count: 256"}, RECORD_OUTBOUND, false, 1},
        {{"x-remora-attempt-count: -1"}, RECORD_OUTBOUND, false, 1},
        {{"x-remora-attempt-count: 2x"}, RECORD_OUTBOUND, false, 1},
        {{"x-remora-attempt-count:"}, RECORD_OUTBOUND, false, 1},
        {{"x-envoy-attempt-count: 3"}, RECORD_INBOUND, false, 3},
        {{"grpc-previous-rpc-attempts: 1"}, RECORD_INBOUND, false, 2},
        {{"grpc-previous-rpc-attempts: 255"}, RECORD_INBOUND, false, 255},
        {{"tracestate: remora=a:4"}, RECORD_INBOUND, false, 4},
        {{"tracestate: a=1, remora=a:4 ,b=2"}, RECORD_INBOUND, false, 4},
        {{"tracestate: remora=b:4"}, RECORD_INBOUND, false, 1},
        {{"tracestate: xremora=a:4"}, RECORD_INBOUND, false, 1},
        {{"tracestate: remora=a:4000"}, RECORD_INBOUND, false, 1},
        {{"x-remora-attempt-count: 2", "x-envoy-attempt-count: 5", "tracestate: remora=a:3"},
         RECORD_OUTBOUND,
         false,
         5},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct made made;
        make(&made, rows[i].fields);
        request_wishes_read(&made.head, rows[i].direction, rows[i].from_mesh, &made.wishes);
        if (made.wishes.attempt_in != rows[i].wanted) {
            fail_msg("row %zu: %u", i, made.wishes.attempt_in);
        }
        arena_done(&made.arena);
    }
}

static void attempt_k_says_so_from_the_second_on(void **state)
{
    static const struct {
        uint32_t in, k;
        const char *wanted;
    } rows[] = {{1, 1, ""},
                {1, 2, "x-remora-attempt-count=2;"},
                {2, 1, "x-remora-attempt-count=2;"},
                {3, 3, "x-remora-attempt-count=5;"},
                {255, 2, "x-remora-attempt-count=255;"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct made made;
        make(&made, NULL);
        made.wishes.attempt_in = rows[i].in;
        made.facts.attempt = rows[i].k;
        expect(&made, rows[i].wanted);
    }
}

static void wishes_for_time_are_read_where_they_may_be_said(void **state)
{
    static const struct {
        const char *field;
        uint8_t direction;
        int64_t timeout_ms, grpc_ms;
    } rows[] = {
        {"x-remora-timeout: 500", RECORD_OUTBOUND, 500, 0},
        {"x-remora-timeout: 500", RECORD_INBOUND, 0, 0},
        {"x-remora-timeout: 0", RECORD_OUTBOUND, 0, 0},
        {"x-remora-timeout: 5s", RECORD_OUTBOUND, 0, 0},
        {"x-remora-timeout: 86400001", RECORD_OUTBOUND, 0, 0},
        {"grpc-timeout: 250m", RECORD_INBOUND, 0, 250},
        {"grpc-timeout: 1S", RECORD_OUTBOUND, 0, 1000},
        {"grpc-timeout: 0S", RECORD_OUTBOUND, 0, 1},
        {"grpc-timeout: 1n", RECORD_OUTBOUND, 0, 1},
        {"grpc-timeout: 1x", RECORD_OUTBOUND, 0, 0},
        {"grpc-timeout: 123456789m", RECORD_OUTBOUND, 0, 0},
        {"grpc-timeout: m", RECORD_OUTBOUND, 0, 0},
        {"grpc-timeout:", RECORD_OUTBOUND, 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const fields[] = {rows[i].field, NULL};
        struct made made;
        make(&made, fields);
        request_wishes_read(&made.head, rows[i].direction, true, &made.wishes);
        if (made.wishes.timeout_ms != rows[i].timeout_ms ||
            made.wishes.grpc_timeout_ms != rows[i].grpc_ms) {
            fail_msg("%s", rows[i].field);
        }
        arena_done(&made.arena);
    }
    /* The longest there is must fit into nanoseconds. */
    static const char *const longest[] = {"grpc-timeout: 99999999H", NULL};
    struct made made;
    make(&made, longest);
    request_wishes_read(&made.head, RECORD_INBOUND, true, &made.wishes);
    assert_true(made.wishes.grpc_timeout_ms > 0);
    assert_true(made.wishes.grpc_timeout_ms < INT64_MAX / 1000000 / 2);
    arena_done(&made.arena);
}

static void private_fields_are_believed_from_sidecars_only(void **state)
{
    static const char *const fields[] = {"x-remora-http: 1", "x-remora-source: shop/web-1", NULL};
    for (int from_mesh = 0; from_mesh < 2; from_mesh++) {
        struct made made;
        make(&made, fields);
        request_wishes_read(&made.head, RECORD_INBOUND, from_mesh, &made.wishes);
        assert_int_equal(made.wishes.from_http1, from_mesh);
        assert_true(span_equal_text(made.wishes.source_workload, from_mesh ? "shop/web-1" : ""));
        arena_done(&made.arena);
    }
}

static void internal_fields_go_no_further_in_either_direction(void **state)
{
    static const char *const fields[] = {"X-Forwarded-Client-Cert: URI=spiffe://td/root",
                                         "x-remora-attempt-count: 9",
                                         "x-remora-timeout: 5",
                                         "x-remora-reason: none",
                                         "x-remora-retry: no",
                                         "x-remora-warning: w",
                                         "x-remora-case: t9",
                                         "x-remora-source: a/b",
                                         "X-Remora-Http: 1",
                                         "x-mine: 1",
                                         NULL};
    struct made made;
    make(&made, fields);
    expect(&made, "x-mine=1;");
    make(&made, fields);
    made.facts.direction = RECORD_INBOUND;
    expect(&made, "x-mine=1;x-forwarded-proto=http;x-forwarded-for=10.0.0.7;");
}

static void the_client_certificate_is_always_the_one_that_was_verified(void **state)
{
    static const char *const fields[] = {"x-forwarded-client-cert: URI=spiffe://td/root",
                                         "x-forwarded-client-cert: By=a", NULL};
    struct made made;
    make(&made, fields);
    made.facts.direction = RECORD_INBOUND;
    made.facts.peer_identity = SPAN("spiffe://td/ns/a/sa/b");
    made.facts.own_identity = SPAN("spiffe://td/ns/c/sa/d");
    expect(&made, "x-forwarded-client-cert=By=spiffe://td/ns/c/sa/d;URI=spiffe://td/ns/a/sa/b;"
                  "x-forwarded-proto=http;x-forwarded-for=10.0.0.7;");
    make(&made, fields);
    made.facts.direction = RECORD_INBOUND;
    made.facts.peer_identity = SPAN("spiffe://td/ns/a/sa/b");
    expect(&made, "x-forwarded-client-cert=URI=spiffe://td/ns/a/sa/b;"
                  "x-forwarded-proto=http;x-forwarded-for=10.0.0.7;");
}

static void forwarded_fields_are_kept_or_made(void **state)
{
    static const struct {
        const char *fields[3];
        bool https;
        const char *scheme;
        const char *wanted;
    } rows[] = {
        {{NULL}, false, "http", "x-forwarded-proto=http;x-forwarded-for=10.0.0.7;"},
        {{NULL}, false, "https", "x-forwarded-proto=http;x-forwarded-for=10.0.0.7;"},
        {{NULL}, true, "https", "x-forwarded-proto=https;x-forwarded-for=10.0.0.7;"},
        {{"X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.1, 192.0.2.2"},
         false,
         "http",
         "X-Forwarded-Proto=https;X-Forwarded-For=192.0.2.1, 192.0.2.2;"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct made made;
        make(&made, rows[i].fields);
        made.head.scheme = span_of(rows[i].scheme);
        made.facts.direction = RECORD_INBOUND;
        made.facts.https = rows[i].https;
        expect(&made, rows[i].wanted);
    }
}

static void private_fields_are_written_to_sidecars_only(void **state)
{
    struct made made;
    make(&made, NULL);
    made.facts.own_workload = SPAN("shop/web-1");
    expect(&made, "");
    make(&made, NULL);
    made.facts.own_workload = SPAN("shop/web-1");
    made.facts.to_mesh = true;
    expect(&made, "x-remora-source=shop/web-1;x-remora-http=1;");
    make(&made, NULL);
    made.facts.own_workload = SPAN("shop/web-1");
    made.facts.to_mesh = true;
    made.head.version = 20;
    expect(&made, "x-remora-source=shop/web-1;");
}

static void a_grpc_deadline_is_what_is_left(void **state)
{
    static const struct {
        const char *type;
        int64_t left_ms;
        const char *wanted;
    } rows[] = {
        {"application/grpc", 250, "content-type=application/grpc;grpc-timeout=250m;"},
        {"application/grpc+proto", 1, "content-type=application/grpc+proto;grpc-timeout=1m;"},
        {"application/grpc", 0, "content-type=application/grpc;"},
        {"application/json", 250, "content-type=application/json;"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char field[64];
        snprintf(field, sizeof(field), "content-type: %s", rows[i].type);
        const char *const fields[] = {field, NULL};
        struct made made;
        make(&made, fields);
        made.facts.time_left_ms = rows[i].left_ms;
        expect(&made, rows[i].wanted);
    }
    static const char *const longer[] = {"content-type: application/grpc", "grpc-timeout: 10S",
                                         NULL};
    struct made made;
    make(&made, longer);
    made.facts.time_left_ms = 9000;
    expect(&made, "content-type=application/grpc;grpc-timeout=9000m;");
}

static void a_route_rewrites_path_host_and_fields_and_its_backend_adds_its_own(void **state)
{
    const struct xds_header_change of_route[] = {{XDS_HEADER_SET, SPAN("x-route"), SPAN("1")},
                                                 {XDS_HEADER_REMOVE, SPAN("x-gone"), SPAN_EMPTY}};
    const struct xds_header_change of_backend[] = {{XDS_HEADER_ADD, SPAN("x-backend"), SPAN("2")}};
    const struct xds_route facts = {.path_kind = XDS_PATH_SEGMENTS,
                                    .path = SPAN("/a"),
                                    .rewrite = XDS_REWRITE_PREFIX,
                                    .rewrite_path = SPAN("/b"),
                                    .rewrite_host = SPAN("other"),
                                    .request = {of_route, 2}};
    const struct route route = {.facts = &facts};
    const struct xds_weighted_cluster backend = {.request = {of_backend, 1}};
    static const char *const fields[] = {"x-gone: 1", "x-stays: 1", NULL};
    struct made made;
    make(&made, fields);
    made.facts.route = &route;
    made.facts.cluster = &backend;
    struct http_head *head = forward_request(&made.head, &made.facts, &made.arena);
    assert_true(span_equal_text(head->path, "/b"));
    assert_true(span_equal_text(head->authority, "other"));
    expect_head(head, "x-stays=1;x-route=1;x-backend=2;");
    /* The head that came is as it was, for the next attempt and the log. */
    assert_true(span_equal_text(made.head.path, "/a"));
    expect_head(&made.head, "x-gone=1;x-stays=1;");
    arena_done(&made.arena);
}

static void a_head_without_a_host_gets_the_address(void **state)
{
    struct made made;
    make(&made, NULL);
    made.head.authority = SPAN_EMPTY;
    struct http_head *head = forward_request(&made.head, &made.facts, &made.arena);
    assert_true(span_equal_text(head->authority, "10.0.0.8:8080"));
    arena_done(&made.arena);
}

static void a_request_id_is_added_where_there_is_none(void **state)
{
    struct made made;
    make(&made, NULL);
    made.facts.request_id = SPAN("id-1");
    expect(&made, "x-request-id=id-1;");
}

static void a_response_is_stripped_and_changed(void **state)
{
    static const struct {
        const char *fields[4];
        bool from_mesh;
        const char *wanted;
    } rows[] = {
        {{"x-remora-reason: no_route", "x-remora-retry: no", "x: 1"}, false, "x=1;"},
        {{"x-remora-reason: no_route", "x-remora-retry: no", "x: 1"},
         true,
         "x=1;x-remora-reason=no_route;x-remora-retry=no;"},
        {{"x-remora-source: a/b", "x-remora-http: 1"}, true, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct made made;
        make(&made, rows[i].fields);
        made.head.status = 404;
        expect_head(forward_response(&made.head, NULL, NULL, rows[i].from_mesh, &made.arena),
                    rows[i].wanted);
        arena_done(&made.arena);
    }
    const struct xds_header_change of_route = {XDS_HEADER_SET, SPAN("x"), SPAN("route")};
    const struct xds_header_change of_backend = {XDS_HEADER_ADD, SPAN("y"), SPAN("backend")};
    const struct xds_route route_facts = {.response = {&of_route, 1}};
    const struct route route = {.facts = &route_facts};
    const struct xds_weighted_cluster backend = {.response = {&of_backend, 1}};
    struct made made;
    make(&made, NULL);
    made.head.status = 200;
    expect_head(forward_response(&made.head, &route, &backend, false, &made.arena),
                "x=route;y=backend;");
    arena_done(&made.arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_attempt_count_is_the_largest_that_is_said),
        cmocka_unit_test(attempt_k_says_so_from_the_second_on),
        cmocka_unit_test(wishes_for_time_are_read_where_they_may_be_said),
        cmocka_unit_test(private_fields_are_believed_from_sidecars_only),
        cmocka_unit_test(internal_fields_go_no_further_in_either_direction),
        cmocka_unit_test(the_client_certificate_is_always_the_one_that_was_verified),
        cmocka_unit_test(forwarded_fields_are_kept_or_made),
        cmocka_unit_test(private_fields_are_written_to_sidecars_only),
        cmocka_unit_test(a_grpc_deadline_is_what_is_left),
        cmocka_unit_test(a_route_rewrites_path_host_and_fields_and_its_backend_adds_its_own),
        cmocka_unit_test(a_head_without_a_host_gets_the_address),
        cmocka_unit_test(a_request_id_is_added_where_there_is_none),
        cmocka_unit_test(a_response_is_stripped_and_changed),
    };
    return TEST_MAIN(cases, argc, argv);
}
