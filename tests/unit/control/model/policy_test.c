#include "tests/unit/control/model/small_world.h"
#include "tests/unit/test_main.h"

#define API "outbound|80||api.shop.svc.cluster.local"
#define API_SHOWN "eds ewma tls=mesh http1 service=shop/api host=api.shop.svc.cluster.local:80"

static const char shop[] =
    "apiVersion: v1\nkind: Service\nmetadata: {name: api, namespace: shop}\n"
    "spec: {selector: {app: api}, ports: [{name: http, port: 80, targetPort: 8080}, {name: "
    "metrics, port: 9100}]}\n"
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: other, namespace: shop}\n"
    "spec: {selector: {tier: back}, ports: [{name: tcp, port: 8080}]}\n"
    "---\napiVersion: remora.dev/v1alpha1\nkind: Workload\n"
    "metadata: {name: api-1, namespace: shop, labels: {app: api, tier: back}}\n"
    "spec: {addresses: [10.0.0.1], serviceAccount: api}\n"
    "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
    "metadata: {name: r, namespace: shop}\n"
    "spec: {parentRefs: [{group: \"\", kind: Service, name: api, port: 80}], rules: [{name: slow, "
    "matches: [{path: {value: /slow}}], backendRefs: [{name: api, port: 80}]}, {backendRefs: "
    "[{name: api, port: 80}]}]}\n";

#define POLICY(kind, name, meta, spec)                                                             \
    "---\napiVersion: remora.dev/v1alpha1\nkind: " kind "\nmetadata: {name: " name                 \
    ", namespace: shop" meta "}\nspec: {" spec "}\n"
#define TRAFFIC(name, meta, spec) POLICY("TrafficPolicy", name, meta, spec)
#define ON_API "targetRefs: [{kind: Service, name: api}]"
#define ON_PORT "targetRefs: [{kind: Service, name: api, sectionName: http}]"

static void every_knob_in_force_reaches_the_cluster(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(&w, shop);
    assert_string_equal(small_world_show(&w, "shop", XDS_CLUSTER, API), API_SHOWN);
    small_world_apply(
        &w, TRAFFIC("p", "",
                    ON_API
                    ", timeouts: {connect: 2s, handshake: 3s, streamIdle: 0s, connectionIdle: 2h, "
                    "http1UpstreamIdle: 4s}, retries: {budget: {percent: 30, minPerSecond: 5, "
                    "window: 20s}}, limits: {connections: 7, pending: 8}, loadBalancer: "
                    "{algorithm: LeastRequest, ewma: {decay: 5s, initial: 10ms}}, connections: "
                    "{http2PerEndpoint: 2, streams: 50, maxAge: 0s}"));
    assert_string_equal(
        small_world_show(&w, "shop", XDS_CLUSTER, API),
        "eds least tls=mesh http1 service=shop/api host=api.shop.svc.cluster.local:80\n"
        "connect=2000\nhandshake=3000\nhttp1-idle=4000\nconnection-idle=7200000\nstream-idle=0\n"
        "decay=5000\ninitial=10\nmax-age=0\nconnections=7\npending=8\nper-endpoint=2\nstreams=50\n"
        "budget=30\nbudget-min=5\nbudget-window=20000");
    assert_string_equal(small_world_condition(&w, "TrafficPolicy/shop/p", 0, CONDITION_ACCEPTED),
                        "Accepted=True/Accepted: attached");
    assert_string_equal(small_world_condition(&w, "TrafficPolicy/shop/p", CONDITION_OF_OBJECT,
                                              CONDITION_PROGRAMMED),
                        "Programmed=True/Programmed: in force");
    small_world_remove(&w, "TrafficPolicy/shop/p");
    assert_string_equal(small_world_show(&w, "shop", XDS_CLUSTER, API), API_SHOWN);
    small_world_close(&w);
}

