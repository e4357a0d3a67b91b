#include "tests/unit/test_main.h"

#include "proxy/redirect/redirect_plan.h"

static bool is_accepted(const struct redirect_plan *plan)
{
    struct text problem = {0};
    bool accepted = redirect_plan_check(plan, &problem);
    assert_int_equal(accepted, problem.length == 0);
    text_done(&problem);
    return accepted;
}

static void the_conventional_numbers_are_accepted(void **state)
{
    struct redirect_plan plan;
    redirect_plan_init(&plan);
    assert_int_equal(plan.outbound_port, 15001);
    assert_int_equal(plan.inbound_port, 15006);
    assert_int_equal(plan.hbone_port, 15008);
    assert_int_equal(plan.uid, 1337);
    assert_int_equal(plan.gid, 1337);
    assert_true(is_accepted(&plan));
    redirect_plan_done(&plan);
}

static void what_would_not_work_or_open_a_hole_is_refused(void **state)
{
    enum { OUTBOUND, INBOUND, HBONE, UID, GID, SERVICE, EXCLUDED };
    static const struct {
        int member;
        uint32_t value;
        bool accepted;
    } cases[] = {
        {OUTBOUND, 0, false},     {OUTBOUND, 15006, false}, {OUTBOUND, 15008, false},
        {OUTBOUND, 15020, false}, {OUTBOUND, 1, true},      {OUTBOUND, 65535, true},
        {INBOUND, 0, false},      {INBOUND, 15001, false},  {INBOUND, 15008, false},
        {INBOUND, 15090, false},  {INBOUND, 4143, true},    {HBONE, 0, true},
        {HBONE, 15001, false},    {HBONE, 15006, false},    {UID, 0, false},
        {UID, UINT32_MAX, false}, {UID, 1, true},           {UID, UINT32_MAX - 1, true},
        {GID, 0, false},          {GID, UINT32_MAX, false}, {GID, 2102, true},
        {SERVICE, 15001, false},  {SERVICE, 15006, false},  {SERVICE, 15008, true},
        {EXCLUDED, 15001, false}, {EXCLUDED, 15006, false}, {EXCLUDED, 8080, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct redirect_plan plan;
        uint16_t port = (uint16_t)cases[i].value;
        redirect_plan_init(&plan);
        switch (cases[i].member) {
        case OUTBOUND:
            plan.outbound_port = port;
            break;
        case INBOUND:
            plan.inbound_port = port;
            break;
        case HBONE:
            plan.hbone_port = port;
            break;
        case UID:
            plan.uid = cases[i].value;
            break;
        case GID:
            plan.gid = cases[i].value;
            break;
        case SERVICE:
            port_set_add(&plan.service_ports, port, port);
            break;
        default:
            port_set_add(&plan.exclude_inbound_ports, port, port);
        }
        if (is_accepted(&plan) != cases[i].accepted) {
            fail_msg("case %zu", i);
        }
        redirect_plan_done(&plan);
    }
}

static void lists_decide_what_is_taken_over(void **state)
{
    static const struct {
        const char *only_ports;
        const char *only_networks;
        const char *not_ports;
        const char *not_networks;
        const char *to;
        bool taken;
    } cases[] = {
        {NULL, NULL, NULL, NULL, "192.0.2.1:80", true},
        {NULL, NULL, NULL, NULL, "[2001:db8::1]:80", true},
        {NULL, NULL, NULL, NULL, "169.254.169.254:80", false},
        {NULL, NULL, "80", NULL, "192.0.2.1:80", false},
        {NULL, NULL, "80", NULL, "192.0.2.1:81", true},
        {NULL, NULL, NULL, "192.0.2.0/24", "192.0.2.1:80", false},
        {NULL, NULL, NULL, "192.0.2.0/24", "192.0.3.1:80", true},
        {"80", NULL, NULL, NULL, "192.0.2.1:80", true},
        {"80", NULL, NULL, NULL, "192.0.2.1:81", false},
        {NULL, "192.0.2.0/24", NULL, NULL, "192.0.2.1:81", true},
        {NULL, "192.0.2.0/24", NULL, NULL, "[2001:db8::1]:81", false},
        {"80", "192.0.2.0/24", NULL, NULL, "192.0.2.1:81", true},
        {"80", "192.0.2.0/24", NULL, NULL, "192.0.3.1:80", true},
        {"80", "192.0.2.0/24", NULL, NULL, "192.0.3.1:81", false},
        {"80", NULL, "80", NULL, "192.0.2.1:80", false},
        {NULL, "192.0.2.0/24", NULL, "192.0.2.1", "192.0.2.1:80", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct redirect_plan plan;
        struct text problem = {0};
        struct address to;
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
        assert_true(address_parse(span_of(cases[i].to), &to));
        if (redirect_plan_takes_outbound(&plan, &to) != cases[i].taken) {
            fail_msg("case %zu: %s", i, cases[i].to);
        }
        redirect_plan_done(&plan);
        text_done(&problem);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_conventional_numbers_are_accepted),
        cmocka_unit_test(what_would_not_work_or_open_a_hole_is_refused),
        cmocka_unit_test(lists_decide_what_is_taken_over),
    };
    return TEST_MAIN(cases, argc, argv);
}
