#include "tests/unit/proxy/upstream/upstream_rig.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/tls/tls_transport.h"

#include <string.h>

static struct rig *current;

/* ---- servers ---- */

static void respond(struct rig_stream *stream, uint16_t status)
{
    struct http_head head;
    http_head_init(&head, &stream->arena);
    head.status = status;
    head.version = 20;
    head.content_length = 0;
    http_stream_send_head(stream->stream, &head, true);
}

static void let_go(struct rig_stream *stream)
{
    if (stream->stream != NULL) {
        http_stream_release(stream->stream);
        stream->stream = NULL;
    }
}

static void server_head(void *owner, struct http_head *head)
{
    struct rig_stream *stream = owner;
    stream->head = head;
}

static void server_body(void *owner, const struct piece *piece)
{
    struct rig_stream *stream = owner;
    stream->body_bytes += piece->length;
    http_stream_consume(stream->stream, piece->length);
}

static void server_trailers(void *owner, struct headers *trailers)
{
}

static void server_end(void *owner)
{
    struct rig_stream *stream = owner;
    stream->ended = true;
    if (stream->rig->answers) {
        respond(stream, stream->rig->status != 0 ? stream->rig->status : 200);
        let_go(stream);
    }
}

static void server_room(void *owner)
{
}

static void server_reset(void *owner, enum failure failure)
{
    let_go(owner);
}

static const struct http_stream_events stream_events = {server_head, server_body, server_trailers,
                                                        server_end,  server_room, server_reset};

static void on_stream(void *owner, struct http_conn *conn, struct http_stream *stream)
{
    struct rig_dial *dial = owner;
    struct rig *rig = dial->rig;
    CHECK(rig->stream_count < RIG_STREAMS);
    struct rig_stream *own = NEW(struct rig_stream);
    own->rig = rig;
    own->stream = stream;
    rig->streams[rig->stream_count++] = own;
    http_stream_attach(stream, &own->arena, &stream_events, own);
}

static void server_closed(void *owner, struct http_conn *conn, enum failure failure)
{
    struct rig_dial *dial = owner;
    dial->server = NULL;
    dial->gone = true;
}

static const struct http_conn_events server_events = {.on_stream = on_stream,
                                                      .on_closed = server_closed};

static void serve(struct rig_dial *dial)
{
    struct rig *rig = dial->rig;
    struct transport *transport = dial->far;
    dial->far = NULL;
    if (rig->server_tls != NULL) {
        struct tls_transport_options options = {.config = rig->server_tls,
                                                .handshake_timeout_ms = 5000};
        transport = tls_transport_create(transport, &options);
    }
    dial->server =
        rig->codec == HTTP_CODEC_1
            ? http1_server_create(transport, &rig->server_limits, false, &server_events, dial)
            : http2_server_create(transport, &rig->server_limits, rig->server_tls != NULL,
                                  &server_events, dial);
}

/* ---- the network ---- */

static struct transport *dial(struct loop *loop, const struct tcp_connect *how)
{
    struct rig *rig = current;
    CHECK(rig->dial_count < RIG_DIALS);
    struct rig_dial *dial = &rig->dials[rig->dial_count++];
    *dial = (struct rig_dial){
        .rig = rig, .to = how->to, .from = how->from, .timeout_ms = how->timeout_ms};
    struct pipe_options connecting = {.connecting = true};
    pipe_transports(loop, &connecting, NULL, &dial->near, &dial->far);
    if (rig->connects) {
        rig_connect(rig, rig->dial_count - 1);
    }
    return dial->near;
}

void rig_connect(struct rig *rig, size_t at)
{
    struct rig_dial *dial = &rig->dials[at];
    CHECK(at < rig->dial_count && !dial->settled);
    dial->settled = true;
    pipe_connected(dial->near);
    if (!rig->raw) {
        serve(dial);
    }
}

void rig_refuse(struct rig *rig, size_t at, enum failure failure)
{
    struct rig_dial *dial = &rig->dials[at];
    CHECK(at < rig->dial_count && !dial->settled);
    dial->settled = true;
    pipe_fail(dial->near, failure);
    transport_abort(dial->far);
    dial->far = NULL;
}

static struct resolver_query *
ask(struct resolver *resolver, struct span name,
    void (*on_answer)(void *owner, const struct resolver_answer *answer), void *owner)
{
    struct rig *rig = current;
    CHECK(rig->query_count < RIG_QUERIES && name.length <= RESOLVER_NAME_BYTES);
    struct rig_query *query = &rig->queries[rig->query_count++];
    *query = (struct rig_query){.on_answer = on_answer, .owner = owner};
    memcpy(query->host, name.at, name.length);
    return (struct resolver_query *)(void *)query;
}

