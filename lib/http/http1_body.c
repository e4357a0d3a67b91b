#include "lib/http/http1_body.h"

enum {
    SIZE_DIGITS = 16,
    SIZE_LINE_BYTES = 256, /* digits, extensions and line end */
};

enum body_state {
    BODY_DATA,
    BODY_SIZE,      /* digits of a chunk size */
    BODY_EXTENSION, /* behind ';' */
    BODY_SIZE_LF,
    BODY_DATA_CR,
    BODY_DATA_LF,
    BODY_TRAILERS,
    BODY_OVER,
};

void http1_body_init(struct http1_body *body, enum http1_framing framing, uint64_t length)
{
    *body = (struct http1_body){.framing = (uint8_t)framing, .state = BODY_DATA};
    switch (framing) {
    case HTTP1_FRAMING_NONE:
        body->state = BODY_OVER;
        return;
    case HTTP1_FRAMING_LENGTH:
        body->remaining = length;
        body->state = length == 0 ? BODY_OVER : BODY_DATA;
        return;
    case HTTP1_FRAMING_CHUNKED:
        body->state = BODY_SIZE;
        return;
    case HTTP1_FRAMING_CLOSE:
    case HTTP1_FRAMING_TUNNEL:
        body->remaining = UINT64_MAX;
        return;
    }
}

uint64_t http1_body_remaining(const struct http1_body *body)
{
    if (body->state == BODY_OVER) {
        return 0;
    }
    return body->framing == HTTP1_FRAMING_LENGTH ? body->remaining : UINT64_MAX;
}

void http1_body_give_back(struct http1_body *body, size_t length)
{
    if (body->framing == HTTP1_FRAMING_LENGTH || body->framing == HTTP1_FRAMING_CHUNKED) {
        body->remaining += length;
        body->state = BODY_DATA;
    }
}

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    char folded = (char)(byte | 0x20);
    return folded >= 'a' && folded <= 'f' ? folded - 'a' + 10 : -1;
}

static const char *size_byte(struct http1_body *body, char byte)
{
    int digit = hex_digit(byte);
    if (digit >= 0) {
        if (++body->digits > SIZE_DIGITS) {
            return "chunk size too long";
        }
        body->remaining = body->remaining << 4 | (unsigned)digit;
        return NULL;
    }
    if (body->digits == 0 || body->remaining > INT64_MAX) {
        return "chunk size is not a number";
    }
    if (byte == ';') {
        body->state = BODY_EXTENSION;
    } else if (byte == '\r') {
        body->state = BODY_SIZE_LF;
    } else {
        return "byte not allowed in a chunk size";
    }
    return NULL;
}

/* What an extension says is nobody's business behind the next hop; it must be clean, then it is
 * dropped. */
static const char *extension_byte(struct http1_body *body, char byte)
{
    if (byte == '\r') {
        body->state = BODY_SIZE_LF;
        return NULL;
    }
    bool clean = byte == '\t' || ((unsigned char)byte >= ' ' && byte != 0x7f);
    return clean ? NULL : "byte not allowed in a chunk extension";
}

static const char *size_end(struct http1_body *body, char byte)
{
    if (byte != '\n') {
        return "chunk size line does not end in CRLF";
    }
    body->line_bytes = 0;
    body->digits = 0;
    body->state = body->remaining == 0 ? BODY_TRAILERS : BODY_DATA;
    return NULL;
}

static const char *data_end(struct http1_body *body, char byte)
{
    if (byte != (body->state == BODY_DATA_CR ? '\r' : '\n')) {
        return "chunk does not end in CRLF";
    }
    body->state = body->state == BODY_DATA_CR ? BODY_DATA_LF : BODY_SIZE;
    return NULL;
}

/* One byte of framing. */
static const char *framing_byte(struct http1_body *body, char byte)
{
    switch (body->state) {
    case BODY_DATA_CR:
    case BODY_DATA_LF:
        return data_end(body, byte);
    default:
        break;
    }
    if (++body->line_bytes > SIZE_LINE_BYTES) {
        return "chunk size line too long";
    }
    switch (body->state) {
    case BODY_SIZE:
        return size_byte(body, byte);
    case BODY_EXTENSION:
        return extension_byte(body, byte);
    default:
        return size_end(body, byte);
    }
}

static enum http1_body_result take_data(struct http1_body *body, struct span bytes, size_t *used,
                                        struct span *ret_data)
{
    size_t length = bytes.length - *used;
    if (length > body->remaining) {
        length = (size_t)body->remaining;
    }
    if (length == 0) {
        return HTTP1_BODY_MORE;
    }
    *ret_data = span_make(bytes.at + *used, length);
    *used += length;
    if (body->framing == HTTP1_FRAMING_LENGTH || body->framing == HTTP1_FRAMING_CHUNKED) {
        body->remaining -= length;
        if (body->remaining == 0) {
            body->state = body->framing == HTTP1_FRAMING_CHUNKED ? BODY_DATA_CR : BODY_OVER;
        }
    }
    return HTTP1_BODY_BYTES;
}

static enum http1_body_result take_trailers(struct http1_body *body, struct span bytes,
                                            const struct http_limits *limits, size_t *used,
                                            struct span *ret_data, struct http1_fault *ret_fault)
{
    enum { EMPTY_LINE = 2 };
    struct span rest = span_make(bytes.at + *used, bytes.length - *used);
    size_t length = 0;
    switch (http1_scan(&body->trailers, rest, limits, HTTP1_TRAILERS, &length, ret_fault)) {
    case HTTP1_MORE:
        return HTTP1_BODY_MORE;
    case HTTP1_FAILED:
        return HTTP1_BODY_FAILED;
    case HTTP1_DONE:
        break;
    }
    body->state = BODY_OVER;
    *used += length;
    *ret_data = span_make(rest.at, length);
    return length == EMPTY_LINE ? HTTP1_BODY_END : HTTP1_BODY_TRAILERS;
}

enum http1_body_result http1_body_next(struct http1_body *body, struct span bytes,
                                       const struct http_limits *limits, size_t *ret_used,
                                       struct span *ret_data, struct http1_fault *ret_fault)
{
    size_t used = 0;
    enum http1_body_result result = HTTP1_BODY_MORE;
    for (;;) {
        if (body->state == BODY_OVER) {
            result = HTTP1_BODY_END;
            break;
        }
        if (body->state == BODY_DATA) {
            result = take_data(body, bytes, &used, ret_data);
            break;
        }
        if (body->state == BODY_TRAILERS) {
            result = take_trailers(body, bytes, limits, &used, ret_data, ret_fault);
            break;
        }
        if (used == bytes.length) {
            break;
        }
        const char *fault = framing_byte(body, bytes.at[used++]);
        if (fault != NULL) {
            *ret_fault = (struct http1_fault){FAILURE_BAD_REQUEST, fault};
            return HTTP1_BODY_FAILED;
        }
    }
    *ret_used = used;
    return result;
}
