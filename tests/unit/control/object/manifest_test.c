#include "tests/unit/test_main.h"

#include "control/object/manifest.h"
#include "control/object/mesh_spec.h"
#include "control/object/policy_spec.h"
#include "control/object/route_spec.h"
#include "control/object/service_spec.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <stdlib.h>

struct result {
    struct problems problems;
    struct manifest manifest;
};

static struct result parse(const char *text)
{
    struct result result;
    problems_init(&result.problems, SPAN("a.yaml"));
    manifest_parse(span_of(text), &result.problems, &result.manifest);
    return result;
}

static void result_done(struct result *result)
{
    manifest_done(&result->manifest);
    problems_done(&result->problems);
}

static void assert_problem(const struct result *result, size_t index, const char *expected)
{
    struct text line = {0};
    assert_true(index < result->problems.count);
    problem_format(&result->problems, &result->problems.items[index], &line);
    assert_string_equal(line.bytes, expected);
    text_done(&line);
}

static void print_problems(const struct result *result)
{
    for (size_t i = 0; i < result->problems.count; i++) {
        struct text line = {0};
        problem_format(&result->problems, &result->problems.items[i], &line);
        print_message("%s\n", line.bytes);
        text_done(&line);
    }
}

#define WORKLOAD "apiVersion: remora.dev/v1alpha1\nkind: Workload\nmetadata: {name: w}\n"
#define POLICY                                                                                     \
    "apiVersion: remora.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: p, namespace: shop}\n" \
    "spec:\n  targetRefs: [{kind: Service, name: api}]\n"
#define ROUTE                                                                                      \
    "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r, namespace: "   \
    "shop}\nspec:\n  parentRefs: [{group: \"\", kind: Service, name: api}]\n"

static void a_workload_is_read_with_all_its_fields(void **state)
{
    struct result r = parse("apiVersion: remora.dev/v1alpha1\n"
                            "kind: Workload\n"
                            "metadata: {name: api-v2-1, namespace: shop, labels: {app: api}}\n"
                            "spec:\n"
                            "  addresses: [10.7.0.12, \"fd07::12\"]\n"
                            "  ports: {http: 8080}\n"
                            "  serviceAccount: api\n"
                            "  locality: {region: eu, zone: eu-a, node: n1}\n"
                            "  weight: 0\n"
                            "  sidecar: false\n");
    print_problems(&r);
    assert_int_equal(r.problems.count, 0);
    assert_int_equal(r.manifest.count, 1);
    const struct object *object = r.manifest.objects[0];
    const struct workload_spec *spec = &((const struct workload_body *)object->body)->spec;
    assert_int_equal(object->kind, KIND_WORKLOAD);
    assert_int_equal(object->line, 1);
    assert_true(span_equal_text(object->key, "Workload/shop/api-v2-1"));
    assert_true(span_equal_text(labels_get(&object->meta.labels, SPAN("app")), "api"));
    assert_int_equal(spec->addresses.count, 2);
    assert_int_equal(spec->addresses.at[1].family, 6);
    assert_int_equal(spec->ports.at[0].port, 8080);
    assert_int_equal(spec->weight, 0);
    assert_int_equal(spec->sidecar, CHOICE_NO);
    assert_true(span_equal_text(spec->locality.zone, "eu-a"));
    result_done(&r);
}

