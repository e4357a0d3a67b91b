#ifndef REMORA_CONTROL_MODEL_TARGET_H
#define REMORA_CONTROL_MODEL_TARGET_H

#include "control/model/entry.h"
#include "control/model/pointers.h"

/*
 * Policy attachment (GEP-713): a policy names targets of its own namespace; of two policies of a
 * kind on one target and section the oldest holds, and the other's condition says so.
 */
struct world;

/* What policies may point at: "Kind/ns/name". */
struct target {
    char *key;
    struct pointers attachments; /* struct attachment */
};
struct attachment {
    struct entry *policy;
    int part; /* index of the targetRef */
};

void target_attach(struct world *world, struct entry *policy);
void target_detach(struct world *world, struct entry *policy);
/* An object of that key came or went: policies on it are judged anew. */
void target_touch(struct world *world, struct span key);
/* The policy of a kind that holds for a target and section (empty = the whole); NULL when none. */
struct entry *target_policy(const struct world *world, enum kind kind, struct span target_key,
                            struct span section);
void targets_judge(struct world *world);
/* "Kind/ns/name" as objects spell their keys; into needs TARGET_KEY_BYTES. */
enum { TARGET_KEY_BYTES = 420 };
struct span target_key_make(enum kind kind, struct span namespace_name, struct span name,
                            char *into);
const struct items *policy_targets(const struct object *policy);

#endif
