#include "control/serve/supply.h"

#include "lib/base/map.h"
#include "lib/base/memory.h"
#include "lib/xds/xds_listener.h"

#include <stdlib.h>
#include <string.h>

struct supply {
    const struct supply_ops *ops;
    void *owner;
    struct map listings; /* "TYPE/NAMESPACE" -> struct listing */
    struct map for_grpc; /* type, version and name -> struct resource */
};

/* ---- Listings -------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct resource *const *first = a;
    const struct resource *const *second = b;
    return span_compare((*first)->name, (*second)->name);
}

static struct listing *listing_make(struct supply *supply, const struct viewer *viewer,
                                    enum xds_type type)
{
    struct listing *listing = NEW(struct listing);
    size_t capacity = 0;
    size_t at = 0;
    struct resource *resource;
    listing->references = 1;
    while ((resource = supply->ops->next(supply->owner, viewer, type, &at)) != NULL) {
        mem_grow(&listing->items, &capacity, (size_t)listing->count + 1, sizeof(struct resource *));
        listing->items[listing->count++] = resource;
    }
    if (listing->count > 0) {
        qsort(listing->items, listing->count, sizeof(struct resource *), by_name);
    }
    return listing;
}

void listing_unref(struct listing *listing)
{
    if (listing == NULL || --listing->references > 0) {
        return;
    }
    for (uint32_t i = 0; i < listing->count; i++) {
        resource_unref(listing->items[i]);
    }
    mem_free(listing->items);
    mem_free(listing);
}

struct resource *listing_find(const struct listing *listing, struct span name)
{
    size_t low = 0;
    size_t high = listing->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = span_compare(listing->items[middle]->name, name);
        if (order == 0) {
            return listing->items[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

struct listing *supply_listing(struct supply *supply, const struct viewer *viewer,
                               enum xds_type type)
{
    struct text key = {0};
    text_printf(&key, "%d/%.*s", (int)type, SPAN_ARG(viewer->namespace_name));
    struct listing *listing = map_get(&supply->listings, text_span(&key));
    if (listing == NULL) {
        listing = listing_make(supply, viewer, type);
        map_put(&supply->listings, text_span(&key), listing);
    }
    text_done(&key);
    listing->references++;
    return listing;
}

/* ---- For gRPC clients -------------------------------------------------------------------------
 */

/* What cannot be read again is given as it is: it came from our own encoder. */
static struct span route_for_grpc(const struct resource *route, struct arena *arena)
{
    struct xds_route_config config;
    struct xds_error error;
    return xds_route_config_decode(route->bytes, arena, &config, &error)
               ? xds_route_config_encode(&config, true, arena)
               : route->bytes;
}

static struct span listener_named(const struct resource *from, struct span name,
                                  struct arena *arena)
{
    struct xds_listener listener;
    struct xds_error error;
    if (!xds_listener_decode(from->bytes, arena, &listener, &error)) {
        return from->bytes;
    }
    listener.name = name;
    return xds_listener_encode(&listener, arena);
}

/* Takes over the reference. */
static struct resource *convert(struct supply *supply, struct resource *from, struct span name)
{
    struct text key = {0};
    text_printf(&key, "%d/%016llx/", (int)from->type, (unsigned long long)from->version);
    text_add(&key, name);
    struct resource *converted = map_get(&supply->for_grpc, text_span(&key));
    if (converted == NULL) {
        struct arena arena = {0};
        struct span bytes = from->type == XDS_ROUTE ? route_for_grpc(from, &arena)
                                                    : listener_named(from, name, &arena);
        converted = resource_create((enum xds_type)from->type, name, bytes);
        map_put(&supply->for_grpc, text_span(&key), converted);
        arena_done(&arena);
    }
    text_done(&key);
    resource_unref(from);
    return resource_ref(converted);
}

static struct resource *listener_by_short_name(struct supply *supply, const struct viewer *viewer,
                                               struct span name)
{
    struct arena arena = {0};
    struct resource *resource = NULL;
    struct span whole = supply->ops->listener_name(supply->owner, viewer, name, &arena);
    if (!span_equal(whole, name)) {
        resource = supply->ops->resource(supply->owner, viewer, XDS_LISTENER, whole);
    }
    arena_done(&arena);
    return resource != NULL ? convert(supply, resource, name) : NULL;
}

struct resource *supply_resource(struct supply *supply, const struct viewer *viewer,
                                 enum xds_type type, struct span name, bool for_grpc)
{
    struct resource *resource = supply->ops->resource(supply->owner, viewer, type, name);
    if (!for_grpc) {
        return resource;
    }
    if (resource != NULL && type == XDS_ROUTE) {
        return convert(supply, resource, name);
    }
    return resource == NULL && type == XDS_LISTENER ? listener_by_short_name(supply, viewer, name)
                                                    : resource;
}

/* ---- Life ------------------------------------------------------------------------------------ */

struct supply *supply_create(const struct supply_ops *ops, void *owner)
{
    struct supply *supply = NEW(struct supply);
    supply->ops = ops;
    supply->owner = owner;
    map_init(&supply->listings);
    map_init(&supply->for_grpc);
    return supply;
}

static void forget(struct supply *supply)
{
    struct span key;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&supply->listings, &at, &key, &value)) {
        listing_unref(value);
    }
    at = 0;
    while (map_next(&supply->for_grpc, &at, &key, &value)) {
        resource_unref(value);
    }
    map_done(&supply->listings);
    map_done(&supply->for_grpc);
}

void supply_changed(struct supply *supply)
{
    forget(supply);
    map_init(&supply->listings);
    map_init(&supply->for_grpc);
}

void supply_destroy(struct supply *supply)
{
    if (supply != NULL) {
        forget(supply);
        mem_free(supply);
    }
}
