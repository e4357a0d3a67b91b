#include "proxy/admin/query.h"

struct span query_split(struct span target, struct span *ret_query)
{
    size_t at = span_find_byte(target, '?');
    *ret_query = span_cut(target, at + 1, target.length);
    return span_cut(target, 0, at);
}

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool decode(struct span text, struct arena *arena, struct span *ret)
{
    char *bytes = arena_alloc(arena, text.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        int byte = (unsigned char)text.at[i];
        if (byte == '%') {
            int high = text.length - i > 2 ? hex_digit(text.at[i + 1]) : -1;
            int low = text.length - i > 2 ? hex_digit(text.at[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            byte = high * 16 + low;
            i += 2;
        } else if (byte == '+') {
            byte = ' ';
        }
        if (byte < 0x20 || byte == 0x7f) {
            return false;
        }
        bytes[length++] = (char)byte;
    }
    *ret = span_make(bytes, length);
    return true;
}

bool query_value(struct span query, struct span name, size_t n, struct arena *arena,
                 struct span *ret_value)
{
    struct span pair;
    while (span_next(&query, '&', &pair)) {
        size_t equals = span_find_byte(pair, '=');
        if (span_equal(span_cut(pair, 0, equals), name) && n-- == 0) {
            return decode(span_cut(pair, equals + 1, pair.length), arena, ret_value);
        }
    }
    return false;
}
