#include "tests/unit/test_main.h"

#include "lib/base/memory.h"
#include "proxy/redirect/rules.h"

/* The text between two marks, without blanks at both ends of each line and without empty lines. */
static char *squeeze(struct span whole)
{
    struct text out = {0};
    struct span line;
    while (span_next(&whole, '\n', &line)) {
        while (line.length > 0 && line.at[0] == ' ') {
            line = span_cut(line, 1, line.length);
        }
        if (line.length > 0) {
            text_add(&out, line);
            text_add_byte(&out, '\n');
        }
    }
    return text_take(&out);
}

static struct redirect_plan plan;
static struct text written;

static int begin(void **state)
{
    redirect_plan_init(&plan);
    written = (struct text){0};
    return 0;
}

static int end(void **state)
{
    redirect_plan_done(&plan);
    text_done(&written);
    return 0;
}

static void ports(struct port_set *set, const char *list)
{
    struct text problem = {0};
    assert_true(port_set_parse(set, span_of(list), &problem));
    text_done(&problem);
}

static void networks(struct cidr_set *set, const char *list)
{
    struct text problem = {0};
    assert_true(cidr_set_parse(set, span_of(list), &problem));
    text_done(&problem);
}

static bool has_line(const char *wanted)
{
    char *text = squeeze(text_span(&written));
    struct text line = {0};
    text_printf(&line, "\n%s\n", wanted);
    bool found = strstr(text, line.bytes) != NULL;
    mem_free(text);
    text_done(&line);
    return found;
}

/* Position of a rule by its name, or -1. */
static long place_of(const char *name)
{
    struct text mark = {0};
    text_printf(&mark, "comment \"%s\"", name);
    const char *at = strstr(written.bytes, mark.bytes);
    text_done(&mark);
    return at == NULL ? -1 : at - written.bytes;
}

static void the_usual_plan_gives_the_known_rules(void **state)
{
    static const char wanted[] =
        "table inet remora\n"
        "delete table inet remora\n"
        "table inet remora {\n"
        "set skip_in {\n"
        "type inet_service\n"
        "flags interval\n"
        "elements = { 15008, 15020-15021, 15090 }\n"
        "}\n"
        "set skip_out {\n"
        "type inet_service\n"
        "flags interval\n"
        "}\n"
        "set skip_out4 {\n"
        "type ipv4_addr\n"
        "flags interval\n"
        "elements = { 169.254.169.254/32 }\n"
        "}\n"
        "set skip_out6 {\n"
        "type ipv6_addr\n"
        "flags interval\n"
        "}\n"
        "chain pre {\n"
        "type nat hook prerouting priority -100; policy accept;\n"
        "meta l4proto != tcp return comment \"not-tcp\"\n"
        "tcp dport @skip_in return comment \"excluded-inbound-ports\"\n"
        "meta l4proto tcp counter redirect to :15006 comment \"inbound\"\n"
        "}\n"
        "chain out {\n"
        "type nat hook output priority -100; policy accept;\n"
        "meta l4proto != tcp return comment \"not-tcp\"\n"
        "tcp dport @skip_out return comment \"excluded-outbound-ports\"\n"
        "oifname \"lo\" ip saddr 127.0.0.6 return comment \"inbound-source-ip4\"\n"
        "oifname \"lo\" ip6 saddr ::6 return comment \"inbound-source-ip6\"\n"
        "oifname \"lo\" meta skuid 1337 tcp dport 15008 return comment \"self-tunnel\"\n"
        "oifname \"lo\" meta skuid 1337 ip daddr != 127.0.0.0/8 meta l4proto tcp counter redirect "
        "to :15006 comment \"self-call-ip4\"\n"
        "oifname \"lo\" meta skuid 1337 ip6 daddr != ::1 meta l4proto tcp counter redirect to "
        ":15006 comment \"self-call-ip6\"\n"
        "oifname \"lo\" return comment \"loopback-interface\"\n"
        "meta skuid 1337 return comment \"proxy-uid\"\n"
        "meta skgid 1337 return comment \"proxy-gid\"\n"
        "ip daddr 127.0.0.0/8 return comment \"loopback-ip4\"\n"
        "ip6 daddr ::1 return comment \"loopback-ip6\"\n"
        "ip daddr @skip_out4 return comment \"excluded-networks-ip4\"\n"
        "ip6 daddr @skip_out6 return comment \"excluded-networks-ip6\"\n"
        "meta l4proto tcp counter redirect to :15001 comment \"outbound\"\n"
        "}\n"
        "}\n";
    rules_write(&plan, &written);
    char *text = squeeze(text_span(&written));
    assert_string_equal(text, wanted);
    mem_free(text);
}

