#include "bench/load/reply.h"

#include <string.h>

void reply_init(struct reply *reply)
{
    reply->state = REPLY_HEAD;
    reply->status = 0;
    reply->body_left = 0;
    reply->head_length = 0;
}

static bool read_head(struct reply *reply, struct span head, uint64_t expected_bytes)
{
    struct span line;
    uint64_t status = 0;
    uint64_t length = UINT64_MAX;
    if (!span_next(&head, '\n', &line) || !span_starts_with(line, SPAN("HTTP/1.1 ")) ||
        !span_to_u64(span_cut(line, 9, 12), 999, &status)) {
        return false;
    }
    reply->status = (int)status;
    while (span_next(&head, '\n', &line)) {
        size_t colon = span_find_byte(line, ':');
        if (colon < line.length &&
            span_equal_nocase(span_cut(line, 0, colon), SPAN("content-length"))) {
            struct span value = span_cut(line, colon + 1, line.length - 1);
            if (!span_to_u64(span_trim(value), INT64_MAX, &length)) {
                return false;
            }
        }
    }
    reply->body_left = length;
    return status == 200 && length == expected_bytes;
}

/* Takes bytes up to the end of the head; how many were taken. */
static size_t feed_head(struct reply *reply, struct span bytes, uint64_t expected_bytes)
{
    size_t before = reply->head_length;
    size_t room = REPLY_HEAD_BYTES - before;
    size_t take = bytes.length < room ? bytes.length : room;
    memcpy(reply->head + before, bytes.at, take);
    struct span head = span_make(reply->head, before + take);
    size_t end = span_find(head, SPAN("\r\n\r\n"));
    if (end == head.length) {
        reply->head_length = head.length;
        if (head.length == REPLY_HEAD_BYTES) {
            reply->state = REPLY_BAD;
        }
        return take;
    }
    bool good = read_head(reply, span_cut(head, 0, end + 2), expected_bytes);
    reply->state = good ? REPLY_BODY : REPLY_BAD;
    return end + 4 - before;
}

enum reply_state reply_feed(struct reply *reply, struct span bytes, uint64_t expected_bytes)
{
    if (reply->state == REPLY_HEAD && bytes.length > 0) {
        size_t taken = feed_head(reply, bytes, expected_bytes);
        bytes = span_cut(bytes, taken, bytes.length);
    }
    if (reply->state == REPLY_BODY) {
        if (bytes.length > reply->body_left) {
            reply->state = REPLY_BAD;
        } else {
            reply->body_left -= bytes.length;
            reply->state = reply->body_left == 0 ? REPLY_DONE : REPLY_BODY;
        }
    } else if (reply->state == REPLY_DONE && bytes.length > 0) {
        reply->state = REPLY_BAD;
    }
    return reply->state;
}
