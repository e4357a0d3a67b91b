#include "proxy/request/tunnel.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "lib/net/splice.h"
#include "proxy/policy/retry.h"
#include "proxy/request/cluster_unnamed.h"
#include "proxy/request/config_wait.h"
#include "proxy/upstream/lease.h"

#include <string.h>

enum tunnel_state {
    TUNNEL_CONFIG,    /* waits for the listener's configuration */
    TUNNEL_LEASING,   /* waits for the upstream connection */
    TUNNEL_CONNECTED, /* upstream is there, downstream not joined */
    TUNNEL_RELAYING,
    TUNNEL_OVER,
};

struct tunnel {
    struct request_origin origin;
    struct arena arena;
    struct snapshot *snapshot;
    struct config_wait config_wait;
    struct cluster *cluster;
    struct lease lease;
    struct transport *upstream; /* taken out of the lease */
    struct transport *downstream;
    struct relay_pair *pair;
    const struct tunnel_events *events;
    void *owner;
    struct request_record record;
    struct tcp_cells cells; /* while recorded_open */
    struct turn_task start_task, free_task;
    enum failure failure;
    uint32_t extra_attempts;
    const struct endpoint *tried[LEASE_TRIED];
    uint32_t tried_count;
    uint8_t state;
    bool recorded_open;
};

static void tunnel_free(struct turn_task *task)
{
    struct tunnel *tunnel = CONTAINER_OF(task, struct tunnel, free_task);
    snapshot_unref(tunnel->snapshot);
    arena_done(&tunnel->arena);
    mem_free(tunnel);
}

/* Gives everything back, whatever the state. */
static void tunnel_over(struct tunnel *tunnel, enum failure failure)
{
    if (tunnel->state == TUNNEL_OVER) {
        return;
    }
    tunnel->state = TUNNEL_OVER;
    struct worker_scope *scope = tunnel->origin.scope;
    turn_task_cancel(&tunnel->start_task);
    config_wait_cancel(&tunnel->config_wait);
    tunnel->record.done_ns = loop_now_ns(scope->loop);
    tunnel->record.failure = failure;
    if (tunnel->recorded_open) {
        observe_tcp_closed(scope->observe, &tunnel->record, &tunnel->cells);
    }
    if (tunnel->upstream != NULL) {
        transport_close(tunnel->upstream);
    }
    if (tunnel->downstream != NULL) {
        transport_abort(tunnel->downstream);
    }
    struct lease_outcome outcome = {.failure = failure, .grpc_status = -1, .latency_ns = -1};
    lease_end(&tunnel->lease, &outcome);
    tunnel->free_task.run = tunnel_free;
    loop_free_later(scope->loop, &tunnel->free_task);
}

static void tunnel_fail(struct tunnel *tunnel, enum failure failure)
{
    bool joined = tunnel->downstream != NULL;
    const struct tunnel_events *events = tunnel->events;
    void *owner = tunnel->owner;
    if (joined && !tunnel->recorded_open) {
        /* A connection that never reached an endpoint is counted too. */
        tunnel->recorded_open = true;
        observe_tcp_opened(tunnel->origin.scope->observe, &tunnel->record, &tunnel->cells);
    }
    tunnel_over(tunnel, failure);
    if (!joined) {
        events->on_failed(owner, failure);
    } else if (events->on_over != NULL) {
        events->on_over(owner);
    }
}

static void on_pair_done(void *owner, enum failure failure)
{
    struct tunnel *tunnel = owner;
    const struct tunnel_events *events = tunnel->events;
    void *events_owner = tunnel->owner;
    tunnel->pair = NULL;
    tunnel_over(tunnel, failure);
    if (events->on_over != NULL) {
        events->on_over(events_owner);
    }
}

static void on_pair_bytes(void *owner, uint64_t a_to_b, uint64_t b_to_a)
{
    struct tunnel *tunnel = owner;
    tunnel->record.bytes_in += a_to_b;
    tunnel->record.bytes_out += b_to_a;
    observe_tcp_moved(&tunnel->cells, a_to_b, b_to_a);
}

static const struct relay_pair_events pair_events = {
    .on_done = on_pair_done,
    .on_bytes = on_pair_bytes,
};

static void tunnel_relay(struct tunnel *tunnel)
{
    struct transport *downstream = tunnel->downstream;
    struct transport *upstream = tunnel->upstream;
    tunnel->downstream = NULL;
    tunnel->upstream = NULL;
    tunnel->state = TUNNEL_RELAYING;
    tunnel->recorded_open = true;
    observe_tcp_opened(tunnel->origin.scope->observe, &tunnel->record, &tunnel->cells);
    tunnel->pair =
        relay_pair_start(downstream, upstream, tunnel->cluster->config->facts.connection_idle_ms,
                         &pair_events, tunnel);
}

