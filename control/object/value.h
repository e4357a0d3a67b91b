#ifndef REMORA_CONTROL_OBJECT_VALUE_H
#define REMORA_CONTROL_OBJECT_VALUE_H

#include "control/object/problem.h"
#include "lib/base/arena.h"

/*
 * One document as a neutral tree, whether it was written in YAML or in JSON: every node knows what
 * it is and, when it came from a file, its line. Lives in the arena it was read into.
 *
 * Scalars are told apart by the YAML 1.2 core schema: plain null, true, 1 and 1.5 are no strings,
 * quoted ones are. So `yes` and `on` are strings here.
 */
enum value_kind {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_STRING,
    VALUE_LIST,
    VALUE_MAP
};

struct value {
    struct span key;        /* of a map's member; else empty */
    struct span text;       /* of a scalar, without quotes */
    struct value *children; /* of a list or map, in order */
    struct value *next;     /* sibling; of a document: the next document */
    uint32_t count;         /* children */
    uint32_t line;          /* 1 is the first; 0 = not from a file */
    uint8_t kind;           /* enum value_kind */
};

/*
 * Bounds of one file, so that no input costs more memory or stack than these say. Aliases count
 * with every node they stand for, which ends "billion laughs".
 */
enum { VALUE_FILE_BYTES = 8 << 20, VALUE_DEPTH = 32, VALUE_NODES = 500000, VALUE_KEY_BYTES = 1024 };

/* Reads all documents of a YAML (or JSON) file. False: a problem was added, and nothing is
 * returned. Empty documents are left out; *ret_first is NULL when there is none. The values point
 * into bytes. */
bool value_read_yaml(struct span bytes, struct arena *arena, struct problems *problems,
                     struct value **ret_first);

/* One document of JSON, as the Kubernetes API sends it. */
bool value_read_json(struct span bytes, struct arena *arena, struct problems *problems,
                     struct value **ret_value);

/* The member of a map, or NULL. */
const struct value *value_member(const struct value *map, struct span key);
/* "a string", "a whole number" ... */
const char *value_kind_name(uint8_t kind);
/* Of kinds, keys and texts; lines do not take part. */
uint64_t value_hash(const struct value *value);
/* What a plain YAML scalar is. */
enum value_kind value_kind_of_plain(struct span text);

#endif
