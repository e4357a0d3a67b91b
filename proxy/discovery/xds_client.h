#ifndef REMORA_PROXY_DISCOVERY_XDS_CLIENT_H
#define REMORA_PROXY_DISCOVERY_XDS_CLIENT_H

/*
 * The proxy's end of ADS: one stream for all types, delta first, state of the world where a server
 * has only that. Main thread.
 *
 *   xds_client ── grpc channel to the control plane (reconnects by itself, jittered)
 *              └─ per type: names wanted, names held with their versions, nonce
 *
 * What came is handed on resource by resource; what is refused is NACKed with its text while the
 * good ones of the same response are used. Nothing is ever taken away because the control plane is
 * gone.
 */

#include "lib/xds/xds_type.h"

struct xds_client;
struct grpc_channel; /* lib/grpc/grpc_channel.h */

struct xds_client_events {
    /*
     * A resource that is new or changed. False, and a text, refuses it (NACK); the one held before
     * stays in force. The bytes are the resource message's and live until the call returns.
     */
    bool (*on_resource)(void *owner, enum xds_type type, struct span name, struct span version,
                        struct span bytes, struct xds_error *ret_error);
    /* The control plane says that it does not exist (any more). */
    void (*on_removed)(void *owner, enum xds_type type, struct span name);
    /* All resources of one response have been handed on: time to build. */
    void (*on_batch)(void *owner, enum xds_type type);
    /* The stream is up (the first response came) or lost. */
    void (*on_state)(void *owner, bool connected);
    /*
     * What the owner holds, also from before this process: told to the server at the beginning of a
     * stream so that it sends only differences. Asked for instead of kept here too: a phone book is
     * large. *at = 0 begins; the names live until the owner changes what it holds.
     */
    bool (*next_held)(void *owner, enum xds_type type, size_t *at, struct span *ret_name,
                      struct span *ret_version);
    bool (*held_version)(void *owner, enum xds_type type, struct span name,
                         struct span *ret_version);
};

/* What the proxy says of itself, once a stream. Copied. */
struct xds_node {
    struct span id;      /* unique: "web-1.shop" */
    struct span cluster; /* "web.shop" */
    struct span region, zone, sub_zone;
    struct span namespace_name, service_account, workload, version;
    struct span address; /* of the pod, without port; may be empty */
};

struct xds_client_options {
    struct xds_node node;
    bool state_of_the_world; /* do not try delta */
};

/* The channel is the caller's and outlives the client. */
struct xds_client *xds_client_create(struct grpc_channel *channel,
                                     const struct xds_client_options *options,
                                     const struct xds_client_events *events, void *owner);
void xds_client_destroy(struct xds_client *client);
/* Wants all of a type (XDS_PHONE). */
void xds_client_want_all(struct xds_client *client, enum xds_type type);
/* Wants one; again is no error. Sent with the turn's other changes. */
void xds_client_want(struct xds_client *client, enum xds_type type, struct span name);
/* No longer; on_removed does not come. */
void xds_client_drop(struct xds_client *client, enum xds_type type, struct span name);
bool xds_client_connected(const struct xds_client *client);

/* For metrics and /stats. */
struct xds_client_counters {
    uint64_t streams, responses, acks, nacks, resources, removed;
    int64_t last_response_ns; /* monotonic; 0 = none yet */
    char last_nack[256];
};
const struct xds_client_counters *xds_client_counters(const struct xds_client *client);

#endif
