#include "tests/unit/control/model/small_world.h"
#include "tests/unit/test_main.h"

/*
 * The Gateway API in mesh mode as far as the control plane decides it: binding, groups of clients,
 * precedence, results. The services are those of the conformance suite's test bed.
 */
#define ECHO(name, ip)                                                                             \
    "apiVersion: v1\nkind: Service\nmetadata: {name: " name ", namespace: mesh}\n"                 \
    "spec:\n  clusterIP: " ip "\n  ports:\n"                                                       \
    "  - {name: http, port: 80, targetPort: 8080, appProtocol: http}\n"                            \
    "  - {name: http-alt, port: 8080, appProtocol: http}\n"                                        \
    "  - {name: https, port: 443, targetPort: 8443}\n"                                             \
    "  - {name: tcp, port: 9090}\n"                                                                \
    "  - {name: grpc, port: 7070}\n---\n"

static const char test_bed[] = ECHO("echo", "10.0.0.1") ECHO("echo-v1", "10.0.0.2")
    ECHO("echo-v2", "10.0.0.3") "apiVersion: v1\nkind: Service\nmetadata: {name: headless, "
                                "namespace: mesh}\nspec: {clusterIP: None, ports: [{port: 80}]}\n"
                                "---\napiVersion: v1\nkind: Service\nmetadata: {name: outside, "
                                "namespace: mesh}\nspec: {type: ExternalName, externalName: "
                                "db.example, ports: [{port: 80}]}\n---\n";

#define HTTP_ROUTE(name, namespace_name, rest)                                                     \
    "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: " name       \
    ", namespace: " namespace_name "}\nspec:\n" rest
#define GRPC_ROUTE(name, rest)                                                                     \
    "---\napiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: " name       \
    ", namespace: mesh}\nspec:\n" rest
#define TCP_ROUTE(name, rest)                                                                      \
    "---\napiVersion: gateway.networking.k8s.io/v1alpha2\nkind: TCPRoute\nmetadata: {name: " name  \
    ", namespace: mesh}\nspec:\n" rest
#define PARENT "  parentRefs: [{group: \"\", kind: Service, name: echo}]\n"
#define PARENT_PORT(port)                                                                          \
    "  parentRefs: [{group: \"\", kind: Service, name: echo, port: " port "}]\n"
#define V1 "outbound|80||echo-v1.mesh.svc.cluster.local"
#define V2 "outbound|80||echo-v2.mesh.svc.cluster.local"
#define TO_V1 "[{name: echo-v1, port: 80}]"
#define TO_V2 "[{name: echo-v2, port: 80}]"
#define ROUTE_80 "outbound|80||echo.mesh.svc.cluster.local"
#define ROUTE_8080 "outbound|8080||echo.mesh.svc.cluster.local"
#define ROUTE_7070 "outbound|7070||echo.mesh.svc.cluster.local"
#define IMPLICIT_80 "default: any -> *1outbound|80||echo.mesh.svc.cluster.local"

static void open_bed(struct small_world *w)
{
    small_world_open(w);
    small_world_apply(w, test_bed);
}

