#include "lib/net/transport.h"

#include "lib/base/check.h"

/* Vectors of one write: what a loop turn has for a connection is rarely more. */
enum { WRITE_VECTORS = 64 };

static void run_unread(struct turn_task *task);

void transport_init(struct transport *transport, const struct transport_ops *ops, struct loop *loop)
{
    *transport = (struct transport){.ops = ops, .loop = loop};
    byte_queue_init(&transport->unread);
    transport->unread_task.run = run_unread;
}

void transport_done(struct transport *transport)
{
    turn_task_cancel(&transport->unread_task);
    byte_queue_done(&transport->unread);
}

void transport_notify(struct transport *transport, unsigned events)
{
    unsigned told = events & (transport->wanted | TRANSPORT_READY);
    if (events & TRANSPORT_READY) {
        CHECK(!transport->is_ready);
        transport->is_ready = true;
    }
    if (told != 0 && transport->on_ready != NULL) {
        transport->on_ready(transport->owner, told);
    }
}

ssize_t transport_fail(struct transport *transport, enum failure failure, const char *detail)
{
    CHECK(failure != FAILURE_NONE);
    if (transport->failure == FAILURE_NONE) {
        transport->failure = failure;
        transport->failure_detail = detail;
    }
    return TRANSPORT_FAILED;
}

/* No descriptor becomes readable for bytes that were given back, so they tell themselves. */
static void arm_unread(struct transport *transport)
{
    if (transport->unread.length > 0 && (transport->wanted & TRANSPORT_READABLE)) {
        loop_ready_later(transport->loop, &transport->unread_task);
    }
}

static void run_unread(struct turn_task *task)
{
    struct transport *transport = CONTAINER_OF(task, struct transport, unread_task);
    if (transport->unread.length == 0 || !(transport->wanted & TRANSPORT_READABLE)) {
        return;
    }
    /* Before the call: the owner may close. */
    arm_unread(transport);
    transport_notify(transport, TRANSPORT_READABLE);
}

void transport_own(struct transport *transport, void (*on_ready)(void *owner, unsigned events),
                   void *owner)
{
    transport->on_ready = on_ready;
    transport->owner = owner;
}

ssize_t transport_read(struct transport *transport, void *into, size_t room)
{
    CHECK(room > 0);
    size_t length = byte_queue_peek(&transport->unread, 0, into, room);
    if (length > 0) {
        byte_queue_drop(&transport->unread, length);
        return (ssize_t)length;
    }
    return transport->ops->read(transport, into, room);
}

ssize_t transport_write(struct transport *transport, const struct iovec *vectors, int count)
{
    CHECK(count > 0);
    return transport->ops->write(transport, vectors, count);
}

static size_t sum(const struct iovec *vectors, int count)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++) {
        bytes += vectors[i].iov_len;
    }
    return bytes;
}

bool transport_write_queue(struct transport *transport, struct byte_queue *queue)
{
    while (queue->length > 0) {
        struct iovec vectors[WRITE_VECTORS];
        int count = byte_queue_vectors(queue, vectors, WRITE_VECTORS);
        ssize_t written = transport_write(transport, vectors, count);
        if (written < 0) {
            return false;
        }
        byte_queue_drop(queue, (size_t)written);
        if ((size_t)written < sum(vectors, count)) {
            break;
        }
    }
    unsigned wanted = transport->wanted & ~(unsigned)TRANSPORT_WRITABLE;
    transport_want(transport, queue->length > 0 ? wanted | TRANSPORT_WRITABLE : wanted);
    return true;
}

void transport_unread(struct transport *transport, struct span bytes)
{
    struct byte_queue behind;
    byte_queue_init(&behind);
    byte_queue_move(&behind, &transport->unread, transport->unread.length);
    byte_queue_copy(&transport->unread, bytes.at, bytes.length);
    byte_queue_move(&transport->unread, &behind, behind.length);
    arm_unread(transport);
}

void transport_want(struct transport *transport, unsigned events)
{
    if (events == transport->wanted) {
        return;
    }
    transport->wanted = events;
    arm_unread(transport);
    transport->ops->want(transport, events);
}

void transport_shutdown(struct transport *transport)
{
    transport->ops->shutdown(transport);
}

static void end(struct transport *transport, bool graceful)
{
    transport_own(transport, NULL, NULL);
    transport->wanted = 0;
    turn_task_cancel(&transport->unread_task);
    transport->ops->close(transport, graceful);
}

void transport_close(struct transport *transport)
{
    end(transport, true);
}

void transport_abort(struct transport *transport)
{
    end(transport, false);
}

size_t transport_unsent(const struct transport *transport)
{
    return transport->ops->unsent(transport);
}
