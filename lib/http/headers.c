#include "lib/http/headers.h"

#include "lib/base/check.h"

#include <string.h>

enum {
    LONGEST_NAME = 32,
    FIRST_CAPACITY = 16, /* most requests fit: one array an arena */
    TABLE_SLOTS =
        256, /* five times the names, so that an unknown name mostly meets an empty slot */
};

#define HOP HEADER_FLAG_HOP
#define TRAILER_NO HEADER_FLAG_TRAILER_NO
#define PROTECTED HEADER_FLAG_PROTECTED
#define INTERNAL HEADER_FLAG_INTERNAL
#define UNIQUE HEADER_FLAG_UNIQUE

static const struct known_name {
    struct span name;
    unsigned flags;
} known_names[HEADER_TOKENS] = {
#define HEADER(symbol, text, bits) [HEADER_##symbol] = {{text, sizeof(text) - 1}, bits},
#include "lib/http/header_name.def"
#undef HEADER
};

#undef HOP
#undef TRAILER_NO
#undef PROTECTED
#undef INTERNAL
#undef UNIQUE

/* Bytes of a token (RFC 9110 5.6.2). */
static const bool token_bytes[256] = {
    ['!'] = true,         ['#'] = true,         ['$'] = true,         ['%'] = true, ['&'] = true,
    ['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true, ['.'] = true,
    ['^'] = true,         ['_'] = true,         ['`'] = true,         ['|'] = true, ['~'] = true,
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

/* Filled once before main, read only afterwards. token_slots: open addressing. */
static uint8_t token_slots[TABLE_SLOTS];
static char title_names[HEADER_TOKENS][LONGEST_NAME];

static unsigned name_slot(struct span name)
{
    /* Bit 0x20 folds the case of letters; the names differ in length and at these four places. */
    unsigned first = (unsigned char)name.at[0] | 0x20U;
    unsigned middle = (unsigned char)name.at[name.length / 2] | 0x20U;
    unsigned late = (unsigned char)name.at[name.length * 3 / 4] | 0x20U;
    unsigned last = (unsigned char)name.at[name.length - 1] | 0x20U;
    unsigned mixed = (unsigned)name.length * 0x9E3779B1U + first * 0x85EBCA6BU +
                     middle * 0xC2B2AE35U + late * 0x27D4EB2FU + last * 0x165667B1U;
    return (mixed >> 16) % TABLE_SLOTS;
}

static void fill_title(struct span name, char *title)
{
    CHECK(name.length <= LONGEST_NAME);
    for (size_t i = 0; i < name.length; i++) {
        bool begins = i == 0 || name.at[i - 1] == '-';
        bool small = name.at[i] >= 'a' && name.at[i] <= 'z';
        title[i] = begins && small ? (char)(name.at[i] & ~0x20) : name.at[i];
    }
}

__attribute__((constructor)) static void fill_tables(void)
{
    for (unsigned token = 1; token < HEADER_TOKENS; token++) {
        fill_title(known_names[token].name, title_names[token]);
        unsigned slot = name_slot(known_names[token].name);
        while (token_slots[slot] != HEADER_UNKNOWN) {
            slot = (slot + 1) % TABLE_SLOTS;
        }
        token_slots[slot] = (uint8_t)token;
    }
}

enum header_token header_token_of(struct span name)
{
    if (name.length == 0) {
        return HEADER_UNKNOWN;
    }
    for (unsigned slot = name_slot(name); token_slots[slot] != HEADER_UNKNOWN;
         slot = (slot + 1) % TABLE_SLOTS) {
        if (span_equal_nocase(known_names[token_slots[slot]].name, name)) {
            return (enum header_token)token_slots[slot];
        }
    }
    return HEADER_UNKNOWN;
}

struct span header_token_name(enum header_token token)
{
    CHECK((unsigned)token < HEADER_TOKENS);
    return known_names[token].name;
}

struct span header_token_title(enum header_token token)
{
    return span_make(title_names[token], header_token_name(token).length);
}

unsigned header_token_flags(enum header_token token)
{
    CHECK((unsigned)token < HEADER_TOKENS);
    return known_names[token].flags;
}

bool header_name_valid(struct span name)
{
    for (size_t i = 0; i < name.length; i++) {
        if (!token_bytes[(unsigned char)name.at[i]]) {
            return false;
        }
    }
    return name.length > 0;
}

/* One of eight bytes is below 0x20 or is 0x7f. */
static bool word_has_control(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101U;
    const uint64_t highs = 0x8080808080808080U;
    uint64_t below = (word - ones * 0x20) & ~word & highs;
    uint64_t flipped = word ^ (ones * 0x7f);
    uint64_t delete = (flipped - ones) & ~flipped & highs;
    return (below | delete) != 0;
}

static bool byte_is_control(char byte)
{
    unsigned char value = (unsigned char)byte;
    return (value < 0x20 && value != '\t') || value == 0x7f;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static bool has_control(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (byte_is_control(bytes[i])) {
            return true;
        }
    }
    return false;
}

/* Of eight bytes; that of a word may only be a HTAB. */
static bool eight_have_control(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word_has_control(word) && has_control(bytes, sizeof(word));
}

bool header_value_valid(struct span value)
{
    if (value.length == 0) {
        return true;
    }
    if (is_blank(value.at[0]) || is_blank(value.at[value.length - 1])) {
        return false;
    }
    if (value.length < sizeof(uint64_t)) {
        return !has_control(value.at, value.length);
    }
    size_t last = value.length - sizeof(uint64_t);
    for (size_t i = 0; i < last; i += sizeof(uint64_t)) {
        if (eight_have_control(value.at + i)) {
            return false;
        }
    }
    /* The last eight may have been looked at in part. */
    return !eight_have_control(value.at + last);
}

bool header_valid(const struct header *field)
{
    return (field->token != HEADER_UNKNOWN || header_name_valid(field->name)) &&
           header_value_valid(field->value);
}

void headers_init(struct headers *headers, struct arena *arena)
{
    *headers = (struct headers){.arena = arena};
}

static struct header *headers_slot(struct headers *headers)
{
    if (headers->count == headers->capacity) {
        uint32_t capacity = headers->capacity == 0 ? FIRST_CAPACITY : headers->capacity * 2;
        CHECK(capacity > headers->count);
        struct header *items = arena_alloc(headers->arena, capacity * sizeof(*items));
        if (headers->count > 0) {
            memcpy(items, headers->items, headers->count * sizeof(*items));
        }
        headers->items = items;
        headers->capacity = capacity;
    }
    return &headers->items[headers->count++];
}

static bool token_sensitive(enum header_token token)
{
    return token == HEADER_AUTHORIZATION || token == HEADER_COOKIE || token == HEADER_SET_COOKIE;
}

_Static_assert(HEADER_TOKENS <= 64, "headers.seen has a bit for each token");

static bool may_have(const struct headers *headers, enum header_token token)
{
    return (headers->seen >> (unsigned)token & 1U) != 0;
}

static struct header *headers_put(struct headers *headers, enum header_token token,
                                  struct span name, struct span value)
{
    struct header *field = headers_slot(headers);
    headers->seen |= (uint64_t)1 << (unsigned)token;
    *field = (struct header){
        .name = name,
        .value = value,
        .token = (uint8_t)token,
        .sensitive = token_sensitive(token),
    };
    return field;
}

struct header *headers_add(struct headers *headers, struct span name, struct span value)
{
    return headers_put(headers, header_token_of(name), name, value);
}

struct header *headers_add_found(struct headers *headers, enum header_token token, struct span name,
                                 struct span value)
{
    return headers_put(headers, token, name, value);
}

struct header *headers_add_token(struct headers *headers, enum header_token token,
                                 struct span value)
{
    CHECK(token != HEADER_UNKNOWN);
    return headers_put(headers, token, header_token_name(token), value);
}

struct header *headers_add_copy(struct headers *headers, struct span name, struct span value)
{
    enum header_token token = header_token_of(name);
    struct span kept = token != HEADER_UNKNOWN && span_equal(name, header_token_name(token))
                           ? header_token_name(token)
                           : arena_span(headers->arena, name);
    return headers_put(headers, token, kept, arena_span(headers->arena, value));
}

struct header *headers_find(const struct headers *headers, enum header_token token)
{
    if (!may_have(headers, token)) {
        return NULL;
    }
    HEADERS_EACH(headers, field)
    {
        if (field->token == token) {
            return field;
        }
    }
    return NULL;
}

static bool field_named(const struct header *field, enum header_token token, struct span name)
{
    return token != HEADER_UNKNOWN ? field->token == token : span_equal_nocase(field->name, name);
}

struct header *headers_find_name(const struct headers *headers, struct span name)
{
    enum header_token token = header_token_of(name);
    HEADERS_EACH(headers, field)
    {
        if (field_named(field, token, name)) {
            return field;
        }
    }
    return NULL;
}

struct span headers_value(const struct headers *headers, enum header_token token)
{
    const struct header *field = headers_find(headers, token);
    if (field == NULL) {
        return SPAN_EMPTY;
    }
    /* A field without a value is there: its span must not look like a missing one. */
    return field->value.at == NULL ? SPAN("") : field->value;
}

size_t headers_remove(struct headers *headers, enum header_token token)
{
    size_t removed = 0;
    if (!may_have(headers, token)) {
        return 0;
    }
    HEADERS_EACH(headers, field)
    {
        if (field->token == token) {
            field->removed = true;
            removed++;
        }
    }
    return removed;
}

size_t headers_remove_name(struct headers *headers, struct span name)
{
    enum header_token token = header_token_of(name);
    size_t removed = 0;
    HEADERS_EACH(headers, field)
    {
        if (field_named(field, token, name)) {
            field->removed = true;
            removed++;
        }
    }
    return removed;
}

void headers_set_token(struct headers *headers, enum header_token token, struct span value)
{
    headers_remove(headers, token);
    headers_add_token(headers, token, value);
}

void headers_set_name(struct headers *headers, struct span name, struct span value)
{
    headers_remove_name(headers, name);
    headers_add(headers, name, value);
}

void headers_append_all(struct headers *to, const struct headers *from)
{
    HEADERS_EACH(from, field)
    {
        *headers_slot(to) = *field;
    }
    to->seen |= from->seen;
}