static void on_upstream_ready(void *owner, unsigned events)
{
    struct tunnel *tunnel = owner;
    if ((events & TRANSPORT_READABLE) == 0 || tunnel->downstream != NULL) {
        return;
    }
    /* A server that goes away unasked has not spoken; the relay finds its end again. */
    char byte;
    ssize_t got = transport_read(tunnel->upstream, &byte, 1);
    if (got == TRANSPORT_AGAIN) {
        return;
    }
    if (got > 0) {
        transport_unread(tunnel->upstream, span_make(&byte, 1));
    }
    transport_want(tunnel->upstream, 0); /* asked once; the relay reads it */
    tunnel->events->on_spoken(tunnel->owner, got > 0);
}

static void on_connected(struct tunnel *tunnel)
{
    struct request_record *record = &tunnel->record;
    record->upstream_ns = loop_now_ns(tunnel->origin.scope->loop);
    record->upstream = tunnel->lease.endpoint->config.facts.address;
    record->mtls_upstream = tunnel->lease.peer_identity.length > 0;
    if (tunnel->origin.direction == RECORD_OUTBOUND) {
        record->destination_workload = tunnel->lease.endpoint->config.facts.workload;
        record->destination_identity = tunnel->lease.endpoint->config.facts.identity;
    }
    tunnel->upstream = tunnel->lease.transport;
    tunnel->lease.transport = NULL;
    tunnel->state = TUNNEL_CONNECTED;
    if (tunnel->downstream != NULL) {
        tunnel_relay(tunnel);
        return;
    }
    transport_own(tunnel->upstream, on_upstream_ready, tunnel);
    transport_want(tunnel->upstream, TRANSPORT_READABLE);
}

static void tunnel_lease(struct tunnel *tunnel);

/* A connection that was never made may be tried at another endpoint, within the budget. */
static bool try_elsewhere(struct tunnel *tunnel, enum failure failure)
{
    const struct xds_cluster *facts = &tunnel->cluster->config->facts;
    struct retry_policy policy = {.limit = 2, .on = RETRY_ON_NEVER_PROCESSED};
    struct retry_budget_policy budget = {
        .percent = (uint32_t)facts->retry_budget_percent,
        .min_per_s = (uint32_t)facts->retry_budget_min_per_s,
        .window_ms = facts->retry_budget_window_ms,
    };
    struct retry_facts retry = {
        .failure = failure,
        .extra_so_far = tunnel->extra_attempts,
        .method = HTTP_METHOD_OTHER,
        .replayable = true,
        .attempt_in = 1,
        .retry_after_ms = -1,
        .now_ns = loop_now_ns(tunnel->origin.scope->loop),
    };
    if (tunnel->lease.endpoint == NULL ||
        retry_decide(&policy, &retry, tunnel->cluster->budget, &budget).denial != RETRY_GRANTED) {
        return false;
    }
    tunnel->extra_attempts++;
    if (tunnel->tried_count < LEASE_TRIED) {
        tunnel->tried[tunnel->tried_count++] = tunnel->lease.endpoint;
    }
    struct lease_outcome outcome = {.failure = failure, .grpc_status = -1, .latency_ns = -1};
    lease_end(&tunnel->lease, &outcome);
    memset(&tunnel->lease, 0, sizeof(tunnel->lease));
    return true;
}

static void on_leased(void *owner)
{
    on_connected(owner);
}

static void on_lease_failed(void *owner, enum failure failure)
{
    struct tunnel *tunnel = owner;
    if (try_elsewhere(tunnel, failure)) {
        tunnel_lease(tunnel);
        return;
    }
    tunnel_fail(tunnel, failure);
}

static const struct lease_events lease_events = {
    .on_ready = on_leased,
    .on_failed = on_lease_failed,
};

/* Runs from the loop only, so that it may fail at once. */
static void tunnel_lease(struct tunnel *tunnel)
{
    struct lease_wish wish = {.kind = LEASE_TCP};
    memcpy(wish.tried, tunnel->tried, sizeof(wish.tried));
    wish.tried_count = tunnel->tried_count;
    tunnel->state = TUNNEL_LEASING;
    enum lease_status status =
        lease_start(&tunnel->lease, tunnel->cluster, &wish, &lease_events, tunnel);
    if (status == LEASE_READY) {
        on_connected(tunnel);
    } else if (status == LEASE_FAILED) {
        on_lease_failed(tunnel, tunnel->lease.failure);
    }
}

