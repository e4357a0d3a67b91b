#include "proxy/main/worker.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/stats/writer.h"
#include "lib/tls/tls_transport.h"
#include "proxy/main/worker_gauges.h"
#include "proxy/request/config_wait.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { LOOK_MS = 1000 };

struct worker {
    struct worker_start start;
    pthread_t thread;
    sem_t started;
    bool failed;
    char reason[256];
    struct loop *loop;
    struct mailbox *mailbox;
    struct worker_scope scope;
    struct front *front;
    struct resolver *resolver;
    struct worker_gauges gauges;
    struct timer look;
    atomic_uint live[FRONT_SIDES];
    _Atomic int64_t looked_ns; /* when its loop last came round */
};

/* ---- Messages to the main thread ------------------------------------------------------------- */

struct ask {
    struct message message;
    struct worker *worker;
    size_t length;
    char name[];
};

static void ask_deliver(struct message *message, void *owner)
{
    struct ask *ask = CONTAINER_OF(message, struct ask, message);
    struct worker_start *start = &ask->worker->start;
    start->on_ask(start->owner, span_make(ask->name, ask->length));
    mem_free(ask);
}

static void ask_discard(struct message *message)
{
    mem_free(CONTAINER_OF(message, struct ask, message));
}

static void ask_main(void *owner, struct span name)
{
    struct worker *worker = owner;
    struct ask *ask = mem_zalloc(sizeof(*ask) + name.length);
    ask->message.deliver = ask_deliver;
    ask->message.discard = ask_discard;
    ask->worker = worker;
    ask->length = name.length;
    memcpy(ask->name, name.at, name.length);
    mailbox_post(worker->start.main_mailbox, &ask->message);
}

/* ---- Messages to the worker ------------------------------------------------------------------ */

struct order {
    struct message message;
    struct worker *worker;
    void (*run)(struct order *order);
    struct snapshot *snapshot;
    struct tls_config *client, *server;
    bool flag;
    void (*write)(void *owner, struct worker_scope *scope, struct text *text);
    void (*on_report)(void *owner, const struct text *text);
    void *owner;
    struct text text;
    bool written; /* write has run, or never will */
};

static void order_free(struct order *order)
{
    snapshot_unref(order->snapshot);
    tls_config_unref(order->client);
    tls_config_unref(order->server);
    text_done(&order->text);
    mem_free(order);
}

static void run_reported(struct order *order)
{
    order->on_report(order->owner, &order->text);
    order_free(order);
}

static void run_gone(struct order *order)
{
    order->on_report(order->owner, NULL);
    order_free(order);
}

/* A report that nobody will write is still answered, in the main thread. */
static void order_discard(struct message *message)
{
    struct order *order = CONTAINER_OF(message, struct order, message);
    if (order->on_report == NULL) {
        order_free(order);
    } else if (order->written) {
        run_gone(order);
    } else {
        order->written = true;
        order->run = run_gone;
        mailbox_post(order->worker->start.main_mailbox, message);
    }
}

static void order_deliver(struct message *message, void *owner)
{
    struct order *order = CONTAINER_OF(message, struct order, message);
    order->run(order);
}

static struct order *order_create(struct worker *worker, void (*run)(struct order *order))
{
    struct order *order = NEW(struct order);
    order->message.deliver = order_deliver;
    order->message.discard = order_discard;
    order->worker = worker;
    order->run = run;
    return order;
}

static void run_snapshot(struct order *order)
{
    struct worker *worker = order->worker;
    struct snapshot *before = worker->scope.snapshot;
    worker->scope.snapshot = order->snapshot;
    order->snapshot = before;
    upstream_apply(worker->scope.upstream, worker->scope.snapshot);
    observe_configure(worker->scope.observe, worker->scope.snapshot->workload);
    front_apply(worker->front, worker->scope.snapshot);
    config_wait_check(&worker->scope);
    order_free(order);
}

void worker_snapshot(struct worker *worker, struct snapshot *snapshot)
{
    struct order *order = order_create(worker, run_snapshot);
    order->snapshot = snapshot_ref(snapshot);
    mailbox_post(worker->mailbox, &order->message);
}

static void run_tls(struct order *order)
{
    struct worker *worker = order->worker;
    tls_config_unref(worker->scope.server_tls);
    worker->scope.server_tls = order->server;
    order->server = NULL;
    upstream_set_tls(worker->scope.upstream, order->client, order->flag);
    order_free(order);
}

void worker_tls(struct worker *worker, struct tls_config *client, struct tls_config *server,
                bool new_roots)
{
    struct order *order = order_create(worker, run_tls);
    order->client = tls_config_ref(client);
    order->server = tls_config_ref(server);
    order->flag = new_roots;
    mailbox_post(worker->mailbox, &order->message);
}

