#include "control/serve/xds_server.h"

#include "certs/leaf_verify.h"
#include "control/serve/load_service.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/http/http_server.h"

#include <stdio.h>
#include <string.h>

enum { DEFAULT_CONNECTIONS = 20000, METHODS = ADS_METHODS + 3, RENEW_CHECK_S = 60 };

struct xds_server {
    struct loop *loop;
    struct xds_server_options options;
    const struct xds_server_events *events;
    void *owner;
    struct leaf_verify *verify;
    struct http_server *http;
    struct http_server *plain; /* NULL = none */
    struct live_calls calls;   /* of all services: the server lives as long as they */
    struct ads_service ads;
    struct certificate_service certificates;
    struct load_service load;
    struct grpc_method methods[METHODS];
    struct grpc_method plain_methods[ADS_METHODS];
    struct timer renew;
    int64_t not_after_s;
    int64_t made_s; /* wall clock, of the own certificate */
    bool closed;
    struct turn_task free_task;
};

/* ---- The port -------------------------------------------------------------------------------- */

static void on_stream(void *owner, struct http_stream *stream, const struct http_server_peer *peer)
{
    struct xds_server *server = owner;
    char address[ADDRESS_TEXT_BYTES];
    address_format(&peer->address, address);
    struct grpc_peer caller = {.identity = peer->identity,
                               .address = span_of(address),
                               .not_after_ms = peer->not_after_ms};
    /* A connection may outlive its certificate: what begins on it then is nobody's. */
    if (peer->not_after_ms < clock_wall_ns() / NS_PER_MS) {
        caller.identity = SPAN_EMPTY;
    }
    grpc_serve(server->loop, stream, server->methods, METHODS, &caller);
}

static void on_plain_stream(void *owner, struct http_stream *stream,
                            const struct http_server_peer *peer)
{
    struct xds_server *server = owner;
    char address[ADDRESS_TEXT_BYTES];
    address_format(&peer->address, address);
    grpc_serve(server->loop, stream, server->plain_methods, ADS_METHODS,
               &(struct grpc_peer){.address = span_of(address)});
}

static const struct http_server_events http_events = {.on_stream = on_stream};
static const struct http_server_events plain_events = {.on_stream = on_plain_stream};

static unsigned on_gathered(void *owner)
{
    struct xds_server *server = owner;
    return server->events->on_gathered(server->owner);
}

static void on_no_calls(struct live_calls *calls)
{
    struct xds_server *server = CONTAINER_OF(calls, struct xds_server, calls);
    if (server->closed) {
        loop_free_later(server->loop, &server->free_task);
    }
}

static void open_services(struct xds_server *server)
{
    const struct xds_server_options *options = &server->options;
    struct span trust_domain = mesh_ca_trust_domain(options->ca);
    server->calls.on_none = on_no_calls;
    server->certificates = (struct certificate_service){.ca = options->ca,
                                                        .tokens = options->tokens,
                                                        .stats = options->stats,
                                                        .calls = &server->calls};
    server->load = (struct load_service){.loop = server->loop,
                                         .tokens = options->tokens,
                                         .trust_domain = trust_domain,
                                         .stats = options->stats,
                                         .table = options->load,
                                         .calls = &server->calls};
    server->ads = (struct ads_service){.supply = options->supply,
                                       .tokens = options->tokens,
                                       .trust_domain = trust_domain,
                                       .stats = options->stats,
                                       .calls = &server->calls,
                                       .on_gathered = on_gathered,
                                       .owner = server};
    ads_service_init(&server->ads, server->loop);
    ads_service_methods(&server->ads, true, server->methods);
    ads_service_methods(&server->ads, false, server->plain_methods);
    server->methods[ADS_METHODS] = certificate_service_method(&server->certificates);
    server->methods[ADS_METHODS + 1] = load_service_method(&server->load);
    server->methods[ADS_METHODS + 2] = load_service_lrs_method(&server->load);
}

static struct http_server *listen_at(struct xds_server *server, const struct address *at,
                                     struct tls_config *tls,
                                     const struct http_server_events *events, char *reason)
{
    struct http_server_options options = {
        .at = *at,
        .tls = tls,
        .connections =
            server->options.connections > 0 ? server->options.connections : DEFAULT_CONNECTIONS,
    };
    int error = 0;
    struct http_server *http = http_server_open(server->loop, &options, events, server, &error);
    if (http == NULL) {
        char address[ADDRESS_TEXT_BYTES];
        address_format(at, address);
        snprintf(reason, MESH_CA_REASON_BYTES, "cannot listen on %s: %s", address, strerror(error));
    }
    return http;
}

