#ifndef REMORA_XDS_DISCOVERY_PARTS_H
#define REMORA_XDS_DISCOVERY_PARTS_H

#include "lib/xds/wire.h"
#include "lib/xds/xds_discovery.h"

#include "envoy/config/core/v3/core.pb-c.h"

/* Private to lib/xds: what requests of both forms have. NULL stays NULL. */
Core__Node *caller_write(struct arena *scratch, const struct xds_caller *caller);
const struct xds_caller *caller_read(struct wire_reader *reader, const Core__Node *message);

#endif
