#ifndef REMORA_XDS_XDS_DISCOVERY_H
#define REMORA_XDS_XDS_DISCOVERY_H

#include "lib/xds/xds_type.h"

/*
 * What goes over the discovery stream, in both of its forms: the state of the world (SotW) and the
 * incremental one (delta). One struct each way; fields that only one form has say so.
 */
#define XDS_PATH_SOTW                                                                              \
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
#define XDS_PATH_DELTA                                                                             \
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"

struct xds_pair {
    struct span name;
    struct span value;
};

/* Who asks. metadata: texts at the top level of the Struct; what is not a text is not decoded. */
struct xds_caller {
    struct span id, cluster;
    struct span region, zone, sub_zone;
    struct span agent, agent_version;
    const struct xds_pair *metadata;
    uint32_t metadata_count;
    const struct span *features;
    uint32_t feature_count;
};

struct xds_request {
    const struct xds_caller *caller; /* NULL: as the stream's first request said */
    struct span type_url;
    struct span nonce;        /* of the response that this answers; empty = answers none */
    struct span version;      /* SotW: last accepted */
    const struct span *names; /* SotW: all that is wanted; delta: subscribed from now on */
    uint32_t name_count;
    const struct span *unsubscribed; /* delta */
    uint32_t unsubscribed_count;
    const struct xds_pair
        *versions; /* delta, first request of the type on a stream: what is held */
    uint32_t version_count;
    bool refused; /* NACK */
    int32_t error_code;
    struct span error_message;
};

struct xds_resource {
    struct span name;    /* SotW: only where the server wraps resources, else empty */
    struct span version; /* delta */
    struct span type_url;
    struct span value;
};

struct xds_resource_error {
    struct span name;
    int32_t code;
    struct span message;
};

struct xds_response {
    struct span type_url;
    struct span nonce;
    struct span version; /* SotW: of the type; delta: of the system, for people */
    struct span control_plane;
    const struct xds_resource *resources;
    uint32_t resource_count;
    const struct span *removed; /* delta */
    uint32_t removed_count;
    const struct xds_resource_error *errors;
    uint32_t error_count;
};

/* Spans of what is decoded are in the arena. Values of resources are not looked into. */
struct span xds_request_encode(const struct xds_request *request, bool delta, struct arena *arena);
bool xds_request_decode(struct span bytes, bool delta, struct arena *arena, struct xds_request *ret,
                        struct xds_error *ret_error);
struct span xds_response_encode(const struct xds_response *response, bool delta,
                                struct arena *arena);
bool xds_response_decode(struct span bytes, bool delta, struct arena *arena,
                         struct xds_response *ret, struct xds_error *ret_error);

/* The name that a resource bears, without decoding it whole. *ret points into bytes. */
bool xds_resource_name(enum xds_type type, struct span bytes, struct span *ret);
/* Value of a metadata text; empty when there is none. */
struct span xds_caller_metadata(const struct xds_caller *caller, const char *name);

#endif
