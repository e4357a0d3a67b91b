#include "proxy/discovery/load_source.h"

static const char ambiguous[] = "";

/* The port by which the manifests know the application. */
static uint16_t known_port(const struct load_source *source, const struct address *application)
{
    for (size_t i = 0; i < source->alias_count; i++) {
        const struct load_alias *alias = &source->aliases[i];
        if (address_equal(&alias->application, application) &&
            workload_config_has_port(source->snapshot->workload, alias->called)) {
            return alias->called;
        }
    }
    return application->port;
}

/* "inbound|10.0.0.7:8080", as workers name the local application's clusters. */
static bool inbound_service(const struct load_source *source, struct span cluster,
                            bool *ret_inbound, struct span *ret_service, struct span *ret_namespace)
{
    const struct snapshot *snapshot = source->snapshot;
    struct address application;
    if (!address_parse(span_cut(cluster, SPAN("inbound|").length, cluster.length), &application)) {
        return false;
    }
    struct span service =
        workload_config_port(snapshot->workload, known_port(source, &application)).service;
    if (service.length == 0) {
        return false;
    }
    *ret_inbound = true;
    *ret_service = service;
    *ret_namespace = snapshot->workload->facts.namespace_name;
    return true;
}

static bool service_of(void *owner, struct span cluster, bool *ret_inbound,
                       struct span *ret_service, struct span *ret_namespace)
{
    const struct load_source *source = owner;
    if (source->snapshot == NULL) {
        return false;
    }
    if (span_starts_with(cluster, SPAN("inbound|"))) {
        return inbound_service(source, cluster, ret_inbound, ret_service, ret_namespace);
    }
    const struct cluster_config *config = snapshot_cluster(source->snapshot, cluster);
    if (config == NULL || config->facts.service.length == 0) {
        return false;
    }
    *ret_inbound = false;
    *ret_service = config->facts.service;
    *ret_namespace = config->facts.namespace_name;
    return true;
}

static void note_version(struct load_source *source, struct span key, struct span version)
{
    const char *known = map_get(&source->versions, key);
    if (known == NULL) {
        map_put(&source->versions, key, arena_text(&source->arena, version));
    } else if (known != ambiguous && !span_equal(span_of(known), version)) {
        map_put(&source->versions, key, (char *)ambiguous);
    }
}

static void forget_versions(struct load_source *source)
{
    map_done(&source->versions);
    arena_done(&source->arena);
}

static struct span version_key(struct arena *arena, struct span namespace_name, struct span service,
                               struct span workload)
{
    return span_of(arena_printf(arena, "%.*s/%.*s/%.*s", SPAN_ARG(namespace_name),
                                SPAN_ARG(service), SPAN_ARG(workload)));
}

static void read_versions(struct load_source *source)
{
    struct span name;
    void *value = NULL;
    size_t at = 0;
    forget_versions(source);
    source->stale = false;
    while (map_next(&source->snapshot->clusters, &at, &name, &value)) {
        const struct cluster_config *cluster = value;
        struct arena arena = {0};
        for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
            const struct xds_endpoint *endpoint = &cluster->endpoints[i].facts;
            if (endpoint->workload.length > 0) {
                note_version(source,
                             version_key(&arena, cluster->facts.namespace_name,
                                         cluster->facts.service, endpoint->workload),
                             endpoint->version);
            }
        }
        arena_done(&arena);
    }
}

static struct span version_of(void *owner, struct span namespace_name, struct span service,
                              struct span workload)
{
    struct load_source *source = owner;
    struct arena arena = {0};
    if (source->stale) {
        read_versions(source);
    }
    const char *version =
        map_get(&source->versions, version_key(&arena, namespace_name, service, workload));
    arena_done(&arena);
    return span_of(version);
}

const struct load_names load_source_names = {service_of, version_of};

void load_source_done(struct load_source *source)
{
    forget_versions(source);
    snapshot_unref(source->snapshot);
    *source = (struct load_source){0};
}

void load_source_snapshot(struct load_source *source, struct snapshot *snapshot)
{
    struct snapshot *before = source->snapshot;
    source->snapshot = snapshot_ref(snapshot);
    source->stale = true;
    if (before != NULL) {
        snapshot_unref(before);
    }
}
