#include "lib/net/tcp.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "tests/fakes/raw_peer.h"
#include "tests/unit/lib/net/socket_fakes.h"
#include "tests/unit/test_main.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

static struct address address_of(const char *text)
{
    struct address address;
    assert_true(address_parse(span_of(text), &address));
    return address;
}

static int get_option(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof(value);
    assert_int_equal(getsockopt(fd, level, name, &value, &length), 0);
    return value;
}

static bool has_failed(void *owner)
{
    return ((struct raw_peer *)owner)->got_failure;
}

static bool has_ended(void *owner)
{
    return ((struct raw_peer *)owner)->got_end;
}

static bool has_bytes(void *owner)
{
    return ((struct raw_peer *)owner)->received_length > 0;
}

static void both_sides_have_their_options_and_addresses(void **state)
{
    struct loop *loop = loop_create();
    struct tcp_pair pair;
    tcp_pair_open(&pair, loop);
    int fds[] = {tcp_descriptor(pair.dialled), tcp_descriptor(pair.accepted)};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(get_option(fds[i], IPPROTO_TCP, TCP_NODELAY), 1);
        assert_int_equal(get_option(fds[i], IPPROTO_TCP, TCP_USER_TIMEOUT), 10000);
        assert_int_equal(get_option(fds[i], SOL_SOCKET, SO_KEEPALIVE), 1);
        assert_int_equal(get_option(fds[i], IPPROTO_TCP, TCP_KEEPIDLE), 30);
        assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
    }
    assert_true(address_equal(&pair.dialled->local, &pair.accepted->peer));
    assert_true(address_equal(&pair.dialled->peer, &pair.accepted->local));
    assert_true(tcp_rtt_us(pair.dialled) > 0);
    transport_close(pair.dialled);
    transport_close(pair.accepted);
    loop_destroy(loop);
}

static void bytes_and_ends_pass_both_ways(void **state)
{
    struct loop *loop = loop_create();
    struct tcp_pair pair;
    struct raw_peer one;
    struct raw_peer two;
    tcp_pair_open(&pair, loop);
    raw_peer_own(&one, pair.dialled);
    raw_peer_own(&two, pair.accepted);
    raw_peer_send_text(&one, "ping");
    raw_peer_end(&one);
    assert_true(loop_run_until(loop, has_ended, &two, 5000));
    assert_string_equal(two.received, "ping");
    raw_peer_send_text(&two, "pong");
    raw_peer_close(&two);
    assert_true(loop_run_until(loop, has_ended, &one, 5000));
    assert_string_equal(one.received, "pong");
    raw_peer_done(&one);
    raw_peer_done(&two);
    loop_destroy(loop);
}

static void a_refused_connect_fails_with_its_word(void **state)
{
    struct loop *loop = loop_create();
    struct accepting accepting;
    accepting_open(&accepting, loop, "127.0.0.1:0");
    struct address at = *acceptor_address(accepting.acceptor);
    accepting_close(&accepting);
    struct raw_peer peer;
    raw_peer_own(&peer, tcp_connect(loop, &(struct tcp_connect){.to = at, .timeout_ms = 5000}));
    assert_int_equal(peer.transport->failure, FAILURE_NONE);
    assert_true(loop_run_until(loop, has_failed, &peer, 5000));
    assert_int_equal(peer.transport->failure, FAILURE_CONNECT_REFUSED);
    assert_string_equal(peer.transport->failure_detail, "Connection refused");
    assert_false(peer.got_ready);
    raw_peer_done(&peer);
    loop_destroy(loop);
}

/* The backlog is full and the kernel answers nothing, as a host that is gone. */
static void a_connect_without_answer_fails_at_its_deadline(void **state)
{
    struct loop *loop = loop_create();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(in);
    struct address at;
    assert_int_equal(bind(listener, (struct sockaddr *)&in, length), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&in, &length), 0);
    assert_true(address_from_sockaddr((struct sockaddr *)&in, &at));
    struct raw_peer peers[4];
    for (int i = 0; i < 4; i++) {
        struct tcp_connect connect = {.to = at, .timeout_ms = 50};
        raw_peer_own(&peers[i], tcp_connect(loop, &connect));
    }
    assert_true(loop_run_until(loop, has_failed, &peers[3], 5000));
    assert_int_equal(peers[3].transport->failure, FAILURE_CONNECT_TIMEOUT);
    for (int i = 0; i < 4; i++) {
        raw_peer_done(&peers[i]);
    }
    close(listener);
    loop_destroy(loop);
}

static void what_fails_at_once_is_told_in_the_loop_and_stays(void **state)
{
    struct loop *loop = loop_create();
    /* The address of a documentation network belongs to nobody here, so it cannot be bound. */
    struct tcp_connect connect = {
        .to = address_of("127.0.0.1:9"), .from = address_of("192.0.2.1:0"), .timeout_ms = 1000};
    struct raw_peer peer;
    raw_peer_own(&peer, tcp_connect(loop, &connect));
    assert_false(peer.got_failure);
    loop_turn(loop);
    assert_true(peer.got_failure);
    assert_int_equal(peer.transport->failure, FAILURE_CONNECT_FAILED);
    peer.got_failure = false;
    raw_peer_listen(&peer, true);
    loop_turn(loop);
    assert_true(peer.got_failure);
    raw_peer_done(&peer);
    loop_destroy(loop);
}

