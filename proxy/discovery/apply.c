#include "proxy/discovery/held.h"

#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"

enum {
    IDLE_CHECK_MS = 60000,
    /*
     * A book of so many entries leaves megabytes behind when it is made: what it was decoded from,
     * and the one before it, which workers let go of a moment later. They are given back when no
     * book has been made for so long: not while changes follow each other, as giving back stops
     * threads that allocate, and the next book would take the same memory again.
     */
    TIDY_ENTRIES = 1000,
    TIDY_QUIET_MS = 2000,
};

/* ---- What follows from what ------------------------------------------------------------------ */

static void want(struct apply *apply, enum xds_type type, struct span name)
{
    if (name.length > 0 && apply->client != NULL) {
        xds_client_want(apply->client, type, name);
    }
}

static void want_clusters(struct apply *apply, const struct xds_weighted_cluster *clusters,
                          uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        want(apply, XDS_CLUSTER, clusters[i].name);
    }
}

static void want_of_route(struct apply *apply, const struct route_config *routes)
{
    const struct xds_route_config *facts = route_config_facts(routes);
    for (uint32_t h = 0; h < facts->host_count; h++) {
        for (uint32_t r = 0; r < facts->hosts[h].route_count; r++) {
            const struct xds_route *route = &facts->hosts[h].routes[r];
            want_clusters(apply, route->clusters, route->cluster_count);
        }
    }
}

static void want_following(struct apply *apply, const struct held *held)
{
    switch (held->type) {
    case XDS_LISTENER:
        want(apply, XDS_ROUTE, held->made->listener->route_name);
        want_clusters(apply, held->made->listener->tcp_clusters,
                      held->made->listener->tcp_cluster_count);
        break;
    case XDS_ROUTE:
        want_of_route(apply, held->made->routes);
        break;
    case XDS_CLUSTER:
        if (held->made->cluster->type == XDS_CLUSTER_EDS) {
            want(apply, XDS_ENDPOINTS, held_endpoints_name(held));
        }
        break;
    default:
        break;
    }
}

/* ---- Building -------------------------------------------------------------------------------- */

struct parts {
    struct listener_config **listeners;
    size_t listener_count;
    struct cluster_config **clusters;
    size_t cluster_count;
    struct span *absent;
    size_t absent_count;
};

static void build_listeners(struct apply *apply, struct parts *parts)
{
    struct map *table = &apply->held[XDS_LISTENER];
    struct span name;
    void *value = NULL;
    size_t at = 0;
    parts->listeners = mem_array(table->count + 1, sizeof(struct listener_config *));
    while (map_next(table, &at, &name, &value)) {
        struct listener_config *listener = held_listener(apply, value);
        if (listener != NULL) {
            parts->listeners[parts->listener_count++] = listener;
        }
    }
}

static void build_clusters(struct apply *apply, struct parts *parts)
{
    struct map *table = &apply->held[XDS_CLUSTER];
    struct span name;
    void *value = NULL;
    size_t at = 0;
    parts->clusters = mem_array(table->count + 1, sizeof(struct cluster_config *));
    while (map_next(table, &at, &name, &value)) {
        struct cluster_config *cluster = held_cluster(apply, value);
        if (cluster != NULL) {
            parts->clusters[parts->cluster_count++] = cluster;
        }
    }
}

static void build_absent(struct apply *apply, struct parts *parts)
{
    struct span name;
    void *value = NULL;
    size_t at = 0;
    parts->absent = mem_array(apply->absent.count + 1, sizeof(struct span));
    while (map_next(&apply->absent, &at, &name, &value)) {
        parts->absent[parts->absent_count++] = name;
    }
}

static void on_tidy(struct timer *timer)
{
    arena_release_spare();
    mem_trim();
}

static void build_phone_book(struct apply *apply)
{
    const struct phone_book *before = apply->phone_book;
    held_phone_book(apply);
    if (apply->phone_book != before && phone_book_size(apply->phone_book) >= TIDY_ENTRIES) {
        timer_start(&apply->tidy_timer, TIDY_QUIET_MS * NS_PER_MS);
    }
}

