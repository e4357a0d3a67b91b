#include "lib/http/http1_parser.h"

#include "lib/base/check.h"
#include "lib/http/http1_fields.h"

#include <string.h>

enum {
    METHOD_BYTES = 32, /* as protocol detection takes it */
    /* Blanks, version and line end around method and target, or around a status. */
    START_LINE_SLACK = 16,
    REASON_BYTES = 1024,
    VERSION_BYTES = 8, /* HTTP/1.1 */
};

static enum http1_result fail(struct http1_fault *ret_fault, enum failure failure,
                              const char *detail)
{
    *ret_fault = (struct http1_fault){failure, detail};
    return HTTP1_FAILED;
}

static enum failure failure_bad(enum http1_kind kind)
{
    return kind == HTTP1_RESPONSE ? FAILURE_UPSTREAM_PROTOCOL : FAILURE_BAD_REQUEST;
}

static enum failure failure_large(enum http1_kind kind)
{
    return kind == HTTP1_RESPONSE ? FAILURE_UPSTREAM_HEADERS_TOO_LARGE : FAILURE_HEADERS_TOO_LARGE;
}

/* Bounds on what has been seen; checked while a line is unfinished and at its end. */
static enum http1_result scan_bounds(const struct http1_scan *scan, size_t end,
                                     const struct http_limits *limits, enum http1_kind kind,
                                     struct http1_fault *ret_fault)
{
    if (kind == HTTP1_TRAILERS) {
        if (end > limits->trailer_bytes || scan->lines > limits->trailer_fields) {
            return fail(ret_fault, FAILURE_BAD_REQUEST, "trailers too large");
        }
        return HTTP1_MORE;
    }
    if (scan->lines == 0) {
        size_t most = kind == HTTP1_REQUEST ? METHOD_BYTES + limits->target_bytes : REASON_BYTES;
        if (end - scan->line > most + START_LINE_SLACK) {
            return fail(ret_fault,
                        kind == HTTP1_REQUEST ? FAILURE_URI_TOO_LONG
                                              : FAILURE_UPSTREAM_HEADERS_TOO_LARGE,
                        "first line too long");
        }
        return HTTP1_MORE;
    }
    if (end > (size_t)limits->head_bytes + limits->target_bytes) {
        return fail(ret_fault, failure_large(kind), "head too large");
    }
    return HTTP1_MORE;
}

/* A line ends at the LF at `at`. DONE when it was the empty one. */
static enum http1_result scan_line(struct http1_scan *scan, struct span bytes, size_t at,
                                   enum http1_kind kind, struct http1_fault *ret_fault)
{
    size_t length = at - scan->line;
    if (length == 0 || bytes.at[at - 1] != '\r') {
        return fail(ret_fault, failure_bad(kind), "line does not end in CRLF");
    }
    scan->line = (uint32_t)at + 1;
    if (length > 1) {
        scan->lines++;
        return HTTP1_MORE;
    }
    if (scan->lines > 0 || kind == HTTP1_TRAILERS) {
        return HTTP1_DONE;
    }
    if (kind == HTTP1_RESPONSE || scan->skipped) {
        return fail(ret_fault, failure_bad(kind), "empty line where a message begins");
    }
    scan->skipped = true;
    return HTTP1_MORE;
}

