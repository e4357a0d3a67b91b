#include "lib/base/pattern.h"

#include "lib/base/memory.h"
#include "lib/base/pattern_tree.h"

#include <string.h>

/*
 * A position is one place in the expression that takes a byte. Of each part of the expression are
 * known the positions it can begin and end with; a part behind another makes the beginnings of the
 * second follow the ends of the first. ^ and $ take no byte: they mark beginnings that hold only at
 * the start of the text, ends that hold only at its end, and emptiness under those conditions.
 */
enum { WORD_BITS = 64, WORDS = PATTERN_POSITIONS / WORD_BITS, PARTS = 20000 };

/* Conditions; index 0 is "without one". */
enum { AT_BEGIN = 1, AT_END = 2, AT_BOTH = 3 };

struct bits {
    uint64_t words[WORDS];
};

struct part {
    struct bits first[2]; /* [0] anywhere, [1] only at the beginning of the text */
    struct bits last[2];  /* [0] anywhere, [1] only at the end of the text */
    bool empty[4];        /* by condition: AT_BEGIN | AT_END */
};

struct pattern {
    uint32_t words;     /* of each bit set below */
    uint8_t kinds[256]; /* byte -> which set of `takes` */
    bool empty;
    uint64_t *start;
    uint64_t *accept;
    uint64_t *takes;  /* kind -> positions that take bytes of it */
    uint64_t *follow; /* position -> positions */
};

struct builder {
    struct arena arena;
    struct byte_set *sets; /* position -> bytes */
    struct bits *follow;
    uint32_t positions;
    uint32_t parts;
    const char *reason;
};

/* ---- building ---- */

static void bits_add(struct bits *to, const struct bits *from)
{
    for (size_t i = 0; i < WORDS; i++) {
        to->words[i] |= from->words[i];
    }
}

/* The beginnings of one part follow the ends of another. */
static void connect(struct builder *builder, const struct bits *ends, const struct bits *begins)
{
    for (uint32_t p = 0; p < builder->positions; p++) {
        if ((ends->words[p / WORD_BITS] >> (p % WORD_BITS) & 1) != 0) {
            bits_add(&builder->follow[p], begins);
        }
    }
}

/* a, then b. What needs the beginning cannot come behind bytes, nor what needs the end before. */
static void chain(struct builder *builder, struct part *a, const struct part *b)
{
    struct part both = {.first = {a->first[0], a->first[1]}, .last = {b->last[0], b->last[1]}};
    connect(builder, &a->last[0], &b->first[0]);
    for (unsigned condition = 0; condition < AT_END; condition++) {
        if (a->empty[condition]) {
            bits_add(&both.first[condition], &b->first[0]);
            bits_add(&both.first[1], &b->first[1]);
        }
        if (b->empty[condition == 0 ? 0 : AT_END]) {
            bits_add(&both.last[condition], &a->last[0]);
            bits_add(&both.last[1], &a->last[1]);
        }
    }
    for (unsigned i = 0; i <= AT_BOTH; i++) {
        for (unsigned j = 0; j <= AT_BOTH; j++) {
            both.empty[i | j] |= a->empty[i] && b->empty[j];
        }
    }
    *a = both;
}

static void choose(struct part *a, const struct part *b)
{
    for (size_t i = 0; i < 2; i++) {
        bits_add(&a->first[i], &b->first[i]);
        bits_add(&a->last[i], &b->last[i]);
    }
    for (size_t i = 0; i <= AT_BOTH; i++) {
        a->empty[i] |= b->empty[i];
    }
}

static void build(struct builder *builder, const struct pattern_node *node, struct part *ret);

static void build_item(struct builder *builder, const struct pattern_node *node, struct part *ret)
{
    if (builder->positions == PATTERN_POSITIONS) {
        builder->reason = "the expression is too large";
        return;
    }
    uint32_t p = builder->positions++;
    builder->sets[p] = node->set;
    ret->first[0].words[p / WORD_BITS] = UINT64_C(1) << (p % WORD_BITS);
    ret->last[0] = ret->first[0];
}

