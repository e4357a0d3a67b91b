#include "lib/base/text.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"
#include "lib/base/utf8.h"

#include <stdio.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

void text_init(struct text *text)
{
    *text = (struct text){0};
}

void text_done(struct text *text)
{
    mem_free(text->bytes);
    *text = (struct text){0};
}

void text_clear(struct text *text)
{
    text->length = 0;
    text->truncated = false;
    if (text->bytes != NULL) {
        text->bytes[0] = '\0';
    }
}

/* Makes room for length more bytes and the NUL; false when the limit forbids them. */
static bool reserve(struct text *text, size_t length)
{
    if (text->truncated) {
        return false;
    }
    CHECK(length < SIZE_MAX / 2 - text->length);
    if (text->limit > 0 && text->length + length > text->limit) {
        text->truncated = true;
        return false;
    }
    if (text->length + length + 1 > text->capacity) {
        size_t wanted = text->length + length + 1;
        mem_grow(&text->bytes, &text->capacity, wanted < 64 ? 64 : wanted, 1);
    }
    return true;
}

void text_add(struct text *text, struct span bytes)
{
    if (!reserve(text, bytes.length)) {
        return;
    }
    if (bytes.length > 0) {
        memcpy(text->bytes + text->length, bytes.at, bytes.length);
        text->length += bytes.length;
    }
    text->bytes[text->length] = '\0';
}

void text_add_text(struct text *text, const char *bytes)
{
    text_add(text, span_of(bytes));
}

void text_add_byte(struct text *text, char byte)
{
    if (reserve(text, 1)) {
        text->bytes[text->length++] = byte;
        text->bytes[text->length] = '\0';
    }
}

void text_add_u64(struct text *text, uint64_t number)
{
    char digits[SPAN_U64_BYTES];
    text_add(text, span_from_u64(number, digits));
}

void text_add_i64(struct text *text, int64_t number)
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%lld", (long long)number);
    text_add(text, span_make(digits, (size_t)length));
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(text, format, arguments);
    va_end(arguments);
}

void text_vprintf(struct text *text, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    CHECK(length >= 0);
    if (reserve(text, (size_t)length)) {
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

/* Takes back what was added since, so that an addition that did not fit is left out whole. */
static void cut_back(struct text *text, size_t length)
{
    if (text->length > length) {
        text->length = length;
        text->bytes[length] = '\0';
    }
}

static void add_json_escape(struct text *text, unsigned code)
{
    switch (code) {
    case '"':
        text_add(text, SPAN("\\\""));
        break;
    case '\\':
        text_add(text, SPAN("\\\\"));
        break;
    case '\n':
        text_add(text, SPAN("\\n"));
        break;
    case '\r':
        text_add(text, SPAN("\\r"));
        break;
    case '\t':
        text_add(text, SPAN("\\t"));
        break;
    default:
        text_printf(text, "\\u%04x", code);
    }
}

/* The control character (C0, DEL, C1) or JSON's own at the front, else 0 in *ret_code. */
static size_t json_special(struct span rest, size_t sequence, unsigned *ret_code)
{
    const unsigned char *bytes = (const unsigned char *)rest.at;
    *ret_code = 0;
    if (sequence == 1 &&
        (bytes[0] < 0x20 || bytes[0] == '"' || bytes[0] == '\\' || bytes[0] == 0x7f)) {
        *ret_code = bytes[0];
        return 1;
    }
    if (sequence == 2 && bytes[0] == 0xc2 && bytes[1] < 0xa0) {
        /* A terminal may obey these as it obeys ESC [. */
        *ret_code = bytes[1];
        return 2;
    }
    return 0;
}

void text_add_json(struct text *text, struct span bytes)
{
    size_t start = text->length;
    size_t done = 0; /* everything before it is in the text */
    size_t at = 0;
    text_add_byte(text, '"');
    while (at < bytes.length) {
        struct span rest = span_cut(bytes, at, bytes.length);
        size_t sequence = utf8_sequence(rest);
        unsigned code = 0;
        size_t special = sequence > 0 ? json_special(rest, sequence, &code) : 1;
        if (special == 0) {
            at += sequence;
            continue;
        }
        text_add(text, span_cut(bytes, done, at));
        if (sequence == 0) {
            text_add(text, SPAN(REPLACEMENT));
        } else {
            add_json_escape(text, code);
        }
        at += special;
        done = at;
    }
    text_add(text, span_cut(bytes, done, at));
    text_add_byte(text, '"');
    if (text->truncated) {
        cut_back(text, start);
    }
}

void text_add_label(struct text *text, struct span bytes)
{
    size_t start = text->length;
    size_t done = 0;
    size_t at = 0;
    text_add_byte(text, '"');
    while (at < bytes.length) {
        size_t sequence = utf8_sequence(span_cut(bytes, at, bytes.length));
        char first = bytes.at[at];
        if (sequence > 1 || (sequence == 1 && first != '"' && first != '\\' && first != '\n')) {
            at += sequence;
            continue;
        }
        text_add(text, span_cut(bytes, done, at));
        if (sequence == 0) {
            text_add(text, SPAN(REPLACEMENT));
        } else {
            text_add_byte(text, '\\');
            text_add_byte(text, first == '\n' ? 'n' : first);
        }
        done = ++at;
    }
    text_add(text, span_cut(bytes, done, at));
    text_add_byte(text, '"');
    if (text->truncated) {
        cut_back(text, start);
    }
}

struct span text_span(const struct text *text)
{
    return span_make(text->bytes, text->length);
}

char *text_take(struct text *text)
{
    char *bytes = text->bytes != NULL ? text->bytes : mem_strdup("");
    text->bytes = NULL;
    text_done(text);
    return bytes;
}