enum http1_result http1_scan(struct http1_scan *scan, struct span bytes,
                             const struct http_limits *limits, enum http1_kind kind,
                             size_t *ret_length, struct http1_fault *ret_fault)
{
    /* What is no HTTP at all (a TLS hello) need not wait for a line end that never comes. */
    if (scan->cursor == 0 && bytes.length > 0 && kind != HTTP1_TRAILERS && bytes.at[0] != '\r' &&
        !header_name_valid(span_cut(bytes, 0, 1))) {
        return fail(ret_fault, failure_bad(kind), "first byte of a message is not HTTP");
    }
    while (scan->cursor < bytes.length) {
        const char *from = bytes.at + scan->cursor;
        const char *found = memchr(from, '\n', bytes.length - scan->cursor);
        size_t at = found == NULL ? bytes.length : (size_t)(found - bytes.at);
        if (scan_bounds(scan, at, limits, kind, ret_fault) == HTTP1_FAILED) {
            return HTTP1_FAILED;
        }
        if (found == NULL) {
            scan->cursor = (uint32_t)bytes.length;
            return HTTP1_MORE;
        }
        scan->cursor = (uint32_t)at + 1;
        enum http1_result result = scan_line(scan, bytes, at, kind, ret_fault);
        if (result == HTTP1_DONE) {
            *ret_length = at + 1;
        }
        if (result != HTTP1_MORE) {
            return result;
        }
    }
    return HTTP1_MORE;
}

static bool refuse(struct http1_fault *ret_fault, enum failure failure, const char *detail)
{
    *ret_fault = (struct http1_fault){failure, detail};
    return false;
}

static struct span take_start_line(struct span raw, struct span *ret_rest)
{
    size_t end = span_find_byte(raw, '\n');
    CHECK(end > 0 && end < raw.length);
    *ret_rest = span_make(raw.at + end + 1, raw.length - end - 1);
    return span_make(raw.at, end - 1);
}

/* "HTTP/1.0" or "HTTP/1.1"; 0 for another version of the right form, -1 for anything else. */
static int version_of(struct span text)
{
    if (text.length != VERSION_BYTES || memcmp(text.at, "HTTP/", 5) != 0 || text.at[6] != '.' ||
        text.at[5] < '0' || text.at[5] > '9' || text.at[7] < '0' || text.at[7] > '9') {
        return -1;
    }
    bool known = text.at[5] == '1' && (text.at[7] == '0' || text.at[7] == '1');
    return known ? 10 + (text.at[7] - '0') : 0;
}

/* RFC 9112 3: exactly two blanks, and none inside. */
static bool parse_request_line(struct span line, const struct http_limits *limits,
                               struct http_head *head, struct span *ret_target,
                               struct http1_fault *ret_fault)
{
    size_t first = span_find_byte(line, ' ');
    struct span rest = span_cut(line, first + 1, line.length);
    size_t second = span_find_byte(rest, ' ');
    head->method = span_cut(line, 0, first);
    if (second == rest.length || head->method.length > METHOD_BYTES ||
        !header_name_valid(head->method)) {
        return refuse(ret_fault, FAILURE_BAD_REQUEST, "not a request line");
    }
    *ret_target = span_cut(rest, 0, second);
    int version = version_of(span_cut(rest, second + 1, rest.length));
    if (version < 0) {
        return refuse(ret_fault, FAILURE_BAD_REQUEST, "not a request line");
    }
    if (version == 0) {
        return refuse(ret_fault, FAILURE_UNSUPPORTED_VERSION, "neither HTTP/1.0 nor HTTP/1.1");
    }
    if (ret_target->length > limits->target_bytes) {
        return refuse(ret_fault, FAILURE_URI_TOO_LONG, "target too long");
    }
    head->version = (uint8_t)version;
    head->method_token = (uint8_t)http_method_of(head->method);
    return true;
}

/* "http://authority/path": the authority in it beats Host (RFC 9112 3.2.2). */
static bool parse_absolute(struct span target, struct http_head *head)
{
    size_t colon = span_find_byte(target, ':');
    struct span scheme = span_cut(target, 0, colon);
    if (span_equal_nocase(scheme, SPAN("http"))) {
        head->scheme = SPAN("http");
    } else if (span_equal_nocase(scheme, SPAN("https"))) {
        head->scheme = SPAN("https");
    } else {
        return false;
    }
    struct span rest = span_cut(target, colon, target.length);
    if (!span_starts_with(rest, SPAN("://"))) {
        return false;
    }
    rest = span_cut(rest, 3, rest.length);
    size_t end = 0;
    while (end < rest.length && rest.at[end] != '/' && rest.at[end] != '?') {
        end++;
    }
    head->authority = span_cut(rest, 0, end);
    head->path = span_cut(rest, end, rest.length);
    if (head->path.length == 0) {
        head->path = head->method_token == HTTP_METHOD_OPTIONS ? SPAN("*") : SPAN("/");
    }
    /* "http://a?b" would need a path made up. */
    return head->authority.length > 0 && head->path.at[0] != '?';
}

