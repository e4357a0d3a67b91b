#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "tests/unit/lib/http/http2_rig.h"

/* Known attacks on HTTP/2, as raw frames from a hostile client (or server), one case each. */

static void send_preface(struct rig *rig)
{
    rig_server(rig);
    rig_go(rig);
}

static void assert_abuse(struct rig *rig)
{
    assert_true(rig->side.closed);
    assert_int_equal(rig->side.failure, FAILURE_DOWNSTREAM_ABUSE);
    assert_int_equal(rig_goaway(rig), NGHTTP2_ENHANCE_YOUR_CALM);
}

/* CVE-2023-44487 */
static void rapid_reset_is_closed_within_1100(void **state)
{
    struct rig rig;
    send_preface(&rig);
    int32_t sent = 0;
    while (!rig.side.closed && sent < 20000) {
        int32_t id = 2 * sent + 1;
        frames_add_get(&rig.frames, id);
        frames_add_u32(&rig.frames, NGHTTP2_RST_STREAM, 0, id, NGHTTP2_CANCEL);
        sent++;
        if (sent % 50 == 0) {
            rig_go(&rig);
        }
    }
    assert_in_range(sent, 1000, 1100);
    assert_true(rig.side.count <= 1001);
    assert_abuse(&rig);
    rig_done(&rig);
}

/* CVE-2025-8671: makes us reset. What nghttp2 takes for an error of the connection is in the next
 * case. */
static void resets_that_the_peer_provokes_close_within_200(void **state)
{
    for (int way = 0; way < 2; way++) {
        struct rig rig;
        send_preface(&rig);
        int32_t sent = 0;
        while (!rig.side.closed && sent < 3000) {
            int32_t id = 2 * sent + 1;
            if (way == 0) {
                frames_add_head(&rig.frames, id, NGHTTP2_FLAG_END_STREAM, ":method: GET\n:path: /");
            } else {
                frames_add_head(
                    &rig.frames, id, 0,
                    ":method: POST\n:scheme: http\n:path: /\n:authority: a\ncontent-length: 2");
                frames_add(&rig.frames, NGHTTP2_DATA, 0, id, "abc", 3);
            }
            sent++;
            rig_go(&rig);
        }
        assert_in_range(sent, 150, 200);
        assert_abuse(&rig);
        rig_done(&rig);
    }
}

static void each_way_to_provoke_a_reset_ends_in_a_closed_connection(void **state)
{
    for (int way = 0; way < 6; way++) {
        struct rig rig;
        send_preface(&rig);
        int32_t sent = 0;
        while (!rig.side.closed && sent < 3000) {
            int32_t id = 2 * sent + 1;
            frames_add_get(&rig.frames, id);
            switch (way) {
            case 0:
                frames_add_u32(&rig.frames, NGHTTP2_WINDOW_UPDATE, 0, id, 0);
                break;
            case 1:
                frames_add(&rig.frames, NGHTTP2_PRIORITY, 0, id, "1234", 4);
                break;
            case 2: {
                char self[5] = {(char)(id >> 24), (char)(id >> 16), (char)(id >> 8), (char)id, 1};
                frames_add(&rig.frames, NGHTTP2_PRIORITY, 0, id, self, 5);
                break;
            }
            case 3:
                frames_add_head(&rig.frames, id, NGHTTP2_FLAG_END_STREAM, "a: b");
                break;
            case 4:
                frames_add(&rig.frames, NGHTTP2_DATA, 0, id, "x", 1);
                break;
            default:
                frames_add_head(&rig.frames, id + 2 * 100000, NGHTTP2_FLAG_END_STREAM, ":bad: 1");
                break;
            }
            sent++;
            rig_go(&rig);
        }
        assert_true(rig.side.closed);
        assert_true(sent <= 1001);
        rig_done(&rig);
    }
}

