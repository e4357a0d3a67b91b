#include "proxy/admin/explain.h"

#include "lib/net/address.h"

static bool read_fields(const struct explain_wish *wish, struct http_head *head,
                        const char **ret_reason)
{
    if (wish->field_count > EXPLAIN_HEADERS) {
        *ret_reason = "more than 16 header fields";
        return false;
    }
    for (size_t i = 0; i < wish->field_count; i++) {
        size_t colon = span_find_byte(wish->fields[i], ':');
        struct span name = span_trim(span_cut(wish->fields[i], 0, colon));
        struct span value = span_trim(span_cut(wish->fields[i], colon + 1, wish->fields[i].length));
        if (!header_name_valid(name) || !header_value_valid(value)) {
            *ret_reason = "a header field is not of the form name: value";
            return false;
        }
        headers_add(&head->headers, name, value);
    }
    return true;
}

/* Takes scheme, authority and path apart; the scheme's port where none is said. */
static bool read_url(struct span url, struct arena *arena, struct explain_question *into,
                     uint16_t *ret_scheme_port)
{
    bool tls = span_starts_with(url, SPAN("https://"));
    if (!tls && !span_starts_with(url, SPAN("http://"))) {
        return false;
    }
    struct span rest = span_cut(url, tls ? 8 : 7, url.length);
    rest = span_cut(rest, 0, span_find_byte(rest, '#'));
    size_t slash = span_find_byte(rest, '/');
    size_t question = span_find_byte(rest, '?');
    size_t end = slash < question ? slash : question;
    struct span path = span_cut(rest, end, rest.length);
    into->head.authority = span_cut(rest, 0, end);
    into->head.path = path.length == 0 || path.at[0] == '?'
                          ? span_of(arena_printf(arena, "/%.*s", SPAN_ARG(path)))
                          : path;
    into->head.scheme = tls ? SPAN("https") : SPAN("http");
    into->is_http = !tls;
    *ret_scheme_port = tls ? 443 : 80;
    return true;
}

bool explain_question_read(const struct explain_wish *wish, struct arena *arena,
                           struct explain_question *ret, const char **ret_reason)
{
    struct explain_question question = {0};
    uint16_t scheme_port = 0;
    http_head_init(&question.head, arena);
    question.head.method = wish->method.length > 0 ? wish->method : SPAN("GET");
    question.head.method_token = (uint8_t)http_method_of(question.head.method);
    question.head.version = 11;
    if (wish->url.length + wish->to.length > EXPLAIN_TEXT_BYTES) {
        *ret_reason = "longer than 8 KiB";
        return false;
    }
    if (wish->url.length > 0) {
        if (!read_url(wish->url, arena, &question, &scheme_port)) {
            *ret_reason = "the url begins neither with http:// nor with https://";
            return false;
        }
    } else {
        question.head.authority = wish->to;
        question.head.path = SPAN("/");
        question.head.scheme = SPAN("http");
    }
    if (!http_authority_split(question.head.authority, &question.host, &question.port)) {
        *ret_reason = "the host is not HOST or HOST:PORT";
        return false;
    }
    question.port = question.port != 0 ? question.port : scheme_port;
    if (question.port == 0) {
        *ret_reason = "there is no port";
        return false;
    }
    if (http_head_check(&question.head, ret_reason) != FAILURE_NONE ||
        !read_fields(wish, &question.head, ret_reason)) {
        return false;
    }
    *ret = question;
    return true;
}
