#include "proxy/identity/rotation.h"

#include <stdbool.h>

static bool window_sane(struct rotation_window window)
{
    return window.from > 0 && window.to < 1 && window.from <= window.to;
}

int64_t rotation_renew_at_ms(struct rotation_window window, int64_t since_ms, int64_t not_after_ms,
                             double draw)
{
    if (!window_sane(window)) {
        window = (struct rotation_window){0.5, 0.7};
    }
    int64_t least_ms = since_ms + ROTATION_LEAST_MS;
    double part = window.from + (window.to - window.from) * draw;
    int64_t at_ms = since_ms + (int64_t)((double)(not_after_ms - since_ms) * part);
    return at_ms > least_ms ? at_ms : least_ms;
}

int64_t rotation_retry_ms(unsigned failures, double draw)
{
    int64_t bound_ms = ROTATION_RETRY_LEAST_MS;
    for (unsigned i = 0; i < failures && bound_ms < ROTATION_RETRY_MOST_MS; i++) {
        bound_ms *= 2;
    }
    if (bound_ms > ROTATION_RETRY_MOST_MS) {
        bound_ms = ROTATION_RETRY_MOST_MS;
    }
    return ROTATION_RETRY_LEAST_MS + (int64_t)((double)(bound_ms - ROTATION_RETRY_LEAST_MS) * draw);
}
