#include "lib/base/log.h"
#include "proxy/discovery/xds_stream.h"

#include <stdio.h>

/* Texts of all refused resources together; a server shows them to people. */
enum { ERROR_BYTES = 2048 };

struct receiving {
    struct xds_client *client;
    struct subscription *subscription;
    const struct xds_response *response;
    struct map seen; /* names in this response */
    struct text error;
};

static void refuse(struct receiving *receiving, struct span name, const char *why)
{
    text_printf(&receiving->error, "%s%.*s: %s", receiving->error.length > 0 ? "; " : "",
                SPAN_ARG(name), why);
    /* Too many to name them all: a NACK needs some text. */
    if (receiving->error.length == 0) {
        text_add_text(&receiving->error, "refused");
    }
}

static void take(struct receiving *receiving, struct span name, struct span version,
                 const struct xds_resource *resource)
{
    struct xds_client *client = receiving->client;
    enum xds_type type = receiving->subscription->type;
    struct xds_error error = {""};
    struct wanted *wanted = map_get(&receiving->subscription->wanted, name);
    if (!subscription_wants(receiving->subscription, name)) {
        return; /* an alias, or a name that was dropped meanwhile */
    }
    if (wanted != NULL) {
        wanted->deadline_ns = 0;
        wanted->absent = false;
    }
    if (client->events->on_resource(client->owner, type, name, version, resource->value, &error)) {
        client->counters.resources++;
    } else {
        refuse(receiving, name, error.text);
    }
}

/* A heartbeat bears only name and version: nothing is new. */
static bool is_heartbeat(const struct xds_resource *resource)
{
    return resource->type_url.length == 0 && resource->value.length == 0;
}

static void take_each(struct receiving *receiving, bool delta)
{
    for (uint32_t i = 0; i < receiving->response->resource_count; i++) {
        const struct xds_resource *resource = &receiving->response->resources[i];
        struct span name = resource->name;
        if (is_heartbeat(resource)) {
            map_put(&receiving->seen, name, receiving);
            continue;
        }
        if (!span_equal(resource->type_url, receiving->response->type_url)) {
            refuse(receiving, name, "the resource is of another type than the response");
            continue;
        }
        if (name.length == 0 &&
            !xds_resource_name(receiving->subscription->type, resource->value, &name)) {
            refuse(receiving, SPAN("a resource"), "it has no name");
            continue;
        }
        if (map_put(&receiving->seen, name, receiving) != NULL) {
            refuse(receiving, name, "twice in one response");
            continue;
        }
        take(receiving, name, delta ? resource->version : receiving->response->version, resource);
    }
}

static void tell_removed(struct receiving *receiving, struct span name)
{
    struct xds_client *client = receiving->client;
    struct wanted *wanted = map_get(&receiving->subscription->wanted, name);
    if (!subscription_wants(receiving->subscription, name)) {
        return;
    }
    if (wanted != NULL) {
        wanted->absent = true;
        wanted->deadline_ns = 0;
    }
    client->counters.removed++;
    client->events->on_removed(client->owner, receiving->subscription->type, name);
}

/*
 * State of the world: a response of these types is all that there is, so what is held and is not in
 * it has gone. What was never there has its own time (a response may be older than the question).
 */
static bool is_whole(const struct receiving *receiving)
{
    const struct subscription *subscription = receiving->subscription;
    if (subscription->all) {
        /* Nothing at all, where there was a mesh, has been a server's mistake before. */
        return receiving->response->resource_count > 0;
    }
    return subscription->type == XDS_LISTENER || subscription->type == XDS_CLUSTER;
}

static void remove_missing(struct receiving *receiving, struct arena *arena)
{
    struct xds_client *client = receiving->client;
    enum xds_type type = receiving->subscription->type;
    struct span name;
    struct span version;
    struct span *gone = NULL;
    size_t count = 0;
    size_t held = 0;
    size_t at = 0;
    while (client->events->next_held(client->owner, type, &at, &name, &version)) {
        held++;
    }
    gone = ARENA_ARRAY(arena, struct span, held);
    at = 0;
    while (count < held && client->events->next_held(client->owner, type, &at, &name, &version)) {
        if (map_get(&receiving->seen, name) == NULL) {
            gone[count++] = arena_span(arena, name);
        }
    }
    for (size_t i = 0; i < count; i++) {
        tell_removed(receiving, gone[i]);
    }
}

