#include "tests/unit/proxy/request/fake_stream.h"

#include "lib/base/check.h"
#include "lib/base/list.h"

static struct fake_stream *fake_of(const struct http_stream *stream)
{
    return CONTAINER_OF((struct http_stream *)(uintptr_t)stream, struct fake_stream, stream);
}

static void add_fields(struct text *to, const struct headers *headers)
{
    HEADERS_EACH(headers, field)
    {
        text_printf(to, "%.*s=%.*s;", SPAN_ARG(field->name), SPAN_ARG(field->value));
    }
}

static void send_head(struct http_stream *stream, const struct http_head *head, bool end)
{
    struct fake_stream *fake = fake_of(stream);
    CHECK(!fake->head_sent && !fake->released);
    if (head->status == 0) {
        text_printf(&fake->heads, "%.*s %.*s ", SPAN_ARG(head->method), SPAN_ARG(head->path));
    } else {
        text_printf(&fake->heads, "%u ", head->status);
    }
    add_fields(&fake->heads, &head->headers);
    text_add_byte(&fake->heads, '\n');
    fake->head_sent = head->status == 0 || head->status >= 200 || head->status == 101;
    fake->ended = end;
}

static size_t room(const struct http_stream *stream)
{
    return fake_of(stream)->room;
}

static size_t send_body(struct http_stream *stream, struct byte_queue *from, size_t limit)
{
    struct fake_stream *fake = fake_of(stream);
    CHECK(fake->head_sent && !fake->ended && !fake->released);
    size_t length = from->length < limit ? from->length : limit;
    length = length < fake->room ? length : fake->room;
    size_t left = length;
    while (left > 0) {
        struct span front = span_cut(byte_queue_front(from), 0, left);
        text_add(&fake->body, front);
        left -= front.length;
        byte_queue_drop(from, front.length);
    }
    fake->room -= length;
    return length;
}

static void send_end(struct http_stream *stream)
{
    struct fake_stream *fake = fake_of(stream);
    CHECK(fake->head_sent && !fake->ended && !fake->released);
    fake->ended = true;
}

static void send_trailers(struct http_stream *stream, const struct headers *trailers)
{
    send_end(stream);
    add_fields(&fake_of(stream)->trailers, trailers);
}

static void consume(struct http_stream *stream, size_t bytes)
{
    fake_of(stream)->consumed += bytes;
}

static void reset(struct http_stream *stream, enum failure failure)
{
    struct fake_stream *fake = fake_of(stream);
    CHECK(!fake->reset && !fake->released);
    fake->reset = true;
    fake->reset_with = failure;
}

static void release(struct http_stream *stream)
{
    struct fake_stream *fake = fake_of(stream);
    CHECK(!fake->released);
    fake->released = true;
}

static const struct http_stream_ops ops = {
    .send_head = send_head,
    .send_body = send_body,
    .send_trailers = send_trailers,
    .send_end = send_end,
    .room = room,
    .consume = consume,
    .reset = reset,
    .release = release,
};

void fake_stream_init(struct fake_stream *fake, size_t size)
{
    *fake = (struct fake_stream){.stream = {.ops = &ops}, .room = size};
}

void fake_stream_done(struct fake_stream *fake)
{
    text_done(&fake->heads);
    text_done(&fake->body);
    text_done(&fake->trailers);
}
