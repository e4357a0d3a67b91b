#include "tests/unit/control/model/small_world.h"
#include "tests/unit/test_main.h"

#include "lib/base/arena.h"

#include <stdlib.h>
#include <unistd.h>

#define SERVICE(name, spec)                                                                        \
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: " name                                   \
    ", namespace: shop}\nspec: {" spec "}\n"
#define WORKLOAD(name, meta, spec)                                                                 \
    "---\napiVersion: remora.dev/v1alpha1\nkind: Workload\nmetadata: {name: " name                 \
    ", namespace: shop" meta "}\nspec: {" spec "}\n"
#define SLICE(name, type, rest)                                                                    \
    "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: " name            \
    ", namespace: shop, labels: {kubernetes.io/service-name: db}}\naddressType: " type "\n" rest
#define DB "outbound|5432||db.shop.svc.cluster.local"
#define DB_SERVICE SERVICE("db", "clusterIP: 10.96.0.1, ports: [{name: pg, port: 5432}]")
#define PORTS "ports: [{name: pg, port: 15432}]\n"

static void the_protocol_of_a_port_is_found_in_order(void **state)
{
    static const struct {
        const char *port, *protocol;
    } cases[] = {
        {"name: x, appProtocol: http", "http1"},
        {"name: x, appProtocol: HTTP", "http1"},
        {"name: x, appProtocol: grpc", "http2"},
        {"name: x, appProtocol: http2", "http2"},
        {"name: x, appProtocol: kubernetes.io/h2c", "http2"},
        {"name: x, appProtocol: kubernetes.io/ws", "http1"},
        {"name: x, appProtocol: kubernetes.io/wss", "tls"},
        {"name: x, appProtocol: https", "tls"},
        {"name: x, appProtocol: postgresql", "opaque"},
        {"name: http, appProtocol: something-new", "auto"},
        {"name: http", "http1"},
        {"name: http-alt", "http1"},
        {"name: http2-a", "http2"},
        {"name: grpc", "http2"},
        {"name: https", "tls"},
        {"name: tls-x", "tls"},
        {"name: tcp-redis", "opaque"},
        {"name: mysql", "opaque"},
        {"name: httpx", "auto"},
        {"name: web", "auto"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct small_world w;
        char manifest[512];
        char expected[128];
        small_world_open(&w);
        snprintf(manifest, sizeof(manifest), SERVICE("s", "ports: [{port: 80, %s}]"),
                 cases[i].port);
        snprintf(expected, sizeof(expected), "service s.shop.svc.cluster.local in shop 80/%s",
                 cases[i].protocol);
        small_world_apply(&w, manifest);
        assert_string_equal(small_world_show(&w, "a", XDS_PHONE, "shop/s"), expected);
        small_world_close(&w);
    }
}

static void udp_ports_are_left_out_and_opaque_ports_are_opaque(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(
        &w, "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: shop, annotations: "
            "{remora.dev/opaque-ports: \"81, 82\", remora.dev/local-port: \"80:1080,81:1081\"}}\n"
            "spec: {ports: [{name: http-a, port: 80}, {name: http-b, port: 81}, {name: dns, port: "
            "53, protocol: UDP}]}\n");
    assert_string_equal(small_world_show(&w, "a", XDS_PHONE, "shop/s"),
                        "service s.shop.svc.cluster.local in shop 80/http1@1080 81/opaque@1081");
    assert_string_equal(
        small_world_show(&w, "a", XDS_CLUSTER, "outbound|53||s.shop.svc.cluster.local"), "none");
    small_world_close(&w);
}

static void target_ports_are_numbers_or_names_of_the_workload(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(
        &w, SERVICE("s", "selector: {app: a}, ports: [{name: n, port: 80, targetPort: web}, {name: "
                         "m, port: 81, targetPort: 9000}, {name: o, port: 82}]")
                WORKLOAD("a", ", labels: {app: a}",
                         "addresses: [10.0.0.1], ports: {web: 8080}, sidecar: false")
                    WORKLOAD("b", ", labels: {app: a}",
                             "addresses: [10.0.0.2], ports: {web: 8081}, sidecar: false")
                        WORKLOAD("c", ", labels: {app: a}", "addresses: [10.0.0.3], sidecar: false")
                            WORKLOAD("d", ", labels: {app: other}", "addresses: [10.0.0.4]"));
    assert_string_equal(
        small_world_show(&w, "a", XDS_ENDPOINTS, "outbound|80||s.shop.svc.cluster.local"),
        "10.0.0.1:8080 workload=a weight=1\n10.0.0.2:8081 workload=b weight=1");
    assert_string_equal(
        small_world_show(&w, "a", XDS_ENDPOINTS, "outbound|81||s.shop.svc.cluster.local"),
        "10.0.0.1:9000 workload=a weight=1\n10.0.0.2:9000 workload=b weight=1\n"
        "10.0.0.3:9000 workload=c weight=1");
    small_world_close(&w);
}

static void a_workload_of_both_families_is_one_endpoint(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(&w, SERVICE("four", "clusterIP: 10.96.0.1, selector: {a: b}, ports: [{port: "
                                          "80}]")
                              SERVICE("six", "clusterIPs: [\"fd96::1\", 10.96.0.2], selector: {a: "
                                             "b}, ports: [{port: 80}]")
                                  WORKLOAD("w", ", labels: {a: b}",
                                           "addresses: [10.0.0.1, \"fd00::1\"], sidecar: false"));
    assert_string_equal(
        small_world_show(&w, "a", XDS_ENDPOINTS, "outbound|80||four.shop.svc.cluster.local"),
        "10.0.0.1:80 workload=w weight=1");
    assert_string_equal(
        small_world_show(&w, "a", XDS_ENDPOINTS, "outbound|80||six.shop.svc.cluster.local"),
        "[fd00::1]:80 workload=w weight=1");
    small_world_close(&w);
}

static void slices_are_read_as_kube_proxy_reads_them(void **state)
{
    static const struct {
        const char *slices, *shown;
    } cases[] = {
        /* endpoints absent, null and empty are the same */
        {SLICE("a", "IPv4", PORTS), ""},
        {SLICE("a", "IPv4", PORTS "endpoints: null\n"), ""},
        {SLICE("a", "IPv4", PORTS "endpoints: []\n"), ""},
        /* null conditions: ready */
        {SLICE("a", "IPv4",
               PORTS "endpoints: [{addresses: [10.0.0.1], conditions: {ready: null}}, "
                     "{addresses: [10.0.0.2]}]\n"),
         "10.0.0.1:15432 weight=1\n10.0.0.2:15432 weight=1"},
        /* not ready ones are left out; terminating ones serve only when there is nobody else */
        {SLICE("a", "IPv4",
               PORTS "endpoints: [{addresses: [10.0.0.1], conditions: {ready: false, serving: "
                     "true, terminating: true}}, {addresses: [10.0.0.2], conditions: {ready: "
                     "true}}, {addresses: [10.0.0.3], conditions: {ready: false}}]\n"),
         "10.0.0.2:15432 weight=1"},
        {SLICE("a", "IPv4",
               PORTS "endpoints: [{addresses: [10.0.0.1], conditions: {ready: false, serving: "
                     "true, terminating: true}}, {addresses: [10.0.0.3], conditions: {ready: "
                     "false, serving: false, terminating: true}}]\n"),
         "10.0.0.1:15432 weight=1"},
        /* the same address in two slices: once, the ready copy */
        {SLICE("a", "IPv4",
               PORTS "endpoints: [{addresses: [10.0.0.1], conditions: {ready: "
                     "false}}]\n")
             SLICE("b", "IPv4", PORTS "endpoints: [{addresses: [10.0.0.1]}]\n"),
         "10.0.0.1:15432 weight=1"},
        /* slices of both families: that of the first virtual address */
        {SLICE("a", "IPv4", PORTS "endpoints: [{addresses: [10.0.0.1]}]\n")
             SLICE("b", "IPv6", PORTS "endpoints: [{addresses: [\"fd00::1\"]}]\n"),
         "10.0.0.1:15432 weight=1"},
        /* ports by name; the number differs by slice; null = the service's own */
        {SLICE("a", "IPv4", PORTS "endpoints: [{addresses: [10.0.0.1]}]\n")
             SLICE("b", "IPv4",
                   "ports: [{name: pg, port: 25432}]\nendpoints: [{addresses: "
                   "[10.0.0.2]}]\n")
                 SLICE("c", "IPv4",
                       "ports: [{name: pg, port: null}]\nendpoints: [{addresses: "
                       "[10.0.0.3]}]\n") SLICE("d", "IPv4",
                                               "ports: [{name: other, port: 1}]\nendpoints: "
                                               "[{addresses: [10.0.0.4]}]\n"),
         "10.0.0.1:15432 weight=1\n10.0.0.2:25432 weight=1\n10.0.0.3:5432 weight=1"},
        /* zones; the workload behind the address gives the identity */
        {SLICE("a", "IPv4",
               PORTS "endpoints: [{addresses: [10.0.0.1], zone: b}, {addresses: "
                     "[10.0.0.2], zone: a, targetRef: {kind: Pod, name: db-2}}]\n")
             WORKLOAD("db-1", "", "addresses: [10.0.0.1], serviceAccount: db"),
         "[/a 1]\n10.0.0.2:15432 workload=db-2 weight=1\n[/b 1]\n10.0.0.1:15432 "
         "id=spiffe://cluster.local/ns/shop/sa/db workload=db-1 weight=1 sidecar hbone"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct small_world w;
        small_world_open(&w);
        small_world_apply(&w, DB_SERVICE);
        small_world_apply(&w, cases[i].slices);
        const char *shown = small_world_show(&w, "shop", XDS_ENDPOINTS, DB);
        if (strcmp(shown, cases[i].shown) != 0) {
            fail_msg("case %zu:\n%s\nnot\n%s", i, shown, cases[i].shown);
        }
        small_world_close(&w);
    }
}

static void of_two_services_with_one_address_the_older_has_it(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(&w, SERVICE("b", "clusterIP: 10.96.0.1, ports: [{port: 80}]"));
    small_world_apply(&w, SERVICE("a", "clusterIP: 10.96.0.1, ports: [{port: 80}]"));
    assert_string_equal(small_world_show(&w, "x", XDS_PHONE, "shop/a"),
                        "service a.shop.svc.cluster.local in shop 10.96.0.1 80/auto");
    assert_string_equal(small_world_show(&w, "x", XDS_PHONE, "shop/b"),
                        "service b.shop.svc.cluster.local in shop 80/auto");
    assert_string_equal(
        small_world_condition(&w, "Service/shop/b", CONDITION_OF_OBJECT, CONDITION_PROGRAMMED),
        "Programmed=False/Conflicted: address 10.96.0.1 is that of Service/shop/a");
    small_world_remove(&w, "Service/shop/a");
    assert_string_equal(small_world_show(&w, "x", XDS_PHONE, "shop/b"),
                        "service b.shop.svc.cluster.local in shop 10.96.0.1 80/auto");
    assert_string_equal(
        small_world_condition(&w, "Service/shop/b", CONDITION_OF_OBJECT, CONDITION_PROGRAMMED),
        "Programmed=True/Programmed: in force");
    small_world_close(&w);
}

static void an_address_of_a_workload_is_answered_and_its_changes_told(void **state)
{
    struct small_world w;
    small_world_open(&w);
    assert_string_equal(small_world_show(&w, "x", XDS_PHONE, "ip/10.0.0.1"), "none");
    small_world_apply(&w, SERVICE("s", "selector: {a: b}, ports: [{name: http, port: 80}]")
                              WORKLOAD("w", ", labels: {a: b, version: v1}",
                                       "addresses: [10.0.0.1], serviceAccount: s"));
    assert_string_equal(small_world_changed(&w, XDS_PHONE), "ip/10.0.0.1 shop/s");
    assert_string_equal(
        small_world_show(&w, "x", XDS_PHONE, "ip/10.0.0.1"),
        "workload  in shop 10.0.0.1 80/http1 at 10.0.0.1:0 id=spiffe://cluster.local/ns/shop/sa/s "
        "workload=w version=v1 weight=1 sidecar hbone");
    small_world_apply(&w, WORKLOAD("x", "", "addresses: [10.0.0.9]"));
    assert_string_equal(small_world_changed(&w, XDS_PHONE), "");
    small_world_remove(&w, "Workload/shop/w");
    assert_string_equal(small_world_changed(&w, XDS_PHONE), "ip/10.0.0.1");
    assert_string_equal(small_world_show(&w, "x", XDS_PHONE, "ip/10.0.0.1"), "none");
    assert_string_equal(small_world_show(&w, "x", XDS_PHONE, "ip/nonsense"), "none");
    assert_string_equal(small_world_show(&w, "x", XDS_PHONE, "ip/"), "none");
    small_world_close(&w);
}

static void a_proxy_is_only_told_of_workloads_of_its_own_identity(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(&w, SERVICE("s", "selector: {a: b}, ports: [{name: http, port: 80}]")
                              WORKLOAD("w", ", labels: {a: b}",
                                       "addresses: [10.0.0.1], serviceAccount: good, locality: "
                                       "{region: r, zone: z, node: n}"));
    assert_string_equal(small_world_self(&w, "shop/good/w"),
                        "shop/good/w version= at=r/z/n default=strict egress=allow log=failures "
                        "trace=0 renew=0.5..0.7 life=86400\n80 http1 strict s");
    assert_string_equal(small_world_self(&w, "shop/evil/w"),
                        "shop/evil/w version= at=// default=strict egress=allow log=failures "
                        "trace=0 renew=0.5..0.7 life=86400");
    assert_string_equal(small_world_self(&w, "bank/good/w"),
                        "bank/good/w version= at=// default=strict egress=allow log=failures "
                        "trace=0 renew=0.5..0.7 life=86400");
    /* By its address, when its name is not that of a Workload. */
    struct address address;
    assert_true(address_parse_ip(SPAN("10.0.0.1"), &address));
    struct viewer viewer = {SPAN("shop"), SPAN("good"), SPAN("pod-7"), &address, 1};
    struct resource *by_address = world_resource(w.world, &viewer, XDS_WORKLOAD, SPAN("self"));
    viewer.workload = SPAN("w");
    struct resource *by_name = world_resource(w.world, &viewer, XDS_WORKLOAD, SPAN("self"));
    assert_true(by_address->version == by_name->version);
    resource_unref(by_address);
    resource_unref(by_name);
    small_world_close(&w);
}

static void self_changes_are_told_by_namespace(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(&w, WORKLOAD("w", "", "addresses: [10.0.0.1]"));
    assert_false(w.changes->self_everywhere);
    assert_int_equal(w.changes->self_namespace_count, 1);
    assert_true(span_equal_text(w.changes->self_namespaces[0], "shop"));
    world_compile(w.world);
    assert_int_equal(w.changes->self_namespace_count, 0);
    small_world_close(&w);
}

#define EXTERNAL(name, spec)                                                                       \
    "---\napiVersion: remora.dev/v1alpha1\nkind: ExternalService\nmetadata: {name: " name          \
    ", namespace: shop}\nspec: {" spec "}\n"

static void external_services_are_found_by_host(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(
        &w, EXTERNAL("id", "hosts: [id.example, login.example], ports: [{port: 443, protocol: "
                           "TLS}], resolution: DNS, tls: {mode: Passthrough}"));
    assert_string_equal(small_world_show(&w, "x", XDS_PHONE, "external/shop/id/id.example"),
                        "external id.example in shop 443/tls");
    assert_string_equal(small_world_show(&w, "x", XDS_LISTENER, "login.example:443"),
                        "- tls route=outbound|443||login.example tcp: "
                        "*1outbound|443||login.example");
    assert_string_equal(small_world_show(&w, "x", XDS_CLUSTER, "outbound|443||id.example"),
                        "strict-dns ewma tls=none tls service=shop/id host=id.example:443\n"
                        "- host=id.example:443 weight=1");
    assert_string_equal(small_world_show(&w, "x", XDS_ROUTE, "outbound|443||id.example"),
                        "default: any -> *1outbound|443||id.example");
    small_world_apply(&w, EXTERNAL("db", "hosts: [db.example], ports: [{port: 5432, protocol: "
                                         "TCP}], resolution: Static, addresses: [192.0.2.1, "
                                         "192.0.2.2]"));
    assert_string_equal(small_world_show(&w, "x", XDS_CLUSTER, "outbound|5432||db.example"),
                        "static ewma tls=none opaque service=shop/db host=db.example:5432\n"
                        "192.0.2.1:5432 host=db.example:5432 weight=1\n"
                        "192.0.2.2:5432 host=db.example:5432 weight=1");
    assert_string_equal(small_world_show(&w, "x", XDS_PHONE, "external/shop/db/db.example"),
                        "external db.example in shop 192.0.2.1 192.0.2.2 5432/opaque");
    small_world_apply(&w, EXTERNAL("any", "hosts: [\"*.example\"], ports: [{port: 443}], "
                                          "resolution: None"));
    assert_string_equal(
        small_world_show(&w, "x", XDS_CLUSTER, "outbound|443||*.example"),
        "original-dst round-robin tls=none auto service=shop/any host=*.example:443");
    small_world_remove(&w, "ExternalService/shop/id");
    assert_string_equal(small_world_show(&w, "x", XDS_CLUSTER, "outbound|443||id.example"), "none");
    assert_string_equal(small_world_changed(&w, XDS_PHONE),
                        "external/shop/id/id.example external/shop/id/login.example");
    small_world_close(&w);
}

static void a_host_in_two_external_services_belongs_to_the_older(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(&w, EXTERNAL("b", "hosts: [id.example], ports: [{port: 443}]")
                              EXTERNAL("a", "hosts: [id.example], ports: [{port: 443}]"));
    assert_string_equal(small_world_show(&w, "x", XDS_PHONE, "external/shop/b/id.example"), "none");
    assert_string_equal(small_world_condition(&w, "ExternalService/shop/b", CONDITION_OF_OBJECT,
                                              CONDITION_PROGRAMMED),
                        "Programmed=False/Conflicted: host id.example is that of "
                        "ExternalService/shop/a");
    small_world_remove(&w, "ExternalService/shop/a");
    assert_string_equal(small_world_show(&w, "x", XDS_PHONE, "external/shop/b/id.example"),
                        "external id.example in shop 443/auto");
    small_world_close(&w);
}

static void a_host_inside_the_cluster_cannot_be_taken_over(void **state)
{
    static const char *const hosts[] = {
        "db.shop.svc.cluster.local", "\"*.svc.cluster.local\"", "cluster.local",
        "svc.cluster.local",         "\"*.cluster.local\"",     "\"*.local\""};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct small_world w;
        char manifest[512];
        small_world_open(&w);
        small_world_apply(&w, DB_SERVICE);
        snprintf(manifest, sizeof(manifest),
                 EXTERNAL("e", "hosts: [%s], ports: [{port: 5432}], resolution: None"), hosts[i]);
        small_world_apply(&w, manifest);
        assert_string_equal(small_world_changed(&w, XDS_CLUSTER), "");
        assert_string_equal(small_world_changed(&w, XDS_PHONE), "");
        assert_non_null(strstr(small_world_condition(&w, "ExternalService/shop/e",
                                                     CONDITION_OF_OBJECT, CONDITION_PROGRAMMED),
                               "is inside the cluster"));
        small_world_close(&w);
    }
}

static void only_certificates_of_a_ca_file_leave_the_machine(void **state)
{
    struct small_world w;
    char path[] = "/tmp/remora-ca-XXXXXX";
    char manifest[512];
    static const char secret[] = "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n";
    static const char good[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, secret, sizeof(secret) - 1), sizeof(secret) - 1);
    snprintf(manifest, sizeof(manifest),
             EXTERNAL("e", "hosts: [e.example], ports: [{port: 443, protocol: HTTPS}], tls: {mode: "
                           "Originate, caFile: %s}"),
             path);
    small_world_open(&w);
    small_world_apply(&w, manifest);
    assert_string_equal(small_world_show(&w, "x", XDS_CLUSTER, "outbound|443||e.example"), "none");
    assert_non_null(strstr(small_world_condition(&w, "ExternalService/shop/e", CONDITION_OF_OBJECT,
                                                 CONDITION_PROGRAMMED),
                           "no certificate can be read from"));
    assert_int_equal(write(fd, good, sizeof(good) - 1), sizeof(good) - 1);
    close(fd);
    small_world_remove(&w, "ExternalService/shop/e");
    small_world_apply(&w, manifest);
    assert_string_equal(small_world_show(&w, "x", XDS_CLUSTER, "outbound|443||e.example"),
                        "strict-dns ewma tls=originate tls service=shop/e host=e.example:443\n"
                        "sni=e.example ca=given\n- host=e.example:443 weight=1");
    struct viewer viewer = {0};
    struct resource *cluster =
        world_resource(w.world, &viewer, XDS_CLUSTER, SPAN("outbound|443||e.example"));
    assert_int_equal(span_find(cluster->bytes, SPAN("secret")), cluster->bytes.length);
    resource_unref(cluster);
    unlink(path);
    small_world_close(&w);
}

