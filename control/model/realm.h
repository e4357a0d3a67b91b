#ifndef REMORA_CONTROL_MODEL_REALM_H
#define REMORA_CONTROL_MODEL_REALM_H

#include "control/model/entry.h"
#include "control/model/pointers.h"
#include "lib/base/map.h"

/* One namespace: its workloads by label, its services by selector. Made when first spoken of. */
struct world;
struct service;

struct realm {
    char *name;
    struct pointers workloads;  /* entry */
    struct pointers services;   /* service, with an object or without */
    struct map workload_labels; /* "key=value" -> struct pointers of entry */
    struct map selectors;       /* "key=value" -> struct pointers of service */
    uint32_t service_transport; /* TransportPolicies here that target Services */
    bool self_dirty;
};

struct realm *realm_get(struct world *world, struct span name);
struct realm *realm_find(const struct world *world, struct span name);
void realm_destroy(struct realm *realm);
void realm_add_workload(struct realm *realm, struct entry *entry);
void realm_remove_workload(struct realm *realm, struct entry *entry);
void realm_select(struct realm *realm, struct service *service);
void realm_unselect(struct realm *realm, struct service *service);
bool selector_matches(const struct labels *selector, const struct labels *labels);
/* Workloads that the selector picks, appended to *into (not cleared). */
void realm_selected(const struct realm *realm, const struct labels *selector,
                    struct pointers *into);
/* Services whose selector picks the workload, appended to *into. */
void realm_selecting(const struct realm *realm, const struct entry *workload,
                     struct pointers *into);

#endif
