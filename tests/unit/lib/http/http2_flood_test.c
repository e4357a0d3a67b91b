#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "tests/unit/lib/http/http2_rig.h"

/* Floods of frames that cost the sender little, and the bounds that stop them. */

enum { FLOOD = 100000 };

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

struct flood {
    const char *what;
    uint8_t type;
    uint8_t flags;
    int32_t stream;
    const char *payload;
    size_t length;
};

/* CVE-2019-9512, -9513, -9514, -9515, -9518 */
static void floods_of_control_and_empty_frames_are_closed(void **state)
{
    const struct flood floods[] = {
        {"ping", NGHTTP2_PING, 0, 0, "12345678", 8},
        {"settings", NGHTTP2_SETTINGS, 0, 0, "", 0},
        {"priority", NGHTTP2_PRIORITY, 0, 3, "\0\0\0\1\1", 5},
        {"unknown", 0x42, 0, 0, "x", 1},
        {"altsvc", NGHTTP2_ALTSVC, 0, 0, "\0\1a", 3},
        {"priority update", NGHTTP2_PRIORITY_UPDATE, 0, 0, "\0\0\0\1", 4},
        {"empty data", NGHTTP2_DATA, 0, 1, "", 0},
        {"reset of a closed stream", NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\1", 4},
    };
    for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
        struct rig rig;
        send_preface(&rig);
        frames_add_head(&rig.frames, 1, 0, ":method: POST\n:scheme: http\n:path: /\n:authority: a");
        rig_go(&rig);
        int sent = 0;
        while (!rig.side.closed && sent < FLOOD) {
            for (int j = 0; j < 100; j++, sent++) {
                frames_add(&rig.frames, floods[i].type, floods[i].flags, floods[i].stream,
                           floods[i].payload, floods[i].length);
            }
            rig_go(&rig);
        }
        if (!rig.side.closed || sent > 1200) {
            fail_msg("%s: closed %d after %d", floods[i].what, rig.side.closed, sent);
        }
        assert_abuse(&rig);
        rig_done(&rig);
    }
}

/* CVE-2019-9517, nghttp2 PR 2826: answers pile up behind a socket that takes nothing. */
static void a_blocked_socket_stops_the_reading(void **state)
{
    struct rig rig;
    rig_prepare(&rig);
    /* Without the count of glitches, so that the bound of the queue alone is seen. */
    rig.limits.glitches = 1000000;
    rig_open(&rig, true, false);
    rig_go(&rig);
    wire_room(rig.wire, rig.wire->out.length);
    for (int i = 0; i < FLOOD; i++) {
        frames_add(&rig.frames, NGHTTP2_PING, 0, 0, "12345678", 8);
    }
    size_t all = rig.frames.length;
    rig_go(&rig);
    if (!rig.side.closed) {
        assert_true(rig.wire->in.length > all / 2);
        assert_false(rig.wire->base.wanted & TRANSPORT_READABLE);
        rig_wait_ms(&rig, 31000);
    }
    assert_true(rig.side.closed);
    rig_done(&rig);
}

static void reading_goes_on_when_the_output_has_left(void **state)
{
    struct rig rig;
    rig_prepare(&rig);
    rig.limits.glitches = 1000000;
    rig_open(&rig, true, false);
    rig_go(&rig);
    for (int i = 0; i < 10000; i++) {
        frames_add(&rig.frames, NGHTTP2_PING, 0, 0, "12345678", 8);
    }
    rig_go(&rig);
    assert_false(rig.side.closed);
    assert_int_equal(rig.wire->in.length, 0);
    assert_int_equal(reader_count(&rig.reader, NGHTTP2_PING), 10000);
    rig_done(&rig);
}

/* A peer with a bug gets a new connection before it is cut. */
static void three_quarters_of_the_glitches_bring_a_soft_goaway(void **state)
{
    struct rig rig;
    send_preface(&rig);
    for (int i = 0; i < 760; i++) {
        frames_add(&rig.frames, 0x42, 0, 0, "", 0);
    }
    frames_add_get(&rig.frames, 1);
    rig_go(&rig);
    assert_false(rig.side.closed);
    assert_true(rig.side.conn->draining);
    assert_int_equal(rig_goaway(&rig), NGHTTP2_NO_ERROR);
    rig_done(&rig);
}

static void glitches_come_back_with_time(void **state)
{
    struct rig rig;
    send_preface(&rig);
    for (int second = 0; second < 100; second++) {
        for (int i = 0; i < 30; i++) {
            frames_add(&rig.frames, 0x42, 0, 0, "", 0);
        }
        rig_go(&rig);
        rig_wait_ms(&rig, 1000);
    }
    assert_false(rig.side.closed);
    rig_done(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(floods_of_control_and_empty_frames_are_closed),
        cmocka_unit_test(a_blocked_socket_stops_the_reading),
        cmocka_unit_test(reading_goes_on_when_the_output_has_left),
        cmocka_unit_test(three_quarters_of_the_glitches_bring_a_soft_goaway),
        cmocka_unit_test(glitches_come_back_with_time),
    };
    return TEST_MAIN(cases, argc, argv);
}
