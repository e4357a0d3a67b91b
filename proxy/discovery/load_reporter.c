#include "proxy/discovery/load_reporter.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"

enum { ANSWER_BYTES = 64 };

struct load_reporter {
    struct loop *loop;
    struct grpc_channel *channel;
    struct grpc_channel_watch watch;
    struct load_report *report;
    struct grpc_call *call; /* NULL: no stream */
    struct timer look;
    struct timer restart;
    struct turn_task free_task;
    int64_t interval_ms;
    int64_t sent_ns; /* 0 = nothing on this stream yet */
    unsigned failures;
    bool connected; /* discovery is */
    bool unwanted;  /* the server has no such service */
    bool destroyed;
};

/* ---- The stream ------------------------------------------------------------------------------ */

static void restart_later(struct load_reporter *reporter)
{
    reporter->failures++;
    int64_t ms = grpc_channel_backoff_ms(reporter->failures, random_unit());
    timer_start(&reporter->restart, ms * NS_PER_MS);
}

static void on_message(void *owner, struct span message)
{
    struct load_reporter *reporter = owner;
    struct xds_error error;
    uint64_t interval_ms = 0;
    reporter->failures = 0;
    if (!xds_load_answer_decode(message, &interval_ms, &error)) {
        LOG_WARN_LIMITED("load", "an answer to a load report is malformed",
                         LOG_TEXT("reason", error.text));
        return;
    }
    if (interval_ms == 0) {
        return; /* not said */
    }
    if (interval_ms < LOAD_REPORTER_LEAST_MS) {
        interval_ms = LOAD_REPORTER_LEAST_MS;
    }
    reporter->interval_ms =
        interval_ms < LOAD_REPORTER_MOST_MS ? (int64_t)interval_ms : LOAD_REPORTER_MOST_MS;
    timer_start(&reporter->look, reporter->interval_ms * NS_PER_MS);
}

static void on_done(void *owner, enum grpc_code code, struct span message)
{
    struct load_reporter *reporter = owner;
    reporter->call = NULL;
    if (code == GRPC_UNIMPLEMENTED) {
        LOG_INFO("load", "the control plane takes no load reports");
        reporter->unwanted = true;
        return;
    }
    if (!grpc_channel_moving(reporter->channel)) {
        LOG_WARN_LIMITED("load", "the stream of load reports has ended",
                         LOG_TEXT("status", grpc_code_name(code)), LOG_SPAN("reason", message));
        restart_later(reporter);
    }
}

static const struct grpc_call_events call_events = {.on_message = on_message, .on_done = on_done};

static void start_stream(struct load_reporter *reporter)
{
    struct http_conn *conn = grpc_channel_conn(reporter->channel);
    if (conn == NULL || reporter->call != NULL || !reporter->connected || reporter->unwanted) {
        return;
    }
    const struct grpc_call_options options = {
        .authority = grpc_channel_authority(reporter->channel),
        .path = SPAN(XDS_PATH_LOAD),
        .message_limit = ANSWER_BYTES,
    };
    timer_stop(&reporter->restart);
    reporter->sent_ns = 0;
    reporter->call = grpc_call_start(conn, &options, &call_events, reporter);
    if (reporter->call == NULL) {
        restart_later(reporter);
    }
}

static void on_restart(struct timer *timer)
{
    start_stream(CONTAINER_OF(timer, struct load_reporter, restart));
}

static void on_up(struct grpc_channel_watch *watch, struct http_conn *conn)
{
    struct load_reporter *reporter = CONTAINER_OF(watch, struct load_reporter, watch);
    (void)conn;
    reporter->unwanted = false; /* it may be another server */
    start_stream(reporter);
}

static void on_down(struct grpc_channel_watch *watch)
{
    (void)watch; /* the call has told its end; on_up comes with the next connection */
}

/* ---- Reports --------------------------------------------------------------------------------- */

static void send_report(struct load_reporter *reporter)
{
    int64_t now = loop_now_ns(reporter->loop);
    struct arena arena = {0};
    struct xds_load_report report;
    bool moved = load_report_look(reporter->report, now, &arena, &report);
    bool due =
        reporter->sent_ns == 0 || now - reporter->sent_ns >= LOAD_REPORTER_HEARTBEAT_MS * NS_PER_MS;
    if (reporter->call != NULL && (moved || due)) {
        reporter->sent_ns = now;
        grpc_call_send(reporter->call, xds_load_report_encode(&report, &arena));
    }
    arena_done(&arena);
}

static void on_look(struct timer *timer)
{
    struct load_reporter *reporter = CONTAINER_OF(timer, struct load_reporter, look);
    if (reporter->call == NULL || grpc_call_queued(reporter->call) == 0) {
        send_report(reporter);
    } else if (loop_now_ns(reporter->loop) - reporter->sent_ns >=
               LOAD_REPORTER_STALL_MS * NS_PER_MS) {
        LOG_WARN_LIMITED("load", "the control plane does not take load reports any more");
        grpc_call_cancel(reporter->call);
        reporter->call = NULL;
        restart_later(reporter);
    }
    timer_start(&reporter->look, reporter->interval_ms * NS_PER_MS);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void free_reporter(struct turn_task *task)
{
    mem_free(CONTAINER_OF(task, struct load_reporter, free_task));
}

struct load_reporter *load_reporter_create(struct grpc_channel *channel, struct load_report *report)
{
    struct load_reporter *reporter = NEW(struct load_reporter);
    reporter->loop = grpc_channel_loop(channel);
    reporter->channel = channel;
    reporter->report = report;
    reporter->interval_ms = LOAD_REPORTER_MS;
    reporter->watch.on_up = on_up;
    reporter->watch.on_down = on_down;
    reporter->free_task.run = free_reporter;
    timer_init(&reporter->look, reporter->loop, on_look);
    timer_init(&reporter->restart, reporter->loop, on_restart);
    timer_start(&reporter->look, reporter->interval_ms * NS_PER_MS);
    grpc_channel_watch(channel, &reporter->watch);
    return reporter;
}

void load_reporter_destroy(struct load_reporter *reporter)
{
    if (reporter == NULL || reporter->destroyed) {
        return;
    }
    reporter->destroyed = true;
    grpc_channel_unwatch(reporter->channel, &reporter->watch);
    timer_stop(&reporter->look);
    timer_stop(&reporter->restart);
    if (reporter->call != NULL) {
        grpc_call_cancel(reporter->call);
        reporter->call = NULL;
    }
    load_report_destroy(reporter->report);
    loop_free_later(reporter->loop, &reporter->free_task);
}

void load_reporter_connected(struct load_reporter *reporter, bool connected)
{
    reporter->connected = connected;
    start_stream(reporter);
}
