#include "control/object/field.h"
#include "control/object/value.h"
#include "lib/base/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

const char *check_dns_label(struct span text)
{
    bool good = text.length >= 1 && text.length <= 63;
    for (size_t i = 0; good && i < text.length; i++) {
        bool inner = i > 0 && i + 1 < text.length;
        good = is_lower(text.at[i]) || is_digit(text.at[i]) || (inner && text.at[i] == '-');
    }
    return good ? NULL : "must be lower-case letters, digits and inner \"-\", at most 63";
}

const char *check_dns_name(struct span text)
{
    struct span label;
    bool good = text.length >= 1 && text.length <= 253;
    while (good && span_next(&text, '.', &label)) {
        good = check_dns_label(label) == NULL;
    }
    return good ? NULL : "must be a lower-case DNS name, at most 253";
}

const char *check_host(struct span text)
{
    struct span name = span_starts_with(text, SPAN("*.")) ? span_cut(text, 2, text.length) : text;
    return check_dns_name(name) == NULL ? NULL : "must be a lower-case DNS name or \"*.\" and one";
}

const char *check_port_name(struct span text)
{
    bool letter = false;
    /* Kubernetes allows 15 bytes for container ports, and DNS labels (63) for ports of services. */
    bool good = check_dns_label(text) == NULL;
    for (size_t i = 0; i < text.length; i++) {
        letter |= is_lower(text.at[i]);
    }
    return good && letter ? NULL : "must be a port name: lower-case letters, digits, inner \"-\"";
}

static bool label_name_good(struct span text)
{
    bool good = text.length >= 1 && text.length <= 63;
    for (size_t i = 0; good && i < text.length; i++) {
        char c = text.at[i];
        bool inner = i > 0 && i + 1 < text.length;
        good = is_letter(c) || is_digit(c) || (inner && (c == '-' || c == '_' || c == '.'));
    }
    return good;
}

const char *check_label_key(struct span text)
{
    size_t slash = span_find_byte(text, '/');
    bool good = true;
    if (slash < text.length) {
        good = check_dns_name(span_cut(text, 0, slash)) == NULL;
        text = span_cut(text, slash + 1, text.length);
    }
    return good && label_name_good(text) ? NULL : "is no valid key: [dns.name/]name";
}

const char *check_label_value(struct span text)
{
    return text.length == 0 || label_name_good(text)
               ? NULL
               : "must be letters, digits and inner \"-\", \"_\", \".\", at most 63";
}

const char *check_header_name(struct span text)
{
    bool good = text.length >= 1 && text.length <= 256;
    for (size_t i = 0; good && i < text.length; i++) {
        char c = text.at[i];
        good = is_letter(c) || is_digit(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
    }
    return good ? NULL : "must be an HTTP header name";
}

const char *check_header_value(struct span text)
{
    bool good = text.length <= 4096;
    for (size_t i = 0; good && i < text.length; i++) {
        unsigned char c = (unsigned char)text.at[i];
        good = c == '\t' || (c >= 0x20 && c != 0x7f);
    }
    bool trimmed = span_trim(text).length == text.length;
    return good && trimmed ? NULL
                           : "must be an HTTP header value: no control bytes, no outer blanks";
}

static bool path_bytes_good(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c <= 0x20 || c >= 0x7f || c == '#' || c == '?') {
            return false;
        }
    }
    return true;
}

/* The Gateway API's own rules for HTTPPathMatch and HTTPPathModifier values. */
const char *check_path(struct span text)
{
    static const char *const within[] = {"//", "/./", "/../", "%2f", "%2F"};
    bool good = text.length <= 1024 && span_starts_with(text, SPAN("/")) && path_bytes_good(text);
    for (size_t i = 0; i < sizeof(within) / sizeof(within[0]); i++) {
        good = good && span_find(text, span_of(within[i])) == text.length;
    }
    good = good && !span_ends_with(text, SPAN("/..")) && !span_ends_with(text, SPAN("/."));
    return good ? NULL
                : "must be a path: \"/\" first, printable, without \"//\", \"/./\", \"/../\", "
                  "\"%2f\", \"?\" and \"#\"";
}

