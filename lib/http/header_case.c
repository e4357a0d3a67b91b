#include "lib/http/header_case.h"

#include <string.h>

enum {
    NIBBLE_BITS = 4,
    RUN_DIGITS = 5, /* more fields than any limit lets through */
};

enum name_case { CASE_LOWER, CASE_TITLE, CASE_UPPER, CASE_MIXED };

static bool is_upper(char byte)
{
    return byte >= 'A' && byte <= 'Z';
}

static bool is_letter(char byte)
{
    return is_upper((char)(byte & ~0x20));
}

static enum name_case spelling_of(struct span name)
{
    bool any_capital = false;
    bool any_small = false;
    bool title = true; /* capitals where words begin, and nowhere else */
    bool begins = true;
    for (size_t i = 0; i < name.length; i++) {
        if (is_letter(name.at[i])) {
            bool capital = is_upper(name.at[i]);
            any_capital |= capital;
            any_small |= !capital;
            title &= capital == begins;
        }
        begins = name.at[i] == '-';
    }
    if (!any_capital) {
        return CASE_LOWER;
    }
    return title ? CASE_TITLE : any_small ? CASE_MIXED : CASE_UPPER;
}

/* Most names are known, and written in one of two ways. */
static enum name_case name_case_of(const struct header *field)
{
    enum header_token token = (enum header_token)field->token;
    if (token != HEADER_UNKNOWN && span_equal(field->name, header_token_title(token))) {
        return CASE_TITLE;
    }
    if (token != HEADER_UNKNOWN && span_equal(field->name, header_token_name(token))) {
        return CASE_LOWER;
    }
    return spelling_of(field->name);
}

struct case_text {
    char bytes[HEADER_CASE_BYTES];
    size_t length;
    bool full;
};

static void case_add(struct case_text *text, char byte)
{
    if (text->length == sizeof(text->bytes)) {
        text->full = true;
        return;
    }
    text->bytes[text->length++] = byte;
}

static void case_add_run(struct case_text *text, enum name_case kind, unsigned run)
{
    if (run == 0) {
        return;
    }
    if (text->length > 0) {
        case_add(text, '.');
    }
    case_add(text, "ltu"[kind]);
    if (run > 1) {
        char digits[RUN_DIGITS + 1];
        unsigned count = 0;
        for (; run > 0 && count < sizeof(digits); run /= 10) {
            digits[count++] = (char)('0' + run % 10);
        }
        while (count > 0) {
            case_add(text, digits[--count]);
        }
    }
}

/* Hex digit k holds bytes 4k to 4k+3, the first in the lowest bit; zeros at the end are left out.
 */
static void case_add_bitmap(struct case_text *text, struct span name)
{
    if (text->length > 0) {
        case_add(text, '.');
    }
    case_add(text, 'x');
    size_t last = name.length;
    while (last > 0 && !is_upper(name.at[last - 1])) {
        last--;
    }
    for (size_t at = 0; at < last; at += NIBBLE_BITS) {
        unsigned nibble = 0;
        for (unsigned bit = 0; bit < NIBBLE_BITS && at + bit < last; bit++) {
            nibble |= (unsigned)is_upper(name.at[at + bit]) << bit;
        }
        case_add(text, "0123456789abcdef"[nibble]);
    }
}

bool header_case_encode(const struct headers *headers, struct arena *arena, struct span *ret_value)
{
    struct case_text text = {.length = 0};
    enum name_case run_kind = CASE_LOWER;
    unsigned run = 0;
    bool all_lower = true;
    HEADERS_EACH(headers, field)
    {
        enum name_case kind = name_case_of(field);
        all_lower &= kind == CASE_LOWER;
        if (kind == run_kind && kind != CASE_MIXED) {
            run++;
            continue;
        }
        if (run_kind != CASE_MIXED) {
            case_add_run(&text, run_kind, run);
        }
        run = kind == CASE_MIXED ? 0 : 1;
        run_kind = kind;
        if (kind == CASE_MIXED) {
            case_add_bitmap(&text, field->name);
        }
    }
    if (run_kind != CASE_MIXED) {
        case_add_run(&text, run_kind, run);
    }
    if (all_lower || text.full) {
        return false;
    }
    *ret_value = arena_span(arena, span_make(text.bytes, text.length));
    return true;
}

