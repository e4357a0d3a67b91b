#include "control/object/object.h"

#include "control/object/annotation.h"
#include "lib/base/check.h"
#include "lib/base/memory.h"

#include <stdio.h>
#include <string.h>

static const struct field metadata_fields[] = {
    FIELD("name", FIELD_TEXT, struct metadata, name, .flags = FIELD_REQUIRED,
          .check = check_dns_name),
    FIELD("namespace", FIELD_TEXT, struct metadata, namespace_name, .check = check_dns_label),
    FIELD("labels", FIELD_LABELS, struct metadata, labels, .check = check_label_value),
    FIELD("annotations", FIELD_LABELS, struct metadata, annotations),
    FIELD("uid", FIELD_TEXT, struct metadata, uid),
    FIELD("resourceVersion", FIELD_TEXT, struct metadata, resource_version),
    FIELD("creationTimestamp", FIELD_TIME, struct metadata, created_s),
    FIELD("generation", FIELD_INT, struct metadata, generation),
    FIELD("deletionTimestamp", FIELD_TEXT, struct metadata, deletion_time),
    FIELD_IGNORED("deletionGracePeriodSeconds"),
    FIELD_IGNORED("finalizers"),
    FIELD_IGNORED("generateName"),
    FIELD_IGNORED("managedFields"),
    FIELD_IGNORED("ownerReferences"),
    FIELD_IGNORED("selfLink"),
};
static const struct schema metadata_schema = {
    .name = "metadata", SCHEMA_FIELDS(metadata_fields), .bytes = sizeof(struct metadata)};

static struct span text_of(const struct value *map, const char *name)
{
    const struct value *member = map != NULL ? value_member(map, span_of(name)) : NULL;
    return member != NULL && member->kind == VALUE_STRING ? member->text : SPAN_EMPTY;
}

struct span object_key_make(struct arena *arena, enum kind kind, struct span namespace_name,
                            struct span name)
{
    return span_of(arena_printf(arena, "%s/%.*s/%.*s", kind_facts(kind)->name,
                                SPAN_ARG(namespace_name), SPAN_ARG(name)));
}

static struct span namespace_of(enum kind kind, struct span given)
{
    if (!kind_facts(kind)->namespaced) {
        return SPAN_EMPTY;
    }
    return given.length > 0 ? given : SPAN("default");
}

static uint32_t line_of(const struct value *map, const char *name)
{
    return value_member(map, span_of(name))->line;
}

/* What of a document is needed before its tables are known. */
static bool find_kind(const struct value *document, struct problems *problems, enum kind *ret_kind)
{
    struct span version = text_of(document, "apiVersion");
    struct span name = text_of(document, "kind");
    if (document->kind != VALUE_MAP || version.length == 0 || name.length == 0) {
        problems_add(problems, document->line, SPAN_EMPTY, SPAN_EMPTY,
                     "an object needs apiVersion, kind and metadata");
        return false;
    }
    switch (kind_find(version, name, ret_kind)) {
    case KIND_FOUND:
        return true;
    case KIND_FOREIGN:
        problems_warn(problems, document->line, name, SPAN_EMPTY,
                      "kind %.*s of %.*s is not read by Remora", SPAN_ARG(name), SPAN_ARG(version));
        return false;
    case KIND_UNKNOWN_VERSION:
        problems_add(problems, line_of(document, "apiVersion"), name, SPAN("apiVersion"),
                     "unknown version %.*s of kind %.*s", SPAN_ARG(version), SPAN_ARG(name));
        return false;
    case KIND_UNKNOWN:
        problems_add(problems, line_of(document, "kind"), SPAN_EMPTY, SPAN("kind"),
                     "unknown kind %.*s of %.*s", SPAN_ARG(name), SPAN_ARG(version));
        return false;
    }
    UNREACHABLE("kind_match");
}

/* The members that every kind has are taken off; the kind's own table gets the rest. */
static struct value body_of(const struct value *document, struct arena *scratch)
{
    static const char *const common[] = {"apiVersion", "kind", "metadata", "status"};
    struct value body = *document;
    body.children = NULL;
    body.count = 0;
    struct value **end = &body.children;
    for (const struct value *member = document->children; member != NULL; member = member->next) {
        bool skip = false;
        for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
            skip = skip || span_equal_text(member->key, common[i]);
        }
        if (!skip) {
            *end = arena_dup(scratch, member, sizeof(*member));
            (*end)->next = NULL;
            end = &(*end)->next;
            body.count++;
        }
    }
    return body;
}

struct source_parts {
    const struct value *metadata;
    struct value body;
    enum kind kind;
    struct span key;
    struct span file;
    struct span paths[256];
    uint32_t path_count;
};

