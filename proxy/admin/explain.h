#ifndef REMORA_PROXY_ADMIN_EXPLAIN_H
#define REMORA_PROXY_ADMIN_EXPLAIN_H

#include "lib/base/text.h"
#include "lib/http/http_head.h"
#include "proxy/request/worker_scope.h"

/*
 * What would happen to a request or connection of the local application, and why: which phone-book
 * entry, listener, route, clusters and endpoints, over which kind of TLS, with which times and
 * retries, or which word of failure.def. Nothing is sent, asked for or changed.
 */
enum { EXPLAIN_HEADERS = 16, EXPLAIN_TEXT_BYTES = 8192 };

struct explain_question {
    struct http_head head; /* as the application would send it; the method is GET if not said */
    struct span host;      /* name or address */
    uint16_t port;
    bool is_http; /* a URL was given: routes are asked */
};

/*
 * url: "http://HOST[:PORT]/PATH?QUERY" or "https://..." (then the bytes are the application's own
 * TLS, and routes are not seen); else to: "HOST:PORT". Further header fields as "name: value". All
 * in the arena. False and a static text when it makes no question.
 */
struct explain_wish {
    struct span url, to, method;
    const struct span *fields;
    size_t field_count;
};
bool explain_question_read(const struct explain_wish *wish, struct arena *arena,
                           struct explain_question *ret, const char **ret_reason);

/* A JSON object. Worker's thread. */
void explain_write(const struct explain_question *question, struct worker_scope *scope,
                   struct text *json);

#endif