/* CVE-2024-28182, CVE-2023-45288 */
static void endless_continuation_is_closed_by_the_ninth(void **state)
{
    for (int empty = 0; empty < 2; empty++) {
        struct rig rig;
        send_preface(&rig);
        frames_add(&rig.frames, NGHTTP2_HEADERS, 0, 1, NULL, 0);
        struct text field = {0};
        frames_field(&field, SPAN("x"), SPAN("y"));
        int sent = 0;
        while (!rig.side.closed && sent < 100) {
            frames_add(&rig.frames, NGHTTP2_CONTINUATION, 0, 1, field.bytes,
                       empty ? 0 : field.length);
            sent++;
            rig_go(&rig);
        }
        assert_true(sent <= 9);
        assert_abuse(&rig);
        text_done(&field);
        rig_done(&rig);
    }
}

/* A block that fills the dynamic table with one field and then refers to it many times. */
static void add_bomb(struct text *frames, int32_t id, const char *name, const char *value,
                     size_t value_length, int references)
{
    struct text block = {0};
    frames_field(&block, SPAN(":method"), SPAN("GET"));
    frames_field(&block, SPAN(":scheme"), SPAN("http"));
    frames_field(&block, SPAN(":path"), SPAN("/"));
    frames_field(&block, SPAN(":authority"), SPAN("a"));
    size_t at = block.length;
    frames_field(&block, span_of(name), span_make(value, value_length));
    block.bytes[at] = 0x40; /* with incremental indexing */
    for (int i = 0; i < references; i++) {
        text_add_byte(&block, (char)(0x80 | 62));
    }
    frames_add(frames, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, id,
               block.bytes, block.length);
    text_done(&block);
}

/* CVE-2026-47774 and kin */
static void a_field_bomb_is_closed_and_pins_nothing(void **state)
{
    const char *names[] = {"x-a", "cookie"};
    for (size_t i = 0; i < 2; i++) {
        struct rig rig;
        send_preface(&rig);
        for (int32_t id = 1; id < 200; id += 2) {
            add_bomb(&rig.frames, id, names[i], "b", 1, 15000);
        }
        rig_go(&rig);
        assert_int_equal(rig.side.count, 0);
        assert_abuse(&rig);
        rig_done(&rig);
    }
}

static void fields_up_to_the_limit_pass_and_one_more_is_refused(void **state)
{
    struct rig rig;
    send_preface(&rig);
    add_bomb(&rig.frames, 1, "x-a", "b", 1, 123);
    add_bomb(&rig.frames, 3, "x-a", "b", 1, 124);
    rig_go(&rig);
    assert_int_equal(rig.side.count, 1);
    assert_int_equal(rig.side.exchanges[0]->heads[0]->headers.count, 124);
    struct frame frame;
    assert_true(reader_until(&rig.reader, NGHTTP2_RST_STREAM, &frame));
    assert_int_equal(frame.stream, 3);
    assert_false(rig.side.closed);
    rig_done(&rig);
}

/* CVE-2016-6581 */
static void decoded_bytes_beyond_64_kib_are_refused(void **state)
{
    static char value[3900];
    memset(value, 'v', sizeof(value));
    struct rig rig;
    send_preface(&rig);
    add_bomb(&rig.frames, 1, "x-a", value, sizeof(value), 15);
    add_bomb(&rig.frames, 3, "x-a", value, sizeof(value), 16);
    rig_go(&rig);
    assert_int_equal(rig.side.count, 1);
    assert_int_equal(reader_count(&rig.reader, NGHTTP2_RST_STREAM), 1);
    rig_done(&rig);
}

/* CVE-2026-73550 */
static void dropped_host_copies_count(void **state)
{
    struct rig rig;
    send_preface(&rig);
    add_bomb(&rig.frames, 1, "host", "a", 1, 10000);
    rig_go(&rig);
    assert_int_equal(rig.side.count, 0);
    assert_abuse(&rig);
    rig_done(&rig);
}

/* CVE-2019-9516 */
static void an_empty_field_name_is_malformed(void **state)
{
    struct rig rig;
    send_preface(&rig);
    frames_add_head(&rig.frames, 1, NGHTTP2_FLAG_END_STREAM,
                    ":method: GET\n:scheme: http\n:path: /\n:authority: a");
    struct text block = {0};
    frames_field(&block, SPAN(":method"), SPAN("GET"));
    frames_field(&block, SPAN(":scheme"), SPAN("http"));
    frames_field(&block, SPAN(":path"), SPAN("/"));
    frames_field(&block, SPAN(""), SPAN("v"));
    frames_add(&rig.frames, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 3,
               block.bytes, block.length);
    text_done(&block);
    rig_go(&rig);
    assert_int_equal(rig.side.count, 1);
    assert_int_equal(reader_count(&rig.reader, NGHTTP2_RST_STREAM), 1);
    rig_done(&rig);
}

