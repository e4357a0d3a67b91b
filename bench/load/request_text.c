#include "bench/load/request_text.h"

enum { CHANGING_DIGITS = 12 };

static const char request_id[] = "X-Request-Id: 6f1d3a52-9c07-4e0b-8a44-000000000000";
static const char trace_id[] = "traceparent: 00-4bf92f3577b34da6a3ce000000000000";

void request_text_init(struct request_text *request, const char *host, const char *path)
{
    struct text *bytes = &request->bytes;
    text_init(bytes);
    text_printf(bytes, "GET %s HTTP/1.1\r\nHost: %s\r\n", path, host);
    text_printf(bytes, "User-Agent: shop-web/2.4 (linux)\r\nAccept: application/json\r\n");
    text_add_text(bytes, request_id);
    request->request_id = bytes->length - CHANGING_DIGITS;
    text_printf(bytes, "\r\n%s", trace_id);
    request->trace_id = bytes->length - CHANGING_DIGITS;
    text_printf(bytes, "-00f067aa0ba902b7-00\r\n"
                       "Authorization: Bearer "
                       "mF9B5f41JqMZk3vXr0tYc8uLwPd7sHgAeKbNiQxTzWoRlUyVhGjEaSfDpCn2m1O6\r\n\r\n");
}

void request_text_done(struct request_text *request)
{
    text_done(&request->bytes);
}

static void write_number(char *at, uint64_t number)
{
    for (int i = CHANGING_DIGITS - 1; i >= 0; i--) {
        at[i] = "0123456789abcdef"[number & 15];
        number >>= 4;
    }
}

void request_text_number(struct request_text *request, uint64_t number)
{
    write_number(request->bytes.bytes + request->request_id, number);
    write_number(request->bytes.bytes + request->trace_id, number);
}