static const struct {
    const char *text;
    const char *problem;
} error_cases[] = {
    {WORKLOAD "spec:\n  addresses: [10.0.0.1]\n  wieght: 3\n",
     "a.yaml:6: Workload default/w: spec.wieght: unknown field"},
    {WORKLOAD "spec:\n  addresses: [10.0.0.1]\n  weight: \"3\"\n",
     "a.yaml:6: Workload default/w: spec.weight: must be a whole number, not a string"},
    {WORKLOAD "spec:\n  addresses: [10.0.0.1]\n  weight: 1001\n",
     "a.yaml:6: Workload default/w: spec.weight: must be 0 to 1000"},
    {WORKLOAD "spec:\n  addresses: [10.0.0.1]\n  weight: 99999999999999999999\n",
     "a.yaml:6: Workload default/w: spec.weight: is too large a number"},
    {WORKLOAD "spec:\n  weight: 1\n", "a.yaml:4: Workload default/w: spec.addresses: is required"},
    {WORKLOAD "spec:\n  addresses: []\n",
     "a.yaml:5: Workload default/w: spec.addresses: has 0 items, may have 1 to 2"},
    {WORKLOAD "spec:\n  addresses: null\n",
     "a.yaml:4: Workload default/w: spec.addresses: is required"},
    {WORKLOAD "spec:\n  addresses: [10.0.0.1, 10.0.0.2]\n",
     "a.yaml:5: Workload default/w: spec.addresses: may hold one address of each family"},
    {WORKLOAD "spec:\n  addresses:\n  - 10.0.0.1\n  - fe80::1%eth0\n",
     "a.yaml:7: Workload default/w: spec.addresses[1]: must be an IP address, without port "
     "and scope"},
    {WORKLOAD "spec:\n  addresses: [10.0.0.1]\n  ports: {http: 70000}\n",
     "a.yaml:6: Workload default/w: spec.ports.http: must be 1 to 65535"},
    {WORKLOAD "spec:\n  addresses: [10.0.0.1]\n  serviceAccount: 12\n",
     "a.yaml:6: Workload default/w: spec.serviceAccount: must be a string, not a whole number "
     "(quote it)"},
    {WORKLOAD "spec: 3\n", "a.yaml:4: Workload default/w: spec: must be a map, not a whole "
                           "number"},
    {WORKLOAD, "a.yaml:1: Workload default/w: spec: is required"},
    {WORKLOAD "spec: {addresses: [10.0.0.1]}\nextra: 1\n",
     "a.yaml:5: Workload default/w: extra: unknown field"},
    {"apiVersion: remora.dev/v1alpha1\nkind: Workload\nmetadata: {name: W}\nspec: "
     "{addresses: [10.0.0.1]}\n",
     "a.yaml:3: Workload default/W: metadata.name: must be a lower-case DNS name, at most "
     "253"},
    {"apiVersion: remora.dev/v1alpha1\nkind: Workload\nspec: {addresses: [10.0.0.1]}\n",
     "a.yaml:1: Workload default/: metadata.name: is required"},
    {"apiVersion: remora.dev/v1alpha1\nkind: Worklaod\nmetadata: {name: w}\n",
     "a.yaml:2: kind: unknown kind Worklaod of remora.dev/v1alpha1"},
    {"kind: Workload\napiVersion: remora.dev/v2\nmetadata: {name: w}\n",
     "a.yaml:2: Workload: apiVersion: unknown version remora.dev/v2 of kind Workload"},
    {"kind: Workload\n", "a.yaml:1: an object needs apiVersion, kind and metadata"},
    {"[1, 2]\n", "a.yaml:1: an object needs apiVersion, kind and metadata"},
    {POLICY "  timeouts: {connect: 5m}\n",
     "a.yaml:6: TrafficPolicy shop/p: spec.timeouts.connect: must be 10ms to 1m"},
    {POLICY "  timeouts: {connect: 5}\n",
     "a.yaml:6: TrafficPolicy shop/p: spec.timeouts.connect: must be a duration such as "
     "\"250ms\" or \"1h30m\", not a whole number"},
    {POLICY "  timeouts: {connect: fast}\n",
     "a.yaml:6: TrafficPolicy shop/p: spec.timeouts.connect: must be a duration such as "
     "250ms, 10s or 1h30m"},
    {POLICY "  timeouts: {request: 1s, perTry: 2s}\n",
     "a.yaml:6: TrafficPolicy shop/p: spec.timeouts: perTry is longer than request"},
    {POLICY "  retries: {on: [never-processed, sometimes]}\n",
     "a.yaml:6: TrafficPolicy shop/p: spec.retries.on[1]: must be never-processed, "
     "reset-before-response, 5xx, gateway-error, per-try-timeout, grpc-unavailable (or "
     "another grpc- code) or a status 400-599"},
    {POLICY "  retries: {limit: 5}\n",
     "a.yaml:6: TrafficPolicy shop/p: spec.retries.limit: must be 0 to 4"},
    {POLICY "  breaker: {ratio: 1.5}\n",
     "a.yaml:6: TrafficPolicy shop/p: spec.breaker.ratio: must be 0 to 1"},
    {POLICY "  loadBalancer: {algorithm: Fastest}\n",
     "a.yaml:6: TrafficPolicy shop/p: spec.loadBalancer.algorithm: must be one of PeakEWMA, "
     "LeastRequest, RoundRobin, Random, RingHash, Maglev"},
    {POLICY "  loadBalancer: {balance: 100}\n",
     "a.yaml:6: TrafficPolicy shop/p: spec.loadBalancer.balance: must be 0 or 110 to 400"},
    {ROUTE "  rules:\n  - matches:\n    - path: {type: PathPrefix, value: v2}\n",
     "a.yaml:8: HTTPRoute shop/r: spec.rules[0].matches[0].path.value: must be a path: \"/\" "
     "first, printable, without \"//\", \"/./\", \"/../\", \"%2f\", \"?\" and \"#\""},
    {ROUTE "  rules:\n  - matches:\n    - path: {type: RegularExpression, value: \"/(\"}\n",
     "a.yaml:8: HTTPRoute shop/r: spec.rules[0].matches[0].path.value: a group "
     "without its )"},
    {ROUTE "  rules:\n  - matches: [{headers: [{name: \"a b\", value: x}]}]\n",
     "a.yaml:7: HTTPRoute shop/r: spec.rules[0].matches[0].headers[0].name: must be an HTTP "
     "header name"},
    {ROUTE "  rules:\n  - backendRefs:\n    - {name: api, port: 80, weight: 1000001}\n",
     "a.yaml:8: HTTPRoute shop/r: spec.rules[0].backendRefs[0].weight: must be 0 to 1000000"},
    {ROUTE "  rules:\n  - filters: [{type: RequestRedirect}]\n",
     "a.yaml:7: HTTPRoute shop/r: spec.rules[0].filters[0].requestRedirect: is required for "
     "this type"},
    {ROUTE "  rules:\n  - filters: [{type: RequestRedirect, requestRedirect: {statusCode: "
           "200}}]\n",
     "a.yaml:7: HTTPRoute shop/r: spec.rules[0].filters[0].requestRedirect.statusCode: must "
     "be 301, 302, 303, 307 or 308"},
    {ROUTE "  rules:\n  - matches: [{path: {type: Exact, value: /a}}]\n    filters: [{type: "
           "URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: "
           "/b}}}]\n",
     "a.yaml:8: HTTPRoute shop/r: spec.rules[0].filters: ReplacePrefixMatch needs matches of "
     "type PathPrefix"},
    {"apiVersion: v1\nkind: Service\nmetadata: {name: api}\nspec:\n  ports:\n  - {port: 80}\n"
     "  - {port: 81}\n",
     "a.yaml:5: Service default/api: spec.ports: each of several ports needs a name"},
    {"apiVersion: v1\nkind: Service\nmetadata: {name: api}\nspec:\n  clusterIP: 10.0.0.300\n",
     "a.yaml:5: Service default/api: spec.clusterIP: must be an IP address or None"},
    {"apiVersion: remora.dev/v1alpha1\nkind: TransportPolicy\nmetadata: {name: t}\nspec: "
     "{mode: Strict, ports: {\"http\": {mode: Strict}}}\n",
     "a.yaml:4: TransportPolicy default/t: spec.ports.http: must be a port number, 1 to "
     "65535"},
    {"apiVersion: remora.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: mesh}\nspec:\n  "
     "certificates: {renewAt: 0.9..0.5}\n",
     "a.yaml:5: MeshConfig mesh: spec.certificates.renewAt: must be a range such as 0.5..0.7, "
     "within 0.3 to 0.9"},
    {"apiVersion: remora.dev/v1alpha1\nkind: ExternalService\nmetadata: {name: e}\nspec:\n  "
     "hosts: [\"*.example\"]\n  ports: [{port: 443}]\n",
     "a.yaml:5: ExternalService default/e: spec.hosts: a wildcard cannot be looked up: use "
     "resolution None"},
    {"a: 1\na: 2\n", "a.yaml:2: a: the key is there twice"},
    {"a: *x\n", "a.yaml:1: alias *x has no complete anchor before it"},
    {"a: &x [*x]\n", "a.yaml:1: alias *x has no complete anchor before it"},
    {"a: !!binary aGk=\n", "a.yaml:1: tags (\"!...\") are not read"},
    {"? [a]\n: 1\n", "a.yaml:1: a key must be a string"},
    {"a: b\n\x01\n", "a.yaml:2: not text: byte 0x01; a manifest is UTF-8"},
    {"a: \xff\xfe\n", "a.yaml:1: not text: byte 0xff; a manifest is UTF-8"},
};

