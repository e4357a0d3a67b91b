#include "tests/unit/control/model/small_world.h"

#include "tests/unit/test_main.h"

#include "control/object/manifest.h"
#include "lib/base/memory.h"
#include "lib/xds/xds_cluster.h"
#include "lib/xds/xds_listener.h"
#include "lib/xds/xds_phone.h"
#include "lib/xds/xds_workload.h"

#include <stdlib.h>

static const char *const protocols[] = {"auto", "http1", "http2", "tls", "opaque"};

void small_world_open(struct small_world *small)
{
    struct world_options options = {"cluster.local", "remora-system", "cluster.local"};
    *small = (struct small_world){.world = world_create(&options)};
}

void small_world_close(struct small_world *small)
{
    world_destroy(small->world);
    mem_free(small->shown);
}

void small_world_apply(struct small_world *small, const char *manifests)
{
    struct problems problems;
    struct manifest manifest;
    problems_init(&problems, SPAN("test.yaml"));
    manifest_parse(span_of(manifests), &problems, &manifest);
    if (problems.count > 0) {
        struct text line = {0};
        problem_format(&problems, &problems.items[0], &line);
        fail_msg("%s", line.bytes);
    }
    for (size_t i = 0; i < manifest.count; i++) {
        world_put(small->world, manifest.objects[i]);
    }
    manifest_done(&manifest);
    problems_done(&problems);
    small->changes = world_compile(small->world);
}

void small_world_remove(struct small_world *small, const char *key)
{
    struct world_object found;
    assert_true(world_object(small->world, span_of(key), &found));
    world_remove(small->world, found.object);
    small->changes = world_compile(small->world);
}

static const char *keep(struct small_world *small, struct text *text)
{
    mem_free(small->shown);
    if (text->length > 0 && text->bytes[text->length - 1] == '\n') {
        text->bytes[--text->length] = '\0';
    }
    small->shown = text_take(text);
    return small->shown;
}

static void show_endpoint(struct text *text, const struct xds_endpoint *endpoint)
{
    char address[ADDRESS_TEXT_BYTES] = "-";
    if (endpoint->address.family != 0) {
        address_format(&endpoint->address, address);
    }
    text_printf(text, "%s", address);
    if (endpoint->hostname.length > 0) {
        text_printf(text, " host=%.*s:%u", SPAN_ARG(endpoint->hostname), endpoint->address.port);
    }
    if (endpoint->identity.length > 0) {
        text_printf(text, " id=%.*s", SPAN_ARG(endpoint->identity));
    }
    if (endpoint->workload.length > 0) {
        text_printf(text, " workload=%.*s", SPAN_ARG(endpoint->workload));
    }
    if (endpoint->version.length > 0) {
        text_printf(text, " version=%.*s", SPAN_ARG(endpoint->version));
    }
    text_printf(text, " weight=%u%s%s%s%s", endpoint->weight,
                (endpoint->flags & XDS_ENDPOINT_SIDECAR) != 0 ? " sidecar" : "",
                (endpoint->flags & XDS_ENDPOINT_HBONE) != 0 ? " hbone" : "",
                (endpoint->flags & XDS_ENDPOINT_PERMISSIVE) != 0 ? " permissive" : "",
                endpoint->health == XDS_HEALTH_DRAINING ? " draining" : "");
    if (endpoint->mtls_port != 0) {
        text_printf(text, " mtls-port=%u", endpoint->mtls_port);
    }
    if (endpoint->tunnel_port != 0) {
        text_printf(text, " tunnel-port=%u", endpoint->tunnel_port);
    }
}

static void show_endpoints(struct text *text, const struct xds_endpoints *endpoints)
{
    for (uint32_t i = 0; i < endpoints->locality_count; i++) {
        const struct xds_locality *locality = &endpoints->localities[i];
        if (locality->region.length + locality->zone.length > 0) {
            text_printf(text, "[%.*s/%.*s %u]\n", SPAN_ARG(locality->region),
                        SPAN_ARG(locality->zone), locality->weight);
        }
        for (uint32_t j = 0; j < locality->endpoint_count; j++) {
            show_endpoint(text, &locality->endpoints[j]);
            text_add_byte(text, '\n');
        }
    }
}

