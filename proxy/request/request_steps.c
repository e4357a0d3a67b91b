#include "proxy/request/request_state.h"

#include "lib/base/check.h"
#include "lib/base/random.h"
#include "proxy/observe/trace_context.h"
#include "proxy/request/cluster_unnamed.h"
#include "proxy/request/local_reply.h"

/*
 * What happens next, and nothing else decides it: one step function a state. Each looks at what has
 * happened (heads, attempts, timers) and acts once.
 */

static int64_t now_of(const struct request *request)
{
    return loop_now_ns(request->origin.scope->loop);
}

bool request_wants_http2(const struct request *request)
{
    if (request->origin.direction == RECORD_OUTBOUND ||
        request->origin.protocol == XDS_PROTOCOL_HTTP2) {
        return request->head->version == 20;
    }
    if (request->origin.protocol == XDS_PROTOCOL_HTTP1) {
        return false;
    }
    return request->head->version == 20 && !request->wishes.from_http1;
}

static int16_t grpc_status_of(const struct headers *headers)
{
    uint64_t code = 0;
    if (span_to_u64(headers_value(headers, HEADER_GRPC_STATUS), 99, &code)) {
        return (int16_t)code;
    }
    return -1;
}

int16_t request_grpc_status(const struct request *request, const struct attempt *attempt)
{
    if (attempt == request->attempt && request->down.trailers != NULL) {
        return grpc_status_of(request->down.trailers);
    }
    return attempt->response != NULL ? grpc_status_of(&attempt->response->headers) : -1;
}

/* ---- ROUTED ---------------------------------------------------------------------------------- */

/* NAMESPACE/WORKLOAD of the caller: told by its sidecar, else out of its identity, else unknown. */
static void name_source(struct request *request)
{
    struct request_record *record = &request->record;
    const struct xds_workload *self = &request->snapshot->workload->facts;
    if (request->origin.direction == RECORD_OUTBOUND) {
        record->source_workload = self->workload;
        record->source_namespace = self->namespace_name;
        return;
    }
    struct span said = request->wishes.source_workload;
    struct span part;
    if (span_next(&said, '/', &part)) {
        record->source_namespace = part;
        record->source_workload = said;
    }
    record->source_identity = request->origin.peer_identity;
}

static void read_head(struct request *request)
{
    const struct http_head *head = request->head;
    struct request_record *record = &request->record;
    request_wishes_read(head, request->origin.direction, request->origin.from_sidecar,
                        &request->wishes);
    record->protocol = http_head_is_grpc(head)                              ? RECORD_GRPC
                       : head->version == 20 && !request->wishes.from_http1 ? RECORD_HTTP2
                                                                            : RECORD_HTTP1;
    record->attempt_in = (uint8_t)request->wishes.attempt_in;
    record->method = head->method;
    record->authority = head->authority;
    record->path = head->path;
    record->user_agent = headers_value(&head->headers, HEADER_USER_AGENT);
    record->request_id = headers_value(&head->headers, HEADER_X_REQUEST_ID);
    if (record->request_id.length == 0) {
        request->request_id = request_id_make(&request->arena);
        record->request_id = request->request_id;
    }
    trace_read(&head->headers, request->snapshot->workload->facts.tracing_per_million,
               random_unit(), &record->trace);
    name_source(request);
}

static void on_config(struct config_wait *wait, bool known)
{
    struct request *request = CONTAINER_OF(wait, struct request, config_wait);
    request->config_failed = !known;
    snapshot_unref(request->snapshot);
    request->snapshot = snapshot_ref(request->origin.scope->snapshot);
    request_advance(request);
}

/* True when the listener can be looked up in the snapshot now. */
static bool have_config(struct request *request)
{
    if (link_linked(&request->config_wait.link)) {
        return false;
    }
    if (request->config_failed) {
        bool absent = snapshot_is_absent(request->snapshot, request->origin.listener);
        request_fail(request, absent ? FAILURE_NO_ROUTE : FAILURE_CONFIG_TIMEOUT,
                     request->origin.listener);
        return false;
    }
    enum config_known known = config_wait_start(&request->config_wait, request->origin.scope,
                                                request->origin.listener, on_config);
    if (known == CONFIG_ABSENT) {
        request->config_failed = true;
        return have_config(request);
    }
    return known == CONFIG_KNOWN;
}