static bool parse_target(struct span target, struct http_head *head)
{
    head->scheme = SPAN("http");
    if (head->method_token == HTTP_METHOD_CONNECT) {
        uint16_t port = 0;
        struct span host;
        head->authority = target;
        return http_authority_split(target, &host, &port) && port != 0;
    }
    if (target.length > 0 && (target.at[0] == '/' || target.at[0] == '*')) {
        head->path = target;
        return true;
    }
    return parse_absolute(target, head);
}

static const char *judge_host(struct http_head *head, const struct http1_framing_fields *facts)
{
    if (facts->hosts > 1) {
        return "several host fields";
    }
    if (facts->host == NULL) {
        return head->version == 11 ? "no host field" : NULL;
    }
    struct span value = facts->host->value;
    struct span host;
    uint16_t port;
    if (value.length > 0 && !http_authority_split(value, &host, &port)) {
        return "host is not host or host:port";
    }
    if (head->authority.length == 0) {
        head->authority = value;
    }
    return NULL;
}

static const char *judge_request(struct http1_message *message)
{
    struct http_head *head = &message->head;
    struct http1_framing_fields facts;
    const char *fault = http1_fields_judge(message, &facts);
    if (fault == NULL) {
        fault = judge_host(head, &facts);
    }
    if (fault != NULL) {
        return fault;
    }
    if (facts.chunked && head->version != 11) {
        return "transfer-encoding in HTTP/1.0";
    }
    message->keep_alive = !facts.close && (head->version == 11 || facts.keep_alive);
    if (head->version != 11) {
        head->upgrade = SPAN_EMPTY;
        head->expects_continue = false;
    }
    bool has_body = facts.chunked || head->content_length > 0;
    if (head->method_token == HTTP_METHOD_CONNECT) {
        if (has_body) {
            return "CONNECT with a body";
        }
        head->upgrade = SPAN_EMPTY;
        message->framing = HTTP1_FRAMING_TUNNEL;
    } else if (facts.chunked) {
        message->framing = HTTP1_FRAMING_CHUNKED;
    } else if (has_body) {
        message->framing = HTTP1_FRAMING_LENGTH;
    }
    /* A body and then a tunnel cannot be told in one exchange: the body counts. */
    if (has_body) {
        head->upgrade = SPAN_EMPTY;
    } else if (head->upgrade.length > 0) {
        message->framing = HTTP1_FRAMING_TUNNEL;
    }
    if (message->framing == HTTP1_FRAMING_TUNNEL) {
        headers_remove(&head->headers, HEADER_CONTENT_LENGTH);
        head->content_length = -1;
    }
    head->has_body = message->framing != HTTP1_FRAMING_NONE;
    return NULL;
}

/* One empty line may stand before a request (the scan let it through). */
static struct span skip_empty_line(struct span raw)
{
    struct span empty = SPAN("\r\n");
    return span_starts_with(raw, empty) ? span_cut(raw, empty.length, raw.length) : raw;
}

static void message_init(struct http1_message *message, struct span raw)
{
    message->framing = HTTP1_FRAMING_NONE;
    message->keep_alive = false;
    message->underscored = 0;
    message->raw = raw;
    http_head_init(&message->head, NULL);
}

