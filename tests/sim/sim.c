#include "tests/sim/sim.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "proxy/config/mesh_alpn.h"
#include "proxy/observe/proxy_stats.h"
#include "tests/sim/sim_private.h"

#include <stdio.h>
#include <string.h>

#define HOST "api.shop.svc.cluster.local"
#define IDENTITY "spiffe://td.test/ns/shop/sa/api"

void sim_mesh_init(struct tls_mesh *mesh)
{
    static const char *const alpn[] = MESH_ALPN_LIST;
    tls_mesh_init(mesh);
    tls_config_unref(mesh->server_config);
    tls_config_unref(mesh->client_config);
    mesh->server_config = tls_mesh_config(mesh, "api", true, alpn, TLS_PEER_REQUIRED);
    mesh->client_config = tls_mesh_config(mesh, "web", false, alpn, TLS_PEER_REQUIRED);
}

/* ---- Configuration --------------------------------------------------------------------------- */

static struct cluster_config *cluster_of(const struct sim *sim, uint32_t count)
{
    struct xds_cluster facts;
    struct xds_error error = {{0}};
    struct xds_endpoint list[SIM_UPSTREAMS];
    CHECK(count <= SIM_UPSTREAMS);
    xds_cluster_init(&facts);
    facts.name = SPAN("c");
    facts.type = XDS_CLUSTER_EDS;
    facts.service = SPAN("api");
    facts.namespace_name = SPAN("shop");
    facts.tls = sim->plan.leg == SIM_H1_MESH ? XDS_TLS_MESH : XDS_TLS_NONE;
    if (sim->plan.leg == SIM_H2_H2) {
        facts.protocol = XDS_PROTOCOL_HTTP2;
    }
    if (sim->plan.change != NULL) {
        sim->plan.change(&facts);
    }
    for (uint32_t i = 0; i < count; i++) {
        list[i] = rig_endpoint(i + 1);
        if (sim->plan.leg == SIM_H1_MESH) {
            list[i].identity = SPAN(IDENTITY);
            list[i].flags = XDS_ENDPOINT_SIDECAR;
        }
    }
    struct xds_locality locality = {.weight = 1, .endpoints = list, .endpoint_count = count};
    struct xds_endpoints all = {
        .cluster = facts.name, .localities = &locality, .locality_count = 1};
    struct cluster_config *config = cluster_config_create(&facts, &all, &error);
    CHECK(config != NULL);
    return config;
}

static struct listener_config *listener_of(const struct sim *sim)
{
    static const struct span any[] = {SPAN("*")};
    struct xds_error error = {{0}};
    const struct xds_weighted_cluster target = {.name = SPAN("c"), .weight = 1};
    const struct xds_route route = {
        .name = SPAN("r"),
        .clusters = &target,
        .cluster_count = 1,
        .timeout_ms = sim->plan.timeout_ms,
        .per_try_timeout_ms = sim->plan.per_try_ms,
        .retry_limit = -1,
        .retry_on = span_of(sim->plan.retry_on),
    };
    const struct xds_virtual_host host = {
        .domains = any, .domain_count = 1, .routes = &route, .route_count = 1};
    const struct xds_route_config facts = {.name = SPAN("rc"), .hosts = &host, .host_count = 1};
    struct route_config *routes = route_config_create(&facts, &error);
    CHECK(routes != NULL);
    const struct xds_listener listener = {.name = SPAN(HOST ":80"), .route_name = SPAN("rc")};
    struct listener_config *made = listener_config_create(&listener, routes, &error);
    CHECK(made != NULL);
    route_config_unref(routes);
    return made;
}

static struct phone_book *book_of(void)
{
    struct address at;
    size_t conflicts;
    CHECK(address_parse_ip(SPAN("10.1.0.1"), &at));
    const struct xds_phone_port port = {.port = 80, .protocol = XDS_PROTOCOL_AUTO};
    const struct xds_phone_entry entry = {
        .name = SPAN("shop/api"),
        .host = SPAN(HOST),
        .namespace_name = SPAN("shop"),
        .kind = XDS_PHONE_SERVICE,
        .addresses = &at,
        .address_count = 1,
        .ports = &port,
        .port_count = 1,
    };
    const struct xds_phone_entry *const list[] = {&entry};
    return phone_book_create(list, 1, &conflicts);
}

static struct workload_config *workload_of(void)
{
    struct xds_error error = {{0}};
    const struct xds_workload facts = {
        .trust_domain = SPAN("td.test"),
        .namespace_name = SPAN("shop"),
        .service_account = SPAN("web"),
        .workload = SPAN("web-1"),
        .access_log = XDS_ACCESS_LOG_OFF,
        .renew_from = 0.5,
        .renew_to = 0.7,
    };
    struct workload_config *made = workload_config_create(&facts, &error);
    CHECK(made != NULL);
    return made;
}

/* As a worker takes a new snapshot. */
static void take(struct sim *sim, const struct snapshot_parts *parts)
{
    struct snapshot *before = sim->scope.snapshot;
    sim->scope.snapshot = snapshot_create(++sim->version, parts);
    upstream_apply(sim->scope.upstream, sim->scope.snapshot);
    observe_configure(sim->scope.observe, parts->workload);
    front_apply(sim->front, sim->scope.snapshot);
    config_wait_check(&sim->scope);
    snapshot_unref(before);
}

