#ifndef REMORA_BASE_SPAN_H
#define REMORA_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A span is some bytes that somebody else owns: pointer and length, no NUL at the end, any byte may
 * be in it. Passed by value. An empty span may have a NULL pointer.
 */
struct span {
    const char *at;
    size_t length;
};

#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})
#define SPAN_EMPTY ((struct span){NULL, 0})
/* For printf: "%.*s", SPAN_ARG(span). */
#define SPAN_ARG(s) (int)(s).length, ((s).at ? (s).at : "")

/* The span of a NUL-terminated text; NULL gives the empty span. */
static inline struct span span_of(const char *text)
{
    return text == NULL ? SPAN_EMPTY : (struct span){text, strlen(text)};
}

static inline struct span span_make(const void *at, size_t length)
{
    return (struct span){(const char *)at, length};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

/* ASCII letters compare without case; all other bytes exactly. */
bool span_equal_nocase(struct span a, struct span b);
bool span_equal_text(struct span a, const char *text);
/* Like memcmp, the shorter first when one begins the other. */
int span_compare(struct span a, struct span b);
bool span_starts_with(struct span whole, struct span prefix);
bool span_ends_with(struct span whole, struct span suffix);
/* Index of the first such byte or sequence; whole.length when there is none. */
static inline size_t span_find_byte(struct span whole, char byte)
{
    const void *found = whole.length > 0 ? memchr(whole.at, byte, whole.length) : NULL;
    return found == NULL ? whole.length : (size_t)((const char *)found - whole.at);
}
size_t span_find(struct span whole, struct span part);
/* [from, to) clipped to what is there. */
static inline struct span span_cut(struct span whole, size_t from, size_t to)
{
    if (to > whole.length) {
        to = whole.length;
    }
    return from < to ? (struct span){whole.at + from, to - from} : SPAN_EMPTY;
}
/* Without blanks (SP and HTAB) at both ends. */
struct span span_trim(struct span whole);

/*
 * Takes the bytes before the first separator off the front of *rest and moves *rest behind it.
 * False when *rest was already used up (then *ret_piece is untouched). "a,,b" gives "a", "", "b".
 */
bool span_next(struct span *rest, char separator, struct span *ret_piece);

/*
 * A whole decimal number: 1 to 20 digits, nothing else, no overflow beyond limit.
 * False, and *ret untouched, otherwise.
 */
bool span_to_u64(struct span digits, uint64_t limit, uint64_t *ret);

/* The decimal digits of a number, written somewhere into `into`. */
enum { SPAN_U64_BYTES = 20 };
struct span span_from_u64(uint64_t number, char into[static SPAN_U64_BYTES]);

/* 64-bit XXH64, for tables whose keys an attacker does not choose or that carry a random seed. */
uint64_t span_hash(struct span bytes, uint64_t seed);

#endif
