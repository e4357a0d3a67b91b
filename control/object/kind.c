#include "control/object/kind.h"

#include "control/object/mesh_spec.h"
#include "control/object/policy_spec.h"
#include "control/object/route_spec.h"
#include "control/object/service_spec.h"

#define GATEWAY "gateway.networking.k8s.io"
#define REMORA "remora.dev"

static const struct kind_facts kinds[KINDS] = {
    [KIND_SERVICE] = {"Service", "services", "", "v1", &service_schema, true, true},
    [KIND_NAMESPACE] = {"Namespace", "namespaces", "", "v1", &namespace_schema, false, true},
    [KIND_ENDPOINT_SLICE] = {"EndpointSlice", "endpointslices", "discovery.k8s.io", "v1",
                             &endpoint_slice_schema, true, true},
    [KIND_HTTP_ROUTE] = {"HTTPRoute", "httproutes", GATEWAY, "v1 v1beta1", &http_route_schema, true,
                         true},
    [KIND_GRPC_ROUTE] = {"GRPCRoute", "grpcroutes", GATEWAY, "v1", &grpc_route_schema, true, true},
    [KIND_TCP_ROUTE] = {"TCPRoute", "tcproutes", GATEWAY, "v1 v1alpha2", &tcp_route_schema, true,
                        true},
    [KIND_TLS_ROUTE] = {"TLSRoute", "tlsroutes", GATEWAY, "v1 v1alpha3 v1alpha2", &tls_route_schema,
                        true, false},
    [KIND_REFERENCE_GRANT] = {"ReferenceGrant", "referencegrants", GATEWAY, "v1 v1beta1",
                              &reference_grant_schema, true, true},
    [KIND_WORKLOAD] = {"Workload", "workloads", REMORA, "v1alpha1", &workload_schema, true, true},
    [KIND_TRAFFIC_POLICY] = {"TrafficPolicy", "trafficpolicies", REMORA, "v1alpha1",
                             &traffic_policy_schema, true, true},
    [KIND_RATE_LIMIT_POLICY] = {"RateLimitPolicy", "ratelimitpolicies", REMORA, "v1alpha1",
                                &rate_limit_policy_schema, true, false},
    [KIND_TRANSPORT_POLICY] = {"TransportPolicy", "transportpolicies", REMORA, "v1alpha1",
                               &transport_policy_schema, true, true},
    [KIND_AUTHORIZATION_POLICY] = {"AuthorizationPolicy", "authorizationpolicies", REMORA,
                                   "v1alpha1", &authorization_policy_schema, true, false},
    [KIND_JWT_POLICY] = {"JwtPolicy", "jwtpolicies", REMORA, "v1alpha1", &jwt_policy_schema, true,
                         false},
    [KIND_EXTERNAL_SERVICE] = {"ExternalService", "externalservices", REMORA, "v1alpha1",
                               &external_service_schema, true, true},
    [KIND_MESH_CONFIG] = {"MeshConfig", "meshconfigs", REMORA, "v1alpha1", &mesh_config_schema,
                          false, true},
};

const struct kind_facts *kind_facts(enum kind kind)
{
    return &kinds[kind];
}

static bool has_word(const char *words, struct span word)
{
    struct span rest = span_of(words);
    struct span each;
    while (span_next(&rest, ' ', &each)) {
        if (span_equal(each, word)) {
            return true;
        }
    }
    return false;
}

/* Kinds of the Gateway API that gateways serve, and a mesh has no part in. */
static bool is_foreign(struct span group, struct span name)
{
    if (span_equal_text(group, GATEWAY)) {
        return has_word("Gateway GatewayClass UDPRoute BackendTLSPolicy ListenerSet", name);
    }
    return !span_equal_text(group, REMORA);
}

enum kind_match kind_find(struct span api_version, struct span name, enum kind *ret_kind)
{
    size_t slash = span_find_byte(api_version, '/');
    bool grouped = slash < api_version.length;
    struct span group = grouped ? span_cut(api_version, 0, slash) : SPAN_EMPTY;
    struct span version =
        grouped ? span_cut(api_version, slash + 1, api_version.length) : api_version;
    for (int i = 0; i < KINDS; i++) {
        if (span_equal_text(group, kinds[i].group) && span_equal_text(name, kinds[i].name)) {
            if (!has_word(kinds[i].versions, version)) {
                return KIND_UNKNOWN_VERSION;
            }
            *ret_kind = (enum kind)i;
            return KIND_FOUND;
        }
    }
    return is_foreign(group, name) ? KIND_FOREIGN : KIND_UNKNOWN;
}
