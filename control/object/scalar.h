#ifndef REMORA_CONTROL_OBJECT_SCALAR_H
#define REMORA_CONTROL_OBJECT_SCALAR_H

#include "control/object/field.h"
#include "control/object/value.h"

/* Why a scalar is refused: the kind that was wanted, or a sentence. */
struct scalar_error {
    const char *wanted;
    char text[256];
};

/*
 * One scalar field (FIELD_TEXT, WORD, BOOL, INT, DURATION, BYTES, TIME, NUMBER, PORT_NAME) from a
 * value that is not null. Texts are borrowed from the value. *place is untouched on failure.
 */
bool scalar_decode(const struct field *field, const struct value *value, void *place,
                   struct scalar_error *ret_error);

/* RFC 3339 as Kubernetes writes it: "2026-01-02T03:04:05Z", a fraction is dropped. */
bool scalar_parse_time(struct span text, int64_t *ret_s);

#endif
