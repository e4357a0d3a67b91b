#ifndef REMORA_CONTROL_MODEL_SELF_H
#define REMORA_CONTROL_MODEL_SELF_H

#include "control/model/world.h"

/* The "self" of one proxy. One reference. */
struct resource *self_make(struct world *world, const struct viewer *viewer);
/* "ip/ADDRESS"; NULL when nobody has it. */
struct resource *phone_by_address(struct world *world, struct span name);

#endif