static const struct {
    const char *rules, *shown;
} rule_cases[] = {
    /* MeshTrafficSplit */
    {"  rules:\n  - {matches: [{path: {type: Exact, value: /v1}}], backendRefs: " TO_V1 "}\n"
     "  - {matches: [{path: {type: Exact, value: /v2}}], backendRefs: " TO_V2 "}\n",
     "mesh/r/0: exact /v1 -> *1" V1 "\nmesh/r/1: exact /v2 -> *1" V2},
    /* MeshHTTPRouteMatching: whole segments; of equal paths more headers first */
    {"  rules:\n  - {matches: [{path: {value: /}}, {headers: [{name: Version, value: one}]}], "
     "backendRefs: " TO_V1 "}\n"
     "  - {matches: [{path: {value: /v2}}, {headers: [{name: version, value: two}]}], "
     "backendRefs: " TO_V2 "}\n",
     "mesh/r/1: segments /v2 -> *1" V2 "\n"
     "mesh/r/0: any @version=one -> *1" V1 "\n"
     "mesh/r/1: any @version=two -> *1" V2 "\n"
     "mesh/r/0: any -> *1" V1},
    /* MeshHTTPRouteWeight */
    {"  rules: [{backendRefs: [{name: echo-v1, port: 80, weight: 70}, {name: echo-v2, port: "
     "80, weight: 30}]}]\n",
     "mesh/r/0: any -> *70" V1 " *30" V2},
    /* a rule without matches and name; weight 0 gets nothing */
    {"  rules: [{backendRefs: [{name: echo-v1, port: 80, weight: 0}, {name: echo-v2, port: "
     "80}]}]\n",
     "mesh/r/0: any -> *1" V2},
    /* all weights 0, no backend, all backends invalid: 500 */
    {"  rules: [{backendRefs: [{name: echo-v1, port: 80, weight: 0}]}]\n",
     "mesh/r/0: any -> answer 500"},
    {"  rules: [{matches: [{path: {value: /a}}]}]\n", "mesh/r/0: segments /a -> answer 500"},
    {"  rules: [{backendRefs: [{name: nobody, port: 80}]}]\n", "mesh/r/0: any -> answer 500"},
    {"  rules: [{backendRefs: [{name: echo-v1, port: 81}]}]\n", "mesh/r/0: any -> answer 500"},
    /* one of several invalid: its share is answered 500 */
    {"  rules: [{backendRefs: [{name: echo-v1, port: 80, weight: 3}, {name: nobody, port: "
     "80}]}]\n",
     "mesh/r/0: any -> *3" V1 " 500*1"},
    /* no rules at all: bound, and nothing matches */
    {"  rules: []\n", "none"},
    /* MeshHTTPRouteRequestHeaderModifier, BackendRequestHeaderModifier, response headers */
    {"  rules:\n  - filters:\n"
     "    - type: RequestHeaderModifier\n"
     "      requestHeaderModifier: {set: [{name: X-Set, value: a}], add: [{name: X-Add, value: "
     "b}], remove: [X-Gone]}\n"
     "    - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Header-Set, "
     "value: v1}]}}\n"
     "    backendRefs:\n    - name: echo-v1\n      port: 80\n      filters:\n"
     "      - {type: RequestHeaderModifier, requestHeaderModifier: {remove: [X-Each]}}\n",
     "mesh/r/0: any -> *1" V1 " request-remove(x-each) request-remove(x-gone) "
     "request-set(x-set:a) request-add(x-add:b) response-set(x-header-set:v1)"},
    /* MeshHTTPRouteRedirect*: host and status, path, port, scheme */
    {"  rules: [{filters: [{type: RequestRedirect, requestRedirect: {hostname: "
     "example.org}}]}]\n",
     "mesh/r/0: any -> redirect 302 to( example.org 0)"},
    {"  rules: [{filters: [{type: RequestRedirect, requestRedirect: {hostname: example.org, "
     "statusCode: 301, port: 8083, scheme: https}}]}]\n",
     "mesh/r/0: any -> redirect 301 to(https example.org 8083)"},
    {"  rules: [{matches: [{path: {value: /original}}], filters: [{type: RequestRedirect, "
     "requestRedirect: {statusCode: 308, path: {type: ReplacePrefixMatch, "
     "replacePrefixMatch: /new}}}]}]\n",
     "mesh/r/0: segments /original -> redirect 308 rewrite-prefix(/new)"},
    {"  rules: [{filters: [{type: RequestRedirect, requestRedirect: {path: {type: "
     "ReplaceFullPath, replaceFullPath: /full}}}]}]\n",
     "mesh/r/0: any -> redirect 302 rewrite-full(/full)"},
    /* MeshHTTPRouteRewritePath, host rewrite */
    {"  rules: [{matches: [{path: {value: /prefix/one/}}], filters: [{type: URLRewrite, "
     "urlRewrite: {hostname: one.example, path: {type: ReplacePrefixMatch, "
     "replacePrefixMatch: /one}}}], backendRefs: " TO_V1 "}]\n",
     "mesh/r/0: segments /prefix/one -> *1" V1 " rewrite-prefix(/one) "
     "rewrite-host(one.example)"},
    /* MeshHTTPRouteQueryParamMatching: query names keep their case; the first of a name counts
     */
    {"  rules: [{matches: [{queryParams: [{name: Animal, value: whale}, {name: Animal, value: "
     "shark}], headers: [{name: A, value: b}, {name: a, value: c}]}], backendRefs: " TO_V1 "}]\n",
     "mesh/r/0: any @a=b ?Animal=whale -> *1" V1},
    /* MeshHTTPRouteNamedRule; timeouts */
    {"  rules: [{name: named-rule, timeouts: {request: 500ms, backendRequest: 200ms}, "
     "backendRefs: " TO_V1 "}]\n",
     "mesh/r/named-rule: any -> *1" V1 " timeout=500 per-try=200"},
    /* retry (experimental) */
    {"  rules: [{retry: {attempts: 3, codes: [500, 503]}, backendRefs: " TO_V1 "}]\n",
     "mesh/r/0: any -> *1" V1 " retries=3 on=connect-failure,refused-stream,reset,500,503"},
    /* regular expressions, method */
    {"  rules: [{matches: [{method: POST, path: {type: RegularExpression, value: \"/a.*\"}, "
     "headers: [{type: RegularExpression, name: b, value: \"c+\"}]}], backendRefs: " TO_V1 "}]\n",
     "mesh/r/0: regex /a.* @b~c+ @:method=POST -> *1" V1},
    /* a filter nobody here knows must not be skipped */
    {"  rules: [{filters: [{type: ExtensionRef, extensionRef: {group: x, kind: Y, name: z}}], "
     "backendRefs: " TO_V1 "}]\n",
     "mesh/r/0: any -> answer 500"},
};

