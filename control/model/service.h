#ifndef REMORA_CONTROL_MODEL_SERVICE_H
#define REMORA_CONTROL_MODEL_SERVICE_H

#include "control/model/realm.h"
#include "control/object/service_spec.h"

/*
 * A service as a node that others hang on. It exists while a Service object is there, or a route,
 * a slice or a policy speaks of it; so whatever comes first, each finds the other.
 */
/* A route that names a service as its parent. */
struct binding {
    struct entry *route;
    int part; /* index of the parentRef */
};

struct service {
    char *key;                        /* "shop/api" */
    struct span namespace_name, name; /* in the key */
    char *host;                       /* "api.shop.svc.cluster.local" */
    struct realm *realm;
    struct entry *entry;      /* NULL: only spoken of */
    struct pointers slices;   /* entry */
    struct pointers bindings; /* struct binding */
    struct pointers users;    /* service: its routes send to this one */
    struct pointers backends; /* service: this one's routes send to it */
    char *selector;           /* "key=value" it is indexed by in its realm, or NULL */
    struct link dirty;
    struct resource_producer products;
};

static inline const struct service_spec *service_spec_of(const struct service *service)
{
    return &((const struct service_body *)service->entry->object->body)->spec;
}
struct service *service_get(struct world *world, struct span namespace_name, struct span name);
struct service *service_find(const struct world *world, struct span namespace_name,
                             struct span name);
void service_mark(struct world *world, struct service *service);
/* The service and all whose routes send to it. */
void service_mark_users(struct world *world, struct service *service);
void services_mark_realm(struct world *world, struct realm *realm);
void service_set_backends(struct world *world, struct service *service, struct pointers *backends);
/* Frees it when nothing speaks of it any more. */
void service_release(struct world *world, struct service *service);
void service_destroy(struct world *world, struct service *service);
bool service_is_headless(const struct service *service);

#endif
