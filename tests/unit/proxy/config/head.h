#ifndef REMORA_TESTS_UNIT_PROXY_CONFIG_HEAD_H
#define REMORA_TESTS_UNIT_PROXY_CONFIG_HEAD_H

#include "lib/http/http_head.h"

/*
 * A request head from a few words: "GET http://api:8080/a?b=c", then "name: value" lines, NULL at
 * the end. Without scheme and authority: "GET /a".
 */
void head_make(struct http_head *head, struct arena *arena, const char *line,
               const char *const *fields);

#endif
