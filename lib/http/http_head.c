#include "lib/http/http_head.h"

#include <arpa/inet.h>
#include <string.h>

enum {
    METHOD_BYTES = 32,   /* as protocol detection takes it */
    TARGET_BYTES = 8192, /* the default of http_limits.target_bytes, for heads of any codec */
    HOST_BYTES = 255,    /* RFC 1035 2.3.4 */
    PORT_DIGITS = 5,
};

void http_head_init(struct http_head *head, struct arena *arena)
{
    *head = (struct http_head){.content_length = -1};
    headers_init(&head->headers, arena);
}

enum http_method http_method_of(struct span method)
{
    static const struct {
        struct span name;
        enum http_method token;
    } methods[] = {
        {{"GET", 3}, HTTP_METHOD_GET},         {{"POST", 4}, HTTP_METHOD_POST},
        {{"PUT", 3}, HTTP_METHOD_PUT},         {{"HEAD", 4}, HTTP_METHOD_HEAD},
        {{"DELETE", 6}, HTTP_METHOD_DELETE},   {{"OPTIONS", 7}, HTTP_METHOD_OPTIONS},
        {{"PATCH", 5}, HTTP_METHOD_PATCH},     {{"TRACE", 5}, HTTP_METHOD_TRACE},
        {{"CONNECT", 7}, HTTP_METHOD_CONNECT},
    };
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (span_equal(method, methods[i].name)) {
            return methods[i].token;
        }
    }
    return HTTP_METHOD_OTHER;
}

bool http_method_safe(enum http_method method)
{
    return method == HTTP_METHOD_GET || method == HTTP_METHOD_HEAD ||
           method == HTTP_METHOD_OPTIONS || method == HTTP_METHOD_TRACE;
}

bool http_method_idempotent(enum http_method method)
{
    return http_method_safe(method) || method == HTTP_METHOD_PUT || method == HTTP_METHOD_DELETE;
}

bool http_head_is_grpc(const struct http_head *head)
{
    const struct span grpc = SPAN("application/grpc");
    struct span type = headers_value(&head->headers, HEADER_CONTENT_TYPE);
    if (type.length < grpc.length || !span_equal_nocase(span_cut(type, 0, grpc.length), grpc)) {
        return false;
    }
    return type.length == grpc.length || type.at[grpc.length] == '+' ||
           type.at[grpc.length] == ';' || type.at[grpc.length] == ' ';
}

/* Sorted by status. */
static const struct {
    uint16_t status;
    struct span text;
} status_texts[] = {
#define STATUS(number, words)                                                                      \
    {                                                                                              \
        number,                                                                                    \
        {                                                                                          \
            words, sizeof(words) - 1                                                               \
        }                                                                                          \
    }
    STATUS(100, "Continue"),
    STATUS(101, "Switching Protocols"),
    STATUS(102, "Processing"),
    STATUS(103, "Early Hints"),
    STATUS(200, "OK"),
    STATUS(201, "Created"),
    STATUS(202, "Accepted"),
    STATUS(203, "Non-Authoritative Information"),
    STATUS(204, "No Content"),
    STATUS(205, "Reset Content"),
    STATUS(206, "Partial Content"),
    STATUS(207, "Multi-Status"),
    STATUS(300, "Multiple Choices"),
    STATUS(301, "Moved Permanently"),
    STATUS(302, "Found"),
    STATUS(303, "See Other"),
    STATUS(304, "Not Modified"),
    STATUS(305, "Use Proxy"),
    STATUS(307, "Temporary Redirect"),
    STATUS(308, "Permanent Redirect"),
    STATUS(400, "Bad Request"),
    STATUS(401, "Unauthorized"),
    STATUS(402, "Payment Required"),
    STATUS(403, "Forbidden"),
    STATUS(404, "Not Found"),
    STATUS(405, "Method Not Allowed"),
    STATUS(406, "Not Acceptable"),
    STATUS(407, "Proxy Authentication Required"),
    STATUS(408, "Request Timeout"),
    STATUS(409, "Conflict"),
    STATUS(410, "Gone"),
    STATUS(411, "Length Required"),
    STATUS(412, "Precondition Failed"),
    STATUS(413, "Content Too Large"),
    STATUS(414, "URI Too Long"),
    STATUS(415, "Unsupported Media Type"),
    STATUS(416, "Range Not Satisfiable"),
    STATUS(417, "Expectation Failed"),
    STATUS(418, "I'm a teapot"),
    STATUS(421, "Misdirected Request"),
    STATUS(422, "Unprocessable Content"),
    STATUS(423, "Locked"),
    STATUS(424, "Failed Dependency"),
    STATUS(425, "Too Early"),
    STATUS(426, "Upgrade Required"),
    STATUS(428, "Precondition Required"),
    STATUS(429, "Too Many Requests"),
    STATUS(431, "Request Header Fields Too Large"),
    STATUS(451, "Unavailable For Legal Reasons"),
    STATUS(500, "Internal Server Error"),
    STATUS(501, "Not Implemented"),
    STATUS(502, "Bad Gateway"),
    STATUS(503, "Service Unavailable"),
    STATUS(504, "Gateway Timeout"),
    STATUS(505, "HTTP Version Not Supported"),
    STATUS(507, "Insufficient Storage"),
    STATUS(511, "Network Authentication Required"),
#undef STATUS
};

