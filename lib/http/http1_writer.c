#include "lib/http/http1_writer.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"
#include "lib/http/websocket.h"

#include <string.h>

enum {
    NUMBER_BYTES = 20, /* of 64 bits, decimal */
    HEX_BYTES = 16,
};

/*
 * Everything is written twice by the same code: first with no memory, which adds up the size, then
 * into memory of exactly that size. So the size cannot be wrong in only one of two places.
 */
struct pen {
    char *at; /* NULL while measuring */
    size_t bytes;
};

static void pen_add(struct pen *pen, struct span bytes)
{
    if (pen->at != NULL && bytes.length > 0) {
        memcpy(pen->at + pen->bytes, bytes.at, bytes.length);
    }
    pen->bytes += bytes.length;
}

static void pen_add_number(struct pen *pen, uint64_t number)
{
    char digits[NUMBER_BYTES];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    pen_add(pen, span_make(digits + at, sizeof(digits) - at));
}

static void pen_add_field(struct pen *pen, struct span name, struct span value)
{
    pen_add(pen, name);
    pen_add(pen, SPAN(": "));
    pen_add(pen, value);
    pen_add(pen, SPAN("\r\n"));
}

static void write_framing(struct pen *pen, const struct http1_shape *shape, bool length_written)
{
    if (shape->framing == HTTP1_FRAMING_CHUNKED) {
        pen_add(pen, SPAN("Transfer-Encoding: chunked\r\n"));
    } else if (shape->length >= 0 && !length_written) {
        pen_add(pen, SPAN("Content-Length: "));
        pen_add_number(pen, (uint64_t)shape->length);
        pen_add(pen, SPAN("\r\n"));
    }
}

static void write_connection(struct pen *pen, const struct http_head *head,
                             const struct http1_shape *shape)
{
    bool upgrade = shape->protocol.length > 0;
    bool trailers = http_head_is_request(head) && head->accepts_trailers;
    struct span options[3];
    size_t count = 0;
    if (upgrade) {
        pen_add_field(pen, SPAN("Upgrade"), shape->protocol);
        options[count++] = SPAN("Upgrade");
    }
    if (trailers) {
        pen_add(pen, SPAN("TE: trailers\r\n"));
        options[count++] = SPAN("TE");
    }
    if (shape->connection != HTTP1_CONNECTION_NONE) {
        options[count++] =
            shape->connection == HTTP1_CONNECTION_CLOSE ? SPAN("close") : SPAN("keep-alive");
    }
    for (size_t i = 0; i < count; i++) {
        pen_add(pen, i == 0 ? SPAN("Connection: ") : SPAN(", "));
        pen_add(pen, options[i]);
    }
    if (count > 0) {
        pen_add(pen, SPAN("\r\n"));
    }
}

static bool field_forwarded(const struct header *field)
{
    return field->token != HEADER_HOST && (header_token_flags(field->token) & HEADER_FLAG_HOP) == 0;
}

static void write_fields(struct pen *pen, const struct http_head *head,
                         const struct http1_shape *shape)
{
    bool length_written = false;
    HEADERS_EACH(&head->headers, field)
    {
        if (!field_forwarded(field)) {
            continue;
        }
        if (field->token != HEADER_CONTENT_LENGTH) {
            pen_add_field(pen, field->name, field->value);
        } else if (shape->length >= 0 && !length_written) {
            /* In its place and spelling, with the number that is kept to. */
            length_written = true;
            pen_add(pen, field->name);
            pen_add(pen, SPAN(": "));
            pen_add_number(pen, (uint64_t)shape->length);
            pen_add(pen, SPAN("\r\n"));
        }
    }
    if (shape->proof.length > 0) {
        pen_add_field(pen, http_head_is_request(head) ? WEBSOCKET_KEY : WEBSOCKET_ACCEPT,
                      shape->proof);
    }
    write_framing(pen, shape, length_written);
    write_connection(pen, head, shape);
    pen_add(pen, SPAN("\r\n"));
}

static void write_request(struct pen *pen, const struct http_head *head,
                          const struct http1_shape *shape)
{
    pen_add(pen, head->method);
    pen_add(pen, SPAN(" "));
    pen_add(pen, head->method_token == HTTP_METHOD_CONNECT ? head->authority : head->path);
    pen_add(pen, SPAN(" HTTP/1.1\r\nHost: "));
    pen_add(pen, head->authority);
    pen_add(pen, SPAN("\r\n"));
    write_fields(pen, head, shape);
}

