#include "lib/net/splice.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/net/pipe_pool.h"
#include "tests/fakes/pipe_transport.h"
#include "tests/fakes/raw_peer.h"
#include "tests/unit/lib/net/socket_fakes.h"
#include "tests/unit/test_main.h"

#include <stdlib.h>
#include <sys/resource.h>

struct relayed {
    struct relay_pair *pair; /* NULL when done */
    int done;
    enum failure failure;
    uint64_t a_to_b;
    uint64_t b_to_a;
    bool abort_on_bytes;
};

static void on_done(void *owner, enum failure failure)
{
    struct relayed *relayed = owner;
    relayed->pair = NULL;
    relayed->done++;
    relayed->failure = failure;
}

static void on_bytes(void *owner, uint64_t a_to_b, uint64_t b_to_a)
{
    struct relayed *relayed = owner;
    relayed->a_to_b += a_to_b;
    relayed->b_to_a += b_to_a;
    if (relayed->abort_on_bytes) {
        relay_pair_abort(relayed->pair);
        relayed->pair = NULL;
    }
}

static const struct relay_pair_events events = {on_done, on_bytes};

/* left -- (a relay b) -- right, each pair of pipes with its options. */
struct rig {
    struct loop *loop;
    struct raw_peer left;
    struct raw_peer right;
    struct relayed relayed;
};

static void rig_open(struct rig *rig, const struct pipe_options *a, const struct pipe_options *b,
                     int64_t idle_ms)
{
    struct transport *left;
    struct transport *inner_a;
    struct transport *inner_b;
    struct transport *right;
    *rig = (struct rig){.loop = loop_create_simulated(0)};
    pipe_transports(rig->loop, NULL, a, &left, &inner_a);
    pipe_transports(rig->loop, b, NULL, &inner_b, &right);
    raw_peer_own(&rig->left, left);
    raw_peer_own(&rig->right, right);
    rig->relayed.pair = relay_pair_start(inner_a, inner_b, idle_ms, &events, &rig->relayed);
}

static void rig_close(struct rig *rig)
{
    if (rig->relayed.pair != NULL) {
        relay_pair_abort(rig->relayed.pair);
    }
    raw_peer_done(&rig->left);
    raw_peer_done(&rig->right);
    loop_destroy(rig->loop);
    assert_int_equal(chunk_in_use(), 0);
}

static void half_close_is_passed_on_and_the_other_way_goes_on(void **state)
{
    struct rig rig;
    rig_open(&rig, NULL, NULL, 0);
    raw_peer_send_text(&rig.left, "question");
    raw_peer_end(&rig.left);
    loop_settle(rig.loop);
    assert_string_equal(rig.right.received, "question");
    assert_true(rig.right.got_end);
    assert_int_equal(rig.relayed.done, 0);
    raw_peer_send_text(&rig.right, "answer");
    loop_settle(rig.loop);
    assert_string_equal(rig.left.received, "answer");
    assert_false(rig.left.got_end);
    raw_peer_end(&rig.right);
    loop_settle(rig.loop);
    assert_true(rig.left.got_end);
    assert_int_equal(rig.relayed.done, 1);
    assert_int_equal(rig.relayed.failure, FAILURE_NONE);
    assert_int_equal(rig.relayed.a_to_b, 8);
    assert_int_equal(rig.relayed.b_to_a, 6);
    assert_int_equal(pipe_other_end(rig.left.transport), PIPE_CLOSED);
    rig_close(&rig);
}

static void an_idle_relay_holds_no_chunk(void **state)
{
    struct rig rig;
    rig_open(&rig, NULL, NULL, 0);
    raw_peer_send_text(&rig.left, "x");
    loop_settle(rig.loop);
    assert_int_equal(chunk_in_use(), 0);
    rig_close(&rig);
}

static void preloaded_bytes_come_first(void **state)
{
    struct rig rig;
    rig_open(&rig, NULL, NULL, 0);
    raw_peer_send_text(&rig.left, " second");
    relay_pair_preload(rig.relayed.pair, SPAN("first"));
    assert_int_equal(rig.relayed.done, 0);
    loop_settle(rig.loop);
    assert_string_equal(rig.right.received, "first second");
    rig_close(&rig);
}

