#ifndef REMORA_PROXY_CONFIG_ROUTE_PREPARED_H
#define REMORA_PROXY_CONFIG_ROUTE_PREPARED_H

/* The inside of a route_config, for the files that build it and match against it. */

#include "lib/base/pattern.h"
#include "proxy/config/route_config.h"
#include "proxy/config/route_copy.h"

struct prepared_field {
    const struct xds_field_match *facts;
    enum header_token token;
    struct pattern *pattern;
};

struct prepared_route {
    struct route route;
    struct pattern *path;
    struct prepared_field *headers;
    struct prepared_field *queries;
};

struct prepared_host {
    const struct xds_virtual_host *facts;
    struct prepared_route *routes;
};

struct route_config {
    struct refcount references;
    struct arena arena;
    const struct xds_route_config *facts;
    struct prepared_host *hosts;
};

#endif
