#ifndef REMORA_CONTROL_SERVE_ADS_SERVICE_H
#define REMORA_CONTROL_SERVE_ADS_SERVICE_H

#include "control/serve/caller.h"
#include "control/serve/control_stats.h"
#include "control/serve/live_calls.h"
#include "control/serve/push_queue.h"
#include "control/serve/subscriber.h"
#include "lib/grpc/grpc_server.h"

/*
 * The aggregated discovery service as gRPC methods: proves who opens a stream, gives each a
 * subscriber, and has the queue that visits them when the world has changed.
 */
enum { ADS_METHODS = 2 };

struct ads_service {
    struct supply *supply;
    struct join_tokens *tokens;
    struct span trust_domain;
    struct control_stats *stats;
    struct live_calls *calls;
    struct push_queue pushes;
    struct list streams;
    struct timer look; /* for streams whose certificate has ended */
    bool draining;
    /* Changes are to be compiled into what supply gives. Returns the types that differ. */
    unsigned (*on_gathered)(void *owner);
    void *owner;
};

/* The members above streams, and the last two, are the caller's to set before. */
void ads_service_init(struct ads_service *service, struct loop *loop);
void ads_service_done(struct ads_service *service);
/* proven: callers must show who they are; else the node is believed. */
void ads_service_methods(struct ads_service *service, bool proven,
                         struct grpc_method methods[ADS_METHODS]);
/* Ends the streams and refuses new ones. */
void ads_service_drain(struct ads_service *service);

/* For status: every stream. Start with *at = NULL. */
struct ads_row {
    const struct subscriber *subscriber;
    struct span address;
    int64_t certificate_not_after_s; /* 0 = by token */
};
bool ads_service_next(const struct ads_service *service, const struct link **at,
                      struct ads_row *ret);

#endif
