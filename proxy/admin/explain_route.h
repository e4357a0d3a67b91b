#ifndef REMORA_PROXY_ADMIN_EXPLAIN_ROUTE_H
#define REMORA_PROXY_ADMIN_EXPLAIN_ROUTE_H

#include "proxy/admin/explain.h"

/* The inside of explain: what is being written, and the part from the route on. */
struct explanation {
    struct worker_scope *scope;
    const struct snapshot *snapshot;
    struct text *json;
    struct arena arena;
};

const char *explain_protocol(uint8_t protocol);
/* The last members of the object. failure NONE = it would be forwarded. */
void explain_outcome(struct explanation *to, enum failure failure, const char *text);
/* One endpoint as the configuration has it. */
void explain_endpoint(struct explanation *to, const struct xds_endpoint *endpoint);
/* Route, its times and retries, its clusters, and the outcome. */
void explain_route(struct explanation *to, const struct listener_config *listener,
                   const struct http_head *head);
/* Clusters with their shares, times and endpoints, and the outcome. */
void explain_clusters(struct explanation *to, const struct xds_weighted_cluster *clusters,
                      uint32_t count);

#endif
