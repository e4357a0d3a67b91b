#include "proxy/redirect/rules.h"

/*
 * `redirect` is accepted only where the same rule says that the packet is TCP, by `meta l4proto` or
 * by matching a port: an earlier return for everything else is not enough.
 *
 * A nat chain sees the first packet of a connection. One that starts over the loopback interface is
 * decided in the output chain, even when the decision was to leave it alone, so that prerouting
 * does not catch it when it comes in again.
 */
static void write_set(struct text *into, const char *name, const char *type,
                      const struct text *elements)
{
    text_printf(into, "    set %s {\n        type %s\n        flags interval\n", name, type);
    if (elements->length > 0) {
        text_printf(into, "        elements = { %.*s }\n", SPAN_ARG(text_span(elements)));
    }
    text_add_text(into, "    }\n");
}

static void write_port_set(struct text *into, const char *name, const struct port_set *ports)
{
    struct text elements = {0};
    port_set_write(ports, &elements);
    write_set(into, name, "inet_service", &elements);
    text_done(&elements);
}

static void write_cidr_set(struct text *into, const char *name, const struct cidr_set *blocks,
                           uint8_t family)
{
    struct text elements = {0};
    cidr_set_write(blocks, family, &elements);
    write_set(into, name, family == 4 ? "ipv4_addr" : "ipv6_addr", &elements);
    text_done(&elements);
}

static void write_inbound_exclusions(struct text *into, const struct redirect_plan *plan)
{
    struct port_set all = {0};
    const struct port_set *parts[] = {&plan->service_ports, &plan->exclude_inbound_ports};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        for (size_t j = 0; j < parts[i]->count; j++) {
            port_set_add(&all, parts[i]->ranges[j].first, parts[i]->ranges[j].last);
        }
    }
    if (plan->hbone_port != 0) {
        port_set_add(&all, plan->hbone_port, plan->hbone_port);
    }
    write_port_set(into, "skip_in", &all);
    port_set_done(&all);
}

static void write_sets(struct text *into, const struct redirect_plan *plan)
{
    write_inbound_exclusions(into, plan);
    write_port_set(into, "skip_out", &plan->exclude_outbound_ports);
    write_cidr_set(into, "skip_out4", &plan->exclude_outbound_cidrs, 4);
    write_cidr_set(into, "skip_out6", &plan->exclude_outbound_cidrs, 6);
    if (plan->include_inbound_ports.count > 0) {
        write_port_set(into, "only_in", &plan->include_inbound_ports);
    }
    if (plan->include_outbound_ports.count > 0) {
        write_port_set(into, "only_out", &plan->include_outbound_ports);
    }
    if (cidr_set_has_family(&plan->include_outbound_cidrs, 4)) {
        write_cidr_set(into, "only_out4", &plan->include_outbound_cidrs, 4);
    }
    if (cidr_set_has_family(&plan->include_outbound_cidrs, 6)) {
        write_cidr_set(into, "only_out6", &plan->include_outbound_cidrs, 6);
    }
}

static void write_rule(struct text *into, const char *match, const char *verdict, const char *name)
{
    text_printf(into, "        %s %s comment \"%s\"\n", match, verdict, name);
}

static void write_redirect(struct text *into, const char *match, uint16_t port, const char *name)
{
    text_printf(into, "        %s counter redirect to :%u comment \"%s\"\n", match, port, name);
}

/* hook NULL: a chain that nothing leads to. */
static void write_chain_head(struct text *into, const char *name, const char *hook)
{
    if (hook == NULL) {
        text_printf(into, "    chain %s {\n", name);
        return;
    }
    text_printf(into, "    chain %s {\n        type nat hook %s priority %d; policy accept;\n",
                name, hook, RULES_PRIORITY);
}

static void write_inbound_chain(struct text *into, const struct redirect_plan *plan, bool is_hooked)
{
    write_chain_head(into, RULES_CHAIN_IN, is_hooked ? RULES_HOOK_IN : NULL);
    write_rule(into, "meta l4proto != tcp", "return", "not-tcp");
    write_rule(into, "tcp dport @skip_in", "return", "excluded-inbound-ports");
    write_redirect(
        into, plan->include_inbound_ports.count > 0 ? "tcp dport @only_in" : "meta l4proto tcp",
        plan->inbound_port, RULE_INBOUND);
    text_add_text(into, "    }\n");
}

/*
 * Over the loopback interface: the inbound side's leg to the application stays direct, told by its
 * source address; the proxy's other connections to the pod's own address meet the inbound side as a
 * stranger's would. A tunnel to the own pod must stay a tunnel.
 */
