#include "proxy/admin/clusters.h"

#include "proxy/upstream/cluster.h"

void clusters_write(struct worker_scope *scope, struct text *json)
{
    size_t at = 0;
    const char *comma = "";
    struct cluster *cluster;
    text_add_byte(json, '[');
    while ((cluster = cluster_next(scope->upstream, &at)) != NULL) {
        text_add_text(json, comma);
        cluster_describe(cluster, json);
        comma = ",";
    }
    text_add_byte(json, ']');
}