static void build(struct turn_task *task)
{
    struct apply *apply = CONTAINER_OF(task, struct apply, build_task);
    struct parts parts = {0};
    build_phone_book(apply);
    build_listeners(apply, &parts);
    build_clusters(apply, &parts);
    build_absent(apply, &parts);
    struct snapshot_parts all = {
        .phone_book = apply->phone_book,
        .workload = apply->workload,
        .listeners = parts.listeners,
        .listener_count = parts.listener_count,
        .clusters = parts.clusters,
        .cluster_count = parts.cluster_count,
        .absent = parts.absent,
        .absent_count = parts.absent_count,
    };
    struct snapshot *snapshot = snapshot_create(apply->snapshot->version + 1, &all);
    mem_free(parts.listeners);
    mem_free(parts.clusters);
    mem_free(parts.absent);
    snapshot_unref(apply->snapshot);
    apply->snapshot = snapshot;
    apply->events->on_snapshot(apply->owner, snapshot);
}

static void changed(struct apply *apply)
{
    loop_flush_later(apply->loop, &apply->build_task);
}

/* ---- From the control plane ------------------------------------------------------------------ */

static bool on_resource(void *owner, enum xds_type type, struct span name, struct span version,
                        struct span bytes, struct xds_error *ret_error)
{
    struct apply *apply = owner;
    const struct held *held = held_put(apply, type, name, version, bytes, ret_error);
    if (held == NULL) {
        return false;
    }
    void *was_absent = map_remove(&apply->absent, name);
    (void)was_absent;
    if (type == XDS_SECRET) {
        apply->events->on_roots(apply->owner, held->made->roots_pem);
    }
    want_following(apply, held);
    apply->events->on_dirty(apply->owner);
    return true;
}

static void on_removed(void *owner, enum xds_type type, struct span name)
{
    struct apply *apply = owner;
    held_remove(apply, type, name);
    map_put(&apply->absent, name, apply);
    apply->events->on_dirty(apply->owner);
    changed(apply);
}

static void on_batch(void *owner, enum xds_type type)
{
    if (type != XDS_SECRET) {
        changed(owner);
    }
}

static void on_state(void *owner, bool connected)
{
    struct apply *apply = owner;
    apply->events->on_state(apply->owner, connected);
}

static bool next_held(void *owner, enum xds_type type, size_t *at, struct span *ret_name,
                      struct span *ret_version)
{
    struct apply *apply = owner;
    void *value = NULL;
    if (!map_next(&apply->held[type], at, ret_name, &value)) {
        return false;
    }
    *ret_version = held_version(value);
    return true;
}

static bool version_of_held(void *owner, enum xds_type type, struct span name,
                            struct span *ret_version)
{
    struct apply *apply = owner;
    const struct held *held = map_get(&apply->held[type], name);
    if (held == NULL) {
        return false;
    }
    *ret_version = held_version(held);
    return true;
}

static const struct xds_client_events client_events = {
    .on_resource = on_resource,
    .on_removed = on_removed,
    .on_batch = on_batch,
    .on_state = on_state,
    .next_held = next_held,
    .held_version = version_of_held,
};

/* ---- Wants ----------------------------------------------------------------------------------- */

/* When each listener or address was last asked for. */
struct use {
    int64_t used_ns;
};

void apply_ask(struct apply *apply, struct span name)
{
    struct use *use = map_get(&apply->uses, name);
    if (use == NULL) {
        use = NEW(struct use);
        map_put(&apply->uses, name, use);
    }
    use->used_ns = loop_now_ns(apply->loop);
    want(apply, span_starts_with(name, SPAN("ip/")) ? XDS_PHONE : XDS_LISTENER, name);
}

static void want_all_again(struct apply *apply)
{
    struct span name;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&apply->uses, &at, &name, &value)) {
        want(apply, span_starts_with(name, SPAN("ip/")) ? XDS_PHONE : XDS_LISTENER, name);
    }
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        at = 0;
        while (map_next(&apply->held[type], &at, &name, &value)) {
            want_following(apply, value);
        }
    }
}

void apply_connect(struct apply *apply, struct grpc_channel *channel,
                   const struct xds_client_options *options)
{
    apply->client = xds_client_create(channel, options, &client_events, apply);
    xds_client_want(apply->client, XDS_SECRET, SPAN("ROOTCA"));
    xds_client_want(apply->client, XDS_WORKLOAD, SPAN("self"));
    xds_client_want_all(apply->client, XDS_PHONE);
    want_all_again(apply);
}

/* A worker used the listener since the last look? Then that counts as asking. */
static bool was_used(struct apply *apply, struct span name)
{
    const struct held *held = map_get(&apply->held[XDS_LISTENER], name);
    return held != NULL && held->made->listener_part != NULL &&
           atomic_exchange_explicit(&held->made->listener_part->used, false, memory_order_relaxed);
}

