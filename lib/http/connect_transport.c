#include "lib/http/connect_transport.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

/* A closed tunnel may still send what it had accepted, as transport.h promises. */
enum { LINGER_MS = 5000 };

struct connect_transport {
    struct transport base;
    struct http_stream *stream; /* NULL once released */
    struct arena arena;         /* of the answer's head */
    struct byte_queue in;
    struct turn_task ready_task;
    struct turn_task free_task;
    struct timer linger;
    uint16_t status;
    bool is_server;
    bool head_seen;
    bool ended;    /* the peer's side */
    bool end_sent; /* ours */
    bool closed;   /* by the owner; lingering if a stream is left */
};

static struct connect_transport *self(const struct transport *transport)
{
    return (struct connect_transport *)(uintptr_t)transport;
}

static unsigned pending(const struct connect_transport *tunnel)
{
    unsigned events = 0;
    if (tunnel->base.failure != FAILURE_NONE ||
        (tunnel->base.is_ready && (tunnel->in.length > 0 || tunnel->ended))) {
        events |= TRANSPORT_READABLE;
    }
    if (tunnel->base.is_ready && tunnel->stream != NULL && http_stream_room(tunnel->stream) > 0) {
        events |= TRANSPORT_WRITABLE;
    }
    return events & tunnel->base.wanted;
}

/* Level-triggered: what is still true is told again in the next turn. */
static void arm(struct connect_transport *tunnel)
{
    if (!tunnel->closed && pending(tunnel) != 0) {
        loop_ready_later(tunnel->base.loop, &tunnel->ready_task);
    }
}

static void run_ready(struct turn_task *task)
{
    struct connect_transport *tunnel = CONTAINER_OF(task, struct connect_transport, ready_task);
    if (tunnel->closed) {
        return;
    }
    if (tunnel->head_seen && !tunnel->base.is_ready && tunnel->base.failure == FAILURE_NONE) {
        /* What can be read or written by then is told in the next turn. */
        loop_ready_later(tunnel->base.loop, &tunnel->ready_task);
        transport_notify(&tunnel->base, TRANSPORT_READY);
        return;
    }
    unsigned events = pending(tunnel);
    if (events != 0) {
        /* Before the call: the owner may close. */
        arm(tunnel);
        transport_notify(&tunnel->base, events);
    }
}

static void free_now(struct turn_task *task)
{
    struct connect_transport *tunnel = CONTAINER_OF(task, struct connect_transport, free_task);
    byte_queue_done(&tunnel->in);
    arena_done(&tunnel->arena);
    transport_done(&tunnel->base);
    mem_free(tunnel);
}

static void let_go(struct connect_transport *tunnel)
{
    timer_stop(&tunnel->linger);
    turn_task_cancel(&tunnel->ready_task);
    if (tunnel->stream != NULL) {
        http_stream_release(tunnel->stream);
        tunnel->stream = NULL;
    }
    loop_free_later(tunnel->base.loop, &tunnel->free_task);
}

static void on_linger(struct timer *timer)
{
    let_go(CONTAINER_OF(timer, struct connect_transport, linger));
}

static void on_head(void *owner, struct http_head *head)
{
    struct connect_transport *tunnel = owner;
    if (tunnel->closed || (head->status < 200 && head->status != 101)) {
        return;
    }
    tunnel->status = head->status;
    tunnel->head_seen = true;
    if (head->status != 101 && (head->status < 200 || head->status >= 300)) {
        transport_fail(&tunnel->base, FAILURE_CONNECT_REFUSED,
                       "CONNECT was answered with an error");
    }
    loop_ready_later(tunnel->base.loop, &tunnel->ready_task);
}

static void on_body(void *owner, const struct piece *piece)
{
    struct connect_transport *tunnel = owner;
    if (tunnel->closed || tunnel->base.failure != FAILURE_NONE) {
        http_stream_consume(tunnel->stream, piece->length);
        return;
    }
    byte_queue_push_ref(&tunnel->in, piece);
    arm(tunnel);
}

/* A tunnel has none; what comes means nothing. */
static void on_trailers(void *owner, struct headers *trailers)
{
}

static void on_end(void *owner)
{
    struct connect_transport *tunnel = owner;
    tunnel->ended = true;
    if (tunnel->closed) {
        let_go(tunnel);
    } else {
        arm(tunnel);
    }
}

static void on_room(void *owner)
{
    arm(owner);
}

static void on_reset(void *owner, enum failure failure)
{
    struct connect_transport *tunnel = owner;
    if (tunnel->closed) {
        let_go(tunnel);
        return;
    }
    transport_fail(&tunnel->base, failure == FAILURE_NONE ? FAILURE_UPSTREAM_CLOSED : failure,
                   "the stream of the tunnel was reset");
    arm(tunnel);
}

