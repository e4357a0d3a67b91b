#include "control/main/daemon.h"

#include "control/admin/admin_server.h"
#include "control/serve/state_folder.h"
#include "control/source/directory/directory_source.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is on its way when the end comes has so long to leave. */
enum { STOP_MS = 500 };

struct daemon {
    struct loop *loop;
    struct state_folder state;
    struct control_stats stats;
    struct mesh_ca *ca;
    struct join_tokens *tokens;
    struct mesh_world *mesh;
    struct load_table *load;
    struct source *source;
    struct xds_server *xds;
    struct admin_server *admin;
    struct timer stop;
    bool is_stopping;
    bool told_ready;
};

static void on_changed(void *owner)
{
    struct daemon *daemon = owner;
    if (daemon->xds != NULL) {
        xds_server_changed(daemon->xds);
    }
}

static unsigned on_gathered(void *owner)
{
    struct daemon *daemon = owner;
    unsigned types = mesh_world_take_over(daemon->mesh);
    xds_server_set_lifetime(daemon->xds, mesh_world_certificate_lifetime_s(daemon->mesh));
    if (!daemon->told_ready && mesh_world_ready(daemon->mesh)) {
        struct world_counts counts = world_count(mesh_world_world(daemon->mesh));
        daemon->told_ready = true;
        LOG_INFO("control", "ready", LOG_NUMBER("services", counts.services),
                 LOG_NUMBER("workloads", counts.workloads),
                 LOG_NUMBER("resources", counts.resources));
    }
    return types;
}

static const struct xds_server_events xds_events = {.on_gathered = on_gathered};

static bool open_identity(struct daemon *daemon, const struct settings *settings, char *reason)
{
    if (state_folder_open(settings->state_dir, &daemon->state, reason) != STATE_OPEN) {
        return false;
    }
    struct mesh_ca_spec spec = {.store = daemon->state.store,
                                .trust_domain = span_of(settings->trust_domain),
                                .cert_file = settings->ca_cert,
                                .key_file = settings->ca_key,
                                .export_file = daemon->state.root_pem};
    daemon->ca = mesh_ca_open(&spec, reason);
    if (daemon->ca == NULL) {
        return false;
    }
    char why[KEYSTORE_REASON_BYTES];
    daemon->tokens = join_tokens_open(daemon->state.store, why);
    if (daemon->tokens == NULL) {
        snprintf(reason, DAEMON_REASON_BYTES, "join tokens: %s", why);
    }
    return daemon->tokens != NULL;
}

static void open_world(struct daemon *daemon, const struct settings *settings)
{
    struct mesh_world_options options = {
        .world = {.trust_domain = settings->trust_domain,
                  .root_namespace = settings->root_namespace,
                  .cluster_domain = settings->cluster_domain},
        .stats = &daemon->stats,
        .roots_pem = mesh_ca_roots_pem(daemon->ca),
    };
    struct mesh_world_events events = {.on_changed = on_changed, .owner = daemon};
    daemon->mesh = mesh_world_create(&options, &events);
    struct source_listener listener = mesh_world_listener(daemon->mesh);
    daemon->source = directory_source_create(daemon->loop, settings->config_dir, &listener);
    daemon->load = load_table_create();
}

/*
 * Everything that there is, read and compiled before anybody can ask: a proxy that comes back to a
 * control plane that knows nothing yet would be told that its services are gone.
 */
static bool read_manifests(struct daemon *daemon, const struct settings *settings, char *reason)
{
    if (access(settings->config_dir, R_OK | X_OK) != 0) {
        snprintf(reason, DAEMON_REASON_BYTES, "--config-dir %s: %s", settings->config_dir,
                 strerror(errno));
        return false;
    }
    source_start(daemon->source);
    mesh_world_take_over(daemon->mesh);
    return true;
}

static bool open_ports(struct daemon *daemon, const struct settings *settings, char *reason)
{
    struct xds_server_options xds = {.at = settings->listen,
                                     .plain_at = settings->listen_plain,
                                     .ca = daemon->ca,
                                     .tokens = daemon->tokens,
                                     .stats = &daemon->stats,
                                     .supply = mesh_world_supply(daemon->mesh),
                                     .load = daemon->load};
    daemon->xds = xds_server_open(daemon->loop, &xds, &xds_events, daemon, reason);
    if (daemon->xds == NULL) {
        return false;
    }
    struct admin_server_options admin = {.socket_path = daemon->state.admin_socket,
                                         .metrics_at = settings->metrics,
                                         .version = REMORA_VERSION,
                                         .xds = daemon->xds,
                                         .mesh = daemon->mesh,
                                         .ca = daemon->ca,
                                         .tokens = daemon->tokens,
                                         .stats = &daemon->stats,
                                         .load = daemon->load};
    daemon->admin = admin_server_open(daemon->loop, &admin, reason);
    return daemon->admin != NULL;
}

static void on_stopped(struct timer *timer)
{
    loop_stop(CONTAINER_OF(timer, struct daemon, stop)->loop);
}

struct daemon *daemon_start(struct loop *loop, const struct settings *settings, char *reason)
{
    struct daemon *daemon = NEW(struct daemon);
    daemon->loop = loop;
    daemon->state.lock = -1;
    timer_init(&daemon->stop, loop, on_stopped);
    control_stats_init(&daemon->stats);
    if (!open_identity(daemon, settings, reason)) {
        daemon_destroy(daemon);
        return NULL;
    }
    open_world(daemon, settings);
    if (!read_manifests(daemon, settings, reason) || !open_ports(daemon, settings, reason)) {
        daemon_destroy(daemon);
        return NULL;
    }
    on_gathered(daemon);
    char xds[ADDRESS_TEXT_BYTES];
    char metrics[ADDRESS_TEXT_BYTES] = "off";
    address_format(xds_server_address(daemon->xds), xds);
    if (settings->metrics.family != 0) {
        address_format(admin_server_metrics_address(daemon->admin), metrics);
    }
    const struct address *plain_at = xds_server_plain_address(daemon->xds);
    char plain[ADDRESS_TEXT_BYTES] = "off";
    if (plain_at != NULL) {
        address_format(plain_at, plain);
    }
    LOG_INFO("control", "listening", LOG_TEXT("xds", xds), LOG_TEXT("metrics", metrics),
             LOG_TEXT("xds_plain", plain), LOG_TEXT("trust_domain", settings->trust_domain),
             LOG_TEXT("config_dir", settings->config_dir), LOG_TEXT("version", REMORA_VERSION));
    return daemon;
}

void daemon_stop(struct daemon *daemon)
{
    if (daemon->is_stopping) {
        loop_stop(daemon->loop);
        return;
    }
    daemon->is_stopping = true;
    LOG_INFO("control", "stopping");
    source_destroy(daemon->source);
    daemon->source = NULL;
    xds_server_drain(daemon->xds);
    timer_start(&daemon->stop, STOP_MS * NS_PER_MS);
}

void daemon_destroy(struct daemon *daemon)
{
    if (daemon == NULL) {
        return;
    }
    timer_stop(&daemon->stop);
    source_destroy(daemon->source);
    admin_server_close(daemon->admin);
    xds_server_close(daemon->xds);
    loop_settle(daemon->loop);
    load_table_destroy(daemon->load);
    mesh_world_destroy(daemon->mesh);
    join_tokens_close(daemon->tokens);
    mesh_ca_close(daemon->ca);
    control_stats_done(&daemon->stats);
    state_folder_close(&daemon->state);
    mem_free(daemon);
}
