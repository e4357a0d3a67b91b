#include "lib/grpc/grpc_server.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/grpc/grpc_frame.h"

struct grpc_served {
    struct loop *loop;
    struct arena arena;
    struct http_stream *stream; /* NULL once released */
    const struct grpc_method *methods;
    size_t method_count;
    const struct grpc_method *method; /* NULL before the head */
    struct grpc_peer peer;
    void *owner;
    struct grpc_frame frame;
    struct byte_queue out;
    struct timer deadline;
    struct turn_task free_task;
    enum grpc_code code;
    struct span message;
    bool head_sent, finishing, over;
    bool was_full;
};

static void served_free(struct turn_task *task)
{
    struct grpc_served *served = CONTAINER_OF(task, struct grpc_served, free_task);
    byte_queue_done(&served->out);
    grpc_frame_done(&served->frame);
    arena_done(&served->arena);
    mem_free(served);
}

/* Tells the method from the loop, never from inside a call of its own, and frees. */
static void served_gone(struct turn_task *task)
{
    struct grpc_served *served = CONTAINER_OF(task, struct grpc_served, free_task);
    if (served->method != NULL) {
        served->method->on_gone(served->owner, served);
    }
    served->free_task.run = served_free;
    loop_free_later(served->loop, &served->free_task);
}

static void served_over(struct grpc_served *served)
{
    if (served->over) {
        return;
    }
    served->over = true;
    timer_stop(&served->deadline);
    http_stream_release(served->stream);
    served->stream = NULL;
    served->free_task.run = served_gone;
    loop_flush_later(served->loop, &served->free_task);
}

static void send_head(struct grpc_served *served, bool end)
{
    struct http_head head;
    http_head_init(&head, &served->arena);
    head.status = 200;
    head.version = 20;
    head.has_body = !end;
    headers_add_token(&head.headers, HEADER_CONTENT_TYPE, SPAN("application/grpc"));
    if (end) {
        headers_add_token(&head.headers, HEADER_GRPC_STATUS,
                          span_of(arena_printf(&served->arena, "%d", (int)served->code)));
        headers_add_token(&head.headers, HEADER_GRPC_MESSAGE,
                          grpc_message_encode(served->message, &served->arena));
    }
    served->head_sent = true;
    http_stream_send_head(served->stream, &head, end);
}

static void send_trailers(struct grpc_served *served)
{
    struct headers *trailers = ARENA_NEW(&served->arena, struct headers);
    headers_init(trailers, &served->arena);
    headers_add_token(trailers, HEADER_GRPC_STATUS,
                      span_of(arena_printf(&served->arena, "%d", (int)served->code)));
    if (served->message.length > 0) {
        headers_add_token(trailers, HEADER_GRPC_MESSAGE,
                          grpc_message_encode(served->message, &served->arena));
    }
    http_stream_send_trailers(served->stream, trailers);
}

static void served_pump(struct grpc_served *served)
{
    if (served->over) {
        return;
    }
    if (served->out.length > 0) {
        http_stream_send_body(served->stream, &served->out, served->out.length);
    }
    if (served->finishing && served->out.length == 0) {
        if (!served->head_sent) {
            send_head(served, true);
        } else {
            send_trailers(served);
        }
        served_over(served);
    }
}

static const struct grpc_method *find_method(const struct grpc_served *served,
                                             const struct http_head *head)
{
    for (size_t i = 0; i < served->method_count; i++) {
        if (span_equal_text(head->path, served->methods[i].path)) {
            return &served->methods[i];
        }
    }
    return NULL;
}

static void refuse(struct grpc_served *served, enum grpc_code code, const char *text)
{
    grpc_served_finish(served, code, span_of(text));
}

static void on_deadline(struct timer *timer)
{
    refuse(CONTAINER_OF(timer, struct grpc_served, deadline), GRPC_DEADLINE_EXCEEDED,
           "the call's time is over");
}

/* The client's time; what is sent after it goes nowhere. False when it cannot be read. */
static bool start_deadline(struct grpc_served *served, const struct http_head *head)
{
    struct span timeout = headers_value(&head->headers, HEADER_GRPC_TIMEOUT);
    int64_t ms;
    if (timeout.length == 0) {
        return true;
    }
    if (!grpc_timeout_parse(timeout, &ms)) {
        return false;
    }
    timer_start(&served->deadline, ms * NS_PER_MS);
    return true;
}

