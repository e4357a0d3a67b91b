#include "lib/net/transport.h"

#include "tests/fakes/pipe_transport.h"
#include "tests/fakes/raw_peer.h"
#include "tests/unit/test_main.h"

struct pair {
    struct loop *loop;
    struct transport *a;
    struct transport *b;
};

static struct pair make_pair(const struct pipe_options *a, const struct pipe_options *b)
{
    struct pair pair = {.loop = loop_create_simulated(0)};
    pipe_transports(pair.loop, a, b, &pair.a, &pair.b);
    return pair;
}

static void done(struct pair *pair)
{
    if (pair->a != NULL) {
        transport_abort(pair->a);
    }
    if (pair->b != NULL) {
        transport_abort(pair->b);
    }
    loop_destroy(pair->loop);
}

static ssize_t write_text(struct transport *transport, const char *text)
{
    struct iovec vector = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    return transport_write(transport, &vector, 1);
}

struct counted {
    struct transport *transport;
    unsigned events;
    int calls;
    bool close_it;
};

static void on_counted(void *owner, unsigned events)
{
    struct counted *counted = owner;
    counted->calls++;
    counted->events = events;
    if (counted->close_it) {
        transport_close(counted->transport);
        counted->transport = NULL;
    }
}

static void readable_is_told_each_turn_while_it_is_wanted(void **state)
{
    struct pair pair = make_pair(NULL, NULL);
    struct counted counted = {.transport = pair.b};
    transport_own(pair.b, on_counted, &counted);
    assert_int_equal(write_text(pair.a, "x"), 1);
    loop_turn(pair.loop);
    assert_int_equal(counted.calls, 0);
    transport_want(pair.b, TRANSPORT_READABLE);
    assert_int_equal(counted.calls, 0);
    loop_turn(pair.loop);
    loop_turn(pair.loop);
    assert_int_equal(counted.calls, 2);
    assert_int_equal(counted.events, TRANSPORT_READABLE);
    transport_want(pair.b, 0);
    loop_turn(pair.loop);
    assert_int_equal(counted.calls, 2);
    done(&pair);
}

static void what_is_given_back_is_read_first_and_told_each_turn(void **state)
{
    struct pair pair = make_pair(NULL, NULL);
    struct counted counted = {.transport = pair.b};
    char bytes[16] = "";
    transport_own(pair.b, on_counted, &counted);
    write_text(pair.a, "cdef");
    transport_unread(pair.b, SPAN("b"));
    transport_unread(pair.b, SPAN("a"));
    transport_want(pair.b, TRANSPORT_READABLE);
    loop_turn(pair.loop);
    loop_turn(pair.loop);
    assert_true(counted.calls >= 2);
    assert_int_equal(transport_read(pair.b, bytes, 1), 1);
    assert_int_equal(transport_read(pair.b, bytes + 1, 5), 1);
    assert_int_equal(transport_read(pair.b, bytes + 2, 5), 4);
    assert_string_equal(bytes, "abcdef");
    loop_turn(pair.loop);
    counted.calls = 0;
    loop_turn(pair.loop);
    assert_int_equal(counted.calls, 0);
    done(&pair);
}

static void bytes_given_back_alone_are_told_too(void **state)
{
    struct pair pair = make_pair(NULL, NULL);
    struct counted counted = {.transport = pair.b};
    transport_own(pair.b, on_counted, &counted);
    transport_want(pair.b, TRANSPORT_READABLE);
    transport_unread(pair.b, SPAN("hello"));
    assert_int_equal(counted.calls, 0);
    loop_turn(pair.loop);
    loop_turn(pair.loop);
    assert_int_equal(counted.calls, 2);
    done(&pair);
}

static void an_owner_may_close_in_its_callback(void **state)
{
    struct pair pair = make_pair(NULL, NULL);
    struct counted counted = {.transport = pair.b, .close_it = true};
    transport_own(pair.b, on_counted, &counted);
    transport_want(pair.b, TRANSPORT_READABLE);
    transport_unread(pair.b, SPAN("hello"));
    loop_settle(pair.loop);
    assert_int_equal(counted.calls, 1);
    assert_int_equal(pipe_other_end(pair.a), PIPE_CLOSED);
    pair.b = NULL;
    done(&pair);
}

static void ready_is_told_once_and_unwanted(void **state)
{
    struct pipe_options connecting = {.connecting = true};
    struct pair pair = make_pair(&connecting, NULL);
    struct counted counted = {.transport = pair.a};
    char byte;
    transport_own(pair.a, on_counted, &counted);
    write_text(pair.b, "early");
    assert_int_equal(write_text(pair.a, "x"), 0);
    assert_int_equal(transport_read(pair.a, &byte, 1), TRANSPORT_AGAIN);
    loop_settle(pair.loop);
    assert_int_equal(counted.calls, 0);
    pipe_connected(pair.a);
    loop_settle(pair.loop);
    assert_int_equal(counted.calls, 1);
    assert_int_equal(counted.events, TRANSPORT_READY);
    assert_true(pair.a->is_ready);
    done(&pair);
}

static void a_failed_connect_is_a_read_failure(void **state)
{
    struct pipe_options connecting = {.connecting = true};
    struct pair pair = make_pair(&connecting, NULL);
    struct raw_peer peer;
    raw_peer_own(&peer, pair.a);
    pipe_fail(pair.a, FAILURE_CONNECT_REFUSED);
    loop_settle(pair.loop);
    assert_true(peer.got_failure);
    assert_false(peer.got_ready);
    assert_int_equal(pair.a->failure, FAILURE_CONNECT_REFUSED);
    raw_peer_done(&peer);
    pair.a = NULL;
    done(&pair);
}