/* A certificate of our own, good for new connections; the old ones keep theirs. */
static bool renew_own(struct xds_server *server, char *reason)
{
    int64_t not_after_s;
    struct tls_config *tls = mesh_ca_server_tls(server->options.ca, leaf_verify_tls(server->verify),
                                                &not_after_s, reason);
    if (tls == NULL) {
        return false;
    }
    if (server->http == NULL) {
        server->http = listen_at(server, &server->options.at, tls, &http_events, reason);
    } else {
        http_server_set_tls(server->http, tls);
    }
    tls_config_unref(tls);
    server->not_after_s = not_after_s;
    server->made_s = clock_wall_ns() / NS_PER_S;
    return server->http != NULL;
}

static void on_renew(struct timer *timer)
{
    struct xds_server *server = CONTAINER_OF(timer, struct xds_server, renew);
    char reason[MESH_CA_REASON_BYTES];
    bool fresh = mesh_ca_renew(server->options.ca, reason);
    if (!fresh && reason[0] != '\0') {
        LOG_ERROR("ca", "cannot renew the intermediate", LOG_TEXT("reason", reason));
    }
    bool due =
        mesh_ca_server_is_due(server->made_s, server->not_after_s, clock_wall_ns() / NS_PER_S);
    if ((fresh || due) && !renew_own(server, reason)) {
        LOG_ERROR("ca", "cannot renew the control plane's certificate", LOG_TEXT("reason", reason));
    }
    timer_start(&server->renew, RENEW_CHECK_S * NS_PER_S);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void run_free(struct turn_task *task)
{
    struct xds_server *server = CONTAINER_OF(task, struct xds_server, free_task);
    leaf_verify_destroy(server->verify);
    ads_service_done(&server->ads);
    mem_free(server);
}

static bool open_plain(struct xds_server *server, char *reason)
{
    const struct address *at = &server->options.plain_at;
    if (at->family == 0) {
        return true;
    }
    if (!address_is_loopback(at)) {
        snprintf(reason, MESH_CA_REASON_BYTES,
                 "xDS without TLS proves nobody: it listens on loopback only");
        return false;
    }
    server->plain = listen_at(server, at, NULL, &plain_events, reason);
    return server->plain != NULL;
}

struct xds_server *xds_server_open(struct loop *loop, const struct xds_server_options *options,
                                   const struct xds_server_events *events, void *owner,
                                   char *reason)
{
    struct xds_server *server = NEW(struct xds_server);
    server->loop = loop;
    server->options = *options;
    server->events = events;
    server->owner = owner;
    server->free_task.run = run_free;
    open_services(server);
    timer_init(&server->renew, loop, on_renew);
    server->verify = leaf_verify_create(mesh_ca_bundle(options->ca));
    if (!renew_own(server, reason) || !open_plain(server, reason)) {
        xds_server_close(server);
        return NULL;
    }
    timer_start(&server->renew, RENEW_CHECK_S * NS_PER_S);
    return server;
}

const struct address *xds_server_address(const struct xds_server *server)
{
    return http_server_address(server->http);
}

const struct address *xds_server_plain_address(const struct xds_server *server)
{
    return server->plain != NULL ? http_server_address(server->plain) : NULL;
}

void xds_server_changed(struct xds_server *server)
{
    push_queue_note(&server->ads.pushes);
}

void xds_server_set_lifetime(struct xds_server *server, int64_t longest_s)
{
    server->certificates.longest_s = longest_s;
}

void xds_server_drain(struct xds_server *server)
{
    ads_service_drain(&server->ads);
    http_server_drain(server->http);
    if (server->plain != NULL) {
        http_server_drain(server->plain);
    }
}

void xds_server_close(struct xds_server *server)
{
    if (server == NULL) {
        return;
    }
    server->closed = true;
    timer_stop(&server->renew);
    http_server_close(server->http);
    http_server_close(server->plain);
    if (server->calls.count == 0) {
        loop_free_later(server->loop, &server->free_task);
    }
}

size_t xds_server_connections(const struct xds_server *server)
{
    return http_server_connections(server->http);
}

int64_t xds_server_not_after_s(const struct xds_server *server)
{
    return server->not_after_s;
}

const struct ads_service *xds_server_ads(const struct xds_server *server)
{
    return &server->ads;
}
