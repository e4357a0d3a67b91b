#ifndef REMORA_HTTP_HEADERS_H
#define REMORA_HTTP_HEADERS_H

#include "lib/base/arena.h"

/*
 * An ordered list of header fields. Names keep the spelling they came with; comparison is without
 * case; known names carry a token so that nobody compares text twice. Spans point into the arena or
 * into static memory. Fields that are removed stay in the array, marked, so that removal is one
 * store.
 */
enum header_token {
    HEADER_UNKNOWN,
#define HEADER(symbol, name, flags) HEADER_##symbol,
#include "lib/http/header_name.def"
#undef HEADER
    HEADER_TOKENS
};

enum header_flag {
    HEADER_FLAG_HOP = 1,
    HEADER_FLAG_TRAILER_NO = 2,
    HEADER_FLAG_PROTECTED = 4,
    HEADER_FLAG_INTERNAL = 8,
    HEADER_FLAG_UNIQUE = 16,
};

struct header {
    struct span name;
    struct span value;
    uint8_t token; /* enum header_token */
    bool removed;
    bool sensitive; /* never indexed by HPACK: authorization, cookies (RFC 7541 7.1.3) */
};

struct headers {
    struct header *items;
    uint32_t count; /* with removed ones */
    uint32_t capacity;
    struct arena *arena;
    uint64_t
        seen; /* one bit for each token that was ever put in: most that are asked for are not */
};

void headers_init(struct headers *headers, struct arena *arena);
/* Appends; the spans must live as long as the arena. Finds the token itself. */
struct header *headers_add(struct headers *headers, struct span name, struct span value);
/* The same where the token of the name was found before. */
struct header *headers_add_found(struct headers *headers, enum header_token token, struct span name,
                                 struct span value);
/* The same where only the token is known: the name is the token's own. */
struct header *headers_add_token(struct headers *headers, enum header_token token,
                                 struct span value);
/* Appends copies. */
struct header *headers_add_copy(struct headers *headers, struct span name, struct span value);
/* First field that is not removed; NULL when there is none. */
struct header *headers_find(const struct headers *headers, enum header_token token);
struct header *headers_find_name(const struct headers *headers, struct span name);
/* Value of the first such field; empty span with at == NULL when there is none. */
struct span headers_value(const struct headers *headers, enum header_token token);
/* Marks every field of that name removed; returns how many. */
size_t headers_remove(struct headers *headers, enum header_token token);
size_t headers_remove_name(struct headers *headers, struct span name);
/* Removes all of that name and adds one. */
void headers_set_token(struct headers *headers, enum header_token token, struct span value);
void headers_set_name(struct headers *headers, struct span name, struct span value);
/* All fields into another list: spans are shared, so the arena of `from` must live as long. */
void headers_append_all(struct headers *to, const struct headers *from);

enum header_token header_token_of(struct span name);
struct span header_token_name(enum header_token token);
/* The same with a capital where a word begins, as HTTP/1 mostly has it: "Content-Type". */
struct span header_token_title(enum header_token token);
unsigned header_token_flags(enum header_token token);

/* RFC 9110 5.1 and 5.5: token characters; no control bytes but HTAB, no blank at the ends. */
bool header_name_valid(struct span name);
bool header_value_valid(struct span value);
/* Both, of a field of a list: a name that has a token needs no look. */
bool header_valid(const struct header *field);

/* Walks fields that are not removed. */
#define HEADERS_EACH(headers, field)                                                               \
    for (struct header *field = (headers)->items; field < (headers)->items + (headers)->count;     \
         field++)                                                                                  \
        if (!field->removed)

#endif
