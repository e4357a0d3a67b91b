#include "tests/unit/test_main.h"

#include "proxy/redirect/probe.h"
#include "proxy/redirect/token_door.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

static const struct address loopback4 = {.family = 4, .bytes = {127, 0, 0, 1}};

static struct probe_wish wish_for(uint16_t port)
{
    struct probe_wish wish = {.uid = geteuid(),
                              .gid = getegid(),
                              .to = loopback4,
                              .timeout_ms = 5000,
                              .reads_line = true};
    wish.to.port = port;
    return wish;
}

/* Serves the door until the probe has ended; its own deadline bounds the wait. */
static void finish(struct probe *probe, struct token_door *door)
{
    while (!probe->is_done) {
        struct pollfd pollers[2] = {{.fd = probe->result, .events = POLLIN},
                                    {.fd = door != NULL ? door->fd : -1, .events = POLLIN}};
        assert_true(poll(pollers, 2, 10000) > 0);
        if (pollers[1].revents != 0) {
            token_door_greet(door);
        }
        if (pollers[0].revents != 0) {
            probe_collect(probe);
        }
    }
}

static void a_visitor_of_the_door_hears_the_token_and_its_name(void **state)
{
    char token[TOKEN_BYTES];
    struct token_door door;
    struct probe probe;
    token_make(token);
    assert_true(token_door_open(&door, "outbound", &loopback4, token));
    assert_int_equal(door.state, TOKEN_DOOR_OURS);
    assert_int_not_equal(door.port, 0);
    struct probe_wish wish = wish_for(door.port);
    assert_true(probe_start(&probe, &wish));
    finish(&probe, &door);
    assert_int_equal(probe.outcome.failed_at, PROBE_DONE);
    assert_memory_equal(probe.outcome.line, token, TOKEN_BYTES - 1);
    assert_memory_equal(probe.outcome.line + TOKEN_BYTES - 1, " outbound ", 10);
    probe_stop(&probe);
    token_door_close(&door);
}

static void a_door_whose_port_is_taken_says_so(void **state)
{
    char token[TOKEN_BYTES];
    struct token_door first;
    struct token_door second;
    token_make(token);
    assert_true(token_door_open(&first, "inbound", &loopback4, token));
    struct address same = loopback4;
    same.port = first.port;
    assert_true(token_door_open(&second, "inbound", &same, token));
    assert_int_equal(second.state, TOKEN_DOOR_TAKEN);
    token_door_close(&second);
    token_door_close(&first);
}

static void a_refused_connection_is_told_with_its_reason(void **state)
{
    char token[TOKEN_BYTES];
    struct token_door door;
    struct probe probe;
    token_make(token);
    assert_true(token_door_open(&door, "outbound", &loopback4, token));
    struct probe_wish wish = wish_for(door.port);
    token_door_close(&door);
    assert_true(probe_start(&probe, &wish));
    finish(&probe, NULL);
    assert_int_equal(probe.outcome.failed_at, PROBE_CONNECT);
    assert_int_equal(probe.outcome.error, ECONNREFUSED);
    probe_stop(&probe);
}

static void somebody_who_says_nothing_is_not_waited_for_longer_than_asked(void **state)
{
    char token[TOKEN_BYTES];
    struct token_door door;
    struct probe probe;
    token_make(token);
    assert_true(token_door_open(&door, "outbound", &loopback4, token));
    struct probe_wish wish = wish_for(door.port);
    wish.timeout_ms = 50;
    assert_true(probe_start(&probe, &wish));
    finish(&probe, NULL);
    assert_int_equal(probe.outcome.failed_at, PROBE_READ);
    assert_int_equal(probe.outcome.error, ETIMEDOUT);
    probe_stop(&probe);
    token_door_close(&door);
}

static void a_source_address_that_is_not_here_cannot_be_bound(void **state)
{
    struct probe probe;
    struct probe_wish wish = wish_for(1);
    wish.from = (struct address){.family = 4, .bytes = {192, 0, 2, 7}};
    assert_true(probe_start(&probe, &wish));
    finish(&probe, NULL);
    assert_int_equal(probe.outcome.failed_at, PROBE_BIND);
    assert_int_equal(probe.outcome.error, EADDRNOTAVAIL);
    probe_stop(&probe);
}

static void a_probe_that_still_runs_can_be_stopped(void **state)
{
    char token[TOKEN_BYTES];
    struct token_door door;
    struct probe probe;
    struct probe never = {0};
    token_make(token);
    assert_true(token_door_open(&door, "outbound", &loopback4, token));
    struct probe_wish wish = wish_for(door.port);
    wish.timeout_ms = 60000;
    assert_true(probe_start(&probe, &wish));
    probe_stop(&probe);
    assert_int_equal(probe.child, 0);
    probe_stop(&probe);
    probe_stop(&never);
    token_door_close(&door);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_visitor_of_the_door_hears_the_token_and_its_name),
        cmocka_unit_test(a_door_whose_port_is_taken_says_so),
        cmocka_unit_test(a_refused_connection_is_told_with_its_reason),
        cmocka_unit_test(somebody_who_says_nothing_is_not_waited_for_longer_than_asked),
        cmocka_unit_test(a_source_address_that_is_not_here_cannot_be_bound),
        cmocka_unit_test(a_probe_that_still_runs_can_be_stopped),
    };
    return TEST_MAIN(cases, argc, argv);
}