static void set_times(struct request *request)
{
    const struct xds_cluster *facts = &request->cluster->config->facts;
    int64_t limit_ms = request->route != NULL ? request->route->facts->timeout_ms : 0;
    int64_t wishes[] = {request->wishes.timeout_ms, request->wishes.grpc_timeout_ms};
    for (size_t i = 0; i < 2; i++) {
        if (wishes[i] > 0 && (limit_ms == 0 || wishes[i] < limit_ms)) {
            limit_ms = wishes[i];
        }
    }
    if (limit_ms > 0) {
        request->deadline_ns = request->record.opened_ns + limit_ms * NS_PER_MS;
    }
    if (request->route != NULL) {
        request->per_try_ns = request->route->facts->per_try_timeout_ms * NS_PER_MS;
    }
    request->idle_ns = facts->stream_idle_ms * NS_PER_MS;
    request_arm(request);
}

static void set_retry(struct request *request)
{
    request->retry = (struct retry_policy){
        .limit = 2,
        .on = RETRY_ON_NEVER_PROCESSED,
        .backoff_base_ms = 25,
        .backoff_max_ms = 250,
    };
    if (request->route == NULL) {
        return;
    }
    const struct xds_route *route = request->route->facts;
    if (route->retry_limit >= 0) {
        request->retry.limit = (uint32_t)route->retry_limit;
    }
    request->retry.on |= retry_conditions_parse(route->retry_on);
}

static bool use_cluster(struct request *request, struct cluster *cluster)
{
    struct request_record *record = &request->record;
    request->cluster = cluster;
    record->cluster = cluster->name;
    record->destination_service = cluster->service;
    record->destination_namespace = cluster->namespace_name;
    if (request->origin.direction == RECORD_INBOUND) {
        const struct xds_workload *self = &request->snapshot->workload->facts;
        record->destination_service = request->origin.service;
        record->destination_namespace = self->namespace_name;
        record->destination_workload = self->workload;
        record->destination_version = self->version;
    }
    set_times(request);
    set_retry(request);
    request_enter(request, REQUEST_LIMITED);
    return true;
}

static bool use_named_cluster(struct request *request, struct span name)
{
    if (name.length == 0) {
        request_fail(request, FAILURE_INVALID_BACKEND, SPAN_EMPTY);
        return false;
    }
    struct cluster *cluster = cluster_find(request->origin.scope->upstream, name);
    if (cluster == NULL) {
        request_fail(request, FAILURE_NO_CLUSTER, name);
        return false;
    }
    return use_cluster(request, cluster);
}

static bool answer_from_route(struct request *request)
{
    const struct xds_route *route = request->route->facts;
    struct span location = SPAN_EMPTY;
    /* A bare 500 is how a rule without any valid backend is said in xDS. */
    if (route->action == XDS_ACTION_DIRECT && route->status == 500 && route->body.length == 0) {
        request_fail(request, FAILURE_INVALID_BACKEND, SPAN_EMPTY);
        return false;
    }
    if (route->action == XDS_ACTION_REDIRECT) {
        location = route_redirect_location(request->route, request->head, request->origin.port,
                                           &request->arena);
    }
    request->record.status = route->status;
    local_reply_plain(request->downstream, route->status, location, route->body, request->head,
                      &request->arena);
    request_finish(request);
    return false;
}

static bool route_by_listener(struct request *request)
{
    request->listener = snapshot_listener(request->snapshot, request->origin.listener);
    if (request->listener == NULL) {
        request_fail(request, FAILURE_NO_ROUTE, request->origin.listener);
        return false;
    }
    if (request->listener->routes == NULL) {
        return use_named_cluster(request,
                                 listener_config_tcp_cluster(request->listener, random_unit()));
    }
    request->route = route_match(request->listener->routes, request->head);
    if (request->route == NULL) {
        request_fail(request, FAILURE_NO_ROUTE, SPAN_EMPTY);
        return false;
    }
    request->record.route = request->route->facts->name;
    if (request->route->facts->action != XDS_ACTION_FORWARD) {
        return answer_from_route(request);
    }
    request->backend = route_pick_cluster(request->route, random_unit());
    return use_named_cluster(request,
                             request->backend != NULL ? request->backend->name : SPAN_EMPTY);
}

