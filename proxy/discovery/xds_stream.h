#ifndef REMORA_PROXY_DISCOVERY_XDS_STREAM_H
#define REMORA_PROXY_DISCOVERY_XDS_STREAM_H

#include "lib/grpc/grpc_call.h"
#include "lib/grpc/grpc_channel.h"
#include "proxy/discovery/subscription.h"

/* The inside of xds_client: xds_client.c keeps the stream, xds_receive.c works off responses. */
struct xds_client {
    struct loop *loop;
    struct grpc_channel *channel;
    struct grpc_channel_watch watch;
    struct grpc_call *call; /* NULL: no stream */
    const struct xds_client_events *events;
    void *owner;
    struct arena arena; /* of the node */
    struct xds_caller node;
    struct subscription subscriptions[XDS_TYPES];
    bool delta;
    bool node_sent;
    bool answered; /* a response came on this stream */
    bool destroyed;
    unsigned failures; /* streams that ended without a response, in a row */
    struct turn_task send_task;
    struct turn_task free_task;
    struct timer restart;
    struct timer absent; /* SotW: names that nobody answers */
    struct xds_client_counters counters;
};

/* A message of the stream. The answer is queued; sending is the caller's. */
void xds_receive(struct xds_client *client, struct span message);
/* SotW: tells the owner of names whose time is over. Returns when to look again; 0 = never. */
int64_t xds_receive_absent(struct xds_client *client, int64_t now_ns);

#endif
