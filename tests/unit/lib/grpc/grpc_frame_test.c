#include "lib/grpc/grpc_frame.h"

#include "lib/base/memory.h"
#include "tests/unit/test_main.h"

static struct text take_all(struct byte_queue *from)
{
    struct text bytes = {0};
    while (from->length > 0) {
        struct span front = byte_queue_front(from);
        text_add(&bytes, front);
        byte_queue_drop(from, front.length);
    }
    return bytes;
}

static void messages_come_out_as_they_went_in_whatever_the_pieces(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 5, 100, 16379, 16384, 40000, 0, 3};
    enum { COUNT = sizeof lengths / sizeof lengths[0] };
    char *bytes = mem_alloc(40000);
    for (size_t i = 0; i < 40000; i++) {
        bytes[i] = (char)(i * 7);
    }
    struct byte_queue queue;
    byte_queue_init(&queue);
    for (size_t i = 0; i < COUNT; i++) {
        grpc_frame_write(&queue, span_make(bytes, lengths[i]));
    }
    struct text wire = take_all(&queue);
    for (size_t step = 1; step < 100000; step = step * 3 + 1) {
        struct grpc_frame frame = {.limit = 40000};
        size_t next = 0;
        for (size_t at = 0; at < wire.length; at += step) {
            struct span rest = span_cut(text_span(&wire), at, at + step);
            while (grpc_frame_read(&frame, &rest) == GRPC_FRAME_MESSAGE) {
                assert_true(next < COUNT);
                assert_true(
                    span_equal(text_span(&frame.message), span_make(bytes, lengths[next++])));
                grpc_frame_next(&frame);
            }
            assert_int_equal(rest.length, 0);
        }
        assert_int_equal(next, COUNT);
        assert_true(grpc_frame_clean(&frame));
        grpc_frame_done(&frame);
    }
    text_done(&wire);
    byte_queue_done(&queue);
    mem_free(bytes);
}

static enum grpc_frame_status read_one(struct span bytes, size_t limit)
{
    struct grpc_frame frame = {.limit = limit};
    enum grpc_frame_status status = grpc_frame_read(&frame, &bytes);
    grpc_frame_done(&frame);
    return status;
}

static void bad_prefixes_are_told_apart_and_nothing_is_allocated_for_a_promise(void **state)
{
    (void)state;
    assert_int_equal(read_one(SPAN("\0\0\0\0"), 10), GRPC_FRAME_MORE);
    assert_int_equal(read_one(SPAN("\0\0\0\0\0"), 10), GRPC_FRAME_MESSAGE);
    assert_int_equal(read_one(SPAN("\0\0\0\0\1"), 10), GRPC_FRAME_MORE);
    assert_int_equal(read_one(SPAN("\1\0\0\0\0"), 10), GRPC_FRAME_BAD);
    assert_int_equal(read_one(SPAN("\xff\0\0\0\0"), 10), GRPC_FRAME_BAD);
    assert_int_equal(read_one(SPAN("\0\0\0\0\x0b"), 10), GRPC_FRAME_TOO_LARGE);
    assert_int_equal(read_one(SPAN("\0\xff\xff\xff\xff"), 0), GRPC_FRAME_TOO_LARGE);
    struct grpc_frame frame = {0};
    struct span rest = SPAN("\0\1\0\0\0abc"); /* 16 MiB are promised, three bytes are there */
    assert_int_equal(grpc_frame_read(&frame, &rest), GRPC_FRAME_MORE);
    assert_true(frame.message.capacity < 4096);
    assert_false(grpc_frame_clean(&frame));
    grpc_frame_done(&frame);
}

static void a_stream_that_stays_does_not_keep_the_room_of_its_largest_message(void **state)
{
    (void)state;
    struct grpc_frame frame = {0};
    struct byte_queue queue;
    char *bytes = mem_zalloc(1000000);
    byte_queue_init(&queue);
    grpc_frame_write(&queue, span_make(bytes, 1000000));
    struct text wire = take_all(&queue);
    struct span rest = text_span(&wire);
    assert_int_equal(grpc_frame_read(&frame, &rest), GRPC_FRAME_MESSAGE);
    grpc_frame_next(&frame);
    assert_true(frame.message.capacity <= 65536);
    grpc_frame_done(&frame);
    text_done(&wire);
    byte_queue_done(&queue);
    mem_free(bytes);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(messages_come_out_as_they_went_in_whatever_the_pieces),
        cmocka_unit_test(bad_prefixes_are_told_apart_and_nothing_is_allocated_for_a_promise),
        cmocka_unit_test(a_stream_that_stays_does_not_keep_the_room_of_its_largest_message),
    };
    return TEST_MAIN(cases, argc, argv);
}
