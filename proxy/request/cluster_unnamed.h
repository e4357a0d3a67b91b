#ifndef REMORA_PROXY_REQUEST_CLUSTER_UNNAMED_H
#define REMORA_PROXY_REQUEST_CLUSTER_UNNAMED_H

#include "proxy/request/request.h"
#include "proxy/upstream/cluster.h"

/*
 * The cluster of a connection that the control plane gave no name: the local application
 * ("inbound|ADDRESS"), one workload ("workload|ADDRESS"), or what lies outside the mesh
 * ("passthrough|ADDRESS"). Made on first use.
 */
struct cluster *cluster_unnamed(const struct request_origin *origin, struct arena *arena);

#endif
