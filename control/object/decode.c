#include "control/object/decode.h"

#include "control/object/scalar.h"
#include "lib/base/memory.h"

#include <math.h>
#include <string.h>

void decoder_init(struct decoder *decoder, struct problems *problems, struct span object,
                  struct arena *scratch)
{
    *decoder = (struct decoder){.problems = problems, .object = object, .scratch = scratch};
}

void decoder_done(struct decoder *decoder)
{
    text_done(&decoder->path);
    mem_free(decoder->not_in_force);
    *decoder = (struct decoder){0};
}

static void *take(struct decoder *decoder, size_t bytes, size_t alignment)
{
    decoder->used = (decoder->used + alignment - 1) / alignment * alignment;
    void *memory = decoder->block != NULL ? decoder->block + decoder->used
                                          : arena_alloc(decoder->scratch, bytes);
    decoder->used += bytes;
    return memory;
}

void *decode_alloc(struct decoder *decoder, size_t bytes)
{
    return memset(take(decoder, bytes, sizeof(int64_t)), 0, bytes);
}

struct span decode_text(struct decoder *decoder, struct span text)
{
    if (text.length == 0) {
        return SPAN_EMPTY;
    }
    char *copy = take(decoder, text.length, 1);
    memcpy(copy, text.at, text.length);
    return span_make(copy, text.length);
}

static size_t enter_index(struct decoder *decoder, size_t index)
{
    size_t mark = decoder->path.length;
    text_printf(&decoder->path, "[%zu]", index);
    return mark;
}

size_t decode_enter(struct decoder *decoder, struct span name)
{
    size_t mark = decoder->path.length;
    if (mark > 0) {
        text_add_byte(&decoder->path, '.');
    }
    text_add(&decoder->path, name);
    return mark;
}

void decode_leave(struct decoder *decoder, size_t mark)
{
    decoder->path.length = mark;
}

static bool problem(struct decoder *decoder, const struct value *value, const char *what)
{
    problems_add(decoder->problems, value->line, decoder->object, text_span(&decoder->path), "%s",
                 what);
    return false;
}

static bool wrong_kind(struct decoder *decoder, const struct value *value, const char *wanted)
{
    problems_add(decoder->problems, value->line, decoder->object, text_span(&decoder->path),
                 "must be %s, not %s%s", wanted, value_kind_name(value->kind),
                 strcmp(wanted, "a string") == 0 && value->kind <= VALUE_FLOAT ? " (quote it)"
                                                                               : "");
    return false;
}

static void clear_field(const struct field *field, void *place)
{
    switch ((enum field_type)field->type) {
    case FIELD_INT:
    case FIELD_DURATION:
    case FIELD_BYTES:
    case FIELD_TIME:
        *(int64_t *)place = FIELD_UNSET;
        break;
    case FIELD_NUMBER:
        *(double *)place = NAN;
        break;
    case FIELD_PORT_NAME:
        *(struct port_name *)place = (struct port_name){.number = FIELD_UNSET};
        break;
    case FIELD_STRUCT:
        schema_clear(field->schema, place);
        break;
    default: /* all zero is "not given" */
        break;
    }
}

void schema_clear(const struct schema *schema, void *into)
{
    memset(into, 0, schema->bytes);
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const struct field *field = &schema->fields[i];
        clear_field(field, (char *)into + field->offset);
    }
}

static bool decode_field(struct decoder *decoder, const struct field *field,
                         const struct value *value, void *place);

static bool count_fits(struct decoder *decoder, const struct field *field,
                       const struct value *value, int64_t preset)
{
    int64_t most = field->most > 0 ? field->most : preset;
    if ((int64_t)value->count > most || (int64_t)value->count < field->least) {
        problems_add(decoder->problems, value->line, decoder->object, text_span(&decoder->path),
                     "has %u items, may have %lld to %lld", value->count, (long long)field->least,
                     (long long)most);
        return false;
    }
    return true;
}

static bool decode_list(struct decoder *decoder, const struct field *field,
                        const struct value *value, struct items *items)
{
    if (value->kind != VALUE_LIST) {
        return wrong_kind(decoder, value, "a list");
    }
    if (!count_fits(decoder, field, value, FIELD_LIST_MOST)) {
        return false;
    }
    bool good = true;
    items->at = decode_alloc(decoder, (size_t)value->count * field->schema->bytes);
    for (const struct value *child = value->children; child != NULL; child = child->next) {
        size_t mark = enter_index(decoder, items->count);
        void *item = (char *)items->at + (size_t)items->count++ * field->schema->bytes;
        good &= decode_struct(decoder, field->schema, child, item);
        decode_leave(decoder, mark);
    }
    return good;
}

