#include "tests/fakes/pipe_transport.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"

#include <string.h>

enum { DEFAULT_WINDOW = 65536 };

struct pipe_side {
    struct transport transport;
    struct pipe_options options;
    struct pipe_side *other; /* NULL when its memory is gone */
    struct byte_queue in;    /* written by the other, unread by this */
    struct turn_task ready_task;
    struct turn_task free_task;
    uint64_t written;
    uint64_t taken;
    enum pipe_end end; /* what this side's owner has done */
    bool end_comes;    /* a clean end follows what is in `in` */
    bool failure_comes;
    bool write_failed;
    bool ready_comes;
    bool was_late;
};

static const struct transport_ops pipe_ops;

static struct pipe_side *side_of(const struct transport *transport)
{
    CHECK(transport->ops == &pipe_ops);
    return CONTAINER_OF(transport, struct pipe_side, transport);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Bytes that a write would take now, of as many as wanted. */
static size_t room(const struct pipe_side *side)
{
    const struct pipe_options *options = &side->options;
    if (side->other == NULL || !side->transport.is_ready) {
        return 0;
    }
    size_t window = options->window_bytes > 0 ? options->window_bytes : DEFAULT_WINDOW;
    size_t waiting = side->other->in.length;
    size_t free_bytes = window > waiting ? window - waiting : 0;
    if (options->accept_bytes > 0) {
        free_bytes = least(free_bytes, options->accept_bytes);
    }
    if (options->stall) {
        size_t left =
            side->written < options->stall_after ? options->stall_after - (size_t)side->written : 0;
        free_bytes = least(free_bytes, left);
    }
    return free_bytes;
}

static bool is_readable(const struct pipe_side *side)
{
    return side->failure_comes ||
           (side->transport.is_ready && (side->in.length > 0 || side->end_comes));
}

static bool is_writable(const struct pipe_side *side)
{
    return side->failure_comes || side->write_failed || room(side) > 0;
}

static unsigned events_of(const struct pipe_side *side)
{
    unsigned events = 0;
    if (is_readable(side)) {
        events |= TRANSPORT_READABLE;
    }
    if (is_writable(side)) {
        events |= TRANSPORT_WRITABLE;
    }
    return events & side->transport.wanted;
}

static void arm(struct pipe_side *side)
{
    if (side != NULL && side->end < PIPE_CLOSED && (side->ready_comes || events_of(side) != 0)) {
        loop_ready_later(side->transport.loop, &side->ready_task);
    }
}

static void run_ready(struct turn_task *task)
{
    struct pipe_side *side = CONTAINER_OF(task, struct pipe_side, ready_task);
    side->was_late = !side->was_late;
    if (side->options.late && side->was_late) {
        arm(side);
        return;
    }
    unsigned events = 0;
    if (side->ready_comes) {
        side->ready_comes = false;
        side->transport.is_ready = true;
        events = events_of(side) | TRANSPORT_READY;
        side->transport.is_ready = false;
    } else {
        events = events_of(side);
    }
    /* Level-triggered: again in the next turn, unless the call changes that. */
    loop_ready_later(side->transport.loop, task);
    transport_notify(&side->transport, events);
    if (side->end < PIPE_CLOSED && events_of(side) == 0) {
        turn_task_cancel(task);
    }
}

static void reset(struct pipe_side *side, enum failure failure, const char *detail)
{
    transport_fail(&side->transport, failure, detail);
    side->failure_comes = true;
    arm(side);
}

static ssize_t break_here(struct pipe_side *side)
{
    enum pipe_fault fault = side->options.fault;
    side->options.fault = PIPE_FAULT_NONE;
    side->write_failed = true;
    if (fault == PIPE_FAULT_RESET) {
        side->failure_comes = true;
    }
    if (side->other != NULL && fault == PIPE_FAULT_END) {
        side->other->end_comes = true;
        arm(side->other);
    }
    if (side->other != NULL && fault == PIPE_FAULT_RESET) {
        reset(side->other, FAILURE_UPSTREAM_RESET, "fault of the fake");
    }
    return transport_fail(&side->transport, FAILURE_UPSTREAM_RESET, "fault of the fake");
}

static ssize_t pipe_read(struct transport *transport, void *into, size_t length)
{
    struct pipe_side *side = side_of(transport);
    if (!transport->is_ready && !side->failure_comes) {
        return TRANSPORT_AGAIN;
    }
    if (side->options.deliver_bytes > 0) {
        length = least(length, side->options.deliver_bytes);
    }
    size_t got = byte_queue_peek(&side->in, 0, into, length);
    if (got > 0) {
        byte_queue_drop(&side->in, got);
        side->taken += got;
        arm(side->other);
        return (ssize_t)got;
    }
    if (side->failure_comes) {
        return TRANSPORT_FAILED;
    }
    return side->end_comes ? TRANSPORT_END : TRANSPORT_AGAIN;
}

static ssize_t pipe_write(struct transport *transport, const struct iovec *vectors, int count)
{
    struct pipe_side *side = side_of(transport);
    if (side->failure_comes || side->write_failed) {
        return TRANSPORT_FAILED;
    }
    CHECK(side->end == PIPE_OPEN);
    if (!transport->is_ready) {
        return 0;
    }
    if (side->other == NULL || side->other->end >= PIPE_CLOSED) {
        side->write_failed = true;
        return transport_fail(transport, FAILURE_UPSTREAM_RESET, "the other side is closed");
    }
    size_t limit = room(side);
    size_t done = 0;
    for (int i = 0; i < count; i++) {
        size_t part = least(vectors[i].iov_len, limit - done);
        bool breaks = side->options.fault != PIPE_FAULT_NONE &&
                      side->written + part >= side->options.fault_at;
        if (breaks) {
            part = side->written < side->options.fault_at
                       ? side->options.fault_at - (size_t)side->written
                       : 0;
        }
        byte_queue_copy(&side->other->in, vectors[i].iov_base, part);
        side->written += part;
        done += part;
        if (breaks) {
            break_here(side);
            break;
        }
    }
    arm(side->other);
    return side->write_failed && done == 0 ? TRANSPORT_FAILED : (ssize_t)done;
}

static void pipe_shutdown(struct transport *transport)
{
    struct pipe_side *side = side_of(transport);
    side->end = PIPE_SHUT;
    if (side->other != NULL) {
        side->other->end_comes = true;
        arm(side->other);
    }
}

static void pipe_want(struct transport *transport, unsigned events)
{
    arm(side_of(transport));
}

static void pipe_close(struct transport *transport, bool graceful)
{
    struct pipe_side *side = side_of(transport);
    CHECK(side->end < PIPE_CLOSED);
    side->end = graceful ? PIPE_CLOSED : PIPE_ABORTED;
    turn_task_cancel(&side->ready_task);
    if (side->other != NULL && graceful) {
        side->other->end_comes = true;
        arm(side->other);
    } else if (side->other != NULL) {
        reset(side->other, FAILURE_UPSTREAM_RESET, "the other side aborted");
    }
    loop_free_later(transport->loop, &side->free_task);
}

static size_t pipe_unsent(const struct transport *transport)
{
    return 0;
}

static const struct transport_ops pipe_ops = {
    .name = "pipe",
    .read = pipe_read,
    .write = pipe_write,
    .shutdown = pipe_shutdown,
    .want = pipe_want,
    .close = pipe_close,
    .unsent = pipe_unsent,
};

static void run_free(struct turn_task *task)
{
    struct pipe_side *side = CONTAINER_OF(task, struct pipe_side, free_task);
    struct pipe_side *other = side->other;
    if (other != NULL) {
        other->other = NULL;
    }
    byte_queue_done(&side->in);
    transport_done(&side->transport);
    mem_free(side);
}

static struct pipe_side *make(struct loop *loop, const struct pipe_options *options)
{
    struct pipe_side *side = NEW(struct pipe_side);
    transport_init(&side->transport, &pipe_ops, loop);
    if (options != NULL) {
        side->options = *options;
    }
    side->transport.is_ready = !side->options.connecting;
    side->ready_task.run = run_ready;
    side->free_task.run = run_free;
    byte_queue_init(&side->in);
    return side;
}

void pipe_transports(struct loop *loop, const struct pipe_options *a, const struct pipe_options *b,
                     struct transport **ret_a, struct transport **ret_b)
{
    struct pipe_side *one = make(loop, a);
    struct pipe_side *two = make(loop, b);
    one->other = two;
    two->other = one;
    CHECK(address_parse(SPAN("10.0.0.1:40000"), &one->transport.local));
    CHECK(address_parse(SPAN("10.0.0.2:80"), &one->transport.peer));
    two->transport.local = one->transport.peer;
    two->transport.peer = one->transport.local;
    *ret_a = &one->transport;
    *ret_b = &two->transport;
}

void pipe_resume(struct transport *transport)
{
    struct pipe_side *side = side_of(transport);
    side->options.stall = false;
    arm(side);
}

void pipe_connected(struct transport *transport)
{
    struct pipe_side *side = side_of(transport);
    CHECK(!transport->is_ready);
    side->ready_comes = true;
    arm(side);
}

void pipe_fail(struct transport *transport, enum failure failure)
{
    struct pipe_side *side = side_of(transport);
    byte_queue_drop(&side->in, side->in.length);
    reset(side, failure, "told by the test");
}

struct pipe_options *pipe_options_of(struct transport *side)
{
    return &side_of(side)->options;
}

uint64_t pipe_written(const struct transport *side)
{
    return side_of(side)->written;
}

uint64_t pipe_taken(const struct transport *side)
{
    return side_of(side)->taken;
}

enum pipe_end pipe_other_end(const struct transport *transport)
{
    const struct pipe_side *side = side_of(transport);
    if (side->other != NULL) {
        return side->other->end;
    }
    return side->failure_comes ? PIPE_ABORTED : PIPE_CLOSED;
}