static void grpc_names_are_made_whole(void **state)
{
    static const struct {
        const char *name, *whole;
    } cases[] = {
        {"s:80", "s.shop.svc.cluster.local:80"},
        {"s.shop:80", "s.shop.svc.cluster.local:80"},
        {"s.shop.svc:80", "s.shop.svc.cluster.local:80"},
        {"s.shop.svc.cluster.local:80", "s.shop.svc.cluster.local:80"},
        {"s.bank:80", "s.bank:80"},
        {"s", "s"},
        {":80", ":80"},
        {"", ""},
        {"s.shop.svc.other:80", "s.shop.svc.other:80"},
    };
    struct small_world w;
    struct arena arena = {0};
    struct viewer viewer = {.namespace_name = SPAN("shop")};
    small_world_open(&w);
    small_world_apply(&w, SERVICE("s", "ports: [{port: 80}]"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span whole = world_listener_name(w.world, &viewer, span_of(cases[i].name), &arena);
        assert_true(span_equal_text(whole, cases[i].whole));
    }
    arena_done(&arena);
    small_world_close(&w);
}

static void the_trust_bundle_is_a_resource_and_its_change_is_told(void **state)
{
    struct small_world w;
    small_world_open(&w);
    world_set_roots(w.world, SPAN("PEM"));
    small_world_apply(&w, DB_SERVICE);
    assert_string_equal(small_world_changed(&w, XDS_SECRET), "ROOTCA");
    assert_string_equal(small_world_show(&w, "x", XDS_SECRET, "ROOTCA"), "PEM");
    world_set_roots(w.world, SPAN("PEM"));
    world_compile(w.world);
    assert_string_equal(small_world_changed(&w, XDS_SECRET), "");
    assert_string_equal(small_world_show(&w, "x", XDS_SECRET, "default"), "none");
    small_world_close(&w);
}

static void wildcards_list_each_resource_once(void **state)
{
    struct small_world w;
    struct viewer viewer = {.namespace_name = SPAN("x")};
    size_t at = 0;
    size_t count = 0;
    struct resource *resource;
    small_world_open(&w);
    small_world_apply(&w, DB_SERVICE SERVICE("s", "ports: [{port: 80}]"));
    while ((resource = world_next(w.world, &viewer, XDS_PHONE, &at)) != NULL) {
        count++;
        resource_unref(resource);
    }
    assert_int_equal(count, 2);
    small_world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_protocol_of_a_port_is_found_in_order),
        cmocka_unit_test(udp_ports_are_left_out_and_opaque_ports_are_opaque),
        cmocka_unit_test(target_ports_are_numbers_or_names_of_the_workload),
        cmocka_unit_test(a_workload_of_both_families_is_one_endpoint),
        cmocka_unit_test(slices_are_read_as_kube_proxy_reads_them),
        cmocka_unit_test(of_two_services_with_one_address_the_older_has_it),
        cmocka_unit_test(an_address_of_a_workload_is_answered_and_its_changes_told),
        cmocka_unit_test(a_proxy_is_only_told_of_workloads_of_its_own_identity),
        cmocka_unit_test(self_changes_are_told_by_namespace),
        cmocka_unit_test(external_services_are_found_by_host),
        cmocka_unit_test(a_host_in_two_external_services_belongs_to_the_older),
        cmocka_unit_test(a_host_inside_the_cluster_cannot_be_taken_over),
        cmocka_unit_test(only_certificates_of_a_ca_file_leave_the_machine),
        cmocka_unit_test(grpc_names_are_made_whole),
        cmocka_unit_test(the_trust_bundle_is_a_resource_and_its_change_is_told),
        cmocka_unit_test(wildcards_list_each_resource_once),
    };
    return TEST_MAIN(cases, argc, argv);
}
