#include "tests/unit/test_main.h"

#include "proxy/config/route_config.h"
#include "tests/unit/proxy/config/head.h"

static void the_prefix_is_replaced_as_the_gateway_api_says(void **state)
{
    static const struct {
        const char *prefix;
        const char *to;
        const char *path;
        const char *wanted;
    } rows[] = {
        /* The table of HTTPPathModifier. */
        {"/foo", "/xyz", "/foo/bar", "/xyz/bar"},
        {"/foo", "/xyz/", "/foo/bar", "/xyz/bar"},
        {"/foo/", "/xyz", "/foo/bar", "/xyz/bar"},
        {"/foo/", "/xyz/", "/foo/bar", "/xyz/bar"},
        {"/foo", "/xyz", "/foo", "/xyz"},
        {"/foo", "/xyz", "/foo/", "/xyz/"},
        {"/foo", "", "/foo/bar", "/bar"},
        {"/foo", "", "/foo/", "/"},
        {"/foo", "", "/foo", "/"},
        {"/foo", "/", "/foo/", "/"},
        {"/foo", "/", "/foo", "/"},
        /* And beyond it. */
        {"/foo", "/", "/foo/bar", "/bar"},
        {"/foo", "/xyz", "/foo?a=/b", "/xyz?a=/b"},
        {"/foo", "", "/foo?a", "/?a"},
        {"/foo", "/xyz", "/foo//bar", "/xyz//bar"},
        {"/foo", "", "/foo//evil.example/x", "/evil.example/x"},
        {"/foo", "/", "/foo///evil.example", "/evil.example"},
        {"/", "/xyz", "/", "/xyz/"},
        {"/", "/xyz", "/a/b", "/xyz/a/b"},
        {"/foo", "xyz", "/foo/a", "/xyz/a"},
        {"/", "/xyz", "*", "*"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct xds_route facts = {.path_kind = XDS_PATH_SEGMENTS,
                                        .path = span_of(rows[i].prefix),
                                        .rewrite = XDS_REWRITE_PREFIX,
                                        .rewrite_path = span_of(rows[i].to)};
        const struct route route = {.facts = &facts};
        struct arena arena = {0};
        struct span path = route_rewrite_path(&route, span_of(rows[i].path), &arena);
        if (!span_equal_text(path, rows[i].wanted)) {
            fail_msg("%s to %s: %s gives %.*s", rows[i].prefix, rows[i].to, rows[i].path,
                     SPAN_ARG(path));
        }
        arena_done(&arena);
    }
}

static void the_whole_path_is_replaced_and_the_query_stays(void **state)
{
    static const struct {
        const char *to;
        const char *path;
        const char *wanted;
    } rows[] = {
        {"/one", "/a/b", "/one"},
        {"/one", "/a?x=1&y", "/one?x=1&y"},
        {"", "/a", "/"},
        {"/one", "*", "*"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct xds_route facts = {.rewrite = XDS_REWRITE_FULL,
                                        .rewrite_path = span_of(rows[i].to)};
        const struct route route = {.facts = &facts};
        struct arena arena = {0};
        struct span path = route_rewrite_path(&route, span_of(rows[i].path), &arena);
        assert_true(span_equal_text(path, rows[i].wanted));
        arena_done(&arena);
    }
}

static void a_path_that_is_not_rewritten_is_not_copied(void **state)
{
    const struct xds_route facts = {.rewrite = XDS_REWRITE_NONE};
    const struct route route = {.facts = &facts};
    struct arena arena = {0};
    struct span path = SPAN("/a?b");
    assert_ptr_equal(route_rewrite_path(&route, path, &arena).at, path.at);
    assert_int_equal(arena.bytes, 0);
}

static void a_redirect_says_where_as_the_gateway_api_does(void **state)
{
    static const struct {
        const char *scheme, *host;
        uint16_t port;
        uint8_t rewrite;
        const char *to;
        const char *request;
        uint16_t listener;
        const char *wanted;
    } rows[] = {
        {"", "example.org", 0, 0, "", "http://api/a", 80, "http://example.org/a"},
        {"", "example.org", 0, 0, "", "http://api/a", 8080, "http://example.org:8080/a"},
        {"", "", 0, 0, "", "http://api:8080/a?b=c", 8080, "http://api:8080/a?b=c"},
        {"https", "", 0, 0, "", "http://api:8080/a", 8080, "https://api/a"},
        {"http", "", 0, 0, "", "http://api:8080/a", 8080, "http://api/a"},
        {"https", "", 8443, 0, "", "http://api/a", 80, "https://api:8443/a"},
        {"https", "", 443, 0, "", "http://api/a", 80, "https://api/a"},
        {"", "", 80, 0, "", "http://api/a", 8080, "http://api/a"},
        {"", "", 443, 0, "", "http://api/a", 80, "http://api:443/a"},
        {"", "", 8081, 0, "", "http://api/a", 80, "http://api:8081/a"},
        {"", "", 0, XDS_REWRITE_FULL, "/full", "http://api/a/b?c", 80, "http://api/full?c"},
        {"", "", 0, XDS_REWRITE_PREFIX, "/new", "http://api/a/b", 80, "http://api/new/b"},
        {"", "", 0, XDS_REWRITE_PREFIX, "/", "http://api/a//x.y", 80, "http://api/x.y"},
        {"", "", 0, 0, "", "http://[fd00::1]:80/a", 80, "http://[fd00::1]/a"},
        {"", "", 0, 0, "", "https://api/a", 443, "https://api/a"},
        {"", "", 0, 0, "", "https://api/a", 0, "https://api/a"},
        {"https", "example.org", 0, 0, "", "/a", 80, "https://example.org/a"},
        {"https", "", 0, 0, "", "/a?b", 80, "/a?b"},
        {"", "", 0, 0, "", "http://api*", 80, "http://api/"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct xds_route facts = {.path_kind = XDS_PATH_SEGMENTS,
                                        .path = SPAN("/a"),
                                        .action = XDS_ACTION_REDIRECT,
                                        .redirect_scheme = span_of(rows[i].scheme),
                                        .redirect_host = span_of(rows[i].host),
                                        .redirect_port = rows[i].port,
                                        .rewrite = rows[i].rewrite,
                                        .rewrite_path = span_of(rows[i].to)};
        const struct route route = {.facts = &facts};
        struct arena arena = {0};
        struct http_head head;
        char line[64];
        snprintf(line, sizeof(line), "GET %s", rows[i].request);
        head_make(&head, &arena, line, NULL);
        if (span_ends_with(head.authority, SPAN("*"))) {
            head.authority.length--;
            head.path = SPAN("*");
        }
        struct span location = route_redirect_location(&route, &head, rows[i].listener, &arena);
        if (!span_equal_text(location, rows[i].wanted)) {
            fail_msg("row %zu: %.*s", i, SPAN_ARG(location));
        }
        arena_done(&arena);
    }
}

static void expect_fields(const struct headers *headers, const char *wanted)
{
    char text[256] = "";
    HEADERS_EACH(headers, field)
    {
        size_t length = strlen(text);
        snprintf(text + length, sizeof(text) - length, "%.*s=%.*s;", SPAN_ARG(field->name),
                 SPAN_ARG(field->value));
    }
    assert_string_equal(text, wanted);
}

static void fields_are_set_added_and_removed_in_any_spelling(void **state)
{
    const struct xds_header_change items[] = {
        {XDS_HEADER_SET, SPAN("x-set"), SPAN("new")},
        {XDS_HEADER_SET, SPAN("X-Absent"), SPAN("made")},
        {XDS_HEADER_ADD, SPAN("x-add"), SPAN("second")},
        {XDS_HEADER_ADD, SPAN("user-agent"), SPAN("remora")},
        {XDS_HEADER_REMOVE, SPAN("X-GONE"), SPAN_EMPTY},
        {XDS_HEADER_REMOVE, SPAN("never-there"), SPAN_EMPTY},
        {XDS_HEADER_REMOVE, SPAN("Accept"), SPAN_EMPTY},
    };
    const struct xds_header_changes changes = {items, sizeof(items) / sizeof(items[0])};
    static const char *const fields[] = {
        "X-Set: old", "x-set: older",   "x-add: first", "x-gone: a",
        "X-Gone: b",  "Accept: text/*", "stays: here",  NULL};
    struct arena arena = {0};
    struct http_head head;
    head_make(&head, &arena, "GET /", fields);
    route_change_headers(&changes, &head.headers);
    expect_fields(&head.headers,
                  "x-add=first;stays=here;x-set=new;X-Absent=made;x-add=second;user-agent=remora;");
    arena_done(&arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_prefix_is_replaced_as_the_gateway_api_says),
        cmocka_unit_test(the_whole_path_is_replaced_and_the_query_stays),
        cmocka_unit_test(a_path_that_is_not_rewritten_is_not_copied),
        cmocka_unit_test(a_redirect_says_where_as_the_gateway_api_does),
        cmocka_unit_test(fields_are_set_added_and_removed_in_any_spelling),
    };
    return TEST_MAIN(cases, argc, argv);
}
