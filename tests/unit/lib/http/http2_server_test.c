#include "tests/unit/test_main.h"

#include "tests/unit/lib/http/http2_rig.h"

static void a_request_is_answered(void **state)
{
    struct rig rig;
    rig_server(&rig);
    frames_add_head(&rig.frames, 1, NGHTTP2_FLAG_END_STREAM,
                    ":method: GET\n:scheme: HTTP\n:authority: a.test\n:path: /x?y\ncookie: a=1\n"
                    "x-one: 1\ncookie: b=2\nte: trailers");
    rig_go(&rig);
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
    rig_respond(exchange, 200, false);
    rig_send(exchange, "hello", 5);
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