static const struct http_stream_events stream_events = {on_head, on_body, on_trailers,
                                                        on_end,  on_room, on_reset};

static ssize_t tunnel_read(struct transport *base, void *into, size_t room)
{
    struct connect_transport *tunnel = self(base);
    if (!base->is_ready) {
        return base->failure != FAILURE_NONE ? TRANSPORT_FAILED : TRANSPORT_AGAIN;
    }
    size_t length = byte_queue_peek(&tunnel->in, 0, into, room);
    if (length > 0) {
        byte_queue_drop(&tunnel->in, length);
        http_stream_consume(tunnel->stream, length);
        return (ssize_t)length;
    }
    if (base->failure != FAILURE_NONE) {
        return TRANSPORT_FAILED;
    }
    return tunnel->ended ? TRANSPORT_END : TRANSPORT_AGAIN;
}

static ssize_t tunnel_write(struct transport *base, const struct iovec *vectors, int count)
{
    struct connect_transport *tunnel = self(base);
    if (base->failure != FAILURE_NONE) {
        return TRANSPORT_FAILED;
    }
    if (!base->is_ready || tunnel->end_sent) {
        return 0;
    }
    struct byte_queue queue;
    byte_queue_init(&queue);
    size_t room = http_stream_room(tunnel->stream);
    for (int i = 0; i < count && queue.length < room; i++) {
        size_t part = room - queue.length;
        byte_queue_copy(&queue, vectors[i].iov_base,
                        vectors[i].iov_len < part ? vectors[i].iov_len : part);
    }
    size_t taken = http_stream_send_body(tunnel->stream, &queue, queue.length);
    byte_queue_done(&queue);
    return (ssize_t)taken;
}

static void send_end(struct connect_transport *tunnel)
{
    if (!tunnel->end_sent && tunnel->stream != NULL) {
        tunnel->end_sent = true;
        http_stream_send_end(tunnel->stream);
    }
}

static void tunnel_shutdown(struct transport *base)
{
    send_end(self(base));
}

static void tunnel_want(struct transport *base, unsigned events)
{
    arm(self(base));
}

/* A stream that is over, or that never became a tunnel, has nothing to linger for. */
static void tunnel_close(struct transport *base, bool graceful)
{
    struct connect_transport *tunnel = self(base);
    tunnel->closed = true;
    turn_task_cancel(&tunnel->ready_task);
    if (!graceful || !base->is_ready || base->failure != FAILURE_NONE || tunnel->ended) {
        if (graceful && base->is_ready && base->failure == FAILURE_NONE) {
            send_end(tunnel);
        } else {
            http_stream_reset(tunnel->stream, FAILURE_DOWNSTREAM_CLOSED);
        }
        let_go(tunnel);
        return;
    }
    send_end(tunnel);
    if (tunnel->in.length > 0) {
        http_stream_consume(tunnel->stream, tunnel->in.length);
        byte_queue_drop(&tunnel->in, tunnel->in.length);
    }
    timer_start(&tunnel->linger, LINGER_MS * NS_PER_MS);
}

/* What the stream still holds back is known to it alone. */
static size_t tunnel_unsent(const struct transport *base)
{
    return 0;
}

static const struct transport_ops ops = {
    .name = "connect",
    .read = tunnel_read,
    .write = tunnel_write,
    .shutdown = tunnel_shutdown,
    .want = tunnel_want,
    .close = tunnel_close,
    .unsent = tunnel_unsent,
};

static struct connect_transport *create(struct loop *loop, struct http_stream *stream,
                                        const struct address *local, const struct address *peer)
{
    struct connect_transport *tunnel = NEW(struct connect_transport);
    transport_init(&tunnel->base, &ops, loop);
    tunnel->stream = stream;
    tunnel->ready_task.run = run_ready;
    tunnel->free_task.run = free_now;
    timer_init(&tunnel->linger, loop, on_linger);
    if (local != NULL) {
        tunnel->base.local = *local;
    }
    if (peer != NULL) {
        tunnel->base.peer = *peer;
    }
    http_stream_attach(stream, &tunnel->arena, &stream_events, tunnel);
    return tunnel;
}

struct transport *connect_transport_client(struct loop *loop, struct http_stream *stream,
                                           const struct address *local, const struct address *peer)
{
    return &create(loop, stream, local, peer)->base;
}

struct transport *connect_transport_server(struct loop *loop, struct http_stream *stream,
                                           const struct address *local, const struct address *peer)
{
    struct connect_transport *tunnel = create(loop, stream, local, peer);
    tunnel->is_server = true;
    tunnel->head_seen = true;
    tunnel->base.is_ready = true;
    return &tunnel->base;
}

uint16_t connect_transport_status(const struct transport *transport)
{
    CHECK(transport->ops == &ops);
    return self(transport)->status;
}
