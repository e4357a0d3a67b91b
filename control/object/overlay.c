#include "control/object/decode.h"

#include <math.h>
#include <string.h>

/* How many bytes a field takes in its struct; 0 for those that keep nothing. */
static size_t field_bytes(const struct field *field)
{
    switch ((enum field_type)field->type) {
    case FIELD_TEXT:
        return sizeof(struct span);
    case FIELD_WORD:
    case FIELD_BOOL:
        return sizeof(int8_t);
    case FIELD_INT:
    case FIELD_DURATION:
    case FIELD_BYTES:
    case FIELD_TIME:
        return sizeof(int64_t);
    case FIELD_NUMBER:
        return sizeof(double);
    case FIELD_PORT_NAME:
        return sizeof(struct port_name);
    case FIELD_STRUCT_AT:
        return sizeof(void *);
    case FIELD_LIST:
    case FIELD_TEXTS:
    case FIELD_INTS:
    case FIELD_LABELS:
    case FIELD_MAP:
    case FIELD_NAMED_PORTS:
    case FIELD_ADDRESSES:
        return sizeof(struct items);
    case FIELD_STRUCT:
    case FIELD_ANY:
        return 0;
    }
    return 0;
}

static bool is_given(const struct field *field, const void *place)
{
    switch ((enum field_type)field->type) {
    case FIELD_TEXT:
        return ((const struct span *)place)->at != NULL;
    case FIELD_WORD:
    case FIELD_BOOL:
        return *(const int8_t *)place != 0;
    case FIELD_INT:
    case FIELD_DURATION:
    case FIELD_BYTES:
    case FIELD_TIME:
        return *(const int64_t *)place != FIELD_UNSET;
    case FIELD_NUMBER:
        return !isnan(*(const double *)place);
    case FIELD_PORT_NAME: {
        const struct port_name *port = place;
        return port->number != FIELD_UNSET || port->name.length > 0;
    }
    case FIELD_STRUCT_AT:
        return *(void *const *)place != NULL;
    default: /* the lists: pointer, then count */
        return ((const struct items *)place)->count > 0;
    }
}

void schema_overlay(const struct schema *schema, void *base, const void *over)
{
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const struct field *field = &schema->fields[i];
        char *to = (char *)base + field->offset;
        const char *from = (const char *)over + field->offset;
        if (field->type == FIELD_STRUCT) {
            schema_overlay(field->schema, to, from);
        } else if (field->type != FIELD_ANY && is_given(field, from)) {
            memcpy(to, from, field_bytes(field));
        }
    }
}
