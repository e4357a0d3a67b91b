#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/http/connect_transport.h"
#include "tests/fakes/pipe_transport.h"
#include "tests/unit/lib/http/http2_rig.h"

/* A client and a server of ours, connected. */
struct pair {
    struct loop *loop;
    struct http_limits limits;
    struct transport *ends[2];
    struct side client;
    struct side server;
};

static void pair_open(struct pair *pair, bool in_mesh, const struct pipe_options *options)
{
    pair->loop = loop_create_simulated(NS_PER_S);
    pipe_transports(pair->loop, options, options, &pair->ends[0], &pair->ends[1]);
    pair->client.conn =
        http2_client_create(pair->ends[0], &pair->limits, in_mesh, &side_events, &pair->client);
    pair->server.conn =
        http2_server_create(pair->ends[1], &pair->limits, in_mesh, &side_events, &pair->server);
    loop_advance(pair->loop, 0);
}

static void pair_init(struct pair *pair)
{
    *pair = (struct pair){0};
    http_limits_default(&pair->limits);
}

static void pair_done(struct pair *pair)
{
    if (pair->client.conn != NULL) {
        http_conn_close(pair->client.conn, FAILURE_NONE);
    }
    loop_advance(pair->loop, NS_PER_S);
    if (pair->server.conn != NULL) {
        http_conn_close(pair->server.conn, FAILURE_NONE);
    }
    loop_advance(pair->loop, NS_PER_S);
    assert_true(pair->client.closed);
    assert_true(pair->server.closed);
    side_done(&pair->client);
    side_done(&pair->server);
    loop_turn(pair->loop);
    loop_destroy(pair->loop);
    assert_int_equal(chunk_in_use(), 0);
}

static void run(struct pair *pair)
{
    loop_advance(pair->loop, 0);
}

static struct exchange *last(struct side *side)
{
    return side->exchanges[side->count - 1];
}

static void push(struct exchange *exchange, struct byte_queue *from)
{
    http_stream_send_body(exchange->stream, from, SIZE_MAX);
}

static void a_large_body_flows_under_credit_both_ways(void **state)
{
    struct pair pair;
    pair_init(&pair);
    pair.server.keeps_credit = true;
    pair_open(&pair, false, NULL);
    struct exchange *request = side_open(&pair.client);
    rig_request(request, false);
    struct byte_queue body = {0};
    struct text sent = {0};
    for (int i = 0; i < 100000; i++) {
        text_printf(&sent, "%d,", i);
    }
    byte_queue_copy(&body, sent.bytes, sent.length);
    push(request, &body);
    run(&pair);
    struct exchange *served = last(&pair.server);
    /* The reader returns no credit: one window came over, and no more than another one waits. */
    for (int i = 0; i < 10; i++) {
        push(request, &body);
        run(&pair);
    }
    assert_int_equal(served->body.length, 65535 + 1);
    assert_int_equal(http_stream_room(request->stream), 0);
    assert_int_equal(body.length, sent.length - 65536 - 65536);
    size_t rooms = request->rooms;
    while (body.length > 0) {
        size_t owed = served->owed;
        served->owed = 0;
        http_stream_consume(served->stream, owed);
        run(&pair);
        push(request, &body);
        run(&pair);
    }
    assert_true(request->rooms > rooms);
    http_stream_consume(served->stream, served->owed);
    http_stream_send_end(request->stream);
    run(&pair);
    http_stream_consume(served->stream, 65536);
    run(&pair);
    assert_true(served->ended);
    assert_int_equal(served->body.length, sent.length);
    assert_memory_equal(served->body.bytes, sent.bytes, sent.length);
    text_done(&sent);
    pair_done(&pair);
}

static void one_slow_reader_does_not_stall_its_neighbours(void **state)
{
    struct pair pair;
    pair_init(&pair);
    pair.limits.connection_window = 128 * 1024;
    pair.server.keeps_credit = true;
    pair_open(&pair, false, NULL);
    static char bytes[65536];
    for (int i = 0; i < 10; i++) {
        struct exchange *request = side_open(&pair.client);
        rig_request(request, false);
        rig_send(request, bytes, sizeof(bytes));
        run(&pair);
        assert_int_equal(last(&pair.server)->body.length, sizeof(bytes));
    }
    pair_done(&pair);
}

