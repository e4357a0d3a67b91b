#ifndef REMORA_CONTROL_OBJECT_KIND_H
#define REMORA_CONTROL_OBJECT_KIND_H

#include "control/object/field.h"

/* Every kind of object that Remora reads. */
enum kind {
    KIND_SERVICE,
    KIND_NAMESPACE,
    KIND_ENDPOINT_SLICE,
    KIND_HTTP_ROUTE,
    KIND_GRPC_ROUTE,
    KIND_TCP_ROUTE,
    KIND_TLS_ROUTE,
    KIND_REFERENCE_GRANT,
    KIND_WORKLOAD,
    KIND_TRAFFIC_POLICY,
    KIND_RATE_LIMIT_POLICY,
    KIND_TRANSPORT_POLICY,
    KIND_AUTHORIZATION_POLICY,
    KIND_JWT_POLICY,
    KIND_EXTERNAL_SERVICE,
    KIND_MESH_CONFIG,
    KINDS,
};

struct kind_facts {
    const char *name;            /* "HTTPRoute" */
    const char *plural;          /* "httproutes", as the API server spells it in paths */
    const char *group;           /* "" for the core group */
    const char *versions;        /* "v1 v1beta1", the preferred first */
    const struct schema *schema; /* of the fields beside apiVersion, kind, metadata and status */
    bool namespaced;
    bool in_force; /* false: read and checked, but nothing acts on it yet */
};

/* Never NULL; kind must be below KINDS. */
const struct kind_facts *kind_facts(enum kind kind);

/* A route of the Gateway API: it names parents; other kinds name targets. */
static inline bool kind_is_route(enum kind kind)
{
    return kind == KIND_HTTP_ROUTE || kind == KIND_GRPC_ROUTE || kind == KIND_TCP_ROUTE ||
           kind == KIND_TLS_ROUTE;
}

enum kind_match { KIND_FOUND, KIND_FOREIGN, KIND_UNKNOWN_VERSION, KIND_UNKNOWN };
/*
 * By apiVersion and kind of a manifest. KIND_FOREIGN: of a group that is not Remora's business, or
 * one of the Gateway API's kinds that other programs serve.
 */
enum kind_match kind_find(struct span api_version, struct span name, enum kind *ret_kind);

#endif
