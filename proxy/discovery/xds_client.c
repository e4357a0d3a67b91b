#include "proxy/discovery/xds_client.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "proxy/discovery/xds_stream.h"

enum {
    MESSAGE_BYTES = 16 * 1024 * 1024,
    QUEUED_BYTES = 1024 * 1024, /* requests that the server has not taken: no more are made */
    ABSENT_MS = 15000,          /* SotW: gRFC A57 */
};

/* Made in this order: first what a proxy cannot be without, then from the root to the leaves. */
static const enum xds_type order[XDS_TYPES] = {XDS_SECRET,    XDS_WORKLOAD, XDS_PHONE, XDS_CLUSTER,
                                               XDS_ENDPOINTS, XDS_LISTENER, XDS_ROUTE};

static void send_later(struct xds_client *client)
{
    if (client->call != NULL) {
        loop_flush_later(client->loop, &client->send_task);
    }
}

/* ---- Sending --------------------------------------------------------------------------------- */

static bool next_request(struct xds_client *client, struct subscription *subscription,
                         struct arena *arena, struct xds_request *ret)
{
    const struct holding holding = {client->events, client->owner};
    if (client->delta) {
        return subscription_next_delta(subscription, &holding, arena, ret);
    }
    int64_t deadline_ns = loop_now_ns(client->loop) + ABSENT_MS * NS_PER_MS;
    if (!subscription_next_sotw(subscription, &holding, deadline_ns, arena, ret)) {
        return false;
    }
    if (!timer_running(&client->absent)) {
        timer_start_at(&client->absent, deadline_ns);
    }
    return true;
}

static void send_requests(struct turn_task *task)
{
    struct xds_client *client = CONTAINER_OF(task, struct xds_client, send_task);
    for (size_t i = 0; i < XDS_TYPES; i++) {
        struct subscription *subscription = &client->subscriptions[order[i]];
        struct arena arena = {0};
        struct xds_request request;
        while (client->call != NULL && grpc_call_queued(client->call) < QUEUED_BYTES &&
               next_request(client, subscription, &arena, &request)) {
            request.caller = client->node_sent ? NULL : &client->node;
            client->node_sent = true;
            grpc_call_send(client->call, xds_request_encode(&request, client->delta, &arena));
        }
        arena_done(&arena);
    }
}

/* ---- The stream ------------------------------------------------------------------------------ */

static void start_stream(struct xds_client *client);

static void restart_later(struct xds_client *client)
{
    client->failures++;
    int64_t ms = grpc_channel_backoff_ms(client->failures, random_unit());
    timer_start(&client->restart, ms * NS_PER_MS);
}

static void on_message(void *owner, struct span message)
{
    struct xds_client *client = owner;
    if (!client->answered) {
        client->answered = true;
        client->failures = 0;
        grpc_channel_healthy(client->channel);
        client->events->on_state(client->owner, true);
    }
    if (client->destroyed) {
        return;
    }
    xds_receive(client, message);
    send_later(client);
}

static void on_room(void *owner)
{
    send_later(owner);
}

/* A server without delta says so at once; it is asked in the other way from then on. */
static bool lacks_delta(const struct xds_client *client, enum grpc_code code)
{
    return client->delta && !client->answered && code == GRPC_UNIMPLEMENTED;
}

static void on_done(void *owner, enum grpc_code code, struct span message)
{
    struct xds_client *client = owner;
    bool was_answered = client->answered;
    bool other_way = lacks_delta(client, code);
    client->call = NULL;
    client->answered = false;
    timer_stop(&client->absent);
    turn_task_cancel(&client->send_task);
    if (other_way) {
        LOG_INFO("xds",
                 "the server has no incremental discovery; asking for the state of the world");
        client->delta = false;
        timer_start(&client->restart, 0);
        return;
    }
    /* A connection that we give up for one with another certificate is no failure: on_up comes. */
    if (!grpc_channel_moving(client->channel)) {
        LOG_WARN_LIMITED("xds", "the discovery stream has ended",
                         LOG_TEXT("status", grpc_code_name(code)), LOG_SPAN("reason", message));
        restart_later(client);
    }
    if (was_answered) {
        client->events->on_state(client->owner, false);
    }
}

static const struct grpc_call_events call_events = {on_message, on_room, on_done};

