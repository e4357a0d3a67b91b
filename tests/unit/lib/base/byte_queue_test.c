#include "lib/base/byte_queue.h"

#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "tests/unit/lib/base/child.h"
#include "tests/unit/test_main.h"

#include <signal.h>

static struct piece piece_of(const char *text)
{
    struct chunk *chunk = chunk_take();
    uint32_t length = (uint32_t)strlen(text);
    memcpy(chunk->bytes, text, length);
    chunk->used = length;
    return (struct piece){chunk, 0, length};
}

/* Everything in the queue, seen through peek. */
static void assert_content(const struct byte_queue *queue, const char *want)
{
    char bytes[4096];
    size_t length = byte_queue_peek(queue, 0, bytes, sizeof(bytes));
    assert_int_equal(length, strlen(want));
    assert_int_equal(queue->length, length);
    assert_memory_equal(bytes, want, length);
}

static int none_left(void **state)
{
    return chunk_in_use() == 0 ? 0 : -1;
}

static void an_empty_queue_gives_nothing(void **state)
{
    struct byte_queue queue = {0};
    struct piece piece;
    struct iovec vectors[2];
    char byte;
    assert_false(byte_queue_pop(&queue, 10, &piece));
    assert_int_equal(byte_queue_vectors(&queue, vectors, 2), 0);
    assert_int_equal(byte_queue_front(&queue).length, 0);
    assert_int_equal(byte_queue_peek(&queue, 0, &byte, 1), 0);
    byte_queue_drop(&queue, 0);
    byte_queue_done(&queue);
    byte_queue_done(&queue);
}

static void pieces_come_out_as_they_went_in(void **state)
{
    struct byte_queue queue;
    byte_queue_init(&queue);
    byte_queue_push(&queue, piece_of("one "));
    byte_queue_push(&queue, piece_of("two "));
    byte_queue_push(&queue, piece_of("three"));
    assert_content(&queue, "one two three");
    assert_true(span_equal_text(byte_queue_front(&queue), "one "));
    struct piece piece;
    assert_true(byte_queue_pop(&queue, 100, &piece));
    assert_memory_equal(piece_bytes(&piece), "one ", 4);
    assert_int_equal(piece.length, 4);
    chunk_unref(piece.chunk);
    assert_content(&queue, "two three");
    byte_queue_done(&queue);
    assert_int_equal(queue.length, 0);
}

static void a_pop_is_cut_at_its_limit(void **state)
{
    struct byte_queue queue = {0};
    byte_queue_push(&queue, piece_of("abcdef"));
    struct piece piece;
    assert_false(byte_queue_pop(&queue, 0, &piece));
    assert_true(byte_queue_pop(&queue, 2, &piece));
    assert_int_equal(piece.length, 2);
    assert_memory_equal(piece_bytes(&piece), "ab", 2);
    chunk_unref(piece.chunk);
    assert_content(&queue, "cdef");
    assert_true(byte_queue_pop(&queue, 4, &piece));
    assert_int_equal(piece.length, 4);
    chunk_unref(piece.chunk);
    assert_int_equal(chunk_in_use(), 0);
    byte_queue_done(&queue);
}

static void an_empty_piece_is_dropped_with_its_reference(void **state)
{
    struct byte_queue queue = {0};
    byte_queue_push(&queue, piece_of(""));
    assert_int_equal(queue.count, 0);
    assert_int_equal(chunk_in_use(), 0);
    byte_queue_push(&queue, (struct piece){NULL, 0, 0});
    byte_queue_done(&queue);
}

static void pieces_that_follow_each_other_become_one(void **state)
{
    struct byte_queue queue = {0};
    struct chunk *chunk = chunk_take();
    memcpy(chunk->bytes, "abcdef", 6);
    chunk->used = 6;
    byte_queue_push_ref(&queue, &(struct piece){chunk, 0, 3});
    byte_queue_push_ref(&queue, &(struct piece){chunk, 3, 3});
    assert_int_equal(queue.count, 1);
    assert_int_equal(chunk->references, 2);
    assert_content(&queue, "abcdef");
    byte_queue_push_ref(&queue, &(struct piece){chunk, 1, 2});
    assert_int_equal(queue.count, 2);
    assert_content(&queue, "abcdefbc");
    byte_queue_done(&queue);
    assert_int_equal(chunk->references, 1);
    chunk_unref(chunk);
}

static void a_copy_fills_up_a_last_chunk_of_ours(void **state)
{
    struct byte_queue queue = {0};
    byte_queue_push(&queue, piece_of("head "));
    byte_queue_copy(&queue, "tail", 4);
    assert_int_equal(queue.count, 1);
    assert_int_equal(chunk_in_use(), 1);
    assert_content(&queue, "head tail");
    byte_queue_done(&queue);
}

