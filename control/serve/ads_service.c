#include "control/serve/ads_service.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/xds/xds_discovery.h"

enum {
    REQUEST_BYTES = 4 << 20,
    /* While so much is on its way to a client, nothing more is made for it. */
    CLIENT_QUEUE_BYTES = 64 * 1024,
    LOOK_S = 5,
};

struct ads_stream {
    struct link link;
    struct push_member push;
    struct ads_service *service;
    struct grpc_served *served;
    struct subscriber *subscriber; /* NULL: it was refused */
    char *address;
    int64_t not_after_s;                                /* of its certificate; 0 = none */
    uint64_t told_requests, told_responses, told_nacks; /* to the statistics so far */
    bool delta;
};

static void subscriber_sends(void *owner, struct span message)
{
    struct ads_stream *stream = owner;
    grpc_served_send(stream->served, message);
}

static bool subscriber_has_room(void *owner)
{
    const struct ads_stream *stream = owner;
    return grpc_served_queued(stream->served) < CLIENT_QUEUE_BYTES;
}

static const struct subscriber_events subscriber_events = {
    .send = subscriber_sends,
    .has_room = subscriber_has_room,
};

static const char *variant(const struct ads_stream *stream)
{
    return stream->delta ? "delta" : "sotw";
}

static void refuse(struct ads_stream *stream, enum grpc_code code, const char *word,
                   const char *text)
{
    control_stats_add_for(stream->service->stats, CONTROL_STAT_REFUSED, word, 1);
    LOG_WARN_LIMITED("xds", "stream refused", LOG_TEXT("reason", word), LOG_TEXT("detail", text),
                     LOG_TEXT("address", stream->address));
    grpc_served_finish(stream->served, code, span_of(text));
}

static struct ads_stream *stream_create(struct ads_service *service, bool delta,
                                        struct grpc_served *served, const struct grpc_peer *peer)
{
    struct ads_stream *stream = NEW(struct ads_stream);
    stream->service = service;
    stream->served = served;
    stream->delta = delta;
    stream->address = mem_text(peer->address.at, peer->address.length);
    live_calls_enter(service->calls);
    return stream;
}

/* identity NULL: nobody is proven at this port. */
static void admit(struct ads_stream *stream, const struct subscriber_identity *identity)
{
    struct ads_service *service = stream->service;
    stream->subscriber =
        subscriber_create(service->supply, stream->delta, identity, &subscriber_events, stream);
    list_push_back(&service->streams, &stream->link);
    push_queue_join(&service->pushes, &stream->push);
    control_stats_change_for(service->stats, CONTROL_STAT_STREAMS, variant(stream), 1);
}

/* False, and refused, when the caller proves nothing. */
static bool prove(struct ads_stream *stream, const struct http_head *head,
                  const struct grpc_peer *peer, struct caller *ret)
{
    struct ads_service *service = stream->service;
    struct caller_evidence evidence = {peer->identity, grpc_bearer(head)};
    struct caller_refusal refusal;
    if (!caller_prove(service->tokens, service->trust_domain, &evidence, NULL, false, ret,
                      &refusal)) {
        refuse(stream, refusal.code, refusal.word, refusal.text);
        return false;
    }
    stream->not_after_s = ret->proof == CALLER_CERTIFICATE ? peer->not_after_ms / 1000 : 0;
    return true;
}

static void *begin(struct ads_stream *stream, bool proven, const struct http_head *head,
                   const struct grpc_peer *peer)
{
    struct caller caller;
    if (stream->service->draining) {
        refuse(stream, GRPC_UNAVAILABLE, "draining", "the control plane is shutting down");
    } else if (!proven) {
        admit(stream, NULL);
    } else if (prove(stream, head, peer, &caller)) {
        admit(stream, &(struct subscriber_identity){caller.namespace_name, caller.service_account});
    }
    return stream;
}

static void *on_sotw_call(void *service, struct grpc_served *served, const struct http_head *head,
                          const struct grpc_peer *peer)
{
    return begin(stream_create(service, false, served, peer), true, head, peer);
}

static void *on_delta_call(void *service, struct grpc_served *served, const struct http_head *head,
                           const struct grpc_peer *peer)
{
    return begin(stream_create(service, true, served, peer), true, head, peer);
}

static void *on_plain_sotw_call(void *service, struct grpc_served *served,
                                const struct http_head *head, const struct grpc_peer *peer)
{
    return begin(stream_create(service, false, served, peer), false, head, peer);
}

static void *on_plain_delta_call(void *service, struct grpc_served *served,
                                 const struct http_head *head, const struct grpc_peer *peer)
{
    return begin(stream_create(service, true, served, peer), false, head, peer);
}

static void count(struct ads_stream *stream)
{
    struct control_stats *stats = stream->service->stats;
    const struct subscriber *subscriber = stream->subscriber;
    control_stats_add(stats, CONTROL_STAT_REQUESTS, subscriber->requests - stream->told_requests);
    control_stats_add(stats, CONTROL_STAT_RESPONSES,
                      subscriber->responses - stream->told_responses);
    control_stats_add(stats, CONTROL_STAT_NACKS, subscriber->nacks - stream->told_nacks);
    stream->told_requests = subscriber->requests;
    stream->told_responses = subscriber->responses;
    stream->told_nacks = subscriber->nacks;
}

static void log_nack(const struct ads_stream *stream)
{
    const struct subscriber *subscriber = stream->subscriber;
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        const struct subscription *subscription = &subscriber->types[type];
        if (subscription->nack != NULL) {
            LOG_WARN_LIMITED("xds", "a proxy refused its configuration",
                             LOG_SPAN("node", subscriber->node.id),
                             LOG_TEXT("type", xds_type_short((enum xds_type)type)),
                             LOG_TEXT("detail", subscription->nack));
        }
    }
}

