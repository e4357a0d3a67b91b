#include "lib/net/resolver.h"

#include "lib/base/clock.h"
#include "tests/unit/lib/net/dns_server.h"
#include "tests/unit/test_main.h"

struct asked {
    int calls;
    enum resolver_status status;
    size_t count;
    struct address addresses[RESOLVER_ADDRESSES];
    int64_t ttl_ms;
    struct resolver *destroy;
};

static void on_answer(void *owner, const struct resolver_answer *answer)
{
    struct asked *asked = owner;
    asked->calls++;
    asked->status = answer->status;
    asked->count = answer->count;
    asked->ttl_ms = answer->ttl_ms;
    assert_true(answer->count <= RESOLVER_ADDRESSES);
    memcpy(asked->addresses, answer->addresses, answer->count * sizeof(struct address));
    if (asked->destroy != NULL) {
        resolver_destroy(asked->destroy);
    }
}

static bool was_answered(void *owner)
{
    return ((struct asked *)owner)->calls > 0;
}

struct rig {
    struct loop *loop;
    struct dns_server server;
    struct resolver *resolver;
};

static void rig_open(struct rig *rig)
{
    char servers[64];
    rig->loop = loop_create();
    dns_server_open(&rig->server, rig->loop);
    snprintf(servers, sizeof(servers), "127.0.0.1:%u", rig->server.port);
    rig->resolver = resolver_create(rig->loop, servers);
    assert_non_null(rig->resolver);
}

static void rig_close(struct rig *rig)
{
    resolver_destroy(rig->resolver);
    dns_server_close(&rig->server);
    loop_destroy(rig->loop);
}

static struct asked ask(struct rig *rig, const char *name)
{
    struct asked asked = {0};
    resolver_ask(rig->resolver, span_of(name), on_answer, &asked);
    assert_int_equal(asked.calls, 0);
    assert_true(loop_run_until(rig->loop, was_answered, &asked, 20000));
    assert_int_equal(asked.calls, 1);
    return asked;
}

static void assert_ip(const struct address *address, const char *expected)
{
    char text[ADDRESS_TEXT_BYTES];
    address_format(address, text);
    assert_string_equal(text, expected);
}

static void families_alternate_and_ipv6_comes_first(void **state)
{
    struct rig rig;
    rig_open(&rig);
    struct asked asked = ask(&rig, "good.test");
    assert_int_equal(asked.status, RESOLVER_OK);
    assert_int_equal(asked.count, 4);
    assert_ip(&asked.addresses[0], "[fd00::1]:0");
    assert_ip(&asked.addresses[1], "10.1.0.1:0");
    assert_ip(&asked.addresses[2], "[fd00::2]:0");
    assert_ip(&asked.addresses[3], "10.1.0.2:0");
    /* The smaller of 60 s and 30 s. */
    assert_int_equal(asked.ttl_ms, 30000);
    rig_close(&rig);
}

static void every_kind_of_answer_has_its_status(void **state)
{
    const struct {
        const char *name;
        enum resolver_status status;
        size_t count;
        int64_t ttl_ms;
    } cases[] = {
        {"v4only.test", RESOLVER_OK, 2, 30000},
        {"half.test", RESOLVER_OK, 2, 30000},
        {"none.test", RESOLVER_NO_NAME, 0, 5000},
        {"empty.test", RESOLVER_NO_NAME, 0, 5000},
        {"servfail.test", RESOLVER_TEMPORARY, 0, 5000},
        {"refused.test", RESOLVER_TEMPORARY, 0, 5000},
        /* One family has no address and the other could not be asked: that is not "no name". */
        {"unsure.test", RESOLVER_TEMPORARY, 0, 5000},
        {"ttlzero.test", RESOLVER_OK, 4, 1000},
        {"ttlhuge.test", RESOLVER_OK, 4, 3600000},
        {"cname.test", RESOLVER_OK, 2, 7000},
        {"many.test", RESOLVER_OK, RESOLVER_ADDRESSES, 60000},
    };
    struct rig rig;
    rig_open(&rig);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].name);
        struct asked asked = ask(&rig, cases[i].name);
        assert_int_equal(asked.status, cases[i].status);
        assert_int_equal(asked.count, cases[i].count);
        assert_int_equal(asked.ttl_ms, cases[i].ttl_ms);
    }
    rig_close(&rig);
}

static void answers_to_other_questions_are_ignored(void **state)
{
    const char *names[] = {"wrongid.test", "wrongname.test"};
    struct rig rig;
    rig_open(&rig);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct asked asked = ask(&rig, names[i]);
        assert_int_equal(asked.status, RESOLVER_OK);
        assert_int_equal(asked.count, 4);
        assert_ip(&asked.addresses[1], "10.1.0.1:0");
    }
    rig_close(&rig);
}

static void broken_answers_are_no_addresses(void **state)
{
    const char *names[] = {"truncated.test", "cnameloop.test", "cut.test", "noise.test",
                           "pointerloop.test"};
    struct rig rig;
    rig_open(&rig);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        print_message("%s\n", names[i]);
        struct asked asked = ask(&rig, names[i]);
        assert_int_not_equal(asked.status, RESOLVER_OK);
        assert_int_equal(asked.count, 0);
    }
    /* And the resolver is well afterwards. */
    struct asked asked = ask(&rig, "good.test");
    assert_int_equal(asked.status, RESOLVER_OK);
    rig_close(&rig);
}

static void a_silent_server_is_given_up_after_five_seconds(void **state)
{
    struct rig rig;
    rig_open(&rig);
    int64_t begin_ns = clock_now_ns();
    struct asked asked = ask(&rig, "silent.test");
    assert_int_equal(asked.status, RESOLVER_TEMPORARY);
    assert_true(clock_now_ns() - begin_ns < 6 * NS_PER_S);
    assert_true(rig.server.questions > 2);
    rig_close(&rig);
}