static void a_copy_never_writes_where_a_reader_may(void **state)
{
    struct byte_queue queue = {0};
    struct piece piece = piece_of("read so far ");
    byte_queue_push_ref(&queue, &piece);
    byte_queue_copy(&queue, "copied", 6);
    /* The reader goes on behind its own bytes. */
    memcpy(piece.chunk->bytes + piece.chunk->used, "XXXXXX", 6);
    piece.chunk->used += 6;
    assert_content(&queue, "read so far copied");
    chunk_unref(piece.chunk);
    byte_queue_done(&queue);

    /* Nor into a chunk whose bytes behind the piece are somebody's. */
    struct piece early = piece_of("abcdef");
    early.length = 3;
    byte_queue_push(&queue, early);
    byte_queue_copy(&queue, "XY", 2);
    assert_memory_equal(early.chunk->bytes, "abcdef", 6);
    assert_content(&queue, "abcXY");
    byte_queue_done(&queue);
}

static void small_copies_of_many_queues_share_chunks(void **state)
{
    struct byte_queue queues[100] = {{0}};
    for (int i = 0; i < 100; i++) {
        byte_queue_copy(&queues[i], "frame head", 10);
    }
    assert_int_equal(chunk_in_use(), 1);
    for (int i = 0; i < 100; i++) {
        assert_content(&queues[i], "frame head");
        byte_queue_done(&queues[i]);
    }
}

static void copies_of_every_size_arrive_whole(void **state)
{
    static const size_t sizes[] = {0,     1,     2047,  2048,  2049,  16383,
                                   16384, 16385, 18432, 18433, 65536, 100000};
    static unsigned char bytes[100000], back[100000];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)random_u64();
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct byte_queue queue = {0};
        byte_queue_copy(&queue, "x", 1);
        byte_queue_copy(&queue, bytes, sizes[i]);
        assert_int_equal(queue.length, sizes[i] + 1);
        assert_int_equal(byte_queue_peek(&queue, 1, back, sizeof(back)), sizes[i]);
        assert_memory_equal(bytes, back, sizes[i]);
        byte_queue_done(&queue);
    }
}

static void moving_takes_at_most_the_limit(void **state)
{
    struct byte_queue from = {0};
    struct byte_queue to = {0};
    byte_queue_push(&from, piece_of("abc"));
    byte_queue_push(&from, piece_of("def"));
    assert_int_equal(byte_queue_move(&to, &from, 0), 0);
    assert_int_equal(byte_queue_move(&to, &from, 4), 4);
    assert_content(&to, "abcd");
    assert_content(&from, "ef");
    assert_int_equal(byte_queue_move(&to, &from, SIZE_MAX), 2);
    assert_content(&to, "abcdef");
    assert_int_equal(byte_queue_move(&to, &from, 1), 0);
    assert_int_equal(chunk_in_use(), 2);
    byte_queue_done(&from);
    byte_queue_done(&to);
}

static void dropping_gives_chunks_back_at_once(void **state)
{
    struct byte_queue queue = {0};
    byte_queue_push(&queue, piece_of("abc"));
    byte_queue_push(&queue, piece_of("def"));
    byte_queue_drop(&queue, 2);
    assert_int_equal(chunk_in_use(), 2);
    byte_queue_drop(&queue, 2);
    assert_int_equal(chunk_in_use(), 1);
    assert_content(&queue, "ef");
    byte_queue_drop(&queue, 2);
    assert_int_equal(chunk_in_use(), 0);
}

static void vectors_show_what_is_there_without_taking_it(void **state)
{
    struct byte_queue queue = {0};
    byte_queue_push(&queue, piece_of("one"));
    byte_queue_push(&queue, piece_of("two"));
    byte_queue_push(&queue, piece_of("six"));
    byte_queue_drop(&queue, 1);
    struct iovec vectors[4];
    assert_int_equal(byte_queue_vectors(&queue, vectors, 2), 2);
    assert_int_equal(vectors[0].iov_len, 2);
    assert_memory_equal(vectors[0].iov_base, "ne", 2);
    assert_memory_equal(vectors[1].iov_base, "two", 3);
    assert_int_equal(byte_queue_vectors(&queue, vectors, 4), 3);
    assert_int_equal(byte_queue_vectors(&queue, vectors, 0), 0);
    assert_content(&queue, "netwosix");
    byte_queue_done(&queue);
}

static void peeking_starts_anywhere(void **state)
{
    struct byte_queue queue = {0};
    byte_queue_push(&queue, piece_of("abc"));
    byte_queue_push(&queue, piece_of("def"));
    byte_queue_push(&queue, piece_of("ghi"));
    char bytes[10];
    assert_int_equal(byte_queue_peek(&queue, 2, bytes, 5), 5);
    assert_memory_equal(bytes, "cdefg", 5);
    assert_int_equal(byte_queue_peek(&queue, 6, bytes, 10), 3);
    assert_memory_equal(bytes, "ghi", 3);
    assert_int_equal(byte_queue_peek(&queue, 9, bytes, 10), 0);
    assert_int_equal(byte_queue_peek(&queue, 100, bytes, 10), 0);
    byte_queue_done(&queue);
}

