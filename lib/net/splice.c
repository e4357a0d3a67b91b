#include "lib/net/splice.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/net/pipe_pool.h"
#include "lib/net/tcp.h"

enum {
    FLOW_LIMIT_BYTES = 65536,   /* held of one direction while its reader is slow */
    SPLICE_AFTER_BYTES = 65536, /* short exchanges are cheaper copied */
    FLOW_TURN_BYTES = 1 << 20,  /* one direction moves so much a turn, then others have theirs */
};

/* One direction. */
struct flow {
    struct relay_pair *pair;
    struct transport *from;
    struct transport *to;
    struct flow *back;
    struct byte_queue queue;
    struct chunk *filling; /* takes what is read next; only while the queue holds something */
    struct pipe_ends pipe;
    size_t piped; /* bytes in the pipe; the pipe is held while there are some */
    uint64_t moved;
    uint64_t untold;
    bool ended;  /* from has said so */
    bool passed; /* and to has been told */
    bool dead;   /* to takes nothing any more */
};

struct relay_pair {
    struct loop *loop;
    struct flow flows[2]; /* a to b, b to a */
    const struct relay_pair_events *events;
    void *owner;
    struct timer idle;
    int64_t idle_ns; /* 0 = never */
    int64_t moved_at_ns;
    struct turn_task bytes_task;
    struct turn_task free_task;
    enum failure failure; /* of a write: the other direction goes on */
    bool copies_only;
    bool is_done;
};

static size_t held(const struct flow *flow)
{
    return flow->queue.length + flow->piped;
}

static void drop_pipe(struct flow *flow)
{
    if (flow->piped > 0) {
        pipe_pool_give(flow->pipe, false);
        flow->piped = 0;
    }
}

static void drop_chunk(struct flow *flow)
{
    chunk_unref(flow->filling);
    flow->filling = NULL;
}

static void tell_bytes(struct relay_pair *pair)
{
    uint64_t a_to_b = pair->flows[0].untold;
    uint64_t b_to_a = pair->flows[1].untold;
    pair->flows[0].untold = pair->flows[1].untold = 0;
    if (a_to_b + b_to_a > 0 && pair->events->on_bytes != NULL) {
        pair->events->on_bytes(pair->owner, a_to_b, b_to_a);
    }
}

static void run_bytes(struct turn_task *task)
{
    tell_bytes(CONTAINER_OF(task, struct relay_pair, bytes_task));
}

static void run_free(struct turn_task *task)
{
    mem_free(CONTAINER_OF(task, struct relay_pair, free_task));
}

static void dispose(struct relay_pair *pair, bool graceful)
{
    pair->is_done = true;
    timer_stop(&pair->idle);
    turn_task_cancel(&pair->bytes_task);
    for (int i = 0; i < 2; i++) {
        struct flow *flow = &pair->flows[i];
        drop_pipe(flow);
        drop_chunk(flow);
        byte_queue_done(&flow->queue);
        /* Who takes nothing any more is reset; who has had the other's clean end is closed. */
        if (graceful && !flow->back->dead) {
            transport_close(flow->from);
        } else {
            transport_abort(flow->from);
        }
    }
    loop_free_later(pair->loop, &pair->free_task);
}

static void finish(struct relay_pair *pair, enum failure failure, bool graceful)
{
    tell_bytes(pair);
    if (pair->is_done) {
        return;
    }
    dispose(pair, graceful);
    pair->events->on_done(pair->owner, failure);
}

static void count(struct flow *flow, size_t bytes)
{
    struct relay_pair *pair = flow->pair;
    flow->moved += bytes;
    flow->untold += bytes;
    pair->moved_at_ns = loop_now_ns(pair->loop);
    if (pair->events->on_bytes != NULL) {
        loop_flush_later(pair->loop, &pair->bytes_task);
    }
}

/* Hands on what is held. False when it can never go. */
static bool hand_on(struct flow *flow)
{
    while (flow->piped > 0) {
        ssize_t sent = tcp_splice_out(flow->to, flow->pipe.read_end, flow->piped);
        if (sent < 0) {
            return false;
        }
        if (sent == 0) {
            return true;
        }
        flow->piped -= (size_t)sent;
        if (flow->piped == 0) {
            pipe_pool_give(flow->pipe, true);
        }
    }
    return flow->queue.length == 0 || transport_write_queue(flow->to, &flow->queue);
}

static ssize_t fill_chunk(struct flow *flow)
{
    if (flow->filling == NULL || chunk_room(flow->filling) == 0) {
        drop_chunk(flow);
        flow->filling = chunk_take();
    }
    struct chunk *chunk = flow->filling;
    size_t limit = FLOW_LIMIT_BYTES - flow->queue.length;
    size_t room = chunk_room(chunk) < limit ? chunk_room(chunk) : limit;
    ssize_t got = transport_read(flow->from, chunk->bytes + chunk->used, room);
    if (got > 0) {
        struct piece piece = {chunk_ref(chunk), chunk->used, (uint32_t)got};
        chunk->used += (uint32_t)got;
        byte_queue_push(&flow->queue, piece);
    }
    return got;
}

/* Up to FLOW_LIMIT_BYTES, so that several reads make one write. */
static ssize_t fill_queue(struct flow *flow, size_t *ret_bytes)
{
    ssize_t got = TRANSPORT_AGAIN;
    size_t bytes = 0;
    while (flow->queue.length < FLOW_LIMIT_BYTES) {
        got = fill_chunk(flow);
        if (got <= 0) {
            break;
        }
        bytes += (size_t)got;
    }
    *ret_bytes = bytes;
    return got;
}

