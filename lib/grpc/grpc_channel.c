#include "lib/grpc/grpc_channel.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "lib/net/tcp.h"

#include <stdio.h>
#include <string.h>

enum {
    CONNECT_MS = 5000,
    HANDSHAKE_MS = 5000,
    BACKOFF_BASE_MS = 500,
    BACKOFF_MAX_MS = 30000,
};

struct grpc_channel {
    struct loop *loop;
    struct arena arena;
    struct span host;
    struct span authority;
    uint16_t port;
    struct tls_config *tls;
    struct span *identities;
    size_t identity_count;
    struct resolver *resolver;
    struct resolver_query *query;
    struct address addresses[RESOLVER_ADDRESSES];
    size_t address_count, address_next;
    struct http_limits limits;
    struct http_conn *conn;
    struct list watches;
    struct timer retry;
    unsigned failures;
    struct turn_task late_task; /* tells watches that came after the connection */
    bool up;                    /* watches have been told */
    bool closing;
    bool moving; /* to a connection with another certificate */
    char error[200];
};

static void try_address(struct grpc_channel *channel);

int64_t grpc_channel_backoff_ms(unsigned failures, double draw)
{
    int64_t most = BACKOFF_BASE_MS;
    for (unsigned i = 1; i < failures && most < BACKOFF_MAX_MS; i++) {
        most *= 2;
    }
    most = most < BACKOFF_MAX_MS ? most : BACKOFF_MAX_MS;
    return (int64_t)(draw * (double)most);
}

static void tell_down(struct grpc_channel *channel)
{
    if (!channel->up) {
        return;
    }
    channel->up = false;
    LIST_EACH(&channel->watches, entry)
    {
        struct grpc_channel_watch *watch = CONTAINER_OF(entry, struct grpc_channel_watch, link);
        watch->on_down(watch);
    }
}

/* The next address of the list at once; when all have failed, later. */
static void failed(struct grpc_channel *channel)
{
    if (channel->address_next < channel->address_count) {
        try_address(channel);
        return;
    }
    channel->moving = false;
    channel->failures++;
    int64_t ms = grpc_channel_backoff_ms(channel->failures, random_unit());
    timer_start(&channel->retry, (ms > 1 ? ms : 1) * NS_PER_MS);
}

static void on_available(void *owner, struct http_conn *conn)
{
    struct grpc_channel *channel = owner;
    if (channel->up || conn != channel->conn) {
        return;
    }
    const struct tls_facts *facts = tls_transport_facts(conn->transport);
    if (facts != NULL && !span_equal(facts->alpn, SPAN("h2"))) {
        http_conn_close(conn, FAILURE_UPSTREAM_PROTOCOL);
        return;
    }
    channel->up = true;
    channel->moving = false;
    channel->error[0] = '\0';
    channel->address_next = channel->address_count;
    LIST_EACH(&channel->watches, entry)
    {
        struct grpc_channel_watch *watch = CONTAINER_OF(entry, struct grpc_channel_watch, link);
        watch->on_up(watch, conn);
    }
}

/* The server leaves: streams that are open end by themselves; we go where it is taken over. */
static void on_draining(void *owner, struct http_conn *conn)
{
    http_conn_close(conn, FAILURE_UPSTREAM_GOAWAY);
}

/* A connection that was up has no error of its own: what follows tells why it stays down. */
static void note_error(struct grpc_channel *channel, const struct http_conn *conn,
                       enum failure failure)
{
    if (failure == FAILURE_NONE) {
        return;
    }
    snprintf(channel->error, sizeof(channel->error), "%.*s:%u: %.*s%s%s", SPAN_ARG(channel->host),
             channel->port, SPAN_ARG(failure_word(failure)), conn->why != NULL ? ": " : "",
             conn->why != NULL ? conn->why : "");
}

static void on_closed(void *owner, struct http_conn *conn, enum failure failure)
{
    struct grpc_channel *channel = owner;
    if (conn != channel->conn) {
        return;
    }
    channel->conn = NULL;
    tell_down(channel);
    if (channel->closing) {
        return;
    }
    if (channel->moving && failure == FAILURE_LOCAL_SHUTDOWN) {
        timer_start(&channel->retry, 0);
        return;
    }
    note_error(channel, conn, failure);
    failed(channel);
}

static const struct http_conn_events conn_events = {
    .on_available = on_available,
    .on_draining = on_draining,
    .on_closed = on_closed,
};

static void try_address(struct grpc_channel *channel)
{
    struct tcp_connect connect = {
        .to = channel->addresses[channel->address_next++],
        .timeout_ms = CONNECT_MS,
    };
    connect.to.port = channel->port;
    struct transport *transport = tcp_connect(channel->loop, &connect);
    if (channel->tls != NULL) {
        struct tls_transport_options options = {
            .config = channel->tls,
            .handshake_timeout_ms = HANDSHAKE_MS,
            .expected = channel->identities,
            .expected_count = channel->identity_count,
        };
        transport = tls_transport_create(transport, &options);
    }
    channel->conn = http2_client_create(transport, &channel->limits, false, &conn_events, channel);
}

static void on_answer(void *owner, const struct resolver_answer *answer)
{
    struct grpc_channel *channel = owner;
    channel->query = NULL;
    channel->address_next = 0;
    /* A name that cannot be resolved now is tried where it was before: an empty answer is no word
     * that the server is gone (AWS 2025-10-20). */
    if (answer->status != RESOLVER_OK && channel->address_count > 0) {
        try_address(channel);
        return;
    }
    if (answer->status != RESOLVER_OK) {
        snprintf(channel->error, sizeof(channel->error), "%.*s: the name cannot be resolved",
                 SPAN_ARG(channel->host));
        failed(channel);
        return;
    }
    channel->address_count = answer->count;
    memcpy(channel->addresses, answer->addresses, answer->count * sizeof(struct address));
    try_address(channel);
}

