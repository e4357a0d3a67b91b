#include "lib/grpc/grpc_server.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/grpc/grpc_call.h"
#include "lib/http/http_server.h"
#include "tests/fakes/pipe_transport.h"
#include "tests/unit/test_main.h"

/*
 * Calls over pipes that stall, cut and break, on a clock that stands still. "/t/Flood" sends
 * `flood` messages, never more than QUEUE_BYTES at once, and goes on when there is room.
 */
enum { QUEUE_BYTES = 100000, MESSAGE = 1000, PEERS = 4 };

struct line {
    struct transport *client_side, *server_side;
    struct http_conn *conn;
    struct grpc_call *call;
    struct grpc_served *served;
    size_t sent, rooms, got, gone, most_queued;
    bool done;
    enum grpc_code code;
};

struct rig {
    struct loop *loop;
    struct http_limits limits;
    struct http_server *http;
    struct line lines[PEERS];
    size_t served;
    size_t flood;
    struct grpc_method methods[2];
};

static void flood(struct rig *rig, struct line *line)
{
    char *bytes = mem_zalloc(MESSAGE);
    while (line->sent < rig->flood && grpc_served_queued(line->served) < QUEUE_BYTES) {
        grpc_served_send(line->served, span_make(bytes, MESSAGE));
        line->sent++;
        if (grpc_served_queued(line->served) > line->most_queued) {
            line->most_queued = grpc_served_queued(line->served);
        }
    }
    mem_free(bytes);
    if (line->sent == rig->flood) {
        grpc_served_finish(line->served, GRPC_OK, SPAN_EMPTY);
    }
}

static struct rig *the_rig; /* of the case that runs */

static void *on_call(void *service, struct grpc_served *served, const struct http_head *head,
                     const struct grpc_peer *peer)
{
    struct rig *rig = service;
    struct line *line = &rig->lines[rig->served++];
    (void)peer;
    line->served = served;
    if (span_equal(head->path, SPAN("/t/Flood"))) {
        flood(rig, line);
    }
    return line;
}

static void on_message(void *owner, struct grpc_served *served, struct span message)
{
    (void)owner;
    (void)served;
    (void)message;
}

static void on_half_close(void *owner, struct grpc_served *served)
{
    (void)owner;
    (void)served;
}

static void on_room(void *owner, struct grpc_served *served)
{
    struct line *line = owner;
    (void)served;
    line->rooms++;
    flood(the_rig, line);
}

static void on_gone(void *owner, struct grpc_served *served)
{
    struct line *line = owner;
    assert_ptr_equal(line->served, served);
    line->gone++;
    line->served = NULL;
}

static void on_stream(void *owner, struct http_stream *stream, const struct http_server_peer *peer)
{
    struct rig *rig = owner;
    (void)peer;
    grpc_serve(rig->loop, stream, rig->methods, 2, &(struct grpc_peer){0});
}

static const struct http_server_events http_events = {.on_stream = on_stream};

static void conn_closed(void *owner, struct http_conn *conn, enum failure failure)
{
    struct line *line = owner;
    (void)conn;
    (void)failure;
    line->conn = NULL;
}

static const struct http_conn_events conn_events = {.on_closed = conn_closed};

static void call_message(void *owner, struct span message)
{
    struct line *line = owner;
    assert_int_equal(message.length, MESSAGE);
    line->got++;
}

static void call_done(void *owner, enum grpc_code code, struct span message)
{
    struct line *line = owner;
    (void)message;
    line->done = true;
    line->code = code;
    line->call = NULL;
}

static const struct grpc_call_events call_events = {.on_message = call_message,
                                                    .on_done = call_done};

static void rig_open(struct rig *rig, size_t flood_count)
{
    int error;
    *rig = (struct rig){.flood = flood_count};
    the_rig = rig;
    for (size_t i = 0; i < 2; i++) {
        rig->methods[i] = (struct grpc_method){
            .path = i == 0 ? "/t/Flood" : "/t/Quiet",
            .on_call = on_call,
            .on_message = on_message,
            .on_half_close = on_half_close,
            .on_room = i == 0 ? on_room : NULL,
            .on_gone = on_gone,
            .service = rig,
        };
    }
    rig->loop = loop_create_simulated(NS_PER_S);
    http_limits_default(&rig->limits);
    rig->http =
        http_server_open(rig->loop, &(struct http_server_options){0}, &http_events, rig, &error);
    assert_non_null(rig->http);
}