static void trailers_follow_the_body_and_may_follow_nothing(void **state)
{
    for (int with_body = 0; with_body < 2; with_body++) {
        struct pair pair;
        pair_init(&pair);
        pair_open(&pair, false, NULL);
        struct exchange *request = side_open(&pair.client);
        rig_request(request, true);
        run(&pair);
        struct exchange *served = last(&pair.server);
        rig_respond(served, 200, false);
        if (with_body) {
            rig_send(served, "hello", 5);
        }
        struct arena arena = {0};
        struct headers trailers;
        headers_init(&trailers, &arena);
        headers_add_copy(&trailers, SPAN("Grpc-Status"), SPAN("7"));
        headers_add_copy(&trailers, SPAN("x-own"), SPAN("y"));
        http_stream_send_trailers(served->stream, &trailers);
        arena_done(&arena);
        exchange_release(served);
        run(&pair);
        assert_true(request->ended);
        assert_int_equal(request->body.length, with_body ? 5 : 0);
        assert_true(span_equal_text(headers_value(request->trailers, HEADER_GRPC_STATUS), "7"));
        assert_int_equal(request->trailers->count, 2);
        pair_done(&pair);
    }
}

static void names_keep_their_case_in_the_mesh_only(void **state)
{
    for (int in_mesh = 0; in_mesh < 2; in_mesh++) {
        struct pair pair;
        pair_init(&pair);
        pair_open(&pair, in_mesh, NULL);
        struct exchange *request = side_open(&pair.client);
        struct arena arena = {0};
        struct http_head head;
        http_head_init(&head, &arena);
        head.method = SPAN("GET");
        head.method_token = HTTP_METHOD_GET;
        head.scheme = SPAN("http");
        head.authority = SPAN("a.test");
        head.path = SPAN("/");
        headers_add(&head.headers, SPAN("X-Custom-Name"), SPAN("1"));
        headers_add(&head.headers, SPAN("User-Agent"), SPAN("2"));
        http_stream_send_head(request->stream, &head, true);
        arena_done(&arena);
        run(&pair);
        struct headers *got = &last(&pair.server)->heads[0]->headers;
        assert_int_equal(got->count, 2);
        assert_true(
            span_equal_text(got->items[0].name, in_mesh ? "X-Custom-Name" : "x-custom-name"));
        assert_true(span_equal_text(got->items[1].name, in_mesh ? "User-Agent" : "user-agent"));
        pair_done(&pair);
    }
}

static void a_server_drains_in_two_steps(void **state)
{
    struct pair pair;
    pair_init(&pair);
    pair_open(&pair, false, NULL);
    struct exchange *first = side_open(&pair.client);
    rig_request(first, true);
    run(&pair);
    http_conn_drain(pair.server.conn);
    /* A request that crosses the first GOAWAY is served. */
    struct exchange *second = side_open(&pair.client);
    rig_request(second, true);
    run(&pair);
    assert_true(pair.client.draining);
    assert_int_equal(pair.server.count, 2);
    assert_int_equal(http_conn_room(pair.client.conn), 0);
    loop_advance(pair.loop, 6 * NS_PER_S);
    assert_false(pair.server.closed);
    rig_respond(pair.server.exchanges[0], 200, true);
    rig_respond(pair.server.exchanges[1], 200, true);
    run(&pair);
    assert_true(first->ended);
    assert_true(second->ended);
    assert_true(pair.server.closed);
    assert_true(pair.client.closed);
    assert_int_equal(pair.server.failure, FAILURE_NONE);
    assert_int_equal(pair.client.failure, FAILURE_NONE);
    pair_done(&pair);
}

static void release_and_reset_end_an_exchange_in_every_state(void **state)
{
    for (int point = 0; point < 6; point++) {
        for (int role = 0; role < 2; role++) {
            for (int reset = 0; reset < 2; reset++) {
                struct pair pair;
                pair_init(&pair);
                pair_open(&pair, false, NULL);
                struct exchange *request = side_open(&pair.client);
                struct exchange *served = NULL;
                if (point > 0) {
                    rig_request(request, false);
                    run(&pair);
                    served = last(&pair.server);
                }
                if (point > 1) {
                    rig_send(request, "abc", 3);
                    run(&pair);
                }
                if (point > 2) {
                    rig_respond(served, 200, false);
                    rig_send(served, "abc", 3);
                }
                if (point > 3) {
                    run(&pair);
                    http_stream_send_end(request->stream);
                }
                if (point > 4) {
                    http_stream_send_end(served->stream);
                }
                struct exchange *cut = role == 0 || served == NULL ? request : served;
                struct exchange *other = cut == request ? served : request;
                if (reset) {
                    http_stream_reset(cut->stream, FAILURE_REQUEST_TIMEOUT);
                }
                exchange_release(cut);
                run(&pair);
                assert_false(cut->reset);
                assert_true(other == NULL || other->reset || other->ended || point == 5);
                assert_int_equal(pair.client.conn->streams, 0);
                assert_int_equal(pair.server.conn->streams, 0);
                pair_done(&pair);
            }
        }
    }
}

