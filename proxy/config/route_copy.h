#ifndef REMORA_PROXY_CONFIG_ROUTE_COPY_H
#define REMORA_PROXY_CONFIG_ROUTE_COPY_H

#include "lib/xds/xds_route.h"

/* A whole route configuration, with everything that it points to, into an arena. */
struct xds_route_config *route_copy(const struct xds_route_config *from, struct arena *arena);

#endif