static void ports_and_ids_stand_in_every_rule_that_needs_them(void **state)
{
    plan.outbound_port = 4140;
    plan.inbound_port = 4143;
    plan.hbone_port = 4150;
    plan.uid = 2102;
    plan.gid = 2103;
    rules_write(&plan, &written);
    assert_true(has_line("oifname \"lo\" meta skuid 2102 tcp dport 4150 return comment "
                         "\"self-tunnel\""));
    assert_true(has_line("oifname \"lo\" meta skuid 2102 ip daddr != 127.0.0.0/8 meta l4proto tcp "
                         "counter redirect to :4143 comment \"self-call-ip4\""));
    assert_true(has_line("oifname \"lo\" meta skuid 2102 ip6 daddr != ::1 meta l4proto tcp counter "
                         "redirect to :4143 comment \"self-call-ip6\""));
    assert_true(has_line("meta skuid 2102 return comment \"proxy-uid\""));
    assert_true(has_line("meta skgid 2103 return comment \"proxy-gid\""));
    assert_true(has_line("meta l4proto tcp counter redirect to :4143 comment \"inbound\""));
    assert_true(has_line("meta l4proto tcp counter redirect to :4140 comment \"outbound\""));
    assert_true(has_line("elements = { 4150, 15020-15021, 15090 }"));
    assert_null(strstr(written.bytes, "1337"));
    assert_null(strstr(written.bytes, "15001"));
    assert_null(strstr(written.bytes, "15006"));
}

static void without_hbone_its_port_is_like_any_other(void **state)
{
    plan.hbone_port = 0;
    rules_write(&plan, &written);
    assert_int_equal(place_of("self-tunnel"), -1);
    assert_true(has_line("elements = { 15020-15021, 15090 }"));
}

static void exclusions_fill_their_sets_merged(void **state)
{
    ports(&plan.exclude_inbound_ports, "15022,9000-9010,9005-9020");
    ports(&plan.exclude_outbound_ports, "3306,25");
    networks(&plan.exclude_outbound_cidrs, "10.0.0.0/8,10.1.0.0/16,fd00::/8");
    rules_write(&plan, &written);
    assert_true(has_line("elements = { 9000-9020, 15008, 15020-15022, 15090 }"));
    assert_true(has_line("elements = { 25, 3306 }"));
    assert_true(has_line("elements = { 169.254.169.254/32, 10.0.0.0/8 }"));
    assert_true(has_line("elements = { fd00::/8 }"));
}

static void included_inbound_ports_replace_the_rule_for_all(void **state)
{
    ports(&plan.include_inbound_ports, "8080,9090");
    rules_write(&plan, &written);
    assert_true(has_line("tcp dport @only_in counter redirect to :15006 comment \"inbound\""));
    assert_false(has_line("meta l4proto tcp counter redirect to :15006 comment \"inbound\""));
    assert_true(has_line("elements = { 8080, 9090 }"));
}

static void included_destinations_replace_the_rule_for_all(void **state)
{
    ports(&plan.include_outbound_ports, "80");
    networks(&plan.include_outbound_cidrs, "10.96.0.0/12,fd96::/112");
    rules_write(&plan, &written);
    assert_true(has_line("tcp dport @only_out counter redirect to :15001 comment "
                         "\"outbound-ports\""));
    assert_true(has_line("ip daddr @only_out4 meta l4proto tcp counter redirect to :15001 comment "
                         "\"outbound-networks-ip4\""));
    assert_true(has_line("ip6 daddr @only_out6 meta l4proto tcp counter redirect to :15001 comment "
                         "\"outbound-networks-ip6\""));
    assert_int_equal(place_of("outbound"), -1);
}

