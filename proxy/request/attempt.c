#include "proxy/request/attempt.h"

#include "proxy/request/request_state.h"

static void attempt_fail(struct attempt *attempt, enum failure failure)
{
    attempt->failure = failure;
    attempt->state = ATTEMPT_FAILED;
}

static void on_head(void *owner, struct http_head *head)
{
    struct attempt *attempt = owner;
    if (head->status < 200 && head->status != 101) {
        request_informational(attempt->request, attempt, head);
        return;
    }
    attempt->response = head;
    attempt->state = ATTEMPT_ANSWERED;
    attempt->first_byte_ns = loop_now_ns(attempt->request->origin.scope->loop);
    request_advance(attempt->request);
}

static void on_body(void *owner, const struct piece *piece)
{
    struct attempt *attempt = owner;
    relay_body(&attempt->request->down, piece);
    request_moved(attempt->request, &attempt->request->down);
}

static void on_trailers(void *owner, struct headers *trailers)
{
    struct attempt *attempt = owner;
    relay_trailers(&attempt->request->down, trailers);
}

static void on_end(void *owner)
{
    struct attempt *attempt = owner;
    relay_end(&attempt->request->down);
    request_moved(attempt->request, &attempt->request->down);
}

static void on_room(void *owner)
{
    struct attempt *attempt = owner;
    request_moved(attempt->request, &attempt->request->up);
}

static void on_reset(void *owner, enum failure failure)
{
    struct attempt *attempt = owner;
    if (request_has_answer(attempt->request, attempt)) {
        return;
    }
    attempt_fail(attempt, failure);
    request_advance(attempt->request);
}

static const struct http_stream_events stream_events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_room = on_room,
    .on_reset = on_reset,
};

static void attempt_open(struct attempt *attempt)
{
    struct request *request = attempt->request;
    attempt->upstream = attempt->lease.stream;
    attempt->to_mesh = attempt->lease.peer_identity.length > 0;
    attempt->state = ATTEMPT_OPEN;
    http_stream_attach(attempt->upstream, &request->arena, &stream_events, attempt);
    request_send(request, attempt);
}

static void on_leased(void *owner)
{
    struct attempt *attempt = owner;
    attempt_open(attempt);
    request_advance(attempt->request);
}

static void on_lease_failed(void *owner, enum failure failure)
{
    struct attempt *attempt = owner;
    attempt_fail(attempt, failure);
    request_advance(attempt->request);
}

static const struct lease_events lease_events = {
    .on_ready = on_leased,
    .on_failed = on_lease_failed,
};

struct attempt *attempt_create(struct request *request, struct attempt *previous)
{
    struct attempt *attempt = ARENA_NEW(&request->arena, struct attempt);
    attempt->request = request;
    attempt->previous = previous;
    attempt->number = previous == NULL ? 1 : previous->number + 1;
    return attempt;
}

static void wish_from(const struct request *request, const struct attempt *attempt,
                      struct lease_wish *wish)
{
    wish->kind = LEASE_HTTP;
    wish->deadline_ns = request->deadline_ns;
    wish->needs_upgrade = request->head->upgrade.length > 0;
    wish->http2_cleartext = request_wants_http2(request);
    for (const struct attempt *a = attempt->previous; a != NULL; a = a->previous) {
        if (a->lease.endpoint != NULL && wish->tried_count < LEASE_TRIED) {
            wish->tried[wish->tried_count++] = a->lease.endpoint;
        }
    }
}

void attempt_start(struct attempt *attempt)
{
    struct request *request = attempt->request;
    struct lease_wish wish = {0};
    wish_from(request, attempt, &wish);
    attempt->started_ns = loop_now_ns(request->origin.scope->loop);
    attempt->state = ATTEMPT_LEASING;
    enum lease_status status =
        lease_start(&attempt->lease, request->cluster, &wish, &lease_events, attempt);
    if (status == LEASE_READY) {
        attempt_open(attempt);
    } else if (status == LEASE_FAILED) {
        attempt_fail(attempt, attempt->lease.failure);
    }
}

static struct lease_outcome outcome_of(const struct attempt *attempt, bool cancelled)
{
    struct lease_outcome outcome = {
        .failure = attempt->failure,
        .grpc_status = -1,
        .latency_ns = -1,
        .cancelled = cancelled,
    };
    if (attempt->response != NULL) {
        outcome.status = attempt->response->status;
        outcome.grpc_status = request_grpc_status(attempt->request, attempt);
        outcome.latency_ns = attempt->first_byte_ns - attempt->started_ns;
    } else if (cancelled) {
        outcome.latency_ns =
            loop_now_ns(attempt->request->origin.scope->loop) - attempt->started_ns;
    }
    return outcome;
}

void attempt_end(struct attempt *attempt, bool cancelled)
{
    if (attempt->state == ATTEMPT_ENDED || attempt->state == ATTEMPT_NEW) {
        return;
    }
    struct lease_outcome outcome = outcome_of(attempt, cancelled);
    attempt->state = ATTEMPT_ENDED;
    attempt->upstream = NULL;
    lease_end(&attempt->lease, &outcome);
}