static void narrower_policies_lie_over_wider_ones_field_by_field(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(&w, shop);
    small_world_apply(
        &w,
        "apiVersion: remora.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: mesh}\n"
        "spec: {defaults: {timeouts: {connect: 1s, handshake: 1s, request: 1s}, limits: "
        "{pending: 1}}}\n" TRAFFIC("s", "", ON_API ", timeouts: {handshake: 2s, request: 2s}")
            TRAFFIC("p", "", ON_PORT ", timeouts: {request: 3s}")
                TRAFFIC("r", "", "targetRefs: [{kind: HTTPRoute, name: r}], timeouts: {perTry: 1s}")
                    TRAFFIC("slow", "",
                            "targetRefs: [{kind: HTTPRoute, name: r, sectionName: slow}], "
                            "timeouts: {request: 9s}, retries: {limit: 0, on: [never-processed, "
                            "5xx, grpc-unavailable, \"429\"]}"));
    assert_string_equal(small_world_show(&w, "shop", XDS_CLUSTER, API),
                        API_SHOWN "\nconnect=1000\nhandshake=2000\npending=1");
    assert_string_equal(small_world_show(&w, "shop", XDS_ROUTE, API),
                        "shop/r/slow: segments /slow -> *1" API
                        " timeout=9000 per-try=1000 retries=0 "
                        "on=connect-failure,refused-stream,5xx,unavailable,429\n"
                        "shop/r/1: any -> *1" API " timeout=3000 per-try=1000");
    assert_string_equal(
        small_world_show(&w, "shop", XDS_ROUTE, "outbound|9100||api.shop.svc.cluster.local"),
        "default: any -> *1outbound|9100||api.shop.svc.cluster.local timeout=2000");
    small_world_remove(&w, "TrafficPolicy/shop/slow");
    small_world_remove(&w, "MeshConfig//mesh");
    assert_string_equal(small_world_show(&w, "shop", XDS_CLUSTER, API),
                        API_SHOWN "\nhandshake=2000");
    small_world_close(&w);
}

static void of_two_policies_on_one_target_the_older_holds(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(&w, shop);
    small_world_apply(&w, TRAFFIC("a", "", ON_API ", limits: {pending: 1}"));
    small_world_apply(&w, TRAFFIC("b", ", creationTimestamp: 2026-01-01T00:00:00Z",
                                  ON_API ", limits: {pending: 2}"));
    assert_string_equal(small_world_show(&w, "shop", XDS_CLUSTER, API), API_SHOWN "\npending=2");
    assert_string_equal(small_world_condition(&w, "TrafficPolicy/shop/a", 0, CONDITION_ACCEPTED),
                        "Accepted=False/Conflicted: TrafficPolicy/shop/b, which is older, holds "
                        "for this target");
    assert_string_equal(small_world_condition(&w, "TrafficPolicy/shop/b", 0, CONDITION_ACCEPTED),
                        "Accepted=True/Accepted: attached");
    small_world_remove(&w, "TrafficPolicy/shop/b");
    assert_string_equal(small_world_show(&w, "shop", XDS_CLUSTER, API), API_SHOWN "\npending=1");
    assert_string_equal(small_world_condition(&w, "TrafficPolicy/shop/a", 0, CONDITION_ACCEPTED),
                        "Accepted=True/Accepted: attached");
    /* Without ages the name decides, whichever came first. */
    small_world_apply(&w, TRAFFIC("c", "", ON_API ", limits: {pending: 3}"));
    assert_string_equal(small_world_show(&w, "shop", XDS_CLUSTER, API), API_SHOWN "\npending=1");
    small_world_close(&w);
}

/* "field reason", one a line, of what does not hold. */
static void note_refusal(void *owner, const struct object *object,
                         const struct condition *condition)
{
    char field[CONDITION_FIELD_BYTES];
    struct span where = condition_field((enum kind)object->kind, condition, field);
    if (!condition->holds) {
        text_printf(owner, "%.*s %.*s %s\n", SPAN_ARG(object->meta.name), SPAN_ARG(where),
                    condition->reason);
    }
}

static void what_became_of_an_object_is_told_once_and_again_when_it_changes(void **state)
{
    struct small_world w;
    struct text told = {0};
    small_world_open(&w);
    small_world_apply(&w, shop);
    world_tell_news(w.world, note_refusal, &told);
    assert_int_equal(told.length, 0);
    small_world_apply(&w, TRAFFIC("p", "", "targetRefs: [{kind: Service, name: late}]"));
    world_tell_news(w.world, note_refusal, &told);
    assert_string_equal(told.bytes, "p  NotAccepted\np spec.targetRefs[0] TargetNotFound\n");
    text_clear(&told);
    /* Other edits, and the same judgement again, are no news. */
    small_world_apply(&w, TRAFFIC("q", "", ON_API));
    world_tell_news(w.world, note_refusal, &told);
    assert_int_equal(told.length, 0);
    small_world_apply(&w, "apiVersion: v1\nkind: Service\nmetadata: {name: late, namespace: shop}\n"
                          "spec: {ports: [{port: 1}]}\n");
    world_tell_news(w.world, note_refusal, &told);
    assert_int_equal(told.length, 0);
    small_world_remove(&w, "Service/shop/late");
    world_tell_news(w.world, note_refusal, &told);
    assert_string_equal(told.bytes, "p  NotAccepted\np spec.targetRefs[0] TargetNotFound\n");
    text_done(&told);
    small_world_close(&w);
}

