#include "lib/http/http2_guard.h"

#include "lib/base/clock.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

/* Beyond this the bucket is full anyway; keeps the product below in 64 bits. */
enum { LONGEST_REFILL_S = 1000 };

void http2_bucket_init(struct http2_bucket *bucket, uint32_t burst, uint32_t rate, int64_t now_ns)
{
    *bucket = (struct http2_bucket){(int64_t)burst * NS_PER_S, now_ns, burst, rate};
}

bool http2_bucket_take(struct http2_bucket *bucket, int64_t now_ns)
{
    int64_t elapsed = now_ns - bucket->at_ns;
    if (elapsed > LONGEST_REFILL_S * NS_PER_S) {
        elapsed = LONGEST_REFILL_S * NS_PER_S;
    }
    int64_t full = (int64_t)bucket->burst * NS_PER_S;
    bucket->at_ns = now_ns;
    bucket->level += elapsed * bucket->rate;
    if (bucket->level > full) {
        bucket->level = full;
    }
    if (bucket->level < NS_PER_S) {
        return false;
    }
    bucket->level -= NS_PER_S;
    return true;
}

bool http2_bucket_low(const struct http2_bucket *bucket)
{
    return bucket->level <= (int64_t)bucket->burst * NS_PER_S / 4;
}

void http2_scan_init(struct http2_scan *scan, bool is_server)
{
    *scan = (struct http2_scan){.skip = is_server ? NGHTTP2_CLIENT_MAGIC_LEN : 0};
}

static bool is_glitch(const uint8_t *head, uint32_t length)
{
    switch (head[3]) {
    case NGHTTP2_DATA:
        return length == 0 && (head[4] & NGHTTP2_FLAG_END_STREAM) == 0;
    case NGHTTP2_CONTINUATION:
        return length == 0;
    case NGHTTP2_PRIORITY:
        return true;
    default:
        return head[3] > NGHTTP2_CONTINUATION;
    }
}

size_t http2_scan_feed(struct http2_scan *scan, const unsigned char *bytes, size_t length)
{
    size_t glitches = 0;
    while (length > 0) {
        if (scan->skip > 0) {
            size_t part = scan->skip < length ? scan->skip : length;
            scan->skip -= (uint32_t)part;
            bytes += part;
            length -= part;
            continue;
        }
        size_t part = sizeof(scan->head) - scan->filled;
        part = part < length ? part : length;
        memcpy(scan->head + scan->filled, bytes, part);
        scan->filled = (uint8_t)(scan->filled + part);
        bytes += part;
        length -= part;
        if (scan->filled == sizeof(scan->head)) {
            scan->filled = 0;
            scan->skip = (uint32_t)scan->head[0] << 16 | (uint32_t)scan->head[1] << 8 |
                         (uint32_t)scan->head[2];
            glitches += is_glitch(scan->head, scan->skip);
        }
    }
    return glitches;
}