static void an_early_response_is_whole_and_stops_the_request(void **state)
{
    struct pair pair;
    pair_init(&pair);
    pair_open(&pair, false, NULL);
    struct exchange *request = side_open(&pair.client);
    rig_request(request, false);
    run(&pair);
    struct exchange *served = last(&pair.server);
    rig_respond(served, 413, false);
    rig_send(served, "too large", 9);
    http_stream_send_end(served->stream);
    exchange_release(served);
    run(&pair);
    assert_true(request->ended);
    assert_false(request->reset);
    assert_string_equal(request->body.bytes, "too large");
    assert_int_equal(pair.client.conn->streams, 0);
    pair_done(&pair);
}

static void a_head_request_has_no_body_and_keeps_its_length(void **state)
{
    struct pair pair;
    pair_init(&pair);
    pair_open(&pair, false, NULL);
    struct exchange *request = side_open(&pair.client);
    struct arena arena = {0};
    struct http_head head;
    http_head_init(&head, &arena);
    head.method = SPAN("HEAD");
    head.method_token = HTTP_METHOD_HEAD;
    head.scheme = SPAN("http");
    head.authority = SPAN("a.test");
    head.path = SPAN("/");
    http_stream_send_head(request->stream, &head, true);
    run(&pair);
    http_head_init(&head, &arena);
    head.status = 200;
    head.content_length = 1234;
    http_stream_send_head(last(&pair.server)->stream, &head, true);
    arena_done(&arena);
    run(&pair);
    assert_true(request->ended);
    assert_int_equal(request->heads[0]->content_length, 1234);
    pair_done(&pair);
}

/* One turn of a request and its answer, with nothing kept. */
static void once(struct pair *pair, const char *body, size_t length)
{
    struct exchange *request = side_open(&pair->client);
    rig_request(request, false);
    rig_send(request, body, length);
    http_stream_send_end(request->stream);
    run(pair);
    struct exchange *served = last(&pair->server);
    rig_respond(served, 200, false);
    rig_send(served, body, length);
    http_stream_send_end(served->stream);
    run(pair);
    exchange_release(request);
    exchange_release(served);
    run(pair);
    arena_done(&request->arena);
    arena_done(&served->arena);
}

static void a_warm_connection_allocates_nothing_a_request(void **state)
{
    struct pair pair;
    pair_init(&pair);
    pair_open(&pair, false, NULL);
    for (int i = 0; i < 50; i++) {
        once(&pair, "0123456789", 10);
    }
    uint64_t before = mem_allocations();
    enum { REQUESTS = 100 };
    for (int i = 0; i < REQUESTS; i++) {
        once(&pair, "0123456789", 10);
    }
    /* The two exchanges and the two texts are the test's own. */
    assert_int_equal(mem_allocations() - before, REQUESTS * 4);
    pair_done(&pair);
}

static void bytes_may_come_in_any_portions(void **state)
{
    const struct pipe_options slow[] = {
        {.accept_bytes = 1}, {.deliver_bytes = 1},  {.accept_bytes = 7, .deliver_bytes = 5},
        {.late = true},      {.window_bytes = 100},
    };
    for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
        struct pair pair;
        pair_init(&pair);
        pair_open(&pair, true, &slow[i]);
        static char bytes[20000];
        memset(bytes, 'b', sizeof(bytes));
        struct exchange *request = side_open(&pair.client);
        rig_request(request, false);
        rig_send(request, bytes, sizeof(bytes));
        http_stream_send_end(request->stream);
        for (int turn = 0; turn < 200000 && (pair.server.count == 0 || !last(&pair.server)->ended);
             turn++) {
            loop_turn(pair.loop);
        }
        assert_true(last(&pair.server)->ended);
        assert_int_equal(last(&pair.server)->body.length, sizeof(bytes));
        pair_done(&pair);
    }
}

/* The owner of a tunnel's end. */
struct end {
    struct transport *transport;
    bool ready;
    ssize_t last;
    char text[64];
    size_t length;
};

static void end_ready(void *owner, unsigned events)
{
    struct end *end = owner;
    end->ready |= (events & TRANSPORT_READY) != 0;
    if (events & TRANSPORT_READABLE) {
        end->last = transport_read(end->transport, end->text + end->length,
                                   sizeof(end->text) - end->length);
        if (end->last > 0) {
            end->length += (size_t)end->last;
        } else {
            transport_want(end->transport, 0);
        }
    }
}

static void own(struct end *end, struct transport *transport)
{
    end->transport = transport;
    end->last = TRANSPORT_AGAIN;
    transport_own(transport, end_ready, end);
    transport_want(transport, TRANSPORT_READABLE);
}

static void say(struct end *end, const char *words)
{
    struct iovec vector = {(void *)(uintptr_t)words, strlen(words)};
    assert_int_equal(transport_write(end->transport, &vector, 1), strlen(words));
}

