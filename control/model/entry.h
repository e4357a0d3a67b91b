#ifndef REMORA_CONTROL_MODEL_ENTRY_H
#define REMORA_CONTROL_MODEL_ENTRY_H

#include "control/model/resource_table.h"
#include "control/object/condition.h"
#include "control/object/mesh_spec.h"
#include "control/object/object.h"
#include "control/object/route_spec.h"
#include "lib/base/list.h"

/* An object of the world with what is known of it. The world owns it. */
struct entry {
    char *key;
    struct object *object;
    struct conditions conditions;
    struct link dirty;                 /* ExternalService: to be compiled */
    struct link unjudged;              /* policy: its conditions are to be found anew */
    struct resource_producer products; /* of an ExternalService */
};

static inline const struct workload_spec *workload_spec_of(const struct entry *entry)
{
    return &((const struct workload_body *)entry->object->body)->spec;
}
static inline const struct route_spec *route_spec_of(const struct entry *entry)
{
    return &((const struct route_body *)entry->object->body)->spec;
}
/* "Programmed": accepted by at least one of those it names, and nothing in it waits to be in force.
 */
void entry_judge_programmed(struct entry *entry);

#endif
