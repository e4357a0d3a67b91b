#include "lib/http/http_limits.h"

/* Reasons and peers' values: the limits of nghttp2, Envoy and Linkerd, where those are safe. */
void http_limits_default(struct http_limits *ret)
{
    *ret = (struct http_limits){
        .fields = 128,
        .head_bytes = 64 * 1024,
        .name_bytes = 256,
        .target_bytes = 8 * 1024,
        .trailer_fields = 32,
        .trailer_bytes = 8 * 1024,
        .informational = 16,
        .streams = 100,
        .stream_window = 64 * 1024,
        .connection_window = 1024 * 1024,
        .head_timeout_ms = 10 * 1000,
        .stall_timeout_ms = 30 * 1000,
        .idle_timeout_ms = 60 * 60 * 1000,
        .ping_interval_ms = 10 * 1000,
        .ping_answer_ms = 3 * 1000,
        .goaway_delay_ms = 5 * 1000,
        .header_table_bytes = 4096,
        .peer_resets = 1000,
        .peer_resets_rate = 33,
        .own_resets = 150,
        .own_resets_rate = 10,
        .glitches = 1000,
        .glitches_rate = 33,
    };
}