/*
 * Nobody in the mesh has the address. The host may still be one that an ExternalService declares;
 * what it does not declare leaves only where egress is allowed.
 */
static bool place_outside(struct request *request)
{
    struct request_origin *origin = &request->origin;
    struct span host;
    uint16_t port;
    struct phone_number number;
    if (http_authority_split(request->head->authority, &host, &port) &&
        phone_book_find_host(request->snapshot->phone_book, host, origin->original_dst.port,
                             &request->arena, &number)) {
        origin->service_host = number.host;
        origin->listener = number.listener;
        return true;
    }
    if (request->snapshot->workload->facts.egress_denied) {
        request_fail(request, FAILURE_EGRESS_DENIED, SPAN_EMPTY);
        return false;
    }
    return true;
}

static bool step_routed(struct request *request)
{
    if (request->record.method.length == 0) {
        read_head(request);
    }
    if (request->head->method_token == HTTP_METHOD_CONNECT) {
        request_fail(request, FAILURE_BAD_REQUEST, SPAN("CONNECT is not taken here"));
        return false;
    }
    if (request->origin.direction == RECORD_OUTBOUND && request->origin.listener.length == 0 &&
        request->origin.workload == NULL && !place_outside(request)) {
        return false;
    }
    if (request->origin.listener.length == 0) {
        return use_cluster(request, cluster_unnamed(&request->origin, &request->arena));
    }
    return have_config(request) && route_by_listener(request);
}

/* ---- LIMITED --------------------------------------------------------------------------------- */

static struct retry_budget_policy budget_policy(const struct request *request)
{
    const struct xds_cluster *facts = &request->cluster->config->facts;
    return (struct retry_budget_policy){
        .percent = (uint32_t)facts->retry_budget_percent,
        .min_per_s = (uint32_t)facts->retry_budget_min_per_s,
        .window_ms = facts->retry_budget_window_ms,
    };
}

static void start_attempt(struct request *request)
{
    request_enter(request, REQUEST_TRYING);
    request->attempt = attempt_create(request, request->attempt);
    attempt_start(request->attempt);
    if (request->per_try_ns > 0) {
        request_arm(request);
    }
}

static bool step_limited(struct request *request)
{
    struct upstream *upstream = request->origin.scope->upstream;
    if (upstream->requests >= upstream->max_requests) {
        request_fail(request, FAILURE_OVERFLOW_REQUESTS, SPAN_EMPTY);
        return false;
    }
    struct retry_budget_policy policy = budget_policy(request);
    retry_budget_original(request->cluster->budget, &policy, now_of(request));
    start_attempt(request);
    return true;
}

/* ---- TRYING ---------------------------------------------------------------------------------- */

void request_send(struct request *request, struct attempt *attempt)
{
    const struct xds_workload *self = &request->snapshot->workload->facts;
    int64_t left_ms = 0;
    if (request->deadline_ns > 0) {
        left_ms = (request->deadline_ns - now_of(request)) / NS_PER_MS;
        left_ms = left_ms > 0 ? left_ms : 1;
    }
    struct forward_facts facts = {
        .direction = request->origin.direction,
        .to_mesh = attempt->to_mesh,
        .from_mesh = request->origin.from_sidecar,
        .https = request->origin.https,
        .route = request->route,
        .cluster = request->backend,
        .wishes = &request->wishes,
        .attempt = attempt->number,
        .time_left_ms = left_ms,
        .trace = &request->record.trace,
        .request_id = request->request_id,
        .peer_identity = request->origin.peer_identity,
        .downstream = &request->origin.downstream,
        .original_dst = &request->origin.original_dst,
    };
    if (attempt->to_mesh) {
        facts.own_workload =
            ARENA_JOIN(&request->arena, self->namespace_name, SPAN("/"), self->workload);
    }
    struct http_head *head = forward_request(request->head, &facts, &request->arena);
    bool ends = !request->head->has_body && request->head->upgrade.length == 0;
    http_stream_send_head(attempt->upstream, head, ends);
    relay_to(&request->up, attempt->upstream);
    request->up.end_sent = ends;
    if (attempt->number > 1 && !ends) {
        replay_body_copy(&request->body, &request->up.first);
    }
    relay_pump(&request->up);
}

