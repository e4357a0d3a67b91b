#include "proxy/config/snapshot.h"

#include "lib/base/memory.h"

static void *const present = (void *)1;

struct snapshot *snapshot_create(uint64_t version, const struct snapshot_parts *parts)
{
    struct snapshot *snapshot = NEW(struct snapshot);
    refcount_init(&snapshot->references);
    snapshot->version = version;
    snapshot->phone_book = phone_book_ref(parts->phone_book);
    snapshot->workload = workload_config_ref(parts->workload);
    map_init_borrowed(&snapshot->listeners);
    map_init_borrowed(&snapshot->clusters);
    map_init(&snapshot->absent);
    for (size_t i = 0; i < parts->listener_count; i++) {
        struct listener_config *listener = listener_config_ref(parts->listeners[i]);
        CHECK(map_put(&snapshot->listeners, listener->facts.name, listener) == NULL);
    }
    for (size_t i = 0; i < parts->cluster_count; i++) {
        struct cluster_config *cluster = cluster_config_ref(parts->clusters[i]);
        CHECK(map_put(&snapshot->clusters, cluster->facts.name, cluster) == NULL);
    }
    for (size_t i = 0; i < parts->absent_count; i++) {
        map_put(&snapshot->absent, parts->absent[i], present);
    }
    return snapshot;
}

struct snapshot *snapshot_empty(void)
{
    const struct xds_workload facts = {
        .default_mode = XDS_MTLS_STRICT,
        .egress_denied = true,
        .access_log = XDS_ACCESS_LOG_FAILURES,
        .renew_from = 0.5,
        .renew_to = 0.7,
        .certificate_lifetime_s = 24L * 3600,
    };
    struct xds_error error = {{0}};
    size_t conflicts = 0;
    struct snapshot_parts parts = {
        .phone_book = phone_book_create(NULL, 0, &conflicts),
        .workload = workload_config_create(&facts, &error),
    };
    struct snapshot *snapshot = snapshot_create(0, &parts);
    phone_book_unref(parts.phone_book);
    workload_config_unref(parts.workload);
    return snapshot;
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    refcount_up(&snapshot->references);
    return snapshot;
}

static void drop_parts(struct snapshot *snapshot)
{
    struct span name;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&snapshot->listeners, &at, &name, &value)) {
        listener_config_unref(value);
    }
    at = 0;
    while (map_next(&snapshot->clusters, &at, &name, &value)) {
        cluster_config_unref(value);
    }
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (snapshot == NULL || !refcount_down(&snapshot->references)) {
        return;
    }
    drop_parts(snapshot);
    map_done(&snapshot->listeners);
    map_done(&snapshot->clusters);
    map_done(&snapshot->absent);
    phone_book_unref(snapshot->phone_book);
    workload_config_unref(snapshot->workload);
    mem_free(snapshot);
}

const struct listener_config *snapshot_listener(const struct snapshot *snapshot, struct span name)
{
    return map_get(&snapshot->listeners, name);
}

const struct cluster_config *snapshot_cluster(const struct snapshot *snapshot, struct span name)
{
    return map_get(&snapshot->clusters, name);
}

bool snapshot_is_absent(const struct snapshot *snapshot, struct span name)
{
    return map_get(&snapshot->absent, name) != NULL;
}
