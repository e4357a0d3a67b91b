#ifndef REMORA_NET_SPLICE_H
#define REMORA_NET_SPLICE_H

#include "lib/net/transport.h"

/*
 * Moves bytes between two transports, both ways, until both directions have ended: the body of
 * every opaque tunnel. Half-close is kept: the end of one direction is passed on and the other goes
 * on. Both plain TCP: after 64 KiB in one direction splice(2) through a pooled 256 KiB pipe carries
 * it without copies; anything else goes through chunks. Each direction buffers at most 64 KiB.
 */
struct relay_pair;

struct relay_pair_events {
    /* Both ended (failure NONE), or one failed, or idle too long (STREAM_IDLE). Comes once. */
    void (*on_done)(void *owner, enum failure failure);
    /* Bytes moved, told at most once a turn; a to b, b to a. May be NULL. */
    void (*on_bytes)(void *owner, uint64_t a_to_b, uint64_t b_to_a);
};

/* Takes over both transports. idle_ms: no byte either way for so long ends it; 0 = never. */
struct relay_pair *relay_pair_start(struct transport *a, struct transport *b, int64_t idle_ms,
                                    const struct relay_pair_events *events, void *owner);
/* Bytes that belong in front of what will be read from a (they were read during detection). */
void relay_pair_preload(struct relay_pair *pair, struct span from_a);
/* Closes both at once; no callback. */
void relay_pair_abort(struct relay_pair *pair);

#endif