static void every_error_names_line_object_and_field(void **state)
{
    for (size_t i = 0; i < sizeof(error_cases) / sizeof(error_cases[0]); i++) {
        struct result r = parse(error_cases[i].text);
        if (r.problems.count == 0) {
            print_message("case %zu: no problem\n", i);
        }
        assert_problem(&r, 0, error_cases[i].problem);
        assert_int_equal(r.manifest.count, 0);
        result_done(&r);
    }
}

static void broken_yaml_is_told_with_its_line(void **state)
{
    static const struct {
        const char *text;
        const char *start;
    } cases[] = {
        {"a: [1, 2\nb: 3\n", "a.yaml:3: not YAML: "},
        {"a: b: c\n", "a.yaml:1: not YAML: "},
        {"a: \"open\n", "a.yaml:"},
        {"\ta: 1\n", "a.yaml:1: not YAML: "},
        {"a:\n  b: 1\n c: 2\n", "a.yaml:3: not YAML: "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct result r = parse(cases[i].text);
        struct text line = {0};
        assert_int_equal(r.problems.count, 1);
        assert_true(r.manifest.lost);
        problem_format(&r.problems, &r.problems.items[0], &line);
        if (!span_starts_with(text_span(&line), span_of(cases[i].start))) {
            fail_msg("case %zu: %s", i, line.bytes);
        }
        text_done(&line);
        result_done(&r);
    }
}

static void several_errors_of_one_object_are_all_told(void **state)
{
    struct result r = parse(WORKLOAD "spec:\n  addresses: [x]\n  weight: -1\n  colour: red\n");
    assert_int_equal(r.problems.count, 3);
    assert_int_equal(r.problems.errors, 3);
    assert_int_equal(r.manifest.broken_count, 1);
    assert_string_equal(r.manifest.broken[0], "Workload/default/w");
    assert_false(r.manifest.lost);
    result_done(&r);
}

static void a_broken_object_does_not_hold_back_its_neighbours(void **state)
{
    struct result r =
        parse(WORKLOAD "spec: {addresses: [10.0.0.1]}\n---\nkind: Nonsense\n---\n" POLICY
                       "---\n\n---\n# nothing\n");
    assert_int_equal(r.manifest.count, 2);
    assert_int_equal(r.problems.count, 1);
    assert_true(r.manifest.lost);
    result_done(&r);
}

static void an_object_that_is_there_twice_is_told_with_both_lines(void **state)
{
    struct result r = parse(WORKLOAD "spec: {addresses: [10.0.0.1]}\n---\n" WORKLOAD
                                     "spec: {addresses: [10.0.0.2]}\n");
    assert_int_equal(r.manifest.count, 1);
    assert_problem(&r, 0, "a.yaml:6: Workload default/w: is there twice: first in line 1");
    result_done(&r);
}

static void what_kubectl_adds_is_tolerated(void **state)
{
    struct result r = parse(
        "apiVersion: v1\nkind: List\nmetadata: {resourceVersion: \"\"}\nitems:\n"
        "- apiVersion: v1\n  kind: Service\n  metadata:\n    name: api\n    namespace: shop\n"
        "    uid: 0b2\n    resourceVersion: \"12\"\n    generation: 3\n    creationTimestamp: "
        "2026-01-02T03:04:05Z\n    selfLink: /x\n    generateName: a-\n    finalizers: [a]\n"
        "    ownerReferences: [{kind: X, name: y}]\n    managedFields: [{manager: kubectl}]\n"
        "    annotations: {kubectl.kubernetes.io/last-applied-configuration: \"{}\"}\n"
        "  spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1], ipFamilies: [IPv4], "
        "ipFamilyPolicy: SingleStack, internalTrafficPolicy: Cluster, sessionAffinity: None, type: "
        "NodePort, ports: [{port: 80, nodePort: 30080, protocol: TCP}]}\n"
        "  status: {loadBalancer: {}}\n"
        "- apiVersion: v1\n  kind: Namespace\n  metadata: {name: shop}\n  spec: {finalizers: "
        "[kubernetes]}\n  status: {phase: Active}\n");
    print_problems(&r);
    assert_int_equal(r.problems.count, 0);
    assert_int_equal(r.manifest.count, 2);
    const struct object *service = r.manifest.objects[0];
    assert_int_equal(service->meta.created_s, 1767323045);
    assert_int_equal(service->meta.generation, 3);
    assert_int_equal(service->line, 5);
    assert_int_equal(service->not_in_force_count, 0);
    assert_true(span_equal_text(r.manifest.objects[1]->key, "Namespace//shop"));
    result_done(&r);
}

static void the_same_object_is_read_from_json(void **state)
{
    struct result yaml = parse(WORKLOAD "spec: {addresses: [10.0.0.1], weight: 3}\n");
    struct result json = parse("{\"apiVersion\": \"remora.dev/v1alpha1\", \"kind\": \"Workload\",\n"
                               " \"metadata\": {\"name\": \"w\"},\n"
                               " \"spec\": {\"addresses\": [\"10.0.0.1\"], \"weight\": 3}}\n");
    print_problems(&json);
    assert_int_equal(json.manifest.count, 1);
    assert_int_equal(json.manifest.objects[0]->hash, yaml.manifest.objects[0]->hash);
    result_done(&json);
    json = parse("{\"apiVersion\": \"remora.dev/v1alpha1\", \"kind\": \"Workload\",\n"
                 " \"metadata\": {\"name\": \"w\"},\n"
                 " \"spec\": {\"addresses\": [\"10.0.0.1\"],\n  \"weight\": \"3\"}}\n");
    assert_problem(&json, 0,
                   "a.yaml:4: Workload default/w: spec.weight: must be a whole number, not a "
                   "string");
    result_done(&json);
    result_done(&yaml);
}

/* For YAML 1.1 the key "on" is the truth value: here it is a word, however it is written. What a
 * reader of YAML 1.1 has made of it is told and not guessed at. */
static void the_key_on_is_a_word(void **state)
{
    static const char *const spellings[] = {
        POLICY "  retries: {on: [\"503\", never-processed]}\n",
        POLICY "  retries: {\"on\": ['503', never-processed]}\n",
        POLICY "  retries:\n    on:\n    - \"503\"\n    - never-processed\n",
        POLICY "  retries:\n    'on': [\"503\", \"never-processed\"]\n",
    };
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        struct result result = parse(spellings[i]);
        print_problems(&result);
        assert_int_equal(result.manifest.count, 1);
        assert_int_equal(result.problems.errors, 0);
        const struct traffic_policy_body *body =
            (const struct traffic_policy_body *)result.manifest.objects[0]->body;
        const struct texts *on = &body->spec.retries.on;
        assert_int_equal(on->count, 2);
        assert_true(span_equal_text(on->at[0], "503"));
        assert_true(span_equal_text(on->at[1], "never-processed"));
        result_done(&result);
    }
    struct result result = parse(POLICY "  retries: {true: [never-processed]}\n");
    assert_problem(&result, 0, "a.yaml:6: TrafficPolicy shop/p: spec.retries.true: unknown field");
    result_done(&result);
}

