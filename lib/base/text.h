#ifndef REMORA_BASE_TEXT_H
#define REMORA_BASE_TEXT_H

#include "lib/base/span.h"

#include <stdarg.h>

/*
 * A text that grows. Always NUL-terminated behind length once something was added. A limit (0 =
 * none) bounds it: what would go beyond is left out whole and truncated is set. All zero bytes =
 * empty.
 */
struct text {
    char *bytes;
    size_t length;
    size_t capacity;
    size_t limit;
    bool truncated;
};

void text_init(struct text *text);
void text_done(struct text *text);
void text_clear(struct text *text);
void text_add(struct text *text, struct span bytes);
void text_add_text(struct text *text, const char *bytes);
void text_add_byte(struct text *text, char byte);
void text_add_u64(struct text *text, uint64_t number);
void text_add_i64(struct text *text, int64_t number);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *text, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
/*
 * A JSON string with its quotes. Control bytes are escaped; bytes that are not valid UTF-8 become
 * U+FFFD each, so that the result is always valid JSON.
 */
void text_add_json(struct text *text, struct span bytes);
/* Prometheus label value with its quotes: backslash, quote and newline escaped, not UTF-8 replaced.
 */
void text_add_label(struct text *text, struct span bytes);
struct span text_span(const struct text *text);
/* Gives the bytes to the caller (mem_free) and leaves the text empty. Never NULL. */
char *text_take(struct text *text);

/* Valid UTF-8 without overlong forms, surrogates and NUL. */
bool utf8_valid(struct span bytes);

#endif
