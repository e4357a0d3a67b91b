#ifndef REMORA_HTTP_HTTP1_PARSER_H
#define REMORA_HTTP_HTTP1_PARSER_H

#include "lib/http/http_head.h"
#include "lib/http/http_limits.h"

/*
 * HTTP/1 heads from bytes, pure (RFC 9112). Strict: what is not plainly right is refused, never
 * repaired. Two steps, so that the bytes may move between reads and nothing is kept of an idle
 * connection but a few numbers:
 *
 *   http1_scan     finds the end of the head in a contiguous buffer that grows, line by line, and
 * refuses what is too long or has a line end other than CRLF. Never looks at a byte twice.
 *   http1_parse_*  takes the whole head apart in place, into a message owned by the caller.
 *
 * http1_message_head then copies the head into an arena: one copy of the bytes, spans moved along.
 */
struct http1_fault {
    enum failure
        failure; /* BAD_REQUEST, URI_TOO_LONG, HEADERS_TOO_LARGE, UNSUPPORTED_VERSION, UPSTREAM_* */
    const char *detail; /* static text */
};

enum http1_kind { HTTP1_REQUEST, HTTP1_RESPONSE, HTTP1_TRAILERS };
enum http1_result { HTTP1_MORE, HTTP1_DONE, HTTP1_FAILED };

/* All zero = nothing seen yet. Offsets are from the first byte of the message. */
struct http1_scan {
    uint32_t line;   /* where the unfinished line begins */
    uint32_t cursor; /* bytes looked at */
    uint32_t lines;
    bool skipped; /* an empty line came before the request line (RFC 9112 2.2: one is ignored) */
};

/* DONE: *ret_length bytes are the head with its empty line. FAILED: *ret_fault says why. */
enum http1_result http1_scan(struct http1_scan *scan, struct span bytes,
                             const struct http_limits *limits, enum http1_kind kind,
                             size_t *ret_length, struct http1_fault *ret_fault);

/* How the body of a message is delimited (RFC 9112 6.3). */
enum http1_framing {
    HTTP1_FRAMING_NONE,
    HTTP1_FRAMING_LENGTH,
    HTTP1_FRAMING_CHUNKED,
    HTTP1_FRAMING_CLOSE,  /* responses only */
    HTTP1_FRAMING_TUNNEL, /* 101, or 2xx to CONNECT; requests that ask for either: if accepted */
};

/* More fields than any limit lets through are never parsed. */
enum { HTTP1_FIELDS_MOST = 256 };

/* Spans point into the bytes that were parsed. Large: one a thread is enough. */
struct http1_message {
    struct http_head head; /* its fields lie in `fields` */
    enum http1_framing framing;
    bool keep_alive;      /* version and connection say that another message may follow */
    uint32_t underscored; /* fields dropped because they spell a protected name with '_' */
    struct span raw;
    struct header fields[HTTP1_FIELDS_MOST];
};

/* One for the thread, so that nobody keeps ten kilobytes of his own. Good until the next parse. */
struct http1_message *http1_message_scratch(void);

/* raw: exactly what http1_scan found. */
bool http1_parse_request(struct span raw, const struct http_limits *limits,
                         struct http1_message *ret, struct http1_fault *ret_fault);
/* method: of the request that this answers. upgrade_asked: its head asked for another protocol. */
bool http1_parse_response(struct span raw, const struct http_limits *limits,
                          enum http_method method, bool upgrade_asked, struct http1_message *ret,
                          struct http1_fault *ret_fault);
/* Fields that may not be in trailers are dropped, not refused. Copies into the arena. Uses the
 * scratch. */
bool http1_parse_trailers(struct span raw, const struct http_limits *limits, struct arena *arena,
                          bool is_request, struct headers *ret, struct http1_fault *ret_fault);

/* The head, copied into the arena. */
struct http_head *http1_message_head(const struct http1_message *message, struct arena *arena);

#endif
