#include "lib/net/acceptor.h"

#include "lib/base/clock.h"
#include "lib/net/tcp.h"
#include "tests/fakes/raw_peer.h"
#include "tests/unit/lib/net/socket_fakes.h"
#include "tests/unit/test_main.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

static int dial(const struct address *at)
{
    struct sockaddr_storage storage;
    socklen_t length = address_to_sockaddr(at, false, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&storage, length), 0);
    return fd;
}

static bool has_one(void *owner)
{
    return ((struct accepting *)owner)->count >= 1;
}

static void an_accepted_descriptor_is_non_blocking_with_both_addresses(void **state)
{
    struct loop *loop = loop_create();
    struct accepting accepting;
    accepting_open(&accepting, loop, "127.0.0.1:0");
    assert_true(acceptor_address(accepting.acceptor)->port > 0);
    int fd = dial(acceptor_address(accepting.acceptor));
    assert_true(loop_run_until(loop, has_one, &accepting, 5000));
    assert_true(fcntl(accepting.fds[0], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(accepting.fds[0], F_GETFD) & FD_CLOEXEC);
    assert_true(address_equal(&accepting.local, acceptor_address(accepting.acceptor)));
    assert_true(address_is_loopback(&accepting.peer));
    close(fd);
    accepting_close(&accepting);
    loop_destroy(loop);
}

static void the_ipv6_wildcard_takes_ipv4_and_shows_it_as_ipv4(void **state)
{
    struct loop *loop = loop_create();
    struct accepting accepting;
    accepting_open(&accepting, loop, "[::]:0");
    struct address at = {.family = 4, .bytes = {127, 0, 0, 1}};
    at.port = acceptor_address(accepting.acceptor)->port;
    int fd = dial(&at);
    assert_true(loop_run_until(loop, has_one, &accepting, 5000));
    assert_int_equal(accepting.peer.family, 4);
    assert_true(address_equal(&accepting.local, &at));
    close(fd);
    accepting_close(&accepting);
    loop_destroy(loop);
}

static void an_address_in_use_is_refused_with_its_error(void **state)
{
    struct loop *loop = loop_create();
    struct accepting accepting;
    accepting_open(&accepting, loop, "127.0.0.1:0");
    struct acceptor_options again = {.at = *acceptor_address(accepting.acceptor)};
    struct acceptor_events events = {0};
    int error = 0;
    assert_null(acceptor_open(loop, &again, &events, NULL, &error));
    assert_int_equal(error, EADDRINUSE);
    accepting_close(&accepting);
    loop_destroy(loop);
}

static void sockets_of_several_workers_share_a_port(void **state)
{
    struct loop *loop = loop_create();
    struct acceptor_events events = {0};
    struct acceptor_options options = {.reuse_port = true};
    int error = 0;
    assert_true(address_parse(SPAN("127.0.0.1:0"), &options.at));
    struct acceptor *one = acceptor_open(loop, &options, &events, NULL, &error);
    assert_non_null(one);
    options.at = *acceptor_address(one);
    struct acceptor *two = acceptor_open(loop, &options, &events, NULL, &error);
    assert_non_null(two);
    assert_true(address_equal(acceptor_address(one), acceptor_address(two)));
    acceptor_close(one);
    acceptor_close(two);
    loop_destroy(loop);
}

static void a_flood_takes_no_more_than_its_share_of_a_turn(void **state)
{
    enum { DIALLED = ACCEPTS_PER_TURN + 10 };
    struct loop *loop = loop_create();
    struct accepting accepting;
    int fds[DIALLED];
    accepting_open(&accepting, loop, "127.0.0.1:0");
    for (int i = 0; i < DIALLED; i++) {
        fds[i] = dial(acceptor_address(accepting.acceptor));
    }
    loop_turn(loop);
    assert_int_equal(accepting.count, ACCEPTS_PER_TURN);
    loop_turn(loop);
    assert_int_equal(accepting.count, DIALLED);
    for (int i = 0; i < DIALLED; i++) {
        close(fds[i]);
    }
    accepting_close(&accepting);
    loop_destroy(loop);
}

static void a_paused_acceptor_leaves_connections_waiting(void **state)
{
    struct loop *loop = loop_create();
    struct accepting accepting;
    accepting_open(&accepting, loop, "127.0.0.1:0");
    acceptor_pause(accepting.acceptor);
    int fd = dial(acceptor_address(accepting.acceptor));
    loop_turn(loop);
    assert_int_equal(accepting.count, 0);
    acceptor_resume(accepting.acceptor);
    assert_true(loop_run_until(loop, has_one, &accepting, 5000));
    close(fd);
    accepting_close(&accepting);
    loop_destroy(loop);
}

static bool is_exhausted(void *owner)
{
    return ((struct accepting *)owner)->exhausted > 0;
}

static bool never(void *owner)
{
    return false;
}

static int highest_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    close(fd);
    return fd;
}

