#include "proxy/discovery/held.h"

#include "lib/base/log.h"
#include "lib/base/memory.h"

#include <stdio.h>
#include <string.h>

struct span held_name(const struct held *held)
{
    return span_make(held->text, held->name_bytes);
}

struct span held_version(const struct held *held)
{
    return span_make(held->text + held->name_bytes, held->version_bytes);
}

struct span held_bytes(const struct held *held)
{
    return span_make(held->text + held->name_bytes + held->version_bytes, held->resource_bytes);
}

struct span held_endpoints_name(const struct held *cluster)
{
    const struct xds_cluster *facts = cluster->made->cluster;
    return facts->endpoints_name.length > 0 ? facts->endpoints_name : facts->name;
}

static struct held *held_create(enum xds_type type, struct span name, struct span version,
                                struct span bytes)
{
    size_t length = name.length + version.length + bytes.length;
    struct held *held = mem_alloc(offsetof(struct held, text) + length);
    held->made = type == XDS_PHONE ? NULL : NEW(struct held_made);
    held->type = (uint8_t)type;
    held->name_bytes = (uint32_t)name.length;
    held->version_bytes = (uint32_t)version.length;
    held->resource_bytes = (uint32_t)bytes.length;
    memcpy(held->text, name.at, name.length);
    memcpy(held->text + name.length, version.length > 0 ? version.at : "", version.length);
    memcpy(held->text + name.length + version.length, bytes.length > 0 ? bytes.at : "",
           bytes.length);
    return held;
}

static void held_destroy(struct held *held)
{
    if (held == NULL) {
        return;
    }
    struct held_made *made = held->made;
    if (made != NULL) {
        if (held->type == XDS_ROUTE) {
            route_config_unref(made->routes);
        }
        listener_config_unref(made->listener_part);
        cluster_config_unref(made->cluster_part);
        arena_done(&made->arena);
        mem_free(made);
    }
    mem_free(held);
}

/* ---- Decoding -------------------------------------------------------------------------------- */

static bool name_fits(struct span inside, struct held *held, struct xds_error *ret_error)
{
    if (span_equal(inside, held_name(held))) {
        return true;
    }
    snprintf(ret_error->text, sizeof(ret_error->text), "%.*s: the resource calls itself %.*s",
             SPAN_ARG(held_name(held)), SPAN_ARG(inside));
    return false;
}

static bool decode_listener(struct held *held, struct xds_error *ret_error)
{
    held->made->listener = ARENA_NEW(&held->made->arena, struct xds_listener);
    if (!xds_listener_decode(held_bytes(held), &held->made->arena, held->made->listener,
                             ret_error) ||
        !name_fits(held->made->listener->name, held, ret_error)) {
        return false;
    }
    struct listener_config *trial = listener_config_create(held->made->listener, NULL, ret_error);
    listener_config_unref(trial);
    return trial != NULL;
}

static bool decode_route(struct held *held, struct xds_error *ret_error)
{
    struct arena scratch = {0};
    struct xds_route_config facts = {0};
    if (xds_route_config_decode(held_bytes(held), &scratch, &facts, ret_error) &&
        name_fits(facts.name, held, ret_error)) {
        held->made->routes = route_config_create(&facts, ret_error);
    }
    arena_done(&scratch);
    return held->made->routes != NULL;
}

static bool decode_cluster(struct held *held, struct xds_error *ret_error)
{
    held->made->cluster = ARENA_NEW(&held->made->arena, struct xds_cluster);
    if (!xds_cluster_decode(held_bytes(held), &held->made->arena, held->made->cluster, ret_error) ||
        !name_fits(held->made->cluster->name, held, ret_error)) {
        return false;
    }
    struct cluster_config *trial = cluster_config_create(held->made->cluster, NULL, ret_error);
    cluster_config_unref(trial);
    return trial != NULL;
}

static bool decode_endpoints(struct held *held, struct xds_error *ret_error)
{
    held->made->endpoints = ARENA_NEW(&held->made->arena, struct xds_endpoints);
    return xds_endpoints_decode(held_bytes(held), &held->made->arena, held->made->endpoints,
                                ret_error) &&
           name_fits(held->made->endpoints->cluster, held, ret_error);
}

