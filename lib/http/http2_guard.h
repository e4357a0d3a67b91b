#ifndef REMORA_HTTP_HTTP2_GUARD_H
#define REMORA_HTTP_HTTP2_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A token bucket: burst at first, then rate a second. */
struct http2_bucket {
    int64_t level; /* in billionths of a token */
    int64_t at_ns;
    uint32_t burst;
    uint32_t rate;
};
void http2_bucket_init(struct http2_bucket *bucket, uint32_t burst, uint32_t rate, int64_t now_ns);
/* False when the bucket is empty. */
bool http2_bucket_take(struct http2_bucket *bucket, int64_t now_ns);
/* No more than a quarter is left. */
bool http2_bucket_low(const struct http2_bucket *bucket);

/*
 * Walks the frame heads of what the peer sends and counts frames that no honest peer sends in
 * numbers and that nghttp2 passes over without a word: unknown types (extension types included),
 * PRIORITY, empty DATA without END_STREAM, empty CONTINUATION (CVE-2019-9513, -9518).
 */
struct http2_scan {
    uint32_t skip; /* bytes up to the next frame head */
    uint8_t filled;
    uint8_t head[9];
};
/* is_server: the client's preface comes first. */
void http2_scan_init(struct http2_scan *scan, bool is_server);
/* Returns the number of such frames that begin in these bytes. */
size_t http2_scan_feed(struct http2_scan *scan, const unsigned char *bytes, size_t length);

#endif
