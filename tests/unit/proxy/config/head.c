#include "tests/unit/proxy/config/head.h"

void head_make(struct http_head *head, struct arena *arena, const char *line,
               const char *const *fields)
{
    struct span rest = span_of(line);
    struct span method = SPAN_EMPTY;
    http_head_init(head, arena);
    span_next(&rest, ' ', &method);
    head->method = method;
    head->method_token = (uint8_t)http_method_of(method);
    head->version = 11;
    head->scheme = SPAN("http");
    size_t colons = span_find(rest, SPAN("://"));
    if (colons < rest.length) {
        head->scheme = span_cut(rest, 0, colons);
        rest = span_cut(rest, colons + 3, rest.length);
        size_t slash = span_find_byte(rest, '/');
        head->authority = span_cut(rest, 0, slash);
        rest = span_cut(rest, slash, rest.length);
    }
    head->path = rest;
    for (size_t i = 0; fields != NULL && fields[i] != NULL; i++) {
        struct span field = span_of(fields[i]);
        size_t colon = span_find_byte(field, ':');
        headers_add(&head->headers, span_cut(field, 0, colon),
                    span_trim(span_cut(field, colon + 1, field.length)));
    }
}
