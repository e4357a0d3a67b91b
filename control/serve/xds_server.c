#include "control/serve/xds_server.h"

#include "certs/leaf_verify.h"
#include "control/serve/load_service.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/http/http_server.h"

#include <stdio.h>
#include <string.h>

enum {
    DEFAULT_CONNECTIONS = 20000,
    REQUEST_BYTES = 4 << 20,
    /* While so much is on its way to a client, nothing more is made for it. */
    CLIENT_QUEUE_BYTES = 256 * 1024,
    METHODS = 5,
    RENEW_CHECK_S = 60,
};

struct xds_server {
    struct loop *loop;
    struct xds_server_options options;
    const struct xds_server_events *events;
    void *owner;
    struct leaf_verify *verify;
    struct http_server *http;
    struct push_queue pushes;
    struct certificate_service certificates;
    struct load_service load;
    struct grpc_method methods[METHODS];
    struct list clients;
    size_t calls; /* of any method: the server lives as long as they */
    struct timer renew;
    int64_t not_after_s;
    int64_t renew_at_s;
    bool draining;
    bool closed;
    struct turn_task free_task;
};

/* One ADS stream. */
struct client {
    struct link link;
    struct push_member push;
    struct xds_server *server;
    struct grpc_served *served;
    struct subscriber *subscriber; /* NULL: it was refused */
    char *address;
    int64_t not_after_s; /* of its certificate; 0 = it came by token */
    uint64_t told_requests, told_responses, told_nacks; /* to the statistics so far */
    bool delta;
};

/* ---- ADS streams ----------------------------------------------------------------------------- */

static void subscriber_sends(void *owner, struct span message)
{
    struct client *client = owner;
    grpc_served_send(client->served, message);
}

static bool subscriber_has_room(void *owner)
{
    const struct client *client = owner;
    return grpc_served_queued(client->served) < CLIENT_QUEUE_BYTES;
}

static const struct subscriber_events subscriber_events = {
    .send = subscriber_sends,
    .has_room = subscriber_has_room,
};

static const char *variant(const struct client *client)
{
    return client->delta ? "delta" : "sotw";
}

static void refuse(struct client *client, enum grpc_code code, const char *word, const char *text)
{
    control_stats_add_for(client->server->options.stats, CONTROL_STAT_REFUSED, word, 1);
    LOG_WARN_LIMITED("xds", "stream refused", LOG_TEXT("reason", word), LOG_TEXT("detail", text),
                     LOG_TEXT("address", client->address));
    grpc_served_finish(client->served, code, span_of(text));
}

static void *begin(struct xds_server *server, bool delta, struct grpc_served *served,
                   const struct http_head *head, const struct grpc_peer *peer)
{
    struct client *client = NEW(struct client);
    struct caller_evidence evidence = {peer->identity, grpc_bearer(head)};
    struct caller caller;
    struct caller_refusal refusal;
    client->server = server;
    client->served = served;
    client->delta = delta;
    client->address = mem_text(peer->address.at, peer->address.length);
    server->calls++;
    if (server->draining) {
        refuse(client, GRPC_UNAVAILABLE, "draining", "the control plane is shutting down");
        return client;
    }
    if (!caller_prove(server->options.tokens, mesh_ca_trust_domain(server->options.ca), &evidence,
                      NULL, false, &caller, &refusal)) {
        refuse(client, refusal.code, refusal.word, refusal.text);
        return client;
    }
    client->not_after_s = caller.proof == CALLER_CERTIFICATE ? peer->not_after_ms / 1000 : 0;
    struct subscriber_identity identity = {caller.namespace_name, caller.service_account};
    client->subscriber =
        subscriber_create(server->options.supply, delta, &identity, &subscriber_events, client);
    list_push_back(&server->clients, &client->link);
    push_queue_join(&server->pushes, &client->push);
    control_stats_change_for(server->options.stats, CONTROL_STAT_STREAMS, variant(client), 1);
    return client;
}

static void *on_sotw_call(void *service, struct grpc_served *served, const struct http_head *head,
                          const struct grpc_peer *peer)
{
    return begin(service, false, served, head, peer);
}

static void *on_delta_call(void *service, struct grpc_served *served, const struct http_head *head,
                           const struct grpc_peer *peer)
{
    return begin(service, true, served, head, peer);
}

