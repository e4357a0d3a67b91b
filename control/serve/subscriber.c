#include "control/serve/subscriber.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <stdio.h>
#include <string.h>

/* Not what version_read makes of foreign texts. */
enum { FIRST_NONCE = 256, NAME_SHOWN = 80 };

static const uint8_t push_order[] = {XDS_SECRET, XDS_WORKLOAD, XDS_CLUSTER, XDS_ENDPOINTS,
                                     XDS_PHONE,  XDS_LISTENER, XDS_ROUTE};
_Static_assert(sizeof(push_order) == XDS_TYPES, "every type has its place in the order");

struct subscriber *subscriber_create(struct supply *supply, bool delta,
                                     const struct subscriber_identity *identity,
                                     const struct subscriber_events *events, void *owner)
{
    struct subscriber *subscriber = NEW(struct subscriber);
    subscriber->supply = supply;
    subscriber->events = events;
    subscriber->owner = owner;
    subscriber->delta = delta;
    subscriber->since_ns = clock_wall_ns();
    subscriber->last_nonce = FIRST_NONCE;
    arena_init(&subscriber->names);
    subscriber->is_proven = identity != NULL;
    if (identity != NULL) {
        struct viewer *viewer = &subscriber->viewer;
        viewer->namespace_name = arena_span(&subscriber->names, identity->namespace_name);
        viewer->service_account = arena_span(&subscriber->names, identity->service_account);
    }
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        subscription_init(&subscriber->types[type], (enum xds_type)type);
    }
    return subscriber;
}

void subscriber_destroy(struct subscriber *subscriber)
{
    if (subscriber == NULL) {
        return;
    }
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        subscription_done(&subscriber->types[type]);
    }
    arena_done(&subscriber->names);
    mem_free(subscriber);
}

/* ---- Who it is ------------------------------------------------------------------------------- */

static bool claims_other(struct span claimed, struct span proven)
{
    return claimed.length > 0 && !span_equal(claimed, proven);
}

static enum grpc_code take_node(struct subscriber *subscriber, const struct xds_caller *caller,
                                struct xds_error *ret_error)
{
    struct viewer *viewer = &subscriber->viewer;
    struct node_claim *node = &subscriber->node;
    node_claim_read(caller, &subscriber->names, node);
    if (!subscriber->is_proven) {
        viewer->namespace_name =
            node->namespace_name.length > 0 ? node->namespace_name : SPAN("default");
        viewer->service_account = node->service_account;
    }
    if (claims_other(node->namespace_name, viewer->namespace_name) ||
        claims_other(node->service_account, viewer->service_account)) {
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "the node says it is %.*s/%.*s, its identity is another",
                 SPAN_ARG(span_cut(node->namespace_name, 0, NAME_SHOWN)),
                 SPAN_ARG(span_cut(node->service_account, 0, NAME_SHOWN)));
        return GRPC_PERMISSION_DENIED;
    }
    viewer->workload = node->workload;
    viewer->addresses = node->addresses;
    viewer->address_count = node->address_count;
    subscriber->for_grpc = span_starts_with(node->agent, SPAN("gRPC"));
    subscriber->knows_node = true;
    return GRPC_OK;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static enum grpc_code take(struct subscriber *subscriber, const struct xds_request *request,
                           struct xds_error *ret_error)
{
    enum xds_type type;
    if (!subscriber->knows_node) {
        if (request->caller == NULL || request->caller->id.length == 0) {
            *ret_error = (struct xds_error){"the first request has no node with an id"};
            return GRPC_INVALID_ARGUMENT;
        }
        enum grpc_code code = take_node(subscriber, request->caller, ret_error);
        if (code != GRPC_OK) {
            return code;
        }
    }
    /* Other types (runtime, extensions) have no resources here: silence is the right answer. */
    if (!xds_type_of_url(request->type_url, &type)) {
        return GRPC_OK;
    }
    struct subscription *subscription = &subscriber->types[type];
    return subscriber->delta ? subscriber_take_delta(subscriber, subscription, request, ret_error)
                             : subscriber_take_sotw(subscriber, subscription, request, ret_error);
}

enum grpc_code subscriber_receive(struct subscriber *subscriber, struct span message,
                                  struct xds_error *ret_error)
{
    struct arena arena = {0};
    struct xds_request request;
    enum grpc_code code = GRPC_INVALID_ARGUMENT;
    subscriber->requests++;
    if (xds_request_decode(message, subscriber->delta, &arena, &request, ret_error)) {
        code = take(subscriber, &request, ret_error);
    }
    arena_done(&arena);
    if (code == GRPC_OK) {
        subscriber_sync(subscriber);
    }
    return code;
}

/* ---- Telling --------------------------------------------------------------------------------- */

void subscriber_mark(struct subscriber *subscriber, unsigned types)
{
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        if ((types & (1U << type)) != 0 && subscriber->types[type].begun) {
            subscriber->types[type].due = true;
        }
    }
}

void subscriber_send(struct subscriber *subscriber, struct subscription *subscription,
                     struct discovery_reply *reply)
{
    struct arena arena = {0};
    char nonce[VERSION_TEXT_BYTES];
    char version[VERSION_TEXT_BYTES];
    enum xds_type type = (enum xds_type)subscription->type;
    version_write(++subscriber->last_nonce, nonce);
    version_write(subscription->told_set, version);
    struct span message =
        discovery_reply_pack(reply, type, subscriber->delta, span_of(nonce),
                             subscriber->delta ? SPAN_EMPTY : span_of(version), &arena);
    subscription->nonce = subscriber->last_nonce;
    subscription->waits = true;
    subscription->sent++;
    subscription->sent_ns = clock_now_ns();
    subscriber->responses++;
    subscriber->events->send(subscriber->owner, message);
    arena_done(&arena);
    discovery_reply_done(reply);
}

static void tell(struct subscriber *subscriber, struct subscription *subscription, bool removals)
{
    if (subscriber->delta) {
        subscriber_tell_delta(subscriber, subscription, removals);
    } else {
        subscriber_tell_sotw(subscriber, subscription, removals);
    }
}

static bool is_settled(const struct subscription *subscription)
{
    return !subscription->due && !subscription->owed && !subscription->waits &&
           subscription->next_all == NULL;
}

/* What names clusters has been taken over, so clusters may go. */
static bool may_remove(const struct subscriber *subscriber)
{
    return is_settled(&subscriber->types[XDS_LISTENER]) &&
           is_settled(&subscriber->types[XDS_ROUTE]);
}

void subscriber_sync(struct subscriber *subscriber)
{
    for (size_t i = 0; i < XDS_TYPES; i++) {
        struct subscription *subscription = &subscriber->types[push_order[i]];
        bool wants = subscription->owed || subscription->next_all != NULL ||
                     (subscription->due && !subscription->waits);
        if (wants && subscriber->events->has_room(subscriber->owner)) {
            tell(subscriber, subscription,
                 !subscription_removes_late(subscription) || may_remove(subscriber));
        }
    }
    if (!may_remove(subscriber)) {
        return;
    }
    for (size_t i = 0; i < XDS_TYPES; i++) {
        struct subscription *subscription = &subscriber->types[push_order[i]];
        if (subscription_removes_late(subscription) && subscription->due && !subscription->waits &&
            subscriber->events->has_room(subscriber->owner)) {
            tell(subscriber, subscription, true);
        }
    }
}

bool subscriber_synced(const struct subscriber *subscriber)
{
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        if (!subscription_synced(&subscriber->types[type])) {
            return false;
        }
    }
    return true;
}
