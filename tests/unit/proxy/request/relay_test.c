#include "tests/unit/test_main.h"

#include "lib/base/random.h"
#include "proxy/request/relay.h"
#include "tests/unit/proxy/request/fake_stream.h"

struct bench {
    struct relay relay;
    struct replay_body body;
    struct fake_stream from, to;
};

static void bench_open(struct bench *bench, size_t room, bool keeps, size_t limit)
{
    fake_stream_init(&bench->from, 0);
    fake_stream_init(&bench->to, room);
    bench->to.head_sent = true;
    relay_init(&bench->relay, &bench->from.stream);
    replay_body_init(&bench->body, limit);
    bench->relay.keep = keeps ? &bench->body : NULL;
}

static void bench_close(struct bench *bench)
{
    relay_done(&bench->relay);
    replay_body_drop(&bench->body);
    fake_stream_done(&bench->from);
    fake_stream_done(&bench->to);
    assert_int_equal(chunk_in_use(), 0);
}

/* length bytes, each telling its place. */
static void receive(struct bench *bench, size_t length)
{
    static size_t at;
    while (length > 0) {
        struct chunk *chunk = chunk_take();
        size_t part = length < CHUNK_BYTES ? length : CHUNK_BYTES;
        for (size_t i = 0; i < part; i++) {
            chunk->bytes[i] = (unsigned char)('a' + at++ % 26);
        }
        chunk->used = (uint32_t)part;
        struct piece piece = {.chunk = chunk, .at = 0, .length = (uint32_t)part};
        relay_body(&bench->relay, &piece);
        chunk_unref(chunk);
        length -= part;
    }
}

static void bytes_go_as_far_as_there_is_room_and_credit_returns_when_they_went(void **state)
{
    struct bench bench;
    bench_open(&bench, 10, false, 0);
    relay_to(&bench.relay, &bench.to.stream);
    receive(&bench, 25);
    assert_int_equal(relay_pump(&bench.relay), 10);
    assert_int_equal(bench.from.consumed, 10);
    relay_end(&bench.relay);
    assert_int_equal(relay_pump(&bench.relay), 0);
    assert_false(bench.to.ended);
    bench.to.room = 100;
    assert_int_equal(relay_pump(&bench.relay), 15);
    assert_int_equal(bench.from.consumed, 25);
    assert_true(bench.to.ended);
    assert_int_equal(bench.to.body.length, 25);
    assert_int_equal(bench.relay.bytes, 25);
    bench_close(&bench);
}

static void without_a_receiver_nothing_moves_and_no_credit_returns(void **state)
{
    struct bench bench;
    bench_open(&bench, 100, false, 0);
    receive(&bench, 25);
    relay_end(&bench.relay);
    assert_int_equal(relay_pump(&bench.relay), 0);
    assert_int_equal(bench.from.consumed, 0);
    relay_to(&bench.relay, &bench.to.stream);
    assert_int_equal(relay_pump(&bench.relay), 25);
    assert_true(bench.to.ended);
    bench_close(&bench);
}

static void trailers_end_the_message_after_the_last_byte(void **state)
{
    struct bench bench;
    struct arena arena = {0};
    struct headers trailers;
    headers_init(&trailers, &arena);
    headers_add(&trailers, SPAN("grpc-status"), SPAN("0"));
    bench_open(&bench, 5, false, 0);
    relay_to(&bench.relay, &bench.to.stream);
    receive(&bench, 8);
    relay_trailers(&bench.relay, &trailers);
    relay_end(&bench.relay);
    relay_pump(&bench.relay);
    assert_false(bench.to.ended);
    bench.to.room = 5;
    relay_pump(&bench.relay);
    assert_true(bench.to.ended);
    assert_string_equal(bench.to.trailers.bytes, "grpc-status=0;");
    relay_pump(&bench.relay); /* the end is sent once */
    bench_close(&bench);
    arena_done(&arena);
}

static void a_second_receiver_gets_every_byte_that_the_first_got(void **state)
{
    for (size_t sent = 0; sent <= 40000; sent += 4000) {
        struct bench bench;
        struct fake_stream second;
        struct arena arena = {0};
        struct headers trailers;
        headers_init(&trailers, &arena);
        headers_add(&trailers, SPAN("t"), SPAN("1"));
        bench_open(&bench, sent, true, 65536);
        fake_stream_init(&second, 7000);
        second.head_sent = true;
        relay_to(&bench.relay, &bench.to.stream);
        receive(&bench, 40000);
        relay_trailers(&bench.relay, &trailers);
        relay_end(&bench.relay);
        relay_pump(&bench.relay);
        assert_int_equal(bench.to.body.length, sent);
        relay_to(&bench.relay, NULL);
        relay_to(&bench.relay, &second.stream);
        replay_body_copy(&bench.body, &bench.relay.first);
        while (!second.ended) {
            second.room = 7000;
            relay_pump(&bench.relay);
        }
        assert_int_equal(second.body.length, 40000);
        assert_memory_equal(second.body.bytes, bench.to.body.bytes, sent);
        assert_string_equal(second.trailers.bytes, "t=1;");
        /* Credit for a byte comes back once, however often it was sent. */
        assert_int_equal(bench.from.consumed, 40000);
        fake_stream_done(&second);
        bench_close(&bench);
        arena_done(&arena);
    }
}