/* CVE-2020-11080 */
static void settings_of_33_entries_are_closed(void **state)
{
    for (size_t entries = 32; entries <= 33; entries++) {
        struct rig rig;
        send_preface(&rig);
        char payload[33 * 6] = {0};
        for (size_t i = 0; i < entries; i++) {
            payload[6 * i + 1] = 0x33;
        }
        frames_add(&rig.frames, NGHTTP2_SETTINGS, 0, 0, payload, entries * 6);
        rig_go(&rig);
        assert_int_equal(rig.side.closed, entries == 33);
        rig_done(&rig);
    }
}

/* CVE-2026-27135 */
static void nothing_is_read_after_our_goaway(void **state)
{
    struct rig rig;
    send_preface(&rig);
    frames_add_get(&rig.frames, 1);
    frames_add(&rig.frames, NGHTTP2_PING, 0, 1, "12345678", 8);
    for (int32_t i = 0; i < 1000; i++) {
        frames_add_head(&rig.frames, 3 + 2 * i, 0, ":method: GET\nBAD: x");
        frames_add(&rig.frames, NGHTTP2_CONTINUATION, 0, 9, "zzzz", 4);
        frames_add_u32(&rig.frames, NGHTTP2_WINDOW_UPDATE, 0, 1, 0);
    }
    rig_go(&rig);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_DOWNSTREAM_PROTOCOL);
    assert_int_equal(rig_goaway(&rig), NGHTTP2_PROTOCOL_ERROR);
    assert_int_equal(rig.side.count, 1);
    assert_true(rig.side.exchanges[0]->reset);
    rig_done(&rig);
}

/* CVE-2026-73513 */
static void trailers_without_end_stream_are_a_stream_error(void **state)
{
    struct rig rig;
    send_preface(&rig);
    frames_add_head(&rig.frames, 1, 0, ":method: POST\n:scheme: http\n:path: /\n:authority: a");
    frames_add_head(&rig.frames, 1, 0, "x: y");
    rig_go(&rig);
    assert_true(rig.side.exchanges[0]->reset);
    assert_int_equal(reader_count(&rig.reader, NGHTTP2_RST_STREAM), 1);
    assert_false(rig.side.closed);
    rig_done(&rig);

    rig_client(&rig);
    rig_go(&rig);
    struct exchange *exchange = side_open(&rig.side);
    rig_request(exchange, true);
    rig_go(&rig);
    frames_add_head(&rig.frames, 1, 0, ":status: 200");
    frames_add_head(&rig.frames, 1, 0, "x: y");
    rig_go(&rig);
    assert_true(exchange->reset);
    assert_int_equal(exchange->failure, FAILURE_UPSTREAM_PROTOCOL);
    rig_done(&rig);
}

/* CVE-2026-26311: RST_STREAM, and the end of the connection, after every byte of a request. */
static void a_request_cut_at_every_byte_leaves_nothing(void **state)
{
    struct text whole = {0};
    frames_add_preface(&whole);
    frames_add_head(&whole, 1, 0,
                    ":method: POST\n:scheme: http\n:path: /\n:authority: a\ncontent-length: 3");
    frames_add(&whole, NGHTTP2_DATA, 0, 1, "abc", 3);
    frames_add_head(&whole, 1, NGHTTP2_FLAG_END_STREAM, "x: y");
    for (size_t at = 0; at <= whole.length; at++) {
        struct rig rig;
        rig_server(&rig);
        text_clear(&rig.frames);
        text_add(&rig.frames, span_make(whole.bytes, at));
        rig_go(&rig);
        frames_add_u32(&rig.frames, NGHTTP2_RST_STREAM, 0, 1, NGHTTP2_CANCEL);
        rig_go(&rig);
        wire_end(rig.wire);
        rig_go(&rig);
        assert_true(rig.side.closed);
        rig_done(&rig);
    }
    text_done(&whole);
}