static void count(struct client *client)
{
    struct control_stats *stats = client->server->options.stats;
    const struct subscriber *subscriber = client->subscriber;
    control_stats_add(stats, CONTROL_STAT_REQUESTS, subscriber->requests - client->told_requests);
    control_stats_add(stats, CONTROL_STAT_RESPONSES,
                      subscriber->responses - client->told_responses);
    control_stats_add(stats, CONTROL_STAT_NACKS, subscriber->nacks - client->told_nacks);
    client->told_requests = subscriber->requests;
    client->told_responses = subscriber->responses;
    client->told_nacks = subscriber->nacks;
}

static void log_nack(const struct client *client)
{
    const struct subscriber *subscriber = client->subscriber;
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        const struct subscription *subscription = &subscriber->types[type];
        if (subscription->nack != NULL) {
            LOG_WARN("xds", "a proxy refused its configuration",
                     LOG_SPAN("node", subscriber->node.id),
                     LOG_TEXT("type", xds_type_short((enum xds_type)type)),
                     LOG_TEXT("detail", subscription->nack));
        }
    }
}

static void on_message(void *owner, struct grpc_served *served, struct span message)
{
    struct client *client = owner;
    struct xds_error error;
    if (client->subscriber == NULL) {
        return;
    }
    bool knew_node = client->subscriber->knows_node;
    enum grpc_code code = subscriber_receive(client->subscriber, message, &error);
    if (client->subscriber->nacks > client->told_nacks) {
        log_nack(client);
    }
    count(client);
    if (code != GRPC_OK) {
        refuse(client, code, grpc_code_name(code), error.text);
    } else if (!knew_node && client->subscriber->knows_node) {
        LOG_INFO("xds", "proxy connected", LOG_SPAN("node", client->subscriber->node.id),
                 LOG_TEXT("variant", variant(client)), LOG_TEXT("address", client->address));
    }
}

static void on_half_close(void *owner, struct grpc_served *served)
{
    grpc_served_finish(served, GRPC_OK, SPAN_EMPTY);
}

static void on_room(void *owner, struct grpc_served *served)
{
    struct client *client = owner;
    if (client->subscriber != NULL) {
        subscriber_sync(client->subscriber);
        count(client);
    }
}

static void leave(struct xds_server *server)
{
    server->calls--;
    if (server->closed && server->calls == 0) {
        loop_free_later(server->loop, &server->free_task);
    }
}

static void on_gone(void *owner, struct grpc_served *served)
{
    struct client *client = owner;
    struct xds_server *server = client->server;
    if (client->subscriber != NULL) {
        if (client->subscriber->knows_node) {
            LOG_INFO("xds", "proxy disconnected", LOG_SPAN("node", client->subscriber->node.id));
        }
        count(client);
        control_stats_change_for(server->options.stats, CONTROL_STAT_STREAMS, variant(client), -1);
        push_queue_leave(&client->push);
        list_remove(&client->link);
        subscriber_destroy(client->subscriber);
    }
    mem_free(client->address);
    mem_free(client);
    leave(server);
}

/* ---- Pushing --------------------------------------------------------------------------------- */

static unsigned on_gathered(void *owner)
{
    struct xds_server *server = owner;
    unsigned types = server->events->on_gathered(server->owner);
    supply_changed(server->options.supply);
    control_stats_add(server->options.stats, CONTROL_STAT_PUSHES, 1);
    return types;
}

static void on_visit(void *owner, struct push_member *member, unsigned types)
{
    struct client *client = CONTAINER_OF(member, struct client, push);
    subscriber_mark(client->subscriber, types);
    subscriber_sync(client->subscriber);
    count(client);
}

static const struct push_events push_events = {on_gathered, on_visit};

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

static const struct http_server_events http_events = {.on_stream = on_stream};