static void a_slow_reader_holds_the_writer_back(void **state)
{
    enum { BYTES = 1 << 20 };
    struct pipe_options small = {.window_bytes = 1000};
    struct rig rig;
    rig_open(&rig, NULL, &small, 0);
    raw_peer_listen(&rig.right, false);
    char *bytes = mem_zalloc(BYTES);
    raw_peer_send(&rig.left, bytes, BYTES);
    loop_settle(rig.loop);
    /* The relay holds 64 KiB, the pipes their windows, and no more. */
    assert_int_equal(pipe_written(rig.left.transport), 65536 + 65536 + 1000);
    raw_peer_listen(&rig.right, true);
    while (rig.right.received_length < BYTES) {
        loop_turn(rig.loop);
    }
    assert_int_equal(rig.relayed.done, 0);
    mem_free(bytes);
    rig_close(&rig);
}

static void what_was_read_before_the_connection_is_made_is_kept(void **state)
{
    struct pipe_options connecting = {.connecting = true};
    struct rig rig;
    struct transport *left;
    struct transport *a;
    struct transport *b;
    struct transport *right;
    rig = (struct rig){.loop = loop_create_simulated(0)};
    pipe_transports(rig.loop, NULL, NULL, &left, &a);
    pipe_transports(rig.loop, &connecting, NULL, &b, &right);
    raw_peer_own(&rig.left, left);
    raw_peer_own(&rig.right, right);
    rig.relayed.pair = relay_pair_start(a, b, 0, &events, &rig.relayed);
    raw_peer_send_text(&rig.left, "early");
    loop_settle(rig.loop);
    assert_string_equal(rig.right.received, "");
    pipe_connected(b);
    loop_settle(rig.loop);
    assert_string_equal(rig.right.received, "early");
    rig_close(&rig);
}

static void a_failed_connect_ends_the_relay_with_its_word(void **state)
{
    struct pipe_options connecting = {.connecting = true};
    struct transport *left;
    struct transport *a;
    struct transport *b;
    struct transport *right;
    struct rig rig = {.loop = loop_create_simulated(0)};
    pipe_transports(rig.loop, NULL, NULL, &left, &a);
    pipe_transports(rig.loop, &connecting, NULL, &b, &right);
    raw_peer_own(&rig.left, left);
    raw_peer_own(&rig.right, right);
    rig.relayed.pair = relay_pair_start(a, b, 0, &events, &rig.relayed);
    pipe_fail(b, FAILURE_CONNECT_REFUSED);
    loop_settle(rig.loop);
    assert_int_equal(rig.relayed.done, 1);
    assert_int_equal(rig.relayed.failure, FAILURE_CONNECT_REFUSED);
    assert_true(rig.left.got_failure);
    rig_close(&rig);
}

static void a_reset_is_passed_on_as_a_reset(void **state)
{
    struct rig rig;
    rig_open(&rig, NULL, NULL, 0);
    raw_peer_send_text(&rig.left, "x");
    loop_settle(rig.loop);
    transport_abort(rig.left.transport);
    rig.left.transport = NULL;
    loop_settle(rig.loop);
    assert_int_equal(rig.relayed.done, 1);
    assert_int_not_equal(rig.relayed.failure, FAILURE_NONE);
    assert_true(rig.right.got_failure);
    assert_false(rig.right.got_end);
    rig_close(&rig);
}

static void an_early_answer_arrives_though_the_question_cannot_be_sent(void **state)
{
    struct pipe_options refuses = {.fault = PIPE_FAULT_WRITE, .fault_at = 3};
    struct rig rig;
    rig_open(&rig, NULL, &refuses, 0);
    raw_peer_send_text(&rig.left, "long question");
    loop_settle(rig.loop);
    assert_int_equal(rig.relayed.done, 0);
    raw_peer_send_text(&rig.right, "too large");
    raw_peer_end(&rig.right);
    loop_settle(rig.loop);
    assert_string_equal(rig.left.received, "too large");
    assert_true(rig.left.got_end);
    assert_int_equal(rig.relayed.done, 1);
    assert_int_equal(rig.relayed.failure, FAILURE_UPSTREAM_RESET);
    rig_close(&rig);
}

