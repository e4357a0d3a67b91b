#ifndef REMORA_CONTROL_MODEL_RESOURCE_TABLE_H
#define REMORA_CONTROL_MODEL_RESOURCE_TABLE_H

#include "control/model/resource.h"
#include "lib/base/map.h"

/*
 * All compiled resources by type and name. Most have one form for everybody; where a namespace has
 * consumer routes, its clients get a form of their own. A producer (a service, an external service)
 * makes its resources anew between begin and end: what is equal to what was there stays the same
 * resource, and what it no longer makes is dropped.
 */
struct resource_form {
    char *viewer; /* namespace; NULL = everybody else */
    struct resource *resource;
    bool fresh;
};

struct resource_producer;
struct resource_slot {
    char *name;
    struct resource_producer *producer; /* who made it last */
    struct resource_form *forms;
    uint32_t count;
    uint8_t type;
    uint64_t noted; /* the round that has it among its changes */
};

struct resource_producer {
    struct resource_slot **slots;
    size_t count, capacity;
};

/* Names that changed, appeared or went since the round began, by type. */
struct resource_changes {
    struct span *names;
    size_t count, capacity;
};

struct resource_table {
    struct map slots[XDS_TYPES];
    uint64_t round;
    struct resource_changes noted[XDS_TYPES]; /* in this round */
    struct resource_changes told[XDS_TYPES];  /* published */
    struct arena noted_names, told_names;
};

void resource_table_init(struct resource_table *table);
void resource_table_done(struct resource_table *table);
/* What was noted is published as `told`, in place of what was before, and a new round begins. */
void resource_table_publish(struct resource_table *table);
/* A name that changed without being in the table. */
void resource_table_note(struct resource_table *table, enum xds_type type, struct span name);

void resource_table_begin(struct resource_producer *producer);
/* viewer: empty for everybody. A name that another producer made passes over to this one. */
void resource_table_put(struct resource_table *table, struct resource_producer *producer,
                        enum xds_type type, struct span name, struct span viewer,
                        struct span bytes);
void resource_table_end(struct resource_table *table, struct resource_producer *producer);
void resource_producer_done(struct resource_table *table, struct resource_producer *producer);

/* What a client of that namespace gets; NULL when there is none. Borrowed. */
struct resource *resource_table_get(const struct resource_table *table, enum xds_type type,
                                    struct span name, struct span viewer);
/* Walks one type in no order; start with *at = 0. Slots without a form for the viewer are left out.
 */
struct resource *resource_table_next(const struct resource_table *table, enum xds_type type,
                                     struct span viewer, size_t *at);

#endif
