#ifndef REMORA_BASE_PATTERN_TREE_H
#define REMORA_BASE_PATTERN_TREE_H

#include "lib/base/arena.h"

/* The inside of pattern: an expression as a tree. Only pattern*.c include it. */
enum { PATTERN_DEPTH = 32, PATTERN_REPEAT = 1000 };
#define PATTERN_ENDLESS UINT32_MAX

/* Which bytes an item takes. */
struct byte_set {
    uint64_t words[4];
};

static inline void byte_set_add(struct byte_set *set, unsigned byte)
{
    set->words[byte / 64] |= UINT64_C(1) << (byte % 64);
}

static inline bool byte_set_has(const struct byte_set *set, unsigned byte)
{
    return (set->words[byte / 64] >> (byte % 64) & 1) != 0;
}

enum pattern_kind {
    PATTERN_ITEM,   /* one byte of `set` */
    PATTERN_BEGIN,  /* ^ */
    PATTERN_END,    /* $ */
    PATTERN_CHAIN,  /* children, one after the other */
    PATTERN_CHOICE, /* one of the children */
    PATTERN_TIMES,  /* the child, least to most times */
};

struct pattern_node {
    enum pattern_kind kind;
    struct byte_set set;
    struct pattern_node *first; /* child */
    struct pattern_node *next;  /* sibling */
    uint32_t least, most;
};

/* NULL, and a static text, when it is no expression. At most PATTERN_DEPTH groups deep. */
struct pattern_node *pattern_parse(struct span expression, struct arena *arena,
                                   const char **ret_reason);

#endif
