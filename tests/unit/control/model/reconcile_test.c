#include "tests/unit/control/model/small_world.h"
#include "tests/unit/test_main.h"

#include "control/object/manifest.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"

/*
 * What a world knows after any number of changes is what a new world makes of the objects that are
 * there: nothing is remembered that should be forgotten, nothing missed that should be marked.
 */
enum { NAMES = 4, STEPS = 400, MANIFEST_BYTES = 1024 };

static const char *const namespaces[] = {"a", "b", "remora-system"};

static const char *pick_namespace(void)
{
    return namespaces[random_below(3)];
}

static unsigned pick(unsigned below)
{
    return (unsigned)random_below(below);
}

static void make_service(char *into)
{
    static const char *const addresses[] = {"clusterIP: 10.0.0.1", "clusterIP: None",
                                            "clusterIP: 10.0.0.2", "type: ClusterIP"};
    static const char *const ports[] = {"{name: http, port: 80, targetPort: web}",
                                        "{name: tcp, port: 90}, {name: grpc, port: 91}",
                                        "{name: http, port: 80, targetPort: 8080}"};
    snprintf(into, MANIFEST_BYTES,
             "apiVersion: v1\nkind: Service\nmetadata: {name: s%u, namespace: %s, annotations: "
             "{remora.dev/local-port: \"80:%u\"}}\nspec: {%s, selector: {app: w%u}, ports: [%s]}\n",
             pick(NAMES), pick_namespace(), 1000 + pick(2), addresses[pick(4)], pick(2),
             ports[pick(3)]);
}

static void make_workload(char *into)
{
    snprintf(into, MANIFEST_BYTES,
             "apiVersion: remora.dev/v1alpha1\nkind: Workload\nmetadata: {name: w%u, namespace: "
             "%s, labels: {app: w%u}}\nspec: {addresses: [10.1.0.%u], ports: {web: %u}, weight: "
             "%u, serviceAccount: sa%u}\n",
             pick(NAMES), pick_namespace(), pick(2), 1 + pick(3), 8080 + pick(2), pick(3), pick(2));
}

static void make_slice(char *into)
{
    snprintf(into, MANIFEST_BYTES,
             "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: e%u, "
             "namespace: %s, labels: {kubernetes.io/service-name: s%u}}\naddressType: IPv4\n"
             "ports: [{name: http, port: 8%u}]\nendpoints: [{addresses: [10.1.0.%u]}, {addresses: "
             "[10.1.0.%u], conditions: {ready: false}}]\n",
             pick(2), pick_namespace(), pick(NAMES), pick(2), 1 + pick(3), 1 + pick(3));
}

static void make_route(char *into)
{
    static const char *const kinds[] = {"HTTPRoute", "HTTPRoute", "GRPCRoute", "TCPRoute"};
    static const char *const versions[] = {"v1", "v1beta1", "v1", "v1alpha2"};
    unsigned kind = pick(4);
    snprintf(into, MANIFEST_BYTES,
             "apiVersion: gateway.networking.k8s.io/%s\nkind: %s\nmetadata: {name: r%u, namespace: "
             "%s}\nspec:\n  parentRefs: [{group: \"\", kind: Service, name: s%u, namespace: %s}, "
             "{group: \"\", kind: Service, name: s%u}]\n  rules: [{name: one, backendRefs: [{name: "
             "s%u, namespace: %s, port: 80, weight: %u}, {name: s%u, port: 90}]}]\n",
             versions[kind], kinds[kind], pick(3), pick_namespace(), pick(NAMES), pick_namespace(),
             pick(NAMES), pick(NAMES), pick_namespace(), pick(3), pick(NAMES));
}

static void make_traffic(char *into)
{
    static const char *const targets[] = {
        "{kind: Service, name: s0}", "{kind: Service, name: s1, sectionName: http}",
        "{kind: HTTPRoute, name: r0}", "{kind: HTTPRoute, name: r1, sectionName: one}"};
    snprintf(into, MANIFEST_BYTES,
             "apiVersion: remora.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: t%u, "
             "namespace: %s}\nspec: {targetRefs: [%s], timeouts: {request: %us}, limits: {pending: "
             "%u}}\n",
             pick(3), pick_namespace(), targets[pick(4)], 1 + pick(3), pick(3));
}

