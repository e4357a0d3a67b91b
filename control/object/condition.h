#ifndef REMORA_CONTROL_OBJECT_CONDITION_H
#define REMORA_CONTROL_OBJECT_CONDITION_H

#include "control/object/kind.h"

/*
 * What became of an object, as Kubernetes tells it: a type, true or false, one word of reason and a
 * sentence. An object has one of each type, or one of each type for each parent (routes) or target
 * (policies) that it names.
 */
enum condition_type {
    CONDITION_ACCEPTED,      /* it is valid and attached to what it names */
    CONDITION_RESOLVED_REFS, /* everything it refers to is there and may be used */
    CONDITION_PROGRAMMED,    /* all of it is in force */
    CONDITION_TYPES,
};

/* The whole object, not one of its parents or targets. */
enum { CONDITION_OF_OBJECT = -1 };

struct condition {
    int16_t part;       /* index of the parent or target; or CONDITION_OF_OBJECT */
    uint8_t type;       /* enum condition_type */
    bool holds;         /* status True */
    const char *reason; /* static: "Accepted", "NoMatchingParent" ... */
    char *message;
    int64_t since_s; /* wall clock of the last change of `holds` */
    bool is_news;    /* set by conditions_set; whoever tells people of it takes it back */
};

struct conditions {
    struct condition *items;
    uint32_t count, capacity;
    bool has_news;
};

void conditions_done(struct conditions *conditions);
void conditions_clear(struct conditions *conditions);
/* Sets or replaces. True when anything but the time differs from what was there. */
bool conditions_set(struct conditions *conditions, int part, enum condition_type type, bool holds,
                    const char *reason, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* NULL when it was never set. */
const struct condition *conditions_get(const struct conditions *conditions, int part,
                                       enum condition_type type);
/* Where in an object of this kind the condition's cause stands: "spec.parentRefs[0]" of a route,
 * "spec.targetRefs[0]" of a policy. Empty when that is the whole object, or when the message says
 * it. into: CONDITION_FIELD_BYTES. */
enum { CONDITION_FIELD_BYTES = 32 };
struct span condition_field(enum kind kind, const struct condition *condition, char *into);
/* "Accepted", "ResolvedRefs", "Programmed". */
const char *condition_type_name(uint8_t type);

#endif
