#include "lib/stats/label.h"

#include "lib/base/check.h"
#include "lib/base/utf8.h"

#include <string.h>

#define REPLACEMENT SPAN("\xef\xbf\xbd") /* U+FFFD */

static bool is_control(struct span sequence)
{
    unsigned char first = (unsigned char)sequence.at[0];
    if (sequence.length == 1) {
        return first < 0x20 || first == 0x7f;
    }
    return sequence.length == 2 && first == 0xc2 && (unsigned char)sequence.at[1] < 0xa0;
}

/* Writes at most STATS_LABEL_BYTES and returns how many. */
static size_t clean(struct span value, char *into)
{
    size_t length = 0;
    size_t at = 0;
    while (at < value.length) {
        struct span rest = span_cut(value, at, value.length);
        struct span part = span_cut(rest, 0, utf8_sequence(rest));
        at += part.length > 0 ? part.length : 1;
        if (part.length == 0 || is_control(part)) {
            part = REPLACEMENT;
        }
        if (length + part.length > STATS_LABEL_BYTES) {
            break;
        }
        memcpy(into + length, part.at, part.length);
        length += part.length;
    }
    return length;
}

static void add_label(struct label_key *key, struct span value)
{
    char *at = key->bytes + key->length;
    char *into = at + sizeof(uint16_t);
    size_t length = value.length;
    if (length <= STATS_LABEL_BYTES && utf8_printable_prefix(value) == length) {
        if (length > 0) {
            memcpy(into, value.at, length);
        }
    } else {
        length = clean(value, into);
    }
    uint16_t prefix = (uint16_t)length;
    memcpy(at, &prefix, sizeof(prefix));
    key->length += sizeof(prefix) + length;
}

void label_key_make(struct label_key *key, unsigned stat, const struct span *labels, size_t count)
{
    CHECK(count <= STATS_MAX_LABELS);
    uint32_t number = stat;
    memcpy(key->bytes, &number, sizeof(number));
    key->length = sizeof(number);
    for (size_t i = 0; i < count; i++) {
        add_label(key, labels[i]);
    }
}

struct span label_key_value(struct span key, size_t at)
{
    size_t place = sizeof(uint32_t);
    for (;;) {
        uint16_t length;
        CHECK(place + sizeof(length) <= key.length);
        memcpy(&length, key.at + place, sizeof(length));
        place += sizeof(length);
        if (at == 0) {
            return span_make(key.at + place, length);
        }
        at--;
        place += length;
    }
}