static void show_cluster(struct text *text, const struct xds_cluster *cluster)
{
    static const char *const types[] = {"static", "strict-dns", "logical-dns", "eds",
                                        "original-dst"};
    static const char *const lbs[] = {"ewma", "least", "round-robin", "random", "ring", "maglev"};
    static const char *const tls[] = {"mesh", "none", "originate"};
    text_printf(text, "%s %s tls=%s %s service=%.*s/%.*s host=%.*s:%u\n", types[cluster->type],
                lbs[cluster->lb], tls[cluster->tls], protocols[cluster->protocol],
                SPAN_ARG(cluster->namespace_name), SPAN_ARG(cluster->service),
                SPAN_ARG(cluster->host), cluster->port);
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"connect", cluster->connect_timeout_ms},
        {"handshake", cluster->handshake_timeout_ms},
        {"http1-idle", cluster->http1_idle_ms},
        {"connection-idle", cluster->connection_idle_ms},
        {"stream-idle", cluster->stream_idle_ms},
        {"decay", cluster->ewma_decay_ms},
        {"initial", cluster->ewma_initial_ms},
        {"max-age", cluster->max_age_ms},
        {"connections", cluster->max_connections},
        {"pending", cluster->max_pending},
        {"per-endpoint", cluster->http2_per_endpoint},
        {"streams", cluster->http2_streams},
        {"budget", cluster->retry_budget_percent},
        {"budget-min", cluster->retry_budget_min_per_s},
        {"budget-window", cluster->retry_budget_window_ms},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (numbers[i].value >= 0) {
            text_printf(text, "%s=%lld\n", numbers[i].name, (long long)numbers[i].value);
        }
    }
    if (cluster->sni.length > 0) {
        text_printf(text, "sni=%.*s ca=%s\n", SPAN_ARG(cluster->sni),
                    cluster->ca_pem.length > 0 ? "given" : "system");
    }
    if (cluster->inline_endpoints != NULL) {
        show_endpoints(text, cluster->inline_endpoints);
    }
}

static void show_changes(struct text *text, const char *side, struct xds_header_changes changes)
{
    static const char *const actions[] = {"set", "add", "remove"};
    for (uint32_t i = 0; i < changes.count; i++) {
        const struct xds_header_change *change = &changes.items[i];
        text_printf(text, " %s-%s(%.*s%s%.*s)", side, actions[change->action],
                    SPAN_ARG(change->name), change->value.length > 0 ? ":" : "",
                    SPAN_ARG(change->value));
    }
}

static void show_matches(struct text *text, char mark, const struct xds_field_match *matches,
                         uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        text_printf(text, " %c%.*s%s%.*s", mark, SPAN_ARG(matches[i].name),
                    matches[i].kind == XDS_MATCH_REGEX ? "~" : "=", SPAN_ARG(matches[i].value));
    }
}

static void show_clusters(struct text *text, const struct xds_weighted_cluster *clusters,
                          uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        text_printf(text, " %s*%u", clusters[i].name.length > 0 ? "" : "500", clusters[i].weight);
        if (clusters[i].name.length > 0) {
            text_printf(text, "%.*s", SPAN_ARG(clusters[i].name));
        }
        show_changes(text, "request", clusters[i].request);
        show_changes(text, "response", clusters[i].response);
    }
}

static void show_route(struct text *text, const struct xds_route *route)
{
    static const char *const kinds[] = {"any", "exact", "prefix", "segments", "regex"};
    static const char *const rewrites[] = {"", "full", "prefix"};
    text_printf(text, "%.*s: %s%s%.*s", SPAN_ARG(route->name), kinds[route->path_kind],
                route->path.length > 0 ? " " : "", SPAN_ARG(route->path));
    show_matches(text, '@', route->headers, route->header_count);
    show_matches(text, '?', route->queries, route->query_count);
    text_add_text(text, " ->");
    if (route->action == XDS_ACTION_FORWARD) {
        show_clusters(text, route->clusters, route->cluster_count);
    } else {
        text_printf(text, " %s %u", route->action == XDS_ACTION_REDIRECT ? "redirect" : "answer",
                    route->status);
    }
    if (route->redirect_scheme.length + route->redirect_host.length > 0 ||
        route->redirect_port > 0) {
        text_printf(text, " to(%.*s %.*s %u)", SPAN_ARG(route->redirect_scheme),
                    SPAN_ARG(route->redirect_host), route->redirect_port);
    }
    if (route->rewrite != XDS_REWRITE_NONE) {
        text_printf(text, " rewrite-%s(%.*s)", rewrites[route->rewrite],
                    SPAN_ARG(route->rewrite_path));
    }
    if (route->rewrite_host.length > 0) {
        text_printf(text, " rewrite-host(%.*s)", SPAN_ARG(route->rewrite_host));
    }
    show_changes(text, "request", route->request);
    show_changes(text, "response", route->response);
    if (route->timeout_ms > 0) {
        text_printf(text, " timeout=%lld", (long long)route->timeout_ms);
    }
    if (route->per_try_timeout_ms > 0) {
        text_printf(text, " per-try=%lld", (long long)route->per_try_timeout_ms);
    }
    if (route->action == XDS_ACTION_FORWARD && route->retry_limit >= 0) {
        text_printf(text, " retries=%d", route->retry_limit);
    }
    if (route->retry_on.length > 0) {
        text_printf(text, " on=%.*s", SPAN_ARG(route->retry_on));
    }
    text_add_byte(text, '\n');
}

