#ifndef REMORA_HTTP_HTTP_HEAD_H
#define REMORA_HTTP_HTTP_HEAD_H

#include "lib/base/failure.h"
#include "lib/http/headers.h"

/*
 * The head of a request or response, the same whatever codec it came by. Lives in an arena.
 *
 * What codecs take out of the headers and put back: Host / :authority; connection, keep-alive,
 * proxy-connection, te (all but "trailers"), upgrade, http2-settings; transfer-encoding;
 * content-length (kept as a header too, checked once and written anew). So a head holds no
 * hop-by-hop field.
 *
 * Upgrades: a request that asks for another protocol (HTTP/1 Upgrade, HTTP/2 extended CONNECT, RFC
 * 8441) has `upgrade` set and its method is GET for websocket in both codecs' view; the answer that
 * accepts it has status 101 in the codec-free form (HTTP/2 writes it as 200 and reads 200 as 101).
 * After it the body is the tunnel's bytes in both directions. CONNECT has method CONNECT, authority
 * set, path empty, upgrade empty.
 */
enum http_method {
    HTTP_METHOD_OTHER,
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_TRACE,
    HTTP_METHOD_CONNECT,
};

struct http_head {
    struct headers headers;
    struct span method; /* as written; requests only */
    struct span scheme; /* "http", "https", lower case */
    struct span authority;
    struct span path;       /* origin-form with query, or "*" */
    struct span upgrade;    /* protocol asked for or accepted; empty = none */
    int64_t content_length; /* -1 = not said */
    uint16_t status;        /* 0 = this is a request */
    uint8_t method_token;   /* enum http_method */
    uint8_t version;        /* 10, 11, 20 */
    bool has_body;          /* false: the message ends with the head */
    bool expects_continue;
    bool accepts_trailers; /* te: trailers */
};

void http_head_init(struct http_head *head, struct arena *arena);
enum http_method http_method_of(struct span method);
bool http_method_idempotent(enum http_method method); /* RFC 9110 9.2.2 */
bool http_method_safe(enum http_method method);
static inline bool http_head_is_request(const struct http_head *head)
{
    return head->status == 0;
}
/* application/grpc and its +variants. */
bool http_head_is_grpc(const struct http_head *head);
/* Standard reason phrase; "" when unknown. */
struct span http_status_text(uint16_t status);

/*
 * The checks that hold for every head whatever the codec (hardening of heads): token names, clean
 * values, strict target, one authority with host syntax, content-length grammar. NONE or the
 * failure (BAD_REQUEST, URI_TOO_LONG, HEADERS_TOO_LARGE, UPSTREAM_PROTOCOL for responses);
 * *ret_detail static text.
 */
enum failure http_head_check(const struct http_head *head, const char **ret_detail);
/* Only method, scheme, authority and path: for a codec that has checked each field as it came. */
enum failure http_head_check_target(const struct http_head *head, const char **ret_detail);

/* host or host:port; IPv6 in brackets. Splits and checks. port 0 = none given. */
bool http_authority_split(struct span authority, struct span *ret_host, uint16_t *ret_port);

#endif