static void rules_become_routes(void **state)
{
    for (size_t i = 0; i < sizeof(rule_cases) / sizeof(rule_cases[0]); i++) {
        struct small_world w;
        char manifest[4096];
        open_bed(&w);
        snprintf(manifest, sizeof(manifest), HTTP_ROUTE("r", "mesh", PARENT_PORT("80") "%s"),
                 rule_cases[i].rules);
        small_world_apply(&w, manifest);
        const char *shown = small_world_show(&w, "other", XDS_ROUTE, ROUTE_80);
        if (strcmp(shown, rule_cases[i].shown) != 0 &&
            !(strcmp(rule_cases[i].shown, "none") == 0 && shown[0] == '\0')) {
            fail_msg("case %zu:\n%s\nnot\n%s", i, shown, rule_cases[i].shown);
        }
        small_world_close(&w);
    }
}

static void merged_rules_are_tried_in_the_order_of_precedence(void **state)
{
    struct small_world w;
    open_bed(&w);
    /* Written in an order that is wrong in every place. */
    small_world_apply(
        &w,
        HTTP_ROUTE("b", "mesh",
                   PARENT_PORT("80") "  rules:\n"
                                     "  - {name: z1, matches: [{path: {value: /same}}]}\n"
                                     "  - {name: z2, matches: [{path: {value: /same}}]}\n")
            HTTP_ROUTE(
                "a", "mesh",
                PARENT_PORT(
                    "80") "  rules:\n"
                          "  - {name: regex, matches: [{path: {type: RegularExpression, value: "
                          "\"/a-very-long-regular-expression.*\"}}]}\n"
                          "  - {name: root, matches: [{path: {value: /}}]}\n"
                          "  - {name: query, matches: [{path: {value: /p}, queryParams: [{name: a, "
                          "value: b}, {name: c, value: d}, {name: e, value: f}]}]}\n"
                          "  - {name: header, matches: [{path: {value: /p}, headers: [{name: a, "
                          "value: b}]}]}\n"
                          "  - {name: method, matches: [{path: {value: /p}, method: GET}]}\n"
                          "  - {name: headers, matches: [{path: {value: /p}, headers: [{name: a, "
                          "value: b}, {name: c, value: d}]}]}\n"
                          "  - {name: longer, matches: [{path: {value: /p/longer}}]}\n"
                          "  - {name: exact, matches: [{path: {type: Exact, value: /e}}]}\n"
                          "  - {name: same, matches: [{path: {value: /same}}]}\n"));
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_80),
                        "mesh/a/exact: exact /e -> answer 500\n"
                        "mesh/a/longer: segments /p/longer -> answer 500\n"
                        "mesh/a/same: segments /same -> answer 500\n"
                        "mesh/b/z1: segments /same -> answer 500\n"
                        "mesh/b/z2: segments /same -> answer 500\n"
                        "mesh/a/method: segments /p @:method=GET -> answer 500\n"
                        "mesh/a/headers: segments /p @a=b @c=d -> answer 500\n"
                        "mesh/a/header: segments /p @a=b -> answer 500\n"
                        "mesh/a/query: segments /p ?a=b ?c=d ?e=f -> answer 500\n"
                        "mesh/a/root: any -> answer 500\n"
                        "mesh/a/regex: regex /a-very-long-regular-expression.* -> answer 500");
    small_world_close(&w);
}

