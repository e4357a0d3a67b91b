#include "proxy/request/cluster_unnamed.h"

static struct span kind_of(const struct request_origin *origin)
{
    if (origin->direction == RECORD_INBOUND) {
        return SPAN("inbound|");
    }
    return origin->workload != NULL ? SPAN("workload|") : SPAN("passthrough|");
}

struct cluster *cluster_unnamed(const struct request_origin *origin, struct arena *arena)
{
    char address[ADDRESS_TEXT_BYTES];
    address_format(&origin->original_dst, address);
    struct span name = ARENA_JOIN(arena, kind_of(origin), span_of(address));
    struct cluster *cluster = cluster_find(origin->scope->upstream, name);
    if (cluster != NULL) {
        return cluster;
    }
    struct cluster_config *config;
    if (origin->direction == RECORD_INBOUND) {
        config = cluster_config_local(name, &origin->original_dst, origin->protocol);
    } else if (origin->workload != NULL) {
        config = cluster_config_workload(name, origin->workload, origin->service_host);
    } else {
        config = cluster_config_passthrough(name, &origin->original_dst);
    }
    return cluster_adopt(origin->scope->upstream, config);
}
