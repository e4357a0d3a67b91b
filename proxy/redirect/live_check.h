#ifndef REMORA_PROXY_REDIRECT_LIVE_CHECK_H
#define REMORA_PROXY_REDIRECT_LIVE_CHECK_H

#include "proxy/redirect/redirect_plan.h"
#include "proxy/redirect/verify_report.h"

/*
 * Proves the rules by connections that are really made, all at once, as the proxy's user and as
 * another one: an exit code of the rule loader says only that the text was accepted.
 *
 * Before the proxy runs, this opens its ports and says a token of this run to whoever is led there.
 * While it runs, its ports are taken: then a connection to where nobody is, which succeeds, and the
 * rule's counter, which moves, are the proof.
 *
 * What cannot be tried (no rights to act as another user, no such family) is reported as skipped.
 * Takes about half a second when all is well; never longer than timeout_ms. Forks.
 */
void live_check_run(const struct redirect_plan *plan, int64_t timeout_ms,
                    struct verify_report *report);

#endif
