#ifndef REMORA_PROXY_REDIRECT_RULES_H
#define REMORA_PROXY_REDIRECT_RULES_H

#include "proxy/redirect/redirect_plan.h"

/*
 * A plan as nft text. Everything lives in one table of family inet, which belongs to Remora alone.
 * Each rule carries its name as a comment, so that a check can say which one is missing.
 */
#define RULES_TABLE "remora"
/* What read_back compares with: the same sets and rules, in chains that no hook leads to. */
#define RULES_TWIN "remora_twin"

#define RULES_CHAIN_IN "pre"
#define RULES_HOOK_IN "prerouting"
#define RULES_CHAIN_OUT "out"
#define RULES_HOOK_OUT "output"
/* "dstnat"; libnftables 1.0.6 takes that word at the prerouting hook only. */
enum { RULES_PRIORITY = -100 };

/* Names of the rules that checks speak of. Outbound rules all begin with RULE_OUTBOUND. */
#define RULE_INBOUND "inbound"
#define RULE_OUTBOUND "outbound"
#define RULE_INBOUND_SOURCE4 "inbound-source-ip4"
#define RULE_INBOUND_SOURCE6 "inbound-source-ip6"
#define RULE_SELF_CALL4 "self-call-ip4"
#define RULE_SELF_CALL6 "self-call-ip6"
#define RULE_LOOPBACK "loopback-interface"
#define RULE_PROXY_UID "proxy-uid"
#define RULE_PROXY_GID "proxy-gid"

/*
 * Source addresses of the inbound side's connections to the application. They tell its connection
 * to the pod's own address from a self call, which does meet the inbound side.
 */
#define RULES_SOURCE4 "127.0.0.6"
#define RULES_SOURCE6 "::6"

/* One transaction that installs the plan, or replaces what was installed before. */
void rules_write(const struct redirect_plan *plan, struct text *into);
/* One transaction that makes RULES_TWIN of the plan. */
void rules_write_twin(const struct redirect_plan *plan, struct text *into);
/* One transaction that removes the table named, and does nothing when there is none. */
void rules_write_removal(const char *table, struct text *into);

#endif
