#ifndef REMORA_HTTP_HTTP_CLIENT_H
#define REMORA_HTTP_HTTP_CLIENT_H

#include "lib/http/http_conn.h"
#include "lib/tls/tls_transport.h"

/*
 * One request to one address on a connection of its own, with one answer: for health checks, JWKS,
 * the Kubernetes API and the like; the request path has pools instead. The response is gathered up
 * to a limit. on_done comes exactly once, from the loop, unless http_call_cancel comes first.
 */
struct http_call;

struct http_call_options {
    struct address to;
    const struct tls_transport_options *tls; /* NULL = plain; used before return, not kept */
    enum http_codec codec;            /* with TLS: what ALPN says, and this where it says nothing */
    const struct http_limits *limits; /* NULL = the defaults; must outlive the call */
    struct span method;               /* empty = GET */
    struct span authority;
    struct span path;             /* empty = "/" */
    const struct headers *fields; /* NULL = none; copied */
    struct span body;             /* copied; empty = none, unless the method is POST or PUT */
    size_t response_limit;        /* of the body; 0 = 1 MiB */
    int64_t timeout_ms;           /* for all of it; > 0 */
};

struct http_result {
    enum failure failure;           /* NONE = a whole response came */
    const char *detail;             /* static text or NULL */
    const struct http_head *head;   /* NULL on failure */
    const struct headers *trailers; /* NULL = none */
    struct span body;
};

/* The result lives until on_done returns. */
struct http_call *http_call_start(struct loop *loop, const struct http_call_options *options,
                                  void (*on_done)(void *owner, const struct http_result *result),
                                  void *owner);
/* The same over a transport from elsewhere, which it takes over; options.to and .tls are not used.
 */
struct http_call *http_call_over(struct transport *transport,
                                 const struct http_call_options *options,
                                 void (*on_done)(void *owner, const struct http_result *result),
                                 void *owner);
/* No callback comes any more. Takes NULL; must not be called after on_done. */
void http_call_cancel(struct http_call *call);

#endif