static void cancel(struct resolver_query *opaque)
{
    struct rig_query *query = (struct rig_query *)(void *)opaque;
    CHECK(!query->over);
    query->over = true;
    query->cancelled = true;
}

void rig_resolve(struct rig *rig, size_t at, enum resolver_status status, const char *texts,
                 int64_t ttl_ms)
{
    struct rig_query *query = &rig->queries[at];
    CHECK(at < rig->query_count && !query->over);
    struct address addresses[RESOLVER_ADDRESSES];
    struct resolver_answer answer = {.status = status, .addresses = addresses, .ttl_ms = ttl_ms};
    struct span rest = span_of(texts);
    struct span text;
    while (rest.length > 0 && span_next(&rest, ' ', &text)) {
        CHECK(address_parse_ip(text, &addresses[answer.count++]));
    }
    query->over = true;
    query->on_answer(query->owner, &answer);
}

static const struct upstream_net net = {.dial = dial, .ask = ask, .cancel = cancel};

/* ---- the rig ---- */

void rig_init(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    current = rig;
    rig->loop = loop_create_simulated(1000 * NS_PER_S);
    /* Never looked into: the net above answers. */
    static char resolver;
    rig->upstream = upstream_create(rig->loop, (struct resolver *)(void *)&resolver);
    rig->upstream->net = &net;
    rig->codec = HTTP_CODEC_1;
    http_limits_default(&rig->server_limits);
}

void rig_done(struct rig *rig)
{
    upstream_destroy(rig->upstream);
    rig_go(rig);
    for (size_t i = 0; i < rig->dial_count; i++) {
        struct rig_dial *dial = &rig->dials[i];
        if (dial->far != NULL) {
            transport_abort(dial->far);
        }
        if (dial->server != NULL) {
            http_conn_close(dial->server, FAILURE_NONE);
        }
    }
    rig_go(rig);
    for (size_t i = 0; i < rig->stream_count; i++) {
        let_go(rig->streams[i]);
        arena_done(&rig->streams[i]->arena);
    }
    rig_go(rig);
    for (size_t i = 0; i < rig->query_count; i++) {
        CHECK(rig->queries[i].over);
    }
    for (size_t i = 0; i < rig->stream_count; i++) {
        mem_free(rig->streams[i]);
    }
    loop_destroy(rig->loop);
}

void rig_go(struct rig *rig)
{
    loop_settle(rig->loop);
}

void rig_wait_ms(struct rig *rig, int64_t ms)
{
    loop_settle(rig->loop);
    loop_advance(rig->loop, ms * NS_PER_MS);
    loop_settle(rig->loop);
}

void rig_answer(struct rig *rig, size_t at, uint16_t status)
{
    CHECK(at < rig->stream_count && rig->streams[at]->stream != NULL);
    respond(rig->streams[at], status);
    let_go(rig->streams[at]);
    rig_go(rig);
}

void rig_cluster(struct rig *rig, const struct xds_cluster *facts,
                 const struct xds_endpoint *endpoints, uint32_t endpoint_count)
{
    struct xds_locality locality = {
        .weight = 1, .endpoints = endpoints, .endpoint_count = endpoint_count};
    struct xds_endpoints all = {
        .cluster = facts->name, .localities = &locality, .locality_count = 1};
    struct xds_error error = {{0}};
    struct cluster_config *config =
        cluster_config_create(facts, endpoints != NULL ? &all : NULL, &error);
    CHECK(config != NULL && rig->config_count < 16);
    rig->configs[rig->config_count++] = config;
}

void rig_apply(struct rig *rig)
{
    struct snapshot *empty = snapshot_empty();
    struct snapshot_parts parts = {
        .phone_book = empty->phone_book,
        .workload = empty->workload,
        .clusters = rig->configs,
        .cluster_count = rig->config_count,
    };
    struct snapshot *snapshot = snapshot_create(++rig->version, &parts);
    upstream_apply(rig->upstream, snapshot);
    snapshot_unref(snapshot);
    snapshot_unref(empty);
    for (size_t i = 0; i < rig->config_count; i++) {
        cluster_config_unref(rig->configs[i]);
    }
    rig->config_count = 0;
}

struct xds_endpoint rig_endpoint(uint32_t last_byte)
{
    return (struct xds_endpoint){
        .address = {.family = 4, .port = 80, .bytes = {10, 0, 0, (uint8_t)last_byte}},
        .weight = 1,
    };
}

