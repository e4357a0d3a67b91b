#ifndef REMORA_XDS_XDS_TYPE_H
#define REMORA_XDS_XDS_TYPE_H

#include "lib/base/arena.h"
#include "lib/net/address.h"

/*
 * The kinds of resource that control plane and proxies exchange. The first five are Envoy's own
 * (xDS v3), so that plain gRPC clients and Envoy understand them; two are Remora's.
 *
 *   phone entry    who owns an address: pushed whole (wildcard) and small; also asked by address
 *   workload       what one proxy must know of itself: ports, modes, egress
 *   listener       on demand, one a service port: route configuration or TCP clusters
 *   route, cluster, endpoints   on demand
 *   secret         only ROOTCA, the trust bundle; never a key
 *
 * For each there is a plain struct (the other headers of this folder), `x_encode` (struct ->
 * protobuf bytes of the resource) and `x_decode` (guarded bytes -> struct in an arena). A struct is
 * read-only once made. Resource names: listener "api.shop.svc.cluster.local:8080" (HOST:PORT);
 * route "outbound|8080||HOST"; cluster "outbound|8080||HOST"; endpoints: as the cluster; phone
 * entry "shop/api" (NAMESPACE/NAME) or "ip/10.0.0.1"; workload: "self"; secret "ROOTCA".
 */
enum xds_type {
    XDS_LISTENER,
    XDS_ROUTE,
    XDS_CLUSTER,
    XDS_ENDPOINTS,
    XDS_SECRET,
    XDS_PHONE,
    XDS_WORKLOAD,
    XDS_TYPES,
};

/* "type.googleapis.com/envoy.config.listener.v3.Listener" and so on. */
const char *xds_type_url(enum xds_type type);
bool xds_type_of_url(struct span url, enum xds_type *ret);
/* "LDS", "RDS", "CDS", "EDS", "SDS", "PHONE", "WORKLOAD" for people. */
const char *xds_type_short(enum xds_type type);

/* How bytes of a port are to be understood. */
enum xds_protocol {
    XDS_PROTOCOL_AUTO, /* look at the first bytes */
    XDS_PROTOCOL_HTTP1,
    XDS_PROTOCOL_HTTP2, /* prior knowledge, gRPC too */
    XDS_PROTOCOL_TLS,
    XDS_PROTOCOL_OPAQUE,
};

/* A decoding error: static or arena text, with the path of the field where known. */
struct xds_error {
    char text[256];
};

#endif
