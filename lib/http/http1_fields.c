#include "lib/http/http1_fields.h"

#include "lib/base/check.h"

#include <string.h>

enum {
    CONNECTION_OPTIONS = 32, /* names in Connection: a bound on names x fields */
};

/* One line without its CRLF; the scan has made sure that every LF has its CR. */
static struct span take_line(struct span *rest)
{
    size_t end = span_find_byte(*rest, '\n');
    CHECK(end > 0 && end < rest->length);
    struct span line = span_make(rest->at, end - 1);
    *rest = span_make(rest->at + end + 1, rest->length - end - 1);
    return line;
}

static const char *read_field(struct span line, const struct http_limits *limits,
                              struct http1_message *ret)
{
    size_t colon = span_find_byte(line, ':');
    if (colon == line.length) {
        return "field line without colon";
    }
    struct span name = span_make(line.at, colon);
    if (name.length > limits->name_bytes) {
        return "field name too long";
    }
    enum header_token token = header_token_of(name);
    if (token == HEADER_UNKNOWN && !header_name_valid(name)) {
        return "field name is not a token";
    }
    struct span value = span_trim(span_make(line.at + colon + 1, line.length - colon - 1));
    if (!header_value_valid(value)) {
        return "byte not allowed in a field value";
    }
    headers_add_found(&ret->head.headers, token, name, value);
    return NULL;
}

const char *http1_fields_read(struct span rest, const struct http_limits *limits,
                              struct http1_message *ret, bool *ret_too_large)
{
    struct headers *headers = &ret->head.headers;
    *headers = (struct headers){.items = ret->fields, .capacity = HTTP1_FIELDS_MOST};
    uint32_t most = limits->fields < HTTP1_FIELDS_MOST ? limits->fields : HTTP1_FIELDS_MOST;
    for (;;) {
        struct span line = take_line(&rest);
        if (line.length == 0) {
            return NULL;
        }
        if (headers->count == most) {
            *ret_too_large = true;
            return "too many fields";
        }
        const char *fault = read_field(line, limits, ret);
        if (fault != NULL) {
            return fault;
        }
    }
}

static bool spells_protected(struct span name)
{
    enum { LONGEST_KNOWN = 32 };
    char dashed[LONGEST_KNOWN];
    if (name.length > sizeof(dashed) || memchr(name.at, '_', name.length) == NULL) {
        return false;
    }
    for (size_t i = 0; i < name.length; i++) {
        dashed[i] = (char)(name.at[i] == '_' ? '-' : name.at[i]);
    }
    unsigned flags = header_token_flags(header_token_of(span_make(dashed, name.length)));
    return (flags & (HEADER_FLAG_PROTECTED | HEADER_FLAG_INTERNAL)) != 0;
}

void http1_fields_drop_underscored(struct http1_message *message)
{
    HEADERS_EACH(&message->head.headers, field)
    {
        if (field->token == HEADER_UNKNOWN && spells_protected(field->name)) {
            field->removed = true;
            message->underscored++;
        }
    }
}

static const char *judge_length(struct http1_message *message, struct header *field)
{
    uint64_t length = 0;
    if (message->head.content_length >= 0) {
        return "several content-length fields";
    }
    if (!span_to_u64(field->value, INT64_MAX, &length)) {
        return "content-length is not a number";
    }
    message->head.content_length = (int64_t)length;
    /* "005" is written on as "5": the spelling is never forwarded. */
    while (field->value.length > 1 && field->value.at[0] == '0') {
        field->value = span_cut(field->value, 1, field->value.length);
    }
    return NULL;
}

/* Takes one element off a comma list, trimmed; empty elements are skipped (RFC 9110 5.6.1). */
static bool next_element(struct span *rest, struct span *ret_element)
{
    struct span element;
    while (span_next(rest, ',', &element)) {
        element = span_trim(element);
        if (element.length > 0) {
            *ret_element = element;
            return true;
        }
    }
    return false;
}

