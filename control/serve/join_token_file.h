#ifndef REMORA_CONTROL_SERVE_JOIN_TOKEN_FILE_H
#define REMORA_CONTROL_SERVE_JOIN_TOKEN_FILE_H

#include "control/serve/join_token.h"

/*
 * The inside of join_tokens: its list, and the file's form: one JSON object {"version": 1,
 * "tokens": [...]}. All zero = empty.
 */
struct join_token_list {
    struct join_token *items;
    size_t count;
    size_t capacity;
};

void join_token_list_done(struct join_token_list *list);
/* Zeroed, at the end. Valid until the next change. */
struct join_token *join_token_list_add(struct join_token_list *list);
void join_token_list_remove(struct join_token_list *list, size_t at);

void join_token_list_write(const struct join_token_list *list, struct text *into);
/* Into an empty list. False and a text (KEYSTORE_REASON_BYTES); the list is empty then. */
bool join_token_list_read(struct join_token_list *list, struct span bytes, char *reason);

#endif