/* A connection of its own for each call. */
static void call(struct rig *rig, size_t at, const char *path, int64_t timeout_ms,
                 const struct pipe_options *server)
{
    struct line *line = &rig->lines[at];
    pipe_transports(rig->loop, NULL, server, &line->client_side, &line->server_side);
    http_server_adopt(rig->http, line->server_side);
    line->conn = http2_client_create(line->client_side, &rig->limits, false, &conn_events, line);
    loop_advance(rig->loop, 0);
    const struct grpc_call_options options = {
        .path = span_of(path), .authority = SPAN("t.example"), .timeout_ms = timeout_ms};
    line->call = grpc_call_start(line->conn, &options, &call_events, line);
    assert_non_null(line->call);
    loop_advance(rig->loop, 0);
}

static void rig_done(struct rig *rig)
{
    for (size_t i = 0; i < PEERS; i++) {
        if (rig->lines[i].call != NULL) {
            grpc_call_cancel(rig->lines[i].call);
        }
        if (rig->lines[i].conn != NULL) {
            http_conn_close(rig->lines[i].conn, FAILURE_NONE);
        }
    }
    http_server_close(rig->http);
    loop_advance(rig->loop, 60 * NS_PER_S);
    loop_destroy(rig->loop);
}

/* Stop reading one of many watches: the others get everything (linkerd stable-2.14.2). */
static void a_slow_reader_is_held_back_alone_and_goes_on_when_it_reads(void **state)
{
    (void)state;
    struct rig rig;
    const struct pipe_options stalls = {.stall = true, .stall_after = 20000};
    rig_open(&rig, 1000);
    call(&rig, 0, "/t/Flood", 0, &stalls);
    struct line *slow = &rig.lines[0];
    assert_false(slow->done);
    size_t stopped_at = slow->sent;
    assert_true(stopped_at < rig.flood);
    for (size_t i = 1; i < PEERS; i++) {
        call(&rig, i, "/t/Flood", 0, NULL);
        assert_int_equal(rig.lines[i].got, rig.flood);
        assert_int_equal(rig.lines[i].code, GRPC_OK);
        assert_int_equal(rig.lines[i].gone, 1);
    }
    assert_int_equal(slow->sent, stopped_at);
    assert_true(slow->most_queued <= QUEUE_BYTES + MESSAGE + 5);
    pipe_resume(slow->server_side);
    loop_advance(rig.loop, 0);
    assert_true(slow->rooms > 0);
    assert_int_equal(slow->got, rig.flood);
    assert_int_equal(slow->code, GRPC_OK);
    rig_done(&rig);
}

static void a_reader_that_never_reads_is_let_go_in_time(void **state)
{
    (void)state;
    struct rig rig;
    const struct pipe_options stalls = {.stall = true, .stall_after = 20000};
    rig_open(&rig, 1000);
    call(&rig, 0, "/t/Flood", 0, &stalls);
    assert_int_equal(rig.lines[0].gone, 0);
    loop_advance(rig.loop, 61 * NS_PER_S);
    assert_int_equal(rig.lines[0].gone, 1);
    rig_done(&rig);
}

static void the_client_s_time_ends_the_call_on_both_sides(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 0);
    call(&rig, 0, "/t/Quiet", 500, NULL);
    loop_advance(rig.loop, 499 * NS_PER_MS);
    assert_false(rig.lines[0].done);
    assert_int_equal(rig.lines[0].gone, 0);
    loop_advance(rig.loop, 2 * NS_PER_MS);
    assert_int_equal(rig.lines[0].code, GRPC_DEADLINE_EXCEEDED);
    assert_int_equal(rig.lines[0].gone, 1);
    rig_done(&rig);
}

static void the_server_keeps_the_time_also_of_a_client_that_forgets_it(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 0);
    call(&rig, 0, "/t/Quiet", 500, NULL);
    pipe_options_of(rig.lines[0].client_side)->stall = true; /* what it sends is lost */
    loop_advance(rig.loop, 501 * NS_PER_MS);
    assert_int_equal(rig.lines[0].gone, 1);
    rig_done(&rig);
}

static void a_lost_connection_ends_the_call_on_both_sides(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 0);
    call(&rig, 0, "/t/Quiet", 0, NULL);
    pipe_fail(rig.lines[0].client_side, FAILURE_UPSTREAM_RESET);
    pipe_fail(rig.lines[0].server_side, FAILURE_DOWNSTREAM_RESET);
    loop_advance(rig.loop, 0);
    assert_int_equal(rig.lines[0].code, GRPC_UNAVAILABLE);
    assert_int_equal(rig.lines[0].gone, 1);
    rig_done(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_slow_reader_is_held_back_alone_and_goes_on_when_it_reads),
        cmocka_unit_test(a_reader_that_never_reads_is_let_go_in_time),
        cmocka_unit_test(the_client_s_time_ends_the_call_on_both_sides),
        cmocka_unit_test(the_server_keeps_the_time_also_of_a_client_that_forgets_it),
        cmocka_unit_test(a_lost_connection_ends_the_call_on_both_sides),
    };
    return TEST_MAIN(cases, argc, argv);
}