static void make_transport(char *into)
{
    static const char *const modes[] = {"Strict", "Permissive", "Plaintext"};
    unsigned kind = pick(4);
    const char *namespace_name = kind == 3 ? "remora-system" : pick_namespace();
    char targets[128] = "";
    if (kind == 0) {
        snprintf(targets, sizeof(targets), "targetRefs: [{kind: Service, name: s%u}], ",
                 pick(NAMES));
    } else if (kind == 1) {
        snprintf(targets, sizeof(targets), "targetRefs: [{kind: Workload, name: w%u}], ",
                 pick(NAMES));
    } else if (kind == 2) {
        snprintf(targets, sizeof(targets), "targetRefs: [{kind: Namespace, name: %s}], ",
                 namespace_name);
    }
    snprintf(into, MANIFEST_BYTES,
             "apiVersion: remora.dev/v1alpha1\nkind: TransportPolicy\nmetadata: {name: p%u, "
             "namespace: %s}\nspec: {%smode: %s, ports: {\"8080\": {mode: %s}}}\n",
             pick(3), namespace_name, targets, modes[pick(3)], modes[pick(3)]);
}

static void make_external(char *into)
{
    snprintf(into, MANIFEST_BYTES,
             "apiVersion: remora.dev/v1alpha1\nkind: ExternalService\nmetadata: {name: x%u, "
             "namespace: %s}\nspec: {hosts: [h%u.example, h%u.test], ports: [{port: 443}]}\n",
             pick(3), pick_namespace(), pick(2), pick(2));
}

static void make_mesh(char *into)
{
    snprintf(into, MANIFEST_BYTES,
             "apiVersion: remora.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: mesh}\nspec: "
             "{egress: %s, defaults: {timeouts: {connect: %us}}}\n",
             pick(2) == 0 ? "Allow" : "Deny", 1 + pick(3));
}

static struct object *make_object(void)
{
    static void (*const makers[])(char *) = {
        make_service, make_service, make_workload,  make_workload, make_slice, make_route,
        make_route,   make_traffic, make_transport, make_external, make_mesh};
    char text[MANIFEST_BYTES];
    struct problems problems;
    struct manifest manifest;
    makers[random_below(sizeof(makers) / sizeof(makers[0]))](text);
    problems_init(&problems, SPAN("random"));
    manifest_parse(span_of(text), &problems, &manifest);
    if (problems.count > 0) {
        fail_msg("%s\n%s", text, problems.items[0].text);
    }
    assert_int_equal(manifest.count, 1);
    struct object *object = object_ref(manifest.objects[0]);
    manifest_done(&manifest);
    problems_done(&problems);
    return object;
}

/* Every resource of every type for every namespace, by name and version. */
static void compare_resources(struct world *one, struct world *other)
{
    for (size_t i = 0; i < 3; i++) {
        struct viewer viewer = {.namespace_name = span_of(namespaces[i])};
        for (int type = 0; type < XDS_TYPES; type++) {
            size_t at = 0;
            size_t count = 0;
            size_t other_count = 0;
            struct resource *resource;
            while ((resource = world_next(one, &viewer, (enum xds_type)type, &at)) != NULL) {
                struct resource *twin =
                    world_resource(other, &viewer, (enum xds_type)type, resource->name);
                count++;
                if (twin == NULL || twin->version != resource->version) {
                    fail_msg("%s %.*s for %s differs", xds_type_short((enum xds_type)type),
                             SPAN_ARG(resource->name), namespaces[i]);
                }
                resource_unref(twin);
                resource_unref(resource);
            }
            for (at = 0;
                 (resource = world_next(other, &viewer, (enum xds_type)type, &at)) != NULL;) {
                other_count++;
                resource_unref(resource);
            }
            assert_int_equal(count, other_count);
        }
    }
}

static void compare_selves(struct world *one, struct world *other)
{
    for (unsigned i = 0; i < 3 * NAMES * 2; i++) {
        char workload[8];
        char account[8];
        snprintf(workload, sizeof(workload), "w%u", i / 6);
        snprintf(account, sizeof(account), "sa%u", i % 2);
        struct viewer viewer = {.namespace_name = span_of(namespaces[i / 2 % 3]),
                                .service_account = span_of(account),
                                .workload = span_of(workload)};
        struct resource *a = world_resource(one, &viewer, XDS_WORKLOAD, SPAN("self"));
        struct resource *b = world_resource(other, &viewer, XDS_WORKLOAD, SPAN("self"));
        assert_true(a->version == b->version);
        resource_unref(a);
        resource_unref(b);
    }
    for (unsigned i = 1; i <= 3; i++) {
        char name[16];
        struct viewer viewer = {0};
        snprintf(name, sizeof(name), "ip/10.1.0.%u", i);
        struct resource *a = world_resource(one, &viewer, XDS_PHONE, span_of(name));
        struct resource *b = world_resource(other, &viewer, XDS_PHONE, span_of(name));
        assert_true((a == NULL) == (b == NULL));
        assert_true(a == NULL || a->version == b->version);
        resource_unref(a);
        resource_unref(b);
    }
}

