#ifndef REMORA_CONTROL_MODEL_WORLD_PARTS_H
#define REMORA_CONTROL_MODEL_WORLD_PARTS_H

#include "control/model/contest.h"
#include "control/model/service.h"
#include "control/model/target.h"
#include "control/model/world.h"

/* The world itself, for the sources of this folder only; world.h is what others see. */

struct world {
    char *trust_domain, *root_namespace, *cluster_domain;
    struct map entries;             /* key -> entry */
    struct map realms;              /* name -> realm */
    struct map services;            /* "ns/name" -> service */
    struct map targets;             /* key -> target */
    struct map addresses;           /* address -> pointers of entry: Workload, EndpointSlice */
    struct map contests;            /* claimed thing -> pointers of entry */
    struct pointers mesh_transport; /* entry: TransportPolicy for the whole mesh */
    struct entry *mesh_config;
    struct list dirty_services, dirty_externals, unjudged;
    bool all_dirty;
    bool self_everywhere;
    struct resource_table table;
    struct resource_producer roots;
    struct map asked; /* "ip/ADDRESS" -> struct resource, what was last told */
    struct world_changes changes;
    struct span *self_spans; /* of the changes: names of realms */
    size_t self_capacity;
};

/* NULL without a MeshConfig. */
const struct mesh_config_spec *mesh_spec_of(const struct world *world);
/* What an object touches when it comes or goes: marks and indexes. By its kind. */
void world_index(struct world *world, struct entry *entry);
void world_unindex(struct world *world, struct entry *entry);

/* The same for some kinds, of index_service.c and index_route.c. */
void index_mark_self(struct world *world, const struct entry *entry);
void index_service(struct world *world, struct entry *entry);
void unindex_service(struct world *world, struct entry *entry);
void index_slice(struct world *world, struct entry *entry);
void unindex_slice(struct world *world, struct entry *entry);
void index_workload(struct world *world, struct entry *entry);
void unindex_workload(struct world *world, struct entry *entry);
void index_route(struct world *world, struct entry *entry);
void unindex_route(struct world *world, struct entry *entry);
void index_policy(struct world *world, struct entry *entry);
void unindex_policy(struct world *world, struct entry *entry);

#endif
