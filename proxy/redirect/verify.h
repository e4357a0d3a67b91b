#ifndef REMORA_PROXY_REDIRECT_VERIFY_H
#define REMORA_PROXY_REDIRECT_VERIFY_H

#include "proxy/redirect/redirect_plan.h"
#include "proxy/redirect/verify_report.h"

/*
 * Whether the plan is in force in this network namespace. Needs CAP_NET_ADMIN; forks. What it loads
 * for comparing hooks nothing and is gone when it returns.
 */

/* Cheap, may run often: what is installed is what the plan says, and nobody translates before us.
 */
void verify_rules(const struct redirect_plan *plan, struct verify_report *report);
/* verify_rules, then live_check_run. */
void verify_all(const struct redirect_plan *plan, int64_t timeout_ms, struct verify_report *report);

#endif
