#include "control/object/manifest.h"

#include "lib/base/map.h"
#include "lib/base/memory.h"

struct parse {
    struct problems *problems;
    struct manifest *manifest;
    struct map keys; /* of good objects; borrowed from them */
};

static void add_broken(struct manifest *manifest, struct span key)
{
    if (key.length == 0) {
        manifest->lost = true;
        return;
    }
    mem_grow(&manifest->broken, &manifest->broken_capacity, manifest->broken_count + 1,
             sizeof(manifest->broken[0]));
    manifest->broken[manifest->broken_count++] = mem_text(key.at, key.length);
}

static void add_object(struct parse *parse, struct object *object)
{
    struct manifest *manifest = parse->manifest;
    const struct object *first = map_get(&parse->keys, object->key);
    char title[OBJECT_TITLE_BYTES];
    if (first != NULL) {
        problems_add(parse->problems, object->line, object_title(object, title), SPAN_EMPTY,
                     "is there twice: first in line %u", first->line);
        object_unref(object);
        return;
    }
    mem_grow(&manifest->objects, &manifest->capacity, manifest->count + 1,
             sizeof(manifest->objects[0]));
    manifest->objects[manifest->count++] = object;
    map_put(&parse->keys, object->key, object);
}

/* scratch is emptied between objects: what a file of many objects needs is one object's worth. */
static void parse_object(struct parse *parse, const struct value *document)
{
    struct arena scratch;
    struct span key;
    if (parse->manifest->count == MANIFEST_OBJECTS) {
        parse->manifest->lost = true;
        problems_add(parse->problems, document->line, SPAN_EMPTY, SPAN_EMPTY,
                     "more than %d objects in one file", MANIFEST_OBJECTS);
        return;
    }
    arena_init(&scratch);
    size_t errors = parse->problems->errors;
    struct object *object = object_make(document, false, &scratch, parse->problems, &key);
    if (object != NULL) {
        add_object(parse, object);
    } else if (parse->problems->errors > errors) {
        add_broken(parse->manifest, key);
    }
    arena_done(&scratch);
}

static bool is_list(const struct value *document)
{
    const struct value *version =
        document->kind == VALUE_MAP ? value_member(document, SPAN("apiVersion")) : NULL;
    const struct value *kind = version != NULL ? value_member(document, SPAN("kind")) : NULL;
    const struct value *items = kind != NULL ? value_member(document, SPAN("items")) : NULL;
    return items != NULL && items->kind == VALUE_LIST && span_ends_with(kind->text, SPAN("List"));
}

void manifest_parse(struct span bytes, struct problems *problems, struct manifest *ret_manifest)
{
    struct parse parse = {.problems = problems, .manifest = ret_manifest};
    struct arena tree;
    struct value *documents = NULL;
    *ret_manifest = (struct manifest){0};
    arena_init(&tree);
    map_init_borrowed(&parse.keys);
    if (!value_read_yaml(bytes, &tree, problems, &documents)) {
        ret_manifest->lost = true;
    }
    for (const struct value *each = documents; each != NULL; each = each->next) {
        if (is_list(each)) {
            const struct value *items = value_member(each, SPAN("items"));
            for (const struct value *item = items->children; item != NULL; item = item->next) {
                parse_object(&parse, item);
            }
        } else {
            parse_object(&parse, each);
        }
    }
    map_done(&parse.keys);
    arena_done(&tree);
}

void manifest_done(struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++) {
        object_unref(manifest->objects[i]);
    }
    for (size_t i = 0; i < manifest->broken_count; i++) {
        mem_free(manifest->broken[i]);
    }
    mem_free(manifest->objects);
    mem_free(manifest->broken);
    *manifest = (struct manifest){0};
}
