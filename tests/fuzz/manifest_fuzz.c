/* links: remora_control_model */
#include "tests/fuzz/fuzz.h"

#include "control/model/world.h"
#include "control/object/manifest.h"

/* Any bytes as a file of manifests; what they hold is compiled, and half of it taken away again. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct world_options options = {"cluster.local", "remora-system", "cluster.local"};
    struct problems problems;
    struct manifest manifest;
    struct world *world = world_create(&options);
    problems_init(&problems, SPAN("fuzz.yaml"));
    manifest_parse(span_make(bytes, size), &problems, &manifest);
    for (size_t i = 0; i < manifest.count; i++) {
        world_put(world, manifest.objects[i]);
    }
    world_compile(world);
    for (size_t i = 0; i < manifest.count; i += 2) {
        world_remove(world, manifest.objects[i]);
    }
    world_compile(world);
    manifest_done(&manifest);
    problems_done(&problems);
    world_destroy(world);
    return 0;
}