static bool decode_map(struct decoder *decoder, const struct field *field,
                       const struct value *value, struct items *items)
{
    if (value->kind != VALUE_MAP) {
        return wrong_kind(decoder, value, "a map");
    }
    if (!count_fits(decoder, field, value, FIELD_LABELS_MOST)) {
        return false;
    }
    bool good = true;
    items->at = decode_alloc(decoder, (size_t)value->count * field->schema->bytes);
    for (const struct value *child = value->children; child != NULL; child = child->next) {
        size_t mark = decode_enter(decoder, child->key);
        void *item = (char *)items->at + (size_t)items->count++ * field->schema->bytes;
        const char *wrong = field->check != NULL ? field->check(child->key) : NULL;
        good &= wrong == NULL ? decode_struct(decoder, field->schema, child, item)
                              : problem(decoder, child, wrong);
        *(struct span *)item = decode_text(decoder, child->key);
        decode_leave(decoder, mark);
    }
    return good;
}

/* A list of scalars, each read as the field `each`. */
static bool decode_scalars(struct decoder *decoder, const struct field *each,
                           const struct value *value, size_t bytes, void *ret_at,
                           uint32_t *ret_count)
{
    bool good = true;
    char *items = decode_alloc(decoder, (size_t)value->count * bytes);
    uint32_t count = 0;
    for (const struct value *child = value->children; child != NULL; child = child->next) {
        size_t mark = enter_index(decoder, count);
        good &= decode_field(decoder, each, child, items + (size_t)count * bytes);
        count++;
        decode_leave(decoder, mark);
    }
    *(void **)ret_at = items;
    *ret_count = count;
    return good;
}

static bool decode_texts(struct decoder *decoder, const struct field *field,
                         const struct value *value, struct texts *texts)
{
    struct field each = {.type = FIELD_TEXT, .least = 1, .most = FIELD_TEXT_MOST};
    each.check = field->check;
    if (value->kind != VALUE_LIST) {
        return wrong_kind(decoder, value, "a list");
    }
    return count_fits(decoder, field, value, FIELD_LIST_MOST) &&
           decode_scalars(decoder, &each, value, sizeof(struct span), &texts->at, &texts->count);
}

static bool decode_ints(struct decoder *decoder, const struct field *field,
                        const struct value *value, struct ints *ints)
{
    static const struct field counts = {.most = FIELD_LABELS_MOST};
    struct field each = {.type = FIELD_INT, .least = field->least, .most = field->most};
    if (value->kind != VALUE_LIST) {
        return wrong_kind(decoder, value, "a list");
    }
    return count_fits(decoder, &counts, value, FIELD_LABELS_MOST) &&
           decode_scalars(decoder, &each, value, sizeof(int64_t), &ints->at, &ints->count);
}

static bool decode_labels(struct decoder *decoder, const struct field *field,
                          const struct value *value, struct labels *labels)
{
    if (value->kind != VALUE_MAP) {
        return wrong_kind(decoder, value, "a map");
    }
    if (!count_fits(decoder, field, value, FIELD_LABELS_MOST)) {
        return false;
    }
    bool good = true;
    labels->at = decode_alloc(decoder, (size_t)value->count * sizeof(struct label));
    for (const struct value *child = value->children; child != NULL; child = child->next) {
        size_t mark = decode_enter(decoder, child->key);
        const char *wrong = check_label_key(child->key);
        if (wrong == NULL && field->check != NULL && child->kind == VALUE_STRING) {
            wrong = field->check(child->text);
        }
        if (wrong != NULL) {
            good = problem(decoder, child, wrong);
        } else if (child->kind != VALUE_STRING) {
            good = wrong_kind(decoder, child, "a string");
        } else {
            labels->at[labels->count++] =
                (struct label){decode_text(decoder, child->key), decode_text(decoder, child->text)};
        }
        decode_leave(decoder, mark);
    }
    return good;
}

static bool decode_named_ports(struct decoder *decoder, const struct value *value,
                               struct named_ports *ports)
{
    static const struct field port = {.type = FIELD_INT, .least = 1, .most = 65535};
    static const struct field bounds = {.most = 64};
    if (value->kind != VALUE_MAP) {
        return wrong_kind(decoder, value, "a map");
    }
    if (!count_fits(decoder, &bounds, value, 64)) {
        return false;
    }
    bool good = true;
    ports->at = decode_alloc(decoder, (size_t)value->count * sizeof(struct named_port));
    for (const struct value *child = value->children; child != NULL; child = child->next) {
        size_t mark = decode_enter(decoder, child->key);
        struct named_port *each = &ports->at[ports->count++];
        const char *wrong = check_port_name(child->key);
        good &= wrong == NULL ? decode_field(decoder, &port, child, &each->port)
                              : problem(decoder, child, wrong);
        each->name = decode_text(decoder, child->key);
        decode_leave(decoder, mark);
    }
    return good;
}

static bool decode_addresses(struct decoder *decoder, const struct field *field,
                             const struct value *value, struct addresses *addresses)
{
    if (value->kind != VALUE_LIST) {
        return wrong_kind(decoder, value, "a list");
    }
    if (!count_fits(decoder, field, value, 100)) {
        return false;
    }
    bool good = true;
    addresses->at = decode_alloc(decoder, (size_t)value->count * sizeof(struct address));
    for (const struct value *child = value->children; child != NULL; child = child->next) {
        size_t mark = enter_index(decoder, addresses->count);
        struct address *address = &addresses->at[addresses->count++];
        if (child->kind != VALUE_STRING) {
            good = wrong_kind(decoder, child, "a string");
        } else if (!address_parse_ip(child->text, address)) {
            good = problem(decoder, child, "must be an IP address, without port and scope");
        }
        decode_leave(decoder, mark);
    }
    return good;
}