/* One token of a value: what it says and for how many fields. */
struct case_token {
    enum name_case kind;
    uint64_t run;
    struct span bitmap;
};

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool token_read(struct span text, struct case_token *ret)
{
    if (text.length == 0) {
        return false;
    }
    const char *kind = memchr("ltux", text.at[0], 4);
    if (kind == NULL) {
        return false;
    }
    struct span rest = span_cut(text, 1, text.length);
    *ret = (struct case_token){
        .kind = (enum name_case)(strchr("ltux", *kind) - strchr("ltux", 'l')), .run = 1};
    if (ret->kind == CASE_MIXED) {
        ret->bitmap = rest;
        for (size_t i = 0; i < rest.length; i++) {
            if (hex_digit(rest.at[i]) < 0) {
                return false;
            }
        }
        return rest.length > 0;
    }
    return rest.length == 0 ||
           (rest.length <= RUN_DIGITS && span_to_u64(rest, UINT32_MAX, &ret->run) && ret->run > 0);
}

static bool bitmap_capital(struct span bitmap, size_t at)
{
    size_t digit = at / NIBBLE_BITS;
    return digit < bitmap.length &&
           ((unsigned)hex_digit(bitmap.at[digit]) >> (at % NIBBLE_BITS) & 1U) != 0;
}

static bool bitmap_fits(struct span bitmap, struct span name)
{
    for (size_t i = 0; i < bitmap.length * NIBBLE_BITS; i++) {
        if (bitmap_capital(bitmap, i) && (i >= name.length || !is_letter(name.at[i]))) {
            return false;
        }
    }
    return true;
}

static struct header *next_field(const struct headers *headers, uint32_t *index)
{
    while (*index < headers->count) {
        struct header *field = &headers->items[(*index)++];
        if (!field->removed) {
            return field;
        }
    }
    return NULL;
}

/* Whether the value has one token for each field, and each bitmap fits its name. */
static bool value_fits(const struct headers *headers, struct span value)
{
    uint32_t index = 0;
    struct span text;
    while (span_next(&value, '.', &text)) {
        struct case_token token;
        if (!token_read(text, &token)) {
            return false;
        }
        for (uint64_t i = 0; i < token.run; i++) {
            const struct header *field = next_field(headers, &index);
            if (field == NULL ||
                (token.kind == CASE_MIXED && !bitmap_fits(token.bitmap, field->name))) {
                return false;
            }
        }
    }
    return next_field(headers, &index) == NULL;
}

static void rewrite_name(struct header *field, struct arena *arena, const struct case_token *token)
{
    if (token->kind == CASE_LOWER || field->name.length == 0) {
        return;
    }
    if (token->kind == CASE_TITLE && field->token != HEADER_UNKNOWN) {
        field->name = header_token_title((enum header_token)field->token);
        return;
    }
    char *name = arena_dup(arena, field->name.at, field->name.length);
    bool begins = true;
    for (size_t i = 0; i < field->name.length; i++) {
        bool capital = token->kind == CASE_UPPER || (token->kind == CASE_TITLE && begins) ||
                       (token->kind == CASE_MIXED && bitmap_capital(token->bitmap, i));
        begins = name[i] == '-';
        if (capital && name[i] >= 'a' && name[i] <= 'z') {
            name[i] = (char)(name[i] & ~0x20);
        }
    }
    field->name.at = name;
}

void header_case_apply(struct headers *headers, struct arena *arena, struct span value)
{
    if (value.length == 0 || value.length > HEADER_CASE_BYTES || !value_fits(headers, value)) {
        return;
    }
    uint32_t index = 0;
    struct span text;
    while (span_next(&value, '.', &text)) {
        struct case_token token;
        if (!token_read(text, &token)) {
            return;
        }
        for (uint64_t i = 0; i < token.run; i++) {
            rewrite_name(next_field(headers, &index), arena, &token);
        }
    }
}