static void connect_now(struct grpc_channel *channel)
{
    struct address address;
    struct span host = channel->host;
    if (host.length > 2 && host.at[0] == '[') {
        host = span_cut(host, 1, host.length - 1);
    }
    if (address_parse_ip(host, &address)) {
        channel->addresses[0] = address;
        channel->address_count = 1;
        channel->address_next = 0;
        try_address(channel);
        return;
    }
    if (channel->resolver == NULL) {
        snprintf(channel->error, sizeof(channel->error), "%.*s: no resolver for names",
                 SPAN_ARG(channel->host));
        failed(channel);
        return;
    }
    channel->query = resolver_ask(channel->resolver, channel->host, on_answer, channel);
}

static void on_retry(struct timer *timer)
{
    struct grpc_channel *channel = CONTAINER_OF(timer, struct grpc_channel, retry);
    if (channel->conn == NULL && channel->query == NULL) {
        connect_now(channel);
    }
}

static void tell_late(struct turn_task *task)
{
    struct grpc_channel *channel = CONTAINER_OF(task, struct grpc_channel, late_task);
    LIST_EACH(&channel->watches, entry)
    {
        struct grpc_channel_watch *watch = CONTAINER_OF(entry, struct grpc_channel_watch, link);
        bool late = watch->late;
        watch->late = false;
        if (late && channel->up) {
            watch->on_up(watch, channel->conn);
        }
    }
}

struct grpc_channel *grpc_channel_create(struct loop *loop,
                                         const struct grpc_channel_options *options)
{
    struct span host;
    uint16_t port = 0;
    if (!http_authority_split(options->target, &host, &port) || port == 0) {
        return NULL;
    }
    struct grpc_channel *channel = NEW(struct grpc_channel);
    channel->loop = loop;
    arena_init(&channel->arena);
    channel->authority = arena_span(&channel->arena, options->target);
    channel->host = arena_span(&channel->arena, host);
    channel->port = port;
    channel->tls = options->tls != NULL ? tls_config_ref(options->tls) : NULL;
    channel->identities = ARENA_ARRAY(&channel->arena, struct span, options->identity_count);
    channel->identity_count = options->identity_count;
    for (size_t i = 0; i < options->identity_count; i++) {
        channel->identities[i] = arena_span(&channel->arena, options->identities[i]);
    }
    channel->resolver = options->resolver;
    http_limits_default(&channel->limits);
    list_init(&channel->watches);
    snprintf(channel->error, sizeof(channel->error), "not connected yet");
    channel->late_task.run = tell_late;
    timer_init(&channel->retry, loop, on_retry);
    timer_start(&channel->retry, 0);
    return channel;
}

static void close_conn(struct grpc_channel *channel)
{
    struct http_conn *conn = channel->conn;
    if (conn != NULL) {
        http_conn_close(conn, FAILURE_LOCAL_SHUTDOWN);
    }
}

static void channel_free(struct grpc_channel *channel)
{
    tls_config_unref(channel->tls);
    arena_done(&channel->arena);
    mem_free(channel);
}

struct channel_end {
    struct turn_task task;
    struct grpc_channel *channel;
};

/* on_closed comes in a free phase; the channel must outlive it. */
static void channel_end(struct turn_task *task)
{
    struct channel_end *end = CONTAINER_OF(task, struct channel_end, task);
    if (end->channel->conn != NULL) {
        loop_free_later(end->channel->loop, &end->task);
        return;
    }
    channel_free(end->channel);
    mem_free(end);
}

void grpc_channel_destroy(struct grpc_channel *channel)
{
    if (channel == NULL) {
        return;
    }
    channel->closing = true;
    timer_stop(&channel->retry);
    turn_task_cancel(&channel->late_task);
    if (channel->query != NULL) {
        resolver_cancel(channel->query);
    }
    list_init(&channel->watches);
    close_conn(channel);
    struct channel_end *end = NEW(struct channel_end);
    end->channel = channel;
    end->task.run = channel_end;
    loop_free_later(channel->loop, &end->task);
}

void grpc_channel_watch(struct grpc_channel *channel, struct grpc_channel_watch *watch)
{
    list_push_back(&channel->watches, &watch->link);
    if (channel->up) {
        /* Told from the loop like all others: only those that wait are told. */
        watch->late = true;
        loop_flush_later(channel->loop, &channel->late_task);
    }
}

void grpc_channel_unwatch(struct grpc_channel *channel, struct grpc_channel_watch *watch)
{
    list_remove(&watch->link);
}

struct http_conn *grpc_channel_conn(const struct grpc_channel *channel)
{
    return channel->up ? channel->conn : NULL;
}

struct loop *grpc_channel_loop(const struct grpc_channel *channel)
{
    return channel->loop;
}

struct span grpc_channel_authority(const struct grpc_channel *channel)
{
    return channel->authority;
}

void grpc_channel_healthy(struct grpc_channel *channel)
{
    channel->failures = 0;
}

void grpc_channel_set_tls(struct grpc_channel *channel, struct tls_config *tls, bool reconnect)
{
    tls_config_unref(channel->tls);
    channel->tls = tls != NULL ? tls_config_ref(tls) : NULL;
    if (reconnect && channel->conn != NULL) {
        channel->moving = true;
        close_conn(channel);
    }
}

bool grpc_channel_moving(const struct grpc_channel *channel)
{
    return channel->moving;
}

const char *grpc_channel_error(const struct grpc_channel *channel)
{
    return channel->error;
}