static void silence_both_ways_ends_it_and_any_byte_puts_that_off(void **state)
{
    struct rig rig;
    rig_open(&rig, NULL, NULL, 1000);
    for (int i = 0; i < 5; i++) {
        loop_advance(rig.loop, 999 * NS_PER_MS);
        assert_int_equal(rig.relayed.done, 0);
        raw_peer_send_text(i % 2 ? &rig.left : &rig.right, "x");
        loop_settle(rig.loop);
    }
    loop_advance(rig.loop, 999 * NS_PER_MS);
    assert_int_equal(rig.relayed.done, 0);
    loop_advance(rig.loop, NS_PER_MS);
    assert_int_equal(rig.relayed.done, 1);
    assert_int_equal(rig.relayed.failure, FAILURE_STREAM_IDLE);
    assert_true(rig.left.got_failure);
    assert_true(rig.right.got_failure);
    rig_close(&rig);
}

static void an_owner_may_abort_while_it_is_told_of_bytes(void **state)
{
    struct rig rig;
    rig_open(&rig, NULL, NULL, 1000);
    rig.relayed.abort_on_bytes = true;
    raw_peer_send_text(&rig.left, "x");
    loop_settle(rig.loop);
    assert_null(rig.relayed.pair);
    assert_int_equal(rig.relayed.done, 0);
    assert_true(rig.left.got_failure);
    assert_true(rig.right.got_failure);
    rig_close(&rig);
}

enum { BIG_BYTES = 10000000 };

static char *make_noise(unsigned seed)
{
    char *bytes = mem_alloc(BIG_BYTES);
    for (size_t i = 0; i < BIG_BYTES; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (char)(seed >> 24);
    }
    return bytes;
}

static void bytes_are_exact_both_ways_through_any_pipes(void **state)
{
    char *one = make_noise(1);
    char *two = make_noise(2);
    const size_t length = 300000;
    const struct pipe_options cases[] = {
        {.accept_bytes = 777},
        {.deliver_bytes = 1},
        {.window_bytes = 500, .late = true},
        {.accept_bytes = 20000, .deliver_bytes = 16384},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig rig;
        rig_open(&rig, &cases[i], &cases[i], 0);
        raw_peer_send(&rig.left, one, length);
        raw_peer_send(&rig.right, two, length);
        raw_peer_end(&rig.left);
        raw_peer_end(&rig.right);
        for (int settles = 0; settles < 100 && rig.relayed.done == 0; settles++) {
            loop_settle(rig.loop);
        }
        loop_settle(rig.loop);
        assert_int_equal(rig.relayed.done, 1);
        assert_int_equal(rig.relayed.failure, FAILURE_NONE);
        assert_int_equal(rig.right.received_length, length);
        assert_memory_equal(rig.right.received, one, length);
        assert_int_equal(rig.left.received_length, length);
        assert_memory_equal(rig.left.received, two, length);
        rig_close(&rig);
    }
    mem_free(one);
    mem_free(two);
}

/* The same rig of real sockets. */
struct sockets {
    struct loop *loop;
    struct raw_peer left;
    struct raw_peer right;
    struct relayed relayed;
};

static void sockets_open(struct sockets *sockets)
{
    struct tcp_pair left;
    struct tcp_pair right;
    *sockets = (struct sockets){.loop = loop_create()};
    tcp_pair_open(&left, sockets->loop);
    tcp_pair_open(&right, sockets->loop);
    raw_peer_own(&sockets->left, left.dialled);
    raw_peer_own(&sockets->right, right.accepted);
    sockets->relayed.pair =
        relay_pair_start(left.accepted, right.dialled, 5000, &events, &sockets->relayed);
}

static void sockets_close(struct sockets *sockets)
{
    if (sockets->relayed.pair != NULL) {
        relay_pair_abort(sockets->relayed.pair);
    }
    raw_peer_done(&sockets->left);
    raw_peer_done(&sockets->right);
    loop_destroy(sockets->loop);
    assert_int_equal(chunk_in_use(), 0);
}

static bool both_ended(void *owner)
{
    struct sockets *sockets = owner;
    return sockets->left.got_end && sockets->right.got_end && sockets->relayed.done > 0;
}

static bool right_ended(void *owner)
{
    return ((struct sockets *)owner)->right.got_end;
}