/* One pass over everything that is kept, in the same order both times. */
static bool decode_all(struct decoder *decoder, const struct source_parts *parts,
                       struct object *into)
{
    const struct kind_facts *facts = kind_facts(parts->kind);
    size_t mark = decode_enter(decoder, SPAN("metadata"));
    bool good = decode_struct(decoder, &metadata_schema, parts->metadata, &into->meta);
    decode_leave(decoder, mark);
    into->meta.namespace_name =
        decode_text(decoder, namespace_of(parts->kind, into->meta.namespace_name));
    void *body = decode_alloc(decoder, facts->schema->bytes);
    good &= decode_struct(decoder, facts->schema, &parts->body, body);
    into->body = body;
    into->key = decode_text(decoder, parts->key);
    into->file = decode_text(decoder, parts->file);
    struct span *paths = decode_alloc(decoder, parts->path_count * sizeof(struct span));
    for (uint32_t i = 0; i < parts->path_count; i++) {
        paths[i] = decode_text(decoder, parts->paths[i]);
    }
    into->not_in_force = paths;
    into->not_in_force_count = parts->path_count;
    return good;
}

/* The second pass, into one block of just the size that is needed. */
static struct object *pack(struct decoder *decoder, struct source_parts *parts)
{
    for (size_t i = 0; i < decoder->not_in_force_count; i++) {
        if (parts->path_count < sizeof(parts->paths) / sizeof(parts->paths[0])) {
            parts->paths[parts->path_count++] = span_of(decoder->not_in_force[i]);
        }
    }
    struct object measured = {0};
    decoder->used = 0;
    decode_all(decoder, parts, &measured);
    size_t bytes = sizeof(struct object) + decoder->used;
    struct object *object = mem_zalloc(bytes);
    decoder->block = (char *)object;
    decoder->used = sizeof(struct object);
    decode_all(decoder, parts, object);
    CHECK(decoder->used <= bytes);
    return object;
}

struct object *object_make(const struct value *document, bool lenient, struct arena *scratch,
                           struct problems *problems, struct span *ret_key)
{
    const struct value empty = {.kind = VALUE_MAP, .line = document->line};
    struct source_parts parts = {.file = span_of(problems->file)};
    *ret_key = SPAN_EMPTY;
    if (!find_kind(document, problems, &parts.kind)) {
        return NULL;
    }
    const struct value *metadata = value_member(document, SPAN("metadata"));
    parts.metadata = metadata != NULL && metadata->kind != VALUE_NULL ? metadata : &empty;
    struct span name = text_of(parts.metadata, "name");
    struct span namespace_name = namespace_of(parts.kind, text_of(parts.metadata, "namespace"));
    parts.key = object_key_make(scratch, parts.kind, namespace_name, name);
    struct span title = span_of(arena_printf(scratch, "%s %.*s%s%.*s", kind_facts(parts.kind)->name,
                                             SPAN_ARG(namespace_name),
                                             namespace_name.length > 0 ? "/" : "", SPAN_ARG(name)));
    if (name.length > 0) {
        *ret_key = parts.key;
    }
    parts.body = body_of(document, scratch);
    struct decoder decoder;
    decoder_init(&decoder, problems, title, scratch);
    decoder.lenient = lenient;
    struct object first = {0};
    struct object *object = NULL;
    bool good = annotations_check(parts.metadata, title, problems);
    if (decode_all(&decoder, &parts, &first) && good) {
        object = pack(&decoder, &parts);
        object->references = 1;
        object->kind = (uint8_t)parts.kind;
        object->line = document->line;
        object->hash = value_hash(document);
    }
    decoder_done(&decoder);
    return object;
}

struct object *object_ref(struct object *object)
{
    object->references++;
    return object;
}

void object_unref(struct object *object)
{
    if (object != NULL && --object->references == 0) {
        mem_free(object);
    }
}

struct span object_title(const struct object *object, char *into)
{
    int length =
        snprintf(into, OBJECT_TITLE_BYTES, "%s %.*s%s%.*s", kind_facts(object->kind)->name,
                 SPAN_ARG(object->meta.namespace_name),
                 object->meta.namespace_name.length > 0 ? "/" : "", SPAN_ARG(object->meta.name));
    return span_make(into, length < OBJECT_TITLE_BYTES ? (size_t)length : OBJECT_TITLE_BYTES - 1);
}

bool object_not_in_force(const struct object *object, struct text *into)
{
    if (!kind_facts((enum kind)object->kind)->in_force) {
        text_add_text(into, "all");
        return true;
    }
    for (uint32_t i = 0; i < object->not_in_force_count; i++) {
        text_printf(into, "%s%.*s", i > 0 ? ", " : "", SPAN_ARG(object->not_in_force[i]));
    }
    return object->not_in_force_count > 0;
}

static int compare_age(const struct object *a, const struct object *b)
{
    int64_t age_a = a->meta.created_s != FIELD_UNSET ? a->meta.created_s : INT64_MAX;
    int64_t age_b = b->meta.created_s != FIELD_UNSET ? b->meta.created_s : INT64_MAX;
    return age_a < age_b ? -1 : age_a > age_b ? 1 : 0;
}

bool object_older(const struct object *a, const struct object *b)
{
    int order = compare_age(a, b);
    if (order == 0) {
        order = span_compare(a->meta.namespace_name, b->meta.namespace_name);
    }
    if (order == 0) {
        order = span_compare(a->meta.name, b->meta.name);
    }
    return order < 0;
}

struct span labels_get(const struct labels *labels, struct span key)
{
    for (uint32_t i = 0; i < labels->count; i++) {
        if (span_equal(labels->at[i].key, key)) {
            return labels->at[i].value;
        }
    }
    return SPAN_EMPTY;
}