static void a_policy_says_for_each_target_whether_it_holds(void **state)
{
    static const struct {
        const char *kind, *target, *accepted;
    } cases[] = {
        {"TrafficPolicy", "{kind: Service, name: gone}",
         "Accepted=False/TargetNotFound: Service gone is not there"},
        {"TrafficPolicy", "{kind: Service, name: api, sectionName: nope}",
         "Accepted=False/TargetNotFound: Service api has no section nope"},
        {"TrafficPolicy", "{kind: HTTPRoute, name: r, sectionName: nope}",
         "Accepted=False/TargetNotFound: HTTPRoute r has no section nope"},
        {"TrafficPolicy", "{kind: HTTPRoute, name: r, sectionName: slow}",
         "Accepted=True/Accepted: attached"},
        {"TrafficPolicy", "{kind: Workload, name: api-1}",
         "Accepted=False/Invalid: a TrafficPolicy may not point at Workload api-1"},
        {"TransportPolicy", "{kind: Workload, name: api-1}", "Accepted=True/Accepted: attached"},
        {"TransportPolicy", "{kind: Namespace, name: shop}", "Accepted=True/Accepted: attached"},
        {"TransportPolicy", "{kind: Namespace, name: bank}",
         "Accepted=False/Invalid: a TransportPolicy may not point at Namespace bank"},
        {"TransportPolicy", "{kind: HTTPRoute, name: r}",
         "Accepted=False/Invalid: a TransportPolicy may not point at HTTPRoute r"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct small_world w;
        char manifest[1024];
        char key[64];
        small_world_open(&w);
        small_world_apply(&w, shop);
        snprintf(manifest, sizeof(manifest), POLICY("%s", "p", "", "targetRefs: [%s]%s"),
                 cases[i].kind, cases[i].target,
                 strcmp(cases[i].kind, "TransportPolicy") == 0 ? ", mode: Permissive" : "");
        snprintf(key, sizeof(key), "%s/shop/p", cases[i].kind);
        small_world_apply(&w, manifest);
        assert_string_equal(small_world_condition(&w, key, 0, CONDITION_ACCEPTED),
                            cases[i].accepted);
        small_world_close(&w);
    }
}

static void a_target_that_comes_and_goes_is_told(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(&w, TRAFFIC("p", "", ON_API));
    assert_string_equal(small_world_condition(&w, "TrafficPolicy/shop/p", 0, CONDITION_ACCEPTED),
                        "Accepted=False/TargetNotFound: Service api is not there");
    small_world_apply(&w, shop);
    assert_string_equal(small_world_condition(&w, "TrafficPolicy/shop/p", 0, CONDITION_ACCEPTED),
                        "Accepted=True/Accepted: attached");
    small_world_remove(&w, "Service/shop/api");
    assert_string_equal(small_world_condition(&w, "TrafficPolicy/shop/p", 0, CONDITION_ACCEPTED),
                        "Accepted=False/TargetNotFound: Service api is not there");
    small_world_close(&w);
}

static void knobs_that_nothing_acts_on_are_named_one_by_one(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(&w, shop);
    small_world_apply(
        &w,
        TRAFFIC("p", "",
                ON_API
                ", timeouts: {connect: 1s, ping: {interval: 5s}}, retries: {methods: All, backoff: "
                "{base: 1ms}, maxBody: 1Ki}, rescue: {enabled: false}, hedging: {enabled: true}, "
                "breaker: {consecutive: 1}, limits: {adaptive: true}, loadBalancer: {algorithm: "
                "Maglev, hash: {header: a}, failurePenalty: 1s, locality: Prefer, queueTimeout: "
                "1s, slowStart: 1s, balance: 150}, connections: {rebalanceSpread: 1s}, "
                "healthCheck: {http: {path: /}}, faults: {header: x}, mirror: {to: {name: a, port: "
                "1}}"));
    assert_string_equal(
        small_world_condition(&w, "TrafficPolicy/shop/p", CONDITION_OF_OBJECT,
                              CONDITION_PROGRAMMED),
        "Programmed=False/PartiallyProgrammed: not in force yet: spec.timeouts.ping, "
        "spec.retries.methods, spec.retries.backoff, spec.retries.maxBody, spec.rescue, "
        "spec.hedging, spec.breaker, spec.limits.adaptive, spec.loadBalancer.algorithm, "
        "spec.loadBalancer.hash, spec.loadBalancer.failurePenalty, spec.loadBalancer.locality, "
        "spec.loadBalancer.queueTimeout, spec.loadBalancer.slowStart, spec.loadBalancer.balance, "
        "spec.connections.rebalanceSpread, spec.healthCheck, spec.faults, spec.mirror");
    assert_string_equal(small_world_show(&w, "shop", XDS_CLUSTER, API), API_SHOWN "\nconnect=1000");
    small_world_close(&w);
}

static void kinds_not_in_force_are_accepted_and_say_so(void **state)
{
    static const char policies[] =
        POLICY("RateLimitPolicy", "l", "",
               ON_API ", rules: [{name: each, key: [identity], rate: 100/s, burst: 200}]")
            POLICY("AuthorizationPolicy", "z", "",
                   ON_API ", action: Allow, rules: [{from: [{principals: [\"*/ns/shop/sa/web\"]}], "
                          "to: [{methods: [GET], paths: [/v1/*]}], when: [{claim: scope, has: "
                          "items.read}]}]")
                POLICY("JwtPolicy", "j", "",
                       ON_API ", issuers: [{issuer: \"https://id.example\", audiences: [shop], "
                              "jwksUri: \"https://id.example/keys\", require: true}]");
    static const char *const keys[] = {"RateLimitPolicy/shop/l", "AuthorizationPolicy/shop/z",
                                       "JwtPolicy/shop/j"};
    struct small_world w;
    small_world_open(&w);
    small_world_apply(&w, shop);
    small_world_apply(&w, policies);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(small_world_condition(&w, keys[i], 0, CONDITION_ACCEPTED),
                            "Accepted=True/Accepted: attached");
        assert_string_equal(
            small_world_condition(&w, keys[i], CONDITION_OF_OBJECT, CONDITION_PROGRAMMED),
            "Programmed=False/NotInForceYet: objects of this kind are checked but not in force "
            "yet");
    }
    small_world_close(&w);
}

