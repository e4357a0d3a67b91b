#include "proxy/main/control_link.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/grpc/grpc_channel.h"
#include "lib/net/resolver.h"
#include "proxy/discovery/last_known_good.h"
#include "proxy/discovery/load_reporter.h"
#include "proxy/discovery/load_source.h"
#include "proxy/identity/certificate_call.h"
#include "proxy/main/control_ca.h"

#include <stdio.h>
#include <string.h>

enum {
    LOOK_MS = 5000,
    ERROR_BYTES = 256,
    MOVE_MS = 2000, /* a change of connection that takes longer is told as a loss */
};

struct control_link {
    struct loop *loop;
    const struct proxy_options *options;
    const struct control_link_events *events;
    void *owner;
    struct resolver *resolver;
    struct control_ca *ca;     /* NULL without a control plane */
    struct tls_config *client; /* with our own certificate; NULL before the first */
    struct grpc_channel *channel;
    struct workload_identity *identity;
    struct certificate_call *certificate_call;
    struct apply *apply;
    struct last_known_good *last_known_good;
    struct load_source load_source;
    struct load_alias aliases[OPTIONS_LISTENERS];
    struct load_reporter *load_reporter; /* NULL without a channel */
    struct timer look;
    bool shows_certificate;
    bool subscribed;
    bool connected;
    char told[ERROR_BYTES];  /* the last reason for which the control plane could not be reached */
    int64_t moving_since_ns; /* 0 = no; away, but of our own will and not told */
};

/* ---- Identity -------------------------------------------------------------------------------- */

static struct xds_client_options subscription_options(const struct control_link *link)
{
    const struct proxy_options *options = link->options;
    return (struct xds_client_options){
        .node =
            {
                .id = options->node_id,
                .cluster = options->workload,
                .region = options->region,
                .zone = options->zone,
                .sub_zone = options->node,
                .namespace_name = options->namespace_name,
                .service_account = options->service_account,
                .workload = options->workload,
                .version = options->version,
                .address = options->pod_address,
            },
        .state_of_the_world = options->state_of_the_world,
    };
}

static void show_certificate(struct control_link *link)
{
    /* A connection is known by the certificate that it began with, which ends before the new one:
     * the renewal after this would come from nobody. */
    grpc_channel_set_tls(link->channel, link->client, true);
    link->shows_certificate = true;
    if (!link->subscribed) {
        struct xds_client_options options = subscription_options(link);
        link->subscribed = true;
        apply_connect(link->apply, link->channel, &options);
    }
}

static void on_tls(void *owner, struct tls_config *client, struct tls_config *server,
                   bool new_roots)
{
    struct control_link *link = owner;
    tls_config_unref(link->client);
    link->client = tls_config_ref(client);
    link->events->on_tls(link->owner, client, server, new_roots);
    if (link->channel != NULL) {
        show_certificate(link);
    }
}

static const struct workload_identity_events identity_events = {.on_tls = on_tls};

static bool make_identity(struct control_link *link, char *reason, size_t reason_bytes)
{
    const struct proxy_options *options = link->options;
    struct workload_identity_options names = {
        .trust_domain = options->trust_domain,
        .namespace_name = options->namespace_name,
        .service_account = options->service_account,
        .token_file = options->token_file,
        .key_dir = options->key_dir,
        .source_trusted = options->control_ca.length > 0,
    };
    const char *why = "";
    link->identity = workload_identity_create(link->loop, &names, &identity_events, link, &why);
    if (link->identity == NULL) {
        snprintf(reason, reason_bytes, "no identity: %s", why);
    }
    return link->identity != NULL;
}

/* Each reason once: tries go on for as long as the control plane is away. */
static void tell_error(struct control_link *link)
{
    const char *error = grpc_channel_error(link->channel);
    if (grpc_channel_moving(link->channel) || strncmp(error, link->told, ERROR_BYTES - 1) == 0) {
        return;
    }
    snprintf(link->told, sizeof(link->told), "%s", error);
    if (error[0] != '\0') {
        LOG_WARN("xds", "the control plane cannot be reached; nothing changes for traffic",
                 LOG_SPAN("server", link->options->control), LOG_TEXT("reason", error));
    }
}

static void tell_away(struct control_link *link)
{
    link->moving_since_ns = 0;
    LOG_WARN("xds", "the control plane is away; nothing changes for traffic",
             LOG_SPAN("server", link->options->control));
}

/* An expired certificate would only be refused: the token speaks for us until there is a new one.
 */
static void on_look(struct timer *timer)
{
    struct control_link *link = CONTAINER_OF(timer, struct control_link, look);
    struct workload_identity_state state;
    control_ca_look(link->ca);
    if (link->moving_since_ns != 0 &&
        loop_now_ns(link->loop) - link->moving_since_ns >= MOVE_MS * NS_PER_MS) {
        tell_away(link);
    }
    workload_identity_state(link->identity, &state);
    if (link->shows_certificate && !state.valid) {
        LOG_WARN("identity", "the certificate has ended; asking for one with the token");
        link->shows_certificate = false;
        grpc_channel_set_tls(link->channel, control_ca_tls(link->ca), true);
    }
    tell_error(link);
    timer_start(&link->look, LOOK_MS * NS_PER_MS);
}

/* ---- Configuration --------------------------------------------------------------------------- */

static void on_snapshot(void *owner, struct snapshot *snapshot)
{
    struct control_link *link = owner;
    const struct xds_workload *facts = &snapshot->workload->facts;
    struct rotation_window window = {.from = facts->renew_from, .to = facts->renew_to};
    workload_identity_set_window(link->identity, window, facts->certificate_lifetime_s);
    load_source_snapshot(&link->load_source, snapshot);
    link->events->on_snapshot(link->owner, snapshot);
}

