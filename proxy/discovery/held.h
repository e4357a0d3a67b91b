#ifndef REMORA_PROXY_DISCOVERY_HELD_H
#define REMORA_PROXY_DISCOVERY_HELD_H

/* The inside of apply: resources as they came, and the parts made of them. */

#include "lib/base/clock.h"
#include "proxy/discovery/apply.h"

/* What is made of a resource. Phone entries have none: they are decoded when the book is built. */
struct held_made {
    struct arena arena;
    union {
        struct xds_listener *listener;
        struct route_config *routes;
        struct xds_cluster *cluster;
        struct xds_endpoints *endpoints;
        struct span roots_pem;
    };
    /* The part of the snapshot, and what it was made with; NULL = to be made. */
    struct listener_config *listener_part;
    const struct route_config *made_with_routes;
    struct cluster_config *cluster_part;
    uint64_t made_with_serial;
    uint64_t serial; /* changes with each arrival */
};

/*
 * One resource. Name, version and bytes stand behind it in one allocation: there are as many phone
 * entries as services in the mesh, so each byte here is 10 KB in a large one.
 */
struct held {
    struct held_made *made; /* NULL for phone entries */
    uint32_t name_bytes, version_bytes, resource_bytes;
    uint8_t type; /* enum xds_type */
    char text[];  /* name, version, bytes */
};

struct apply {
    struct loop *loop;
    const struct apply_events *events;
    void *owner;
    struct xds_client *client;
    struct map held[XDS_TYPES];
    struct map absent; /* name -> anything */
    struct map uses;
    struct phone_book *phone_book;
    struct workload_config *workload;
    struct snapshot *snapshot;
    struct turn_task build_task;
    struct timer idle_timer;
    struct timer tidy_timer;
    uint64_t serial;
    bool phone_changed;
};

struct span held_name(const struct held *held);
struct span held_version(const struct held *held);
struct span held_bytes(const struct held *held);
struct span held_endpoints_name(const struct held *cluster);

/* Decodes, checks and keeps. NULL and a text when it is refused; what was held before stays. */
const struct held *held_put(struct apply *apply, enum xds_type type, struct span name,
                            struct span version, struct span bytes, struct xds_error *ret_error);
void held_remove(struct apply *apply, enum xds_type type, struct span name);
/* Parts for a snapshot, made anew only when something they depend on changed. NULL = not complete.
 */
struct listener_config *held_listener(struct apply *apply, struct held *listener);
struct cluster_config *held_cluster(struct apply *apply, struct held *cluster);
void held_phone_book(struct apply *apply);
/* Lets go of a listener (or address) and of routes, clusters and endpoints that only it led to. */
bool held_drop_unused(struct apply *apply, enum xds_type type, struct span name);
void held_done(struct apply *apply);

#endif
