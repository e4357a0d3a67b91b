#include "lib/base/duration.h"

#include <stdio.h>

enum { MOST_GROUPS = 4, MOST_DIGITS = 5, DURATION_TEXT_BYTES = 32 };

struct unit {
    struct span word;
    int64_t ms;
};

static const struct unit units[] = {
    {{"h", 1}, 3600000}, {{"ms", 2}, 1}, {{"m", 1}, 60000}, {{"s", 1}, 1000}};
enum { UNIT_COUNT = sizeof(units) / sizeof(units[0]) };

/* "ms" stands before "m", so that the first that fits is the right one. */
static unsigned unit_at_front(struct span text)
{
    unsigned i = 0;
    while (i < UNIT_COUNT && !span_starts_with(text, units[i].word)) {
        i++;
    }
    return i;
}

static size_t count_digits(struct span text)
{
    size_t i = 0;
    while (i < text.length && text.at[i] >= '0' && text.at[i] <= '9') {
        i++;
    }
    return i;
}

bool duration_parse(struct span text, int64_t *ret_ms)
{
    int64_t total_ms = 0;
    unsigned seen = 0;
    int groups = 0;
    while (text.length > 0) {
        size_t digits = count_digits(text);
        uint64_t number = 0;
        if (++groups > MOST_GROUPS || digits > MOST_DIGITS ||
            !span_to_u64(span_cut(text, 0, digits), UINT64_MAX, &number)) {
            return false;
        }
        text = span_cut(text, digits, text.length);
        unsigned unit = unit_at_front(text);
        if (unit == UNIT_COUNT || (seen & (1U << unit)) != 0) {
            return false;
        }
        seen |= 1U << unit;
        total_ms += (int64_t)number * units[unit].ms;
        text = span_cut(text, units[unit].word.length, text.length);
    }
    if (groups == 0) {
        return false;
    }
    *ret_ms = total_ms;
    return true;
}

void duration_format(int64_t ms, char *into)
{
    static const struct {
        const char *word;
        int64_t ms;
    } parts[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    if (ms <= 0) {
        snprintf(into, DURATION_TEXT_BYTES, "0s");
        return;
    }
    size_t at = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        int64_t number = ms / parts[i].ms;
        ms %= parts[i].ms;
        if (number > 0) {
            at += (size_t)snprintf(into + at, DURATION_TEXT_BYTES - at, "%lld%s", (long long)number,
                                   parts[i].word);
        }
    }
}

static bool suffix_factor(struct span suffix, uint64_t *ret_factor)
{
    static const char letters[] = "kMGTPE";
    if (suffix.length == 0) {
        *ret_factor = 1;
        return true;
    }
    bool binary = suffix.length == 2 && suffix.at[1] == 'i';
    if (suffix.length > 1 && !binary) {
        return false;
    }
    /* Kubernetes writes the decimal thousand with a small k and the binary one with a capital. */
    char letter = suffix.at[0];
    if (binary && letter == 'k') {
        return false;
    }
    if (binary && letter == 'K') {
        letter = 'k';
    }
    uint64_t factor = 1;
    for (size_t i = 0; letters[i] != '\0'; i++) {
        factor *= binary ? 1024 : 1000;
        if (letters[i] == letter) {
            *ret_factor = factor;
            return true;
        }
    }
    return false;
}

bool quantity_parse(struct span text, uint64_t *ret_bytes)
{
    size_t digits = count_digits(text);
    uint64_t number = 0;
    uint64_t factor = 0;
    if (!span_to_u64(span_cut(text, 0, digits), UINT64_MAX, &number) ||
        !suffix_factor(span_cut(text, digits, text.length), &factor) ||
        __builtin_mul_overflow(number, factor, &number)) {
        return false;
    }
    *ret_bytes = number;
    return true;
}