static void note_not_in_force(struct decoder *decoder)
{
    if (decoder->block != NULL) {
        return;
    }
    mem_grow(&decoder->not_in_force, &decoder->not_in_force_capacity,
             decoder->not_in_force_count + 1, sizeof(decoder->not_in_force[0]));
    decoder->not_in_force[decoder->not_in_force_count++] =
        arena_text(decoder->scratch, text_span(&decoder->path));
}

static bool decode_scalar(struct decoder *decoder, const struct field *field,
                          const struct value *value, void *place)
{
    struct scalar_error error = {0};
    if (scalar_decode(field, value, place, &error)) {
        if (field->type == FIELD_TEXT) {
            struct span *text = place;
            *text = text->length > 0 ? decode_text(decoder, *text) : SPAN("");
        } else if (field->type == FIELD_PORT_NAME) {
            struct port_name *port = place;
            port->name = decode_text(decoder, port->name);
        } else if (field->type == FIELD_WORD && field->words_in_force > 0 &&
                   *(int8_t *)place > field->words_in_force) {
            note_not_in_force(decoder);
        }
        return true;
    }
    return error.wanted != NULL ? wrong_kind(decoder, value, error.wanted)
                                : problem(decoder, value, error.text);
}

static bool decode_field(struct decoder *decoder, const struct field *field,
                         const struct value *value, void *place)
{
    if ((field->flags & FIELD_NOT_IN_FORCE) != 0) {
        note_not_in_force(decoder);
    }
    switch ((enum field_type)field->type) {
    case FIELD_ANY:
        return true;
    case FIELD_STRUCT:
        return decode_struct(decoder, field->schema, value, place);
    case FIELD_STRUCT_AT: {
        void *structure = decode_alloc(decoder, field->schema->bytes);
        *(void **)place = structure;
        return decode_struct(decoder, field->schema, value, structure);
    }
    case FIELD_LIST:
        return decode_list(decoder, field, value, place);
    case FIELD_MAP:
        return decode_map(decoder, field, value, place);
    case FIELD_TEXTS:
        return decode_texts(decoder, field, value, place);
    case FIELD_INTS:
        return decode_ints(decoder, field, value, place);
    case FIELD_LABELS:
        return decode_labels(decoder, field, value, place);
    case FIELD_NAMED_PORTS:
        return decode_named_ports(decoder, value, place);
    case FIELD_ADDRESSES:
        return decode_addresses(decoder, field, value, place);
    default:
        return decode_scalar(decoder, field, value, place);
    }
}

static const struct field *find_field(const struct schema *schema, struct span name)
{
    for (uint32_t i = 0; i < schema->field_count; i++) {
        if (span_equal_text(name, schema->fields[i].name)) {
            return &schema->fields[i];
        }
    }
    return NULL;
}

static bool decode_member(struct decoder *decoder, const struct schema *schema,
                          const struct value *member, void *into)
{
    const struct field *field = find_field(schema, member->key);
    if (field == NULL && decoder->lenient) {
        return true;
    }
    size_t mark = decode_enter(decoder, member->key);
    bool good = true;
    if (field == NULL) {
        good = problem(decoder, member, "unknown field");
    } else if (member->kind != VALUE_NULL) {
        good = decode_field(decoder, field, member, (char *)into + field->offset);
    }
    decode_leave(decoder, mark);
    return good;
}

static bool check_required(struct decoder *decoder, const struct schema *schema,
                           const struct value *value)
{
    bool good = true;
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const struct field *field = &schema->fields[i];
        if ((field->flags & FIELD_REQUIRED) == 0) {
            continue;
        }
        const struct value *member = value_member(value, span_of(field->name));
        if (member == NULL || member->kind == VALUE_NULL) {
            size_t mark = decode_enter(decoder, span_of(field->name));
            good = problem(decoder, value, "is required");
            decode_leave(decoder, mark);
        }
    }
    return good;
}

bool decode_struct(struct decoder *decoder, const struct schema *schema, const struct value *value,
                   void *into)
{
    schema_clear(schema, into);
    if (value->kind != VALUE_MAP) {
        return wrong_kind(decoder, value, "a map");
    }
    bool good = true;
    for (const struct value *member = value->children; member != NULL; member = member->next) {
        good &= decode_member(decoder, schema, member, into);
    }
    good &= check_required(decoder, schema, value);
    if (!good || schema->check == NULL) {
        return good;
    }
    const char *name = NULL;
    const char *wrong = schema->check(into, &name);
    if (wrong == NULL) {
        return true;
    }
    const struct value *culprit = name != NULL ? value_member(value, span_of(name)) : NULL;
    size_t mark = name != NULL ? decode_enter(decoder, span_of(name)) : decoder->path.length;
    problem(decoder, culprit != NULL ? culprit : value, wrong);
    decode_leave(decoder, mark);
    return false;
}