static void networks_of_one_family_leave_the_other_alone(void **state)
{
    networks(&plan.include_outbound_cidrs, "10.96.0.0/12");
    rules_write(&plan, &written);
    assert_true(place_of("outbound-networks-ip4") > 0);
    assert_int_equal(place_of("outbound-networks-ip6"), -1);
    assert_int_equal(place_of("outbound-ports"), -1);
    assert_int_equal(place_of("outbound"), -1);
}

static void rules_stand_in_the_order_that_gives_them_their_meaning(void **state)
{
    static const char *const order[] = {
        "excluded-outbound-ports",
        "inbound-source-ip4",
        "inbound-source-ip6",
        "self-tunnel",
        "self-call-ip4",
        "self-call-ip6",
        "loopback-interface",
        "proxy-uid",
        "proxy-gid",
        "loopback-ip4",
        "loopback-ip6",
        "excluded-networks-ip4",
        "excluded-networks-ip6",
        "outbound",
    };
    rules_write(&plan, &written);
    for (size_t i = 1; i < sizeof(order) / sizeof(order[0]); i++) {
        assert_true(place_of(order[i - 1]) > 0);
        assert_true(place_of(order[i - 1]) < place_of(order[i]));
    }
}

static void every_redirect_says_that_it_is_for_tcp(void **state)
{
    ports(&plan.include_outbound_ports, "80");
    networks(&plan.include_outbound_cidrs, "10.96.0.0/12,fd96::/112");
    rules_write(&plan, &written);
    struct span rest = text_span(&written);
    struct span line;
    size_t redirects = 0;
    while (span_next(&rest, '\n', &line)) {
        if (span_find(line, SPAN("redirect to")) < line.length) {
            redirects++;
            assert_true(span_find(line, SPAN("meta l4proto tcp")) < line.length ||
                        span_find(line, SPAN("tcp dport")) < line.length);
        }
    }
    assert_int_equal(redirects, 6);
}

static void the_twin_has_the_rules_and_no_hook(void **state)
{
    rules_write_twin(&plan, &written);
    assert_null(strstr(written.bytes, "hook"));
    assert_null(strstr(written.bytes, "table inet remora\n"));
    assert_non_null(strstr(written.bytes, "table inet remora_twin {"));
    assert_true(place_of("self-call-ip6") > 0);
    assert_true(place_of("outbound") > 0);
}

static void removal_does_not_need_a_table(void **state)
{
    rules_write_removal("remora", &written);
    assert_string_equal(written.bytes, "table inet remora\ndelete table inet remora\n");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(the_usual_plan_gives_the_known_rules, begin, end),
        cmocka_unit_test_setup_teardown(ports_and_ids_stand_in_every_rule_that_needs_them, begin,
                                        end),
        cmocka_unit_test_setup_teardown(without_hbone_its_port_is_like_any_other, begin, end),
        cmocka_unit_test_setup_teardown(exclusions_fill_their_sets_merged, begin, end),
        cmocka_unit_test_setup_teardown(included_inbound_ports_replace_the_rule_for_all, begin,
                                        end),
        cmocka_unit_test_setup_teardown(included_destinations_replace_the_rule_for_all, begin, end),
        cmocka_unit_test_setup_teardown(networks_of_one_family_leave_the_other_alone, begin, end),
        cmocka_unit_test_setup_teardown(rules_stand_in_the_order_that_gives_them_their_meaning,
                                        begin, end),
        cmocka_unit_test_setup_teardown(every_redirect_says_that_it_is_for_tcp, begin, end),
        cmocka_unit_test_setup_teardown(the_twin_has_the_rules_and_no_hook, begin, end),
        cmocka_unit_test_setup_teardown(removal_does_not_need_a_table, begin, end),
    };
    return TEST_MAIN(cases, argc, argv);
}
