#ifndef REMORA_CONTROL_SERVE_SUBSCRIBER_H
#define REMORA_CONTROL_SERVE_SUBSCRIBER_H

/*
 * One ADS stream: a proxy, or a plain gRPC client.
 *
 *   xds_server ──> subscriber ── subscription (one a type): what it wants, what it was told
 *                      └─ supply: what there is now
 *
 * It works by comparing: whenever a request came, an answer came, room came or the world changed,
 * what each subscription was told is compared with what there is, and the difference is sent. So
 * nothing can be forgotten by a lost notice, and many changes while a client is slow cost one
 * response. At most one response of changes a type is under way; only what was just asked for is
 * answered before the client has accepted the last one.
 *
 * Order: secrets and the proxy's own workload, clusters, endpoints, phone book, listeners, routes;
 * clusters and endpoints that are gone are told when listeners and routes are settled.
 */

#include "control/serve/discovery_reply.h"
#include "control/serve/subscription.h"
#include "lib/grpc/grpc_status.h"

/* Who is at the other end, proven: by certificate or by token. */
struct subscriber_identity {
    struct span namespace_name;
    struct span service_account;
};

struct subscriber_events {
    /* One encoded response. */
    void (*send)(void *owner, struct span message);
    /* False while what was sent before is not taken; subscriber_sync follows when it is. */
    bool (*has_room)(void *owner);
};

struct subscriber {
    struct supply *supply;
    const struct subscriber_events *events;
    void *owner;
    bool delta;
    bool for_grpc;  /* a gRPC library, not a proxy */
    bool is_proven; /* namespace and service account are those of an identity */
    bool knows_node;
    struct arena names; /* of the node and identity */
    struct viewer viewer;
    struct node_claim node;
    struct subscription types[XDS_TYPES];
    uint64_t last_nonce;
    uint64_t requests, responses, nacks, stale;
    int64_t since_ns; /* wall clock */
};

/* Copies the identity. NULL: the port proves nobody, and the node is believed. */
struct subscriber *subscriber_create(struct supply *supply, bool delta,
                                     const struct subscriber_identity *identity,
                                     const struct subscriber_events *events, void *owner);
void subscriber_destroy(struct subscriber *subscriber);

/*
 * A request. May send before it returns. Anything but OK ends the stream with that code and the
 * error's text.
 */
enum grpc_code subscriber_receive(struct subscriber *subscriber, struct span message,
                                  struct xds_error *ret_error);
/* There is something else to serve now, by type: bit 1 << enum xds_type. */
void subscriber_mark(struct subscriber *subscriber, unsigned types);
/* Sends what differs, as far as there is room. */
void subscriber_sync(struct subscriber *subscriber);
bool subscriber_synced(const struct subscriber *subscriber);

/* ---- Inside ---------------------------------------------------------------------------------- */

/* Takes over a request of its variant. */
enum grpc_code subscriber_take_delta(struct subscriber *subscriber,
                                     struct subscription *subscription,
                                     const struct xds_request *request,
                                     struct xds_error *ret_error);
enum grpc_code subscriber_take_sotw(struct subscriber *subscriber,
                                    struct subscription *subscription,
                                    const struct xds_request *request, struct xds_error *ret_error);
/* Sends the difference. removals: also tells what is gone, where that can wait. */
void subscriber_tell_delta(struct subscriber *subscriber, struct subscription *subscription,
                           bool removals);
void subscriber_tell_sotw(struct subscriber *subscriber, struct subscription *subscription,
                          bool removals);
/* Packs and sends; empties the reply. */
void subscriber_send(struct subscriber *subscriber, struct subscription *subscription,
                     struct discovery_reply *reply);
/* Clusters and endpoints go after what names them. */
static inline bool subscription_removes_late(const struct subscription *subscription)
{
    return subscription->type == XDS_CLUSTER || subscription->type == XDS_ENDPOINTS;
}

#endif
