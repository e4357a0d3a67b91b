#ifndef REMORA_XDS_WIRE_PARTS_H
#define REMORA_XDS_WIRE_PARTS_H

#include "lib/xds/wire.h"
#include "lib/xds/xds_cluster.h"
#include "lib/xds/xds_route.h"

#include "envoy/config/cluster/v3/cluster.pb-c.h"
#include "envoy/config/core/v3/core.pb-c.h"
#include "envoy/config/endpoint/v3/endpoint.pb-c.h"
#include "envoy/config/route/v3/route.pb-c.h"
#include "remora/xds/v1/remora.pb-c.h"

/*
 * Private to lib/xds: parts that several resources have. x_write builds the protobuf-c message in a
 * scratch arena; x_read fills the plain struct, or fails with the reader's error set.
 */

/* Where Remora's own messages are in a core.v3.Metadata. */
#define REMORA_METADATA "remora.dev"

Core__Metadata *metadata_write(struct arena *scratch, const ProtobufCMessage *message);
/* The message in it, guarded; *ret NULL when there is none. */
bool metadata_read(struct wire_reader *reader, const Core__Metadata *metadata,
                   const ProtobufCMessageDescriptor *type, void *ret_message);

/* name is written when the address has no family (a host that is to be resolved). */
Core__Address *address_write(struct arena *scratch, const struct address *address,
                             struct span name);
/* ret_name NULL: only IP addresses are taken. Else a host name is, with family 0. */
bool address_read(struct wire_reader *reader, const Core__Address *message, struct address *ret,
                  struct span *ret_name);
Core__ConfigSource *config_source_ads(struct arena *scratch);

/* NULL when there is nothing that Envoy has no field for. */
Remora__EndpointFacts *endpoint_facts_write(struct arena *scratch,
                                            const struct xds_endpoint *endpoint);
bool endpoint_facts_read(struct wire_reader *reader, const Remora__EndpointFacts *facts,
                         struct xds_endpoint *ret);

Ep__ClusterLoadAssignment *endpoints_write(struct arena *scratch,
                                           const struct xds_endpoints *endpoints);
bool endpoints_read(struct wire_reader *reader, const Ep__ClusterLoadAssignment *message,
                    bool names_allowed, struct xds_endpoints *ret);

/* Transport socket of a cluster; NULL for XDS_TLS_NONE and where each endpoint decides. */
Core__TransportSocket *cluster_tls_write(struct arena *scratch, const struct xds_cluster *cluster);
bool cluster_tls_read(struct wire_reader *reader, const Core__TransportSocket *socket,
                      struct xds_cluster *ret);

Clu__LoadBalancingPolicy *cluster_lb_write(struct arena *scratch, enum xds_lb lb);
bool cluster_lb_read(struct wire_reader *reader, const Clu__Cluster *message, uint8_t *ret_lb);

/* The cluster name as sent (XDS_NO_CLUSTER for an empty one) and as received. */
char *backend_name_write(struct arena *scratch, struct span name);
struct span backend_name_read(struct wire_reader *reader, const char *name);

Rt__RouteMatch *route_match_write(struct arena *scratch, const struct xds_route *route,
                                  bool for_grpc);
bool route_match_read(struct wire_reader *reader, const Rt__RouteMatch *message,
                      struct xds_route *ret);

/* The four repeated fields that carry header changes of a route or weighted cluster. */
struct header_lists {
    size_t n_add;
    Core__HeaderValueOption **add;
    size_t n_remove;
    char **remove;
};
struct header_lists header_changes_write(struct arena *scratch,
                                         const struct xds_header_changes *changes);
bool header_changes_read(struct wire_reader *reader, const char *field, struct header_lists lists,
                         struct xds_header_changes *ret);

void route_action_write(struct arena *scratch, Rt__Route *message, const struct xds_route *route,
                        bool for_grpc);
bool route_action_read(struct wire_reader *reader, const Rt__Route *message, struct xds_route *ret);

#endif