static void the_first_failure_stays(void **state)
{
    struct pair pair = make_pair(NULL, NULL);
    assert_int_equal(transport_fail(pair.a, FAILURE_PING_TIMEOUT, "one"), TRANSPORT_FAILED);
    transport_fail(pair.a, FAILURE_INTERNAL, "two");
    assert_int_equal(pair.a->failure, FAILURE_PING_TIMEOUT);
    assert_string_equal(pair.a->failure_detail, "one");
    done(&pair);
}

/* Every way of a difficult network, and the bytes arrive all the same. */
static void bytes_arrive_exactly_whatever_the_pipe_does(void **state)
{
    enum { BYTES = 200000 };
    static char sent[BYTES];
    for (size_t i = 0; i < BYTES; i++) {
        sent[i] = (char)(i * 7 + i / 251);
    }
    const struct pipe_options cases[] = {
        {0},
        {.accept_bytes = 333},
        {.window_bytes = 1000},
        {.deliver_bytes = 777},
        {.late = true, .accept_bytes = 4096},
        {.accept_bytes = 1000, .deliver_bytes = 999, .window_bytes = 5000, .late = true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair pair = make_pair(&cases[i], &cases[i]);
        struct raw_peer a;
        struct raw_peer b;
        raw_peer_own(&a, pair.a);
        raw_peer_own(&b, pair.b);
        raw_peer_send(&a, sent, BYTES);
        raw_peer_end(&a);
        for (int turns = 0; turns < 5000 && !b.got_end; turns++) {
            loop_turn(pair.loop);
        }
        assert_true(b.got_end);
        assert_int_equal(b.received_length, BYTES);
        assert_memory_equal(b.received, sent, BYTES);
        raw_peer_done(&a);
        raw_peer_done(&b);
        loop_destroy(pair.loop);
    }
}

static void a_stalled_pipe_takes_no_more_until_it_is_told(void **state)
{
    struct pipe_options stalls = {.stall = true, .stall_after = 3};
    struct pair pair = make_pair(&stalls, NULL);
    struct raw_peer a;
    struct raw_peer b;
    raw_peer_own(&a, pair.a);
    raw_peer_own(&b, pair.b);
    raw_peer_send_text(&a, "abcdef");
    assert_true(loop_settle(pair.loop) < 10);
    assert_string_equal(b.received, "abc");
    assert_int_equal(pair.a->wanted, TRANSPORT_READABLE | TRANSPORT_WRITABLE);
    pipe_resume(pair.a);
    loop_settle(pair.loop);
    assert_string_equal(b.received, "abcdef");
    assert_int_equal(pair.a->wanted, TRANSPORT_READABLE);
    raw_peer_done(&a);
    raw_peer_done(&b);
    loop_destroy(pair.loop);
}

static void a_fault_comes_at_its_byte(void **state)
{
    const struct {
        enum pipe_fault fault;
        bool reader_ends;
        bool reader_fails;
        bool writer_fails_reading;
    } cases[] = {
        {PIPE_FAULT_END, true, false, false},
        {PIPE_FAULT_RESET, false, true, true},
        {PIPE_FAULT_WRITE, false, false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pipe_options options = {.fault = cases[i].fault, .fault_at = 4};
        struct pair pair = make_pair(&options, NULL);
        struct raw_peer a;
        struct raw_peer b;
        raw_peer_own(&a, pair.a);
        raw_peer_own(&b, pair.b);
        raw_peer_send_text(&a, "abcdef");
        loop_settle(pair.loop);
        assert_string_equal(b.received, "abcd");
        assert_int_equal(b.got_end, cases[i].reader_ends);
        assert_int_equal(b.got_failure, cases[i].reader_fails);
        assert_int_equal(a.got_failure, cases[i].writer_fails_reading);
        assert_int_equal(write_text(pair.a, "x"), TRANSPORT_FAILED);
        raw_peer_done(&a);
        raw_peer_done(&b);
        loop_destroy(pair.loop);
    }
}

static void an_abort_is_a_failure_and_a_close_an_end(void **state)
{
    for (int graceful = 0; graceful < 2; graceful++) {
        struct pair pair = make_pair(NULL, NULL);
        struct raw_peer b;
        raw_peer_own(&b, pair.b);
        write_text(pair.a, "last");
        (graceful ? transport_close : transport_abort)(pair.a);
        loop_settle(pair.loop);
        assert_string_equal(b.received, "last");
        assert_int_equal(b.got_end, graceful);
        assert_int_equal(b.got_failure, !graceful);
        assert_int_equal(pipe_other_end(pair.b), graceful ? PIPE_CLOSED : PIPE_ABORTED);
        raw_peer_done(&b);
        loop_destroy(pair.loop);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(readable_is_told_each_turn_while_it_is_wanted),
        cmocka_unit_test(what_is_given_back_is_read_first_and_told_each_turn),
        cmocka_unit_test(bytes_given_back_alone_are_told_too),
        cmocka_unit_test(an_owner_may_close_in_its_callback),
        cmocka_unit_test(ready_is_told_once_and_unwanted),
        cmocka_unit_test(a_failed_connect_is_a_read_failure),
        cmocka_unit_test(the_first_failure_stays),
        cmocka_unit_test(bytes_arrive_exactly_whatever_the_pipe_does),
        cmocka_unit_test(a_stalled_pipe_takes_no_more_until_it_is_told),
        cmocka_unit_test(a_fault_comes_at_its_byte),
        cmocka_unit_test(an_abort_is_a_failure_and_a_close_an_end),
    };
    return TEST_MAIN(cases, argc, argv);
}
