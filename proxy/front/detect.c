#include "proxy/front/detect.h"

#include "lib/http/http_head.h"

enum { METHOD_BYTES = 32 };

static bool is_token_byte(unsigned char byte)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    if ((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
        (byte >= 'a' && byte <= 'z')) {
        return true;
    }
    return byte != 0 && span_find_byte(SPAN(others), (char)byte) < sizeof(others) - 1;
}

static enum detected detect_tls(struct span bytes)
{
    if (bytes.at[0] != 0x16) {
        return DETECT_OPAQUE;
    }
    if (bytes.length == 1) {
        return DETECT_MORE;
    }
    return bytes.at[1] == 0x03 ? DETECT_TLS : DETECT_OPAQUE;
}

static enum detected detect_http2(struct span bytes)
{
    struct span preface = SPAN("PRI * HTTP/2.0");
    if (bytes.length >= preface.length) {
        return span_starts_with(bytes, preface) ? DETECT_HTTP2 : DETECT_OPAQUE;
    }
    return span_starts_with(preface, bytes) ? DETECT_MORE : DETECT_OPAQUE;
}

/* " HTTP/1." digit, then CRLF or LF, from the blank after the target on. */
static enum detected detect_version(struct span rest)
{
    struct span wanted = SPAN(" HTTP/1.");
    size_t compare = rest.length < wanted.length ? rest.length : wanted.length;
    if (!span_equal(span_cut(rest, 0, compare), span_cut(wanted, 0, compare))) {
        return DETECT_OPAQUE;
    }
    if (rest.length <= wanted.length) {
        return DETECT_MORE;
    }
    unsigned char digit = (unsigned char)rest.at[wanted.length];
    if (digit < '0' || digit > '9') {
        return DETECT_OPAQUE;
    }
    struct span end = span_cut(rest, wanted.length + 1, rest.length);
    if (end.length == 0 || (end.length == 1 && end.at[0] == '\r')) {
        return DETECT_MORE;
    }
    return end.at[0] == '\n' || (end.at[0] == '\r' && end.at[1] == '\n') ? DETECT_HTTP1
                                                                         : DETECT_OPAQUE;
}

static enum detected detect_http1(struct span bytes, bool full)
{
    size_t method = 0;
    while (method < bytes.length && method <= METHOD_BYTES &&
           is_token_byte((unsigned char)bytes.at[method])) {
        method++;
    }
    if (method == 0 || method > METHOD_BYTES) {
        return DETECT_OPAQUE;
    }
    if (method == bytes.length) {
        return DETECT_MORE;
    }
    if (bytes.at[method] != ' ') {
        return DETECT_OPAQUE;
    }
    size_t at = method + 1;
    while (at < bytes.length && (unsigned char)bytes.at[at] > 0x20) {
        at++;
    }
    if (at == bytes.length) {
        if (!full) {
            return DETECT_MORE;
        }
        /* A target longer than we look at: only a well-known method is believed. */
        return http_method_of(span_cut(bytes, 0, method)) != HTTP_METHOD_OTHER ? DETECT_HTTP1
                                                                               : DETECT_OPAQUE;
    }
    if (at == method + 1) {
        return DETECT_OPAQUE;
    }
    return detect_version(span_cut(bytes, at, bytes.length));
}

enum detected detect_first_bytes(struct span bytes, bool full)
{
    if (bytes.length == 0) {
        return full ? DETECT_OPAQUE : DETECT_MORE;
    }
    enum detected found = detect_tls(bytes);
    if (found == DETECT_OPAQUE) {
        found = detect_http2(bytes);
    }
    if (found == DETECT_OPAQUE) {
        found = detect_http1(bytes, full);
    }
    return found == DETECT_MORE && full ? DETECT_OPAQUE : found;
}
