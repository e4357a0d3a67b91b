#ifndef REMORA_PROXY_DISCOVERY_APPLY_H
#define REMORA_PROXY_DISCOVERY_APPLY_H

/*
 * Resources to snapshots, in the main thread.
 *
 *   apply ── held resources by type and name: bytes (for last known good), prepared part
 *         └─ wants: what workers asked for, and what follows from it (listener -> route -> clusters
 * -> endpoints); a listener that nobody has used for APPLY_IDLE_MS is dropped with all that only it
 * needed
 *
 * A resource is decoded and checked when it comes; what fails is refused and the part before stays.
 * A snapshot is built once a turn when something changed, and published.
 */

#include "lib/base/text.h"
#include "lib/net/loop.h"
#include "proxy/config/snapshot.h"
#include "proxy/discovery/xds_client.h"

enum { APPLY_IDLE_MS = 600000 };

struct apply;

struct apply_events {
    /* A new snapshot; the receiver takes its own references. */
    void (*on_snapshot)(void *owner, struct snapshot *snapshot);
    /* ROOTCA: the trust bundle as PEM. */
    void (*on_roots)(void *owner, struct span roots_pem);
    void (*on_state)(void *owner, bool connected);
    /* Something that belongs into last known good has changed. */
    void (*on_dirty)(void *owner);
};

struct apply *apply_create(struct loop *loop, const struct apply_events *events, void *owner);
void apply_destroy(struct apply *apply);
/* Connects it with the control plane; before that it may be filled from last known good. */
void apply_connect(struct apply *apply, struct grpc_channel *channel,
                   const struct xds_client_options *options);
/* A worker asks: "HOST:PORT" or "ip/ADDRESS". Asking again marks it as used. */
void apply_ask(struct apply *apply, struct span name);
struct snapshot *apply_snapshot(struct apply *apply);
struct xds_client *apply_client(struct apply *apply);

/* Last known good: walks all held resources, or puts one back as if it had come. */
bool apply_next(struct apply *apply, enum xds_type *type, size_t *at, struct span *ret_name,
                struct span *ret_version, struct span *ret_bytes);
bool apply_restore(struct apply *apply, enum xds_type type, struct span name, struct span version,
                   struct span bytes, struct xds_error *ret_error);
/* The whole as JSON for /config_dump. */
void apply_dump(struct apply *apply, struct text *ret_json);

#endif