static void compare_conditions(struct world *one, struct world *other)
{
    size_t at = 0;
    struct world_object object;
    while (world_next_object(one, &at, &object)) {
        struct world_object twin;
        assert_true(world_object(other, object.object->key, &twin));
        assert_int_equal(object.conditions->count, twin.conditions->count);
        for (uint32_t i = 0; i < object.conditions->count; i++) {
            const struct condition *a = &object.conditions->items[i];
            const struct condition *b =
                conditions_get(twin.conditions, a->part, (enum condition_type)a->type);
            if (b == NULL || a->holds != b->holds || strcmp(a->message, b->message) != 0) {
                fail_msg("%.*s part %d %s: \"%s\" or \"%s\"", SPAN_ARG(object.object->key), a->part,
                         condition_type_name(a->type), a->message,
                         b != NULL ? b->message : "unset");
            }
        }
    }
}

/* A new world that gets the objects in another order, all at once. */
static void compare_with_new_world(struct world *world)
{
    struct small_world fresh;
    struct world_object object;
    struct object *objects[256];
    size_t at = 0;
    size_t count = 0;
    while (world_next_object(world, &at, &object)) {
        assert_true(count < 256);
        objects[count++] = (struct object *)(uintptr_t)object.object;
    }
    small_world_open(&fresh);
    for (size_t i = count; i > 0; i--) {
        size_t chosen = random_below(i);
        world_put(fresh.world, objects[chosen]);
        objects[chosen] = objects[i - 1];
    }
    world_compile(fresh.world);
    compare_resources(world, fresh.world);
    compare_selves(world, fresh.world);
    compare_conditions(world, fresh.world);
    small_world_close(&fresh);
}

static void run(uint64_t seed)
{
    struct small_world w;
    random_seed(seed);
    small_world_open(&w);
    for (int step = 0; step < STEPS; step++) {
        struct object *object = make_object();
        struct world_object there;
        if (world_object(w.world, object->key, &there) && random_below(2) == 0) {
            world_remove(w.world, there.object);
        } else {
            world_put(w.world, object);
        }
        object_unref(object);
        if (random_below(3) == 0) {
            world_compile(w.world);
        }
        if (random_below(20) == 0) {
            world_compile(w.world);
            compare_with_new_world(w.world);
        }
    }
    small_world_close(&w);
}

static void a_world_after_many_changes_equals_a_new_one(void **state)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run(seed);
    }
}

/* What a change told is enough to follow: a copy kept by changes alone equals the world. */
static void what_changes_tell_is_all_that_changed(void **state)
{
    struct small_world w;
    struct map copies[XDS_TYPES] = {0};
    struct viewer viewer = {.namespace_name = SPAN("a")};
    random_seed(99);
    small_world_open(&w);
    for (int step = 0; step < STEPS; step++) {
        struct object *object = make_object();
        struct world_object there;
        if (world_object(w.world, object->key, &there) && random_below(2) == 0) {
            world_remove(w.world, there.object);
        } else {
            world_put(w.world, object);
        }
        object_unref(object);
        const struct world_changes *changes = world_compile(w.world);
        for (int type = 0; type < XDS_TYPES; type++) {
            for (size_t i = 0; i < changes->types[type].count; i++) {
                struct span name = changes->types[type].names[i];
                struct resource *now = world_resource(w.world, &viewer, (enum xds_type)type, name);
                struct resource *before = now != NULL ? map_put(&copies[type], name, now)
                                                      : map_remove(&copies[type], name);
                resource_unref(before);
            }
            size_t at = 0;
            size_t count = 0;
            struct resource *resource;
            while ((resource = world_next(w.world, &viewer, (enum xds_type)type, &at)) != NULL) {
                const struct resource *copy = map_get(&copies[type], resource->name);
                assert_non_null(copy);
                assert_true(copy->version == resource->version);
                resource_unref(resource);
                count++;
            }
            assert_int_equal(count, copies[type].count);
        }
    }
    for (int type = 0; type < XDS_TYPES; type++) {
        size_t at = 0;
        struct span name;
        void *resource;
        while (map_next(&copies[type], &at, &name, &resource)) {
            resource_unref(resource);
        }
        map_done(&copies[type]);
    }
    small_world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_world_after_many_changes_equals_a_new_one),
        cmocka_unit_test(what_changes_tell_is_all_that_changed),
    };
    return TEST_MAIN(cases, argc, argv);
}