static void fill_methods(struct xds_server *server)
{
    struct grpc_method ads = {
        .message_limit = REQUEST_BYTES,
        .on_message = on_message,
        .on_half_close = on_half_close,
        .on_room = on_room,
        .on_gone = on_gone,
        .service = server,
    };
    server->methods[0] = ads;
    server->methods[0].path = XDS_PATH_DELTA;
    server->methods[0].on_call = on_delta_call;
    server->methods[1] = ads;
    server->methods[1].path = XDS_PATH_SOTW;
    server->methods[1].on_call = on_sotw_call;
    server->methods[2] = certificate_service_method(&server->certificates);
    server->methods[3] = load_service_method(&server->load);
    server->methods[4] = load_service_lrs_method(&server->load);
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
        struct http_server_options at = {
            .at = server->options.at,
            .tls = tls,
            .connections =
                server->options.connections > 0 ? server->options.connections : DEFAULT_CONNECTIONS,
        };
        int error = 0;
        server->http = http_server_open(server->loop, &at, &http_events, server, &error);
        if (server->http == NULL) {
            char address[ADDRESS_TEXT_BYTES];
            address_format(&server->options.at, address);
            snprintf(reason, MESH_CA_REASON_BYTES, "cannot listen on %s: %s", address,
                     strerror(error));
        }
    } else {
        http_server_set_tls(server->http, tls);
    }
    tls_config_unref(tls);
    int64_t now_s = clock_wall_ns() / NS_PER_S;
    server->not_after_s = not_after_s;
    server->renew_at_s = now_s + (not_after_s - now_s) / 2;
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
    if ((fresh || clock_wall_ns() / NS_PER_S >= server->renew_at_s) && !renew_own(server, reason)) {
        LOG_ERROR("ca", "cannot renew the control plane's certificate", LOG_TEXT("reason", reason));
    }
    timer_start(&server->renew, RENEW_CHECK_S * NS_PER_S);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void run_free(struct turn_task *task)
{
    struct xds_server *server = CONTAINER_OF(task, struct xds_server, free_task);
    leaf_verify_destroy(server->verify);
    push_queue_done(&server->pushes);
    mem_free(server);
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
    server->certificates =
        (struct certificate_service){options->ca, options->tokens, options->stats};
    server->load = (struct load_service){.loop = loop,
                                         .tokens = options->tokens,
                                         .trust_domain = mesh_ca_trust_domain(options->ca),
                                         .stats = options->stats,
                                         .table = options->load};
    list_init(&server->clients);
    fill_methods(server);
    push_queue_init(&server->pushes, loop, &push_events, server);
    timer_init(&server->renew, loop, on_renew);
    server->verify = leaf_verify_create(mesh_ca_bundle(options->ca));
    if (!renew_own(server, reason)) {
        leaf_verify_destroy(server->verify);
        mem_free(server);
        return NULL;
    }
    timer_start(&server->renew, RENEW_CHECK_S * NS_PER_S);
    return server;
}

const struct address *xds_server_address(const struct xds_server *server)
{
    return http_server_address(server->http);
}

void xds_server_changed(struct xds_server *server)
{
    push_queue_note(&server->pushes);
}

void xds_server_drain(struct xds_server *server)
{
    server->draining = true;
    LIST_EACH(&server->clients, link)
    {
        const struct client *client = CONTAINER_OF(link, struct client, link);
        grpc_served_finish(client->served, GRPC_UNAVAILABLE,
                           SPAN("the control plane is shutting down"));
    }
    http_server_drain(server->http);
}

void xds_server_close(struct xds_server *server)
{
    if (server == NULL) {
        return;
    }
    server->closed = true;
    timer_stop(&server->renew);
    http_server_close(server->http);
    if (server->calls == 0) {
        loop_free_later(server->loop, &server->free_task);
    }
}

struct push_queue *xds_server_pushes(struct xds_server *server)
{
    return &server->pushes;
}

size_t xds_server_connections(const struct xds_server *server)
{
    return http_server_connections(server->http);
}

int64_t xds_server_not_after_s(const struct xds_server *server)
{
    return server->not_after_s;
}

bool xds_server_next(const struct xds_server *server, const struct link **at,
                     struct xds_client_row *ret)
{
    const struct link *next = *at == NULL ? server->clients.head.next : (*at)->next;
    if (next == &server->clients.head) {
        return false;
    }
    const struct client *client = CONTAINER_OF(next, struct client, link);
    *at = next;
    *ret = (struct xds_client_row){.subscriber = client->subscriber,
                                   .address = span_of(client->address),
                                   .certificate_not_after_s = client->not_after_s};
    return true;
}