void request_informational(struct request *request, const struct attempt *attempt,
                           struct http_head *head)
{
    if (request->state == REQUEST_TRYING && attempt == request->attempt) {
        http_stream_send_head(request->downstream, head, false);
    }
}

/* No way back from here: the answer of this attempt is the answer. */
static void commit(struct request *request, struct attempt *attempt)
{
    request_enter(request, REQUEST_RESPONDING);
    replay_body_drop(&request->body);
    request->up.keep = NULL;
    request->record.status = attempt->response->status;
    struct http_head *head = forward_response(attempt->response, request->route, request->backend,
                                              attempt->to_mesh, &request->arena);
    bool ends = !attempt->response->has_body && attempt->response->status != 101;
    http_stream_send_head(request->downstream, head, ends);
    request->down.from = attempt->upstream;
    relay_to(&request->down, request->downstream);
    request->down.end_sent = ends;
    relay_pump(&request->down);
    request_arm(request);
}

static int64_t retry_after_ms(const struct attempt *attempt)
{
    uint64_t seconds = 0;
    if (attempt->response != NULL &&
        span_to_u64(headers_value(&attempt->response->headers, HEADER_RETRY_AFTER), 86400,
                    &seconds)) {
        return (int64_t)seconds * 1000;
    }
    return -1;
}

static bool answer_says_no_retry(const struct attempt *attempt)
{
    return attempt->to_mesh && attempt->response != NULL &&
           span_equal(headers_value(&attempt->response->headers, HEADER_X_REMORA_RETRY),
                      SPAN("no"));
}

/*
 * A sidecar that could not get an answer out of its application says so in its own: another
 * endpoint may take the request, as if the attempt had failed here. Only a verified peer is
 * believed; what an application writes into that field is taken out by its own sidecar.
 */
static enum failure told_by_peer(const struct attempt *attempt)
{
    if (!attempt->to_mesh || attempt->response == NULL) {
        return FAILURE_NONE;
    }
    struct span word = headers_value(&attempt->response->headers, HEADER_X_REMORA_REASON);
    enum failure failure = word.length > 0 ? failure_of_word(word) : FAILURE_NONE;
    return failure_facts(failure)->retry_class != RETRY_CLASS_NO ? failure : FAILURE_NONE;
}

/* True when another attempt will follow; then this one has been given back. */
static bool retry_instead(struct request *request, struct attempt *attempt)
{
    struct retry_facts facts = {
        .failure = attempt->failure != FAILURE_NONE ? attempt->failure : told_by_peer(attempt),
        .status = attempt->response != NULL ? attempt->response->status : 0,
        .extra_so_far = request->extra_attempts,
        .method = request->head->method_token,
        .replayable = !request->body.lost,
        .response_started = request->state == REQUEST_RESPONDING,
        .attempt_in = request->wishes.attempt_in,
        .retry_after_ms = retry_after_ms(attempt),
        .deadline_ns = request->deadline_ns,
        .now_ns = now_of(request),
        .draw = random_unit(),
    };
    struct retry_budget_policy policy = budget_policy(request);
    struct retry_decision decision = {.denial = RETRY_DENIED_NOT_RETRIABLE};
    if (!answer_says_no_retry(attempt)) {
        decision = retry_decide(&request->retry, &facts, request->cluster->budget, &policy);
    }
    if (decision.denial != RETRY_GRANTED) {
        request->record.retry_denied = retry_denial_word(decision.denial);
        return false;
    }
    request->extra_attempts++;
    observe_retry(request->origin.scope->observe, "retry", NULL);
    relay_to(&request->up, NULL);
    attempt_end(attempt, false);
    request->back_off_until_ns = now_of(request) + decision.delay_ms * NS_PER_MS;
    request_enter(request, REQUEST_BACKING_OFF);
    request_arm(request);
    return true;
}

