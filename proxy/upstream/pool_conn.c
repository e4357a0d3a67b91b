#include "proxy/upstream/pool_conn.h"

#include "lib/base/check.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "lib/tls/tls_transport.h"
#include "proxy/upstream/cluster_run.h"
#include "proxy/upstream/lease_run.h"

static struct cluster *cluster_of(const struct pool_conn *conn)
{
    return conn->endpoint->cluster;
}

static bool is_http2(const struct pool_conn *conn)
{
    return conn->http != NULL && conn->http->codec == HTTP_CODEC_2;
}

static void run_free(struct turn_task *task)
{
    struct pool_conn *conn = CONTAINER_OF(task, struct pool_conn, free_task);
    mem_free(conn->identity);
    mem_free(conn);
}

static void free_if_over(struct pool_conn *conn)
{
    if (conn->state == POOL_CONN_CLOSED && conn->leased == 0) {
        loop_free_later(cluster_of(conn)->upstream->loop, &conn->free_task);
    }
}

/* Out of every list and count; what is left is memory. */
static void closed(struct pool_conn *conn)
{
    struct cluster *cluster = cluster_of(conn);
    struct lane *lane = conn->lane;
    CHECK(conn->state != POOL_CONN_CLOSED);
    if (lane != NULL) {
        lane->dials -= conn->state == POOL_CONN_DIALLING;
        lane->conns -= conn->state != POOL_CONN_DRAINING;
    }
    conn->state = POOL_CONN_CLOSED;
    conn->http = NULL;
    list_remove(&conn->link);
    list_remove(&conn->pooled);
    timer_stop(&conn->age);
    conn->endpoint->connections--;
    cluster->connections--;
    cluster->counters.connections_closed++;
    if (lane != NULL) {
        lane_stir(lane);
    } else if (cluster->queued > 0) {
        cluster_settle_later(cluster);
    }
    free_if_over(conn);
    cluster_let_go(cluster);
}

/* ---- the life of an HTTP connection ---- */

static void shelve(struct pool_conn *conn)
{
    if (is_http2(conn)) {
        list_push_back(&conn->lane->open, &conn->link);
    } else {
        list_push_front(&conn->lane->open, &conn->link);
    }
}

/* HTTP/1: between two exchanges. HTTP/2 stays where it is. */
static void available(struct pool_conn *conn)
{
    if (conn->state != POOL_CONN_OPEN || http_conn_room(conn->http) == 0) {
        return;
    }
    if (!link_linked(&conn->link)) {
        if (cluster_of(conn)->config->facts.http1_idle_ms == 0 && conn->uses > 0 &&
            conn->lane->waiting_count == 0) {
            pool_conn_drain(conn);
            return;
        }
        shelve(conn);
    }
    lane_stir(conn->lane);
}

static void on_available(void *owner, struct http_conn *http)
{
    available(owner);
}

static void stop_new_streams(struct pool_conn *conn)
{
    if (conn->state == POOL_CONN_OPEN) {
        conn->state = POOL_CONN_DRAINING;
        conn->lane->conns--;
        list_remove(&conn->link);
        timer_stop(&conn->age);
        lane_stir(conn->lane);
    }
}

static void on_draining(void *owner, struct http_conn *http)
{
    struct pool_conn *conn = owner;
    if (!pool_conn_give_up(conn, FAILURE_UPSTREAM_GOAWAY)) {
        stop_new_streams(conn);
    }
}

static void on_closed(void *owner, struct http_conn *http, enum failure failure)
{
    struct pool_conn *conn = owner;
    pool_conn_give_up(conn, FAILURE_UPSTREAM_UNSENT);
    closed(conn);
}

static const struct http_conn_events http_events = {
    .on_available = on_available,
    .on_draining = on_draining,
    .on_closed = on_closed,
};

static void on_age(struct timer *timer)
{
    pool_conn_drain(CONTAINER_OF(timer, struct pool_conn, age));
}

/* Ages are spread, so that connections made together do not end together. */
static void start_age(struct pool_conn *conn)
{
    int64_t max_age_ms = cluster_of(conn)->config->facts.max_age_ms;
    if (max_age_ms > 0) {
        double age_ms = (double)max_age_ms * (0.9 + 0.2 * random_unit());
        timer_start(&conn->age, (int64_t)(age_ms * (double)NS_PER_MS));
    }
}

