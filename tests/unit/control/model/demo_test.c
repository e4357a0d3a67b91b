#include "tests/unit/control/model/small_world.h"
#include "tests/unit/test_main.h"

/* A shop as the demo has it: web calls api in two versions, api calls redis; a gRPC service. */
static const char demo[] =
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
    "---\n"
    "apiVersion: v1\nkind: Service\nmetadata: {name: api, namespace: shop, annotations: "
    "{remora.dev/local-port: \"8080:18080\"}}\n"
    "spec:\n  clusterIP: 10.96.0.10\n  clusterIPs: [10.96.0.10, \"fd96::10\"]\n"
    "  selector: {app: api}\n"
    "  ports:\n  - {name: http, port: 8080, targetPort: http}\n"
    "---\n"
    "apiVersion: v1\nkind: Service\nmetadata: {name: api-v1, namespace: shop}\n"
    "spec:\n  clusterIP: 10.96.0.11\n  selector: {app: api, version: v1}\n"
    "  ports:\n  - {name: http, port: 8080, targetPort: 8080}\n"
    "---\n"
    "apiVersion: v1\nkind: Service\nmetadata: {name: api-v2, namespace: shop}\n"
    "spec:\n  clusterIP: 10.96.0.12\n  selector: {app: api, version: v2}\n"
    "  ports:\n  - {name: http, port: 8080}\n"
    "---\n"
    "apiVersion: v1\nkind: Service\nmetadata: {name: redis, namespace: shop}\n"
    "spec:\n  clusterIP: 10.96.0.13\n  selector: {app: redis}\n"
    "  ports:\n  - {name: redis, port: 6379}\n"
    "---\n"
    "apiVersion: remora.dev/v1alpha1\nkind: Workload\n"
    "metadata: {name: api-v1-1, namespace: shop, labels: {app: api, version: v1}}\n"
    "spec: {addresses: [10.7.0.11, \"fd07::11\"], ports: {http: 8080}, serviceAccount: api, "
    "locality: {region: eu, zone: eu-a, node: n1}}\n"
    "---\n"
    "apiVersion: remora.dev/v1alpha1\nkind: Workload\n"
    "metadata: {name: api-v2-1, namespace: shop, labels: {app: api, version: v2}, annotations: "
    "{remora.dev/inbound-port: \"15106\"}}\n"
    "spec: {addresses: [10.7.0.12], ports: {http: 8080}, serviceAccount: api, weight: 0, "
    "locality: {region: eu, zone: eu-a}}\n"
    "---\n"
    "apiVersion: remora.dev/v1alpha1\nkind: Workload\n"
    "metadata: {name: redis-1, namespace: shop, labels: {app: redis}}\n"
    "spec: {addresses: [10.7.0.20], sidecar: false}\n"
    "---\n"
    "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
    "metadata: {name: api, namespace: shop}\n"
    "spec:\n  parentRefs: [{group: \"\", kind: Service, name: api}]\n"
    "  rules:\n"
    "  - matches: [{path: {value: /v2}}]\n"
    "    backendRefs: [{name: api-v2, port: 8080}]\n"
    "  - name: split\n"
    "    backendRefs: [{name: api-v1, port: 8080, weight: 90}, {name: api-v2, port: 8080, weight: "
    "10}]\n"
    "    timeouts: {request: 2s}\n";

static void the_demo_compiles_into_resources_that_proxies_take(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(&w, demo);
    assert_string_equal(small_world_show(&w, "shop", XDS_PHONE, "shop/api"),
                        "service api.shop.svc.cluster.local in shop 10.96.0.10 fd96::10 "
                        "8080/http1@18080");
    assert_string_equal(
        small_world_show(&w, "shop", XDS_LISTENER, "api.shop.svc.cluster.local:8080"),
        "10.96.0.10:8080 http1 route=outbound|8080||api.shop.svc.cluster.local "
        "tcp: *1outbound|8080||api.shop.svc.cluster.local");
    assert_string_equal(
        small_world_show(&w, "shop", XDS_ROUTE, "outbound|8080||api.shop.svc.cluster.local"),
        "shop/api/0: segments /v2 -> *1outbound|8080||api-v2.shop.svc.cluster.local\n"
        "shop/api/split: any -> *90outbound|8080||api-v1.shop.svc.cluster.local "
        "*10outbound|8080||api-v2.shop.svc.cluster.local timeout=2000");
    assert_string_equal(
        small_world_show(&w, "shop", XDS_CLUSTER, "outbound|8080||api.shop.svc.cluster.local"),
        "eds ewma tls=mesh http1 service=shop/api host=api.shop.svc.cluster.local:8080");
    assert_string_equal(
        small_world_show(&w, "shop", XDS_ENDPOINTS, "outbound|8080||api.shop.svc.cluster.local"),
        "[eu/eu-a 2]\n"
        "10.7.0.11:8080 id=spiffe://cluster.local/ns/shop/sa/api workload=api-v1-1 version=v1 "
        "weight=1 sidecar hbone\n"
        "10.7.0.12:8080 id=spiffe://cluster.local/ns/shop/sa/api workload=api-v2-1 version=v2 "
        "weight=1 sidecar hbone draining mtls-port=15106");
    assert_string_equal(
        small_world_show(&w, "shop", XDS_ENDPOINTS, "outbound|6379||redis.shop.svc.cluster.local"),
        "10.7.0.20:6379 workload=redis-1 weight=1");
    assert_string_equal(small_world_self(&w, "shop/api/api-v1-1"),
                        "shop/api/api-v1-1 version=v1 at=eu/eu-a/n1 default=strict egress=allow "
                        "log=failures trace=0 renew=0.5..0.7 life=86400\n"
                        "8080 http1 strict api");
    assert_string_equal(small_world_condition(&w, "HTTPRoute/shop/api", 0, CONDITION_ACCEPTED),
                        "Accepted=True/Accepted: attached to shop/api");
    assert_string_equal(small_world_condition(&w, "HTTPRoute/shop/api", 0, CONDITION_RESOLVED_REFS),
                        "ResolvedRefs=True/ResolvedRefs: all backends are there");
    small_world_close(&w);
}

static void an_edited_weight_changes_one_route_and_nothing_else(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(&w, demo);
    small_world_apply(&w, "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
                          "metadata: {name: api, namespace: shop}\n"
                          "spec:\n  parentRefs: [{group: \"\", kind: Service, name: api}]\n"
                          "  rules:\n  - backendRefs: [{name: api-v2, port: 8080}]\n");
    assert_string_equal(small_world_changed(&w, XDS_ROUTE),
                        "outbound|8080||api.shop.svc.cluster.local");
    assert_string_equal(small_world_changed(&w, XDS_LISTENER), "");
    assert_string_equal(small_world_changed(&w, XDS_CLUSTER), "");
    assert_string_equal(small_world_changed(&w, XDS_ENDPOINTS), "");
    assert_string_equal(small_world_changed(&w, XDS_PHONE), "");
    assert_int_equal(w.changes->self_namespace_count, 0);
    small_world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_demo_compiles_into_resources_that_proxies_take),
        cmocka_unit_test(an_edited_weight_changes_one_route_and_nothing_else),
    };
    return TEST_MAIN(cases, argc, argv);
}
