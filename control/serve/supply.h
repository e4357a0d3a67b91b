#ifndef REMORA_CONTROL_SERVE_SUPPLY_H
#define REMORA_CONTROL_SERVE_SUPPLY_H

#include "control/model/world.h"

/*
 * What there is to serve, as subscribers ask for it: the world behind two calls (the tests have a
 * smaller one), and what is made from it once for all of them between two changes: listings for
 * wildcards, and the form that gRPC clients take. One thread.
 */
struct supply_ops {
    /* As world_resource and world_next. */
    struct resource *(*resource)(void *owner, const struct viewer *viewer, enum xds_type type,
                                 struct span name);
    struct resource *(*next)(void *owner, const struct viewer *viewer, enum xds_type type,
                             size_t *at);
    /* As world_listener_name. */
    struct span (*listener_name)(void *owner, const struct viewer *viewer, struct span name,
                                 struct arena *arena);
};

/* All resources of a type for the viewers of a namespace, sorted by name. Counted, read-only. */
struct listing {
    uint32_t references;
    uint32_t count;
    struct resource **items;
};
/* Takes NULL. */
void listing_unref(struct listing *listing);
/* NULL when it has none of that name. Borrowed. */
struct resource *listing_find(const struct listing *listing, struct span name);

struct supply;

struct supply *supply_create(const struct supply_ops *ops, void *owner);
void supply_destroy(struct supply *supply);
/* The owner of the ops has other resources now: what was made from the old ones is forgotten. */
void supply_changed(struct supply *supply);

/*
 * A reference, or NULL. for_grpc: in the form for gRPC clients: routes without what only proxies
 * take, and listeners under the name that was asked, short as it may be.
 */
struct resource *supply_resource(struct supply *supply, const struct viewer *viewer,
                                 enum xds_type type, struct span name, bool for_grpc);
/* A reference. */
struct listing *supply_listing(struct supply *supply, const struct viewer *viewer,
                               enum xds_type type);

#endif