struct span http_status_text(uint16_t status)
{
    size_t low = 0;
    size_t high = sizeof(status_texts) / sizeof(status_texts[0]);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (status_texts[middle].status == status) {
            return status_texts[middle].text;
        }
        if (status_texts[middle].status < status) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return SPAN("");
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool host_byte(char byte)
{
    char folded = (char)(byte | 0x20);
    return (folded >= 'a' && folded <= 'z') || is_digit(byte) || byte == '-' || byte == '.' ||
           byte == '_' || byte == '~';
}

static bool ipv6_valid(struct span inside)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char unused[16];
    if (inside.length == 0 || inside.length >= sizeof(text) ||
        span_find_byte(inside, '\0') != inside.length) {
        return false;
    }
    memcpy(text, inside.at, inside.length);
    text[inside.length] = '\0';
    return inet_pton(AF_INET6, text, unused) == 1;
}

/* Length of the host at the front; 0 when there is none. */
static size_t host_length(struct span authority)
{
    if (authority.length > 0 && authority.at[0] == '[') {
        size_t close = span_find_byte(authority, ']');
        bool valid = close < authority.length && ipv6_valid(span_cut(authority, 1, close));
        return valid ? close + 1 : 0;
    }
    size_t length = 0;
    while (length < authority.length && host_byte(authority.at[length])) {
        length++;
    }
    return length;
}

bool http_authority_split(struct span authority, struct span *ret_host, uint16_t *ret_port)
{
    size_t length = host_length(authority);
    if (length == 0 || length > HOST_BYTES) {
        return false;
    }
    uint64_t port = 0;
    if (length < authority.length) {
        struct span digits = span_cut(authority, length + 1, authority.length);
        if (authority.at[length] != ':' || digits.length > PORT_DIGITS ||
            !span_to_u64(digits, UINT16_MAX, &port) || port == 0) {
            return false;
        }
    }
    *ret_host = span_cut(authority, 0, length);
    *ret_port = (uint16_t)port;
    return true;
}

/* RFC 9112 3.2, without what can be read in two ways: fragment, backslash, an authority in the
 * path. */
static const char *path_fault(const struct http_head *head)
{
    struct span path = head->path;
    if (span_equal(path, SPAN("*"))) {
        return head->method_token == HTTP_METHOD_OPTIONS ? NULL : "target * is for OPTIONS only";
    }
    if (path.length == 0 || path.at[0] != '/') {
        return "path does not begin with a slash";
    }
    if (path.length > 1 && path.at[1] == '/') {
        return "path begins with two slashes";
    }
    for (size_t i = 0; i < path.length; i++) {
        unsigned char byte = (unsigned char)path.at[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '#' || byte == '\\') {
            return "byte not allowed in a target";
        }
    }
    return NULL;
}

enum failure http_head_check_target(const struct http_head *head, const char **ret_detail)
{
    struct span host;
    uint16_t port;
    bool authority_valid = http_authority_split(head->authority, &host, &port);
    const char *fault = NULL;
    if (head->method.length > METHOD_BYTES || !header_name_valid(head->method)) {
        fault = "method is not a token";
    } else if (head->authority.length > 0 && !authority_valid) {
        fault = "authority is not host or host:port";
    } else if (head->scheme.length > 0 && !span_equal(head->scheme, SPAN("http")) &&
               !span_equal(head->scheme, SPAN("https"))) {
        fault = "scheme is neither http nor https";
    } else if (head->method_token == HTTP_METHOD_CONNECT) {
        if (head->authority.length == 0 || head->path.length > 0) {
            fault = "CONNECT takes an authority and no path";
        }
    } else if (head->path.length > TARGET_BYTES) {
        *ret_detail = "target beyond 8 KiB";
        return FAILURE_URI_TOO_LONG;
    } else {
        fault = path_fault(head);
    }
    if (fault != NULL) {
        *ret_detail = fault;
        return FAILURE_BAD_REQUEST;
    }
    return FAILURE_NONE;
}

static const char *field_fault(const struct header *field)
{
    if (field->token == HEADER_UNKNOWN && !header_name_valid(field->name)) {
        return "field name is not a token";
    }
    if (!header_value_valid(field->value)) {
        return "byte not allowed in a field value";
    }
    if (field->token == HEADER_HOST || (header_token_flags(field->token) & HEADER_FLAG_HOP) != 0) {
        return "a field of one connection in a head";
    }
    return NULL;
}

static const char *fields_fault(const struct http_head *head)
{
    unsigned lengths = 0;
    HEADERS_EACH(&head->headers, field)
    {
        const char *fault = field_fault(field);
        if (fault != NULL) {
            return fault;
        }
        if (field->token == HEADER_CONTENT_LENGTH) {
            uint64_t length = 0;
            if (lengths++ > 0) {
                return "several content-length fields";
            }
            if (!span_to_u64(field->value, INT64_MAX, &length) ||
                (int64_t)length != head->content_length) {
                return "content-length is not a number, or not the one of the head";
            }
        }
    }
    return NULL;
}

enum failure http_head_check(const struct http_head *head, const char **ret_detail)
{
    if (http_head_is_request(head)) {
        enum failure failure = http_head_check_target(head, ret_detail);
        if (failure != FAILURE_NONE) {
            return failure;
        }
    } else if (head->status < 100 || head->status > 999) {
        *ret_detail = "status is not of three digits";
        return FAILURE_UPSTREAM_PROTOCOL;
    }
    const char *fault = fields_fault(head);
    if (fault == NULL && !header_value_valid(head->upgrade)) {
        fault = "byte not allowed in a protocol name";
    }
    if (fault != NULL) {
        *ret_detail = fault;
        return http_head_is_request(head) ? FAILURE_BAD_REQUEST : FAILURE_UPSTREAM_PROTOCOL;
    }
    return FAILURE_NONE;
}
