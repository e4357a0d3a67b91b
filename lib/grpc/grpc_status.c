#include "lib/grpc/grpc_status.h"

static const char *const names[GRPC_CODES] = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

const char *grpc_code_name(enum grpc_code code)
{
    return code < GRPC_CODES ? names[code] : "UNKNOWN";
}

enum grpc_code grpc_code_of_http(uint16_t status)
{
    switch (status) {
    case 400:
        return GRPC_INTERNAL;
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
        return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_UNKNOWN;
    }
}

enum grpc_code grpc_code_of_failure(enum failure failure)
{
    return (enum grpc_code)failure_facts(failure)->grpc_code;
}

enum grpc_code grpc_code_read(struct span value)
{
    uint64_t code = 0;
    return span_to_u64(value, GRPC_CODES - 1, &code) ? (enum grpc_code)code : GRPC_UNKNOWN;
}

struct span grpc_message_encode(struct span text, struct arena *arena)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = arena_alloc(arena, text.length * 3 + 1);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (byte >= 0x20 && byte <= 0x7e && byte != '%') {
            out[length++] = (char)byte;
        } else {
            out[length++] = '%';
            out[length++] = digits[byte >> 4];
            out[length++] = digits[byte & 15];
        }
    }
    return span_make(out, length);
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

struct span grpc_message_decode(struct span text, struct arena *arena)
{
    char *out = arena_alloc(arena, text.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        int high = text.at[i] == '%' && i + 2 < text.length ? hex_value(text.at[i + 1]) : -1;
        int low = high >= 0 ? hex_value(text.at[i + 2]) : -1;
        if (low >= 0) {
            out[length++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[length++] = text.at[i];
        }
    }
    return span_make(out, length);
}

static const int64_t TIMEOUT_MAX_NS = 365LL * 24 * 3600 * 1000000000;

bool grpc_timeout_parse(struct span value, int64_t *ret_ms)
{
    static const struct {
        char unit;
        int64_t ns;
    } units[] = {{'H', 3600000000000LL}, {'M', 60000000000LL}, {'S', 1000000000LL},
                 {'m', 1000000LL},       {'u', 1000LL},        {'n', 1LL}};
    uint64_t number = 0;
    if (value.length < 2 || value.length > 9 ||
        !span_to_u64(span_cut(value, 0, value.length - 1), 99999999, &number)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (value.at[value.length - 1] == units[i].unit) {
            /* Eight digits of hours are more than an int64_t of nanoseconds. */
            int64_t most = TIMEOUT_MAX_NS / units[i].ns;
            int64_t ns = (int64_t)number < most ? (int64_t)number * units[i].ns : TIMEOUT_MAX_NS;
            *ret_ms = (ns + 999999) / 1000000;
            return true;
        }
    }
    return false;
}

struct span grpc_timeout_format(int64_t ms, struct arena *arena)
{
    if (ms <= 99999999) {
        return span_of(arena_printf(arena, "%lldm", (long long)ms));
    }
    int64_t seconds = (ms + 999) / 1000;
    return span_of(
        arena_printf(arena, "%lldS", (long long)(seconds <= 99999999 ? seconds : 99999999)));
}