static void work_off(struct receiving *receiving, struct arena *arena)
{
    struct xds_client *client = receiving->client;
    const struct xds_response *response = receiving->response;
    take_each(receiving, client->delta);
    for (uint32_t i = 0; i < response->removed_count; i++) {
        tell_removed(receiving, response->removed[i]);
    }
    /* A response that is refused in part is no word about what is missing in it. */
    if (!client->delta && is_whole(receiving) && receiving->error.length == 0) {
        remove_missing(receiving, arena);
    }
    client->events->on_batch(client->owner, receiving->subscription->type);
}

static void note(struct xds_client *client, const struct receiving *receiving)
{
    struct span error = text_span(&receiving->error);
    if (error.length == 0) {
        client->counters.acks++;
        return;
    }
    client->counters.nacks++;
    snprintf(client->counters.last_nack, sizeof client->counters.last_nack, "%.*s",
             SPAN_ARG(error));
    LOG_WARN_LIMITED("xds", "configuration refused; what was held before stays in force",
                     LOG_TEXT("type", xds_type_short(receiving->subscription->type)),
                     LOG_SPAN("reason", error));
}

void xds_receive(struct xds_client *client, struct span message)
{
    struct arena arena = {0};
    struct xds_response response;
    struct xds_error error;
    enum xds_type type;
    client->counters.responses++;
    client->counters.last_response_ns = loop_now_ns(client->loop);
    if (!xds_response_decode(message, client->delta, &arena, &response, &error)) {
        /* Without its type and nonce there is nothing to answer to. */
        LOG_WARN_LIMITED("xds", "a response cannot be read", LOG_TEXT("reason", error.text));
        client->counters.nacks++;
        snprintf(client->counters.last_nack, sizeof client->counters.last_nack, "%s", error.text);
    } else if (xds_type_of_url(response.type_url, &type) && client->subscriptions[type].begun) {
        struct receiving receiving = {
            .client = client,
            .subscription = &client->subscriptions[type],
            .response = &response,
            .error = {.limit = ERROR_BYTES},
        };
        work_off(&receiving, &arena);
        note(client, &receiving);
        subscription_answer(receiving.subscription, response.nonce, response.version,
                            text_span(&receiving.error));
        map_done(&receiving.seen);
        text_done(&receiving.error);
    }
    arena_done(&arena);
}

/* Names whose time is over, into *ret_names; the rest moves *next_ns. */
static size_t absent_names(struct subscription *subscription, int64_t now_ns, struct arena *arena,
                           struct span **ret_names, int64_t *next_ns)
{
    struct span *names = ARENA_ARRAY(arena, struct span, subscription->wanted.count);
    struct span name;
    void *value = NULL;
    size_t count = 0;
    size_t at = 0;
    while (map_next(&subscription->wanted, &at, &name, &value)) {
        struct wanted *wanted = value;
        if (wanted->deadline_ns == 0) {
            continue;
        }
        if (wanted->deadline_ns <= now_ns) {
            wanted->deadline_ns = 0;
            wanted->absent = true;
            names[count++] = arena_span(arena, name);
        } else if (*next_ns == 0 || wanted->deadline_ns < *next_ns) {
            *next_ns = wanted->deadline_ns;
        }
    }
    *ret_names = names;
    return count;
}

int64_t xds_receive_absent(struct xds_client *client, int64_t now_ns)
{
    int64_t next_ns = 0;
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        struct arena arena = {0};
        struct span *names;
        size_t count = absent_names(&client->subscriptions[type], now_ns, &arena, &names, &next_ns);
        for (size_t i = 0; i < count; i++) {
            client->counters.removed++;
            client->events->on_removed(client->owner, (enum xds_type)type, names[i]);
        }
        if (count > 0) {
            client->events->on_batch(client->owner, (enum xds_type)type);
        }
        arena_done(&arena);
    }
    return next_ns;
}
