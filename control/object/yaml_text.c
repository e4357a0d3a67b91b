#include "control/object/yaml_text.h"

#include "control/object/value.h"
#include "lib/base/utf8.h"

enum { OPEN_BRACKETS = 4096 };

struct look {
    uint32_t line;
    size_t opened; /* in all: each is a node */
    size_t open;   /* now */
};

static const char *look_at_byte(struct look *look, unsigned char byte)
{
    if (byte == '[' || byte == '{') {
        look->opened++;
        look->open++;
    } else if ((byte == ']' || byte == '}') && look->open > 0) {
        look->open--;
    } else if (byte == '\n') {
        look->line++;
    }
    return look->open > OPEN_BRACKETS   ? "nested deeper than 32"
           : look->opened > VALUE_NODES ? "too many values, or aliases that stand for too many"
                                        : NULL;
}

bool yaml_text_check(struct span bytes, struct problems *problems)
{
    struct look look = {.line = 1};
    size_t at = 0;
    while (at < bytes.length) {
        unsigned char byte = (unsigned char)bytes.at[at];
        size_t length =
            byte != 0 && byte < 0x80 ? 1 : utf8_sequence(span_cut(bytes, at, bytes.length));
        bool control = byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r';
        if (length == 0 || byte == 0x7f || control) {
            problems_add(problems, look.line, SPAN_EMPTY, SPAN_EMPTY,
                         "not text: byte 0x%02x; a manifest is UTF-8", byte);
            return false;
        }
        const char *wrong = look_at_byte(&look, byte);
        if (wrong != NULL) {
            problems_add(problems, look.line, SPAN_EMPTY, SPAN_EMPTY, "%s", wrong);
            return false;
        }
        at += length;
    }
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* From a line break on: blanks around it go, one break is a space, each further one a line. */
static size_t fold(struct span raw, size_t at, char *into, size_t *length)
{
    size_t breaks = 0;
    while (*length > 0 && is_blank(into[*length - 1])) {
        (*length)--;
    }
    while (at < raw.length && (raw.at[at] == '\n' || is_blank(raw.at[at]))) {
        breaks += raw.at[at] == '\n' ? 1 : 0;
        at++;
    }
    if (breaks == 1) {
        into[(*length)++] = ' ';
    }
    for (size_t i = 1; i < breaks; i++) {
        into[(*length)++] = '\n';
    }
    return at;
}

struct span yaml_unquote_single(struct span raw, struct arena *arena)
{
    char *into = arena_alloc(arena, raw.length + 1);
    size_t length = 0;
    size_t at = 0;
    while (at < raw.length) {
        if (raw.at[at] == '\n') {
            at = fold(raw, at, into, &length);
        } else {
            at += raw.at[at] == '\'' && at + 1 < raw.length ? 1 : 0;
            into[length++] = raw.at[at++];
        }
    }
    return span_make(into, length);
}