static void of_equal_matches_the_older_route_comes_first(void **state)
{
    struct small_world w;
    open_bed(&w);
    small_world_apply(
        &w, HTTP_ROUTE(
                "a", "mesh",
                PARENT_PORT(
                    "80") "  rules: [{name: young}]\n") "---\napiVersion: "
                                                        "gateway.networking.k8s.io/v1\nkind: "
                                                        "HTTPRoute\n"
                                                        "metadata: {name: b, namespace: mesh, "
                                                        "creationTimestamp: 2026-01-02T03:04:05Z}\n"
                                                        "spec:\n" PARENT_PORT(
                                                            "80") "  rules: [{name: old}]\n");
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_80),
                        "mesh/b/old: any -> answer 500\nmesh/a/young: any -> answer 500");
    small_world_close(&w);
}

static void a_route_holds_on_the_ports_that_it_names(void **state)
{
    struct small_world w;
    open_bed(&w);
    small_world_apply(
        &w, HTTP_ROUTE("r", "mesh", PARENT_PORT("80") "  rules: [{backendRefs: " TO_V1 "}]\n"));
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_80),
                        "mesh/r/0: any -> *1" V1);
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_8080),
                        "default: any -> *1outbound|8080||echo.mesh.svc.cluster.local");
    /* Without a port on all that may speak HTTP; sectionName is the port's name. */
    small_world_apply(&w, HTTP_ROUTE("r", "mesh", PARENT "  rules: [{backendRefs: " TO_V1 "}]\n"));
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_8080),
                        "mesh/r/0: any -> *1" V1);
    small_world_apply(
        &w, HTTP_ROUTE("r", "mesh",
                       "  parentRefs: [{group: \"\", kind: Service, name: echo, sectionName: "
                       "http-alt}]\n  rules: [{backendRefs: " TO_V1 "}]\n"));
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_80), IMPLICIT_80);
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_8080),
                        "mesh/r/0: any -> *1" V1);
    small_world_remove(&w, "HTTPRoute/mesh/r");
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_8080),
                        "default: any -> *1outbound|8080||echo.mesh.svc.cluster.local");
    small_world_close(&w);
}

static void consumer_routes_hold_for_their_own_namespace_and_alone(void **state)
{
    struct small_world w;
    open_bed(&w);
    small_world_apply(
        &w, HTTP_ROUTE("p", "mesh", PARENT_PORT("80") "  rules: [{backendRefs: " TO_V1 "}]\n"));
    small_world_apply(
        &w, HTTP_ROUTE("c", "consumer",
                       "  parentRefs: [{group: \"\", kind: Service, name: echo, namespace: mesh, "
                       "port: 80}]\n  rules: [{matches: [{path: {value: /c}}], backendRefs: "
                       "[{name: echo-v2, namespace: mesh, port: 80}]}]\n"));
    assert_string_equal(small_world_show(&w, "consumer", XDS_ROUTE, ROUTE_80),
                        "consumer/c/0: segments /c -> *1" V2);
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_80),
                        "mesh/p/0: any -> *1" V1);
    assert_string_equal(small_world_show(&w, "other", XDS_ROUTE, ROUTE_80),
                        "mesh/p/0: any -> *1" V1);
    assert_string_equal(small_world_changed(&w, XDS_ROUTE), ROUTE_80);
    small_world_remove(&w, "HTTPRoute/mesh/p");
    assert_string_equal(small_world_show(&w, "other", XDS_ROUTE, ROUTE_80), IMPLICIT_80);
    small_world_remove(&w, "HTTPRoute/consumer/c");
    assert_string_equal(small_world_show(&w, "consumer", XDS_ROUTE, ROUTE_80), IMPLICIT_80);
    small_world_close(&w);
}