static void connect_head(struct exchange *exchange)
{
    struct arena arena = {0};
    struct http_head head;
    http_head_init(&head, &arena);
    head.method = SPAN("CONNECT");
    head.method_token = HTTP_METHOD_CONNECT;
    head.authority = SPAN("10.0.0.1:80");
    http_stream_send_head(exchange->stream, &head, false);
    arena_done(&arena);
}

static void a_connect_stream_is_a_transport(void **state)
{
    struct pair pair;
    pair_init(&pair);
    pair_open(&pair, true, NULL);
    struct http_stream *stream = http_conn_open(pair.client.conn);
    struct exchange asking = {.stream = stream};
    connect_head(&asking);
    struct end near = {0};
    own(&near, connect_transport_client(pair.loop, stream, NULL, NULL));
    run(&pair);
    assert_false(near.ready);
    struct exchange *served = last(&pair.server);
    assert_int_equal(served->heads[0]->method_token, HTTP_METHOD_CONNECT);
    assert_true(span_equal_text(served->heads[0]->authority, "10.0.0.1:80"));
    rig_respond(served, 200, false);
    served->released = true;
    struct end far = {0};
    own(&far, connect_transport_server(pair.loop, served->stream, NULL, NULL));
    run(&pair);
    assert_true(near.ready);
    assert_int_equal(connect_transport_status(near.transport), 200);
    say(&near, "ping");
    say(&far, "pong");
    run(&pair);
    assert_memory_equal(far.text, "ping", 4);
    assert_memory_equal(near.text, "pong", 4);
    say(&near, "bye");
    transport_shutdown(near.transport);
    run(&pair);
    assert_int_equal(far.length, 7);
    assert_int_equal(far.last, TRANSPORT_END);
    say(&far, "more");
    transport_close(far.transport);
    run(&pair);
    assert_int_equal(near.length, 8);
    assert_int_equal(near.last, TRANSPORT_END);
    transport_close(near.transport);
    run(&pair);
    assert_int_equal(pair.client.conn->streams, 0);
    assert_int_equal(pair.server.conn->streams, 0);
    pair_done(&pair);
}

static void a_refused_connect_is_a_failure_with_its_status(void **state)
{
    struct pair pair;
    pair_init(&pair);
    pair_open(&pair, true, NULL);
    struct http_stream *stream = http_conn_open(pair.client.conn);
    struct exchange asking = {.stream = stream};
    connect_head(&asking);
    struct end near = {0};
    own(&near, connect_transport_client(pair.loop, stream, NULL, NULL));
    run(&pair);
    rig_respond(last(&pair.server), 503, true);
    run(&pair);
    assert_int_equal(near.last, TRANSPORT_FAILED);
    assert_int_equal(connect_transport_status(near.transport), 503);
    transport_close(near.transport);
    run(&pair);
    pair_done(&pair);
}

static void a_tunnel_ends_with_its_connection(void **state)
{
    struct pair pair;
    pair_init(&pair);
    pair_open(&pair, true, NULL);
    struct http_stream *stream = http_conn_open(pair.client.conn);
    struct exchange asking = {.stream = stream};
    connect_head(&asking);
    struct end near = {0};
    own(&near, connect_transport_client(pair.loop, stream, NULL, NULL));
    run(&pair);
    rig_respond(last(&pair.server), 200, false);
    run(&pair);
    http_conn_close(pair.client.conn, FAILURE_LOCAL_SHUTDOWN);
    run(&pair);
    assert_int_equal(near.last, TRANSPORT_FAILED);
    assert_int_equal(near.transport->failure, FAILURE_LOCAL_SHUTDOWN);
    transport_abort(near.transport);
    run(&pair);
    pair_done(&pair);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_large_body_flows_under_credit_both_ways),
        cmocka_unit_test(one_slow_reader_does_not_stall_its_neighbours),
        cmocka_unit_test(trailers_follow_the_body_and_may_follow_nothing),
        cmocka_unit_test(names_keep_their_case_in_the_mesh_only),
        cmocka_unit_test(a_server_drains_in_two_steps),
        cmocka_unit_test(release_and_reset_end_an_exchange_in_every_state),
        cmocka_unit_test(an_early_response_is_whole_and_stops_the_request),
        cmocka_unit_test(a_head_request_has_no_body_and_keeps_its_length),
        cmocka_unit_test(a_warm_connection_allocates_nothing_a_request),
        cmocka_unit_test(bytes_may_come_in_any_portions),
        cmocka_unit_test(a_connect_stream_is_a_transport),
        cmocka_unit_test(a_refused_connect_is_a_failure_with_its_status),
        cmocka_unit_test(a_tunnel_ends_with_its_connection),
    };
    return TEST_MAIN(cases, argc, argv);
}
