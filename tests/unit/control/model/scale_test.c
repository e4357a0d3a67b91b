#include "tests/unit/control/model/small_world.h"
#include "tests/unit/cpu_time.h"
#include "tests/unit/test_main.h"

#include "control/object/manifest.h"
#include "lib/base/memory.h"
#include "lib/base/poison.h"

#include <stdlib.h>
#include <unistd.h>

/*
 * 10,000 services of two ports, each with two workloads. The bounds are those of the project: they
 * leave room for a slow machine, and sanitizers get ten times as much time and no memory bound.
 */
enum { SERVICES = 10000, WORKLOADS = 2 };
#ifdef REMORA_POISON
enum { SLOWER = 10, MEMORY_MIB = 100000 };
#else
enum { SLOWER = 1, MEMORY_MIB = 200 };
#endif
enum { PARSE_MS = 6000 * SLOWER, COMPILE_MS = 1000 * SLOWER, CHANGE_MS = 5 * SLOWER };

static size_t resident_mib(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE) >> 20;
}

static void add_service(struct text *text, int number)
{
    text_printf(text,
                "---\napiVersion: v1\nkind: Service\nmetadata: {name: svc-%d, namespace: ns-%d}\n"
                "spec:\n  clusterIP: 10.%d.%d.%d\n  selector: {app: svc-%d}\n  ports:\n"
                "  - {name: http, port: 8080, targetPort: web}\n  - {name: grpc, port: 9090}\n",
                number, number % 50, 100 + number / 65536, number / 256 % 256, number % 256,
                number);
    for (int i = 0; i < WORKLOADS; i++) {
        text_printf(text,
                    "---\napiVersion: remora.dev/v1alpha1\nkind: Workload\nmetadata: {name: "
                    "svc-%d-%d, namespace: ns-%d, labels: {app: svc-%d, version: v%d}}\nspec: "
                    "{addresses: [10.%d.%d.%d], ports: {web: 8081}, serviceAccount: svc-%d, "
                    "locality: {region: eu, zone: eu-%d}}\n",
                    number, i, number % 50, number, i, 200 + i, number / 256 % 256, number % 256,
                    number, i);
    }
}

static void put_all(struct small_world *w)
{
    struct text text = {0};
    for (int i = 0; i < SERVICES; i += 100) {
        struct problems problems;
        struct manifest manifest;
        text_clear(&text);
        for (int j = 0; j < 100; j++) {
            add_service(&text, i + j);
        }
        problems_init(&problems, SPAN("scale.yaml"));
        manifest_parse(text_span(&text), &problems, &manifest);
        assert_int_equal(problems.count, 0);
        assert_int_equal(manifest.count, 100 * (1 + WORKLOADS));
        for (size_t k = 0; k < manifest.count; k++) {
            world_put(w->world, manifest.objects[k]);
        }
        manifest_done(&manifest);
        problems_done(&problems);
    }
    text_done(&text);
}

static int64_t ms_since(int64_t start_ns)
{
    return (cpu_time_ns() - start_ns) / NS_PER_MS;
}

static void ten_thousand_services_fit_into_time_and_memory(void **state)
{
    struct small_world w;
    size_t before = resident_mib();
    small_world_open(&w);
    int64_t start = cpu_time_ns();
    put_all(&w);
    int64_t parse_ms = ms_since(start);
    start = cpu_time_ns();
    w.changes = world_compile(w.world);
    int64_t compile_ms = ms_since(start);
    assert_int_equal(w.changes->services_compiled, SERVICES);
    size_t used = resident_mib() - before;
    struct world_counts counts = world_count(w.world);
    assert_int_equal(counts.services, SERVICES);
    assert_int_equal(counts.resources, SERVICES * 9);

    /* One workload leaves: one service is compiled. */
    start = cpu_time_ns();
    small_world_remove(&w, "Workload/ns-7/svc-7-0");
    int64_t change_us = (cpu_time_ns() - start) / 1000;
    assert_int_equal(w.changes->services_compiled, 1);
    assert_string_equal(small_world_changed(&w, XDS_ENDPOINTS),
                        "outbound|8080||svc-7.ns-7.svc.cluster.local "
                        "outbound|9090||svc-7.ns-7.svc.cluster.local");

    /* What touches every service is compiled as the first time. */
    start = cpu_time_ns();
    small_world_apply(&w, "apiVersion: remora.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: "
                          "mesh}\nspec: {defaults: {timeouts: {connect: 2s}}}\n");
    int64_t all_ms = ms_since(start);
    assert_int_equal(w.changes->types[XDS_CLUSTER].count, 2 * SERVICES);
    print_message("parse %lld ms, compile %lld ms, one change %lld us, all again %lld ms, %zu MiB, "
                  "%zu resources of %zu KiB\n",
                  (long long)parse_ms, (long long)compile_ms, (long long)change_us,
                  (long long)all_ms, used, counts.resources, counts.resource_bytes >> 10);
    assert_true(parse_ms < PARSE_MS);
    assert_true(compile_ms < COMPILE_MS);
    assert_true(all_ms < COMPILE_MS);
    assert_true(change_us < CHANGE_MS * 1000);
    assert_true(used < MEMORY_MIB);
    small_world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(ten_thousand_services_fit_into_time_and_memory),
    };
    return TEST_MAIN(cases, argc, argv);
}
