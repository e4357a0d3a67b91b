#include "tests/unit/test_main.h"

#include "proxy/front/original_dst.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct address address_of(const char *text)
{
    struct address address;
    assert_true(address_parse(span_of(text), &address));
    return address;
}

static const uint16_t ports[] = {15001, 15006, 15008, 15020, 15021, 15000};

static void connections_that_lead_back_are_loops(void **state)
{
    static const struct {
        const char *dst;
        const char *local;
        bool is_loop;
    } cases[] = {
        /* What clients mean. */
        {"10.0.0.9:8080", "10.0.0.9:15006", false},
        {"[fd00::9]:8080", "[fd00::9]:15006", false},
        {"10.96.0.10:80", "127.0.0.1:15001", false},
        {"10.0.0.7:15006", "127.0.0.1:15001", false},
        {"[fd00::7]:15001", "[::1]:15001", false},
        {"127.0.0.1:8080", "127.0.0.1:15001", false},
        /* A listener dialled directly: there was no redirect. */
        {"10.0.0.9:15006", "10.0.0.9:15006", true},
        {"127.0.0.1:15001", "127.0.0.1:15001", true},
        {"[::1]:15001", "[::1]:15001", true},
        {"172.16.0.1:4143", "172.16.0.1:4143", true},
        /* One listener's port led to another. */
        {"10.0.0.9:15001", "10.0.0.9:15006", true},
        {"[fd00::9]:15001", "[fd00::9]:15006", true},
        {"10.0.0.9:15000", "10.0.0.9:15006", true},
        {"10.0.0.9:15020", "10.0.0.9:15006", true},
        {"10.1.0.9:15006", "10.0.0.9:15001", true},
        {"127.0.0.1:15006", "127.0.0.1:15001", true},
        {"127.0.0.6:15006", "127.0.0.1:15001", true},
        {"[::1]:15021", "[fd00::9]:15006", true},
        {"0.0.0.0:15006", "127.0.0.1:15001", true},
        {"[::]:15008", "[::1]:15001", true},
    };
    const struct address addresses[] = {address_of("10.0.0.9:0"), address_of("10.1.0.9:0"),
                                        address_of("[fd00::9]:0")};
    const struct own_places own = {addresses, 3, ports, sizeof(ports) / sizeof(ports[0])};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address dst = address_of(cases[i].dst);
        struct address local = address_of(cases[i].local);
        if (original_dst_is_loop(&dst, &local, &own) != cases[i].is_loop) {
            fail_msg("%s at %s", cases[i].dst, cases[i].local);
        }
    }
}

/* A network namespace of our own, with loopback up; false where we may not. */
static bool enter_empty_network(void)
{
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return false;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    bool done = ioctl(fd, SIOCSIFFLAGS, &loopback) == 0;
    close(fd);
    return done && system("nft -v >/dev/null 2>&1") == 0;
}

static int listen_at(const char *text, struct address *ret_bound)
{
    struct address at = address_of(text);
    struct sockaddr_storage storage;
    socklen_t length = address_to_sockaddr(&at, false, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&storage, length), 0);
    assert_int_equal(listen(fd, 4), 0);
    length = sizeof(storage);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&storage, &length), 0);
    assert_true(address_from_sockaddr((struct sockaddr *)&storage, ret_bound));
    return fd;
}

/* Dials and asks at the listener. */
static enum failure find_for(int listener, const struct address *to, struct address *ret_dst)
{
    struct sockaddr_storage storage;
    struct address local;
    struct address peer;
    const struct own_places own = {NULL, 0, ports, sizeof(ports) / sizeof(ports[0])};
    socklen_t length = address_to_sockaddr(to, false, &storage);
    int client = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&storage, length), 0);
    length = sizeof(storage);
    int server = accept4(listener, (struct sockaddr *)&storage, &length, SOCK_CLOEXEC);
    assert_true(server >= 0);
    assert_true(address_from_sockaddr((struct sockaddr *)&storage, &peer));
    length = sizeof(storage);
    assert_int_equal(getsockname(server, (struct sockaddr *)&storage, &length), 0);
    assert_true(address_from_sockaddr((struct sockaddr *)&storage, &local));
    enum failure failure = original_dst_find(server, &local, &peer, &own, ret_dst);
    close(server);
    close(client);
    return failure;
}

static void a_connection_that_nothing_tracks_has_no_original_destination(void **state)
{
    if (!enter_empty_network()) {
        skip();
    }
    struct address bound;
    struct address dst = {.family = 9};
    int listener = listen_at("127.0.0.1:0", &bound);
    assert_int_equal(find_for(listener, &bound, &dst), FAILURE_NO_ORIGINAL_DST);
    assert_int_equal(dst.family, 9);
    close(listener);
}

static void a_redirected_connection_tells_where_it_wanted_to_go(void **state)
{
    static const char *const dialled[] = {"127.0.0.1:7777", "[::1]:7777"};
    static const char *const at[] = {"127.0.0.1:0", "[::1]:0"};
    if (!enter_empty_network()) {
        skip();
    }
    for (size_t i = 0; i < 2; i++) {
        struct address bound;
        struct address dst;
        struct address wanted = address_of(dialled[i]);
        char command[512];
        int listener = listen_at(at[i], &bound);
        snprintf(command, sizeof(command),
                 "nft 'add table inet t; delete table inet t; table inet t { chain out { type nat "
                 "hook output priority -100; tcp dport 7777 redirect to :%u; }; }'",
                 bound.port);
        assert_int_equal(system(command), 0);
        assert_int_equal(find_for(listener, &wanted, &dst), FAILURE_NONE);
        assert_true(address_equal(&dst, &wanted));
        /* The listener itself, dialled without a redirect. */
        assert_int_equal(find_for(listener, &bound, &dst), FAILURE_LOOP);
        assert_true(address_equal(&dst, &wanted));
        close(listener);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(connections_that_lead_back_are_loops),
        cmocka_unit_test(a_connection_that_nothing_tracks_has_no_original_destination),
        cmocka_unit_test(a_redirected_connection_tells_where_it_wanted_to_go),
    };
    return TEST_MAIN(cases, argc, argv);
}