static void kinds_of_others_are_a_warning_and_nothing_more(void **state)
{
    struct result r = parse("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n---\n"
                            "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: "
                            "{name: g}\n");
    assert_int_equal(r.problems.count, 2);
    assert_int_equal(r.problems.errors, 0);
    assert_false(r.manifest.lost);
    assert_problem(&r, 0, "a.yaml:1: Deployment: kind Deployment of apps/v1 is not read by Remora");
    result_done(&r);
}

static void what_an_api_server_has_checked_may_hold_newer_fields(void **state)
{
    static const char text[] = "{\"apiVersion\": \"v1\", \"kind\": \"Service\", \"metadata\": "
                               "{\"name\": \"a\", \"newer\": 1}, \"spec\": {\"newest\": {}}}";
    struct arena arena = {0};
    struct problems problems;
    struct value *value = NULL;
    struct span key;
    problems_init(&problems, SPAN_EMPTY);
    assert_true(value_read_json(SPAN(text), &arena, &problems, &value));
    struct object *object = object_make(value, true, &arena, &problems, &key);
    assert_non_null(object);
    assert_int_equal(problems.count, 0);
    assert_int_equal(object->line, 0);
    object_unref(object);
    assert_null(object_make(value, false, &arena, &problems, &key));
    assert_int_equal(problems.count, 2);
    assert_true(span_equal_text(key, "Service/default/a"));
    problems_done(&problems);
    arena_done(&arena);
}