static void make_http(struct pool_conn *conn, struct transport *transport)
{
    struct cluster *cluster = cluster_of(conn);
    bool sidecar = connector_is_sidecar(transport);
    if (conn->lane->kind == CONNECTOR_HTTP1 || conn->lane->fell_to_h1) {
        conn->http = http1_client_create(transport, &cluster->limits1, sidecar, &http_events, conn);
    } else {
        conn->http = http2_client_create(transport, &cluster->limits2, sidecar, &http_events, conn);
        start_age(conn);
    }
}

/* ---- the dial ---- */

static void count_handshake(struct pool_conn *conn)
{
    const struct tls_facts *facts = tls_transport_facts(conn->transport);
    if (facts == NULL) {
        return;
    }
    struct cluster_counters *counters = &cluster_of(conn)->counters;
    if (facts->resumed) {
        counters->tls_resumed++;
    } else {
        counters->tls_full++;
    }
    if (facts->peer_identity.length > 0) {
        conn->identity = mem_text(facts->peer_identity.at, facts->peer_identity.length);
    }
}

static void give_single(struct pool_conn *conn)
{
    struct lease *lease = conn->single;
    struct transport *transport = conn->transport;
    conn->transport = NULL;
    conn->single = NULL;
    conn->leased = 1;
    transport_own(transport, NULL, NULL);
    transport_want(transport, 0);
    lease_transport_ready(lease, transport);
}

static void dialled(struct pool_conn *conn)
{
    cluster_of(conn)->counters.connects++;
    count_handshake(conn);
    if (conn->single != NULL) {
        /* It goes on counting as a connection, held by the lease. */
        conn->state = POOL_CONN_OPEN;
        give_single(conn);
        return;
    }
    struct lane *lane = conn->lane;
    struct transport *transport = conn->transport;
    conn->transport = NULL;
    conn->state = POOL_CONN_OPEN;
    list_remove(&conn->link);
    lane->dials--;
    if (lane->kind == CONNECTOR_HTTP2 && connector_fell_to_http1(transport)) {
        lane->fell_to_h1 = true;
    }
    make_http(conn, transport);
    shelve(conn);
    lane_stir(lane);
}

static void dial_failed(struct pool_conn *conn, enum failure failure)
{
    struct endpoint *endpoint = conn->endpoint;
    struct lane *lane = conn->lane;
    struct lease *single = conn->single;
    cluster_of(conn)->counters.connect_failures++;
    endpoint_unreachable(endpoint, cluster_now_ns(endpoint->cluster));
    transport_abort(conn->transport);
    conn->transport = NULL;
    conn->single = NULL;
    if (single != NULL) {
        single->conn = NULL;
        lease_decide(single, failure);
    }
    closed(conn);
    if (lane != NULL) {
        lane_dial_failed(lane, failure);
    }
}

/*
 * Nothing has been sent through a connection that was never there. What a network does to one in
 * the middle of its handshake may bear the name of what it does to a request; the verdict must not
 * be that of a request.
 */
static enum failure as_of_dial(const struct pool_conn *conn)
{
    enum failure failure = conn->transport->failure;
    if (failure_facts(failure)->retry_class == RETRY_CLASS_NEVER_PROCESSED) {
        return failure;
    }
    return tls_transport_facts(conn->transport) != NULL ? FAILURE_TLS_HANDSHAKE
                                                        : FAILURE_CONNECT_FAILED;
}

/* The callers learn one word of failure.def; only here is it known which identity was shown. */
static void tell_refusal(const struct pool_conn *conn)
{
    const struct tls_facts *facts = tls_transport_facts(conn->transport);
    if (facts != NULL && facts->reason[0] != '\0') {
        char address[ADDRESS_TEXT_BYTES];
        address_format(&conn->endpoint->config.facts.address, address);
        LOG_WARN_LIMITED("upstream", "the endpoint's certificate is refused",
                         LOG_SPAN("cluster", conn->endpoint->cluster->name),
                         LOG_TEXT("endpoint", address), LOG_TEXT("reason", facts->reason));
    }
}