/* CVE-2021-32778 */
static void many_resets_in_one_read_are_cheap(void **state)
{
    struct rig rig;
    rig_prepare(&rig);
    rig.limits.streams = 10000;
    rig.limits.peer_resets = 20000;
    rig_open(&rig, true, false);
    for (int32_t i = 0; i < 10000; i++) {
        frames_add_get(&rig.frames, 2 * i + 1);
    }
    rig_go(&rig);
    assert_int_equal(rig.side.conn->streams, 10000);
    for (int32_t i = 9999; i >= 0; i--) {
        frames_add_u32(&rig.frames, NGHTTP2_RST_STREAM, 0, 2 * i + 1, NGHTTP2_CANCEL);
    }
    rig_go(&rig);
    assert_int_equal(rig.side.conn->streams, 0);
    rig_done(&rig);
}

/* Go CVE-2026-78663 */
static void a_window_is_refunded_once(void **state)
{
    struct rig rig;
    rig_prepare(&rig);
    rig.side.keeps_credit = true;
    rig_open(&rig, true, false);
    frames_add_head(&rig.frames, 1, 0, ":method: POST\n:scheme: http\n:path: /\n:authority: a");
    static char bytes[16384];
    for (int i = 0; i < 3; i++) {
        frames_add(&rig.frames, NGHTTP2_DATA, 0, 1, bytes, sizeof(bytes));
    }
    rig_go(&rig);
    struct exchange *exchange = rig.side.exchanges[0];
    assert_int_equal(exchange->owed, 3 * sizeof(bytes));
    http_stream_consume(exchange->stream, exchange->owed);
    http_stream_consume(exchange->stream, exchange->owed);
    rig_go(&rig);
    struct frame frame;
    size_t refunded = 0;
    while (reader_next(&rig.reader, &frame)) {
        if (frame.type == NGHTTP2_WINDOW_UPDATE && frame.stream == 1) {
            refunded += frame.number;
        }
    }
    assert_int_equal(refunded, 3 * sizeof(bytes));
    frames_add_u32(&rig.frames, NGHTTP2_RST_STREAM, 0, 1, NGHTTP2_CANCEL);
    rig_go(&rig);
    http_stream_consume(exchange->stream, exchange->owed);
    rig_go(&rig);
    assert_int_equal(reader_count(&rig.reader, NGHTTP2_WINDOW_UPDATE), 0);
    rig_done(&rig);
}