/* The child as often as it must come, then as often as it may. */
static void build_times(struct builder *builder, const struct pattern_node *node, struct part *ret)
{
    uint32_t count = node->most != PATTERN_ENDLESS ? node->most : node->least > 0 ? node->least : 1;
    ret->empty[0] = true;
    for (uint32_t i = 0; i < count && builder->reason == NULL; i++) {
        struct part one = {0};
        build(builder, node->first, &one);
        if (i + 1 == count && node->most == PATTERN_ENDLESS) {
            connect(builder, &one.last[0], &one.first[0]);
        }
        one.empty[0] |= i >= node->least;
        chain(builder, ret, &one);
    }
}

/* CHAIN and CHOICE. */
static void build_children(struct builder *builder, const struct pattern_node *node,
                           struct part *ret)
{
    bool in_chain = node->kind == PATTERN_CHAIN;
    ret->empty[0] = in_chain;
    for (const struct pattern_node *child = node->first; child != NULL; child = child->next) {
        struct part one = {0};
        build(builder, child, &one);
        if (in_chain) {
            chain(builder, ret, &one);
        } else {
            choose(ret, &one);
        }
    }
}

/* The depth of the tree is bounded by PATTERN_DEPTH. */
static void build(struct builder *builder, const struct pattern_node *node, struct part *ret)
{
    if (++builder->parts > PARTS) {
        builder->reason = "the expression is too large";
        return;
    }
    switch (node->kind) {
    case PATTERN_BEGIN:
        ret->empty[AT_BEGIN] = true;
        break;
    case PATTERN_END:
        ret->empty[AT_END] = true;
        break;
    case PATTERN_ITEM:
        build_item(builder, node, ret);
        break;
    case PATTERN_TIMES:
        build_times(builder, node, ret);
        break;
    case PATTERN_CHAIN:
    case PATTERN_CHOICE:
        build_children(builder, node, ret);
        break;
    }
}

/* ---- the finished automaton ---- */

/* Bytes that the same positions take are one kind. */
static void sort_bytes(struct pattern *pattern, const struct builder *builder)
{
    uint32_t kinds = 0;
    struct bits *seen = mem_array(256, sizeof(struct bits));
    for (unsigned byte = 0; byte < 256; byte++) {
        struct bits takes = {{0}};
        for (uint32_t p = 0; p < builder->positions; p++) {
            if (byte_set_has(&builder->sets[p], byte)) {
                takes.words[p / WORD_BITS] |= UINT64_C(1) << (p % WORD_BITS);
            }
        }
        uint32_t kind = 0;
        while (kind < kinds && memcmp(&seen[kind], &takes, sizeof(takes)) != 0) {
            kind++;
        }
        if (kind == kinds) {
            seen[kinds++] = takes;
        }
        pattern->kinds[byte] = (uint8_t)kind;
    }
    pattern->takes = mem_array(kinds, pattern->words * sizeof(uint64_t));
    for (uint32_t kind = 0; kind < kinds; kind++) {
        memcpy(pattern->takes + kind * pattern->words, &seen[kind],
               pattern->words * sizeof(uint64_t));
    }
    mem_free(seen);
}

static uint64_t *keep(const struct pattern *pattern, const struct bits *a, const struct bits *b)
{
    struct bits both = *a;
    bits_add(&both, b);
    return mem_dup(&both, pattern->words * sizeof(uint64_t));
}

static struct pattern *finish(const struct builder *builder, const struct part *whole)
{
    struct pattern *pattern = NEW(struct pattern);
    pattern->words = (builder->positions + WORD_BITS - 1) / WORD_BITS;
    if (pattern->words == 0) {
        pattern->words = 1;
    }
    for (size_t i = 0; i <= AT_BOTH; i++) {
        pattern->empty |= whole->empty[i];
    }
    pattern->start = keep(pattern, &whole->first[0], &whole->first[1]);
    pattern->accept = keep(pattern, &whole->last[0], &whole->last[1]);
    sort_bytes(pattern, builder);
    size_t row = pattern->words * sizeof(uint64_t);
    pattern->follow = mem_array(builder->positions + 1, row);
    for (uint32_t p = 0; p < builder->positions; p++) {
        memcpy(pattern->follow + p * pattern->words, &builder->follow[p], row);
    }
    return pattern;
}