static void use_cluster(struct tunnel *tunnel, struct cluster *cluster)
{
    const struct xds_cluster *facts = &cluster->config->facts;
    struct request_record *record = &tunnel->record;
    tunnel->cluster = cluster;
    record->cluster = cluster->name;
    record->destination_service = cluster->service;
    record->destination_namespace = cluster->namespace_name;
    if (tunnel->origin.direction == RECORD_INBOUND) {
        record->destination_service = tunnel->origin.service;
        record->destination_namespace = tunnel->snapshot->workload->facts.namespace_name;
        record->destination_workload = tunnel->snapshot->workload->facts.workload;
    }
    struct retry_budget_policy budget = {
        .percent = (uint32_t)facts->retry_budget_percent,
        .min_per_s = (uint32_t)facts->retry_budget_min_per_s,
        .window_ms = facts->retry_budget_window_ms,
    };
    retry_budget_original(cluster->budget, &budget, record->opened_ns);
    tunnel_lease(tunnel);
}

static void use_listener(struct tunnel *tunnel)
{
    const struct listener_config *listener =
        snapshot_listener(tunnel->snapshot, tunnel->origin.listener);
    if (listener == NULL) {
        tunnel_fail(tunnel, FAILURE_NO_ROUTE);
        return;
    }
    struct span name = listener_config_tcp_cluster(listener, random_unit());
    if (name.length == 0) {
        tunnel_fail(tunnel, FAILURE_INVALID_BACKEND);
        return;
    }
    struct cluster *cluster = cluster_find(tunnel->origin.scope->upstream, name);
    if (cluster == NULL) {
        tunnel_fail(tunnel, FAILURE_NO_CLUSTER);
        return;
    }
    use_cluster(tunnel, cluster);
}

static void on_config(struct config_wait *wait, bool known)
{
    struct tunnel *tunnel = CONTAINER_OF(wait, struct tunnel, config_wait);
    snapshot_unref(tunnel->snapshot);
    tunnel->snapshot = snapshot_ref(tunnel->origin.scope->snapshot);
    if (!known) {
        bool absent = snapshot_is_absent(tunnel->snapshot, tunnel->origin.listener);
        tunnel_fail(tunnel, absent ? FAILURE_NO_ROUTE : FAILURE_CONFIG_TIMEOUT);
        return;
    }
    use_listener(tunnel);
}

static void tunnel_begin(struct turn_task *task)
{
    struct tunnel *tunnel = CONTAINER_OF(task, struct tunnel, start_task);
    const struct request_origin *origin = &tunnel->origin;
    if (origin->listener.length == 0) {
        use_cluster(tunnel, cluster_unnamed(origin, &tunnel->arena));
        return;
    }
    switch (config_wait_start(&tunnel->config_wait, origin->scope, origin->listener, on_config)) {
    case CONFIG_KNOWN:
        use_listener(tunnel);
        break;
    case CONFIG_ABSENT:
        tunnel_fail(tunnel, FAILURE_NO_ROUTE);
        break;
    case CONFIG_ASKED:
        break;
    }
}

struct tunnel *tunnel_start(const struct request_origin *origin, uint8_t protocol,
                            const struct tunnel_events *events, void *owner)
{
    struct tunnel *tunnel = NEW(struct tunnel);
    tunnel->origin = *origin;
    tunnel->events = events;
    tunnel->owner = owner;
    tunnel->snapshot = snapshot_ref(origin->scope->snapshot);
    arena_init(&tunnel->arena);
    struct request_record *record = &tunnel->record;
    record->opened_ns = loop_now_ns(origin->scope->loop);
    record->direction = origin->direction;
    record->protocol = protocol;
    record->mtls_downstream = origin->mtls;
    record->downstream = origin->downstream;
    record->original_dst = origin->original_dst;
    record->source_identity = origin->peer_identity;
    record->grpc_status = -1;
    record->attempts = 1;
    if (origin->direction == RECORD_OUTBOUND) {
        record->source_workload = tunnel->snapshot->workload->facts.workload;
        record->source_namespace = tunnel->snapshot->workload->facts.namespace_name;
    }
    tunnel->start_task.run = tunnel_begin;
    loop_flush_later(origin->scope->loop, &tunnel->start_task);
    return tunnel;
}

/* While the upstream connects nothing is read: the client's bytes wait in the kernel. */
static void on_downstream_ready(void *owner, unsigned events)
{
}

void tunnel_join(struct tunnel *tunnel, struct transport *downstream)
{
    CHECK(tunnel->downstream == NULL && tunnel->state < TUNNEL_RELAYING);
    tunnel->downstream = downstream;
    if (tunnel->state == TUNNEL_CONNECTED) {
        tunnel_relay(tunnel);
    } else {
        transport_own(downstream, on_downstream_ready, tunnel);
        transport_want(downstream, 0);
    }
}

void tunnel_abandon(struct tunnel *tunnel)
{
    if (tunnel->pair != NULL) {
        relay_pair_abort(tunnel->pair);
        tunnel->pair = NULL;
    }
    tunnel_over(tunnel, FAILURE_NONE);
}
