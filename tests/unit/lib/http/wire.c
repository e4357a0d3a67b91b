#include "tests/unit/lib/http/wire.h"

#include "lib/base/memory.h"

static struct wire *self(const struct transport *transport)
{
    return (struct wire *)(uintptr_t)transport;
}

static void wake(struct wire *wire)
{
    if (!wire->closed) {
        loop_ready_later(wire->base.loop, &wire->task);
    }
}

static unsigned ready_events(const struct wire *wire)
{
    bool readable = wire->in.length > 0 || wire->ended || wire->failed;
    bool writable = wire->base.is_ready && wire->out.length < wire->out_limit;
    return ((readable ? TRANSPORT_READABLE : 0) | (writable ? TRANSPORT_WRITABLE : 0)) &
           wire->base.wanted;
}

static void run(struct turn_task *task)
{
    struct wire *wire = CONTAINER_OF(task, struct wire, task);
    unsigned events = ready_events(wire);
    if (wire->closed || events == 0) {
        return;
    }
    wake(wire);
    transport_notify(&wire->base, events);
}

static ssize_t wire_read(struct transport *base, void *into, size_t room)
{
    struct wire *wire = self(base);
    if (wire->failed) {
        return TRANSPORT_FAILED;
    }
    if (!base->is_ready) {
        return TRANSPORT_AGAIN;
    }
    if (wire->in.length == 0) {
        return wire->ended ? TRANSPORT_END : TRANSPORT_AGAIN;
    }
    size_t length = byte_queue_peek(&wire->in, 0, into, room);
    byte_queue_drop(&wire->in, length);
    return (ssize_t)length;
}

static ssize_t wire_write(struct transport *base, const struct iovec *vectors, int count)
{
    struct wire *wire = self(base);
    ssize_t taken = 0;
    if (wire->failed) {
        return TRANSPORT_FAILED;
    }
    if (!base->is_ready) {
        return 0;
    }
    wire->writes++;
    for (int i = 0; i < count; i++) {
        size_t room = wire->out_limit > wire->out.length ? wire->out_limit - wire->out.length : 0;
        size_t part = vectors[i].iov_len < room ? vectors[i].iov_len : room;
        if (wire->other != NULL) {
            wire_push(wire->other, vectors[i].iov_base, vectors[i].iov_len);
            part = vectors[i].iov_len;
        } else {
            byte_queue_copy(&wire->out, vectors[i].iov_base, part);
        }
        taken += (ssize_t)part;
        if (part < vectors[i].iov_len) {
            break;
        }
    }
    return taken;
}

static void wire_shutdown(struct transport *base)
{
    self(base)->shut = true;
    if (self(base)->other != NULL) {
        wire_end(self(base)->other);
    }
}

static void wire_want(struct transport *base, unsigned events)
{
    (void)events;
    wake(self(base));
}

static void wire_close(struct transport *base, bool graceful)
{
    struct wire *wire = self(base);
    wire->closed = true;
    wire->aborted = !graceful;
    turn_task_cancel(&wire->task);
    if (wire->other != NULL) {
        wire_end(wire->other);
    }
}

static size_t wire_unsent(const struct transport *base)
{
    (void)base;
    return 0;
}

static const struct transport_ops ops = {
    .name = "wire",
    .read = wire_read,
    .write = wire_write,
    .shutdown = wire_shutdown,
    .want = wire_want,
    .close = wire_close,
    .unsent = wire_unsent,
};

struct wire *wire_create(struct loop *loop, bool is_ready)
{
    struct wire *wire = NEW(struct wire);
    transport_init(&wire->base, &ops, loop);
    wire->base.is_ready = is_ready;
    wire->out_limit = SIZE_MAX;
    wire->task.run = run;
    return wire;
}

void wire_pair(struct wire *a, struct wire *b)
{
    a->other = b;
    b->other = a;
}

void wire_push(struct wire *wire, const void *bytes, size_t length)
{
    if (!wire->closed) {
        byte_queue_copy(&wire->in, bytes, length);
        wake(wire);
    }
}

void wire_end(struct wire *wire)
{
    wire->ended = true;
    wake(wire);
}

void wire_ready(struct wire *wire)
{
    transport_notify(&wire->base, TRANSPORT_READY);
    wake(wire);
}

void wire_fail(struct wire *wire, enum failure failure)
{
    transport_fail(&wire->base, failure, NULL);
    wire->failed = true;
    wake(wire);
}

void wire_room(struct wire *wire, size_t limit)
{
    wire->out_limit = limit;
    wake(wire);
}

void wire_destroy(struct wire *wire)
{
    turn_task_cancel(&wire->task);
    byte_queue_done(&wire->in);
    byte_queue_done(&wire->out);
    transport_done(&wire->base);
    mem_free(wire);
}
