#include "control/serve/discovery_reply.h"

#include "lib/base/memory.h"
#include "lib/xds/xds_discovery.h"

#include <stdio.h>

/* Tags, lengths, version and type URL around one resource: more than they take. */
enum { AROUND_RESOURCE = 128 };

void discovery_reply_done(struct discovery_reply *reply)
{
    for (size_t i = 0; i < reply->resource_count; i++) {
        resource_unref(reply->resources[i]);
    }
    mem_free(reply->resources);
    mem_free(reply->removed);
    arena_done(&reply->names);
    *reply = (struct discovery_reply){0};
}

void discovery_reply_add(struct discovery_reply *reply, struct resource *resource)
{
    mem_grow(&reply->resources, &reply->resource_capacity, reply->resource_count + 1,
             sizeof(struct resource *));
    reply->resources[reply->resource_count++] = resource;
    reply->bytes += resource->bytes.length + resource->name.length + AROUND_RESOURCE;
}

void discovery_reply_remove(struct discovery_reply *reply, struct span name)
{
    mem_grow(&reply->removed, &reply->removed_capacity, reply->removed_count + 1,
             sizeof(struct span));
    reply->removed[reply->removed_count++] = arena_span(&reply->names, name);
    reply->bytes += name.length + 4;
}

struct span discovery_reply_pack(const struct discovery_reply *reply, enum xds_type type,
                                 bool delta, struct span nonce, struct span version,
                                 struct arena *arena)
{
    struct xds_resource *resources = ARENA_ARRAY(arena, struct xds_resource, reply->resource_count);
    for (size_t i = 0; i < reply->resource_count; i++) {
        const struct resource *resource = reply->resources[i];
        resources[i] = (struct xds_resource){
            .type_url = span_of(xds_type_url(type)),
            .value = resource->bytes,
        };
        if (delta) {
            char *text = arena_alloc(arena, VERSION_TEXT_BYTES);
            version_write(resource->version, text);
            resources[i].name = resource->name;
            resources[i].version = span_of(text);
        }
    }
    struct xds_response response = {
        .type_url = span_of(xds_type_url(type)),
        .nonce = nonce,
        .version = version,
        .control_plane = SPAN("remora-control"),
        .resources = resources,
        .resource_count = (uint32_t)reply->resource_count,
        .removed = reply->removed,
        .removed_count = (uint32_t)reply->removed_count,
    };
    return xds_response_encode(&response, delta, arena);
}

void version_write(uint64_t version, char *into)
{
    snprintf(into, VERSION_TEXT_BYTES, "%016llx", (unsigned long long)version);
}

uint64_t version_read(struct span text)
{
    uint64_t version = 0;
    if (text.length != VERSION_TEXT_BYTES - 1) {
        return 1;
    }
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.at[i];
        unsigned digit;
        if (byte >= '0' && byte <= '9') {
            digit = (unsigned)(byte - '0');
        } else if (byte >= 'a' && byte <= 'f') {
            digit = (unsigned)(byte - 'a') + 10;
        } else {
            return 1;
        }
        version = version << 4 | digit;
    }
    return version;
}
