#include "proxy/upstream/pool.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"
#include "proxy/upstream/cluster_run.h"
#include "proxy/upstream/lease_run.h"
#include "proxy/upstream/pool_conn.h"

static enum connector_kind kind_of(const struct endpoint *endpoint, const struct lease_wish *wish)
{
    const struct xds_cluster *facts = &endpoint->cluster->config->facts;
    bool mesh = endpoint_is_mesh(endpoint);
    if (wish->kind == LEASE_TCP) {
        return mesh && (endpoint->config.facts.flags & XDS_ENDPOINT_HBONE) != 0 ? CONNECTOR_TUNNEL
                                                                                : CONNECTOR_TCP;
    }
    if (mesh || facts->protocol == XDS_PROTOCOL_HTTP2) {
        return CONNECTOR_HTTP2;
    }
    /* A declared protocol beats what the client spoke. */
    return wish->http2_cleartext && facts->protocol != XDS_PROTOCOL_HTTP1 ? CONNECTOR_HTTP2
                                                                          : CONNECTOR_HTTP1;
}

static struct lane *lane_find(const struct endpoint *endpoint, enum connector_kind kind,
                              const struct address *source)
{
    for (struct lane *lane = endpoint->pool != NULL ? endpoint->pool->lanes : NULL; lane != NULL;
         lane = lane->next) {
        if (lane->kind == kind && address_equal(&lane->source, source)) {
            return lane;
        }
    }
    return NULL;
}

struct pool *pool_of(struct endpoint *endpoint)
{
    if (endpoint->pool == NULL) {
        endpoint->pool = NEW(struct pool);
        list_init(&endpoint->pool->conns);
    }
    return endpoint->pool;
}

static struct lane *lane_create(struct endpoint *endpoint, enum connector_kind kind,
                                const struct address *source)
{
    struct pool *pool = pool_of(endpoint);
    struct lane *lane = NEW(struct lane);
    lane->endpoint = endpoint;
    lane->kind = (uint8_t)kind;
    lane->source = *source;
    list_init(&lane->open);
    list_init(&lane->dialling);
    list_init(&lane->waiting);
    lane->next = pool->lanes;
    pool->lanes = lane;
    return lane;
}

static bool is_http1(const struct lane *lane)
{
    return lane->kind == CONNECTOR_HTTP1 || lane->fell_to_h1;
}

/* How many leases may wait for one dial. */
static uint32_t carried(const struct lane *lane)
{
    return is_http1(lane) ? 1 : lane->endpoint->cluster->limits2.streams;
}

static bool below_limit(const struct endpoint *endpoint)
{
    return endpoint->connections < (uint32_t)endpoint->cluster->config->facts.max_connections;
}

static bool may_dial(const struct lane *lane)
{
    if (!below_limit(lane->endpoint)) {
        return false;
    }
    return is_http1(lane) ||
           lane->conns < (uint32_t)lane->endpoint->cluster->config->facts.http2_per_endpoint;
}

static struct pool_conn *lane_pick(const struct lane *lane)
{
    struct pool_conn *best = NULL;
    for (struct link *link = lane->open.head.next; link != &lane->open.head; link = link->next) {
        struct pool_conn *conn = CONTAINER_OF(link, struct pool_conn, link);
        if (pool_conn_room(conn) == 0) {
            continue;
        }
        if (is_http1(lane)) {
            return conn;
        }
        if (best == NULL || conn->http->streams < best->http->streams) {
            best = conn;
        }
    }
    return best;
}

bool pool_has_room(const struct endpoint *endpoint, const struct lease_wish *wish)
{
    enum connector_kind kind = kind_of(endpoint, wish);
    if (kind == CONNECTOR_TCP) {
        return below_limit(endpoint);
    }
    const struct lane *lane = lane_find(endpoint, kind, &wish->source);
    if (lane == NULL) {
        return below_limit(endpoint);
    }
    return (lane->waiting_count == 0 && lane_pick(lane) != NULL) ||
           lane->waiting_count < lane->dials * carried(lane) || may_dial(lane);
}

/* ---- taking ---- */

static enum pool_take take_single(struct endpoint *endpoint, struct lease *lease)
{
    if (!below_limit(endpoint)) {
        return POOL_FULL;
    }
    lease_assign(lease, endpoint);
    enum failure failure = FAILURE_CONNECT_FAILED;
    lease->conn = pool_conn_dial(endpoint, NULL, lease, &lease->wish.source, &failure);
    if (lease->conn == NULL) {
        lease->failure = failure;
        return POOL_FAILED;
    }
    lease->state = LEASE_DIALLING;
    return POOL_BOUND;
}

static void bind_to(struct lane *lane, struct lease *lease)
{
    lease->state = LEASE_IN_LANE;
    lease->lane = lane;
    list_push_back(&lane->waiting, &lease->place);
    lane->waiting_count++;
}