static void on_head(void *owner, struct http_head *head)
{
    struct grpc_served *served = owner;
    if (head->method_token != HTTP_METHOD_POST || !http_head_is_grpc(head)) {
        refuse(served, GRPC_UNIMPLEMENTED, "this port speaks gRPC: POST with application/grpc");
        return;
    }
    const struct grpc_method *method = find_method(served, head);
    if (method == NULL) {
        refuse(served, GRPC_UNIMPLEMENTED, "unknown service or method");
        return;
    }
    if (!start_deadline(served, head)) {
        refuse(served, GRPC_INTERNAL, "grpc-timeout cannot be read");
        return;
    }
    served->method = method;
    served->frame.limit = method->message_limit;
    served->owner = method->on_call(method->service, served, head, &served->peer);
}

static void hand_up(struct grpc_served *served, struct span rest)
{
    while (!served->over && !served->finishing) {
        enum grpc_frame_status status = grpc_frame_read(&served->frame, &rest);
        if (status == GRPC_FRAME_MORE) {
            return;
        }
        if (status != GRPC_FRAME_MESSAGE) {
            refuse(served,
                   status == GRPC_FRAME_TOO_LARGE ? GRPC_RESOURCE_EXHAUSTED : GRPC_UNIMPLEMENTED,
                   status == GRPC_FRAME_TOO_LARGE ? "the message is too large"
                                                  : "compressed messages are not taken");
            return;
        }
        served->method->on_message(served->owner, served, text_span(&served->frame.message));
        grpc_frame_next(&served->frame);
    }
}

static void on_body(void *owner, const struct piece *piece)
{
    struct grpc_served *served = owner;
    if (served->method != NULL) {
        hand_up(served, span_make(piece_bytes(piece), piece->length));
    }
    if (!served->over) {
        http_stream_consume(served->stream, piece->length);
    }
}

static void on_trailers(void *owner, struct headers *trailers)
{
}

static void on_end(void *owner)
{
    struct grpc_served *served = owner;
    if (served->method == NULL || served->finishing || served->over) {
        return;
    }
    if (!grpc_frame_clean(&served->frame)) {
        refuse(served, GRPC_INTERNAL, "the stream ends inside a message");
        return;
    }
    served->method->on_half_close(served->owner, served);
}

static void on_room(void *owner)
{
    struct grpc_served *served = owner;
    served_pump(served);
    if (!served->over && served->was_full && served->out.length <= GRPC_SEND_QUEUE_BYTES / 2) {
        served->was_full = served->out.length > 0;
        if (served->method != NULL && served->method->on_room != NULL) {
            served->method->on_room(served->owner, served);
        }
    }
}

static void on_reset(void *owner, enum failure failure)
{
    served_over(owner);
}

static const struct http_stream_events stream_events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_room = on_room,
    .on_reset = on_reset,
};

void grpc_serve(struct loop *loop, struct http_stream *stream, const struct grpc_method *methods,
                size_t count, const struct grpc_peer *peer)
{
    struct grpc_served *served = NEW(struct grpc_served);
    served->loop = loop;
    served->stream = stream;
    served->methods = methods;
    served->method_count = count;
    arena_init(&served->arena);
    byte_queue_init(&served->out);
    timer_init(&served->deadline, loop, on_deadline);
    served->peer.identity = arena_span(&served->arena, peer->identity);
    served->peer.address = arena_span(&served->arena, peer->address);
    served->peer.not_after_ms = peer->not_after_ms;
    http_stream_attach(stream, &served->arena, &stream_events, served);
}

void grpc_served_send(struct grpc_served *served, struct span message)
{
    if (served->over || served->finishing) {
        return;
    }
    if (!served->head_sent) {
        send_head(served, false);
    }
    grpc_frame_write(&served->out, message);
    served_pump(served);
    served->was_full |= served->out.length > 0;
}

size_t grpc_served_queued(const struct grpc_served *served)
{
    return served->out.length;
}

void grpc_served_finish(struct grpc_served *served, enum grpc_code code, struct span message)
{
    if (served->over || served->finishing) {
        return;
    }
    served->finishing = true;
    served->code = code;
    served->message = arena_span(&served->arena, message);
    served_pump(served);
}

struct span grpc_bearer(const struct http_head *head)
{
    struct span value = headers_value(&head->headers, HEADER_AUTHORIZATION);
    struct span scheme = SPAN("bearer ");
    if (value.length <= scheme.length ||
        !span_equal_nocase(span_cut(value, 0, scheme.length), scheme)) {
        return SPAN_EMPTY;
    }
    return span_trim(span_cut(value, scheme.length, value.length));
}