static void of_several_kinds_on_one_port_one_holds_and_the_others_are_told(void **state)
{
    struct small_world w;
    open_bed(&w);
    small_world_apply(&w,
                      TCP_ROUTE("t", PARENT_PORT("7070") "  rules: [{backendRefs: " TO_V1 "}]\n"));
    assert_string_equal(
        small_world_show(&w, "mesh", XDS_LISTENER, "echo.mesh.svc.cluster.local:7070"),
        "10.0.0.1:7070 opaque route=" ROUTE_7070 " tcp: *1" V1);
    small_world_apply(
        &w, HTTP_ROUTE("h", "mesh", PARENT_PORT("7070") "  rules: [{backendRefs: " TO_V1 "}]\n"));
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_7070),
                        "mesh/h/0: any -> *1" V1);
    assert_string_equal(small_world_condition(&w, "TCPRoute/mesh/t", 0, CONDITION_ACCEPTED),
                        "Accepted=False/Conflicted: beaten on every port by a HTTPRoute");
    small_world_apply(
        &w,
        GRPC_ROUTE(
            "g", PARENT_PORT("7070") "  rules: [{backendRefs: [{name: echo-v1, port: 7070, weight: "
                                     "70}, {name: echo-v2, port: 7070, weight: 30}]}]\n"));
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_7070),
                        "mesh/g/0: any -> *70outbound|7070||echo-v1.mesh.svc.cluster.local "
                        "*30outbound|7070||echo-v2.mesh.svc.cluster.local");
    assert_string_equal(small_world_condition(&w, "HTTPRoute/mesh/h", 0, CONDITION_ACCEPTED),
                        "Accepted=False/Conflicted: beaten on every port by a GRPCRoute");
    assert_string_equal(small_world_condition(&w, "GRPCRoute/mesh/g", 0, CONDITION_ACCEPTED),
                        "Accepted=True/Accepted: attached to mesh/echo");
    small_world_remove(&w, "GRPCRoute/mesh/g");
    assert_string_equal(small_world_condition(&w, "HTTPRoute/mesh/h", 0, CONDITION_ACCEPTED),
                        "Accepted=True/Accepted: attached to mesh/echo");
    /* Beaten on one port of several. */
    small_world_apply(&w, GRPC_ROUTE("g", PARENT_PORT("7070") "  rules: [{}]\n")
                              HTTP_ROUTE("h", "mesh", PARENT "  rules: [{}]\n"));
    assert_string_equal(small_world_condition(&w, "HTTPRoute/mesh/h", 0, CONDITION_ACCEPTED),
                        "Accepted=True/Accepted: on some ports beaten by a GRPCRoute");
    small_world_close(&w);
}

static void grpc_matches_become_paths(void **state)
{
    struct small_world w;
    open_bed(&w);
    small_world_apply(
        &w,
        GRPC_ROUTE(
            "g",
            PARENT_PORT(
                "7070") "  rules:\n"
                        "  - {name: all}\n"
                        "  - {name: method, matches: [{method: {method: Say}}]}\n"
                        "  - {name: service, matches: [{method: {service: a.Greeter}}]}\n"
                        "  - {name: both, matches: [{method: {service: a.Greeter, method: Say}}]}\n"
                        "  - {name: regex, matches: [{method: {type: RegularExpression, service: "
                        "\"a.*\"}}]}\n"
                        "  - {name: header, matches: [{method: {service: a.Greeter}, headers: "
                        "[{name: V, value: \"1\"}]}]}\n"));
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_7070),
                        "mesh/g/both: exact /a.Greeter/Say -> answer 500\n"
                        "mesh/g/header: prefix /a.Greeter/ @v=1 -> answer 500\n"
                        "mesh/g/service: prefix /a.Greeter/ -> answer 500\n"
                        "mesh/g/regex: regex /(?:a.*)/(?:[^/]+) -> answer 500\n"
                        "mesh/g/method: regex /(?:[^/]+)/(?:Say) -> answer 500\n"
                        "mesh/g/all: any -> answer 500");
    small_world_close(&w);
}

