#include "proxy/upstream/lease.h"

#include "lib/base/check.h"
#include "lib/http/connect_transport.h"
#include "proxy/upstream/cluster_run.h"
#include "proxy/upstream/lease_run.h"
#include "proxy/upstream/pool_conn.h"

/* ---- marks ---- */

static void admit(struct lease *lease)
{
    struct cluster *cluster = lease->cluster;
    cluster->leases++;
    cluster->counters.leases++;
    if (lease->wish.kind == LEASE_HTTP) {
        cluster->upstream->requests++;
    }
}

void lease_assign(struct lease *lease, struct endpoint *endpoint)
{
    CHECK(!lease->assigned);
    lease->endpoint = endpoint;
    lease->assigned = true;
    endpoint->active++;
    endpoint->used_ns = lease->started_ns;
}

void lease_unassign(struct lease *lease)
{
    if (lease->assigned) {
        lease->assigned = false;
        lease->endpoint->active--;
        lease->endpoint->used_ns = cluster_now_ns(lease->cluster);
    }
}

/* The last thing of every lease. The endpoint's name stays readable. */
static void dismiss(struct lease *lease)
{
    struct cluster *cluster = lease->cluster;
    lease_unassign(lease);
    lease->state = LEASE_ENDED;
    if (lease->wish.kind == LEASE_HTTP) {
        cluster->upstream->requests--;
    }
    cluster->leases--;
    cluster->used_ns = cluster_now_ns(cluster);
    if (cluster->queued > 0) {
        cluster_settle_later(cluster);
    }
    cluster_let_go(cluster);
}

/* Stream, transport and connection go back. */
static void give_back(struct lease *lease)
{
    if (lease->stream != NULL) {
        http_stream_release(lease->stream);
        lease->stream = NULL;
        lease->cluster->requests--;
    }
    if (lease->transport != NULL) {
        if (lease->state == LEASE_TUNNELLING) {
            transport_abort(lease->transport);
        } else {
            transport_close(lease->transport);
        }
        lease->transport = NULL;
    }
    struct pool_conn *conn = lease->conn;
    lease->conn = NULL;
    lease->peer_identity = SPAN_EMPTY;
    if (conn == NULL) {
        return;
    }
    if (lease->state == LEASE_DIALLING) {
        pool_conn_close(conn, FAILURE_NONE);
    } else {
        pool_conn_return(conn);
    }
}

/* ---- places ---- */

static void leave_place(struct lease *lease)
{
    if (lease->state == LEASE_QUEUED) {
        lease->cluster->queued--;
        list_remove(&lease->place);
    } else if (lease->state == LEASE_IN_LANE) {
        lane_forget(lease);
    }
}

void lease_decide(struct lease *lease, enum failure failure)
{
    struct cluster *cluster = lease->cluster;
    CHECK(lease->state < LEASE_DUE);
    cluster_wait_over(cluster, lease);
    leave_place(lease);
    if (failure != FAILURE_NONE) {
        give_back(lease);
    }
    lease->failure = failure;
    lease->state = LEASE_DUE;
    list_push_back(&cluster->due, &lease->place);
    cluster_settle_later(cluster);
}

void lease_requeue(struct lease *lease)
{
    struct cluster *cluster = lease->cluster;
    leave_place(lease);
    give_back(lease);
    lease_unassign(lease);
    lease->endpoint = NULL;
    lease->state = LEASE_QUEUED;
    list_push_front(&cluster->queues[lease->wish.kind], &lease->place);
    cluster->queued++;
    cluster_settle_later(cluster);
}

void lease_tell(struct lease *lease)
{
    const struct lease_events *events = lease->events;
    void *owner = lease->owner;
    list_remove(&lease->place);
    if (lease->failure == FAILURE_NONE) {
        lease->state = LEASE_HELD;
        events->on_ready(owner);
    } else {
        enum failure failure = lease->failure;
        dismiss(lease);
        events->on_failed(owner, failure);
    }
}

/* ---- streams and transports ---- */

static void on_tunnel(void *owner, unsigned events)
{
    struct lease *lease = owner;
    if ((events & TRANSPORT_READY) != 0) {
        lease_transport_ready(lease, lease->transport);
        return;
    }
    char byte;
    if (lease->transport->failure == FAILURE_NONE &&
        transport_read(lease->transport, &byte, 1) == TRANSPORT_AGAIN) {
        return;
    }
    enum failure failure = lease->transport->failure;
    lease_decide(lease, failure != FAILURE_NONE ? failure : FAILURE_CONNECT_FAILED);
}