static void on_message(void *owner, struct grpc_served *served, struct span message)
{
    struct ads_stream *stream = owner;
    struct xds_error error;
    if (stream->subscriber == NULL) {
        return;
    }
    bool knew_node = stream->subscriber->knows_node;
    enum grpc_code code = subscriber_receive(stream->subscriber, message, &error);
    if (stream->subscriber->nacks > stream->told_nacks) {
        log_nack(stream);
    }
    count(stream);
    if (code != GRPC_OK) {
        refuse(stream, code, grpc_code_name(code), error.text);
    } else if (!knew_node && stream->subscriber->knows_node) {
        LOG_INFO("xds", "proxy connected", LOG_SPAN("node", stream->subscriber->node.id),
                 LOG_TEXT("variant", variant(stream)), LOG_TEXT("address", stream->address));
    }
}

static void on_half_close(void *owner, struct grpc_served *served)
{
    grpc_served_finish(served, GRPC_OK, SPAN_EMPTY);
}

static void on_room(void *owner, struct grpc_served *served)
{
    struct ads_stream *stream = owner;
    if (stream->subscriber != NULL) {
        subscriber_sync(stream->subscriber);
        count(stream);
    }
}

static void on_gone(void *owner, struct grpc_served *served)
{
    struct ads_stream *stream = owner;
    struct ads_service *service = stream->service;
    if (stream->subscriber != NULL) {
        if (stream->subscriber->knows_node) {
            LOG_INFO("xds", "proxy disconnected", LOG_SPAN("node", stream->subscriber->node.id));
        }
        count(stream);
        control_stats_change_for(service->stats, CONTROL_STAT_STREAMS, variant(stream), -1);
        push_queue_leave(&stream->push);
        list_remove(&stream->link);
        subscriber_destroy(stream->subscriber);
    }
    mem_free(stream->address);
    mem_free(stream);
    live_calls_leave(service->calls);
}

/* ---- Pushing --------------------------------------------------------------------------------- */

static unsigned on_gathered(void *owner)
{
    struct ads_service *service = owner;
    unsigned types = service->on_gathered(service->owner);
    supply_changed(service->supply);
    control_stats_add(service->stats, CONTROL_STAT_PUSHES, 1);
    return types;
}

static void on_visit(void *owner, struct push_member *member, unsigned types)
{
    struct ads_stream *stream = CONTAINER_OF(member, struct ads_stream, push);
    subscriber_mark(stream->subscriber, types);
    subscriber_sync(stream->subscriber);
    count(stream);
}

static const struct push_events push_events = {on_gathered, on_visit};

/*
 * Who has not renewed its certificate is nobody any more. Proxies connect anew with each new one,
 * so this meets those that could not, or may not, get one.
 */
static void on_look(struct timer *timer)
{
    struct ads_service *service = CONTAINER_OF(timer, struct ads_service, look);
    int64_t now_s = clock_wall_ns() / NS_PER_S;
    LIST_EACH(&service->streams, link)
    {
        struct ads_stream *stream = CONTAINER_OF(link, struct ads_stream, link);
        if (stream->not_after_s != 0 && stream->not_after_s < now_s) {
            stream->not_after_s = 0;
            refuse(stream, GRPC_UNAUTHENTICATED, "certificate_ended",
                   "the certificate of the connection has ended: connect with a new one");
        }
    }
    timer_start(&service->look, LOOK_S * NS_PER_S);
}

/* ---- Life ------------------------------------------------------------------------------------ */

void ads_service_init(struct ads_service *service, struct loop *loop)
{
    list_init(&service->streams);
    service->draining = false;
    push_queue_init(&service->pushes, loop, &push_events, service);
    timer_init(&service->look, loop, on_look);
    timer_start(&service->look, LOOK_S * NS_PER_S);
}

void ads_service_done(struct ads_service *service)
{
    timer_stop(&service->look);
    push_queue_done(&service->pushes);
}

void ads_service_methods(struct ads_service *service, bool proven,
                         struct grpc_method methods[ADS_METHODS])
{
    const struct grpc_method method = {
        .message_limit = REQUEST_BYTES,
        .on_message = on_message,
        .on_half_close = on_half_close,
        .on_room = on_room,
        .on_gone = on_gone,
        .service = service,
    };
    methods[0] = methods[1] = method;
    methods[0].path = XDS_PATH_DELTA;
    methods[0].on_call = proven ? on_delta_call : on_plain_delta_call;
    methods[1].path = XDS_PATH_SOTW;
    methods[1].on_call = proven ? on_sotw_call : on_plain_sotw_call;
}

void ads_service_drain(struct ads_service *service)
{
    service->draining = true;
    LIST_EACH(&service->streams, link)
    {
        const struct ads_stream *stream = CONTAINER_OF(link, struct ads_stream, link);
        grpc_served_finish(stream->served, GRPC_UNAVAILABLE,
                           SPAN("the control plane is shutting down"));
    }
}

bool ads_service_next(const struct ads_service *service, const struct link **at,
                      struct ads_row *ret)
{
    const struct link *next = *at == NULL ? service->streams.head.next : (*at)->next;
    if (next == &service->streams.head) {
        return false;
    }
    const struct ads_stream *stream = CONTAINER_OF(next, struct ads_stream, link);
    *at = next;
    *ret = (struct ads_row){.subscriber = stream->subscriber,
                            .address = span_of(stream->address),
                            .certificate_not_after_s = stream->not_after_s};
    return true;
}
