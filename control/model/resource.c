#include "control/model/resource.h"

#include "lib/base/memory.h"

#include <string.h>

struct resource *resource_create(enum xds_type type, struct span name, struct span bytes)
{
    struct resource *resource = mem_alloc(sizeof(*resource) + name.length + bytes.length);
    char *tail = (char *)(resource + 1);
    memcpy(tail, name.at, name.length);
    if (bytes.length > 0) {
        memcpy(tail + name.length, bytes.at, bytes.length);
    }
    *resource = (struct resource){
        .references = 1,
        .type = (uint8_t)type,
        .name = {tail, name.length},
        .bytes = {tail + name.length, bytes.length},
        .version = span_hash(bytes, 0),
    };
    return resource;
}

struct resource *resource_ref(struct resource *resource)
{
    resource->references++;
    return resource;
}

void resource_unref(struct resource *resource)
{
    if (resource != NULL && --resource->references == 0) {
        mem_free(resource);
    }
}
