#include "control/object/value.h"

#include <jansson.h>

struct json_reader {
    struct arena *arena;
    struct problems *problems;
    size_t nodes;
};

static struct value *read_node(struct json_reader *reader, const json_t *json, unsigned depth);

static struct value *fail(struct json_reader *reader, const char *why)
{
    problems_add(reader->problems, 0, SPAN_EMPTY, SPAN_EMPTY, "%s", why);
    return NULL;
}

static struct span number_text(struct json_reader *reader, const json_t *json)
{
    if (json_is_integer(json)) {
        return span_of(
            arena_printf(reader->arena, "%" JSON_INTEGER_FORMAT, json_integer_value(json)));
    }
    return span_of(arena_printf(reader->arena, "%.17g", json_real_value(json)));
}

static bool read_children(struct json_reader *reader, const json_t *json, struct value *value,
                          unsigned depth)
{
    struct value **end = &value->children;
    if (json_is_array(json)) {
        size_t count = json_array_size(json);
        for (size_t i = 0; i < count; i++) {
            if ((*end = read_node(reader, json_array_get(json, i), depth + 1)) == NULL) {
                return false;
            }
            end = &(*end)->next;
            value->count++;
        }
        return true;
    }
    /* jansson's walk wants a pointer to mutable, and changes nothing. */
    json_t *object = (json_t *)(uintptr_t)json;
    const char *key;
    json_t *member;
    json_object_foreach(object, key, member)
    {
        if ((*end = read_node(reader, member, depth + 1)) == NULL) {
            return false;
        }
        (*end)->key = arena_span(reader->arena, span_of(key));
        end = &(*end)->next;
        value->count++;
    }
    return true;
}

static struct value *read_node(struct json_reader *reader, const json_t *json, unsigned depth)
{
    if (depth > VALUE_DEPTH) {
        return fail(reader, "nested too deep");
    }
    if (++reader->nodes > VALUE_NODES) {
        return fail(reader, "too many values");
    }
    struct value *value = ARENA_NEW(reader->arena, struct value);
    switch (json_typeof(json)) {
    case JSON_NULL:
        value->kind = VALUE_NULL;
        return value;
    case JSON_TRUE:
    case JSON_FALSE:
        value->kind = VALUE_BOOL;
        value->text = json_is_true(json) ? SPAN("true") : SPAN("false");
        return value;
    case JSON_INTEGER:
    case JSON_REAL:
        value->kind = json_is_integer(json) ? VALUE_INT : VALUE_FLOAT;
        value->text = number_text(reader, json);
        return value;
    case JSON_STRING:
        value->kind = VALUE_STRING;
        value->text =
            arena_span(reader->arena, span_make(json_string_value(json), json_string_length(json)));
        return value;
    case JSON_ARRAY:
    case JSON_OBJECT:
        value->kind = json_is_array(json) ? VALUE_LIST : VALUE_MAP;
        return read_children(reader, json, value, depth) ? value : NULL;
    }
    return fail(reader, "not JSON");
}

bool value_read_json(struct span bytes, struct arena *arena, struct problems *problems,
                     struct value **ret_value)
{
    struct json_reader reader = {.arena = arena, .problems = problems};
    if (bytes.length > VALUE_FILE_BYTES) {
        return fail(&reader, "larger than 8 MiB") != NULL;
    }
    json_error_t error;
    json_t *json = json_loadb(bytes.at, bytes.length, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        problems_add(problems, error.line > 0 ? (uint32_t)error.line : 0, SPAN_EMPTY, SPAN_EMPTY,
                     "not JSON: %s", error.text);
        return false;
    }
    struct value *value = read_node(&reader, json, 1);
    json_decref(json);
    if (value == NULL) {
        return false;
    }
    *ret_value = value;
    return true;
}
