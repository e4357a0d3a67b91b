/* links: remora_http */
#include "lib/base/clock.h"
#include "lib/http/http_conn.h"

#include <stdlib.h>
#include <string.h>

/*
 * What a hostile peer sends, to either role: the first byte chooses role and mesh, the others how
 * the bytes are cut. Every owner answers what it hears, so that both directions of the codec run.
 */
struct peer {
    struct transport base;
    const uint8_t *bytes;
    size_t length;
    size_t portion;
    struct turn_task task;
    struct turn_task free_task;
};

static void peer_wake(struct peer *peer)
{
    if (peer->base.wanted & TRANSPORT_READABLE) {
        loop_ready_later(peer->base.loop, &peer->task);
    }
}

static void peer_run(struct turn_task *task)
{
    struct peer *peer = CONTAINER_OF(task, struct peer, task);
    peer_wake(peer);
    transport_notify(&peer->base, TRANSPORT_READABLE);
}

static ssize_t peer_read(struct transport *base, void *into, size_t room)
{
    struct peer *peer = (struct peer *)(void *)base;
    size_t length = peer->length < peer->portion ? peer->length : peer->portion;
    length = length < room ? length : room;
    memcpy(into, peer->bytes, length);
    peer->bytes += length;
    peer->length -= length;
    return length > 0 ? (ssize_t)length : TRANSPORT_END;
}

static ssize_t peer_write(struct transport *base, const struct iovec *vectors, int count)
{
    ssize_t taken = 0;
    for (int i = 0; i < count; i++) {
        taken += (ssize_t)vectors[i].iov_len;
    }
    return taken;
}

static void peer_shutdown(struct transport *base)
{
}

static void peer_want(struct transport *base, unsigned events)
{
    peer_wake((struct peer *)(void *)base);
}

static void peer_free(struct turn_task *task)
{
    struct peer *peer = CONTAINER_OF(task, struct peer, free_task);
    transport_done(&peer->base);
    free(peer);
}

static void peer_close(struct transport *base, bool graceful)
{
    struct peer *peer = (struct peer *)(void *)base;
    turn_task_cancel(&peer->task);
    loop_free_later(base->loop, &peer->free_task);
}

static size_t peer_unsent(const struct transport *base)
{
    return 0;
}

static const struct transport_ops peer_ops = {
    .name = "fuzz",
    .read = peer_read,
    .write = peer_write,
    .shutdown = peer_shutdown,
    .want = peer_want,
    .close = peer_close,
    .unsent = peer_unsent,
};

struct owner {
    struct http_stream *stream;
    struct arena arena;
    struct byte_queue body;
    bool is_server;
};

static void let_go(struct owner *owner)
{
    http_stream_release(owner->stream);
    byte_queue_done(&owner->body);
    arena_done(&owner->arena);
    free(owner);
}

static void on_head(void *owner, struct http_head *head)
{
    struct owner *self = owner;
    if (!self->is_server) {
        return;
    }
    struct http_head answer;
    http_head_init(&answer, &self->arena);
    answer.status = head->upgrade.length > 0 ? 101 : 200;
    headers_append_all(&answer.headers, &head->headers);
    http_stream_send_head(self->stream, &answer, false);
}

static void on_body(void *owner, const struct piece *piece)
{
    struct owner *self = owner;
    byte_queue_push_ref(&self->body, piece);
    http_stream_send_body(self->stream, &self->body, SIZE_MAX);
    http_stream_consume(self->stream, piece->length);
}

static void on_trailers(void *owner, struct headers *trailers)
{
    struct owner *self = owner;
    http_stream_send_trailers(self->stream, trailers);
}

static void on_end(void *owner)
{
    struct owner *self = owner;
    http_stream_send_end(self->stream);
    let_go(self);
}

static void on_room(void *owner)
{
}

static void on_reset(void *owner, enum failure failure)
{
    let_go(owner);
}

static const struct http_stream_events stream_events = {on_head, on_body, on_trailers,
                                                        on_end,  on_room, on_reset};

static struct owner *attach(struct http_stream *stream, bool is_server)
{
    struct owner *owner = calloc(1, sizeof(*owner));
    owner->stream = stream;
    owner->is_server = is_server;
    http_stream_attach(stream, &owner->arena, &stream_events, owner);
    return owner;
}

static void on_stream(void *owner, struct http_conn *conn, struct http_stream *stream)
{
    attach(stream, true);
}

static void on_closed(void *owner, struct http_conn *conn, enum failure failure)
{
    *(bool *)owner = true;
}

static const struct http_conn_events conn_events = {.on_stream = on_stream, .on_closed = on_closed};

static void ask(struct http_conn *conn, bool upgrade)
{
    struct http_stream *stream = http_conn_open(conn);
    if (stream == NULL) {
        return;
    }
    struct owner *owner = attach(stream, false);
    struct http_head head;
    http_head_init(&head, &owner->arena);
    head.method = SPAN("GET");
    head.method_token = HTTP_METHOD_GET;
    head.scheme = SPAN("http");
    head.authority = SPAN("a");
    head.path = SPAN("/");
    if (upgrade) {
        head.upgrade = SPAN("websocket");
    }
    http_stream_send_head(stream, &head, !upgrade);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length < 2) {
        return 0;
    }
    struct loop *loop = loop_create_simulated(NS_PER_S);
    struct peer *peer = calloc(1, sizeof(*peer));
    transport_init(&peer->base, &peer_ops, loop);
    peer->base.is_ready = true;
    peer->bytes = bytes + 2;
    peer->length = length - 2;
    peer->portion = bytes[1] == 0 ? SIZE_MAX : bytes[1];
    peer->task.run = peer_run;
    peer->free_task.run = peer_free;
    struct http_limits limits;
    http_limits_default(&limits);
    bool closed = false;
    bool is_server = (bytes[0] & 1) != 0;
    bool in_mesh = (bytes[0] & 2) != 0;
    struct http_conn *conn =
        is_server ? http2_server_create(&peer->base, &limits, in_mesh, &conn_events, &closed)
                  : http2_client_create(&peer->base, &limits, in_mesh, &conn_events, &closed);
    for (int i = 0; !is_server && i < 3; i++) {
        ask(conn, i == 2);
    }
    loop_advance(loop, 100 * NS_PER_S);
    if (!closed) {
        http_conn_close(conn, FAILURE_LOCAL_SHUTDOWN);
    }
    loop_advance(loop, NS_PER_S);
    loop_destroy(loop);
    return 0;
}