static void names_that_are_none_are_not_asked(void **state)
{
    char label[80];
    char name[300];
    memset(label, 'a', sizeof(label));
    label[64] = '\0';
    for (size_t i = 0; i < sizeof(name) - 1; i++) {
        name[i] = i % 2 ? '.' : 'a';
    }
    name[254 + 1] = '\0';
    const char *names[] = {"",      ".",   "a..b", ".a", "a b", "a/b", "fe80::1%eth0",
                           "x\xff", label, name};
    struct rig rig;
    rig_open(&rig);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct asked asked = ask(&rig, names[i]);
        assert_int_equal(asked.status, RESOLVER_BAD_NAME);
        assert_int_equal(asked.count, 0);
    }
    assert_int_equal(rig.server.questions, 0);
    label[63] = '\0';
    name[253] = '\0';
    assert_int_equal(ask(&rig, label).status, RESOLVER_OK);
    assert_int_equal(ask(&rig, name).status, RESOLVER_OK);
    rig_close(&rig);
}

static void a_name_with_a_nul_is_refused(void **state)
{
    struct rig rig;
    struct asked asked = {0};
    rig_open(&rig);
    resolver_ask(rig.resolver, SPAN("good\0.test"), on_answer, &asked);
    assert_true(loop_run_until(rig.loop, was_answered, &asked, 1000));
    assert_int_equal(asked.status, RESOLVER_BAD_NAME);
    rig_close(&rig);
}

static void an_address_stands_for_itself(void **state)
{
    struct rig rig;
    rig_open(&rig);
    struct asked asked = ask(&rig, "::ffff:192.0.2.7");
    assert_int_equal(asked.status, RESOLVER_OK);
    assert_int_equal(asked.count, 1);
    assert_ip(&asked.addresses[0], "192.0.2.7:0");
    assert_int_equal(rig.server.questions, 0);
    rig_close(&rig);
}

static bool was_asked_twice(void *owner)
{
    return ((struct rig *)owner)->server.questions >= 2;
}

static void a_late_answer_to_a_cancelled_question_is_harmless(void **state)
{
    struct rig rig;
    struct asked cancelled = {0};
    rig_open(&rig);
    struct resolver_query *query =
        resolver_ask(rig.resolver, SPAN("silent.test"), on_answer, &cancelled);
    assert_true(loop_run_until(rig.loop, was_asked_twice, &rig, 5000));
    resolver_cancel(query);
    dns_server_answer_late(&rig.server);
    assert_int_equal(ask(&rig, "good.test").status, RESOLVER_OK);
    assert_int_equal(cancelled.calls, 0);
    rig_close(&rig);
}

static void a_question_may_be_cancelled_when_its_answer_is_there(void **state)
{
    struct rig rig;
    struct asked asked = {0};
    rig_open(&rig);
    struct resolver_query *query = resolver_ask(rig.resolver, SPAN("192.0.2.1"), on_answer, &asked);
    resolver_cancel(query);
    loop_settle(rig.loop);
    assert_int_equal(asked.calls, 0);
    rig_close(&rig);
}

static void destroy_with_questions_out_calls_nobody(void **state)
{
    struct rig rig;
    struct asked asked = {0};
    rig_open(&rig);
    resolver_ask(rig.resolver, SPAN("silent.test"), on_answer, &asked);
    resolver_ask(rig.resolver, SPAN("192.0.2.1"), on_answer, &asked);
    resolver_ask(rig.resolver, SPAN("good.test"), on_answer, &asked);
    rig_close(&rig);
    assert_int_equal(asked.calls, 0);
}

static void a_resolver_may_be_destroyed_in_its_answer(void **state)
{
    struct rig rig;
    struct asked other = {0};
    rig_open(&rig);
    struct asked asked = {.destroy = rig.resolver};
    resolver_ask(rig.resolver, SPAN("silent.test"), on_answer, &other);
    resolver_ask(rig.resolver, SPAN("good.test"), on_answer, &asked);
    assert_true(loop_run_until(rig.loop, was_answered, &asked, 5000));
    rig.resolver = NULL;
    assert_int_equal(other.calls, 0);
    rig_close(&rig);
}

static void there_is_none_with_servers_that_are_no_addresses(void **state)
{
    struct loop *loop = loop_create();
    assert_null(resolver_create(loop, "not an address"));
    loop_destroy(loop);
    loop = loop_create_simulated(0);
    assert_null(resolver_create(loop, NULL));
    loop_destroy(loop);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(families_alternate_and_ipv6_comes_first),
        cmocka_unit_test(every_kind_of_answer_has_its_status),
        cmocka_unit_test(answers_to_other_questions_are_ignored),
        cmocka_unit_test(broken_answers_are_no_addresses),
        cmocka_unit_test(a_silent_server_is_given_up_after_five_seconds),
        cmocka_unit_test(names_that_are_none_are_not_asked),
        cmocka_unit_test(a_name_with_a_nul_is_refused),
        cmocka_unit_test(an_address_stands_for_itself),
        cmocka_unit_test(a_late_answer_to_a_cancelled_question_is_harmless),
        cmocka_unit_test(a_question_may_be_cancelled_when_its_answer_is_there),
        cmocka_unit_test(destroy_with_questions_out_calls_nobody),
        cmocka_unit_test(a_resolver_may_be_destroyed_in_its_answer),
        cmocka_unit_test(there_is_none_with_servers_that_are_no_addresses),
    };
    return TEST_MAIN(cases, argc, argv);
}