static ssize_t fill_pipe(struct flow *flow, size_t *ret_bytes)
{
    ssize_t got = tcp_splice_in(flow->from, flow->pipe.write_end, PIPE_BYTES);
    *ret_bytes = got > 0 ? (size_t)got : 0;
    if (got > 0) {
        flow->piped = (size_t)got;
    } else {
        pipe_pool_give(flow->pipe, true);
    }
    return got;
}

static bool may_splice(struct flow *flow)
{
    struct relay_pair *pair = flow->pair;
    if (pair->copies_only || flow->moved < SPLICE_AFTER_BYTES || held(flow) > 0 ||
        flow->from->unread.length > 0 || tcp_descriptor(flow->from) < 0 ||
        tcp_descriptor(flow->to) < 0) {
        return false;
    }
    if (!pipe_pool_take(&flow->pipe)) {
        pair->copies_only = true;
        return false;
    }
    return true;
}

static bool wants_more(const struct flow *flow)
{
    return !flow->ended && !flow->dead && flow->piped == 0 && flow->queue.length < FLOW_LIMIT_BYTES;
}

static void die(struct flow *flow)
{
    struct relay_pair *pair = flow->pair;
    flow->dead = true;
    drop_pipe(flow);
    byte_queue_drop(&flow->queue, flow->queue.length);
    if (pair->failure == FAILURE_NONE) {
        pair->failure = flow->to->failure;
    }
}

/* Moves what can be moved now. False when the pair is done for: from has failed. */
static bool pump(struct flow *flow)
{
    size_t bytes = 0;
    size_t left = FLOW_TURN_BYTES;
    ssize_t got = 1;
    if (!flow->dead && !hand_on(flow)) {
        die(flow);
    }
    while (wants_more(flow) && got > 0 && left > 0) {
        got = may_splice(flow) ? fill_pipe(flow, &bytes) : fill_queue(flow, &bytes);
        if (bytes > 0) {
            count(flow, bytes);
            left = left > bytes ? left - bytes : 0;
        }
        if (!hand_on(flow)) {
            die(flow);
        }
    }
    if (flow->queue.length == 0) {
        drop_chunk(flow);
    }
    flow->ended |= got == TRANSPORT_END;
    if (flow->ended && !flow->passed && !flow->dead && held(flow) == 0) {
        flow->passed = true;
        transport_shutdown(flow->to);
    }
    return got != TRANSPORT_FAILED;
}

static void rearm(struct flow *flow)
{
    unsigned wanted = wants_more(flow) ? TRANSPORT_READABLE : 0;
    if (held(flow->back) > 0 && !flow->back->dead) {
        wanted |= TRANSPORT_WRITABLE;
    }
    transport_want(flow->from, wanted);
}

static bool is_over(const struct flow *flow)
{
    return flow->passed || flow->dead;
}

static void on_ready(void *owner, unsigned events)
{
    struct flow *out = owner;
    struct flow *in = out->back;
    struct relay_pair *pair = out->pair;
    if ((events & (TRANSPORT_WRITABLE | TRANSPORT_READY)) && !pump(in)) {
        finish(pair, in->from->failure, false);
    } else if ((events & TRANSPORT_READABLE) && !pump(out)) {
        finish(pair, out->from->failure, false);
    } else if (is_over(in) && is_over(out)) {
        finish(pair, pair->failure, true);
    } else {
        rearm(in);
        rearm(out);
    }
}

/* Lazy: moving bytes costs no timer, the timer finds out when the last ones moved. */
static void on_idle(struct timer *timer)
{
    struct relay_pair *pair = CONTAINER_OF(timer, struct relay_pair, idle);
    int64_t at_ns = pair->moved_at_ns + pair->idle_ns;
    if (at_ns > loop_now_ns(pair->loop)) {
        timer_start_at(timer, at_ns);
    } else {
        finish(pair, FAILURE_STREAM_IDLE, false);
    }
}

static void init_flow(struct relay_pair *pair, int i, struct transport *from, struct transport *to)
{
    struct flow *flow = &pair->flows[i];
    flow->pair = pair;
    flow->from = from;
    flow->to = to;
    flow->back = &pair->flows[1 - i];
    byte_queue_init(&flow->queue);
    transport_own(from, on_ready, flow);
}

struct relay_pair *relay_pair_start(struct transport *a, struct transport *b, int64_t idle_ms,
                                    const struct relay_pair_events *events, void *owner)
{
    struct relay_pair *pair = NEW(struct relay_pair);
    pair->loop = a->loop;
    pair->events = events;
    pair->owner = owner;
    pair->bytes_task.run = run_bytes;
    pair->free_task.run = run_free;
    init_flow(pair, 0, a, b);
    init_flow(pair, 1, b, a);
    pair->idle_ns = idle_ms * NS_PER_MS;
    pair->moved_at_ns = loop_now_ns(pair->loop);
    timer_init(&pair->idle, pair->loop, on_idle);
    if (pair->idle_ns > 0) {
        timer_start(&pair->idle, pair->idle_ns);
    }
    rearm(&pair->flows[0]);
    rearm(&pair->flows[1]);
    return pair;
}

void relay_pair_preload(struct relay_pair *pair, struct span from_a)
{
    transport_unread(pair->flows[0].from, from_a);
}

void relay_pair_abort(struct relay_pair *pair)
{
    dispose(pair, false);
}
