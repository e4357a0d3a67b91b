#include "lib/base/span.h"

#include <string.h>
#include <xxhash.h>

struct span span_of(const char *text)
{
    return text == NULL ? SPAN_EMPTY : (struct span){text, strlen(text)};
}

struct span span_make(const void *at, size_t length)
{
    return (struct span){at, length};
}

bool span_equal(struct span a, struct span b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

static unsigned char lower(char byte)
{
    unsigned char value = (unsigned char)byte;
    return value >= 'A' && value <= 'Z' ? (unsigned char)(value | 0x20) : value;
}

bool span_equal_nocase(struct span a, struct span b)
{
    if (a.length != b.length) {
        return false;
    }
    for (size_t i = 0; i < a.length; i++) {
        if (lower(a.at[i]) != lower(b.at[i])) {
            return false;
        }
    }
    return true;
}

bool span_equal_text(struct span a, const char *text)
{
    return span_equal(a, span_of(text));
}

int span_compare(struct span a, struct span b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter == 0 ? 0 : memcmp(a.at, b.at, shorter);
    if (order != 0) {
        return order;
    }
    return (a.length > b.length) - (a.length < b.length);
}

bool span_starts_with(struct span whole, struct span prefix)
{
    return whole.length >= prefix.length && span_equal(span_make(whole.at, prefix.length), prefix);
}

bool span_ends_with(struct span whole, struct span suffix)
{
    return whole.length >= suffix.length &&
           span_equal(span_cut(whole, whole.length - suffix.length, whole.length), suffix);
}

size_t span_find_byte(struct span whole, char byte)
{
    if (whole.length == 0) {
        return 0;
    }
    const char *found = memchr(whole.at, byte, whole.length);
    return found == NULL ? whole.length : (size_t)(found - whole.at);
}

size_t span_find(struct span whole, struct span part)
{
    if (part.length == 0) {
        return 0;
    }
    if (part.length > whole.length) {
        return whole.length;
    }
    const char *found = memmem(whole.at, whole.length, part.at, part.length);
    return found == NULL ? whole.length : (size_t)(found - whole.at);
}

struct span span_cut(struct span whole, size_t from, size_t to)
{
    if (to > whole.length) {
        to = whole.length;
    }
    if (from >= to) {
        return SPAN_EMPTY;
    }
    return (struct span){whole.at + from, to - from};
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

struct span span_trim(struct span whole)
{
    size_t from = 0;
    size_t to = whole.length;
    while (from < to && is_blank(whole.at[from])) {
        from++;
    }
    while (to > from && is_blank(whole.at[to - 1])) {
        to--;
    }
    return span_cut(whole, from, to);
}

bool span_next(struct span *rest, char separator, struct span *ret_piece)
{
    if (rest->at == NULL) {
        return false;
    }
    size_t at = span_find_byte(*rest, separator);
    *ret_piece = span_make(rest->at, at);
    /* A NULL pointer marks the end: "a," still holds an empty last piece. */
    *rest = at == rest->length ? SPAN_EMPTY : span_make(rest->at + at + 1, rest->length - at - 1);
    return true;
}

bool span_to_u64(struct span digits, uint64_t limit, uint64_t *ret)
{
    enum { LONGEST_U64 = 20 };
    if (digits.length == 0 || digits.length > LONGEST_U64) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < digits.length; i++) {
        unsigned digit = (unsigned)(unsigned char)digits.at[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            return false;
        }
    }
    if (value > limit) {
        return false;
    }
    *ret = value;
    return true;
}

uint64_t span_hash(struct span bytes, uint64_t seed)
{
    return XXH64(bytes.length > 0 ? bytes.at : "", bytes.length, seed);
}
