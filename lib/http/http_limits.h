#ifndef REMORA_HTTP_HTTP_LIMITS_H
#define REMORA_HTTP_HTTP_LIMITS_H

#include <stdint.h>

/*
 * The bounds of one HTTP connection; the defaults of http_limits_default are safe without tuning.
 * Beyond a bound: HTTP/1 answers 431/414/400 and closes; HTTP/2 resets the stream or closes.
 */
struct http_limits {
    uint32_t fields;            /* 128: per message; crumbs, pseudo and dropped ones counted */
    uint32_t head_bytes;        /* 64 KiB of decoded names and values */
    uint32_t name_bytes;        /* 256 */
    uint32_t target_bytes;      /* 8 KiB */
    uint32_t trailer_fields;    /* 32 */
    uint32_t trailer_bytes;     /* 8 KiB */
    uint32_t informational;     /* 16 heads of 1xx a response */
    uint32_t streams;           /* 100 at once */
    uint32_t stream_window;     /* 64 KiB: received and not consumed, each stream */
    uint32_t connection_window; /* 1 MiB */
    int64_t head_timeout_ms;    /* 10 s for a whole head once its first byte came */
    int64_t stall_timeout_ms;   /* 30 s without progress of a body or of writing */
    int64_t idle_timeout_ms;    /* connection without streams; server 1 h, client set by the pool */
    int64_t ping_interval_ms;   /* 10 s: HTTP/2 with live streams and silence */
    int64_t ping_answer_ms;     /* 3 s */
    int64_t goaway_delay_ms;    /* 5 s between the two GOAWAY of a drain */
    uint32_t header_table_bytes; /* HPACK, 4096 */
    /* Token buckets: burst and refill a second (CVE-2023-44487, CVE-2025-8671, floods). */
    uint32_t peer_resets, peer_resets_rate;
    uint32_t own_resets, own_resets_rate;
    uint32_t glitches, glitches_rate;
};

void http_limits_default(struct http_limits *ret);

#endif
