#include "control/serve/subscriber.h"

#include "lib/base/memory.h"

/*
 * State of the world. Listeners, clusters and the phone book are told whole: what is not in a
 * response does not exist. Of the other types a response holds what is new to the client; a name
 * that does not exist is met by silence, and by an answer when it appears.
 */

/* ---- Requests -------------------------------------------------------------------------------- */

/* The names of a request replace those before it. False when there are too many. */
static bool replace_names(struct subscription *subscription, const struct xds_request *request)
{
    struct map before = subscription->names;
    bool all = false;
    bool fits = true;
    map_init(&subscription->names);
    for (size_t i = 0; i < request->name_count && fits; i++) {
        struct span name = request->names[i];
        if (span_equal(name, SPAN("*"))) {
            all = subscription_can_be_whole(subscription);
            continue;
        }
        struct wanted *wanted = subscription_want(subscription, name);
        const struct wanted *old = map_get(&before, name);
        fits = wanted != NULL;
        if (fits && old != NULL) {
            *wanted = *old;
        } else if (fits) {
            wanted->owed = true;
            subscription->owed = true;
        }
    }
    struct span name;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&before, &at, &name, &value)) {
        mem_free(value);
    }
    map_done(&before);
    subscription->owed |= all && !subscription->all;
    subscription->all = all;
    return fits;
}

enum grpc_code subscriber_take_sotw(struct subscriber *subscriber,
                                    struct subscription *subscription,
                                    const struct xds_request *request, struct xds_error *ret_error)
{
    bool first = !subscription->begun;
    if (request->nonce.length > 0 && subscription->nonce != 0) {
        /* A newer response is under way: its answer will say these names again. */
        if (version_read(request->nonce) != subscription->nonce) {
            subscriber->stale++;
            return GRPC_OK;
        }
        subscription_answered(subscription, request);
        subscriber->nacks += request->refused;
    }
    subscription->begun = true;
    if (request->name_count > 0) {
        subscription->legacy = false;
    } else if (first && subscription_can_be_whole(subscription)) {
        subscription->legacy = true;
    }
    bool legacy = subscription->legacy;
    if (!replace_names(subscription, request)) {
        *ret_error = (struct xds_error){"too many resource names, or one of more than 1024 bytes"};
        return GRPC_RESOURCE_EXHAUSTED;
    }
    subscription->all |= legacy;
    subscription->owed |= first;
    return GRPC_OK;
}

/* ---- Telling --------------------------------------------------------------------------------- */

struct telling {
    struct subscriber *subscriber;
    struct subscription *subscription;
    struct discovery_reply reply;
    uint64_t set; /* hash of everything that there is of what is wanted */
    bool news;    /* something is new or changed */
};

/* In no order, so that the same set has the same hash however it was walked. */
static void count_in(struct telling *telling, const struct resource *resource)
{
    telling->set += span_hash(resource->name, resource->version);
}

static void tell_resource(struct telling *telling, struct resource *resource)
{
    count_in(telling, resource);
    discovery_reply_add(&telling->reply, resource);
}

static void tell_named(struct telling *telling, struct span name, struct wanted *wanted)
{
    const struct subscriber *subscriber = telling->subscriber;
    struct resource *resource =
        supply_resource(subscriber->supply, &subscriber->viewer,
                        (enum xds_type)telling->subscription->type, name, subscriber->for_grpc);
    if (resource == NULL) {
        wanted->told = 0;
        return;
    }
    bool differs = wanted->owed || wanted->told != resource->version;
    telling->news |= differs;
    if (subscription_can_be_whole(telling->subscription) || differs) {
        tell_resource(telling, resource);
    } else {
        count_in(telling, resource);
        resource_unref(resource);
    }
    *wanted = (struct wanted){.told = resource->version, .answered = true};
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

static void tell_all(struct telling *telling)
{
    const struct subscriber *subscriber = telling->subscriber;
    struct listing *now = supply_listing(subscriber->supply, &subscriber->viewer,
                                         (enum xds_type)telling->subscription->type);
    for (uint32_t i = 0; i < now->count; i++) {
        if (map_get(&telling->subscription->names, now->items[i]->name) == NULL) {
            tell_resource(telling, resource_ref(now->items[i]));
        }
    }
    listing_unref(now);
}

void subscriber_tell_sotw(struct subscriber *subscriber, struct subscription *subscription,
                          bool removals)
{
    struct telling telling = {.subscriber = subscriber, .subscription = subscription};
    bool owed = subscription->owed;
    tell_names(&telling);
    if (subscription->all) {
        tell_all(&telling);
    }
    subscription->owed = false;
    subscription->due = false;
    bool differs = telling.set != subscription->told_set;
    bool send = subscription_can_be_whole(subscription) ? owed || differs
                                                        : !discovery_reply_empty(&telling.reply);
    if (send && !owed && !telling.news && !removals && !subscription->all) {
        /* Only removals: they wait for what names these resources. */
        subscription->due = true;
        send = false;
    }
    if (send) {
        subscription->told_set = telling.set;
        subscriber_send(subscriber, subscription, &telling.reply);
    }
    discovery_reply_done(&telling.reply);
}