static void on_dial(void *owner, unsigned events)
{
    struct pool_conn *conn = owner;
    if ((events & TRANSPORT_READY) != 0) {
        dialled(conn);
        return;
    }
    char byte;
    if (conn->transport->failure == FAILURE_NONE &&
        transport_read(conn->transport, &byte, 1) == TRANSPORT_AGAIN) {
        return;
    }
    tell_refusal(conn);
    dial_failed(conn, as_of_dial(conn));
}

struct pool_conn *pool_conn_dial(struct endpoint *endpoint, struct lane *lane, struct lease *single,
                                 const struct address *source, enum failure *ret_failure)
{
    struct cluster *cluster = endpoint->cluster;
    enum connector_kind kind = lane != NULL ? (enum connector_kind)lane->kind : CONNECTOR_TCP;
    if (lane != NULL && lane->fell_to_h1) {
        kind = CONNECTOR_HTTP1;
    }
    struct transport *transport = connector_open(endpoint, kind, source, ret_failure);
    if (transport == NULL) {
        cluster->counters.connect_failures++;
        return NULL;
    }
    struct pool_conn *conn = NEW(struct pool_conn);
    conn->lane = lane;
    conn->endpoint = endpoint;
    conn->single = single;
    conn->transport = transport;
    conn->free_task.run = run_free;
    timer_init(&conn->age, cluster->upstream->loop, on_age);
    endpoint->connections++;
    cluster->connections++;
    list_push_back(&pool_of(endpoint)->conns, &conn->pooled);
    if (lane != NULL) {
        list_push_back(&lane->dialling, &conn->link);
        lane->dials++;
        lane->conns++;
    }
    transport_own(transport, on_dial, conn);
    transport_want(transport, TRANSPORT_READABLE);
    return conn;
}

/* ---- for pools and leases ---- */

size_t pool_conn_room(const struct pool_conn *conn)
{
    return conn->state == POOL_CONN_OPEN ? http_conn_room(conn->http) : 0;
}

struct http_stream *pool_conn_open_stream(struct pool_conn *conn)
{
    struct http_stream *stream = http_conn_open(conn->http);
    if (stream == NULL) {
        return NULL;
    }
    conn->leased++;
    if (conn->uses++ > 0) {
        cluster_of(conn)->counters.connections_reused++;
    }
    if (!is_http2(conn)) {
        list_remove(&conn->link);
    }
    return stream;
}

/* HTTP/2: no room alone is no sign, a server may allow no streams for a while. */
static bool is_going(const struct pool_conn *conn)
{
    return is_http2(conn) ? conn->http->draining : http_conn_room(conn->http) == 0;
}

bool pool_conn_give_up(struct pool_conn *conn, enum failure failure)
{
    if (conn->state != POOL_CONN_OPEN || conn->lane == NULL || conn->uses > 0 ||
        conn->lane->waiting_count == 0 || !is_going(conn)) {
        return false;
    }
    stop_new_streams(conn);
    endpoint_unreachable(conn->endpoint, cluster_now_ns(cluster_of(conn)));
    lane_dial_failed(conn->lane, failure);
    return true;
}

void pool_conn_return(struct pool_conn *conn)
{
    CHECK(conn->leased > 0);
    conn->leased--;
    if (conn->lane == NULL) {
        closed(conn);
        return;
    }
    if (conn->state == POOL_CONN_CLOSED) {
        free_if_over(conn);
    } else if (!is_http2(conn) || conn->lane->waiting_count > 0) {
        available(conn);
    }
}

void pool_conn_drain(struct pool_conn *conn)
{
    switch ((enum pool_conn_state)conn->state) {
    case POOL_CONN_DIALLING:
        pool_conn_close(conn, FAILURE_NONE);
        break;
    case POOL_CONN_OPEN:
        if (conn->http != NULL) {
            stop_new_streams(conn);
            http_conn_drain(conn->http);
        }
        break;
    case POOL_CONN_DRAINING:
    case POOL_CONN_CLOSED:
        break;
    }
}

void pool_conn_close(struct pool_conn *conn, enum failure failure)
{
    if (conn->state == POOL_CONN_CLOSED) {
        return;
    }
    if (conn->state == POOL_CONN_DIALLING) {
        transport_abort(conn->transport);
        conn->transport = NULL;
        conn->single = NULL;
        closed(conn);
        return;
    }
    if (conn->http != NULL) {
        stop_new_streams(conn);
        http_conn_close(conn->http, failure);
    }
}
