#ifndef REMORA_CONTROL_MODEL_WORLD_H
#define REMORA_CONTROL_MODEL_WORLD_H

/*
 * control/model: the world as the manifests describe it, compiled into what proxies ask for.
 *
 *   world ─┬─ entry*      one an object: its last version and its conditions (by "Kind/ns/name")
 *          ├─ realm*      one a namespace: workloads by label, services by selector
 *          ├─ service*    one a Service, or a name that routes and policies speak of: what hangs on
 * it ├─ target*     what policies point at ├─ contest*    addresses, local ports and hosts that
 * several objects may claim └─ resource_table   encoded resources by type and name, shared by all
 * proxies
 *
 * Objects come in one by one and only mark what they touch; world_compile then makes those services
 * anew. A service is compiled once, whoever asks: its resources are bytes that all share. Only
 * where a namespace has routes of its own for a service (consumer routes), its clients get another
 * form.
 *
 *   object -> mark -> compile: ports, endpoints, clusters, routes, listeners, phone entry ->
 * changes
 *
 * One thread. Nothing here blocks, except that caFile of an ExternalService is read when compiled.
 */

#include "control/model/resource.h"
#include "control/object/condition.h"
#include "control/object/object.h"

struct world;

struct world_options {
    const char *trust_domain;   /* of the authority; what MeshConfig says must be the same */
    const char *root_namespace; /* whose TransportPolicy without targets holds for the mesh */
    const char *cluster_domain; /* "cluster.local" */
};

/* Who asks. Namespace and service account come from the verified identity; the rest is claimed and
 * only picks among workloads of that identity. */
struct viewer {
    struct span namespace_name;
    struct span service_account;
    struct span workload;
    const struct address *addresses;
    size_t address_count;
};

/* Since the compilation before: valid until the next one. */
struct world_changes {
    struct {
        const struct span *names; /* each once; the resource may have changed, appeared or gone */
        size_t count;
    } types[XDS_TYPES];
    bool self_everywhere;               /* every proxy's "self" may differ */
    const struct span *self_namespaces; /* else those of proxies in these namespaces */
    size_t self_namespace_count;
    size_t services_compiled;
};

struct world *world_create(const struct world_options *options);
void world_destroy(struct world *world);

/*
 * What MeshConfig wants as trust domain; empty when it says nothing. At a first start, before there
 * is an authority, its word is taken: world_set_trust_domain, once everything was read.
 */
struct span world_wanted_trust_domain(const struct world *world);
void world_set_trust_domain(struct world *world, const char *trust_domain);

/* Takes a reference; replaces the version that was there. */
void world_put(struct world *world, struct object *object);
void world_remove(struct world *world, const struct object *object);

/* Compiles what is marked. Never fails: what is wrong is a condition of the object. */
const struct world_changes *world_compile(struct world *world);

/*
 * A reference, or NULL when there is no such resource for this viewer. XDS_WORKLOAD has one name,
 * "self"; XDS_PHONE also answers "ip/ADDRESS" (a later change of the answer, from none to one too,
 * is told).
 */
struct resource *world_resource(struct world *world, const struct viewer *viewer,
                                enum xds_type type, struct span name);
/*
 * The whole name of a listener that a gRPC client asks for by a shorter one: "api:8080" of its own
 * namespace, "api.shop:8080", "api.shop.svc:8080". Any other name as it is. From the arena.
 */
struct span world_listener_name(const struct world *world, const struct viewer *viewer,
                                struct span name, struct arena *arena);

/* For wildcard subscriptions: a reference, or NULL at the end. Start with *at = 0; no compilation
 * meanwhile. */
struct resource *world_next(struct world *world, const struct viewer *viewer, enum xds_type type,
                            size_t *at);

/* The trust bundle as ROOTCA; told by the next compilation. */
void world_set_roots(struct world *world, struct span roots_pem);

/* For status: every object with its conditions, in no order. Borrowed. */
struct world_object {
    const struct object *object;
    const struct conditions *conditions;
};
bool world_next_object(const struct world *world, size_t *at, struct world_object *ret_object);
bool world_object(const struct world *world, struct span key, struct world_object *ret_object);

/* Calls with every condition that came or changed since the last time; all of that is borrowed. */
typedef void world_tell_fn(void *owner, const struct object *object,
                           const struct condition *condition);
void world_tell_news(struct world *world, world_tell_fn *tell, void *owner);

struct world_counts {
    size_t objects, services, workloads, resources, resource_bytes;
};
struct world_counts world_count(const struct world *world);

#endif
