#include "tests/unit/cpu_time.h"
#include "tests/unit/test_main.h"

#include "control/model/world.h"
#include "control/source/directory/directory_source.h"
#include "lib/base/poison.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder of manifests, followed into a world: what `remora-control --config-dir` does. */
struct folder {
    char root[64];
    struct loop *loop;
    struct world *world;
    size_t problems; /* of the last file told */
    struct source *source;
    unsigned compiled, wanted;
    size_t changed_routes;
};

static void on_object(void *owner, struct object *object)
{
    world_put(((struct folder *)owner)->world, object);
}

static void on_removed(void *owner, struct object *object)
{
    world_remove(((struct folder *)owner)->world, object);
}

static void on_problems(void *owner, const struct problems *problems)
{
    ((struct folder *)owner)->problems = problems->count;
}

static void on_synced(void *owner)
{
    struct folder *folder = owner;
    folder->compiled++;
    folder->changed_routes = world_compile(folder->world)->types[XDS_ROUTE].count;
}

static bool has_compiled(void *owner)
{
    struct folder *folder = owner;
    return folder->compiled >= folder->wanted;
}

static void wait_for_batch(struct folder *folder)
{
    folder->wanted = folder->compiled + 1;
    assert_true(loop_run_until(folder->loop, has_compiled, folder, 30000));
}

static void write_file(const struct folder *folder, const char *name, struct span text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder->root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text.at, 1, text.length, file), text.length);
    fclose(file);
}

static void remove_file(const struct folder *folder, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder->root, name);
    assert_int_equal(unlink(path), 0);
}

static void folder_open(struct folder *folder)
{
    struct world_options options = {"cluster.local", "remora-system", "cluster.local"};
    *folder = (struct folder){0};
    snprintf(folder->root, sizeof(folder->root), "/tmp/remora-feed-XXXXXX");
    assert_non_null(mkdtemp(folder->root));
    folder->loop = loop_create();
    folder->world = world_create(&options);
}

static void folder_start(struct folder *folder)
{
    struct source_listener listener = {on_object, on_removed, on_problems, on_synced, folder};
    folder->source = directory_source_create(folder->loop, folder->root, &listener);
    source_start(folder->source);
    assert_int_equal(folder->compiled, 1);
}

static void folder_close(struct folder *folder)
{
    source_destroy(folder->source);
    world_destroy(folder->world);
    loop_destroy(folder->loop);
    rmdir(folder->root);
}

static bool has_resource(struct folder *folder, enum xds_type type, const char *name)
{
    struct viewer viewer = {.namespace_name = SPAN("shop")};
    struct resource *resource = world_resource(folder->world, &viewer, type, span_of(name));
    resource_unref(resource);
    return resource != NULL;
}

static const char service[] = "apiVersion: v1\nkind: Service\nmetadata: {name: api, namespace: "
                              "shop}\nspec: {ports: [{port: 80}]}\n";
static const char route[] =
    "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r, namespace: "
    "shop}\nspec: {parentRefs: [{group: \"\", kind: Service, name: api}], rules: [{backendRefs: "
    "[{name: api, port: 80}]}]}\n";

static void an_edited_folder_is_followed(void **state)
{
    struct folder folder;
    folder_open(&folder);
    write_file(&folder, "api.yaml", SPAN(service));
    folder_start(&folder);
    assert_true(has_resource(&folder, XDS_PHONE, "shop/api"));

    write_file(&folder, "route.yaml", SPAN(route));
    wait_for_batch(&folder);
    assert_int_equal(folder.changed_routes, 1);

    write_file(&folder, "api.yaml",
               SPAN("apiVersion: v1\nkind: Service\nmetadata: {name: api, "
                    "namespace: shop}\nspec: {ports: [{port: 80000}]}\n"));
    wait_for_batch(&folder);
    assert_true(has_resource(&folder, XDS_PHONE, "shop/api"));
    assert_int_equal(folder.problems, 1);

    remove_file(&folder, "api.yaml");
    wait_for_batch(&folder);
    assert_false(has_resource(&folder, XDS_PHONE, "shop/api"));
    assert_int_equal(folder.problems, 0);
    remove_file(&folder, "route.yaml");
    folder_close(&folder);
}

static size_t resident_mib(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE) >> 20;
}

enum { SERVICES = 10000, FILES = 2 };

/* The project's bound: 10,000 services in the manifests, the control plane under 200 MB. */
static void ten_thousand_services_in_two_files_stay_small(void **state)
{
    struct folder folder;
    struct text text = {0};
    folder_open(&folder);
    size_t before = resident_mib();
    for (int file = 0; file < FILES; file++) {
        char name[16];
        text_clear(&text);
        for (int i = file * SERVICES / FILES; i < (file + 1) * SERVICES / FILES; i++) {
            text_printf(&text,
                        "---\napiVersion: v1\nkind: Service\nmetadata: {name: s-%d, namespace: "
                        "shop}\nspec:\n  clusterIP: 10.1.%d.%d\n  selector: {app: s-%d}\n  ports:\n"
                        "  - {name: http, port: 80, targetPort: http}\n---\napiVersion: "
                        "remora.dev/v1alpha1\nkind: Workload\nmetadata: {name: s-%d-1, namespace: "
                        "shop, labels: {app: s-%d}}\nspec:\n  addresses: [10.2.%d.%d]\n  ports: "
                        "{http: 8080}\n  serviceAccount: s-%d\n",
                        i, i / 256, i % 256, i, i, i, i / 256, i % 256, i);
        }
        snprintf(name, sizeof(name), "%d.yaml", file);
        write_file(&folder, name, text_span(&text));
    }
    text_done(&text);
    int64_t start = cpu_time_ns();
    folder_start(&folder);
    int64_t start_ms = (cpu_time_ns() - start) / NS_PER_MS;
    assert_int_equal(world_count(folder.world).services, SERVICES);

    /* A third file with one route: everything else is left alone. */
    write_file(
        &folder, "route.yaml",
        SPAN("apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r, "
             "namespace: shop}\nspec: {parentRefs: [{group: \"\", kind: Service, name: "
             "s-7}], rules: [{backendRefs: [{name: s-8, port: 80}]}]}\n"));
    start = cpu_time_ns();
    wait_for_batch(&folder);
    int64_t batch_ms = (cpu_time_ns() - start) / NS_PER_MS;
    size_t used = resident_mib() - before;
    assert_int_equal(folder.changed_routes, 1);
    print_message("start %lld ms, a change %lld ms, %zu MiB\n", (long long)start_ms,
                  (long long)batch_ms, used);
#ifndef REMORA_POISON
    assert_true(used < 200);
    assert_true(start_ms < 3000);
    assert_true(batch_ms < 50);
#endif
    remove_file(&folder, "0.yaml");
    remove_file(&folder, "1.yaml");
    remove_file(&folder, "route.yaml");
    folder_close(&folder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(an_edited_folder_is_followed),
        cmocka_unit_test(ten_thousand_services_in_two_files_stay_small),
    };
    return TEST_MAIN(cases, argc, argv);
}