static void exchange_big(struct sockets *sockets)
{
    char *one = make_noise(3);
    char *two = make_noise(4);
    raw_peer_send(&sockets->left, one, BIG_BYTES);
    raw_peer_send(&sockets->right, two, BIG_BYTES);
    raw_peer_end(&sockets->left);
    raw_peer_end(&sockets->right);
    assert_true(loop_run_until(sockets->loop, both_ended, sockets, 60000));
    assert_int_equal(sockets->relayed.failure, FAILURE_NONE);
    assert_int_equal(sockets->relayed.a_to_b, BIG_BYTES);
    assert_int_equal(sockets->relayed.b_to_a, BIG_BYTES);
    assert_int_equal(sockets->right.received_length, BIG_BYTES);
    assert_memory_equal(sockets->right.received, one, BIG_BYTES);
    assert_int_equal(sockets->left.received_length, BIG_BYTES);
    assert_memory_equal(sockets->left.received, two, BIG_BYTES);
    mem_free(one);
    mem_free(two);
}

static void ten_megabytes_both_ways_are_spliced_exactly(void **state)
{
    struct sockets sockets;
    sockets_open(&sockets);
    exchange_big(&sockets);
    /* The pipes have been used and came back empty. */
    assert_true(pipe_pool_count() > 0);
    sockets_close(&sockets);
    assert_int_equal(pipe_pool_count(), 0);
}

static void without_descriptors_for_pipes_bytes_are_copied(void **state)
{
    struct sockets sockets;
    struct rlimit before;
    struct rlimit none;
    sockets_open(&sockets);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    exchange_big(&sockets);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(pipe_pool_count(), 0);
    sockets_close(&sockets);
}

static void half_close_is_kept_while_splicing(void **state)
{
    enum { BYTES = 1000000 };
    struct sockets sockets;
    sockets_open(&sockets);
    char *bytes = make_noise(5);
    raw_peer_send(&sockets.left, bytes, BYTES);
    raw_peer_end(&sockets.left);
    assert_true(loop_run_until(sockets.loop, right_ended, &sockets, 10000));
    assert_int_equal(sockets.relayed.done, 0);
    assert_false(sockets.left.got_end);
    raw_peer_send(&sockets.right, bytes, BYTES);
    raw_peer_end(&sockets.right);
    assert_true(loop_run_until(sockets.loop, both_ended, &sockets, 10000));
    assert_int_equal(sockets.left.received_length, BYTES);
    assert_memory_equal(sockets.left.received, bytes, BYTES);
    mem_free(bytes);
    sockets_close(&sockets);
}

static bool left_failed(void *owner)
{
    return ((struct sockets *)owner)->left.got_failure;
}

static void a_reset_while_splicing_resets_the_other_side(void **state)
{
    struct sockets sockets;
    sockets_open(&sockets);
    raw_peer_listen(&sockets.right, false);
    char *bytes = make_noise(6);
    raw_peer_send(&sockets.left, bytes, BIG_BYTES);
    for (int i = 0; i < 20; i++) {
        loop_turn(sockets.loop);
    }
    transport_abort(sockets.right.transport);
    sockets.right.transport = NULL;
    assert_true(loop_run_until(sockets.loop, left_failed, &sockets, 10000));
    assert_int_equal(sockets.relayed.done, 1);
    assert_int_equal(sockets.relayed.failure, FAILURE_UPSTREAM_RESET);
    mem_free(bytes);
    byte_queue_done(&sockets.right.out);
    sockets_close(&sockets);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(half_close_is_passed_on_and_the_other_way_goes_on),
        cmocka_unit_test(an_idle_relay_holds_no_chunk),
        cmocka_unit_test(preloaded_bytes_come_first),
        cmocka_unit_test(a_slow_reader_holds_the_writer_back),
        cmocka_unit_test(what_was_read_before_the_connection_is_made_is_kept),
        cmocka_unit_test(a_failed_connect_ends_the_relay_with_its_word),
        cmocka_unit_test(a_reset_is_passed_on_as_a_reset),
        cmocka_unit_test(an_early_answer_arrives_though_the_question_cannot_be_sent),
        cmocka_unit_test(silence_both_ways_ends_it_and_any_byte_puts_that_off),
        cmocka_unit_test(an_owner_may_abort_while_it_is_told_of_bytes),
        cmocka_unit_test(bytes_are_exact_both_ways_through_any_pipes),
        cmocka_unit_test(ten_megabytes_both_ways_are_spliced_exactly),
        cmocka_unit_test(without_descriptors_for_pipes_bytes_are_copied),
        cmocka_unit_test(half_close_is_kept_while_splicing),
        cmocka_unit_test(a_reset_while_splicing_resets_the_other_side),
    };
    return TEST_MAIN(cases, argc, argv);
}