static bool decode_secret(struct held *held, struct xds_error *ret_error)
{
    struct xds_secret secret = {0};
    if (!xds_secret_decode(held_bytes(held), &held->made->arena, &secret, ret_error)) {
        return false;
    }
    held->made->roots_pem = secret.roots_pem;
    return true;
}

/* Only looked at: the book decodes it again when it is built. */
static bool decode_phone(struct held *held, struct xds_error *ret_error)
{
    struct arena scratch = {0};
    struct xds_phone_entry entry = {0};
    bool good = xds_phone_decode(held_bytes(held), &scratch, &entry, ret_error) &&
                name_fits(entry.name, held, ret_error);
    arena_done(&scratch);
    return good;
}

static bool decode_workload(struct apply *apply, struct held *held, struct xds_error *ret_error)
{
    struct arena scratch = {0};
    struct xds_workload facts = {0};
    struct workload_config *workload = NULL;
    if (xds_workload_decode(held_bytes(held), &scratch, &facts, ret_error)) {
        workload = workload_config_create(&facts, ret_error);
    }
    arena_done(&scratch);
    if (workload == NULL) {
        return false;
    }
    workload_config_unref(apply->workload);
    apply->workload = workload;
    return true;
}

static bool decode(struct apply *apply, struct held *held, struct xds_error *ret_error)
{
    switch ((enum xds_type)held->type) {
    case XDS_LISTENER:
        return decode_listener(held, ret_error);
    case XDS_ROUTE:
        return decode_route(held, ret_error);
    case XDS_CLUSTER:
        return decode_cluster(held, ret_error);
    case XDS_ENDPOINTS:
        return decode_endpoints(held, ret_error);
    case XDS_SECRET:
        return decode_secret(held, ret_error);
    case XDS_PHONE:
        return decode_phone(held, ret_error);
    case XDS_WORKLOAD:
        return decode_workload(apply, held, ret_error);
    case XDS_TYPES:
        break;
    }
    UNREACHABLE("an unknown type");
}

const struct held *held_put(struct apply *apply, enum xds_type type, struct span name,
                            struct span version, struct span bytes, struct xds_error *ret_error)
{
    struct held *held = held_create(type, name, version, bytes);
    if (!decode(apply, held, ret_error)) {
        held_destroy(held);
        return NULL;
    }
    if (held->made != NULL) {
        held->made->serial = ++apply->serial;
    }
    apply->phone_changed |= type == XDS_PHONE;
    held_destroy(map_remove(&apply->held[type], name));
    map_put(&apply->held[type], held_name(held), held);
    return held;
}

void held_remove(struct apply *apply, enum xds_type type, struct span name)
{
    apply->phone_changed |= type == XDS_PHONE;
    held_destroy(map_remove(&apply->held[type], name));
}

/* ---- Parts ----------------------------------------------------------------------------------- */

struct listener_config *held_listener(struct apply *apply, struct held *listener)
{
    struct held_made *made = listener->made;
    struct held *route = map_get(&apply->held[XDS_ROUTE], made->listener->route_name);
    struct route_config *routes = route != NULL ? route->made->routes : NULL;
    if (made->listener_part == NULL || made->made_with_routes != routes) {
        struct xds_error error = {{0}};
        listener_config_unref(made->listener_part);
        made->listener_part = listener_config_create(made->listener, routes, &error);
        made->made_with_routes = routes;
    }
    return made->listener_part;
}

struct cluster_config *held_cluster(struct apply *apply, struct held *cluster)
{
    struct held_made *made = cluster->made;
    struct held_made *endpoints = NULL;
    if (made->cluster->type == XDS_CLUSTER_EDS) {
        struct held *held = map_get(&apply->held[XDS_ENDPOINTS], held_endpoints_name(cluster));
        endpoints = held != NULL ? held->made : NULL;
    }
    uint64_t serial = endpoints != NULL ? endpoints->serial : 0;
    if (made->cluster_part == NULL || made->made_with_serial != serial) {
        struct xds_error error = {{0}};
        cluster_config_unref(made->cluster_part);
        made->cluster_part = cluster_config_create(
            made->cluster, endpoints != NULL ? endpoints->endpoints : NULL, &error);
        made->made_with_serial = serial;
    }
    return made->cluster_part;
}

