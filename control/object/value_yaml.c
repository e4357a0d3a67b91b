#include "control/object/value.h"
#include "control/object/yaml_text.h"

#include "lib/base/map.h"

#include <libfyaml.h>

/*
 * libfyaml's events, not its documents: the tree is ours, so that depth, aliases and double keys
 * are bounded and checked while the text is read, before anything large exists.
 */
struct open_node {
    struct value *value;
    struct value **end; /* where the next child goes */
    struct span anchor;
    struct value *pending; /* a map's member whose key was read */
};

struct reader {
    struct span bytes;
    struct arena *arena;
    struct problems *problems;
    struct fy_parser *parser;
    struct map anchors; /* of this document, complete nodes only */
    struct value *first, **documents_end;
    struct open_node open[VALUE_DEPTH];
    uint32_t depth;
    size_t nodes;
};

static bool fail(struct reader *reader, uint32_t line, const char *why)
{
    problems_add(reader->problems, line, SPAN_EMPTY, SPAN_EMPTY, "%s", why);
    return false;
}

static uint32_t line_of(struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    return mark != NULL && mark->line >= 0 ? (uint32_t)mark->line + 1 : 0;
}

static struct span token_span(struct fy_token *token)
{
    size_t length = 0;
    const char *text = token != NULL ? fy_token_get_text(token, &length) : NULL;
    return span_make(text, text != NULL ? length : 0);
}

/* Plain texts stand in the file as they are, and are not copied. */
static struct span keep(struct reader *reader, struct span text)
{
    bool inside = text.at >= reader->bytes.at && text.length <= reader->bytes.length &&
                  (size_t)(text.at - reader->bytes.at) <= reader->bytes.length - text.length;
    return inside && text.length > 0 ? text : arena_span(reader->arena, text);
}

static struct span scalar_text(struct reader *reader, struct fy_token *token)
{
    const struct fy_mark *from = token != NULL ? fy_token_start_mark(token) : NULL;
    const struct fy_mark *to = token != NULL ? fy_token_end_mark(token) : NULL;
    bool single = token != NULL && fy_token_scalar_style(token) == FYSS_SINGLE_QUOTED;
    if (single && from != NULL && to != NULL && to->input_pos <= reader->bytes.length) {
        struct span raw = span_cut(reader->bytes, from->input_pos, to->input_pos);
        bool simple =
            span_find_byte(raw, '\'') == raw.length && span_find_byte(raw, '\n') == raw.length;
        return simple ? raw : yaml_unquote_single(raw, reader->arena);
    }
    return keep(reader, token_span(token));
}

static struct value *make_node(struct reader *reader, uint32_t line)
{
    if (++reader->nodes > VALUE_NODES) {
        fail(reader, line, "too many values, or aliases that stand for too many");
        return NULL;
    }
    struct value *value = ARENA_NEW(reader->arena, struct value);
    value->line = line;
    return value;
}

static void anchor_put(struct reader *reader, struct span anchor, struct value *value)
{
    if (anchor.length > 0) {
        map_put(&reader->anchors, anchor, value);
    }
}

/* Hangs a node under the innermost open one. */
static bool place(struct reader *reader, struct value *value)
{
    if (reader->depth == 0) {
        if (value->kind != VALUE_NULL) {
            *reader->documents_end = value;
            reader->documents_end = &value->next;
        }
        return true;
    }
    struct open_node *parent = &reader->open[reader->depth - 1];
    if (parent->value->kind == VALUE_MAP) {
        value->key = parent->pending->key;
        /* The line of the key is the one a person looks for. */
        value->line = parent->pending->line;
        parent->pending = NULL;
    }
    *parent->end = value;
    parent->end = &value->next;
    parent->value->count++;
    return true;
}

static bool wants_key(const struct reader *reader)
{
    const struct open_node *parent = reader->depth > 0 ? &reader->open[reader->depth - 1] : NULL;
    return parent != NULL && parent->value->kind == VALUE_MAP && parent->pending == NULL;
}

static bool on_key(struct reader *reader, struct fy_event *event)
{
    uint32_t line = line_of(event);
    struct span key = scalar_text(reader, event->scalar.value);
    if (key.length > VALUE_KEY_BYTES) {
        return fail(reader, line, "a key is longer than 1024 bytes");
    }
    struct value *pending = make_node(reader, line);
    if (pending == NULL) {
        return false;
    }
    pending->key = key;
    reader->open[reader->depth - 1].pending = pending;
    return true;
}

static bool on_scalar(struct reader *reader, struct fy_event *event)
{
    if (event->scalar.tag != NULL) {
        return fail(reader, line_of(event), "tags (\"!...\") are not read");
    }
    if (wants_key(reader)) {
        return on_key(reader, event);
    }
    struct value *value = make_node(reader, line_of(event));
    if (value == NULL) {
        return false;
    }
    value->text = scalar_text(reader, event->scalar.value);
    bool plain =
        event->scalar.value == NULL || fy_token_scalar_style(event->scalar.value) == FYSS_PLAIN;
    value->kind = (uint8_t)(plain ? value_kind_of_plain(value->text) : VALUE_STRING);
    anchor_put(reader, token_span(event->scalar.anchor), value);
    return place(reader, value);
}

static bool on_open(struct reader *reader, struct fy_event *event, enum value_kind kind,
                    struct fy_token *anchor, struct fy_token *tag)
{
    uint32_t line = line_of(event);
    if (tag != NULL) {
        return fail(reader, line, "tags (\"!...\") are not read");
    }
    if (wants_key(reader)) {
        return fail(reader, line, "a key must be a string");
    }
    if (reader->depth == VALUE_DEPTH) {
        return fail(reader, line, "nested deeper than 32");
    }
    struct value *value = make_node(reader, line);
    if (value == NULL) {
        return false;
    }
    value->kind = (uint8_t)kind;
    reader->open[reader->depth++] = (struct open_node){
        .value = value,
        .end = &value->children,
        .anchor = arena_span(reader->arena, token_span(anchor)),
    };
    return true;
}