/* Past a time limit? Fails the attempt or the request. True when something was done. */
static bool time_is_over(struct request *request)
{
    int64_t now = now_of(request);
    if (request->deadline_ns > 0 && now >= request->deadline_ns) {
        request_fail(request, FAILURE_REQUEST_TIMEOUT, SPAN_EMPTY);
        return true;
    }
    if (request->idle_ns > 0 && now >= request->moved_ns + request->idle_ns) {
        request_fail(request, FAILURE_STREAM_IDLE, SPAN_EMPTY);
        return true;
    }
    return false;
}

static bool per_try_is_over(const struct request *request)
{
    return request->per_try_ns > 0 &&
           now_of(request) >= request->attempt->started_ns + request->per_try_ns;
}

/* What a failed attempt was about, for the local reply. */
static struct span failure_detail(const struct attempt *attempt)
{
    if (attempt->lease.endpoint == NULL) {
        return attempt->lease.cluster != NULL ? attempt->lease.cluster->config->facts.name
                                              : SPAN_EMPTY;
    }
    return span_of(attempt->lease.endpoint->text);
}

static bool step_trying(struct request *request)
{
    struct attempt *attempt = request->attempt;
    if (attempt->state == ATTEMPT_ANSWERED) {
        bool failed = attempt->response->status >= 500 || told_by_peer(attempt) != FAILURE_NONE;
        if (failed && retry_instead(request, attempt)) {
            return true;
        }
        commit(request, attempt);
        return true;
    }
    if (attempt->state != ATTEMPT_FAILED && per_try_is_over(request)) {
        attempt->failure = FAILURE_PER_TRY_TIMEOUT;
        attempt->state = ATTEMPT_FAILED;
    }
    if (attempt->state == ATTEMPT_FAILED) {
        if (retry_instead(request, attempt)) {
            return true;
        }
        relay_to(&request->up, NULL);
        request_fail(request, attempt->failure, failure_detail(attempt));
        return false;
    }
    time_is_over(request);
    return false;
}

static bool step_backing_off(struct request *request)
{
    if (time_is_over(request)) {
        return false;
    }
    if (now_of(request) < request->back_off_until_ns) {
        return false;
    }
    start_attempt(request);
    return true;
}

/* ---- RESPONDING ------------------------------------------------------------------------------ */

void request_moved(struct request *request, struct relay *relay)
{
    request->moved_ns = now_of(request);
    relay_pump(relay);
    if (request->state == REQUEST_RESPONDING) {
        request_advance(request);
    }
}

bool request_has_answer(struct request *request, const struct attempt *attempt)
{
    if (request->state != REQUEST_RESPONDING || attempt != request->attempt ||
        !request->down.ended || attempt->response->status == 101) {
        return false;
    }
    relay_to(&request->up, NULL);
    return true;
}

static bool step_responding(struct request *request)
{
    struct attempt *attempt = request->attempt;
    if (request->down.end_sent) {
        request_finish(request);
        return false;
    }
    if (attempt->state == ATTEMPT_FAILED) {
        request_fail(request, attempt->failure, SPAN_EMPTY);
        return false;
    }
    time_is_over(request);
    return false;
}

bool request_step(struct request *request)
{
    switch ((enum request_state)request->state) {
    case REQUEST_RECEIVING:
        return false;
    case REQUEST_ROUTED:
        return step_routed(request);
    case REQUEST_LIMITED:
        return step_limited(request);
    case REQUEST_TRYING:
        return step_trying(request);
    case REQUEST_BACKING_OFF:
        return step_backing_off(request);
    case REQUEST_RESPONDING:
        return step_responding(request);
    case REQUEST_DONE:
    case REQUEST_STATES:
        break;
    }
    UNREACHABLE("a request that is done takes no step");
}
