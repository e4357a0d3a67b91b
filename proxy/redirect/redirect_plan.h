#ifndef REMORA_PROXY_REDIRECT_REDIRECT_PLAN_H
#define REMORA_PROXY_REDIRECT_REDIRECT_PLAN_H

#include "proxy/redirect/cidr_set.h"
#include "proxy/redirect/port_set.h"

/*
 * Objects of this folder:
 *
 *   redirect_plan   what is to be taken over: plain values, given by flags
 *     port_set, cidr_set      its lists, without overlaps
 *   rules           plan -> nft text; pure
 *   netfilter       runs nft text as one transaction, lists what is installed
 *   source_address  the address ::6 on the loopback interface
 *   read_back       compares what is installed with what was sent; pure, over nft's JSON
 *   live_check      real connections, made by probe as the proxy's uid and as another one
 *   verify          read_back and live_check, giving a verify_report
 */

/*
 * What is taken over in one network namespace. Include lists, when not empty, make "only these" out
 * of "all but the excluded"; an exclusion wins over an inclusion. Both outbound include lists
 * together mean "one of these ports, or one of these networks".
 */
struct redirect_plan {
    uint16_t outbound_port;
    uint16_t inbound_port;
    uint16_t hbone_port; /* 0: no tunnels are taken */
    uint32_t uid;        /* the proxy's; its connections are its own */
    uint32_t gid;
    struct port_set service_ports; /* the proxy's open doors: metrics, health */
    struct port_set exclude_inbound_ports;
    struct port_set include_inbound_ports;
    struct port_set exclude_outbound_ports;
    struct port_set include_outbound_ports;
    struct cidr_set exclude_outbound_cidrs;
    struct cidr_set include_outbound_cidrs;
};

/* The conventional numbers; the lists hold 15020-15021, 15090 (service) and the metadata address.
 */
void redirect_plan_init(struct redirect_plan *plan);
void redirect_plan_done(struct redirect_plan *plan);
/*
 * False, with the reason, for what would not work or would open a hole: port 0, two listeners on
 * one port, a listener among the ports that are left alone, uid or gid 0 (root would bypass the
 * proxy).
 */
bool redirect_plan_check(const struct redirect_plan *plan, struct text *ret_problem);
/* Whether an application's connection to this destination is to reach the outbound listener. */
bool redirect_plan_takes_outbound(const struct redirect_plan *plan, const struct address *to);

#endif
