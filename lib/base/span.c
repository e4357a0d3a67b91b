#include "lib/base/span.h"

#include <string.h>
#include <xxhash.h>

static unsigned char lower(char byte)
{
    unsigned char value = (unsigned char)byte;
    return value >= 'A' && value <= 'Z' ? (unsigned char)(value | 0x20) : value;
}

/* The same for eight bytes: the sums below reach bit 7 from 'A' on and beyond 'Z'. */
static uint64_t lower_word(const char *at)
{
    const uint64_t ones = 0x0101010101010101U;
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    uint64_t low = word & (ones * 0x7f);
    uint64_t from_a = low + ones * (0x80 - 'A');
    uint64_t beyond_z = low + ones * (0x7f - 'Z');
    uint64_t capital = (from_a ^ beyond_z) & ~word & (ones * 0x80);
    return word | (capital >> 2);
}

bool span_equal_nocase(struct span a, struct span b)
{
    if (a.length != b.length) {
        return false;
    }
    size_t i = 0;
    if (a.length >= sizeof(uint64_t)) {
        size_t last = a.length - sizeof(uint64_t);
        for (; i < last; i += sizeof(uint64_t)) {
            if (lower_word(a.at + i) != lower_word(b.at + i)) {
                return false;
            }
        }
        /* The last eight may have been looked at in part. */
        return lower_word(a.at + last) == lower_word(b.at + last);
    }
    for (; i < a.length; i++) {
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
    if (digits.length == 0 || digits.length > SPAN_U64_BYTES) {
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

struct span span_from_u64(uint64_t number, char into[static SPAN_U64_BYTES])
{
    size_t at = SPAN_U64_BYTES;
    do {
        into[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return span_make(into + at, SPAN_U64_BYTES - at);
}

uint64_t span_hash(struct span bytes, uint64_t seed)
{
    return XXH64(bytes.length > 0 ? bytes.at : "", bytes.length, seed);
}