static void write_loopback_rules(struct text *into, const struct redirect_plan *plan)
{
    struct text match = {0};
    write_rule(into, "oifname \"lo\" ip saddr " RULES_SOURCE4, "return", RULE_INBOUND_SOURCE4);
    write_rule(into, "oifname \"lo\" ip6 saddr " RULES_SOURCE6, "return", RULE_INBOUND_SOURCE6);
    if (plan->hbone_port != 0) {
        text_printf(&match, "oifname \"lo\" meta skuid %u tcp dport %u", plan->uid,
                    plan->hbone_port);
        write_rule(into, match.bytes, "return", "self-tunnel");
        text_clear(&match);
    }
    text_printf(&match, "oifname \"lo\" meta skuid %u ip daddr != 127.0.0.0/8 meta l4proto tcp",
                plan->uid);
    write_redirect(into, match.bytes, plan->inbound_port, RULE_SELF_CALL4);
    text_clear(&match);
    text_printf(&match, "oifname \"lo\" meta skuid %u ip6 daddr != ::1 meta l4proto tcp",
                plan->uid);
    write_redirect(into, match.bytes, plan->inbound_port, RULE_SELF_CALL6);
    text_done(&match);
    write_rule(into, "oifname \"lo\"", "return", RULE_LOOPBACK);
}

static void write_outbound_redirects(struct text *into, const struct redirect_plan *plan)
{
    bool some_ports = plan->include_outbound_ports.count > 0;
    if (!some_ports && plan->include_outbound_cidrs.count == 0) {
        write_redirect(into, "meta l4proto tcp", plan->outbound_port, RULE_OUTBOUND);
        return;
    }
    if (some_ports) {
        write_redirect(into, "tcp dport @only_out", plan->outbound_port, RULE_OUTBOUND "-ports");
    }
    if (cidr_set_has_family(&plan->include_outbound_cidrs, 4)) {
        write_redirect(into, "ip daddr @only_out4 meta l4proto tcp", plan->outbound_port,
                       RULE_OUTBOUND "-networks-ip4");
    }
    if (cidr_set_has_family(&plan->include_outbound_cidrs, 6)) {
        write_redirect(into, "ip6 daddr @only_out6 meta l4proto tcp", plan->outbound_port,
                       RULE_OUTBOUND "-networks-ip6");
    }
}

static void write_outbound_chain(struct text *into, const struct redirect_plan *plan,
                                 bool is_hooked)
{
    struct text match = {0};
    write_chain_head(into, RULES_CHAIN_OUT, is_hooked ? RULES_HOOK_OUT : NULL);
    write_rule(into, "meta l4proto != tcp", "return", "not-tcp");
    write_rule(into, "tcp dport @skip_out", "return", "excluded-outbound-ports");
    write_loopback_rules(into, plan);
    text_printf(&match, "meta skuid %u", plan->uid);
    write_rule(into, match.bytes, "return", RULE_PROXY_UID);
    text_clear(&match);
    text_printf(&match, "meta skgid %u", plan->gid);
    write_rule(into, match.bytes, "return", RULE_PROXY_GID);
    text_done(&match);
    write_rule(into, "ip daddr 127.0.0.0/8", "return", "loopback-ip4");
    write_rule(into, "ip6 daddr ::1", "return", "loopback-ip6");
    write_rule(into, "ip daddr @skip_out4", "return", "excluded-networks-ip4");
    write_rule(into, "ip6 daddr @skip_out6", "return", "excluded-networks-ip6");
    write_outbound_redirects(into, plan);
    text_add_text(into, "    }\n");
}

void rules_write_removal(const char *table, struct text *into)
{
    /* The first line makes the table when there is none, so that the second cannot fail. */
    text_printf(into, "table inet %s\ndelete table inet %s\n", table, table);
}

static void write_table(const struct redirect_plan *plan, const char *table, bool is_hooked,
                        struct text *into)
{
    rules_write_removal(table, into);
    text_printf(into, "table inet %s {\n", table);
    write_sets(into, plan);
    write_inbound_chain(into, plan, is_hooked);
    write_outbound_chain(into, plan, is_hooked);
    text_add_text(into, "}\n");
}

void rules_write(const struct redirect_plan *plan, struct text *into)
{
    write_table(plan, RULES_TABLE, true, into);
}

void rules_write_twin(const struct redirect_plan *plan, struct text *into)
{
    write_table(plan, RULES_TWIN, false, into);
}
