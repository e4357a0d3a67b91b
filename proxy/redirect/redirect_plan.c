#include "proxy/redirect/redirect_plan.h"

enum {
    OUTBOUND_PORT = 15001,
    INBOUND_PORT = 15006,
    HBONE_PORT = 15008,
    METRICS_PORT = 15020,
    HEALTH_PORT = 15021,
    PROMETHEUS_PORT = 15090,
    PROXY_ID = 1337,
};

void redirect_plan_init(struct redirect_plan *plan)
{
    *plan = (struct redirect_plan){
        .outbound_port = OUTBOUND_PORT,
        .inbound_port = INBOUND_PORT,
        .hbone_port = HBONE_PORT,
        .uid = PROXY_ID,
        .gid = PROXY_ID,
    };
    port_set_add(&plan->service_ports, METRICS_PORT, HEALTH_PORT);
    port_set_add(&plan->service_ports, PROMETHEUS_PORT, PROMETHEUS_PORT);
    /* The cloud's metadata service answers for the node it is asked from, not for a client. */
    cidr_set_add(&plan->exclude_outbound_cidrs,
                 &(struct cidr){.base = {.family = 4, .bytes = {169, 254, 169, 254}}, .bits = 32});
}

void redirect_plan_done(struct redirect_plan *plan)
{
    port_set_done(&plan->service_ports);
    port_set_done(&plan->exclude_inbound_ports);
    port_set_done(&plan->include_inbound_ports);
    port_set_done(&plan->exclude_outbound_ports);
    port_set_done(&plan->include_outbound_ports);
    cidr_set_done(&plan->exclude_outbound_cidrs);
    cidr_set_done(&plan->include_outbound_cidrs);
}

static bool check_ids(const struct redirect_plan *plan, struct text *ret_problem)
{
    if (plan->uid == 0 || plan->gid == 0) {
        text_add_text(ret_problem, "the proxy's uid and gid must not be 0: everything that runs as "
                                   "root would bypass it");
        return false;
    }
    /* The highest number stands for "no id" in the kernel's calls. */
    if (plan->uid == UINT32_MAX || plan->gid == UINT32_MAX) {
        text_add_text(ret_problem, "4294967295 is no uid and no gid");
        return false;
    }
    return true;
}

bool redirect_plan_check(const struct redirect_plan *plan, struct text *ret_problem)
{
    if (!check_ids(plan, ret_problem)) {
        return false;
    }
    if (plan->outbound_port == 0 || plan->inbound_port == 0) {
        text_add_text(ret_problem, "the outbound and the inbound port must be 1-65535");
        return false;
    }
    if (plan->outbound_port == plan->inbound_port || plan->outbound_port == plan->hbone_port ||
        plan->inbound_port == plan->hbone_port) {
        text_add_text(ret_problem, "the outbound, inbound and HBONE ports must differ");
        return false;
    }
    /* A listener that peers may reach untranslated would have no original destination to ask for.
     */
    if (port_set_contains(&plan->service_ports, plan->inbound_port) ||
        port_set_contains(&plan->service_ports, plan->outbound_port)) {
        text_add_text(ret_problem, "the inbound or outbound port is also among the service ports");
        return false;
    }
    if (port_set_contains(&plan->exclude_inbound_ports, plan->inbound_port) ||
        port_set_contains(&plan->exclude_inbound_ports, plan->outbound_port)) {
        text_add_text(ret_problem,
                      "the inbound or outbound port is also among the excluded inbound ports");
        return false;
    }
    return true;
}

bool redirect_plan_takes_outbound(const struct redirect_plan *plan, const struct address *to)
{
    if (port_set_contains(&plan->exclude_outbound_ports, to->port) ||
        cidr_set_contains(&plan->exclude_outbound_cidrs, to)) {
        return false;
    }
    if (plan->include_outbound_ports.count == 0 && plan->include_outbound_cidrs.count == 0) {
        return true;
    }
    return port_set_contains(&plan->include_outbound_ports, to->port) ||
           cidr_set_contains(&plan->include_outbound_cidrs, to);
}