void held_phone_book(struct apply *apply)
{
    if (!apply->phone_changed) {
        return;
    }
    apply->phone_changed = false;
    struct map *table = &apply->held[XDS_PHONE];
    struct arena scratch = {0};
    struct xds_phone_entry **entries = mem_array(table->count + 1, sizeof(*entries));
    size_t count = 0;
    struct span name;
    void *value = NULL;
    size_t at = 0;
    while (map_next(table, &at, &name, &value)) {
        struct xds_error error = {{0}};
        struct xds_phone_entry *entry = ARENA_NEW(&scratch, struct xds_phone_entry);
        if (xds_phone_decode(held_bytes(value), &scratch, entry, &error)) {
            entries[count++] = entry;
        }
    }
    size_t conflicts = 0;
    struct phone_book *book =
        phone_book_create((const struct xds_phone_entry *const *)entries, count, &conflicts);
    if (conflicts > 0) {
        LOG_WARN("discovery", "addresses are claimed by more than one service",
                 LOG_NUMBER("conflicts", conflicts));
    }
    phone_book_unref(apply->phone_book);
    apply->phone_book = book;
    mem_free(entries);
    arena_done(&scratch);
}

/* ---- Letting go ------------------------------------------------------------------------------ */

static bool lists_cluster(const struct xds_weighted_cluster *clusters, uint32_t count,
                          struct span name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (span_equal(clusters[i].name, name)) {
            return true;
        }
    }
    return false;
}

static bool routes_use(const struct route_config *routes, struct span cluster)
{
    const struct xds_route_config *facts = route_config_facts(routes);
    for (uint32_t h = 0; h < facts->host_count; h++) {
        for (uint32_t r = 0; r < facts->hosts[h].route_count; r++) {
            const struct xds_route *route = &facts->hosts[h].routes[r];
            if (lists_cluster(route->clusters, route->cluster_count, cluster)) {
                return true;
            }
        }
    }
    return false;
}

static bool is_used(struct apply *apply, enum xds_type type, const struct held *held)
{
    enum xds_type users = type == XDS_ENDPOINTS ? XDS_CLUSTER : XDS_LISTENER;
    struct span name = held_name(held);
    struct span key;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&apply->held[users], &at, &key, &value)) {
        const struct held *user = value;
        if (type == XDS_ENDPOINTS && span_equal(held_endpoints_name(user), name)) {
            return true;
        }
        if (type == XDS_ROUTE && span_equal(user->made->listener->route_name, name)) {
            return true;
        }
        if (type == XDS_CLUSTER && lists_cluster(user->made->listener->tcp_clusters,
                                                 user->made->listener->tcp_cluster_count, name)) {
            return true;
        }
    }
    at = 0;
    while (type == XDS_CLUSTER && map_next(&apply->held[XDS_ROUTE], &at, &key, &value)) {
        if (routes_use(((const struct held *)value)->made->routes, name)) {
            return true;
        }
    }
    return false;
}

static void drop_unused_of(struct apply *apply, enum xds_type type)
{
    struct span name;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&apply->held[type], &at, &name, &value)) {
        struct held *held = value;
        if (!is_used(apply, type, held)) {
            map_remove(&apply->held[type], name);
            if (apply->client != NULL) {
                xds_client_drop(apply->client, type, held_name(held));
            }
            held_destroy(held);
        }
    }
}

bool held_drop_unused(struct apply *apply, enum xds_type type, struct span name)
{
    if (apply->client != NULL) {
        xds_client_drop(apply->client, type, name);
    }
    held_remove(apply, type, name);
    if (type == XDS_LISTENER) {
        drop_unused_of(apply, XDS_ROUTE);
        drop_unused_of(apply, XDS_CLUSTER);
        drop_unused_of(apply, XDS_ENDPOINTS);
    }
    map_remove(&apply->absent, name);
    return true;
}

void held_done(struct apply *apply)
{
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        struct span name;
        void *value = NULL;
        size_t at = 0;
        while (map_next(&apply->held[type], &at, &name, &value)) {
            held_destroy(value);
        }
        map_done(&apply->held[type]);
    }
}
