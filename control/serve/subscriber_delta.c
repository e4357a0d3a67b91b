#include "control/serve/subscriber.h"

#include "lib/base/memory.h"

/*
 * Incremental xDS: versions by resource, removals by name. A request has two roles, alone or
 * together: answer to a response, and change of the subscription, which holds whatever the nonce.
 */

/* ---- Requests -------------------------------------------------------------------------------- */

static void take_answer(struct subscriber *subscriber, struct subscription *subscription,
                        const struct xds_request *request)
{
    uint64_t nonce = version_read(request->nonce);
    if (nonce != subscription->nonce) {
        subscriber->stale++;
        /* One part of a larger answer that was refused must not be lost. */
        if (request->refused) {
            bool waits = subscription->waits;
            subscription_answered(subscription, request);
            subscription->waits = waits;
            subscriber->nacks++;
        }
        return;
    }
    subscription_answered(subscription, request);
    subscriber->nacks += request->refused;
}

/* Of types that have no wildcard there is nothing to say. */
static void want_all(struct subscription *subscription)
{
    subscription->all = subscription_can_be_whole(subscription);
    subscription->owed = true;
}

static void want_none(struct subscription *subscription)
{
    subscription->all = false;
    listing_unref(subscription->told_all);
    listing_unref(subscription->next_all);
    subscription->told_all = subscription->next_all = NULL;
    subscription_forget_held(subscription);
}

static bool subscribe(struct subscription *subscription, struct span name)
{
    if (span_equal(name, SPAN("*"))) {
        want_all(subscription);
        return true;
    }
    struct wanted *wanted = subscription_want(subscription, name);
    if (wanted == NULL) {
        return false;
    }
    wanted->owed = true;
    subscription->owed = true;
    return true;
}

/* A name that the wildcard covers too is told again, as the client forgets it now. */
static void unsubscribe(struct subscription *subscription, struct span name)
{
    if (span_equal(name, SPAN("*"))) {
        want_none(subscription);
        return;
    }
    subscription_drop(subscription, name);
    if (subscription->all) {
        struct wanted *held = NEW(struct wanted);
        held->owed = true;
        mem_free(map_put(&subscription->held, name, held));
        subscription->owed = true;
    }
}

/* First request: what the client holds from an earlier stream need not be sent again. */
static bool take_held(struct subscription *subscription, const struct xds_request *request)
{
    for (size_t i = 0; i < request->version_count; i++) {
        struct span name = request->versions[i].name;
        struct wanted *wanted = map_get(&subscription->names, name);
        if (wanted == NULL) {
            if (subscription->held.count >= SUBSCRIPTION_NAMES ||
                name.length > SUBSCRIPTION_NAME_BYTES) {
                return false;
            }
            wanted = NEW(struct wanted);
            mem_free(map_put(&subscription->held, name, wanted));
        }
        wanted->told = version_read(request->versions[i].value);
        wanted->answered = true;
        wanted->owed = false;
    }
    return true;
}

enum grpc_code subscriber_take_delta(struct subscriber *subscriber,
                                     struct subscription *subscription,
                                     const struct xds_request *request, struct xds_error *ret_error)
{
    bool first = !subscription->begun;
    bool fits = true;
    subscription->begun = true;
    if (request->nonce.length > 0) {
        take_answer(subscriber, subscription, request);
    }
    for (size_t i = 0; i < request->unsubscribed_count; i++) {
        unsubscribe(subscription, request->unsubscribed[i]);
    }
    for (size_t i = 0; i < request->name_count && fits; i++) {
        fits = subscribe(subscription, request->names[i]);
    }
    if (first) {
        if (request->name_count == 0 && request->unsubscribed_count == 0) {
            want_all(subscription);
        }
        fits = fits && take_held(subscription, request);
        subscription->owed = true;
    }
    if (!fits) {
        *ret_error = (struct xds_error){"too many resource names, or one of more than 1024 bytes"};
        return GRPC_RESOURCE_EXHAUSTED;
    }
    return GRPC_OK;
}

/* ---- Telling --------------------------------------------------------------------------------- */

struct telling {
    struct subscriber *subscriber;
    struct subscription *subscription;
    struct discovery_reply reply;
    bool removals;
    bool held_back; /* something that is gone was not told yet */
    bool sent;
    bool paused; /* there is no room for more parts now */
};

static void flush_full(struct telling *telling)
{
    if (telling->reply.bytes >= REPLY_BYTES) {
        subscriber_send(telling->subscriber, telling->subscription, &telling->reply);
        telling->sent = true;
        telling->paused = !telling->subscriber->events->has_room(telling->subscriber->owner);
    }
}

static void tell_present(struct telling *telling, struct resource *resource)
{
    discovery_reply_add(&telling->reply, resource);
    flush_full(telling);
}

static void tell_gone(struct telling *telling, struct span name)
{
    discovery_reply_remove(&telling->reply, name);
    flush_full(telling);
}

