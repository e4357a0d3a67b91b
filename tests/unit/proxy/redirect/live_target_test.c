#include "tests/unit/test_main.h"

#include "proxy/redirect/live_target.h"

static struct address address_of(const char *text)
{
    struct address address;
    assert_true(address_parse_ip(span_of(text), &address));
    return address;
}

static void the_first_destination_that_is_taken_over_is_dialled(void **state)
{
    static const struct {
        const char *only_ports;
        const char *only_networks;
        const char *not_ports;
        const char *not_networks;
        const char *picked; /* NULL: none */
    } cases[] = {
        {NULL, NULL, NULL, NULL, "192.0.2.1:20001"},
        {NULL, NULL, "20001", NULL, "192.0.2.1:20002"},
        {NULL, NULL, "20000-20010", NULL, "192.0.2.1:20011"},
        {NULL, NULL, NULL, "192.0.2.0/24", "198.51.100.1:20001"},
        {NULL, NULL, "20001", "192.0.2.0/24", "198.51.100.1:20002"},
        {NULL, NULL, NULL, "0.0.0.0/0", NULL},
        {"80,443", NULL, NULL, NULL, "192.0.2.1:80"},
        {"80,443", NULL, "80", NULL, "192.0.2.1:443"},
        {"80", NULL, "80", NULL, NULL},
        {NULL, "198.51.100.0/24", NULL, NULL, "198.51.100.1:20001"},
        {NULL, "10.0.0.0/8", NULL, NULL, NULL},
        {"443", "198.51.100.0/24", NULL, NULL, "192.0.2.1:443"},
    };
    const struct address hosts[] = {address_of("192.0.2.1"), address_of("198.51.100.1")};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct redirect_plan plan;
        struct text problem = {0};
        struct address picked;
        redirect_plan_init(&plan);
        assert_true(
            cases[i].only_ports == NULL ||
            port_set_parse(&plan.include_outbound_ports, span_of(cases[i].only_ports), &problem));
        assert_true(cases[i].only_networks == NULL ||
                    cidr_set_parse(&plan.include_outbound_cidrs, span_of(cases[i].only_networks),
                                   &problem));
        assert_true(
            cases[i].not_ports == NULL ||
            port_set_parse(&plan.exclude_outbound_ports, span_of(cases[i].not_ports), &problem));
        assert_true(
            cases[i].not_networks == NULL ||
            cidr_set_parse(&plan.exclude_outbound_cidrs, span_of(cases[i].not_networks), &problem));
        bool found = live_target_pick(&plan, hosts, 2, &picked);
        assert_int_equal(found, cases[i].picked != NULL);
        if (found) {
            char shown[ADDRESS_TEXT_BYTES];
            address_format(&picked, shown);
            assert_string_equal(shown, cases[i].picked);
        }
        redirect_plan_done(&plan);
        text_done(&problem);
    }
}

static void a_self_call_uses_a_port_that_nothing_exempts(void **state)
{
    static const struct {
        const char *excluded;
        uint16_t hbone;
        uint16_t port;
    } cases[] = {
        {NULL, 15008, 20002},          {"20002", 15008, 20003}, {NULL, 20002, 20003},
        {"20002,20004", 20003, 20005}, {"1-65535", 15008, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct redirect_plan plan;
        struct text problem = {0};
        redirect_plan_init(&plan);
        plan.hbone_port = cases[i].hbone;
        assert_true(
            cases[i].excluded == NULL ||
            port_set_parse(&plan.exclude_outbound_ports, span_of(cases[i].excluded), &problem));
        assert_int_equal(live_target_self_port(&plan), cases[i].port);
        redirect_plan_done(&plan);
        text_done(&problem);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_first_destination_that_is_taken_over_is_dialled),
        cmocka_unit_test(a_self_call_uses_a_port_that_nothing_exempts),
    };
    return TEST_MAIN(cases, argc, argv);
}