static void run_control(struct order *order)
{
    order->worker->scope.control_away = order->flag;
    order_free(order);
}

void worker_control_away(struct worker *worker, bool away)
{
    struct order *order = order_create(worker, run_control);
    order->flag = away;
    mailbox_post(worker->mailbox, &order->message);
}

static void run_drain(struct order *order)
{
    if (order->flag) {
        front_drain_outbound(order->worker->front);
    } else {
        front_drain_inbound(order->worker->front);
    }
    order_free(order);
}

void worker_drain(struct worker *worker, bool outbound)
{
    struct order *order = order_create(worker, run_drain);
    order->flag = outbound;
    mailbox_post(worker->mailbox, &order->message);
}

static void run_stop(struct order *order)
{
    loop_stop(order->worker->loop);
    order_free(order);
}

static void run_report(struct order *order)
{
    order->write(order->owner, &order->worker->scope, &order->text);
    order->written = true;
    order->run = run_reported;
    mailbox_post(order->worker->start.main_mailbox, &order->message);
}

void worker_report(struct worker *worker,
                   void (*write)(void *owner, struct worker_scope *scope, struct text *text),
                   void (*on_report)(void *owner, const struct text *text), void *owner)
{
    struct order *order = order_create(worker, run_report);
    order->write = write;
    order->on_report = on_report;
    order->owner = owner;
    mailbox_post(worker->mailbox, &order->message);
}

/* ---- The thread ------------------------------------------------------------------------------ */

static void on_look(struct timer *timer)
{
    struct worker *worker = CONTAINER_OF(timer, struct worker, look);
    for (unsigned side = 0; side < FRONT_SIDES; side++) {
        atomic_store_explicit(&worker->live[side], front_live(worker->front, (enum front_side)side),
                              memory_order_relaxed);
    }
    worker_gauges_sample(&worker->gauges, worker->front);
    atomic_store_explicit(&worker->looked_ns, loop_now_ns(worker->loop), memory_order_relaxed);
    timer_start(timer, LOOK_MS * NS_PER_MS);
}

static bool listen_at(struct worker *worker, const struct front_listener *listener)
{
    int error = 0;
    bool reuse_port = worker->start.options->workers > 1;
    if (front_listen(worker->front, listener, reuse_port, NULL, &error)) {
        return true;
    }
    char text[ADDRESS_TEXT_BYTES];
    address_format(&listener->at, text);
    snprintf(worker->reason, sizeof(worker->reason), "cannot listen at %s: %s", text,
             strerror(error));
    return false;
}

static bool listen_redirected(struct worker *worker)
{
    const struct proxy_options *options = worker->start.options;
    struct front_listener outbound = {
        .side = FRONT_OUTBOUND, .at = options->outbound_at, .redirected = true};
    struct front_listener inbound = {
        .side = FRONT_INBOUND, .at = options->inbound_at, .redirected = true};
    if (!listen_at(worker, &outbound) || !listen_at(worker, &inbound)) {
        return false;
    }
    /* Redirected IPv6 arrives at ::1; where the machine has no IPv6 there is none to arrive. */
    struct front_listener outbound6 = outbound;
    address_parse_ip(SPAN("::1"), &outbound6.at);
    outbound6.at.port = options->outbound_at.port;
    if (options->outbound_at.family == 4 && !listen_at(worker, &outbound6)) {
        LOG_INFO("front", "no IPv6 on this machine, so none is taken over");
        worker->reason[0] = '\0';
    }
    return true;
}

/* "name.namespace:port" */
static bool listen_outbound(struct worker *worker, const struct option_pair *pair)
{
    size_t colon = pair->to.length;
    while (colon > 0 && pair->to.at[colon - 1] != ':') {
        colon--;
    }
    uint64_t port = 0;
    if (colon == 0 || !span_to_u64(span_cut(pair->to, colon, pair->to.length), 65535, &port)) {
        snprintf(worker->reason, sizeof(worker->reason), "%.*s is no SERVICE:PORT",
                 SPAN_ARG(pair->to));
        return false;
    }
    struct front_listener listener = {
        .side = FRONT_OUTBOUND,
        .at = pair->at,
        .service = span_cut(pair->to, 0, colon - 1),
        .service_port = (uint16_t)port,
    };
    return listen_at(worker, &listener);
}

static bool listen_explicit(struct worker *worker)
{
    const struct proxy_options *options = worker->start.options;
    for (size_t i = 0; i < options->inbound_count; i++) {
        struct front_listener listener = {.side = FRONT_INBOUND, .at = options->inbound[i].at};
        address_parse(options->inbound[i].to, &listener.to);
        if (!listen_at(worker, &listener)) {
            return false;
        }
    }
    for (size_t i = 0; i < options->outbound_count; i++) {
        if (!listen_outbound(worker, &options->outbound[i])) {
            return false;
        }
    }
    return true;
}

