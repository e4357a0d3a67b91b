#include "proxy/request/request_state.h"

#include "lib/base/check.h"
#include "lib/base/random.h"
#include "proxy/observe/trace_context.h"
#include "proxy/request/local_reply.h"

enum { REPLAY_BODY_BYTES = 65536 };

#define TO(state) (1u << REQUEST_##state)
/* Which states may follow which. Everything may end. */
static const uint8_t legal[REQUEST_STATES] = {
    [REQUEST_RECEIVING] = TO(ROUTED) | TO(DONE),
    [REQUEST_ROUTED] = TO(LIMITED) | TO(DONE),
    [REQUEST_LIMITED] = TO(TRYING) | TO(DONE),
    [REQUEST_TRYING] = TO(BACKING_OFF) | TO(RESPONDING) | TO(DONE),
    [REQUEST_BACKING_OFF] = TO(TRYING) | TO(DONE),
    [REQUEST_RESPONDING] = TO(DONE),
    [REQUEST_DONE] = 0,
};

void request_enter(struct request *request, enum request_state state)
{
    CHECK((legal[request->state] & (1u << state)) != 0);
    request->state = (uint8_t)state;
    int64_t now = loop_now_ns(request->origin.scope->loop);
    if (state == REQUEST_LIMITED) {
        request->record.routed_ns = now;
    } else if (state == REQUEST_TRYING && request->record.upstream_ns == 0) {
        request->record.upstream_ns = now;
    } else if (state == REQUEST_RESPONDING) {
        request->record.first_byte_ns = now;
    } else if (state == REQUEST_DONE) {
        request->record.done_ns = now;
    }
}

void request_advance(struct request *request)
{
    if (request->advancing) {
        request->advance_again = true;
        return;
    }
    request->advancing = true;
    do {
        request->advance_again = false;
        while (request->state != REQUEST_DONE && request_step(request)) {
        }
    } while (request->advance_again && request->state != REQUEST_DONE);
    request->advancing = false;
}

static void on_head(void *owner, struct http_head *head)
{
    struct request *request = owner;
    request->head = head;
    request_enter(request, REQUEST_ROUTED);
    request_advance(request);
}

static void on_body(void *owner, const struct piece *piece)
{
    struct request *request = owner;
    relay_body(&request->up, piece);
    request_moved(request, &request->up);
}

static void on_trailers(void *owner, struct headers *trailers)
{
    struct request *request = owner;
    relay_trailers(&request->up, trailers);
}

static void on_end(void *owner)
{
    struct request *request = owner;
    relay_end(&request->up);
    request_moved(request, &request->up);
}

static void on_room(void *owner)
{
    struct request *request = owner;
    request_moved(request, &request->down);
}

static void on_reset(void *owner, enum failure failure)
{
    struct request *request = owner;
    request->downstream_gone = true;
    request->record.failure = failure;
    request_finish(request);
}

static const struct http_stream_events downstream_events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_room = on_room,
    .on_reset = on_reset,
};