static enum pool_take take_stream(struct lane *lane, struct lease *lease)
{
    struct pool_conn *conn = lane->waiting_count == 0 ? lane_pick(lane) : NULL;
    if (conn != NULL) {
        lease_assign(lease, lane->endpoint);
        if (lease_use(lease, conn)) {
            if (lease->wish.kind == LEASE_HTTP) {
                return POOL_TAKEN;
            }
            lease->state = LEASE_TUNNELLING;
            return POOL_BOUND;
        }
        lease_unassign(lease);
    }
    if (lane->waiting_count >= lane->dials * carried(lane)) {
        if (!may_dial(lane)) {
            return POOL_FULL;
        }
        enum failure failure = FAILURE_CONNECT_FAILED;
        if (pool_conn_dial(lane->endpoint, lane, NULL, &lane->source, &failure) == NULL) {
            lease_assign(lease, lane->endpoint);
            lease->failure = failure;
            return POOL_FAILED;
        }
    }
    lease_assign(lease, lane->endpoint);
    bind_to(lane, lease);
    return POOL_BOUND;
}

enum pool_take pool_take(struct endpoint *endpoint, struct lease *lease)
{
    enum connector_kind kind = kind_of(endpoint, &lease->wish);
    if (kind == CONNECTOR_TCP) {
        return take_single(endpoint, lease);
    }
    struct lane *lane = lane_find(endpoint, kind, &lease->wish.source);
    if (lane == NULL) {
        lane = lane_create(endpoint, kind, &lease->wish.source);
    }
    return take_stream(lane, lease);
}

/* ---- serving ---- */

void lane_stir(struct lane *lane)
{
    struct cluster *cluster = lane->endpoint->cluster;
    if (lane->waiting_count == 0 && cluster->queued == 0) {
        return;
    }
    if (!link_linked(&lane->stirred)) {
        list_push_back(&cluster->stirred, &lane->stirred);
    }
    cluster_settle_later(cluster);
}

void lane_forget(struct lease *lease)
{
    list_remove(&lease->place);
    lease->lane->waiting_count--;
    lease->lane = NULL;
}

static struct lease *first_waiting(struct lane *lane)
{
    struct link *link = list_first(&lane->waiting);
    return link != NULL ? CONTAINER_OF(link, struct lease, place) : NULL;
}

static void fail_first(struct lane *lane, uint32_t count, enum failure failure)
{
    while (count-- > 0 && lane->waiting_count > 0) {
        lease_decide(first_waiting(lane), failure);
    }
}

void lane_dial_failed(struct lane *lane, enum failure failure)
{
    uint32_t hope = lane->dials * carried(lane);
    if (lane->waiting_count > hope) {
        fail_first(lane, lane->waiting_count - hope, failure);
    }
}

/* Its end may be known some phases before it is told. */
static void give_up_those_that_go(struct lane *lane)
{
    LIST_EACH(&lane->open, link)
    {
        pool_conn_give_up(CONTAINER_OF(link, struct pool_conn, link), FAILURE_UPSTREAM_UNSENT);
    }
}

void lane_serve(struct lane *lane)
{
    struct lease *lease;
    while ((lease = first_waiting(lane)) != NULL) {
        struct pool_conn *conn = lane_pick(lane);
        if (conn == NULL || !lease_use(lease, conn)) {
            break;
        }
        if (lease->wish.kind == LEASE_HTTP) {
            lease_decide(lease, FAILURE_NONE);
        } else {
            lane_forget(lease);
            lease->state = LEASE_TUNNELLING;
        }
    }
    if (lane->waiting_count > 0) {
        give_up_those_that_go(lane);
    }
    while (lane->waiting_count > lane->dials * carried(lane) && may_dial(lane)) {
        enum failure failure = FAILURE_CONNECT_FAILED;
        if (pool_conn_dial(lane->endpoint, lane, NULL, &lane->source, &failure) == NULL) {
            fail_first(lane, lane->waiting_count, failure);
        }
    }
}

/* ---- the end ---- */

void pool_leave(struct pool *pool)
{
    for (struct lane *lane = pool->lanes; lane != NULL; lane = lane->next) {
        /* From the last on, each to the front: the order stays. */
        while (lane->waiting_count > 0) {
            lease_requeue(CONTAINER_OF(lane->waiting.head.previous, struct lease, place));
        }
    }
    LIST_EACH(&pool->conns, link)
    {
        struct pool_conn *conn = CONTAINER_OF(link, struct pool_conn, pooled);
        struct lease *single = conn->single;
        if (single != NULL) {
            lease_requeue(single);
        } else {
            pool_conn_drain(conn);
        }
    }
}

void pool_drain_mesh(struct pool *pool)
{
    LIST_EACH(&pool->conns, link)
    {
        struct pool_conn *conn = CONTAINER_OF(link, struct pool_conn, pooled);
        if (conn->identity != NULL) {
            pool_conn_drain(conn);
        }
    }
}

void pool_close_all(struct pool *pool, enum failure failure)
{
    LIST_EACH(&pool->conns, link)
    {
        pool_conn_close(CONTAINER_OF(link, struct pool_conn, pooled), failure);
    }
}

void pool_destroy(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    struct lane *lane;
    while ((lane = pool->lanes) != NULL) {
        CHECK(lane->waiting_count == 0 && lane->conns == 0);
        pool->lanes = lane->next;
        list_remove(&lane->stirred);
        mem_free(lane);
    }
    mem_free(pool);
}
