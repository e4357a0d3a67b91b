/* links: remora_http */
#include "lib/base/check.h"
#include "lib/http/http1_body.h"
#include "lib/http/http1_writer.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/*
 * A request and its body. What must hold: the end of the head does not depend on how it was
 * delivered; an accepted head passes the check for every codec; written anew and parsed again it is
 * the same; the body comes out the same whole and byte by byte.
 */
static struct http_limits limits;

static enum http1_result scan_by_bytes(struct span bytes, size_t *ret_length)
{
    struct http1_scan scan = {0};
    struct http1_fault fault;
    enum http1_result result = HTTP1_MORE;
    for (size_t end = 0; end <= bytes.length && result == HTTP1_MORE; end++) {
        result =
            http1_scan(&scan, span_cut(bytes, 0, end), &limits, HTTP1_REQUEST, ret_length, &fault);
    }
    return result;
}

static size_t count(const struct headers *headers)
{
    size_t left = 0;
    HEADERS_EACH(headers, field)
    {
        left++;
    }
    return left;
}

static struct http_head *parse(struct span raw, struct arena *arena,
                               enum http1_framing *ret_framing)
{
    struct http1_fault fault;
    struct http1_message *message = http1_message_scratch();
    if (!http1_parse_request(raw, &limits, message, &fault)) {
        CHECK(fault.detail != NULL && failure_facts(fault.failure)->http_status >= 400);
        return NULL;
    }
    *ret_framing = message->framing;
    return http1_message_head(message, arena);
}

static void write_and_parse_again(const struct http_head *head, enum http1_framing framing,
                                  struct arena *arena)
{
    struct http1_shape shape = {.framing = framing, .length = head->content_length};
    shape.protocol = head->upgrade;
    struct byte_queue out;
    byte_queue_init(&out);
    /* Without a host HTTP/1.1 has an empty one. */
    CHECK(http1_write_request(&out, head, &shape));
    size_t length = out.length;
    char *bytes = arena_alloc(arena, length);
    CHECK(byte_queue_peek(&out, 0, bytes, length) == length);
    byte_queue_done(&out);
    struct http1_scan scan = {0};
    struct http1_fault fault;
    size_t end = 0;
    struct http_limits wide = limits;
    wide.head_bytes += 1024;
    CHECK(http1_scan(&scan, span_make(bytes, length), &wide, HTTP1_REQUEST, &end, &fault) ==
          HTTP1_DONE);
    CHECK(end == length);
    struct http1_message *message = http1_message_scratch();
    CHECK(http1_parse_request(span_make(bytes, length), &wide, message, &fault));
    const struct http_head *again = &message->head;
    CHECK(message->framing == framing);
    CHECK(span_equal(again->method, head->method) && span_equal(again->path, head->path));
    CHECK(span_equal(again->authority, head->authority));
    CHECK(span_equal(again->upgrade, head->upgrade));
    CHECK(again->content_length == head->content_length);
    CHECK(again->accepts_trailers == head->accepts_trailers);
    CHECK(count(&again->headers) == count(&head->headers));
}

/* The body that was found, and how it ended; step = how many bytes more are given at a time. */
static enum http1_body_result decode(struct span bytes, enum http1_framing framing, uint64_t length,
                                     size_t step, struct byte_queue *into)
{
    struct http1_body body;
    struct http1_fault fault;
    http1_body_init(&body, framing, length);
    size_t at = 0;
    for (size_t end = step < bytes.length ? step : bytes.length;;) {
        size_t used = 0;
        struct span part = SPAN_EMPTY;
        enum http1_body_result result =
            http1_body_next(&body, span_cut(bytes, at, end), &limits, &used, &part, &fault);
        if (result == HTTP1_BODY_FAILED) {
            return result;
        }
        CHECK(used <= end - at);
        at += used;
        if (result == HTTP1_BODY_BYTES) {
            CHECK(part.length > 0);
            byte_queue_copy(into, part.at, part.length);
        } else if (result != HTTP1_BODY_MORE || end == bytes.length) {
            return result;
        } else {
            end = bytes.length - end < step ? bytes.length : end + step;
        }
    }
}

static void compare_bodies(struct span bytes, enum http1_framing framing, uint64_t length)
{
    struct byte_queue whole;
    struct byte_queue parts;
    byte_queue_init(&whole);
    byte_queue_init(&parts);
    enum http1_body_result result = decode(bytes, framing, length, SIZE_MAX / 2, &whole);
    CHECK(decode(bytes, framing, length, 1, &parts) == result);
    CHECK(whole.length == parts.length && whole.length <= bytes.length);
    while (whole.length > 0) {
        struct span front = byte_queue_front(&whole);
        unsigned char other = 0;
        CHECK(byte_queue_peek(&parts, 0, &other, 1) == 1);
        CHECK((unsigned char)front.at[0] == other);
        byte_queue_drop(&whole, 1);
        byte_queue_drop(&parts, 1);
    }
    byte_queue_done(&whole);
    byte_queue_done(&parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    http_limits_default(&limits);
    struct span input = span_make(bytes, length);
    struct http1_scan scan = {0};
    struct http1_fault fault;
    size_t end = 0;
    size_t other_end = 0;
    enum http1_result result = http1_scan(&scan, input, &limits, HTTP1_REQUEST, &end, &fault);
    CHECK(scan_by_bytes(input, &other_end) == result && end == other_end);
    if (result != HTTP1_DONE) {
        return 0;
    }
    struct arena arena = {0};
    enum http1_framing framing = HTTP1_FRAMING_NONE;
    const struct http_head *head = parse(span_cut(input, 0, end), &arena, &framing);
    if (head != NULL) {
        const char *detail = NULL;
        CHECK(http_head_check(head, &detail) == FAILURE_NONE);
        write_and_parse_again(head, framing, &arena);
        uint64_t said = head->content_length > 0 ? (uint64_t)head->content_length : 0;
        compare_bodies(span_cut(input, end, length), framing, said);
    }
    arena_done(&arena);
    return 0;
}
