#ifndef REMORA_TESTS_UNIT_CONTROL_MODEL_SMALL_WORLD_H
#define REMORA_TESTS_UNIT_CONTROL_MODEL_SMALL_WORLD_H

#include "control/model/world.h"

/* A world fed from manifests in texts, and its resources as short texts that a test can compare. */
struct small_world {
    struct world *world;
    const struct world_changes *changes;
    char *shown; /* of the last show */
};

void small_world_open(struct small_world *small);
void small_world_close(struct small_world *small);
/* Puts every object of the manifests; any problem fails the test. Compiles. */
void small_world_apply(struct small_world *small, const char *manifests);
/* Removes the object of that key, which must be there. Compiles. */
void small_world_remove(struct small_world *small, const char *key);
/*
 * One resource as a client of that namespace gets it, one fact a line; "none" when there is none.
 * Valid until the next show.
 */
const char *small_world_show(struct small_world *small, const char *viewer, enum xds_type type,
                             const char *name);
/* The "self" of a workload, given as namespace/service account/workload name. */
const char *small_world_self(struct small_world *small, const char *identity);
/* "Accepted=True/Accepted: message", or "unset". part as in condition.h. */
const char *small_world_condition(struct small_world *small, const char *key, int part,
                                  enum condition_type type);
/* Names that the last compilation told for a type, sorted, with blanks between. */
const char *small_world_changed(struct small_world *small, enum xds_type type);

#endif
