#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "tests/unit/lib/http/exchange.h"
#include "tests/unit/lib/http/frames.h"

/* A server connection whose client is the test. */
struct rig {
    struct loop *loop;
    struct wire *wire;
    struct http_limits limits;
    struct side side;
    struct text frames;
    struct reader reader;
};

static void rig_init_with(struct rig *rig, bool in_mesh)
{
    rig->loop = loop_create_simulated(NS_PER_S);
    rig->wire = wire_create(rig->loop, true);
    rig->side.conn =
        http2_server_create(&rig->wire->base, &rig->limits, in_mesh, &side_events, &rig->side);
    reader_init(&rig->reader, rig->wire, false);
    frames_add_preface(&rig->frames);
}

static void rig_init(struct rig *rig)
{
    *rig = (struct rig){0};
    http_limits_default(&rig->limits);
    rig_init_with(rig, false);
}

static void rig_done(struct rig *rig)
{
    if (rig->side.conn != NULL) {
        http_conn_close(rig->side.conn, FAILURE_NONE);
        loop_advance(rig->loop, 0);
    }
    assert_true(rig->side.closed);
    assert_true(rig->wire->closed);
    side_done(&rig->side);
    loop_turn(rig->loop);
    wire_destroy(rig->wire);
    text_done(&rig->frames);
    reader_done(&rig->reader);
    loop_destroy(rig->loop);
    assert_int_equal(chunk_in_use(), 0);
}

/* Sends what was built, and lets everything happen that takes no time. */
static void go(struct rig *rig)
{
    frames_send(&rig->frames, rig->wire);
    loop_advance(rig->loop, 0);
}

static void respond(struct exchange *exchange, uint16_t status, bool end)
{
    struct arena arena = {0};
    struct http_head head;
    http_head_init(&head, &arena);
    head.status = status;
    http_stream_send_head(exchange->stream, &head, end);
    arena_done(&arena);
}

static void send_text(struct exchange *exchange, const char *body)
{
    struct byte_queue queue;
    byte_queue_init(&queue);
    byte_queue_copy(&queue, body, strlen(body));
    assert_int_equal(http_stream_send_body(exchange->stream, &queue, SIZE_MAX), strlen(body));
    byte_queue_done(&queue);
}

static void a_request_is_answered(void **state)
{
    struct rig rig;
    rig_init(&rig);
    frames_add_head(&rig.frames, 1, NGHTTP2_FLAG_END_STREAM,
                    ":method: GET\n:scheme: HTTP\n:authority: a.test\n:path: /x?y\ncookie: a=1\n"
                    "x-one: 1\ncookie: b=2\nte: trailers");
    go(&rig);
    assert_int_equal(rig.side.count, 1);
    struct exchange *exchange = rig.side.exchanges[0];
    assert_true(exchange->ended);
    struct http_head *head = exchange->heads[0];
    assert_true(span_equal_text(head->method, "GET"));
    assert_true(span_equal_text(head->scheme, "http"));
    assert_true(span_equal_text(head->path, "/x?y"));
    assert_true(span_equal_text(head->authority, "a.test"));
    assert_true(head->accepts_trailers);
    assert_false(head->has_body);
    assert_int_equal(head->headers.count, 2);
    assert_true(span_equal_text(headers_value(&head->headers, HEADER_COOKIE), "a=1; b=2"));
    respond(exchange, 200, false);
    send_text(exchange, "hello");
    http_stream_send_end(exchange->stream);
    loop_advance(rig.loop, 0);
    struct frame frame;
    assert_true(reader_until(&rig.reader, NGHTTP2_HEADERS, &frame));
    assert_string_equal(rig.reader.fields, ":status: 200\n");
    assert_true(reader_next(&rig.reader, &frame));
    assert_int_equal(frame.type, NGHTTP2_DATA);
    assert_int_equal(frame.flags, NGHTTP2_FLAG_END_STREAM);
    assert_memory_equal(frame.payload, "hello", 5);
    assert_int_equal(rig.side.conn->streams, 0);
    assert_false(exchange->reset);
    rig_done(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_request_is_answered),
    };
    return TEST_MAIN(cases, argc, argv);
}