static void conditions_say_why_a_route_does_not_hold(void **state)
{
    static const struct {
        const char *parent, *accepted;
    } cases[] = {
        {"{group: \"\", kind: Service, name: gone}",
         "Accepted=False/NoMatchingParent: there is no Service mesh/gone"},
        {"{group: \"\", kind: Service, name: echo, port: 81}",
         "Accepted=False/NoMatchingParent: the Service has no such port: mesh/echo"},
        {"{group: \"\", kind: Service, name: echo, sectionName: nope}",
         "Accepted=False/NoMatchingParent: the Service has no such port: mesh/echo"},
        {"{group: \"\", kind: Service, name: echo, port: 9090}",
         "Accepted=False/UnsupportedProtocol: no port of the Service speaks HTTP as far as it "
         "says: mesh/echo"},
        {"{group: \"\", kind: Service, name: headless}",
         "Accepted=False/UnsupportedValue: a headless or ExternalName Service cannot be a parent: "
         "mesh/headless"},
        {"{group: \"\", kind: Service, name: outside}",
         "Accepted=False/UnsupportedValue: a headless or ExternalName Service cannot be a parent: "
         "mesh/outside"},
        {"{kind: Service, name: echo}",
         "Accepted=False/InvalidKind: a Service as parent needs group: \"\""},
        {"{name: gateway}", "Accepted=False/InvalidKind: only Services are parents in the mesh; "
                            "Gateway is left to others"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct small_world w;
        char manifest[2048];
        open_bed(&w);
        snprintf(
            manifest, sizeof(manifest),
            HTTP_ROUTE("r", "mesh", "  parentRefs: [%s]\n  rules: [{backendRefs: " TO_V1 "}]\n"),
            cases[i].parent);
        small_world_apply(&w, manifest);
        assert_string_equal(small_world_condition(&w, "HTTPRoute/mesh/r", 0, CONDITION_ACCEPTED),
                            cases[i].accepted);
        assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_80), IMPLICIT_80);
        small_world_close(&w);
    }
}

static void conditions_say_which_backend_is_wrong(void **state)
{
    static const struct {
        const char *backend, *resolved;
    } cases[] = {
        {"{name: echo-v1, port: 80}", "ResolvedRefs=True/ResolvedRefs: all backends are there"},
        {"{name: nobody, port: 80}",
         "ResolvedRefs=False/BackendNotFound: spec.rules[0].backendRefs[1]: there is no Service "
         "mesh/nobody"},
        {"{name: echo-v1, namespace: far, port: 80}",
         "ResolvedRefs=False/BackendNotFound: spec.rules[0].backendRefs[1]: there is no Service "
         "far/echo-v1"},
        {"{name: echo-v1, port: 81}",
         "ResolvedRefs=False/BackendNotFound: spec.rules[0].backendRefs[1]: Service mesh/echo-v1 "
         "has no TCP port 81"},
        {"{name: echo-v1}", "ResolvedRefs=False/BackendNotFound: spec.rules[0].backendRefs[1]: a "
                            "Service as backend needs a port"},
        {"{name: outside, port: 80}",
         "ResolvedRefs=False/UnsupportedValue: spec.rules[0].backendRefs[1]: Service mesh/outside "
         "is of type ExternalName"},
        {"{group: example.org, kind: Bucket, name: b}",
         "ResolvedRefs=False/InvalidKind: spec.rules[0].backendRefs[1]: Bucket is no kind that a "
         "backend can have"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct small_world w;
        char manifest[2048];
        open_bed(&w);
        snprintf(manifest, sizeof(manifest),
                 HTTP_ROUTE("r", "mesh",
                            PARENT "  rules: [{backendRefs: [{name: echo-v1, port: 80}, %s]}]\n"),
                 cases[i].backend);
        small_world_apply(&w, manifest);
        assert_string_equal(
            small_world_condition(&w, "HTTPRoute/mesh/r", 0, CONDITION_RESOLVED_REFS),
            cases[i].resolved);
        small_world_close(&w);
    }
}

static void a_backend_or_parent_that_comes_later_is_found(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(
        &w, HTTP_ROUTE("r", "mesh", PARENT_PORT("80") "  rules: [{backendRefs: " TO_V1 "}]\n"));
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_80), "none");
    small_world_apply(&w, ECHO("echo", "10.0.0.1"));
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_80),
                        "mesh/r/0: any -> answer 500");
    small_world_apply(&w, ECHO("echo-v1", "10.0.0.2"));
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_80),
                        "mesh/r/0: any -> *1" V1);
    assert_string_equal(small_world_condition(&w, "HTTPRoute/mesh/r", 0, CONDITION_RESOLVED_REFS),
                        "ResolvedRefs=True/ResolvedRefs: all backends are there");
    small_world_remove(&w, "Service/mesh/echo-v1");
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_80),
                        "mesh/r/0: any -> answer 500");
    small_world_remove(&w, "Service/mesh/echo");
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_80), "none");
    assert_string_equal(small_world_show(&w, "mesh", XDS_PHONE, "mesh/echo"), "none");
    small_world_close(&w);
}