static void annotations_of_ours_are_checked(void **state)
{
    static const struct {
        const char *annotation, *problem;
    } cases[] = {
        {"remora.dev/local-port: \"8080:18080, 9090:19090\"", NULL},
        {"remora.dev/inbound-port: \"15006\"", NULL},
        {"example.org/anything: x", NULL},
        {"remora.dev/local-port: \"18080\"",
         "a.yaml:3: Workload default/w: metadata.annotations.remora.dev/local-port: must be pairs "
         "of ports such as 8080:18080,9090:19090"},
        {"remora.dev/inbound-port: \"80:99999\"",
         "a.yaml:3: Workload default/w: metadata.annotations.remora.dev/inbound-port: must be a "
         "port, or pairs of ports such as 8080:18080,9090:19090"},
        {"remora.dev/opaque-ports: \"80,x\"",
         "a.yaml:3: Workload default/w: metadata.annotations.remora.dev/opaque-ports: must be "
         "ports such as 9000,9001"},
        {"remora.dev/local-prot: \"1:2\"",
         "a.yaml:3: Workload default/w: metadata.annotations.remora.dev/local-prot: unknown "
         "annotation"},
        {"remora.dev/opaque-ports: 80",
         "a.yaml:3: Workload default/w: metadata.annotations.remora.dev/opaque-ports: must be a "
         "string, not a whole number (quote it)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];
        snprintf(
            text, sizeof(text),
            "apiVersion: remora.dev/v1alpha1\nkind: Workload\nmetadata: {name: w, annotations: "
            "{%s}}\nspec: {addresses: [10.0.0.1]}\n",
            cases[i].annotation);
        struct result r = parse(text);
        if (cases[i].problem != NULL) {
            assert_problem(&r, 0, cases[i].problem);
        } else {
            assert_int_equal(r.problems.count, 0);
        }
        assert_int_equal(r.manifest.count, r.problems.errors == 0 ? 1 : 0);
        result_done(&r);
    }
}

/* An object is as large as what it holds: 10,000 of them must not cost what their arenas would. */
static void an_object_outlives_its_file_in_one_block(void **state)
{
    struct result r = parse(ROUTE "  rules:\n  - name: one\n    matches: [{path: {value: /a}}]\n");
    struct object *object = object_ref(r.manifest.objects[0]);
    result_done(&r);
    const struct route_spec *spec = &((const struct route_body *)object->body)->spec;
    const struct route_rule *rule = spec->rules.at;
    const struct route_match *match = rule->matches.at;
    assert_true(span_equal_text(object->file, "a.yaml"));
    assert_true(span_equal_text(rule->name, "one"));
    assert_true(span_equal_text(match->path.value, "/a"));
    assert_true(((const struct parent_ref *)spec->parents.at)->group.at != NULL);
    assert_true((const char *)match > (const char *)object);
    assert_true((const char *)match < (const char *)object + 4096);
    object_unref(object);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_workload_is_read_with_all_its_fields),
        cmocka_unit_test(every_error_names_line_object_and_field),
        cmocka_unit_test(broken_yaml_is_told_with_its_line),
        cmocka_unit_test(several_errors_of_one_object_are_all_told),
        cmocka_unit_test(a_broken_object_does_not_hold_back_its_neighbours),
        cmocka_unit_test(an_object_that_is_there_twice_is_told_with_both_lines),
        cmocka_unit_test(what_kubectl_adds_is_tolerated),
        cmocka_unit_test(the_same_object_is_read_from_json),
        cmocka_unit_test(the_key_on_is_a_word),
        cmocka_unit_test(kinds_of_others_are_a_warning_and_nothing_more),
        cmocka_unit_test(what_an_api_server_has_checked_may_hold_newer_fields),
        cmocka_unit_test(annotations_of_ours_are_checked),
        cmocka_unit_test(an_object_outlives_its_file_in_one_block),
    };
    return TEST_MAIN(cases, argc, argv);
}
