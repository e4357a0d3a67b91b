#include "lib/base/utf8.h"

#include "lib/base/text.h"

#include <string.h>

/* The second byte of a sequence is the one that shows overlong forms, surrogates and too large
 * values. */
static bool second_byte_valid(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return second >= 0x80 && second <= 0xbf;
    }
}

static size_t sequence_length(unsigned char first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        return 2;
    }
    if (first >= 0xe0 && first <= 0xef) {
        return 3;
    }
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

size_t utf8_sequence(struct span text)
{
    if (text.length == 0) {
        return 0;
    }
    const unsigned char *bytes = (const unsigned char *)text.at;
    size_t length = sequence_length(bytes[0]);
    if (length > text.length) {
        return 0;
    }
    if (length > 1 && !second_byte_valid(bytes[0], bytes[1])) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

size_t utf8_printable_prefix(struct span text)
{
    size_t i = 0;
    while (i < text.length && (unsigned char)text.at[i] >= 0x20 &&
           (unsigned char)text.at[i] < 0x7f) {
        i++;
    }
    return i;
}

bool utf8_valid(struct span bytes)
{
    size_t at = 0;
    while (at < bytes.length) {
        size_t plain = utf8_printable_prefix(span_cut(bytes, at, bytes.length));
        at += plain;
        if (at == bytes.length) {
            return true;
        }
        size_t length = utf8_sequence(span_cut(bytes, at, bytes.length));
        if (length == 0 || bytes.at[at] == '\0') {
            return false;
        }
        at += length;
    }
    return true;
}