static void tell_named(struct telling *telling, struct span name, struct wanted *wanted)
{
    const struct subscriber *subscriber = telling->subscriber;
    struct resource *resource =
        supply_resource(subscriber->supply, &subscriber->viewer,
                        (enum xds_type)telling->subscription->type, name, subscriber->for_grpc);
    if (resource != NULL) {
        bool differs = wanted->owed || wanted->told != resource->version;
        *wanted = (struct wanted){.told = resource->version, .answered = true};
        if (differs) {
            tell_present(telling, resource);
        } else {
            resource_unref(resource);
        }
        return;
    }
    bool news = wanted->owed || wanted->told != 0 || !wanted->answered;
    if (news && !wanted->owed && !telling->removals) {
        telling->held_back = true;
        return;
    }
    *wanted = (struct wanted){.answered = true};
    if (news) {
        tell_gone(telling, name);
    }
}

static void tell_names(struct telling *telling)
{
    struct span name;
    void *wanted = NULL;
    size_t at = 0;
    while (map_next(&telling->subscription->names, &at, &name, &wanted)) {
        tell_named(telling, name, wanted);
    }
}

/* Told apart from the wildcard: a response must not hold a name twice. */
static bool is_named(const struct telling *telling, struct span name)
{
    return map_get(&telling->subscription->names, name) != NULL;
}

static bool is_told_apart(const struct telling *telling, struct span name)
{
    return is_named(telling, name) || map_get(&telling->subscription->held, name) != NULL;
}

/* Both lists are sorted; what is in both and the same resource is passed over without a look. */
static void tell_difference(struct telling *telling, const struct listing *before,
                            const struct listing *now)
{
    uint32_t *old = &telling->subscription->old_at;
    uint32_t *new = &telling->subscription->new_at;
    while (!telling->paused && (*old < before->count || *new < now->count)) {
        int order;
        if (*old == before->count) {
            order = 1;
        } else if (*new == now->count) {
            order = -1;
        } else if (before->items[*old] == now->items[*new]) {
            order = 0;
        } else {
            order = span_compare(before->items[*old]->name, now->items[*new]->name);
        }
        if (order < 0) {
            struct span gone = before->items[(*old)++]->name;
            if (!is_told_apart(telling, gone)) {
                tell_gone(telling, gone);
            }
            continue;
        }
        struct resource *resource = now->items[(*new)++];
        bool same = order == 0 && before->items[*old]->version == resource->version;
        *old += order == 0;
        if (!same && !is_told_apart(telling, resource->name)) {
            tell_present(telling, resource_ref(resource));
        }
    }
}

/* What the client holds from before this stream, and names that the wildcard must say again. */
static void tell_held(struct telling *telling, const struct listing *now)
{
    struct map *held = &telling->subscription->held;
    bool first = telling->subscription->told_all == NULL; /* then all that there is was told */
    struct span name;
    void *value = NULL;
    size_t at = 0;
    while (map_next(held, &at, &name, &value)) {
        const struct wanted *wanted = value;
        struct resource *resource = listing_find(now, name);
        if (resource == NULL && !is_named(telling, name)) {
            tell_gone(telling, name);
        } else if (resource != NULL && wanted->owed && !first && !is_named(telling, name)) {
            tell_present(telling, resource_ref(resource));
        }
    }
    subscription_forget_held(telling->subscription);
}

static void tell_first(struct telling *telling, const struct listing *now)
{
    uint32_t *new = &telling->subscription->new_at;
    while (!telling->paused && *new < now->count) {
        struct resource *resource = now->items[(*new)++];
        const struct wanted *held = map_get(&telling->subscription->held, resource->name);
        bool known = held != NULL && held->told == resource->version;
        if (!known && !is_named(telling, resource->name)) {
            tell_present(telling, resource_ref(resource));
        }
    }
}

/*
 * Goes from the listing that was told to the one that is next, in parts where there is no room for
 * all. Only when that one is told whole is a newer one looked at.
 */
static void tell_all(struct telling *telling)
{
    struct subscriber *subscriber = telling->subscriber;
    struct subscription *subscription = telling->subscription;
    bool resumed = subscription->next_all != NULL;
    if (!resumed) {
        subscription->next_all = supply_listing(subscriber->supply, &subscriber->viewer,
                                                (enum xds_type)subscription->type);
        subscription->old_at = subscription->new_at = 0;
    }
    struct listing *next = subscription->next_all;
    if (subscription->told_all == NULL) {
        tell_first(telling, next);
    } else {
        tell_difference(telling, subscription->told_all, next);
    }
    if (telling->paused) {
        return;
    }
    tell_held(telling, next);
    listing_unref(subscription->told_all);
    subscription->told_all = next;
    subscription->next_all = NULL;
    telling->held_back |= resumed;
}

void subscriber_tell_delta(struct subscriber *subscriber, struct subscription *subscription,
                           bool removals)
{
    struct telling telling = {
        .subscriber = subscriber, .subscription = subscription, .removals = removals};
    bool first = subscription->sent == 0;
    tell_names(&telling);
    if (subscription->all) {
        tell_all(&telling);
    }
    subscription->due = telling.held_back;
    subscription->owed = false;
    /* The first answer comes in any case: the client then knows that it has everything. */
    if (!discovery_reply_empty(&telling.reply) || (first && !telling.sent)) {
        subscriber_send(subscriber, subscription, &telling.reply);
    }
    discovery_reply_done(&telling.reply);
}