const char *check_regex(struct span text)
{
    const char *reason = NULL;
    if (text.length == 0) {
        return "must be a regular expression";
    }
    struct pattern *pattern = pattern_create(text, &reason);
    pattern_destroy(pattern);
    return reason;
}

const char *check_trust_domain(struct span text)
{
    bool good = text.length >= 1 && text.length <= 255;
    for (size_t i = 0; good && i < text.length; i++) {
        char c = text.at[i];
        good = is_lower(c) || is_digit(c) || c == '.' || c == '-' || c == '_';
    }
    return good ? NULL : "must be a trust domain: a-z, 0-9, \".\", \"-\", \"_\", at most 255";
}

static bool is_one_of(struct span text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal_text(text, words[i])) {
            return true;
        }
    }
    return false;
}

const char *check_http_method(struct span text)
{
    static const char *const methods[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                          "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    return is_one_of(text, methods, sizeof(methods) / sizeof(methods[0]))
               ? NULL
               : "must be an HTTP method in capitals";
}

const char *check_retry_on(struct span text)
{
    static const char *const words[] = {
        "never-processed",        "reset-before-response", "5xx",
        "gateway-error",          "per-try-timeout",       "grpc-cancelled",
        "grpc-deadline-exceeded", "grpc-internal",         "grpc-resource-exhausted",
        "grpc-unavailable"};
    uint64_t status;
    bool good = is_one_of(text, words, sizeof(words) / sizeof(words[0])) ||
                (span_to_u64(text, 599, &status) && status >= 400);
    return good ? NULL
                : "must be never-processed, reset-before-response, 5xx, gateway-error, "
                  "per-try-timeout, grpc-unavailable (or another grpc- code) or a status 400-599";
}

const char *check_rate(struct span text)
{
    uint64_t number;
    size_t slash = span_find_byte(text, '/');
    struct span unit = span_cut(text, slash, text.length);
    bool good =
        span_to_u64(span_cut(text, 0, slash), 1000000000, &number) && number > 0 &&
        (span_equal_text(unit, "/s") || span_equal_text(unit, "/m") || span_equal_text(unit, "/h"));
    return good ? NULL : "must be a rate such as 100/s, 20/m or 1/h";
}

/* "0.5": one digit or more on both sides of the point, or a whole number. */
static bool fraction_parse(struct span text, double *ret)
{
    char copy[16];
    enum value_kind kind = value_kind_of_plain(text);
    if (text.length >= sizeof(copy) || (kind != VALUE_FLOAT && kind != VALUE_INT)) {
        return false;
    }
    snprintf(copy, sizeof(copy), "%.*s", SPAN_ARG(text));
    *ret = strtod(copy, NULL);
    return true;
}

static bool range_parse(struct span text, double *ret_from, double *ret_to)
{
    size_t dots = span_find(text, SPAN(".."));
    return dots < text.length && fraction_parse(span_cut(text, 0, dots), ret_from) &&
           fraction_parse(span_cut(text, dots + 2, text.length), ret_to);
}

const char *check_fraction_range(struct span text)
{
    double from;
    double to;
    bool good = range_parse(text, &from, &to) && from >= 0.3 && from <= to && to <= 0.9;
    return good ? NULL : "must be a range such as 0.5..0.7, within 0.3 to 0.9";
}

void fraction_range_parse(struct span text, double *ret_from, double *ret_to)
{
    range_parse(text, ret_from, ret_to);
}

const char *check_absolute_file(struct span text)
{
    return span_starts_with(text, SPAN("/")) ? NULL : "must be an absolute path of a file";
}

const char *check_port_key(struct span text)
{
    uint64_t port;
    return span_to_u64(text, 65535, &port) && port > 0 ? NULL : "must be a port number, 1 to 65535";
}
