#include "proxy/request/local_reply.h"

static void add_failure_fields(struct http_head *head, enum failure failure, bool no_retry)
{
    headers_add_token(&head->headers, HEADER_X_REMORA_REASON, failure_word(failure));
    if (no_retry) {
        headers_add_token(&head->headers, HEADER_X_REMORA_RETRY, SPAN("no"));
    }
}

/* grpc-message is percent-encoded where it is not plain ASCII (gRPC over HTTP/2). */
static struct span grpc_message(struct span text, struct arena *arena)
{
    char *out = arena_alloc(arena, text.length * 3 + 1);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (byte >= 0x20 && byte <= 0x7e && byte != '%') {
            out[length++] = (char)byte;
        } else {
            static const char digits[] = "0123456789ABCDEF";
            out[length++] = '%';
            out[length++] = digits[byte >> 4];
            out[length++] = digits[byte & 15];
        }
    }
    return span_make(out, length);
}

static void reply_grpc(struct http_stream *stream, enum failure failure, struct span text,
                       bool no_retry, struct arena *arena)
{
    struct http_head head;
    http_head_init(&head, arena);
    head.status = 200;
    headers_add_token(&head.headers, HEADER_CONTENT_TYPE, SPAN("application/grpc"));
    headers_add_token(&head.headers, HEADER_GRPC_STATUS,
                      span_of(arena_printf(arena, "%u", failure_facts(failure)->grpc_code)));
    headers_add_token(&head.headers, HEADER_GRPC_MESSAGE, grpc_message(text, arena));
    if (no_retry) {
        headers_add_token(&head.headers, HEADER_GRPC_RETRY_PUSHBACK_MS, SPAN("-1"));
    }
    add_failure_fields(&head, failure, no_retry);
    http_stream_send_head(stream, &head, true);
}

static void send_body(struct http_stream *stream, struct http_head *head, struct span body,
                      bool to_head_request, struct arena *arena)
{
    head->content_length = (int64_t)body.length;
    headers_add_token(&head->headers, HEADER_CONTENT_LENGTH,
                      span_of(arena_printf(arena, "%zu", body.length)));
    if (to_head_request || body.length == 0) {
        http_stream_send_head(stream, head, true);
        return;
    }
    head->has_body = true;
    http_stream_send_head(stream, head, false);
    struct byte_queue queue;
    byte_queue_init(&queue);
    byte_queue_copy(&queue, body.at, body.length);
    http_stream_send_body(stream, &queue, queue.length);
    byte_queue_done(&queue);
    http_stream_send_end(stream);
}

uint16_t local_reply_send(struct http_stream *stream, const struct http_head *request,
                          enum failure failure, struct span detail, bool no_retry,
                          struct arena *arena)
{
    const struct failure_facts *facts = failure_facts(failure);
    char *text = detail.length > 0 ? arena_printf(arena, "remora: %s (%.*s)", facts->explanation,
                                                  SPAN_ARG(detail))
                                   : arena_printf(arena, "remora: %s", facts->explanation);
    if (http_head_is_grpc(request)) {
        reply_grpc(stream, failure, span_of(text), no_retry, arena);
        return 200;
    }
    struct http_head head;
    http_head_init(&head, arena);
    head.status = facts->http_status;
    headers_add_token(&head.headers, HEADER_CONTENT_TYPE, SPAN("text/plain; charset=utf-8"));
    add_failure_fields(&head, failure, no_retry);
    send_body(stream, &head, span_of(arena_printf(arena, "%s\n", text)),
              request->method_token == HTTP_METHOD_HEAD, arena);
    return head.status;
}

void local_reply_plain(struct http_stream *stream, uint16_t status, struct span location,
                       struct span body, const struct http_head *request, struct arena *arena)
{
    struct http_head head;
    http_head_init(&head, arena);
    head.status = status;
    if (status == 204 || status == 205 || status == 304) {
        body = SPAN_EMPTY; /* RFC 9110 15.3.5, 15.3.6, 15.4.5: they have none */
    }
    if (location.length > 0) {
        headers_add_token(&head.headers, HEADER_LOCATION, location);
    }
    if (body.length > 0) {
        headers_add_token(&head.headers, HEADER_CONTENT_TYPE, SPAN("text/plain; charset=utf-8"));
    }
    if (status == 204 || status == 304) {
        /* Nor a length: there is none to tell (8.6), and a wrong one would be believed. */
        http_stream_send_head(stream, &head, true);
        return;
    }
    send_body(stream, &head, body, request->method_token == HTTP_METHOD_HEAD, arena);
}
