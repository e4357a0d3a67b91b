#include "control/serve/subscription.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"

void subscription_init(struct subscription *subscription, enum xds_type type)
{
    *subscription = (struct subscription){.type = (uint8_t)type};
    map_init(&subscription->names);
    map_init(&subscription->held);
}

static void wanted_done(struct map *map)
{
    struct span name;
    void *wanted = NULL;
    size_t at = 0;
    while (map_next(map, &at, &name, &wanted)) {
        mem_free(wanted);
    }
    map_done(map);
}

void subscription_done(struct subscription *subscription)
{
    wanted_done(&subscription->names);
    wanted_done(&subscription->held);
    listing_unref(subscription->told_all);
    listing_unref(subscription->next_all);
    mem_free(subscription->nack);
}

struct wanted *subscription_want(struct subscription *subscription, struct span name)
{
    struct wanted *wanted = map_get(&subscription->names, name);
    if (wanted != NULL) {
        return wanted;
    }
    if (subscription->names.count >= SUBSCRIPTION_NAMES || name.length > SUBSCRIPTION_NAME_BYTES) {
        return NULL;
    }
    wanted = NEW(struct wanted);
    map_put(&subscription->names, name, wanted);
    return wanted;
}

bool subscription_can_be_whole(const struct subscription *subscription)
{
    return subscription->type == XDS_LISTENER || subscription->type == XDS_CLUSTER ||
           subscription->type == XDS_PHONE;
}

void subscription_drop(struct subscription *subscription, struct span name)
{
    mem_free(map_remove(&subscription->names, name));
}

void subscription_forget_held(struct subscription *subscription)
{
    wanted_done(&subscription->held);
    map_init(&subscription->held);
}

void subscription_answered(struct subscription *subscription, const struct xds_request *request)
{
    subscription->waits = false;
    mem_free(subscription->nack);
    subscription->nack = NULL;
    if (!request->refused) {
        subscription->acks++;
        return;
    }
    subscription->nacks++;
    subscription->nack_wall_ns = clock_wall_ns();
    struct span text = span_cut(request->error_message, 0, SUBSCRIPTION_NACK_BYTES);
    subscription->nack = mem_text(text.at, text.length);
}

bool subscription_synced(const struct subscription *subscription)
{
    return !subscription->begun ||
           (!subscription->waits && !subscription->due && !subscription->owed &&
            subscription->next_all == NULL && subscription->nack == NULL);
}