struct cluster *rig_plain(struct rig *rig, uint32_t count, void (*change)(struct xds_cluster *))
{
    struct xds_cluster facts;
    xds_cluster_init(&facts);
    facts.name = SPAN("c");
    facts.type = XDS_CLUSTER_EDS;
    facts.tls = XDS_TLS_NONE;
    if (change != NULL) {
        change(&facts);
    }
    struct xds_endpoint endpoints[256];
    for (uint32_t i = 0; i < count; i++) {
        endpoints[i] = rig_endpoint(i + 1);
    }
    rig_cluster(rig, &facts, endpoints, count);
    rig_apply(rig);
    struct cluster *cluster = cluster_find(rig->upstream, SPAN("c"));
    CHECK(cluster != NULL);
    return cluster;
}

void rig_http2(struct xds_cluster *facts)
{
    facts->protocol = XDS_PROTOCOL_HTTP2;
}

void rig_two_by_two(struct xds_cluster *facts)
{
    facts->protocol = XDS_PROTOCOL_HTTP2;
    facts->http2_streams = 2;
    facts->http2_per_endpoint = 2;
}

void rig_one_connection(struct xds_cluster *facts)
{
    facts->max_connections = 1;
}

void rig_all_given_back(const struct cluster *cluster)
{
    CHECK(cluster->leases == 0);
    CHECK(cluster->requests == 0);
    CHECK(cluster->pending == 0);
    CHECK(cluster->queued == 0);
    CHECK(cluster->upstream->requests == 0);
    for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
        CHECK(cluster->endpoints[i]->active == 0);
    }
}

/* ---- callers ---- */

static void client_head(void *owner, struct http_head *head)
{
    struct caller *caller = owner;
    caller->head = head;
}

static void client_body(void *owner, const struct piece *piece)
{
    struct caller *caller = owner;
    http_stream_consume(caller->lease.stream, piece->length);
}

static void client_trailers(void *owner, struct headers *trailers)
{
}

static void client_end(void *owner)
{
    struct caller *caller = owner;
    caller->ended = true;
}

static void client_room(void *owner)
{
}

static void client_reset(void *owner, enum failure failure)
{
    struct caller *caller = owner;
    caller->reset = failure;
}

static const struct http_stream_events client_events = {client_head, client_body, client_trailers,
                                                        client_end,  client_room, client_reset};

static void send_request(struct caller *caller)
{
    struct http_head head;
    if (caller->lease.stream == NULL) {
        return;
    }
    http_stream_attach(caller->lease.stream, &caller->arena, &client_events, caller);
    if (caller->mute) {
        return;
    }
    http_head_init(&head, &caller->arena);
    head.method = SPAN("GET");
    head.method_token = HTTP_METHOD_GET;
    head.scheme = SPAN("http");
    head.authority = SPAN("api");
    head.path = SPAN("/");
    head.version = 11;
    head.content_length = -1;
    http_stream_send_head(caller->lease.stream, &head, true);
}

static void on_ready(void *owner)
{
    struct caller *caller = owner;
    CHECK(!caller->in_start);
    caller->readies++;
    caller->status = LEASE_READY;
    send_request(caller);
    if (caller->then != NULL) {
        caller->then(caller);
    }
}

static void on_failed(void *owner, enum failure failure)
{
    struct caller *caller = owner;
    CHECK(!caller->in_start);
    caller->fails++;
    caller->status = LEASE_FAILED;
    caller->failure = failure;
    if (caller->then != NULL) {
        caller->then(caller);
    }
}

static const struct lease_events lease_events = {on_ready, on_failed};

enum lease_status caller_start(struct caller *caller, struct rig *rig, struct cluster *cluster,
                               const struct lease_wish *wish)
{
    static const struct lease_wish plain = {.kind = LEASE_HTTP};
    caller->rig = rig;
    caller->in_start = true;
    caller->status =
        lease_start(&caller->lease, cluster, wish != NULL ? wish : &plain, &lease_events, caller);
    caller->in_start = false;
    if (caller->status == LEASE_READY) {
        send_request(caller);
    } else if (caller->status == LEASE_FAILED) {
        caller->failure = caller->lease.failure;
    }
    return caller->status;
}

static void finish(struct caller *caller, const struct lease_outcome *outcome)
{
    caller->in_start = true;
    lease_end(&caller->lease, outcome);
    caller->in_start = false;
    arena_done(&caller->arena);
}

void caller_end(struct caller *caller)
{
    struct lease_outcome outcome = {
        .status = caller->head != NULL ? caller->head->status : 0,
        .grpc_status = -1,
        .latency_ns = -1,
        .cancelled = !caller->ended,
    };
    finish(caller, &outcome);
}

void caller_end_with(struct caller *caller, enum failure failure, uint16_t status,
                     int64_t latency_ns)
{
    struct lease_outcome outcome = {
        .failure = failure, .status = status, .grpc_status = -1, .latency_ns = latency_ns};
    finish(caller, &outcome);
}
