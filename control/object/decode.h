#ifndef REMORA_CONTROL_OBJECT_DECODE_H
#define REMORA_CONTROL_OBJECT_DECODE_H

#include "control/object/field.h"
#include "control/object/value.h"

/*
 * Turns a value tree into plain structs as the tables of field.h say, strictly: a field that is not
 * in the table, of a wrong kind, out of range, missing or there twice is a problem with the path of
 * the field. null means "not given" everywhere, and an empty list is the same as none.
 *
 * All memory of a decoded object is one block. It is measured by a first pass into scratch memory,
 * so that an object kept for long costs no more than it holds.
 */
struct decoder {
    struct problems *problems;
    struct span object; /* "HTTPRoute shop/api", for problems */
    bool lenient;       /* unknown fields are left out: objects that an API server has checked */

    struct arena *scratch; /* first pass */
    char *block;           /* second pass; NULL in the first */
    size_t used;           /* bytes taken so far, in either pass */
    struct text path;
    const char **not_in_force; /* paths, in scratch memory; collected in the first pass */
    size_t not_in_force_count, not_in_force_capacity;
};

void decoder_init(struct decoder *decoder, struct problems *problems, struct span object,
                  struct arena *scratch);
void decoder_done(struct decoder *decoder);

/*
 * Fills *into (schema->bytes large). False when a problem was found; the pass goes on after one, so
 * that a person sees all of them at once.
 */
bool decode_struct(struct decoder *decoder, const struct schema *schema, const struct value *value,
                   void *into);
/* Memory of the pass, zeroed and aligned for structs. */
void *decode_alloc(struct decoder *decoder, size_t bytes);
struct span decode_text(struct decoder *decoder, struct span text);
/* Sets every field of the struct to "not given". */
void schema_clear(const struct schema *schema, void *into);
/* Copies each field that is given in `over`, lists and pointers as a whole and shared. */
void schema_overlay(const struct schema *schema, void *base, const void *over);

/* Path of a field below where the decoder stands: enter returns what leave takes. */
size_t decode_enter(struct decoder *decoder, struct span name);
void decode_leave(struct decoder *decoder, size_t mark);

#endif