static void apply(struct sim *sim, enum sim_known known, uint32_t endpoints)
{
    size_t conflicts;
    struct phone_book *book =
        known == SIM_KNOWS_NOTHING ? phone_book_create(NULL, 0, &conflicts) : book_of();
    struct workload_config *workload = workload_of();
    struct cluster_config *cluster = cluster_of(sim, endpoints);
    struct listener_config *listener = listener_of(sim);
    const struct snapshot_parts parts = {
        .phone_book = book,
        .workload = workload,
        .listeners = &listener,
        .listener_count = known == SIM_KNOWS_ALL,
        .clusters = &cluster,
        .cluster_count = known == SIM_KNOWS_ALL,
    };
    take(sim, &parts);
    phone_book_unref(book);
    workload_config_unref(workload);
    cluster_config_unref(cluster);
    listener_config_unref(listener);
    sim->cluster = cluster_find(sim->scope.upstream, SPAN("c"));
}

void sim_apply(struct sim *sim, uint32_t endpoints)
{
    apply(sim, SIM_KNOWS_ALL, endpoints);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void ask(void *owner, struct span name)
{
}

void sim_open(struct sim *sim, const struct sim_plan *plan, struct tls_mesh *mesh)
{
    memset(sim, 0, sizeof(*sim));
    sim->plan = *plan;
    random_seed(1); /* jitter and picks too are the same in every run */
    rig_init(&sim->rig);
    sim->rig.raw = plan->leg == SIM_H1_H1;
    sim->rig.codec = plan->leg == SIM_H1_H1 ? HTTP_CODEC_1 : HTTP_CODEC_2;
    if (plan->leg == SIM_H1_MESH) {
        CHECK(mesh != NULL);
        sim->rig.server_tls = mesh->server_config;
        upstream_set_tls(sim->rig.upstream, mesh->client_config, false);
    }
    struct worker_scope *scope = &sim->scope;
    scope->loop = sim->rig.loop;
    scope->upstream = sim->rig.upstream;
    http_limits_default(&scope->limits);
    scope->upstream->limits = &scope->limits;
    sim->registry = stats_registry_create(proxy_stats, PROXY_STAT_COUNT, 1, 0);
    scope->observe = observe_create(scope->loop, sim->registry, 0);
    scope->snapshot = snapshot_empty();
    scope->ask = ask;
    list_init(&scope->config_waits);
    struct front_limits limits;
    front_limits_default(&limits);
    sim->front = front_create(scope, &limits);
    byte_queue_init(&sim->body);
    apply(sim, plan->known, plan->endpoints > 0 ? plan->endpoints : 1);
    sim->began_ns = loop_now_ns(scope->loop);
}

void sim_close(struct sim *sim)
{
    sim_client_done(sim);
    sim_go(sim);
    /* Nobody calls any more: nothing may be held for anybody. */
    CHECK(sim->scope.live_requests == 0);
    if (sim->cluster != NULL) {
        rig_all_given_back(sim->cluster);
    }
    front_destroy(sim->front);
    CHECK(sim->scope.live_connections == 0);
    for (size_t i = 0; i < SIM_UPSTREAMS; i++) {
        if (sim->taken[i]) {
            raw_peer_done(&sim->upstreams[i]);
        }
    }
    struct loop *loop = sim->scope.loop;
    loop_settle(loop);
    observe_destroy(sim->scope.observe);
    snapshot_unref(sim->scope.snapshot);
    stats_registry_destroy(sim->registry);
    byte_queue_done(&sim->body);
    rig_done(&sim->rig);
    arena_done(&sim->arena);
    CHECK(chunk_in_use() == 0);
}

/* ---- Results --------------------------------------------------------------------------------- */

static void read_records(const struct sim *sim, struct sim_result *result)
{
    enum { CODE = 7, REASON = 8 }; /* places of these labels */
    size_t length = 0;
    for (struct stats_series *series = stats_first(sim->registry, PROXY_STAT_REQUESTS);
         series != NULL; series = stats_next(series)) {
        uint64_t count = stats_counter_value(series);
        for (uint64_t i = 0; i < count && length < SIM_TEXT; i++) {
            length +=
                (size_t)snprintf(result->records + length, SIM_TEXT - length, "%s%.*s %.*s",
                                 length > 0 ? ", " : "", SPAN_ARG(stats_label_value(series, CODE)),
                                 SPAN_ARG(stats_label_value(series, REASON)));
        }
        result->record_count += (uint32_t)count;
    }
}

void sim_wait_ms(struct sim *sim, int64_t ms)
{
    sim_go(sim);
    loop_advance(sim->scope.loop, ms * NS_PER_MS);
    sim_go(sim);
}

void sim_end(struct sim *sim, int64_t most_ms, struct sim_result *ret)
{
    *ret = (struct sim_result){.record_count = 0};
    sim_go(sim);
    while (ret->took_ms < most_ms && !sim_is_over(sim)) {
        sim_wait_ms(sim, SIM_STEP_MS);
        ret->took_ms = (loop_now_ns(sim->scope.loop) - sim->began_ns) / NS_PER_MS;
    }
    read_records(sim, ret);
    sim_client_read(sim, ret);
    ret->dials = (uint32_t)sim->rig.dial_count;
    ret->answered = sim->answers;
}

static const char *client_word(const struct sim_result *result)
{
    if (result->cut) {
        return "cut";
    }
    if (result->whole == 0) {
        return result->over ? "closed" : "hangs";
    }
    return result->statuses;
}

void sim_line(const struct sim_result *result, char *into)
{
    char dials[16] = "";
    if (result->dials != 1) {
        snprintf(dials, sizeof(dials), " x%u", result->dials);
    }
    snprintf(into, SIM_LINE, "%s | %s%s", result->records, client_word(result), dials);
}

void sim_run(const struct sim_plan *plan, struct tls_mesh *mesh, int64_t most_ms,
             struct sim_result *ret)
{
    struct sim *sim = NEW(struct sim);
    sim_open(sim, plan, mesh);
    sim_begin(sim);
    sim_end(sim, most_ms, ret);
    sim_close(sim);
    mem_free(sim);
}