static void on_roots(void *owner, struct span roots_pem)
{
    struct control_link *link = owner;
    const char *why = "";
    if (!workload_identity_set_roots(link->identity, roots_pem, &why)) {
        LOG_ERROR("identity", "the trust bundle is not taken", LOG_TEXT("reason", why));
    }
}

/* Each new certificate makes a new connection: nobody needs to be told of that. */
static void tell_state(struct control_link *link, bool connected)
{
    if (!connected && grpc_channel_moving(link->channel)) {
        link->moving_since_ns = loop_now_ns(link->loop);
    } else if (!connected) {
        tell_away(link);
    } else if (link->moving_since_ns != 0) {
        link->moving_since_ns = 0;
    } else {
        LOG_INFO("xds", "connected to the control plane",
                 LOG_SPAN("server", link->options->control));
    }
}

static void on_state(void *owner, bool connected)
{
    struct control_link *link = owner;
    if (link->connected != connected) {
        tell_state(link, connected);
    }
    link->connected = connected;
    if (link->load_reporter != NULL) {
        load_reporter_connected(link->load_reporter, connected);
    }
    link->events->on_state(link->owner, connected);
}

static void on_dirty(void *owner)
{
    struct control_link *link = owner;
    if (link->last_known_good != NULL) {
        last_known_good_dirty(link->last_known_good);
    }
}

static const struct apply_events apply_events = {
    .on_snapshot = on_snapshot,
    .on_roots = on_roots,
    .on_state = on_state,
    .on_dirty = on_dirty,
};

static bool make_last_known_good(struct control_link *link, char *reason, size_t reason_bytes)
{
    if (link->options->state_dir.length == 0) {
        return true;
    }
    link->last_known_good = last_known_good_open(link->loop, link->options->state_dir, link->apply,
                                                 reason, reason_bytes);
    return link->last_known_good != NULL;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void make_load_reporter(struct control_link *link, const struct stats_registry *registry)
{
    const struct proxy_options *options = link->options;
    for (size_t i = 0; i < options->inbound_count; i++) {
        address_parse(options->inbound[i].to, &link->aliases[i].application);
        link->aliases[i].called = options->inbound[i].at.port;
    }
    link->load_source.aliases = link->aliases;
    link->load_source.alias_count = options->inbound_count;
    struct load_report *report =
        load_report_create(registry, options->node_id, options->version, &load_source_names,
                           &link->load_source, loop_now_ns(link->loop));
    link->load_reporter = load_reporter_create(link->channel, report);
}

static bool make_channel(struct control_link *link, char *reason, size_t reason_bytes)
{
    if (link->options->control.length == 0) {
        return true;
    }
    link->ca = control_ca_open(link->options->control_ca, link->options->trust_domain, reason,
                               reason_bytes);
    if (link->ca == NULL) {
        return false;
    }
    struct grpc_channel_options options = {
        .target = link->options->control,
        .tls = control_ca_tls(link->ca),
        .identities = &link->options->control_identity,
        .identity_count = 1,
        .resolver = link->resolver,
    };
    link->channel = grpc_channel_create(link->loop, &options);
    if (link->channel == NULL) {
        snprintf(reason, reason_bytes, "--control %.*s is no HOST:PORT",
                 SPAN_ARG(link->options->control));
        return false;
    }
    link->certificate_call = certificate_call_create(link->channel, link->identity);
    return true;
}

struct control_link *control_link_create(struct loop *loop, const struct proxy_options *options,
                                         const struct stats_registry *registry,
                                         const struct control_link_events *events, void *owner,
                                         char *reason, size_t reason_bytes)
{
    struct control_link *link = NEW(struct control_link);
    link->loop = loop;
    link->options = options;
    link->events = events;
    link->owner = owner;
    link->resolver = resolver_create(loop, NULL);
    link->apply = apply_create(loop, &apply_events, link);
    timer_init(&link->look, loop, on_look);
    if (!make_identity(link, reason, reason_bytes) ||
        !make_last_known_good(link, reason, reason_bytes) ||
        !make_channel(link, reason, reason_bytes)) {
        control_link_destroy(link);
        return NULL;
    }
    workload_identity_start(link->identity);
    if (link->channel != NULL) {
        make_load_reporter(link, registry);
        timer_start(&link->look, LOOK_MS * NS_PER_MS);
    }
    return link;
}

void control_link_destroy(struct control_link *link)
{
    if (link == NULL) {
        return;
    }
    timer_stop(&link->look);
    load_reporter_destroy(link->load_reporter);
    load_source_done(&link->load_source);
    certificate_call_destroy(link->certificate_call);
    last_known_good_close(link->last_known_good);
    apply_destroy(link->apply);
    grpc_channel_destroy(link->channel);
    loop_turn(link->loop);
    tls_config_unref(link->client);
    workload_identity_destroy(link->identity);
    control_ca_close(link->ca);
    resolver_destroy(link->resolver);
    mem_free(link);
}

struct apply *control_link_apply(struct control_link *link)
{
    return link->apply;
}

struct workload_identity *control_link_identity(struct control_link *link)
{
    return link->identity;
}

bool control_link_connected(const struct control_link *link)
{
    return link->connected;
}

const char *control_link_error(const struct control_link *link)
{
    if (link->connected) {
        return "";
    }
    return link->channel != NULL ? grpc_channel_error(link->channel) : "no control plane given";
}