static void show_route_config(struct text *text, const struct xds_route_config *config)
{
    assert_int_equal(config->host_count, 1);
    assert_int_equal(config->hosts[0].domain_count, 1);
    assert_true(span_equal_text(config->hosts[0].domains[0], "*"));
    for (uint32_t i = 0; i < config->hosts[0].route_count; i++) {
        show_route(text, &config->hosts[0].routes[i]);
    }
}

static void show_listener(struct text *text, const struct xds_listener *listener)
{
    char address[ADDRESS_TEXT_BYTES] = "-";
    if (listener->address.family != 0) {
        address_format(&listener->address, address);
    }
    text_printf(text, "%s %s route=%.*s tcp:", address, protocols[listener->protocol],
                SPAN_ARG(listener->route_name));
    show_clusters(text, listener->tcp_clusters, listener->tcp_cluster_count);
    text_add_byte(text, '\n');
}

static void show_phone(struct text *text, const struct xds_phone_entry *entry)
{
    static const char *const kinds[] = {"service", "external", "workload"};
    text_printf(text, "%s %.*s in %.*s", kinds[entry->kind], SPAN_ARG(entry->host),
                SPAN_ARG(entry->namespace_name));
    for (uint32_t i = 0; i < entry->address_count; i++) {
        char address[ADDRESS_TEXT_BYTES];
        address_format_ip(&entry->addresses[i], address);
        text_printf(text, " %s", address);
    }
    for (uint32_t i = 0; i < entry->port_count; i++) {
        text_printf(text, " %u/%s", entry->ports[i].port, protocols[entry->ports[i].protocol]);
        if (entry->ports[i].local_port != 0) {
            text_printf(text, "@%u", entry->ports[i].local_port);
        }
    }
    if (entry->kind == XDS_PHONE_WORKLOAD) {
        text_add_text(text, " at ");
        show_endpoint(text, &entry->workload);
    }
    text_add_byte(text, '\n');
}

static const char *mode_name(uint8_t mode)
{
    return mode == XDS_MTLS_STRICT       ? "strict"
           : mode == XDS_MTLS_PERMISSIVE ? "permissive"
                                         : "plain";
}

static void show_workload(struct text *text, const struct xds_workload *self)
{
    static const char *const logs[] = {"off", "failures", "all"};
    text_printf(text,
                "%.*s/%.*s/%.*s version=%.*s at=%.*s/%.*s/%.*s default=%s egress=%s log=%s%s "
                "trace=%u renew=%g..%g life=%lld\n",
                SPAN_ARG(self->namespace_name), SPAN_ARG(self->service_account),
                SPAN_ARG(self->workload), SPAN_ARG(self->version), SPAN_ARG(self->region),
                SPAN_ARG(self->zone), SPAN_ARG(self->node), mode_name(self->default_mode),
                self->egress_denied ? "deny" : "allow", logs[self->access_log],
                self->access_log_text ? "-text" : "", self->tracing_per_million, self->renew_from,
                self->renew_to, (long long)self->certificate_lifetime_s);
    for (uint32_t i = 0; i < self->port_count; i++) {
        text_printf(text, "%u %s %s %.*s\n", self->ports[i].port,
                    protocols[self->ports[i].protocol], mode_name(self->ports[i].mode),
                    SPAN_ARG(self->ports[i].service));
    }
}