#define TRANSPORT(name, spec) POLICY("TransportPolicy", name, "", spec)
#define MESH_TRANSPORT(mode)                                                                       \
    "---\napiVersion: remora.dev/v1alpha1\nkind: TransportPolicy\nmetadata: {name: mesh, "         \
    "namespace: remora-system}\nspec: {mode: " mode "}\n"

static void the_narrowest_transport_policy_decides_on_both_sides(void **state)
{
    static const struct {
        const char *policies;
        const char *self; /* modes of default, 8080, 9100 */
        const char *flags;
    } cases[] = {
        {"", "strict strict strict", "sidecar hbone"},
        {MESH_TRANSPORT("Permissive"), "permissive permissive permissive",
         "sidecar hbone permissive"},
        {MESH_TRANSPORT("Permissive") TRANSPORT("n", "targetRefs: [{kind: Namespace, name: shop}], "
                                                     "mode: Strict"),
         "strict strict strict", "sidecar hbone"},
        {TRANSPORT("n", "targetRefs: [{kind: Namespace, name: shop}], mode: Permissive")
             TRANSPORT("s", ON_API ", mode: Strict"),
         "permissive strict strict", "sidecar hbone"},
        {TRANSPORT("s", ON_API ", mode: Permissive")
             TRANSPORT("w", "targetRefs: [{kind: Workload, name: api-1}], mode: Strict"),
         "strict strict strict", "sidecar hbone"},
        {TRANSPORT("w", "targetRefs: [{kind: Workload, name: api-1}], ports: {\"8080\": {mode: "
                        "Plaintext}}"),
         "strict plain strict", ""},
        {TRANSPORT("s", ON_API ", ports: {\"9100\": {mode: Permissive}}"),
         "strict strict permissive", "sidecar hbone"},
        {MESH_TRANSPORT("Plaintext"), "plain plain plain", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct small_world w;
        char expected[512];
        char modes[3][16];
        small_world_open(&w);
        small_world_apply(&w, shop);
        if (cases[i].policies[0] != '\0') {
            small_world_apply(&w, cases[i].policies);
        }
        assert_int_equal(sscanf(cases[i].self, "%15s %15s %15s", modes[0], modes[1], modes[2]), 3);
        snprintf(expected, sizeof(expected),
                 "shop/api/api-1 version= at=// default=%s egress=allow log=failures trace=0 "
                 "renew=0.5..0.7 life=86400\n8080 http1 %s api\n9100 auto %s api",
                 modes[0], modes[1], modes[2]);
        assert_string_equal(small_world_self(&w, "shop/api/api-1"), expected);
        bool sidecar = cases[i].flags[0] != '\0';
        snprintf(expected, sizeof(expected), "10.0.0.1:8080%s workload=api-1 weight=1%s%s",
                 sidecar ? " id=spiffe://cluster.local/ns/shop/sa/api" : "", sidecar ? " " : "",
                 cases[i].flags);
        assert_string_equal(small_world_show(&w, "shop", XDS_ENDPOINTS, API), expected);
        /* The other service leads to the same port of the same workload. */
        assert_string_equal(small_world_show(&w, "shop", XDS_ENDPOINTS,
                                             "outbound|8080||other.shop.svc.cluster.local"),
                            expected);
        small_world_close(&w);
    }
}

static void a_mesh_wide_transport_policy_lives_in_the_control_planes_namespace(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(&w, shop);
    small_world_apply(&w, TRANSPORT("p", "mode: Plaintext"));
    assert_string_equal(small_world_condition(&w, "TransportPolicy/shop/p", CONDITION_OF_OBJECT,
                                              CONDITION_ACCEPTED),
                        "Accepted=False/Invalid: without targetRefs only in namespace "
                        "remora-system: it holds for the mesh");
    assert_string_equal(small_world_show(&w, "shop", XDS_ENDPOINTS, API),
                        "10.0.0.1:8080 id=spiffe://cluster.local/ns/shop/sa/api workload=api-1 "
                        "weight=1 sidecar hbone");
    small_world_apply(&w, MESH_TRANSPORT("Permissive"));
    assert_true(w.changes->self_everywhere);
    small_world_remove(&w, "TransportPolicy/remora-system/mesh");
    assert_string_equal(small_world_show(&w, "shop", XDS_ENDPOINTS, API),
                        "10.0.0.1:8080 id=spiffe://cluster.local/ns/shop/sa/api workload=api-1 "
                        "weight=1 sidecar hbone");
    small_world_close(&w);
}

static void mesh_config_reaches_every_proxy(void **state)
{
    struct small_world w;
    small_world_open(&w);
    small_world_apply(&w, shop);
    small_world_apply(
        &w, "apiVersion: remora.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: mesh, namespace: "
            "remora-system}\nspec: {trustDomain: other.local, egress: Deny, certificates: "
            "{lifetime: 10s, renewAt: 0.4..0.6}, tracing: {sampling: 0.25, otlp: "
            "\"http://c:4318\"}, accessLog: {format: text, only: all}, excludeOutboundPorts: "
            "[25]}\n");
    assert_true(w.changes->self_everywhere);
    assert_string_equal(small_world_self(&w, "shop/api/api-1"),
                        "shop/api/api-1 version= at=// default=strict egress=deny log=all-text "
                        "trace=250000 renew=0.4..0.6 life=10\n8080 http1 strict api\n9100 auto "
                        "strict api");
    assert_string_equal(
        small_world_condition(&w, "MeshConfig//mesh", CONDITION_OF_OBJECT, CONDITION_PROGRAMMED),
        "Programmed=False/TrustDomainFixed: the authority was made for cluster.local; "
        "other.local is not in force");
    assert_true(span_equal_text(world_wanted_trust_domain(w.world), "other.local"));
    world_set_trust_domain(w.world, "other.local");
    world_compile(w.world);
    assert_string_equal(
        small_world_condition(&w, "MeshConfig//mesh", CONDITION_OF_OBJECT, CONDITION_PROGRAMMED),
        "Programmed=False/PartiallyProgrammed: not in force yet: spec.tracing.otlp, "
        "spec.excludeOutboundPorts");
    assert_string_equal(small_world_show(&w, "shop", XDS_ENDPOINTS, API),
                        "10.0.0.1:8080 id=spiffe://other.local/ns/shop/sa/api workload=api-1 "
                        "weight=1 sidecar hbone");
    small_world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(every_knob_in_force_reaches_the_cluster),
        cmocka_unit_test(narrower_policies_lie_over_wider_ones_field_by_field),
        cmocka_unit_test(of_two_policies_on_one_target_the_older_holds),
        cmocka_unit_test(what_became_of_an_object_is_told_once_and_again_when_it_changes),
        cmocka_unit_test(a_policy_says_for_each_target_whether_it_holds),
        cmocka_unit_test(a_target_that_comes_and_goes_is_told),
        cmocka_unit_test(knobs_that_nothing_acts_on_are_named_one_by_one),
        cmocka_unit_test(kinds_not_in_force_are_accepted_and_say_so),
        cmocka_unit_test(the_narrowest_transport_policy_decides_on_both_sides),
        cmocka_unit_test(a_mesh_wide_transport_policy_lives_in_the_control_planes_namespace),
        cmocka_unit_test(mesh_config_reaches_every_proxy),
    };
    return TEST_MAIN(cases, argc, argv);
}