static void start_stream(struct xds_client *client)
{
    struct http_conn *conn = grpc_channel_conn(client->channel);
    if (conn == NULL || client->call != NULL) {
        return;
    }
    const struct grpc_call_options options = {
        .authority = grpc_channel_authority(client->channel),
        .path = client->delta ? SPAN(XDS_PATH_DELTA) : SPAN(XDS_PATH_SOTW),
        .message_limit = MESSAGE_BYTES,
    };
    timer_stop(&client->restart);
    client->call = grpc_call_start(conn, &options, &call_events, client);
    if (client->call == NULL) {
        restart_later(client);
        return;
    }
    client->counters.streams++;
    client->node_sent = false;
    client->answered = false;
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        subscription_restart(&client->subscriptions[type]);
    }
    send_later(client);
}

static void on_restart(struct timer *timer)
{
    start_stream(CONTAINER_OF(timer, struct xds_client, restart));
}

static void on_absent(struct timer *timer)
{
    struct xds_client *client = CONTAINER_OF(timer, struct xds_client, absent);
    int64_t next_ns = xds_receive_absent(client, loop_now_ns(client->loop));
    if (next_ns != 0 && !client->destroyed) {
        timer_start_at(&client->absent, next_ns);
    }
}

static void on_up(struct grpc_channel_watch *watch, struct http_conn *conn)
{
    (void)conn;
    start_stream(CONTAINER_OF(watch, struct xds_client, watch));
}

static void on_down(struct grpc_channel_watch *watch)
{
    (void)watch; /* the call has told its end; on_up comes with the next connection */
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void describe(struct xds_client *client, const struct xds_node *node)
{
    const struct xds_pair metadata[] = {
        {SPAN("ADDRESS"), node->address},
        {SPAN("NAMESPACE"), node->namespace_name},
        {SPAN("SERVICE_ACCOUNT"), node->service_account},
        {SPAN("VERSION"), node->version},
        {SPAN("WORKLOAD"), node->workload},
    };
    enum { COUNT = sizeof metadata / sizeof metadata[0] };
    struct arena *arena = &client->arena;
    struct xds_pair *pairs = ARENA_ARRAY(arena, struct xds_pair, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        if (metadata[i].value.length > 0) {
            pairs[client->node.metadata_count].name = metadata[i].name;
            pairs[client->node.metadata_count++].value = arena_span(arena, metadata[i].value);
        }
    }
    client->node.metadata = pairs;
    client->node.id = arena_span(arena, node->id);
    client->node.cluster = arena_span(arena, node->cluster);
    client->node.region = arena_span(arena, node->region);
    client->node.zone = arena_span(arena, node->zone);
    client->node.sub_zone = arena_span(arena, node->sub_zone);
    client->node.agent = SPAN("remora-proxy");
}

static void free_client(struct turn_task *task)
{
    struct xds_client *client = CONTAINER_OF(task, struct xds_client, free_task);
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        subscription_done(&client->subscriptions[type]);
    }
    arena_done(&client->arena);
    mem_free(client);
}

struct xds_client *xds_client_create(struct grpc_channel *channel,
                                     const struct xds_client_options *options,
                                     const struct xds_client_events *events, void *owner)
{
    struct xds_client *client = NEW(struct xds_client);
    client->loop = grpc_channel_loop(channel);
    client->channel = channel;
    client->events = events;
    client->owner = owner;
    client->delta = !options->state_of_the_world;
    client->send_task.run = send_requests;
    client->free_task.run = free_client;
    client->watch.on_up = on_up;
    client->watch.on_down = on_down;
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        subscription_init(&client->subscriptions[type], (enum xds_type)type);
    }
    describe(client, &options->node);
    timer_init(&client->restart, client->loop, on_restart);
    timer_init(&client->absent, client->loop, on_absent);
    grpc_channel_watch(channel, &client->watch);
    return client;
}

void xds_client_destroy(struct xds_client *client)
{
    if (client == NULL || client->destroyed) {
        return;
    }
    client->destroyed = true;
    grpc_channel_unwatch(client->channel, &client->watch);
    timer_stop(&client->restart);
    timer_stop(&client->absent);
    turn_task_cancel(&client->send_task);
    if (client->call != NULL) {
        grpc_call_cancel(client->call);
        client->call = NULL;
    }
    loop_free_later(client->loop, &client->free_task);
}

void xds_client_want_all(struct xds_client *client, enum xds_type type)
{
    subscription_want_all(&client->subscriptions[type]);
    send_later(client);
}

void xds_client_want(struct xds_client *client, enum xds_type type, struct span name)
{
    subscription_want(&client->subscriptions[type], name);
    send_later(client);
}

void xds_client_drop(struct xds_client *client, enum xds_type type, struct span name)
{
    subscription_drop(&client->subscriptions[type], name);
    send_later(client);
}

bool xds_client_connected(const struct xds_client *client)
{
    return client->call != NULL && client->answered;
}

const struct xds_client_counters *xds_client_counters(const struct xds_client *client)
{
    return &client->counters;
}
