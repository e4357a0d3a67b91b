#ifndef REMORA_CONTROL_MODEL_RESOURCE_H
#define REMORA_CONTROL_MODEL_RESOURCE_H

#include "lib/xds/xds_type.h"

/*
 * One encoded resource, shared by all proxies that ask for it: one block of memory, read-only,
 * counted. One thread.
 */
struct resource {
    uint32_t references;
    uint8_t type; /* enum xds_type */
    struct span name;
    struct span bytes; /* protobuf of the resource itself, without Any and without wrapper */
    uint64_t version;  /* hash of the bytes: the same content has the same version everywhere */
};

/* Copies name and bytes. One reference. */
struct resource *resource_create(enum xds_type type, struct span name, struct span bytes);
struct resource *resource_ref(struct resource *resource);
/* Takes NULL. */
void resource_unref(struct resource *resource);

#endif
