#ifndef REMORA_CONTROL_OBJECT_ANNOTATION_H
#define REMORA_CONTROL_OBJECT_ANNOTATION_H

#include "control/object/value.h"

/*
 * Annotations "remora.dev/..." of an object are part of what a person configures, so they are
 * checked as fields are. One that Remora does not know is a warning: an older control plane must
 * not refuse what a newer one understands. False when a problem was added.
 */
bool annotations_check(const struct value *metadata, struct span title, struct problems *problems);

#endif