/* Varnish CVE-2024-30156 */
static void a_window_that_stays_0_ends_the_stream(void **state)
{
    struct rig rig;
    rig_server(&rig);
    frames_add_settings(&rig.frames, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
    frames_add_get(&rig.frames, 1);
    rig_go(&rig);
    struct exchange *exchange = rig.side.exchanges[0];
    rig_respond(exchange, 200, false);
    rig_send(exchange, "hello", 5);
    rig_go(&rig);
    /* The peer answers PING, so it is not dead. */
    for (int second = 0; second < 40 && !exchange->reset; second++) {
        rig_wait_ms(&rig, 1000);
        frames_add(&rig.frames, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678", 8);
        rig_go(&rig);
        assert_true(second >= 28 || !exchange->reset);
    }
    assert_true(exchange->reset);
    assert_int_equal(exchange->failure, FAILURE_STREAM_IDLE);
    assert_int_equal(rig.side.conn->streams, 0);
    assert_false(rig.side.closed);
    rig_done(&rig);
}

/* HAProxy CVE-2024-45506: without progress there must be no turning. */
static void a_full_output_buffer_waits_for_an_event(void **state)
{
    struct rig rig;
    rig_server(&rig);
    rig_go(&rig);
    frames_add_settings(&rig.frames, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20);
    frames_add_u32(&rig.frames, NGHTTP2_WINDOW_UPDATE, 0, 0, 1 << 20);
    frames_add_get(&rig.frames, 1);
    frames_add_get(&rig.frames, 3);
    wire_room(rig.wire, 0);
    rig_go(&rig);
    static char bytes[65536];
    for (size_t i = 0; i < 2; i++) {
        rig_respond(rig.side.exchanges[i], 200, false);
        rig_send(rig.side.exchanges[i], bytes, sizeof(bytes));
    }
    rig_go(&rig);
    frames_add_get(&rig.frames, 5);
    rig_go(&rig);
    uint64_t turns = loop_turns(rig.loop);
    rig_wait_ms(&rig, 100);
    assert_true(loop_turns(rig.loop) - turns < 5);
    rig_done(&rig);
}

/* HAProxy CVE-2018-20615 and kin: every frame type with every small length. */
static void frames_of_odd_lengths_do_no_harm(void **state)
{
    for (int type = 0; type < 20; type++) {
        for (size_t length = 0; length < 24; length++) {
            for (int32_t stream = 0; stream < 4; stream++) {
                struct rig rig;
                send_preface(&rig);
                frames_add_head(&rig.frames, 1, 0,
                                ":method: POST\n:scheme: http\n:path: /\n:authority: a");
                char payload[24] = {0};
                frames_add(&rig.frames, (uint8_t)type, 0x2d, stream, payload, length);
                frames_add_get(&rig.frames, 5);
                rig_go(&rig);
                rig_done(&rig);
            }
        }
    }
}

/* CVE-2018-1000168 */
static void extension_frames_are_ignored_at_any_length(void **state)
{
    struct rig rig;
    send_preface(&rig);
    static char payload[16384];
    for (int type = 10; type < 256; type++) {
        frames_add(&rig.frames, (uint8_t)type, 0xff, type % 3, payload, sizeof(payload));
    }
    frames_add_get(&rig.frames, 1);
    rig_go(&rig);
    assert_false(rig.side.closed);
    assert_int_equal(rig.side.count, 1);
    rig_done(&rig);
}

static void a_preface_that_is_none_is_closed(void **state)
{
    struct rig rig;
    rig_server(&rig);
    text_clear(&rig.frames);
    text_add_text(&rig.frames, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    rig_go(&rig);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_DOWNSTREAM_PROTOCOL);
    rig_done(&rig);
}

static void slow_heads_and_silent_peers_time_out(void **state)
{
    struct rig rig;
    rig_server(&rig);
    text_clear(&rig.frames);
    rig_wait_ms(&rig, 10001);
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_HEADER_TIMEOUT);
    rig_done(&rig);

    send_preface(&rig);
    frames_add(&rig.frames, NGHTTP2_HEADERS, 0, 1, NULL, 0);
    rig_go(&rig);
    for (int i = 0; i < 10 && !rig.side.closed; i++) {
        rig_wait_ms(&rig, 2000);
    }
    assert_true(rig.side.closed);
    assert_int_equal(rig.side.failure, FAILURE_HEADER_TIMEOUT);
    rig_done(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(rapid_reset_is_closed_within_1100),
        cmocka_unit_test(resets_that_the_peer_provokes_close_within_200),
        cmocka_unit_test(each_way_to_provoke_a_reset_ends_in_a_closed_connection),
        cmocka_unit_test(endless_continuation_is_closed_by_the_ninth),
        cmocka_unit_test(a_field_bomb_is_closed_and_pins_nothing),
        cmocka_unit_test(fields_up_to_the_limit_pass_and_one_more_is_refused),
        cmocka_unit_test(decoded_bytes_beyond_64_kib_are_refused),
        cmocka_unit_test(dropped_host_copies_count),
        cmocka_unit_test(an_empty_field_name_is_malformed),
        cmocka_unit_test(settings_of_33_entries_are_closed),
        cmocka_unit_test(nothing_is_read_after_our_goaway),
        cmocka_unit_test(trailers_without_end_stream_are_a_stream_error),
        cmocka_unit_test(a_request_cut_at_every_byte_leaves_nothing),
        cmocka_unit_test(many_resets_in_one_read_are_cheap),
        cmocka_unit_test(a_window_is_refunded_once),
        cmocka_unit_test(a_window_that_stays_0_ends_the_stream),
        cmocka_unit_test(a_full_output_buffer_waits_for_an_event),
        cmocka_unit_test(frames_of_odd_lengths_do_no_harm),
        cmocka_unit_test(extension_frames_are_ignored_at_any_length),
        cmocka_unit_test(a_preface_that_is_none_is_closed),
        cmocka_unit_test(slow_heads_and_silent_peers_time_out),
    };
    return TEST_MAIN(cases, argc, argv);
}