static const char *judge_option(struct http1_message *message, struct span option,
                                struct http1_framing_fields *ret)
{
    if (!header_name_valid(option)) {
        return "connection option is not a token";
    }
    if (span_equal_nocase(option, SPAN("close"))) {
        ret->close = true;
    } else if (span_equal_nocase(option, SPAN("keep-alive"))) {
        ret->keep_alive = true;
    } else if (span_equal_nocase(option, SPAN("upgrade"))) {
        ret->upgrade = true;
    } else {
        unsigned flags = header_token_flags(header_token_of(option));
        /* Fields of one connection are removed in any case, and read before. */
        if ((flags & (HEADER_FLAG_PROTECTED | HEADER_FLAG_INTERNAL | HEADER_FLAG_HOP)) == 0) {
            headers_remove_name(&message->head.headers, option);
        }
    }
    return NULL;
}

static const char *judge_connection(struct http1_message *message, struct span value,
                                    struct http1_framing_fields *ret, unsigned *options)
{
    struct span option;
    while (next_element(&value, &option)) {
        if (++*options > CONNECTION_OPTIONS) {
            return "too many connection options";
        }
        const char *fault = judge_option(message, option, ret);
        if (fault != NULL) {
            return fault;
        }
    }
    return NULL;
}

static void judge_te(struct http_head *head, struct span value)
{
    struct span element;
    while (next_element(&value, &element)) {
        if (span_equal_nocase(element, SPAN("trailers"))) {
            head->accepts_trailers = true;
        }
    }
}

/* One field; those of one connection are marked by the caller. */
static const char *judge_field(struct http1_message *message, struct header *field,
                               struct http1_framing_fields *ret, unsigned *options)
{
    switch (field->token) {
    case HEADER_HOST:
        ret->host = ret->hosts++ == 0 ? field : ret->host;
        return NULL;
    case HEADER_CONTENT_LENGTH:
        return judge_length(message, field);
    case HEADER_TRANSFER_ENCODING:
        if (ret->chunked) {
            return "several transfer-encoding fields";
        }
        if (!span_equal_nocase(field->value, SPAN("chunked"))) {
            return "transfer-encoding is not exactly chunked";
        }
        ret->chunked = true;
        return NULL;
    case HEADER_CONNECTION:
        return judge_connection(message, field->value, ret, options);
    case HEADER_TE:
        judge_te(&message->head, field->value);
        return NULL;
    case HEADER_UPGRADE:
        /* Several fields are one list, which would have to be joined: no upgrade then. */
        ret->protocol = ret->protocol.at == NULL ? field->value : SPAN("");
        return NULL;
    case HEADER_EXPECT:
        message->head.expects_continue |= span_equal_nocase(field->value, SPAN("100-continue"));
        return NULL;
    default:
        return NULL;
    }
}

/* h2c is HTTP/2 without TLS, asked for in a way that smuggles requests past proxies: never
 * forwarded. */
static bool protocol_forwardable(struct span protocols)
{
    struct span element;
    bool any = false;
    while (next_element(&protocols, &element)) {
        any = true;
        if (span_equal_nocase(span_cut(element, 0, 3), SPAN("h2c")) ||
            span_equal_nocase(span_cut(element, 0, 6), SPAN("HTTP/2"))) {
            return false;
        }
    }
    return any;
}

const char *http1_fields_judge(struct http1_message *message, struct http1_framing_fields *ret)
{
    struct headers *headers = &message->head.headers;
    unsigned options = 0;
    *ret = (struct http1_framing_fields){.host = NULL};
    for (uint32_t i = 0; i < headers->count; i++) {
        const char *fault = judge_field(message, &headers->items[i], ret, &options);
        if (fault != NULL) {
            return fault;
        }
    }
    if (ret->chunked && message->head.content_length >= 0) {
        return "both transfer-encoding and content-length";
    }
    HEADERS_EACH(headers, field)
    {
        if (field->token == HEADER_HOST ||
            (header_token_flags(field->token) & HEADER_FLAG_HOP) != 0) {
            field->removed = true;
        }
    }
    if (ret->upgrade && protocol_forwardable(ret->protocol)) {
        message->head.upgrade = ret->protocol;
    }
    return NULL;
}