static void on_timer(struct timer *timer)
{
    struct request *request = CONTAINER_OF(timer, struct request, timer);
    request_advance(request);
    if (request->state != REQUEST_DONE) {
        request_arm(request);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

void request_arm(struct request *request)
{
    int64_t at = request->deadline_ns;
    if (request->idle_ns > 0) {
        at = earlier(at, request->moved_ns + request->idle_ns);
    }
    if (request->state == REQUEST_BACKING_OFF) {
        at = earlier(at, request->back_off_until_ns);
    }
    if (request->state == REQUEST_TRYING && request->per_try_ns > 0 && request->attempt != NULL) {
        at = earlier(at, request->attempt->started_ns + request->per_try_ns);
    }
    if (at != 0) {
        timer_start_at(&request->timer, at);
    } else {
        timer_stop(&request->timer);
    }
}

void request_open(const struct request_origin *origin, struct http_stream *stream)
{
    struct arena arena = {0};
    arena_init(&arena);
    struct request *request = ARENA_NEW(&arena, struct request);
    request->arena = arena;
    request->origin = *origin;
    request->downstream = stream;
    request->snapshot = snapshot_ref(origin->scope->snapshot);
    timer_init(&request->timer, origin->scope->loop, on_timer);
    relay_init(&request->up, stream);
    relay_init(&request->down, NULL);
    replay_body_init(&request->body, REPLAY_BODY_BYTES);
    request->up.keep = &request->body;
    request->moved_ns = loop_now_ns(origin->scope->loop);
    struct request_record *record = &request->record;
    record->opened_ns = request->moved_ns;
    record->direction = origin->direction;
    record->mtls_downstream = origin->mtls;
    record->downstream = origin->downstream;
    record->original_dst = origin->original_dst;
    record->grpc_status = -1;
    origin->scope->live_requests++;
    if (origin->live != NULL) {
        (*origin->live)++;
    }
    http_stream_attach(stream, &request->arena, &downstream_events, request);
}

static void finish_record(struct request *request)
{
    struct request_record *record = &request->record;
    record->bytes_in = request->up.bytes;
    record->bytes_out = request->down.bytes;
    if (request->attempt != NULL) {
        const struct attempt *last = request->attempt;
        record->attempts = (uint8_t)(last->number > 255 ? 255 : last->number);
        record->mtls_upstream = last->to_mesh;
        if (last->lease.endpoint != NULL) {
            record->upstream = last->lease.endpoint->config.facts.address;
        }
        /* Inbound the endpoint is the local application, which has no names: ours are there. */
        if (last->lease.endpoint != NULL && record->direction == RECORD_OUTBOUND) {
            record->destination_workload = last->lease.endpoint->config.facts.workload;
            record->destination_version = last->lease.endpoint->config.facts.version;
            record->destination_identity = last->lease.endpoint->config.facts.identity;
        }
        record->grpc_status = request_grpc_status(request, last);
    }
}

static void request_free(struct turn_task *task)
{
    struct request *request = CONTAINER_OF(task, struct request, free_task);
    relay_done(&request->up);
    relay_done(&request->down);
    replay_body_drop(&request->body);
    snapshot_unref(request->snapshot);
    struct arena arena = request->arena;
    arena_done(&arena);
}

void request_finish(struct request *request)
{
    if (request->state == REQUEST_DONE) {
        return;
    }
    request_enter(request, REQUEST_DONE);
    struct worker_scope *scope = request->origin.scope;
    timer_stop(&request->timer);
    config_wait_cancel(&request->config_wait);
    finish_record(request);
    if (request->head != NULL) {
        observe_request(scope->observe, &request->record);
    }
    for (struct attempt *attempt = request->attempt; attempt != NULL; attempt = attempt->previous) {
        attempt_end(attempt, request->downstream_gone);
    }
    http_stream_release(request->downstream);
    request->downstream = NULL;
    scope->live_requests--;
    if (request->origin.live != NULL) {
        (*request->origin.live)--;
    }
    request->free_task.run = request_free;
    loop_free_later(scope->loop, &request->free_task);
}

void request_fail(struct request *request, enum failure failure, struct span detail)
{
    request->record.failure = failure;
    /*
     * Retried here, so not worth it one hop earlier, or load would multiply. But what the inbound
     * side could not hand to its only application another endpoint of the service may take.
     */
    bool no_retry = request->extra_attempts > 0 &&
                    (request->origin.direction == RECORD_OUTBOUND ||
                     failure_facts(failure)->retry_class != RETRY_CLASS_NEVER_PROCESSED);
    if (request->state == REQUEST_RESPONDING || failure_facts(failure)->http_status == 0) {
        http_stream_reset(request->downstream, failure);
    } else {
        request->record.status = local_reply_send(request->downstream, request->head, failure,
                                                  detail, no_retry, &request->arena);
    }
    request_finish(request);
}