static bool read_fields(struct span rest, const struct http_limits *limits, enum http1_kind kind,
                        struct http1_message *ret, struct http1_fault *ret_fault)
{
    bool too_large = false;
    const char *fault = http1_fields_read(rest, limits, ret, &too_large);
    if (fault != NULL) {
        return refuse(ret_fault, too_large ? failure_large(kind) : failure_bad(kind), fault);
    }
    size_t bytes = 0;
    HEADERS_EACH(&ret->head.headers, field)
    {
        bytes += field->name.length + field->value.length;
    }
    if (bytes > limits->head_bytes) {
        return refuse(ret_fault, failure_large(kind), "head too large");
    }
    return true;
}

bool http1_parse_request(struct span raw, const struct http_limits *limits,
                         struct http1_message *ret, struct http1_fault *ret_fault)
{
    raw = skip_empty_line(raw);
    message_init(ret, raw);
    struct span rest;
    struct span target;
    struct span line = take_start_line(raw, &rest);
    if (!parse_request_line(line, limits, &ret->head, &target, ret_fault)) {
        return false;
    }
    if (!parse_target(target, &ret->head)) {
        return refuse(ret_fault, FAILURE_BAD_REQUEST, "target of no known form");
    }
    if (!read_fields(rest, limits, HTTP1_REQUEST, ret, ret_fault)) {
        return false;
    }
    const char *fault = judge_request(ret);
    if (fault != NULL) {
        return refuse(ret_fault, FAILURE_BAD_REQUEST, fault);
    }
    http1_fields_drop_underscored(ret);
    enum failure failure = http_head_check_target(&ret->head, &fault);
    return failure == FAILURE_NONE || refuse(ret_fault, failure, fault);
}

/* RFC 9112 4: the reason may be missing, with its blank too. */
static const char *parse_status_line(struct span line, struct http_head *head)
{
    int version = version_of(span_cut(line, 0, VERSION_BYTES));
    if (version < 0) {
        return "not a status line";
    }
    if (version == 0) {
        return "neither HTTP/1.0 nor HTTP/1.1";
    }
    struct span digits = span_cut(line, VERSION_BYTES + 1, VERSION_BYTES + 4);
    uint64_t status = 0;
    if (line.length < VERSION_BYTES + 4 || line.at[VERSION_BYTES] != ' ' ||
        !span_to_u64(digits, 999, &status) || status < 100 ||
        (line.length > VERSION_BYTES + 4 && line.at[VERSION_BYTES + 4] != ' ')) {
        return "not a status line";
    }
    struct span reason = span_trim(span_cut(line, VERSION_BYTES + 5, line.length));
    if (!header_value_valid(reason)) {
        return "byte not allowed in a reason";
    }
    head->version = (uint8_t)version;
    head->status = (uint16_t)status;
    return NULL;
}

/* RFC 9112 6.3, in its order. */
static const char *judge_response(struct http1_message *message, enum http_method method,
                                  bool upgrade_asked)
{
    struct http_head *head = &message->head;
    struct http1_framing_fields facts;
    const char *fault = http1_fields_judge(message, &facts);
    if (fault != NULL) {
        return fault;
    }
    if (facts.chunked && head->version != 11) {
        return "transfer-encoding in HTTP/1.0";
    }
    bool tunnel = head->status == 101 || (method == HTTP_METHOD_CONNECT && head->status / 100 == 2);
    bool bodyless = head->status / 100 == 1 || head->status == 204;
    message->keep_alive = !facts.close && (head->version == 11 || facts.keep_alive);
    if (head->status == 101 && !upgrade_asked) {
        return "101 that nobody asked for";
    }
    if (head->status != 101) {
        head->upgrade = SPAN_EMPTY;
    }
    if (bodyless || tunnel) {
        /* RFC 9110 8.6 and 15.3.5 allow neither field here: what they say is not believed. */
        headers_remove(&head->headers, HEADER_CONTENT_LENGTH);
        head->content_length = -1;
        message->framing = tunnel ? HTTP1_FRAMING_TUNNEL : HTTP1_FRAMING_NONE;
    } else if (head->status == 304 || method == HTTP_METHOD_HEAD) {
        message->framing = HTTP1_FRAMING_NONE;
    } else if (facts.chunked) {
        message->framing = HTTP1_FRAMING_CHUNKED;
    } else if (head->content_length >= 0) {
        message->framing = head->content_length > 0 ? HTTP1_FRAMING_LENGTH : HTTP1_FRAMING_NONE;
    } else {
        message->framing = HTTP1_FRAMING_CLOSE;
    }
    head->has_body = message->framing != HTTP1_FRAMING_NONE;
    return NULL;
}

