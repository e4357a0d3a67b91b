#ifndef REMORA_CONTROL_SERVE_DISCOVERY_REPLY_H
#define REMORA_CONTROL_SERVE_DISCOVERY_REPLY_H

#include "control/model/resource.h"

/*
 * A response that is being put together: resources and removed names of one type. Owned bytes of
 * resources are not copied until it is packed. All zero = empty.
 */
enum {
    /*
     * A delta response is cut here: gRPC clients refuse a message above 4 MiB, and what is on its
     * way to a thousand proxies that start together must fit into memory.
     */
    REPLY_BYTES = 128 * 1024,
};

struct discovery_reply {
    struct resource **resources; /* one reference each */
    size_t resource_count, resource_capacity;
    struct span *removed; /* in names */
    size_t removed_count, removed_capacity;
    struct arena names;
    size_t bytes; /* about what it will be */
};

void discovery_reply_done(struct discovery_reply *reply);
/* Takes over the reference. */
void discovery_reply_add(struct discovery_reply *reply, struct resource *resource);
void discovery_reply_remove(struct discovery_reply *reply, struct span name);
static inline bool discovery_reply_empty(const struct discovery_reply *reply)
{
    return reply->resource_count == 0 && reply->removed_count == 0;
}

/* The message's bytes, in the arena. version: SotW, of the whole type. */
struct span discovery_reply_pack(const struct discovery_reply *reply, enum xds_type type,
                                 bool delta, struct span nonce, struct span version,
                                 struct arena *arena);

/* Versions as texts: 16 hex digits. 1, which no resource has in practice, for other texts. */
enum { VERSION_TEXT_BYTES = 17 };
void version_write(uint64_t version, char *into);
uint64_t version_read(struct span text);

#endif