static void a_long_queue_keeps_its_order(void **state)
{
    struct byte_queue queue = {0};
    uint32_t pushed = 0;
    uint32_t popped = 0;
    /* Pops interleave with pushes, so that each ring is grown with its head in the middle. */
    while (pushed < 5000) {
        for (int i = 0; i < 3; i++) {
            struct piece piece = chunk_copy(&pushed, sizeof(pushed));
            chunk_ref(piece.chunk);
            byte_queue_push(&queue, piece);
            chunk_unref(piece.chunk);
            /* A byte nobody queues keeps the pieces apart. */
            chunk_unref(chunk_copy("", 1).chunk);
            pushed++;
        }
        struct piece piece;
        assert_true(byte_queue_pop(&queue, 4, &piece));
        assert_memory_equal(piece_bytes(&piece), &popped, 4);
        chunk_unref(piece.chunk);
        popped++;
    }
    assert_true(queue.count > 3000);
    while (queue.length > 0) {
        uint32_t number;
        byte_queue_peek(&queue, 0, &number, sizeof(number));
        assert_int_equal(number, popped++);
        byte_queue_drop(&queue, 4);
    }
    assert_int_equal(popped, pushed);
    assert_int_equal(queue.capacity, 0);
    assert_int_equal(chunk_in_use(), 0);
}

static void steady_traffic_allocates_nothing(void **state)
{
    struct byte_queue from = {0};
    struct byte_queue to = {0};
    uint64_t before = 0;
    for (int i = 0; i < 100; i++) {
        if (i == 10) {
            before = mem_allocations();
        }
        for (int piece = 0; piece < 20; piece++) {
            byte_queue_push(&from, piece_of("some bytes"));
            byte_queue_copy(&from, "\r\n", 2);
        }
        byte_queue_move(&to, &from, SIZE_MAX);
        byte_queue_drop(&to, to.length);
    }
    assert_int_equal(mem_allocations(), before);
}

/* The queue against an array, with random steps. */
static void random_steps_agree_with_a_plain_array(void **state)
{
    static unsigned char model[1 << 20], bytes[5000], back[1 << 20];
    random_seed(7);
    struct byte_queue queue = {0};
    struct byte_queue other = {0};
    size_t length = 0;
    for (int step = 0; step < 20000; step++) {
        size_t amount = (size_t)random_below(random_below(8) == 0 ? sizeof(bytes) : 60);
        switch (random_below(4)) {
        case 0:
        case 1:
            if (length + amount > 100000) {
                break;
            }
            for (size_t i = 0; i < amount; i++) {
                bytes[i] = (unsigned char)random_u64();
            }
            byte_queue_copy(&queue, bytes, amount);
            memcpy(model + length, bytes, amount);
            length += amount;
            break;
        case 2:
            amount = amount > length ? length : amount;
            byte_queue_drop(&queue, amount);
            memmove(model, model + amount, length - amount);
            length -= amount;
            break;
        default:
            /* There and back again: a rotation. */
            amount = byte_queue_move(&other, &queue, amount);
            byte_queue_move(&queue, &other, amount);
            memcpy(back, model, amount);
            memmove(model, model + amount, length - amount);
            memcpy(model + length - amount, back, amount);
        }
        assert_int_equal(queue.length, length);
        if (step % 100 == 0) {
            assert_int_equal(byte_queue_peek(&queue, 0, back, sizeof(back)), length);
            assert_memory_equal(back, model, length);
        }
    }
    byte_queue_done(&queue);
    byte_queue_done(&other);
}

static void drop_too_much(void)
{
    struct byte_queue queue = {0};
    byte_queue_copy(&queue, "abc", 3);
    byte_queue_drop(&queue, 4);
}

static void dropping_more_than_there_is_stops_the_program(void **state)
{
    char output[1024];
    assert_int_equal(run_in_child(drop_too_much, output, sizeof(output)), SIGABRT);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_teardown(an_empty_queue_gives_nothing, none_left),
        cmocka_unit_test_teardown(pieces_come_out_as_they_went_in, none_left),
        cmocka_unit_test_teardown(a_pop_is_cut_at_its_limit, none_left),
        cmocka_unit_test_teardown(an_empty_piece_is_dropped_with_its_reference, none_left),
        cmocka_unit_test_teardown(pieces_that_follow_each_other_become_one, none_left),
        cmocka_unit_test_teardown(a_copy_fills_up_a_last_chunk_of_ours, none_left),
        cmocka_unit_test_teardown(a_copy_never_writes_where_a_reader_may, none_left),
        cmocka_unit_test_teardown(small_copies_of_many_queues_share_chunks, none_left),
        cmocka_unit_test_teardown(copies_of_every_size_arrive_whole, none_left),
        cmocka_unit_test_teardown(moving_takes_at_most_the_limit, none_left),
        cmocka_unit_test_teardown(dropping_gives_chunks_back_at_once, none_left),
        cmocka_unit_test_teardown(vectors_show_what_is_there_without_taking_it, none_left),
        cmocka_unit_test_teardown(peeking_starts_anywhere, none_left),
        cmocka_unit_test_teardown(a_long_queue_keeps_its_order, none_left),
        cmocka_unit_test_teardown(steady_traffic_allocates_nothing, none_left),
        cmocka_unit_test_teardown(random_steps_agree_with_a_plain_array, none_left),
        cmocka_unit_test(dropping_more_than_there_is_stops_the_program),
    };
    return TEST_MAIN(cases, argc, argv);
}