/* Drops what nobody has asked for in a long time: its answer in the phone book, or its listener. */
static void on_idle_check(struct timer *timer)
{
    struct apply *apply = CONTAINER_OF(timer, struct apply, idle_timer);
    int64_t before = loop_now_ns(apply->loop) - APPLY_IDLE_MS * NS_PER_MS;
    struct span name;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&apply->uses, &at, &name, &value)) {
        struct use *use = value;
        if (was_used(apply, name)) {
            use->used_ns = loop_now_ns(apply->loop);
        }
        enum xds_type type = span_starts_with(name, SPAN("ip/")) ? XDS_PHONE : XDS_LISTENER;
        if (use->used_ns < before && held_drop_unused(apply, type, name)) {
            map_remove(&apply->uses, name);
            mem_free(use);
            changed(apply);
        }
    }
    timer_start(&apply->idle_timer, IDLE_CHECK_MS * NS_PER_MS);
}

/* ---- Life ------------------------------------------------------------------------------------ */

struct apply *apply_create(struct loop *loop, const struct apply_events *events, void *owner)
{
    struct apply *apply = NEW(struct apply);
    apply->loop = loop;
    apply->events = events;
    apply->owner = owner;
    apply->snapshot = snapshot_empty();
    apply->phone_book = phone_book_ref(apply->snapshot->phone_book);
    apply->workload = workload_config_ref(apply->snapshot->workload);
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        map_init_borrowed(&apply->held[type]);
    }
    map_init(&apply->absent);
    map_init(&apply->uses);
    apply->build_task.run = build;
    timer_init(&apply->idle_timer, loop, on_idle_check);
    timer_start(&apply->idle_timer, IDLE_CHECK_MS * NS_PER_MS);
    timer_init(&apply->tidy_timer, loop, on_tidy);
    return apply;
}

void apply_destroy(struct apply *apply)
{
    if (apply == NULL) {
        return;
    }
    xds_client_destroy(apply->client);
    timer_stop(&apply->idle_timer);
    timer_stop(&apply->tidy_timer);
    turn_task_cancel(&apply->build_task);
    held_done(apply);
    struct span name;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&apply->uses, &at, &name, &value)) {
        mem_free(value);
    }
    map_done(&apply->uses);
    map_done(&apply->absent);
    snapshot_unref(apply->snapshot);
    phone_book_unref(apply->phone_book);
    workload_config_unref(apply->workload);
    mem_free(apply);
}

struct snapshot *apply_snapshot(struct apply *apply)
{
    return apply->snapshot;
}

struct xds_client *apply_client(struct apply *apply)
{
    return apply->client;
}

bool apply_restore(struct apply *apply, enum xds_type type, struct span name, struct span version,
                   struct span bytes, struct xds_error *ret_error)
{
    const struct held *held = held_put(apply, type, name, version, bytes, ret_error);
    if (held == NULL) {
        return false;
    }
    if (type == XDS_SECRET) {
        apply->events->on_roots(apply->owner, held->made->roots_pem);
    }
    if (type == XDS_LISTENER) {
        apply_ask(apply, name);
    }
    changed(apply);
    return true;
}

bool apply_next(struct apply *apply, enum xds_type *type, size_t *at, struct span *ret_name,
                struct span *ret_version, struct span *ret_bytes)
{
    void *value = NULL;
    while (*type < XDS_TYPES) {
        if (map_next(&apply->held[*type], at, ret_name, &value)) {
            const struct held *held = value;
            *ret_version = held_version(held);
            *ret_bytes = held_bytes(held);
            return true;
        }
        *type = (enum xds_type)(*type + 1);
        *at = 0;
    }
    return false;
}

void apply_dump(struct apply *apply, struct text *ret_json)
{
    enum xds_type type = XDS_LISTENER;
    size_t at = 0;
    struct span name;
    struct span version;
    struct span bytes;
    const char *comma = "";
    text_add_text(ret_json, "{\"resources\":[");
    while (apply_next(apply, &type, &at, &name, &version, &bytes)) {
        text_add_text(ret_json, comma);
        text_printf(ret_json, "{\"type\":\"%s\",\"name\":", xds_type_short(type));
        text_add_json(ret_json, name);
        text_add_text(ret_json, ",\"version\":");
        text_add_json(ret_json, version);
        text_printf(ret_json, ",\"bytes\":%zu}", bytes.length);
        comma = ",";
    }
    text_printf(ret_json, "],\"snapshot\":%llu}", (unsigned long long)apply->snapshot->version);
}
