#include "proxy/observe/trace_context.h"

#include "lib/base/random.h"

#include <string.h>

enum { TRACE_BYTES = 16, SPAN_BYTES = 8 };

/* What a lower-case hexadecimal digit says, plus one; 0 = it is none. */
static const uint8_t hex_digits[256] = {
    ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

static int hex_value(char digit)
{
    return (int)hex_digits[(unsigned char)digit] - 1;
}

/* Exactly 2 * bytes lower-case hexadecimal digits, not all zero. */
static bool read_hex(struct span text, uint8_t *into, size_t bytes)
{
    uint8_t any = 0;
    uint8_t out[TRACE_BYTES];
    if (text.length != 2 * bytes) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        int high = hex_value(text.at[2 * i]);
        int low = hex_value(text.at[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
        any |= out[i];
    }
    if (any == 0) {
        return false;
    }
    memcpy(into, out, bytes);
    return true;
}

static void write_hex(char *into, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        into[2 * i] = digits[bytes[i] >> 4];
        into[2 * i + 1] = digits[bytes[i] & 15];
    }
    into[2 * count] = '\0';
}

/* VERSION-TRACE-PARENT-FLAGS, where a later version may have more behind (W3C Trace Context 3.2.2).
 */
static bool read_traceparent(struct span value, struct trace_ids *trace)
{
    enum { LENGTH = 55 };
    if (value.length < LENGTH || value.at[2] != '-' || value.at[35] != '-' || value.at[52] != '-') {
        return false;
    }
    struct span version = span_cut(value, 0, 2);
    bool is_zero = span_equal(version, SPAN("00"));
    if (hex_value(version.at[0]) < 0 || hex_value(version.at[1]) < 0 ||
        span_equal(version, SPAN("ff")) || (is_zero && value.length != LENGTH) ||
        (value.length > LENGTH && value.at[LENGTH] != '-')) {
        return false;
    }
    int flags = hex_value(value.at[54]);
    if (hex_value(value.at[53]) < 0 || flags < 0) {
        return false;
    }
    if (!read_hex(span_cut(value, 3, 35), trace->trace, TRACE_BYTES) ||
        !read_hex(span_cut(value, 36, 52), trace->parent, SPAN_BYTES)) {
        return false;
    }
    trace->sampled = (flags & 1) != 0;
    return true;
}

/* A B3 trace id has 16 or 32 digits; the short form is the low half. */
static bool read_b3_ids(struct span trace_id, struct span span_id, struct trace_ids *trace)
{
    memset(trace->trace, 0, TRACE_BYTES);
    bool good = trace_id.length == 2 * SPAN_BYTES
                    ? read_hex(trace_id, trace->trace + SPAN_BYTES, SPAN_BYTES)
                    : read_hex(trace_id, trace->trace, TRACE_BYTES);
    return good && read_hex(span_id, trace->parent, SPAN_BYTES);
}

static bool b3_sampled(struct span word)
{
    return span_equal(word, SPAN("1")) || span_equal(word, SPAN("d")) ||
           span_equal(word, SPAN("true"));
}

static bool read_b3(const struct headers *headers, struct trace_ids *trace)
{
    struct span single = headers_value(headers, HEADER_B3);
    if (single.length > 0) {
        struct span trace_id;
        struct span span_id;
        struct span sampled = SPAN_EMPTY;
        if (!span_next(&single, '-', &trace_id) || !span_next(&single, '-', &span_id)) {
            return false;
        }
        (void)span_next(&single, '-', &sampled);
        trace->sampled = b3_sampled(sampled);
        return read_b3_ids(trace_id, span_id, trace);
    }
    trace->sampled = b3_sampled(headers_value(headers, HEADER_X_B3_SAMPLED)) ||
                     b3_sampled(headers_value(headers, HEADER_X_B3_FLAGS));
    return read_b3_ids(headers_value(headers, HEADER_X_B3_TRACEID),
                       headers_value(headers, HEADER_X_B3_SPANID), trace);
}

/* B3 without ids but with the word that nothing is to be recorded. */
static bool b3_declines(const struct headers *headers)
{
    struct span sampled = headers_value(headers, HEADER_X_B3_SAMPLED);
    return span_equal(headers_value(headers, HEADER_B3), SPAN("0")) ||
           span_equal(sampled, SPAN("0")) || span_equal(sampled, SPAN("false"));
}

static void make_id(uint8_t *into, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
        uint64_t number = random_u64() | 1;
        memcpy(into + at, &number, sizeof(number));
    }
}

