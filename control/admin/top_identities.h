#ifndef REMORA_CONTROL_ADMIN_TOP_IDENTITIES_H
#define REMORA_CONTROL_ADMIN_TOP_IDENTITIES_H

#include "control/serve/supply.h"
#include "lib/base/text.h"

/*
 * The SPIFFE ids that the endpoints of a service show, out of what proxies are served: a JSON list,
 * each once, at most TOP_IDENTITIES. Empty for what has no endpoint with a sidecar.
 */
enum { TOP_IDENTITIES = 8 };

/* service: "NAMESPACE/NAME". */
void top_identities_write(struct supply *supply, struct span service, struct text *into);

#endif
