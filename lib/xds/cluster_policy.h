#ifndef REMORA_XDS_CLUSTER_POLICY_H
#define REMORA_XDS_CLUSTER_POLICY_H

#include "lib/xds/wire_parts.h"

/*
 * Private to lib/xds: remora.xds.v1.ClusterPolicy, what Envoy's Cluster has no field for. Read it
 * after the transport socket: it may say that a cluster without one is of the mesh.
 */
Core__Metadata *cluster_policy_write(struct arena *scratch, const struct xds_cluster *cluster);
bool cluster_policy_read(struct wire_reader *reader, const Core__Metadata *metadata,
                         struct xds_cluster *ret);

#endif
