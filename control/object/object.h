#ifndef REMORA_CONTROL_OBJECT_OBJECT_H
#define REMORA_CONTROL_OBJECT_OBJECT_H

/*
 * control/object: manifests as plain structs.
 *
 *   manifest ──> value tree ──> object
 *   (bytes of a file)  │           ├─ kind       one of kind.h
 *                      │           ├─ meta       names, labels, annotations, age
 *                      │           └─ body       service_spec.h, route_spec.h, ... as the tables
 * say └─ value.h: one neutral tree for YAML and JSON, with lines schema tables (field.h,
 * *_schema.c) ── decode.h ── problems (file:line, object, field, text) conditions (condition.h):
 * what became of an object, for `remoractl status`
 *
 * An object is one block of memory, read-only once made (but for its line) and counted by
 * references; the value tree lives only while a file is read. One thread.
 */

#include "control/object/decode.h"
#include "control/object/kind.h"

struct metadata {
    struct span name;
    struct span namespace_name; /* "default" when not given; empty for kinds without namespace */
    struct labels labels;
    struct labels annotations;
    struct span uid;
    struct span resource_version;
    int64_t created_s;         /* FIELD_UNSET in a directory that does not say */
    int64_t generation;        /* FIELD_UNSET as well */
    struct span deletion_time; /* not empty: on its way out */
};

struct object {
    uint32_t references;
    uint8_t kind;  /* enum kind */
    uint32_t line; /* where it begins; 0 = not from a file. Moves when the file is edited above */
    struct span file; /* empty = not from a file */
    struct span key;  /* "HTTPRoute/shop/api", one spelling for each object of the world */
    struct metadata meta;
    const void *body;                /* struct service_body and so on, by kind */
    const struct span *not_in_force; /* paths of fields given that nothing acts on yet */
    uint32_t not_in_force_count;
    uint64_t hash; /* of the whole content; equal = nothing changed */
};

/*
 * One document. lenient: it comes from an API server that has checked it, so fields of newer
 * versions are left out without a word. NULL when problems were added. *ret_key (in the arena) is
 * set even then, when kind and name could be read; else it is empty.
 */
struct object *object_make(const struct value *document, bool lenient, struct arena *scratch,
                           struct problems *problems, struct span *ret_key);
struct object *object_ref(struct object *object);
/* Takes NULL. */
void object_unref(struct object *object);

/* "HTTPRoute/shop/api"; from the arena. */
struct span object_key_make(struct arena *arena, enum kind kind, struct span namespace_name,
                            struct span name);
/* "HTTPRoute shop/api" for people; into needs OBJECT_TITLE_BYTES, longer ones are cut. */
enum { OBJECT_TITLE_BYTES = 384 };
struct span object_title(const struct object *object, char *into);
/* What of it nothing acts on yet: "all" of a kind, or paths with ", " between. False: all is. */
bool object_not_in_force(const struct object *object, struct text *into);
/* GEP-713: who was there first wins. By creation time (unknown is youngest), then namespace/name.
 */
bool object_older(const struct object *a, const struct object *b);
/* Empty when there is none. */
struct span labels_get(const struct labels *labels, struct span key);

#endif