static void write_response(struct pen *pen, const struct http_head *head,
                           const struct http1_shape *shape)
{
    pen_add(pen, SPAN("HTTP/1.1 "));
    pen_add_number(pen, head->status);
    pen_add(pen, SPAN(" "));
    pen_add(pen, http_status_text(head->status));
    pen_add(pen, SPAN("\r\n"));
    write_fields(pen, head, shape);
}

typedef void write_head_fn(struct pen *pen, const struct http_head *head,
                           const struct http1_shape *shape);

static void write_sized(struct byte_queue *out, write_head_fn *write, const struct http_head *head,
                        const struct http1_shape *shape)
{
    struct pen pen = {.at = NULL};
    write(&pen, head, shape);
    size_t bytes = pen.bytes;
    if (bytes > CHUNK_BYTES) {
        pen = (struct pen){.at = mem_alloc(bytes)};
        write(&pen, head, shape);
        byte_queue_copy(out, pen.at, bytes);
        mem_free(pen.at);
    } else {
        struct chunk *chunk = chunk_take();
        pen = (struct pen){.at = (char *)chunk->bytes};
        write(&pen, head, shape);
        chunk->used = (uint32_t)bytes;
        byte_queue_push(out, (struct piece){chunk, 0, (uint32_t)bytes});
    }
    CHECK(pen.bytes == bytes);
}

static bool fields_clean(const struct headers *headers)
{
    HEADERS_EACH(headers, field)
    {
        if (!header_valid(field)) {
            return false;
        }
    }
    return true;
}

bool http1_write_request(struct byte_queue *out, const struct http_head *head,
                         const struct http1_shape *shape)
{
    const char *detail;
    if (http_head_check_target(head, &detail) != FAILURE_NONE ||
        !header_value_valid(shape->protocol) || !fields_clean(&head->headers)) {
        return false;
    }
    write_sized(out, write_request, head, shape);
    return true;
}

bool http1_write_response(struct byte_queue *out, const struct http_head *head,
                          const struct http1_shape *shape)
{
    if (head->status < 100 || head->status > 999 || !header_value_valid(shape->protocol) ||
        !fields_clean(&head->headers)) {
        return false;
    }
    write_sized(out, write_response, head, shape);
    return true;
}

void http1_write_chunk(struct byte_queue *out, struct byte_queue *from, size_t length)
{
    char line[HEX_BYTES + 2];
    size_t at = HEX_BYTES;
    line[HEX_BYTES] = '\r';
    line[HEX_BYTES + 1] = '\n';
    for (size_t rest = length; rest > 0; rest >>= 4) {
        line[--at] = "0123456789abcdef"[rest & 0xf];
    }
    byte_queue_copy(out, line + at, sizeof(line) - at);
    byte_queue_move(out, from, length);
    byte_queue_copy(out, "\r\n", 2);
}

static bool trailer_allowed(const struct header *field)
{
    const unsigned denied = HEADER_FLAG_HOP | HEADER_FLAG_TRAILER_NO | HEADER_FLAG_PROTECTED;
    return (header_token_flags(field->token) & denied) == 0;
}

bool http1_write_last_chunk(struct byte_queue *out, const struct headers *trailers)
{
    if (trailers != NULL && !fields_clean(trailers)) {
        return false;
    }
    byte_queue_copy(out, "0\r\n", 3);
    if (trailers != NULL) {
        HEADERS_EACH(trailers, field)
        {
            if (trailer_allowed(field)) {
                byte_queue_copy(out, field->name.at, field->name.length);
                byte_queue_copy(out, ": ", 2);
                byte_queue_copy(out, field->value.at, field->value.length);
                byte_queue_copy(out, "\r\n", 2);
            }
        }
    }
    byte_queue_copy(out, "\r\n", 2);
    return true;
}

void http1_write_local(struct byte_queue *out, enum failure failure)
{
    const struct failure_facts *facts = failure_facts(failure);
    char text[256];
    struct pen pen = {.at = text};
    pen_add(&pen, SPAN("HTTP/1.1 "));
    pen_add_number(&pen, facts->http_status);
    pen_add(&pen, SPAN(" "));
    pen_add(&pen, http_status_text(facts->http_status));
    pen_add(&pen, SPAN("\r\nx-remora-reason: "));
    pen_add(&pen, facts->word);
    pen_add(&pen, SPAN("\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
    CHECK(pen.bytes <= sizeof(text));
    byte_queue_copy(out, text, pen.bytes);
}