bool http1_parse_response(struct span raw, const struct http_limits *limits,
                          enum http_method method, bool upgrade_asked, struct http1_message *ret,
                          struct http1_fault *ret_fault)
{
    message_init(ret, raw);
    struct span rest;
    const char *fault = parse_status_line(take_start_line(raw, &rest), &ret->head);
    if (fault != NULL) {
        return refuse(ret_fault, FAILURE_UPSTREAM_PROTOCOL, fault);
    }
    if (!read_fields(rest, limits, HTTP1_RESPONSE, ret, ret_fault)) {
        return false;
    }
    fault = judge_response(ret, method, upgrade_asked);
    if (fault != NULL) {
        return refuse(ret_fault, FAILURE_UPSTREAM_PROTOCOL, fault);
    }
    http1_fields_drop_underscored(ret);
    return true;
}

bool http1_parse_trailers(struct span raw, const struct http_limits *limits, struct arena *arena,
                          bool is_request, struct headers *ret, struct http1_fault *ret_fault)
{
    struct http1_message *message = http1_message_scratch();
    enum http1_kind kind = is_request ? HTTP1_REQUEST : HTTP1_RESPONSE;
    message_init(message, raw);
    if (!read_fields(raw, limits, kind, message, ret_fault)) {
        return false;
    }
    http1_fields_drop_underscored(message);
    headers_init(ret, arena);
    const unsigned denied = HEADER_FLAG_HOP | HEADER_FLAG_TRAILER_NO | HEADER_FLAG_PROTECTED;
    HEADERS_EACH(&message->head.headers, field)
    {
        if ((header_token_flags(field->token) & denied) == 0) {
            headers_add_copy(ret, field->name, field->value);
        }
    }
    return true;
}

/* Spans into the message's bytes move to the copy; static text and empty spans stay. */
static struct span moved(struct span span, struct span from, const char *to)
{
    /* As numbers: the pointers may belong to different objects. */
    uintptr_t offset = (uintptr_t)span.at - (uintptr_t)from.at;
    return span.at != NULL && offset < from.length ? span_make(to + offset, span.length) : span;
}

struct http1_message *http1_message_scratch(void)
{
    static _Thread_local struct http1_message message;
    return &message;
}

struct http_head *http1_message_head(const struct http1_message *message, struct arena *arena)
{
    struct span raw = message->raw;
    const char *copy = arena_dup(arena, raw.at, raw.length);
    struct http_head *head = arena_alloc(arena, sizeof(*head));
    *head = message->head;
    uint32_t count = head->headers.count;
    /* Room for what a proxy adds, so that the list need not grow. */
    enum { ADDED = 8 };
    struct header *items = arena_alloc(arena, (count + ADDED) * sizeof(*items));
    for (uint32_t i = 0; i < count; i++) {
        items[i] = message->fields[i];
        items[i].name = moved(items[i].name, raw, copy);
        items[i].value = moved(items[i].value, raw, copy);
    }
    head->headers.items = items;
    head->headers.capacity = count + ADDED;
    head->headers.arena = arena;
    head->method = moved(head->method, raw, copy);
    head->authority = moved(head->authority, raw, copy);
    head->path = moved(head->path, raw, copy);
    head->upgrade = moved(head->upgrade, raw, copy);
    return head;
}
