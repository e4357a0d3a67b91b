#ifndef REMORA_PROXY_REDIRECT_INSTALLATION_H
#define REMORA_PROXY_REDIRECT_INSTALLATION_H

#include "proxy/redirect/redirect_plan.h"

/*
 * Brings the plan into the network namespace, whole or not at all, and takes it out without a
 * trace. Both may be done again and change nothing then. Connections that are open keep their
 * translation.
 */
bool installation_apply(const struct redirect_plan *plan, struct text *ret_problem);
/* Only asks the kernel whether it would take the plan. */
bool installation_try(const struct redirect_plan *plan, struct text *ret_problem);
bool installation_remove(struct text *ret_problem);

#endif