static void a_third_receiver_gets_all_though_the_second_got_only_a_part(void **state)
{
    struct bench bench;
    struct fake_stream second;
    struct fake_stream third;
    bench_open(&bench, 100, true, 65536);
    fake_stream_init(&second, 30);
    fake_stream_init(&third, 1000);
    second.head_sent = third.head_sent = true;
    relay_to(&bench.relay, &bench.to.stream);
    receive(&bench, 60);
    relay_pump(&bench.relay);
    relay_to(&bench.relay, &second.stream);
    replay_body_copy(&bench.body, &bench.relay.first);
    relay_pump(&bench.relay);
    assert_int_equal(second.body.length, 30);
    receive(&bench, 40);
    relay_end(&bench.relay);
    relay_to(&bench.relay, &third.stream);
    replay_body_copy(&bench.body, &bench.relay.first);
    relay_pump(&bench.relay);
    assert_int_equal(third.body.length, 100);
    assert_true(third.ended);
    assert_int_equal(bench.from.consumed, 100);
    fake_stream_done(&second);
    fake_stream_done(&third);
    bench_close(&bench);
}

static void a_body_beyond_the_cap_is_let_go_and_still_arrives(void **state)
{
    struct bench bench;
    bench_open(&bench, 100000, true, 30000);
    relay_to(&bench.relay, &bench.to.stream);
    receive(&bench, 30000);
    relay_pump(&bench.relay);
    assert_false(bench.body.lost);
    assert_int_equal(bench.body.kept.length, 30000);
    receive(&bench, 1);
    relay_pump(&bench.relay);
    assert_true(bench.body.lost);
    assert_int_equal(bench.body.kept.length, 0);
    receive(&bench, 50000);
    relay_end(&bench.relay);
    relay_pump(&bench.relay);
    assert_int_equal(bench.to.body.length, 80001);
    assert_int_equal(bench.from.consumed, 80001);
    assert_true(bench.to.ended);
    bench_close(&bench);
}

static void what_nobody_wants_is_forgotten_with_its_credit(void **state)
{
    struct bench bench;
    bench_open(&bench, 10, false, 0);
    relay_to(&bench.relay, &bench.to.stream);
    receive(&bench, 50000);
    relay_pump(&bench.relay);
    relay_discard(&bench.relay);
    assert_int_equal(bench.from.consumed, 50000);
    assert_int_equal(bench.relay.waiting.length, 0);
    bench_close(&bench);
}

static void any_rhythm_of_bytes_and_room_gives_the_same_body(void **state)
{
    random_seed(11);
    for (int round = 0; round < 200; round++) {
        struct bench bench;
        bench_open(&bench, 0, round % 2 == 0, 65536);
        relay_to(&bench.relay, &bench.to.stream);
        size_t total = 0;
        while (total < 60000) {
            size_t part = (size_t)random_below(5000) + 1;
            receive(&bench, part);
            total += part;
            bench.to.room += (size_t)random_below(6000);
            relay_pump(&bench.relay);
        }
        relay_end(&bench.relay);
        bench.to.room = total;
        relay_pump(&bench.relay);
        assert_true(bench.to.ended);
        assert_int_equal(bench.to.body.length, total);
        for (size_t i = 1; i < total; i++) {
            char before = bench.to.body.bytes[i - 1];
            assert_int_equal(bench.to.body.bytes[i], before == 'z' ? 'a' : before + 1);
        }
        assert_int_equal(bench.from.consumed, total);
        bench_close(&bench);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(bytes_go_as_far_as_there_is_room_and_credit_returns_when_they_went),
        cmocka_unit_test(without_a_receiver_nothing_moves_and_no_credit_returns),
        cmocka_unit_test(trailers_end_the_message_after_the_last_byte),
        cmocka_unit_test(a_second_receiver_gets_every_byte_that_the_first_got),
        cmocka_unit_test(a_third_receiver_gets_all_though_the_second_got_only_a_part),
        cmocka_unit_test(a_body_beyond_the_cap_is_let_go_and_still_arrives),
        cmocka_unit_test(what_nobody_wants_is_forgotten_with_its_credit),
        cmocka_unit_test(any_rhythm_of_bytes_and_room_gives_the_same_body),
    };
    return TEST_MAIN(cases, argc, argv);
}
