#ifndef REMORA_CONTROL_SERVE_MESH_WORLD_H
#define REMORA_CONTROL_SERVE_MESH_WORLD_H

#include "control/serve/control_stats.h"
#include "control/serve/supply.h"
#include "control/source/source.h"

/*
 * A source of manifests, the world that is compiled from it, and the supply that proxies are served
 * from. Main thread.
 */
struct mesh_world;

struct mesh_world_options {
    struct world_options world;
    struct control_stats *stats;
    struct span roots_pem;
};

struct mesh_world_events {
    /* A batch of objects is in; mesh_world_take_over makes it count. */
    void (*on_changed)(void *owner);
    void *owner;
};

struct mesh_world *mesh_world_create(const struct mesh_world_options *options,
                                     const struct mesh_world_events *events);
/* The source that listens to it must be gone. */
void mesh_world_destroy(struct mesh_world *mesh);
/* For source_create functions. */
struct source_listener mesh_world_listener(struct mesh_world *mesh);
/* Compiles; returns the types that differ, as bits of enum xds_type. */
unsigned mesh_world_take_over(struct mesh_world *mesh);

struct supply *mesh_world_supply(struct mesh_world *mesh);
struct world *mesh_world_world(struct mesh_world *mesh);
/* How long the mesh's configuration lets certificates live. */
int64_t mesh_world_certificate_lifetime_s(struct mesh_world *mesh);
/* Everything that there was at the start has been read and compiled. */
bool mesh_world_ready(const struct mesh_world *mesh);

/* What is wrong with the files now: text of each, in no order. Start with *at = 0. */
bool mesh_world_next_problem(const struct mesh_world *mesh, size_t *at, struct span *ret_file,
                             const struct text **ret_texts);

#endif