static void a_connect_leaves_the_descriptors_beyond_its_bound_to_others(void **state)
{
    struct loop *loop = loop_create();
    struct accepting accepting;
    accepting_open(&accepting, loop, "127.0.0.1:0");
    struct tcp_connect connect = {.to = *acceptor_address(accepting.acceptor), .timeout_ms = 5000};
    accepting_close(&accepting);
    loop_turn(loop);
    int next = dup(0);
    assert_true(next > 0);
    close(next);
    static const enum failure failures[] = {FAILURE_OVERLOAD, FAILURE_CONNECT_REFUSED};
    for (int allowed = 0; allowed < 2; allowed++) {
        struct raw_peer peer;
        connect.descriptors = next + allowed;
        raw_peer_own(&peer, tcp_connect(loop, &connect));
        assert_true(loop_run_until(loop, has_failed, &peer, 5000));
        assert_int_equal(peer.transport->failure, failures[allowed]);
        raw_peer_done(&peer);
        loop_turn(loop);
    }
    loop_destroy(loop);
}

static void a_connect_uses_the_address_it_is_given(void **state)
{
    struct loop *loop = loop_create();
    struct accepting accepting;
    accepting_open(&accepting, loop, "127.0.0.1:0");
    struct tcp_connect connect = {.to = *acceptor_address(accepting.acceptor),
                                  .from = address_of("127.0.0.77:0"),
                                  .timeout_ms = 5000};
    struct raw_peer peer;
    raw_peer_own(&peer, tcp_connect(loop, &connect));
    while (accepting.count == 0) {
        loop_turn(loop);
    }
    char ip[ADDRESS_TEXT_BYTES];
    address_format_ip(&accepting.peer, ip);
    assert_string_equal(ip, "127.0.0.77");
    assert_true(peer.got_ready);
    assert_true(address_equal(&peer.transport->local, &accepting.peer));
    raw_peer_done(&peer);
    accepting_close(&accepting);
    loop_destroy(loop);
}

struct read_once {
    struct transport *transport;
    ssize_t first;
    ssize_t second;
    bool called;
};

static void on_read_once(void *owner, unsigned events)
{
    struct read_once *once = owner;
    char bytes[100];
    once->first = transport_read(once->transport, bytes, sizeof(bytes));
    /* What came meanwhile is left for the next turn: no system call says that there is no more. */
    once->second = transport_read(once->transport, bytes, sizeof(bytes));
    once->called = true;
    transport_want(once->transport, 0);
}

static bool was_read(void *owner)
{
    return ((struct read_once *)owner)->called;
}

static void a_short_read_is_the_last_of_its_turn(void **state)
{
    struct loop *loop = loop_create();
    struct tcp_pair pair;
    tcp_pair_open(&pair, loop);
    struct read_once once = {.transport = pair.accepted};
    transport_own(pair.accepted, on_read_once, &once);
    struct iovec vector = {"hello", 5};
    assert_int_equal(transport_write(pair.dialled, &vector, 1), 5);
    transport_shutdown(pair.dialled);
    transport_want(pair.accepted, TRANSPORT_READABLE);
    assert_true(loop_run_until(loop, was_read, &once, 5000));
    assert_int_equal(once.first, 5);
    assert_int_equal(once.second, TRANSPORT_AGAIN);
    once.called = false;
    transport_want(pair.accepted, TRANSPORT_READABLE);
    assert_true(loop_run_until(loop, was_read, &once, 5000));
    assert_int_equal(once.first, TRANSPORT_END);
    transport_close(pair.dialled);
    transport_close(pair.accepted);
    loop_destroy(loop);
}

static void an_abort_resets_the_peer(void **state)
{
    for (int dialled = 0; dialled < 2; dialled++) {
        struct loop *loop = loop_create();
        struct tcp_pair pair;
        struct raw_peer peer;
        tcp_pair_open(&pair, loop);
        raw_peer_own(&peer, dialled ? pair.dialled : pair.accepted);
        transport_abort(dialled ? pair.accepted : pair.dialled);
        assert_true(loop_run_until(loop, has_failed, &peer, 5000));
        assert_int_equal(peer.transport->failure,
                         dialled ? FAILURE_UPSTREAM_RESET : FAILURE_DOWNSTREAM_RESET);
        raw_peer_done(&peer);
        loop_destroy(loop);
    }
}