static void limit_descriptors(int count, struct rlimit *ret_before)
{
    assert_int_equal(getrlimit(RLIMIT_NOFILE, ret_before), 0);
    struct rlimit limit = {.rlim_cur = (rlim_t)count, .rlim_max = ret_before->rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* CVE-2020-8663: out of descriptors must be neither a busy loop nor the end of accepting. */
static void without_descriptors_it_refuses_rests_and_recovers(void **state)
{
    struct loop *loop = loop_create();
    struct accepting accepting;
    struct rlimit before;
    accepting_open(&accepting, loop, "127.0.0.1:0");
    struct address at = *acceptor_address(accepting.acceptor);
    int refused = dial(&at);
    int waits = dial(&at);
    limit_descriptors(highest_descriptor(), &before);
    assert_true(loop_run_until(loop, is_exhausted, &accepting, 5000));
    assert_int_equal(accepting.exhausted, 1);
    assert_int_equal(accepting.count, 0);
    /* The client was told, not left hanging. */
    char byte;
    assert_int_equal(read(refused, &byte, 1), 0);
    /* It rests, though one waits: a turn or two, no spin. */
    uint64_t turns = loop_turns(loop);
    assert_false(loop_run_until(loop, never, NULL, 50));
    assert_true(loop_turns(loop) - turns < 10);
    assert_int_equal(accepting.exhausted, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    int64_t begin_ns = clock_now_ns();
    assert_true(loop_run_until(loop, has_one, &accepting, 5000));
    assert_true(clock_now_ns() - begin_ns < NS_PER_S);
    close(refused);
    close(waits);
    accepting_close(&accepting);
    loop_destroy(loop);
}

static void a_listening_descriptor_can_be_taken_over(void **state)
{
    struct loop *loop = loop_create();
    struct sockaddr_storage storage;
    struct address at = {.family = 4, .bytes = {127, 0, 0, 1}};
    socklen_t length = address_to_sockaddr(&at, false, &storage);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&storage, length), 0);
    assert_int_equal(listen(listener, 10), 0);
    struct acceptor_events events = {0};
    struct acceptor *acceptor = acceptor_adopt(loop, listener, &events, NULL);
    assert_true(acceptor_address(acceptor)->port > 0);
    assert_true(fcntl(listener, F_GETFL) & O_NONBLOCK);
    /* Nobody waits: a turn does not block in accept. */
    loop_turn(loop);
    acceptor_close(acceptor);
    loop_destroy(loop);
}

struct closing {
    struct acceptor *acceptor;
    int count;
};

static void close_it(void *owner, int fd, const struct address *local, const struct address *peer)
{
    struct closing *closing = owner;
    close(fd);
    closing->count++;
    acceptor_close(closing->acceptor);
}

static void it_may_be_closed_while_it_accepts(void **state)
{
    static const struct acceptor_events events = {.on_accept = close_it};
    struct loop *loop = loop_create();
    struct acceptor_options options = {.at = {.family = 4, .bytes = {127, 0, 0, 1}}};
    struct closing closing = {0};
    int error = 0;
    closing.acceptor = acceptor_open(loop, &options, &events, &closing, &error);
    assert_non_null(closing.acceptor);
    int one = dial(acceptor_address(closing.acceptor));
    int two = dial(acceptor_address(closing.acceptor));
    loop_turn(loop);
    loop_turn(loop);
    assert_int_equal(closing.count, 1);
    close(one);
    close(two);
    loop_destroy(loop);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(an_accepted_descriptor_is_non_blocking_with_both_addresses),
        cmocka_unit_test(the_ipv6_wildcard_takes_ipv4_and_shows_it_as_ipv4),
        cmocka_unit_test(an_address_in_use_is_refused_with_its_error),
        cmocka_unit_test(sockets_of_several_workers_share_a_port),
        cmocka_unit_test(a_flood_takes_no_more_than_its_share_of_a_turn),
        cmocka_unit_test(a_paused_acceptor_leaves_connections_waiting),
        cmocka_unit_test(without_descriptors_it_refuses_rests_and_recovers),
        cmocka_unit_test(a_listening_descriptor_can_be_taken_over),
        cmocka_unit_test(it_may_be_closed_while_it_accepts),
    };
    return TEST_MAIN(cases, argc, argv);
}