static bool keys_differ(struct reader *reader, const struct value *map)
{
    struct map seen;
    map_init_borrowed(&seen);
    const struct value *twice = NULL;
    for (struct value *member = map->children; member != NULL; member = member->next) {
        if (map_put(&seen, member->key, member) != NULL) {
            twice = member;
            break;
        }
    }
    map_done(&seen);
    if (twice != NULL) {
        problems_add(reader->problems, twice->line, SPAN_EMPTY, twice->key,
                     "the key is there twice");
    }
    return twice == NULL;
}

static bool on_close(struct reader *reader)
{
    struct open_node *node = &reader->open[--reader->depth];
    struct value *value = node->value;
    if (value->kind == VALUE_MAP && !keys_differ(reader, value)) {
        return false;
    }
    anchor_put(reader, node->anchor, value);
    return place(reader, value);
}

/* depth: how deep the copy will stand. */
static struct value *copy(struct reader *reader, const struct value *from, uint32_t depth)
{
    if (depth > VALUE_DEPTH) {
        fail(reader, from->line, "nested deeper than 32");
        return NULL;
    }
    struct value *to = make_node(reader, from->line);
    if (to == NULL) {
        return NULL;
    }
    to->key = from->key;
    to->text = from->text;
    to->kind = from->kind;
    to->count = from->count;
    struct value **end = &to->children;
    for (const struct value *child = from->children; child != NULL; child = child->next) {
        if ((*end = copy(reader, child, depth + 1)) == NULL) {
            return NULL;
        }
        end = &(*end)->next;
    }
    return to;
}

static bool on_alias(struct reader *reader, struct fy_event *event)
{
    uint32_t line = line_of(event);
    struct span name = token_span(event->alias.anchor);
    if (wants_key(reader)) {
        return fail(reader, line, "a key must be a string");
    }
    const struct value *target = map_get(&reader->anchors, name);
    if (target == NULL) {
        problems_add(reader->problems, line, SPAN_EMPTY, SPAN_EMPTY,
                     "alias *%.*s has no complete anchor before it", SPAN_ARG(name));
        return false;
    }
    struct value *value = copy(reader, target, reader->depth + 1);
    if (value == NULL) {
        return false;
    }
    value->key = SPAN_EMPTY;
    return place(reader, value);
}

static bool on_event(struct reader *reader, struct fy_event *event)
{
    switch (event->type) {
    case FYET_DOCUMENT_START:
        map_done(&reader->anchors);
        map_init(&reader->anchors);
        return true;
    case FYET_MAPPING_START:
        return on_open(reader, event, VALUE_MAP, event->mapping_start.anchor,
                       event->mapping_start.tag);
    case FYET_SEQUENCE_START:
        return on_open(reader, event, VALUE_LIST, event->sequence_start.anchor,
                       event->sequence_start.tag);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        return on_close(reader);
    case FYET_SCALAR:
        return on_scalar(reader, event);
    case FYET_ALIAS:
        return on_alias(reader, event);
    default:
        return true;
    }
}

/* The first error that libfyaml collected says where the text stops being YAML. */
static void report_syntax(struct reader *reader, struct fy_diag *diag)
{
    void *walk = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &walk);
    uint32_t line = error != NULL && error->line > 0 ? (uint32_t)error->line : 0;
    problems_add(reader->problems, line, SPAN_EMPTY, SPAN_EMPTY, "not YAML: %s",
                 error != NULL && error->msg != NULL ? error->msg : "cannot be read");
}

static bool read_events(struct reader *reader, struct fy_diag *diag)
{
    for (;;) {
        struct fy_event *event = fy_parser_parse(reader->parser);
        if (event == NULL) {
            if (fy_parser_get_stream_error(reader->parser)) {
                report_syntax(reader, diag);
                return false;
            }
            return true;
        }
        bool end = event->type == FYET_STREAM_END;
        bool good = on_event(reader, event);
        fy_parser_event_free(reader->parser, event);
        if (!good || end) {
            return good;
        }
    }
}

bool value_read_yaml(struct span bytes, struct arena *arena, struct problems *problems,
                     struct value **ret_first)
{
    if (bytes.length > VALUE_FILE_BYTES) {
        problems_add(problems, 0, SPAN_EMPTY, SPAN_EMPTY, "larger than 8 MiB");
        return false;
    }
    if (!yaml_text_check(bytes, problems)) {
        return false;
    }
    struct reader reader = {.bytes = bytes, .arena = arena, .problems = problems};
    reader.documents_end = &reader.first;
    map_init(&reader.anchors);
    struct fy_diag_cfg diag_config;
    fy_diag_cfg_default(&diag_config);
    diag_config.fp = NULL;
    struct fy_diag *diag = fy_diag_create(&diag_config);
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg config = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG, .diag = diag};
    reader.parser = fy_parser_create(&config);
    bool good = bytes.length == 0 || reader.parser == NULL ||
                        fy_parser_set_string(reader.parser, bytes.at, bytes.length) != 0
                    ? bytes.length == 0
                    : read_events(&reader, diag);
    fy_parser_destroy(reader.parser);
    fy_diag_destroy(diag);
    map_done(&reader.anchors);
    if (good) {
        *ret_first = reader.first;
    }
    return good;
}
