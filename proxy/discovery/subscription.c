#include "proxy/discovery/subscription.h"

#include "lib/base/memory.h"

#include <string.h>

enum { INVALID_ARGUMENT = 3 }; /* google.rpc.Code of a NACK */

void subscription_init(struct subscription *subscription, enum xds_type type)
{
    *subscription = (struct subscription){.type = type};
    map_init_borrowed(&subscription->wanted);
    map_init(&subscription->leaving);
}

void subscription_done(struct subscription *subscription)
{
    struct span name;
    void *wanted = NULL;
    size_t at = 0;
    while (map_next(&subscription->wanted, &at, &name, &wanted)) {
        mem_free(wanted);
    }
    map_done(&subscription->wanted);
    map_done(&subscription->leaving);
    text_done(&subscription->nonce);
    text_done(&subscription->version);
    text_done(&subscription->error);
}

void subscription_want_all(struct subscription *subscription)
{
    if (!subscription->all) {
        subscription->all = true;
        subscription->changed = true;
    }
}

void subscription_want(struct subscription *subscription, struct span name)
{
    if (map_get(&subscription->wanted, name) != NULL) {
        return;
    }
    struct wanted *wanted = mem_zalloc(sizeof *wanted + name.length);
    wanted->length = name.length;
    memcpy(wanted->name, name.at, name.length);
    map_put(&subscription->wanted, span_make(wanted->name, name.length), wanted);
    subscription->changed = true;
    /* Dropped and wanted again before the server heard of it: subscribing again makes it send. */
    map_remove(&subscription->leaving, name);
}

void subscription_drop(struct subscription *subscription, struct span name)
{
    struct wanted *wanted = map_remove(&subscription->wanted, name);
    if (wanted == NULL) {
        return;
    }
    if (wanted->sent) {
        map_put(&subscription->leaving, name, subscription);
        subscription->changed = true;
    }
    mem_free(wanted);
}

bool subscription_wants(const struct subscription *subscription, struct span name)
{
    return subscription->all || map_get(&subscription->wanted, name) != NULL;
}

void subscription_restart(struct subscription *subscription)
{
    struct span name;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&subscription->wanted, &at, &name, &value)) {
        struct wanted *wanted = value;
        wanted->sent = false;
        wanted->deadline_ns = 0;
    }
    map_done(&subscription->leaving);
    map_init(&subscription->leaving);
    text_clear(&subscription->nonce);
    text_clear(&subscription->error);
    subscription->answering = false;
    subscription->begun = false;
    subscription->all_sent = false;
    subscription->changed = subscription->all || subscription->wanted.count > 0;
}

void subscription_answer(struct subscription *subscription, struct span nonce, struct span version,
                         struct span error)
{
    text_clear(&subscription->nonce);
    text_add(&subscription->nonce, nonce);
    text_clear(&subscription->error);
    text_add(&subscription->error, error);
    if (error.length == 0) {
        text_clear(&subscription->version);
        text_add(&subscription->version, version);
    }
    subscription->answering = true;
}

static void add_answer(struct subscription *subscription, struct xds_request *request)
{
    request->nonce = text_span(&subscription->nonce);
    if (subscription->answering && subscription->error.length > 0) {
        request->refused = true;
        request->error_code = INVALID_ARGUMENT;
        request->error_message = text_span(&subscription->error);
    }
    subscription->answering = false;
}

/* All names that are wanted, or only those that were not sent; marks them as sent. */
static void add_names(struct subscription *subscription, bool only_new, struct arena *arena,
                      struct xds_request *request)
{
    struct span *names = ARENA_ARRAY(arena, struct span, subscription->wanted.count + 1);
    struct span name;
    void *value = NULL;
    size_t at = 0;
    if (subscription->all && !(only_new && subscription->all_sent)) {
        names[request->name_count++] = SPAN("*");
        subscription->all_sent = true;
    }
    while (map_next(&subscription->wanted, &at, &name, &value)) {
        struct wanted *wanted = value;
        if (!only_new || !wanted->sent) {
            names[request->name_count++] = name;
            wanted->sent = true;
        }
    }
    request->names = names;
}

static void add_leaving(struct subscription *subscription, struct arena *arena,
                        struct xds_request *request)
{
    struct span *names = ARENA_ARRAY(arena, struct span, subscription->leaving.count);
    struct span name;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&subscription->leaving, &at, &name, &value)) {
        names[request->unsubscribed_count++] = arena_span(arena, name);
    }
    request->unsubscribed = names;
    map_done(&subscription->leaving);
    map_init(&subscription->leaving);
}

/* Versions of what is held and wanted: the server leaves out what has not changed. */
static void add_versions(const struct subscription *subscription, const struct holding *holding,
                         struct arena *arena, struct xds_request *request)
{
    struct span name;
    struct span version;
    size_t count = 0;
    size_t at = 0;
    while (holding->events->next_held(holding->owner, subscription->type, &at, &name, &version)) {
        count++;
    }
    struct xds_pair *versions = ARENA_ARRAY(arena, struct xds_pair, count);
    at = 0;
    while (request->version_count < count &&
           holding->events->next_held(holding->owner, subscription->type, &at, &name, &version)) {
        if (subscription_wants(subscription, name) && version.length > 0) {
            versions[request->version_count++] = (struct xds_pair){name, version};
        }
    }
    request->versions = versions;
}

bool subscription_next_delta(struct subscription *subscription, const struct holding *holding,
                             struct arena *arena, struct xds_request *ret)
{
    struct xds_request request = {.type_url = span_of(xds_type_url(subscription->type))};
    if (subscription->answering) {
        add_answer(subscription, &request);
        *ret = request;
        return true;
    }
    if (!subscription->changed) {
        return false;
    }
    subscription->changed = false;
    add_names(subscription, true, arena, &request);
    add_leaving(subscription, arena, &request);
    if (!subscription->begun) {
        add_versions(subscription, holding, arena, &request);
    }
    if (request.name_count == 0 && request.unsubscribed_count == 0) {
        return false;
    }
    subscription->begun = true;
    *ret = request;
    return true;
}

/* The time of a name that nobody answers begins when it was sent. */
static void start_deadlines(struct subscription *subscription, const struct holding *holding,
                            int64_t deadline_ns)
{
    struct span name;
    struct span version;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&subscription->wanted, &at, &name, &value)) {
        struct wanted *wanted = value;
        if (!wanted->sent &&
            !holding->events->held_version(holding->owner, subscription->type, name, &version)) {
            wanted->deadline_ns = deadline_ns;
        }
    }
}

bool subscription_next_sotw(struct subscription *subscription, const struct holding *holding,
                            int64_t deadline_ns, struct arena *arena, struct xds_request *ret)
{
    struct xds_request request = {.type_url = span_of(xds_type_url(subscription->type))};
    bool nothing = !subscription->all && subscription->wanted.count == 0;
    if ((!subscription->changed && !subscription->answering) || (nothing && !subscription->begun)) {
        subscription->changed = false;
        return false;
    }
    start_deadlines(subscription, holding, deadline_ns);
    add_names(subscription, false, arena, &request);
    add_answer(subscription, &request);
    request.version = text_span(&subscription->version);
    map_done(&subscription->leaving);
    map_init(&subscription->leaving);
    subscription->changed = false;
    subscription->begun = true;
    *ret = request;
    return true;
}