struct pattern *pattern_create(struct span expression, const char **ret_reason)
{
    if (expression.length > PATTERN_BYTES) {
        *ret_reason = "the expression is longer than 1024 bytes";
        return NULL;
    }
    struct builder builder = {.positions = 0};
    struct pattern *pattern = NULL;
    const struct pattern_node *tree = pattern_parse(expression, &builder.arena, ret_reason);
    if (tree != NULL) {
        builder.sets = ARENA_ARRAY(&builder.arena, struct byte_set, PATTERN_POSITIONS);
        builder.follow = ARENA_ARRAY(&builder.arena, struct bits, PATTERN_POSITIONS);
        struct part whole = {0};
        build(&builder, tree, &whole);
        if (builder.reason == NULL) {
            pattern = finish(&builder, &whole);
        } else {
            *ret_reason = builder.reason;
        }
    }
    arena_done(&builder.arena);
    return pattern;
}

void pattern_destroy(struct pattern *pattern)
{
    if (pattern != NULL) {
        mem_free(pattern->start);
        mem_free(pattern->accept);
        mem_free(pattern->takes);
        mem_free(pattern->follow);
        mem_free(pattern);
    }
}

/* ---- matching ---- */

/* Replaces the set of positions that may take the next byte. Returns how many took this one. */
static uint32_t advance(const struct pattern *pattern, uint64_t *may, unsigned char byte)
{
    uint32_t words = pattern->words;
    const uint64_t *takes = pattern->takes + pattern->kinds[byte] * words;
    uint64_t next[WORDS];
    uint32_t took = 0;
    memset(next, 0, words * sizeof(uint64_t));
    for (uint32_t w = 0; w < words; w++) {
        uint64_t left = may[w] & takes[w];
        while (left != 0) {
            uint32_t p = w * WORD_BITS + (uint32_t)__builtin_ctzll(left);
            const uint64_t *follow = pattern->follow + p * words;
            left &= left - 1;
            took++;
            for (uint32_t i = 0; i < words; i++) {
                next[i] |= follow[i];
            }
        }
    }
    memcpy(may, next, words * sizeof(uint64_t));
    return took;
}

/* One of the positions that take the last byte is one that may end the text. */
static bool ends(const struct pattern *pattern, const uint64_t *may, unsigned char byte)
{
    const uint64_t *takes = pattern->takes + pattern->kinds[byte] * pattern->words;
    for (uint32_t w = 0; w < pattern->words; w++) {
        if ((may[w] & takes[w] & pattern->accept[w]) != 0) {
            return true;
        }
    }
    return false;
}

enum pattern_result pattern_match(const struct pattern *pattern, struct span text)
{
    if (text.length > PATTERN_TEXT_BYTES) {
        return PATTERN_UNKNOWN;
    }
    if (text.length == 0) {
        return pattern->empty ? PATTERN_YES : PATTERN_NO;
    }
    uint64_t may[WORDS];
    memcpy(may, pattern->start, pattern->words * sizeof(uint64_t));
    uint64_t steps = 0;
    for (size_t i = 0; i + 1 < text.length; i++) {
        uint32_t took = advance(pattern, may, (unsigned char)text.at[i]);
        steps += (took + 2) * pattern->words;
        if (took == 0) {
            return PATTERN_NO;
        }
        if (steps > PATTERN_STEPS) {
            return PATTERN_UNKNOWN;
        }
    }
    return ends(pattern, may, (unsigned char)text.at[text.length - 1]) ? PATTERN_YES : PATTERN_NO;
}
