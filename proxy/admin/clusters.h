#ifndef REMORA_PROXY_ADMIN_CLUSTERS_H
#define REMORA_PROXY_ADMIN_CLUSTERS_H

#include "lib/base/text.h"
#include "proxy/request/worker_scope.h"

/* A JSON list of all clusters of this worker, as cluster_describe shows each. Worker's thread. */
void clusters_write(struct worker_scope *scope, struct text *json);

#endif