void trace_read(const struct headers *headers, uint32_t per_million, double draw,
                struct trace_ids *ret_trace)
{
    struct trace_ids trace = {0};
    struct span parent = headers_value(headers, HEADER_TRACEPARENT);
    if (parent.length > 0 && read_traceparent(parent, &trace)) {
        trace.present = true;
    } else if (read_b3(headers, &trace)) {
        trace.present = true;
        trace.from_b3 = true;
    } else if (draw * 1000000 < (double)per_million && !b3_declines(headers)) {
        memset(&trace, 0, sizeof(trace));
        make_id(trace.trace, TRACE_BYTES);
        trace.present = trace.sampled = trace.started_here = true;
    } else {
        memset(&trace, 0, sizeof(trace));
    }
    if (trace.present) {
        make_id(trace.span, SPAN_BYTES);
    }
    *ret_trace = trace;
}

static void write_b3(const struct trace_ids *trace, const char *trace_hex, const char *span_hex,
                     struct headers *headers, struct arena *arena)
{
    if (headers_find(headers, HEADER_B3) != NULL) {
        headers_set_token(headers, HEADER_B3,
                          span_of(arena_printf(arena, "%s-%s-%c", trace_hex, span_hex,
                                               trace->sampled ? '1' : '0')));
        return;
    }
    char *parent = arena_alloc(arena, 2 * SPAN_BYTES + 1);
    write_hex(parent, trace->parent, SPAN_BYTES);
    headers_set_token(headers, HEADER_X_B3_TRACEID, span_of(trace_hex));
    headers_set_token(headers, HEADER_X_B3_SPANID, span_of(span_hex));
    headers_set_token(headers, HEADER_X_B3_PARENTSPANID, span_of(parent));
    headers_set_token(headers, HEADER_X_B3_SAMPLED, trace->sampled ? SPAN("1") : SPAN("0"));
}

void trace_write(const struct trace_ids *trace, struct headers *headers, struct arena *arena)
{
    char *trace_hex = arena_alloc(arena, 2 * TRACE_BYTES + 1);
    char *span_hex = arena_alloc(arena, 2 * SPAN_BYTES + 1);
    write_hex(trace_hex, trace->trace, TRACE_BYTES);
    write_hex(span_hex, trace->span, SPAN_BYTES);
    if (trace->from_b3) {
        write_b3(trace, trace_hex, span_hex, headers, arena);
        return;
    }
    if (trace->started_here) {
        headers_remove(headers, HEADER_TRACESTATE); /* of a trace that was not understood */
    }
    struct span parent =
        ARENA_JOIN(arena, SPAN("00-"), span_make(trace_hex, 2 * TRACE_BYTES), SPAN("-"),
                   span_make(span_hex, 2 * SPAN_BYTES), trace->sampled ? SPAN("-01") : SPAN("-00"));
    headers_set_token(headers, HEADER_TRACEPARENT, parent);
}

struct span request_id_make(struct arena *arena)
{
    uint8_t bytes[16];
    uint64_t halves[2] = {random_u64(), random_u64()};
    memcpy(bytes, halves, sizeof(bytes));
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    char hex[33];
    write_hex(hex, bytes, sizeof(bytes));
    char *id = arena_alloc(arena, 37);
    static const uint8_t groups[] = {8, 4, 4, 4, 12};
    size_t from = 0;
    size_t to = 0;
    for (size_t i = 0; i < sizeof(groups); i++) {
        if (i > 0) {
            id[to++] = '-';
        }
        memcpy(id + to, hex + from, groups[i]);
        to += groups[i];
        from += groups[i];
    }
    id[to] = '\0';
    return span_make(id, to);
}
