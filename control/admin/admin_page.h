#ifndef REMORA_CONTROL_ADMIN_ADMIN_PAGE_H
#define REMORA_CONTROL_ADMIN_ADMIN_PAGE_H

#include "control/admin/admin_server.h"

/* The pages of admin_server: each writes one JSON value, or text for metrics. */
void page_metrics(const struct admin_server_options *of, struct loop *loop, struct text *into);
void page_version(const struct admin_server_options *of, struct text *into);
/* Every object with its conditions, and what is wrong with the files. */
void page_status(const struct admin_server_options *of, struct text *into);
void page_proxies(const struct admin_server_options *of, struct text *into);
/* False when no proxy of that id is connected. */
bool page_config(const struct admin_server_options *of, struct span proxy, struct text *into);
void page_top(const struct admin_server_options *of, int64_t now_ns, struct text *into);
void page_ca(const struct admin_server_options *of, struct text *into);

/* Answers an HTTP status; into gets the JSON, {"error": ...} where it is not 200. */
void page_tokens(const struct join_tokens *tokens, struct text *into);
uint16_t page_token_create(struct join_tokens *tokens, struct span body, struct text *into);
uint16_t page_token_revoke(struct join_tokens *tokens, struct span id, struct text *into);
void page_error(const char *words, struct text *into);

#endif
