#ifndef REMORA_CONTROL_MODEL_TRANSPORT_H
#define REMORA_CONTROL_MODEL_TRANSPORT_H

#include "control/model/entry.h"
#include "control/object/policy_spec.h"

struct world;

/*
 * Which transport a workload's port takes. The narrowest policy that says something decides:
 * Workload, then Service, then Namespace, then the mesh; within one policy the port's own line
 * before its mode. Nobody says anything: Strict. port: the workload's own; 0 = any that no policy
 * names.
 */
enum transport_mode transport_mode_of(const struct world *world, const struct entry *workload,
                                      int64_t port);
/* The policy that holds for the whole mesh; NULL when there is none. */
struct entry *transport_policy_of_mesh(const struct world *world);

#endif