static void tunnel_begin(struct lease *lease, struct http_stream *stream)
{
    struct endpoint *endpoint = lease->endpoint;
    struct arena arena = {0};
    struct http_head head;
    http_head_init(&head, &arena);
    head.method = SPAN("CONNECT");
    head.method_token = HTTP_METHOD_CONNECT;
    head.authority = lease->wish.tunnel_authority.length > 0 ? lease->wish.tunnel_authority
                                                             : span_of(endpoint->text);
    head.version = 20;
    head.content_length = -1;
    head.has_body = true;
    const struct address local = lease->conn->http->transport->local;
    http_stream_send_head(stream, &head, false);
    lease->transport = connect_transport_client(lease->cluster->upstream->loop, stream, &local,
                                                &endpoint->config.facts.address);
    transport_own(lease->transport, on_tunnel, lease);
    transport_want(lease->transport, TRANSPORT_READABLE);
    arena_done(&arena);
}

bool lease_use(struct lease *lease, struct pool_conn *conn)
{
    struct http_stream *stream = pool_conn_open_stream(conn);
    if (stream == NULL) {
        return false;
    }
    lease->conn = conn;
    lease->reused = lease->state == LEASE_NEW;
    lease->peer_identity = span_of(conn->identity);
    if (lease->wish.kind == LEASE_HTTP) {
        lease->stream = stream;
        lease->cluster->requests++;
    } else {
        tunnel_begin(lease, stream);
    }
    return true;
}

void lease_transport_ready(struct lease *lease, struct transport *transport)
{
    transport_own(transport, NULL, NULL);
    transport_want(transport, 0);
    lease->transport = transport;
    lease_decide(lease, FAILURE_NONE);
}

/* ---- what owners call ---- */

static enum lease_status refuse(struct lease *lease, enum failure failure)
{
    lease->failure = failure;
    dismiss(lease);
    return LEASE_FAILED;
}

static enum lease_status enqueue(struct lease *lease)
{
    struct cluster *cluster = lease->cluster;
    enum failure hopeless = cluster_hopeless(cluster);
    if (hopeless != FAILURE_NONE) {
        cluster->counters.no_endpoint++;
        return refuse(lease, hopeless);
    }
    if (cluster->queued >= (uint32_t)cluster->config->facts.max_pending) {
        cluster->counters.pending_overflow++;
        return refuse(lease, FAILURE_OVERFLOW_PENDING);
    }
    lease->state = LEASE_QUEUED;
    list_push_back(&cluster->queues[lease->wish.kind], &lease->place);
    cluster->queued++;
    cluster_wait(cluster, lease);
    return LEASE_WAIT;
}

enum lease_status lease_start(struct lease *lease, struct cluster *cluster,
                              const struct lease_wish *wish, const struct lease_events *events,
                              void *owner)
{
    CHECK(lease->state == LEASE_NEW);
    lease->cluster = cluster;
    lease->events = events;
    lease->owner = owner;
    lease->wish = *wish;
    lease->started_ns = cluster_now_ns(cluster);
    cluster->used_ns = lease->started_ns;
    admit(lease);
    if (cluster->leaving) {
        cluster->counters.no_endpoint++;
        return refuse(lease, FAILURE_NO_ENDPOINT);
    }
    if (wish->kind == LEASE_HTTP &&
        cluster->requests >= (uint32_t)cluster->config->facts.max_requests) {
        return refuse(lease, FAILURE_OVERFLOW_REQUESTS);
    }
    if (!list_empty(&cluster->queues[wish->kind])) {
        return enqueue(lease);
    }
    switch (cluster_place(cluster, lease)) {
    case LEASE_PLACED:
        lease->state = LEASE_HELD;
        return LEASE_READY;
    case LEASE_BOUND:
        cluster_wait(cluster, lease);
        return LEASE_WAIT;
    case LEASE_REFUSED:
        return refuse(lease, lease->failure);
    case LEASE_NOWHERE:
        break;
    }
    return enqueue(lease);
}

void lease_end(struct lease *lease, const struct lease_outcome *outcome)
{
    if (lease->state == LEASE_NEW || lease->state == LEASE_ENDED) {
        return;
    }
    struct cluster *cluster = lease->cluster;
    /* A failed connect has been recorded for the connection, once for all who waited. */
    bool recorded = lease->state == LEASE_DUE && lease->failure != FAILURE_NONE;
    if (outcome != NULL && lease->assigned && !recorded) {
        endpoint_record(lease->endpoint, outcome, cluster_now_ns(cluster));
    }
    if (lease->state < LEASE_DUE) {
        cluster_wait_over(cluster, lease);
        leave_place(lease);
    } else if (lease->state == LEASE_DUE) {
        list_remove(&lease->place);
    }
    give_back(lease);
    dismiss(lease);
}