static void tls_routes_and_what_is_not_in_force_are_told(void **state)
{
    struct small_world w;
    open_bed(&w);
    small_world_apply(
        &w, "apiVersion: gateway.networking.k8s.io/v1alpha2\nkind: TLSRoute\nmetadata: {name: t, "
            "namespace: mesh}\nspec:\n" PARENT_PORT(
                "443") "  rules: [{backendRefs: " TO_V1
                       "}]\n" HTTP_ROUTE(
                           "r", "mesh",
                           PARENT_PORT(
                               "80") "  rules:\n  - filters: [{type: RequestMirror, requestMirror: "
                                     "{backendRef: {name: echo-v2, port: 80}}}]\n    "
                                     "sessionPersistence: "
                                     "{sessionName: s}\n    backendRefs: " TO_V1 "\n"));
    assert_string_equal(
        small_world_condition(&w, "TLSRoute/mesh/t", CONDITION_OF_OBJECT, CONDITION_PROGRAMMED),
        "Programmed=False/NotInForceYet: objects of this kind are checked but not "
        "in force yet");
    assert_string_equal(
        small_world_show(&w, "mesh", XDS_LISTENER, "echo.mesh.svc.cluster.local:443"),
        "10.0.0.1:443 tls route=outbound|443||echo.mesh.svc.cluster.local tcp: "
        "*1outbound|443||echo.mesh.svc.cluster.local");
    assert_string_equal(
        small_world_condition(&w, "HTTPRoute/mesh/r", CONDITION_OF_OBJECT, CONDITION_PROGRAMMED),
        "Programmed=False/PartiallyProgrammed: not in force yet: "
        "spec.rules[0].filters[0].requestMirror, spec.rules[0].sessionPersistence");
    assert_string_equal(small_world_show(&w, "mesh", XDS_ROUTE, ROUTE_80),
                        "mesh/r/0: any -> *1" V1);
    small_world_close(&w);
}

static void a_tcp_route_splits_connections_and_gives_invalid_backends_their_share(void **state)
{
    struct small_world w;
    open_bed(&w);
    small_world_apply(
        &w,
        TCP_ROUTE(
            "t", PARENT_PORT("9090") "  rules: [{backendRefs: [{name: echo-v1, port: 9090, weight: "
                                     "3}, {name: gone, port: 1, weight: 2}]}]\n"));
    assert_string_equal(
        small_world_show(&w, "mesh", XDS_LISTENER, "echo.mesh.svc.cluster.local:9090"),
        "10.0.0.1:9090 opaque route=outbound|9090||echo.mesh.svc.cluster.local "
        "tcp: *3outbound|9090||echo-v1.mesh.svc.cluster.local 500*2");
    small_world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(rules_become_routes),
        cmocka_unit_test(merged_rules_are_tried_in_the_order_of_precedence),
        cmocka_unit_test(of_equal_matches_the_older_route_comes_first),
        cmocka_unit_test(a_route_holds_on_the_ports_that_it_names),
        cmocka_unit_test(consumer_routes_hold_for_their_own_namespace_and_alone),
        cmocka_unit_test(of_several_kinds_on_one_port_one_holds_and_the_others_are_told),
        cmocka_unit_test(grpc_matches_become_paths),
        cmocka_unit_test(conditions_say_why_a_route_does_not_hold),
        cmocka_unit_test(conditions_say_which_backend_is_wrong),
        cmocka_unit_test(a_backend_or_parent_that_comes_later_is_found),
        cmocka_unit_test(tls_routes_and_what_is_not_in_force_are_told),
        cmocka_unit_test(a_tcp_route_splits_connections_and_gives_invalid_backends_their_share),
    };
    return TEST_MAIN(cases, argc, argv);
}