static bool listen_all(struct worker *worker)
{
    const struct proxy_options *options = worker->start.options;
    const uint16_t others[] = {options->admin_at.port, options->metrics_at.port,
                               options->health_at.port};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        front_own_port(worker->front, others[i]);
    }
    bool good = options->explicit_mode ? listen_explicit(worker) : listen_redirected(worker);
    if (good && options->hbone) {
        struct front_listener hbone = {.side = FRONT_HBONE, .at = options->hbone_at};
        good = listen_at(worker, &hbone);
    }
    return good;
}

static bool worker_init(struct worker *worker)
{
    const struct proxy_options *options = worker->start.options;
    struct worker_scope *scope = &worker->scope;
    char *servers = options->dns_servers.length > 0
                        ? mem_text(options->dns_servers.at, options->dns_servers.length)
                        : NULL;
    worker->loop = loop_create();
    worker->mailbox = mailbox_create(worker->loop, worker);
    worker->resolver = resolver_create(worker->loop, servers);
    mem_free(servers);
    scope->loop = worker->loop;
    http_limits_default(&scope->limits);
    scope->upstream = upstream_create(worker->loop, worker->resolver);
    scope->upstream->limits = &scope->limits;
    scope->upstream->local_source4 = options->local_source4;
    scope->upstream->local_source6 = options->local_source6;
    scope->upstream->descriptors = options->descriptors;
    scope->observe = observe_create(worker->loop, worker->start.registry, worker->start.index);
    scope->snapshot = snapshot_empty();
    scope->ask = ask_main;
    scope->ask_owner = worker;
    scope->control_away = true;
    list_init(&scope->config_waits);
    struct front_limits limits;
    front_limits_default(&limits);
    limits.connections = options->max_connections / options->workers;
    limits.descriptors = options->descriptors;
    worker->front = front_create(scope, &limits);
    worker_gauges_init(&worker->gauges, observe_writer(scope->observe), worker->start.index);
    timer_init(&worker->look, worker->loop, on_look);
    timer_start(&worker->look, LOOK_MS * NS_PER_MS);
    atomic_store(&worker->looked_ns, clock_now_ns());
    return listen_all(worker);
}

static void worker_done(struct worker *worker)
{
    struct worker_scope *scope = &worker->scope;
    timer_stop(&worker->look);
    front_destroy(worker->front);
    upstream_destroy(scope->upstream);
    loop_turn(worker->loop);
    worker_gauges_done(&worker->gauges, loop_now_ns(worker->loop));
    observe_destroy(scope->observe);
    snapshot_unref(scope->snapshot);
    tls_config_unref(scope->server_tls);
    resolver_destroy(worker->resolver);
    mailbox_close(worker->mailbox);
    mailbox_destroy(worker->mailbox);
    loop_destroy(worker->loop);
}

static void *worker_run(void *argument)
{
    struct worker *worker = argument;
    worker->failed = !worker_init(worker);
    bool failed = worker->failed;
    sem_post(&worker->started);
    if (!failed) {
        loop_run(worker->loop);
    }
    worker_done(worker);
    return NULL;
}

struct worker *worker_create(const struct worker_start *start, char *reason, size_t reason_bytes)
{
    struct worker *worker = NEW(struct worker);
    worker->start = *start;
    sem_init(&worker->started, 0, 0);
    int error = pthread_create(&worker->thread, NULL, worker_run, worker);
    if (error != 0) {
        snprintf(reason, reason_bytes, "no thread for a worker: %s", strerror(error));
        mem_free(worker);
        return NULL;
    }
    while (sem_wait(&worker->started) != 0) {
    }
    if (worker->failed) {
        pthread_join(worker->thread, NULL);
        snprintf(reason, reason_bytes, "%s", worker->reason);
        sem_destroy(&worker->started);
        mem_free(worker);
        return NULL;
    }
    return worker;
}

uint32_t worker_live(const struct worker *worker, enum front_side side)
{
    return atomic_load_explicit(&worker->live[side], memory_order_relaxed);
}

bool worker_turns(const struct worker *worker)
{
    int64_t looked = atomic_load_explicit(&worker->looked_ns, memory_order_relaxed);
    return clock_now_ns() - looked < WORKER_STUCK_MS * NS_PER_MS;
}

void worker_destroy(struct worker *worker)
{
    if (worker == NULL) {
        return;
    }
    struct order *order = order_create(worker, run_stop);
    mailbox_post(worker->mailbox, &order->message);
    pthread_join(worker->thread, NULL);
    sem_destroy(&worker->started);
    mem_free(worker);
}