/* A close(2) with unread bytes would send RST and take the answer away from the peer. */
static void a_graceful_close_over_unread_bytes_delivers_all(void **state)
{
    enum { BYTES = 8 << 20 };
    struct loop *loop = loop_create();
    struct tcp_pair pair;
    tcp_pair_open(&pair, loop);
    struct raw_peer peer;
    raw_peer_own(&peer, pair.dialled);
    raw_peer_listen(&peer, false);
    raw_peer_send_text(&peer, "never read");
    loop_turn(loop);
    char *big = mem_zalloc(BYTES);
    struct iovec vector = {big, BYTES};
    ssize_t written = transport_write(pair.accepted, &vector, 1);
    assert_true(written > 0);
    transport_close(pair.accepted);
    raw_peer_listen(&peer, true);
    assert_true(loop_run_until(loop, has_ended, &peer, 5000));
    assert_int_equal(peer.received_length, written);
    assert_false(peer.got_failure);
    raw_peer_done(&peer);
    mem_free(big);
    loop_destroy(loop);
}

static void a_lingering_close_does_not_outlive_its_loop(void **state)
{
    struct loop *loop = loop_create();
    struct tcp_pair pair;
    tcp_pair_open(&pair, loop);
    struct iovec vector = {"unread", 6};
    assert_int_equal(transport_write(pair.dialled, &vector, 1), 6);
    transport_close(pair.accepted);
    loop_turn(loop);
    transport_abort(pair.dialled);
    loop_destroy(loop);
}

static void last_words_can_be_read_after_a_write_failed(void **state)
{
    struct loop *loop = loop_create();
    struct tcp_pair pair;
    tcp_pair_open(&pair, loop);
    struct iovec question = {"question", 8};
    struct iovec answer = {"too large", 9};
    assert_int_equal(transport_write(pair.dialled, &question, 1), 8);
    assert_int_equal(transport_write(pair.accepted, &answer, 1), 9);
    /* close(2) over unread bytes: answer, then RST. */
    transport_shutdown(pair.accepted);
    int fd = dup(tcp_descriptor(pair.accepted));
    transport_abort(pair.accepted);
    struct linger off = {0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off)), 0);
    close(fd);
    ssize_t written = 0;
    for (int i = 0; i < 100 && written >= 0; i++) {
        written = transport_write(pair.dialled, &question, 1);
        loop_turn(loop);
    }
    assert_int_equal(written, TRANSPORT_FAILED);
    assert_int_equal(pair.dialled->failure, FAILURE_UPSTREAM_RESET);
    char bytes[64];
    assert_int_equal(transport_read(pair.dialled, bytes, sizeof(bytes)), 9);
    assert_memory_equal(bytes, "too large", 9);
    assert_int_equal(transport_read(pair.dialled, bytes, sizeof(bytes)), TRANSPORT_FAILED);
    transport_abort(pair.dialled);
    loop_destroy(loop);
}

static void a_shutdown_before_the_connection_is_done_comes_after_it(void **state)
{
    struct loop *loop = loop_create();
    struct accepting accepting;
    accepting_open(&accepting, loop, "127.0.0.1:0");
    struct tcp_connect connect = {.to = *acceptor_address(accepting.acceptor), .timeout_ms = 5000};
    struct transport *dialled = tcp_connect(loop, &connect);
    transport_shutdown(dialled);
    while (accepting.count == 0) {
        loop_turn(loop);
    }
    struct raw_peer peer;
    raw_peer_own(&peer, tcp_adopt(loop, accepting.fds[0], NULL, NULL));
    accepting.fds[0] = -1;
    assert_true(loop_run_until(loop, has_ended, &peer, 5000));
    raw_peer_done(&peer);
    transport_abort(dialled);
    accepting_close(&accepting);
    loop_destroy(loop);
}

static void unread_bytes_come_before_those_of_the_socket(void **state)
{
    struct loop *loop = loop_create();
    struct tcp_pair pair;
    tcp_pair_open(&pair, loop);
    struct raw_peer peer;
    transport_unread(pair.accepted, SPAN("first"));
    raw_peer_own(&peer, pair.accepted);
    assert_true(loop_run_until(loop, has_bytes, &peer, 5000));
    assert_string_equal(peer.received, "first");
    raw_peer_done(&peer);
    transport_abort(pair.dialled);
    loop_destroy(loop);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(both_sides_have_their_options_and_addresses),
        cmocka_unit_test(bytes_and_ends_pass_both_ways),
        cmocka_unit_test(a_refused_connect_fails_with_its_word),
        cmocka_unit_test(a_connect_without_answer_fails_at_its_deadline),
        cmocka_unit_test(what_fails_at_once_is_told_in_the_loop_and_stays),
        cmocka_unit_test(a_connect_leaves_the_descriptors_beyond_its_bound_to_others),
        cmocka_unit_test(a_connect_uses_the_address_it_is_given),
        cmocka_unit_test(a_short_read_is_the_last_of_its_turn),
        cmocka_unit_test(an_abort_resets_the_peer),
        cmocka_unit_test(a_graceful_close_over_unread_bytes_delivers_all),
        cmocka_unit_test(a_lingering_close_does_not_outlive_its_loop),
        cmocka_unit_test(last_words_can_be_read_after_a_write_failed),
        cmocka_unit_test(a_shutdown_before_the_connection_is_done_comes_after_it),
        cmocka_unit_test(unread_bytes_come_before_those_of_the_socket),
    };
    return TEST_MAIN(cases, argc, argv);
}