/* Every resource must be one that the decoder of proxies takes. */
static void show(struct text *text, const struct resource *resource)
{
    struct arena arena = {0};
    struct xds_error error = {0};
    bool good = true;
    union {
        struct xds_listener listener;
        struct xds_route_config routes;
        struct xds_cluster cluster;
        struct xds_endpoints endpoints;
        struct xds_phone_entry phone;
        struct xds_workload workload;
        struct xds_secret secret;
    } decoded;
    switch ((enum xds_type)resource->type) {
    case XDS_LISTENER:
        good = xds_listener_decode(resource->bytes, &arena, &decoded.listener, &error);
        good ? show_listener(text, &decoded.listener) : (void)0;
        break;
    case XDS_ROUTE:
        good = xds_route_config_decode(resource->bytes, &arena, &decoded.routes, &error);
        good ? show_route_config(text, &decoded.routes) : (void)0;
        break;
    case XDS_CLUSTER:
        good = xds_cluster_decode(resource->bytes, &arena, &decoded.cluster, &error);
        good ? show_cluster(text, &decoded.cluster) : (void)0;
        break;
    case XDS_ENDPOINTS:
        good = xds_endpoints_decode(resource->bytes, &arena, &decoded.endpoints, &error);
        good ? show_endpoints(text, &decoded.endpoints) : (void)0;
        break;
    case XDS_PHONE:
        good = xds_phone_decode(resource->bytes, &arena, &decoded.phone, &error);
        good ? show_phone(text, &decoded.phone) : (void)0;
        break;
    case XDS_WORKLOAD:
        good = xds_workload_decode(resource->bytes, &arena, &decoded.workload, &error);
        good ? show_workload(text, &decoded.workload) : (void)0;
        break;
    case XDS_SECRET:
        good = xds_secret_decode(resource->bytes, &arena, &decoded.secret, &error);
        good ? text_add(text, decoded.secret.roots_pem) : (void)0;
        break;
    default:
        fail_msg("a resource of type %d", resource->type);
    }
    if (!good) {
        fail_msg("%.*s: %s", SPAN_ARG(resource->name), error.text);
    }
    arena_done(&arena);
}

static const char *show_for(struct small_world *small, const struct viewer *viewer,
                            enum xds_type type, const char *name)
{
    struct text text = {0};
    struct resource *resource = world_resource(small->world, viewer, type, span_of(name));
    if (resource == NULL) {
        text_add_text(&text, "none");
    } else {
        assert_true(span_equal_text(resource->name, name));
        show(&text, resource);
    }
    resource_unref(resource);
    return keep(small, &text);
}

const char *small_world_show(struct small_world *small, const char *viewer, enum xds_type type,
                             const char *name)
{
    struct viewer who = {.namespace_name = span_of(viewer), .service_account = SPAN("default")};
    return show_for(small, &who, type, name);
}

const char *small_world_self(struct small_world *small, const char *identity)
{
    struct span rest = span_of(identity);
    struct viewer who = {0};
    span_next(&rest, '/', &who.namespace_name);
    span_next(&rest, '/', &who.service_account);
    span_next(&rest, '/', &who.workload);
    return show_for(small, &who, XDS_WORKLOAD, "self");
}

const char *small_world_condition(struct small_world *small, const char *key, int part,
                                  enum condition_type type)
{
    struct text text = {0};
    struct world_object found;
    assert_true(world_object(small->world, span_of(key), &found));
    const struct condition *condition = conditions_get(found.conditions, part, type);
    if (condition == NULL) {
        text_add_text(&text, "unset");
    } else {
        text_printf(&text, "%s=%s/%s: %s", condition_type_name(condition->type),
                    condition->holds ? "True" : "False", condition->reason, condition->message);
    }
    return keep(small, &text);
}

static int compare_spans(const void *a, const void *b)
{
    return span_compare(*(const struct span *)a, *(const struct span *)b);
}

const char *small_world_changed(struct small_world *small, enum xds_type type)
{
    struct text text = {0};
    size_t count = small->changes->types[type].count;
    struct span *names = mem_array(count + 1, sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        names[i] = small->changes->types[type].names[i];
    }
    qsort(names, count, sizeof(*names), compare_spans);
    for (size_t i = 0; i < count; i++) {
        text_printf(&text, "%s%.*s", i > 0 ? " " : "", SPAN_ARG(names[i]));
    }
    mem_free(names);
    return keep(small, &text);
}
