#include "lib/grpc/grpc_call.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/grpc/grpc_frame.h"
#include "lib/tls/tls_transport.h"

struct grpc_call {
    struct loop *loop;
    struct arena arena;
    struct http_stream *stream;
    const struct grpc_call_events *events;
    void *owner;
    struct grpc_frame frame;
    struct byte_queue out;
    struct timer deadline;
    struct turn_task free_task;
    struct http_head *head;
    struct headers *trailers;
    bool end_wanted, end_sent, over;
};

static void call_free(struct turn_task *task)
{
    struct grpc_call *call = CONTAINER_OF(task, struct grpc_call, free_task);
    byte_queue_done(&call->out);
    grpc_frame_done(&call->frame);
    arena_done(&call->arena);
    mem_free(call);
}

static void call_over(struct grpc_call *call)
{
    call->over = true;
    timer_stop(&call->deadline);
    http_stream_release(call->stream);
    call->stream = NULL;
    call->free_task.run = call_free;
    loop_free_later(call->loop, &call->free_task);
}

static void call_finish(struct grpc_call *call, enum grpc_code code, struct span message)
{
    if (call->over) {
        return;
    }
    call_over(call);
    call->events->on_done(call->owner, code, message);
}

static void call_pump(struct grpc_call *call)
{
    if (call->over || call->end_sent) {
        return;
    }
    http_stream_send_body(call->stream, &call->out, call->out.length);
    if (call->end_wanted && call->out.length == 0) {
        call->end_sent = true;
        http_stream_send_end(call->stream);
    }
}

static void on_head(void *owner, struct http_head *head)
{
    struct grpc_call *call = owner;
    if (head->status >= 200) {
        call->head = head;
    }
}

/* Bytes of an answer that is no gRPC (an error page) are skipped. */
static bool answer_is_grpc(const struct grpc_call *call)
{
    return call->head != NULL && call->head->status == 200 && http_head_is_grpc(call->head);
}

static void on_body(void *owner, const struct piece *piece)
{
    struct grpc_call *call = owner;
    struct span rest = span_make(piece_bytes(piece), piece->length);
    while (!call->over && answer_is_grpc(call)) {
        enum grpc_frame_status status = grpc_frame_read(&call->frame, &rest);
        if (status == GRPC_FRAME_MORE) {
            break;
        }
        if (status != GRPC_FRAME_MESSAGE) {
            http_stream_reset(call->stream, FAILURE_UPSTREAM_PROTOCOL);
            call_finish(call,
                        status == GRPC_FRAME_TOO_LARGE ? GRPC_RESOURCE_EXHAUSTED : GRPC_INTERNAL,
                        SPAN("the server's message cannot be taken"));
            return;
        }
        call->events->on_message(call->owner, text_span(&call->frame.message));
        grpc_frame_next(&call->frame);
    }
    if (!call->over) {
        http_stream_consume(call->stream, piece->length);
    }
}

static void on_trailers(void *owner, struct headers *trailers)
{
    struct grpc_call *call = owner;
    call->trailers = trailers;
}

static void on_end(void *owner)
{
    struct grpc_call *call = owner;
    if (!call->over && answer_is_grpc(call) && !grpc_frame_clean(&call->frame)) {
        call_finish(call, GRPC_INTERNAL, SPAN("the stream ends inside a message"));
        return;
    }
    const struct headers *last = call->trailers != NULL ? call->trailers
                                 : call->head != NULL   ? &call->head->headers
                                                        : NULL;
    struct span code = last != NULL ? headers_value(last, HEADER_GRPC_STATUS) : SPAN_EMPTY;
    if (code.length > 0) {
        call_finish(call, grpc_code_read(code),
                    grpc_message_decode(headers_value(last, HEADER_GRPC_MESSAGE), &call->arena));
        return;
    }
    uint16_t status = call->head != NULL ? call->head->status : 0;
    call_finish(call, status == 200 ? GRPC_UNKNOWN : grpc_code_of_http(status),
                span_of(arena_printf(&call->arena, "HTTP status %u without grpc-status", status)));
}

static void on_room(void *owner)
{
    struct grpc_call *call = owner;
    call_pump(call);
    if (!call->over && call->out.length == 0 && call->events->on_room != NULL) {
        call->events->on_room(call->owner);
    }
}

static void on_reset(void *owner, enum failure failure)
{
    struct grpc_call *call = owner;
    call_finish(call, grpc_code_of_failure(failure), failure_word(failure));
}

static const struct http_stream_events stream_events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_room = on_room,
    .on_reset = on_reset,
};

static void on_deadline(struct timer *timer)
{
    struct grpc_call *call = CONTAINER_OF(timer, struct grpc_call, deadline);
    call_finish(call, GRPC_DEADLINE_EXCEEDED, SPAN("no answer in time"));
}

static void send_head(struct grpc_call *call, const struct grpc_call_options *options)
{
    struct http_head head;
    http_head_init(&head, &call->arena);
    head.method = SPAN("POST");
    head.method_token = HTTP_METHOD_POST;
    bool tls = tls_transport_facts(call->stream->conn->transport) != NULL;
    head.scheme = tls ? SPAN("https") : SPAN("http");
    head.authority = arena_span(&call->arena, options->authority);
    head.path = arena_span(&call->arena, options->path);
    head.version = 20;
    head.has_body = true;
    head.accepts_trailers = true;
    headers_add_token(&head.headers, HEADER_CONTENT_TYPE, SPAN("application/grpc"));
    headers_add_token(&head.headers, HEADER_USER_AGENT, SPAN("remora"));
    if (options->timeout_ms > 0) {
        headers_add_token(&head.headers, HEADER_GRPC_TIMEOUT,
                          grpc_timeout_format(options->timeout_ms, &call->arena));
    }
    for (size_t i = 0; i < options->metadata_count; i++) {
        headers_add_copy(&head.headers, options->metadata[i].name, options->metadata[i].value);
    }
    http_stream_send_head(call->stream, &head, false);
}

struct grpc_call *grpc_call_start(struct http_conn *conn, const struct grpc_call_options *options,
                                  const struct grpc_call_events *events, void *owner)
{
    struct http_stream *stream = http_conn_open(conn);
    if (stream == NULL) {
        return NULL;
    }
    struct grpc_call *call = NEW(struct grpc_call);
    call->loop = conn->loop;
    call->stream = stream;
    call->events = events;
    call->owner = owner;
    call->frame.limit = options->message_limit;
    arena_init(&call->arena);
    byte_queue_init(&call->out);
    timer_init(&call->deadline, conn->loop, on_deadline);
    http_stream_attach(stream, &call->arena, &stream_events, call);
    send_head(call, options);
    if (options->timeout_ms > 0) {
        timer_start(&call->deadline, options->timeout_ms * NS_PER_MS);
    }
    return call;
}

void grpc_call_send(struct grpc_call *call, struct span message)
{
    if (!call->over && !call->end_wanted) {
        grpc_frame_write(&call->out, message);
        call_pump(call);
    }
}

void grpc_call_end(struct grpc_call *call)
{
    call->end_wanted = true;
    call_pump(call);
}

size_t grpc_call_queued(const struct grpc_call *call)
{
    return call->out.length;
}

void grpc_call_cancel(struct grpc_call *call)
{
    if (!call->over) {
        call_over(call);
    }
}
